//! Names from the network are hostile: whatever they hold, they are text, and nothing of the page moves or runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kakehashi::control::dashboard::glance::{Glance, GroupGlance, RouteGlance, ServerGlance, ViewGlance};
use kakehashi::control::dashboard::question::Question;
use kakehashi::control::status::{AlertStatus, ConfigurationStatus, ReloadResult, ReloadStatus, TrialStatus};
use kakehashi::control::{self, Running, Status, StatusDocument};
use kakehashi::observe::Sketches;
use kakehashi::observe::registry::Format;
use kakehashi::observe::sketch::{Look, Top, Tops};
use kakehashi::pipeline::explain::{Explanation, Fate, Hop, RouteLine};
use kakehashi::query::Now;
use serde_json::json;

use crate::browser::{Browser, DESKTOP, PHONE};

/// Markup, a right-to-left override, control characters, zero width, a name without an end.
const EVIL: [&str; 5] = [
    "<img src=x onerror=\"window.caught=1\"><script>window.caught=1</script>",
    "</script><svg onload=window.caught=1>&lt;b&gt;{subject}{number}",
    "moc.live\u{202E}evil.com\u{2066}\u{200B}\u{FEFF}",
    "a\0b\u{1B}[31mc\r\nd\u{85}e\u{2028}f",
    "javascript:window.caught=1",
];

/// Says evil in every place where a name can stand.
#[derive(Default)]
pub struct Evil {
    pub sketches: Sketches,
    pub glances: AtomicU64,
    /// How many names a frame has, to make it large.
    pub names: usize,
}

pub fn serve(evil: Evil) -> (Running, Arc<Evil>, SocketAddr) {
    let evil = Arc::new(evil);
    let running =
        control::start("127.0.0.1:0".parse().unwrap(), Arc::clone(&evil) as Arc<dyn Status>).unwrap();
    let address = running.address();
    (running, evil, address)
}

impl Status for Evil {
    fn metrics(&self, _: Format) -> String {
        String::new()
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        Ok(())
    }

    fn status(&self) -> StatusDocument {
        StatusDocument::default()
    }

    fn look(&self) -> Look {
        self.sketches.look()
    }

    fn glance(&self) -> Glance {
        let beat = self.glances.fetch_add(1, Ordering::Relaxed);
        let long = "x".repeat(60) + &".".repeat(3) + &"長".repeat(80);
        let all: Vec<String> = EVIL.iter().map(ToString::to_string).chain([long]).collect();
        let tops = |list: &[String]| -> Vec<Top> {
            let copies = list.iter().cycle().take(list.len().max(self.names));
            copies.map(|what| Top { what: what.clone(), count: beat + 1, over: 1 }).collect()
        };
        let server = |address: &String| ServerGlance {
            address: address.clone(),
            state: "down",
            changes: vec![(1_000_000, false)],
            ..ServerGlance::default()
        };
        Glance {
            now: Now {
                monotonic: Duration::from_secs(beat),
                unix_micros: 1_764_000_000_000_000 + beat * 1_000_000,
            },
            version: "0.1.0",
            node: all[0].clone() + &all[2],
            uptime: Duration::from_secs(beat),
            workers: 1,
            unready: vec![all[3].clone()],
            sums: kakehashi::observe::metrics::Metrics::new(1).sum(),
            views: all
                .iter()
                .map(|name| ViewGlance { name: name.clone(), ..ViewGlance::default() })
                .collect(),
            routes: all
                .iter()
                .map(|name| RouteGlance {
                    label: name.clone(),
                    domain: name.clone(),
                    kind: "forward",
                    target: Some(name.clone()),
                    queries: 1,
                })
                .collect(),
            zones: (0, 0),
            groups: all
                .iter()
                .map(|name| GroupGlance {
                    name: name.clone(),
                    in_flight: 0,
                    quarantined: vec![(name.clone(), 5)],
                    servers: all.iter().map(server).collect(),
                })
                .collect(),
            caches: Vec::new(),
            log: kakehashi::observe::readings::LogReading::default(),
            load: kakehashi::observe::readings::LoadReading::default(),
            configuration: ConfigurationStatus {
                file: all[1].clone(),
                on_trial: Some(TrialStatus { file: all[2].clone(), seconds: 60 }),
                ..ConfigurationStatus::default()
            },
            reloads: vec![ReloadStatus {
                result: ReloadResult::Failure,
                time: "2026-11-24T00:00:00Z".into(),
                reasons: all.clone(),
            }],
            alerts: all
                .iter()
                .map(|text| AlertStatus {
                    kind: text.clone(),
                    subject: text.clone(),
                    evidence: text.clone(),
                    time: "2026-11-24T00:00:00Z".into(),
                })
                .collect(),
            tops: Tops {
                seconds: 5,
                queries: 100,
                names: tops(&all),
                failing: tops(&all),
                clients: tops(&all),
            },
        }
    }

    fn explain(&self, question: &Question) -> Explanation {
        let evil = |at: usize| EVIL[at].to_owned();
        let route = |fate| RouteLine {
            route: evil(0),
            domain: evil(1),
            target: evil(2),
            fate,
            why: evil(3),
            outside: None,
        };
        Explanation {
            client: question.client,
            network: Some(evil(0)),
            groups: Vec::new(),
            view: Some(evil(2)),
            name: evil(1),
            qtype: evil(4),
            hops: vec![Hop {
                name: evil(0),
                routes: vec![route(Fate::Won), route(Fate::Unseen)],
                records: EVIL.iter().map(ToString::to_string).collect(),
            }],
            outcome: evil(1),
        }
    }
}

#[test]
fn names_of_markup_overrides_and_control_characters_are_text() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let (_running, _, address) = serve(Evil::default());
    browser.open(&format!("http://{address}/"), DESKTOP);
    let elements = "return [document.images.length, document.scripts.length, document.querySelectorAll('main img, main script, main svg:not(.chart, .timeline), b b').length]";
    assert_eq!(browser.run(elements), json!([1, 1, 0]), "the page's own");
    browser.until("#names", "the names are there", |text| text.contains("<img src=x onerror="));
    browser.run("document.getElementById('e-client').value = '10.0.0.1'; document.getElementById('e-name').value = 'a'");
    browser.run("document.getElementById('explain').requestSubmit()");
    browser.until("#explained", "the explanation is there", |text| text.contains("<img src=x"));
    for place in [
        "#node",
        "#concerns",
        "#upstreams",
        "#clients",
        "#views",
        "#routes",
        "#alerts",
        "#reloads",
        "#explained",
    ] {
        assert!(browser.text(place).contains("<img src=x onerror=\"window.caught=1\">"), "{place}");
    }
    assert_eq!(browser.run(elements), json!([1, 1, 0]), "no name has become an element");
    assert_eq!(browser.run("return window.caught ?? null"), json!(null), "no name has run");
    // What is not seen, or turns what is around it, is written out everywhere.
    let unseen = browser.run(
        "return [...document.documentElement.innerHTML.matchAll(/[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]/g)].length + [...document.title].filter((one) => one.charCodeAt(0) === 0x202e).length",
    );
    assert_eq!(unseen, 0);
    assert!(browser.text("#names").contains("moc.live\\u{202e}evil.com\\u{2066}\\u{200b}\\u{feff}"));
    // The browser itself would refuse, if somebody wrote markup one day.
    let refused = browser.run(
        "try { document.getElementById('node').innerHTML = '<b>x</b>'; return 'done' } catch (fault) { return fault.name }",
    );
    assert_eq!(refused, "TypeError");
    for (size, what) in [(DESKTOP, "desktop"), (PHONE, "phone")] {
        browser.resize(size);
        let wide =
            browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert!(wide.as_i64() <= Some(0), "{what}: a long name makes it scroll by {wide}");
        browser.picture(&format!("{what}-light-en-hostile"));
    }
    let said = browser.log();
    assert!(said.iter().all(|line| line.contains("TrustedHTML")), "{said:?}");
}
