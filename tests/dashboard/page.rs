//! What an operator sees and does: numbers that move, what is wrong in words, languages, colours, the keyboard.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, ENTER, PHONE, TAB};
use crate::town::{Town, Traffic};
use crate::{PATIENCE, wait};

pub const NAMES: [&str; 7] = [
    "planning.technova.internal",
    "order.technova.internal",
    "dc1.technova.local",
    "api.technova.internal",
    "files.technova.local",
    "no-such-host.technova.local",
    "notthere.technova.internal",
];
pub const CLIENTS: [&str; 5] = ["127.0.1.7", "127.0.2.9", "127.0.3.1", "127.0.1.8", "127.0.9.9"];

fn traffic(server: SocketAddr) -> Traffic {
    Traffic::start(server, &CLIENTS, &NAMES)
}

/// Nothing is wider than the window.
fn assert_fits(browser: &Browser, what: &str) {
    let wide = browser.run(
        "const width = document.documentElement.clientWidth;
         return [...document.body.querySelectorAll('*')]
           .filter((one) => !one.closest('.unseen, .skip, svg') && one.getBoundingClientRect().right > width + 0.5)
           .map((one) => `${one.tagName}#${one.id}.${one.className}`)",
    );
    assert_eq!(wide, json!([]), "{what}: beyond the right edge");
    let scrolls =
        browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(scrolls, 0, "{what}: it scrolls sideways");
}

#[test]
fn the_page_lives_under_load_at_desktop_and_phone_width() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    let _traffic = traffic(town.server.dns);
    browser.open(&town.page(), DESKTOP);
    browser.until("#link-text", "the page is live", |text| text == "Live");
    browser.until("#state-heading", "all is well", |text| text == "All is well");
    browser.until("#f-qps", "queries are counted", |text| text.parse::<f64>().is_ok_and(|rate| rate > 20.0));
    browser.until("#f-hit", "caches answer", |text| text.ends_with('%') && text != "0%");
    // The lists of the sketch need a round of the log thread, and the busiest name is the one that is asked most.
    browser.until("#names tr:first-child th", "the busiest name is first", |text| {
        text == format!("{}.", NAMES[0])
    });
    browser.until("#clients tr:first-child th", "the busiest client is first", |text| text == CLIENTS[0]);
    browser.until("#failing", "names that fail are listed", |text| {
        text.contains("no-such-host.technova.local.")
    });
    browser.until("#rcodes", "response codes are listed", |text| {
        ["NOERROR", "NXDOMAIN", "REFUSED"].iter().all(|code| text.contains(code))
    });
    assert!(browser.text("#views").contains("vpc"), "{}", browser.text("#views"));
    assert!(browser.text("#routes").contains("forward to onprem-dc"), "{}", browser.text("#routes"));
    let first = browser.number("#routes td:last-child").unwrap();
    wait::until("the total of the busiest route grows", PATIENCE, || {
        (browser.number("#routes td:last-child").unwrap() > first).then_some(())
    });
    let title = browser.run("return document.title");
    assert_eq!(title, "kakehashi-test · Kakehashi");
    // A chart with a line takes some seconds.
    wait::until("the charts have ten points", PATIENCE, || {
        let path = browser.run("return document.querySelector('#chart-qps path.a')?.getAttribute('d') ?? ''");
        (path.as_str().unwrap().matches('L').count() >= 10).then_some(())
    });
    assert_fits(&browser, "desktop");
    browser.picture("desktop-light-en");
    browser.resize(PHONE);
    assert_fits(&browser, "phone");
    browser.picture("phone-light-en");
    assert_eq!(browser.log(), [""; 0], "the console is empty");
}

#[test]
fn a_dead_upstream_is_said_in_words_and_so_is_its_return() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    let _traffic = traffic(town.server.dns);
    browser.open(&town.page(), DESKTOP);
    browser.until("#state-heading", "all is well", |text| text == "All is well");
    town.primary.silence();
    let words = format!("Server {} of upstream onprem-dc is down", town.primary.address);
    browser.until("#concerns", "the dead server is named", |text| {
        text.contains(&words) && text.contains("since")
    });
    assert_eq!(browser.text("#state-heading"), "Working, but this wants a look");
    assert!(browser.text("#upstreams tr:first-child").contains("■ down"));
    town.backup.silence();
    let words = "No server of upstream onprem-dc answers: 2 of 2 are down";
    browser.until("#concerns", "the dead upstream is named", |text| text.contains(words));
    assert_eq!(browser.text("#state-heading"), "Clients are affected");
    // It is said aloud as well, and in the title, where a person sees it in another window.
    assert!(browser.text("#state-spoken").contains(words));
    assert!(browser.run("return document.title").as_str().unwrap().starts_with('×'));
    browser.picture("desktop-light-en-wrong");
    browser.resize(PHONE);
    assert_fits(&browser, "phone with concerns");
    browser.resize(DESKTOP);
    for _ in 0..2 {
        town.primary.answer();
        town.backup.answer();
        browser
            .until("#upstreams tr:first-child .server-state", "it is back", |text| text.starts_with("● up"));
        town.primary.silence();
        browser.until("#upstreams tr:first-child .server-state", "it is gone", |text| {
            text.starts_with("■ down")
        });
    }
    browser.until("#concerns", "flaps are said", |text| text.contains("went down 3 times in ten minutes"));
    let timeline = browser.run("return document.querySelector('svg.timeline').getAttribute('aria-label')");
    assert!(timeline.as_str().unwrap().starts_with("Last hour: down 3×"), "{timeline}");
    assert_eq!(browser.log(), [""; 0], "the console is empty");
}

#[test]
fn it_speaks_japanese_and_keeps_what_was_chosen() {
    let Some(browser) = Browser::start("ja") else { return };
    let town = Town::start();
    let _traffic = traffic(town.server.dns);
    browser.prefer("prefers-color-scheme", "dark");
    browser.open(&town.page(), DESKTOP);
    browser.until("#state-heading", "all is well", |text| text == "すべて正常です");
    assert_eq!(browser.run("return document.documentElement.lang"), "ja");
    let background = || browser.run("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(background(), "rgb(14, 18, 24)", "dark, as the system");
    // Both tables hold the same words, the page names no others, and no key is left where words should be.
    browser.run("import('/dashboard/words.js').then((words) => { window.words = words.WORDS })");
    let words = wait::until("the words are loaded", PATIENCE, || {
        let words = browser.run(
            "return window.words && [Object.keys(words.en).filter((key) => !words.ja[key]),
             Object.keys(words.ja).filter((key) => !words.en[key]),
             Object.keys(words.en).filter((key) => String(words.en[key].match(/\\{\\w+\\}/g)?.toSorted()) !==
                 String(words.ja[key].match(/\\{\\w+\\}/g)?.toSorted())),
             [...document.querySelectorAll('[data-word]')].map((one) => one.dataset.word).filter((key) => !words.en[key])]",
        );
        (!words.is_null()).then_some(words)
    });
    let doubled = ["c.upstream-down"]; // English says the number twice
    let mut words = words;
    words[2].as_array_mut().unwrap().retain(|key| !doubled.contains(&key.as_str().unwrap()));
    assert_eq!(words, json!([[], [], [], []]));
    explain(&browser, "127.0.2.9", "api.technova.internal", "A");
    let said = browser.until("#explained", "it is explained", |text| text.contains("応答"));
    assert!(said.contains("127.0.2.9 はネットワーク technova-iot-prod-edge"), "{said}");
    assert!(!said.contains("has ") && !said.contains(" is "), "English is left: {said}");
    browser.until("#names", "names are listed", |text| text.contains(NAMES[6]));
    assert_fits(&browser, "desktop in Japanese");
    browser.picture("desktop-dark-ja");
    browser.resize(PHONE);
    assert_fits(&browser, "phone in Japanese");
    browser.picture("phone-dark-ja");
    browser.resize(DESKTOP);

    choose(&browser, "language", "en");
    choose(&browser, "theme", "light");
    browser.until("#state-heading", "English was chosen", |text| text == "All is well");
    assert_eq!(background(), "rgb(244, 245, 248)", "light, as chosen");
    assert!(browser.text("#explained").contains("Answer: NOERROR"), "{}", browser.text("#explained"));
    browser.open(&town.page(), DESKTOP);
    browser.until("#state-heading", "English is kept", |text| text == "All is well");
    assert_eq!(
        (browser.run("return document.documentElement.lang"), background()),
        (json!("en"), json!("rgb(244, 245, 248)"))
    );
    assert_eq!(browser.log(), [""; 0], "the console is empty");
}

fn choose(browser: &Browser, id: &str, value: &str) {
    browser.run(&format!(
        "const pick = document.getElementById('{id}'); pick.value = '{value}'; pick.dispatchEvent(new Event('change'))"
    ));
}

fn explain(browser: &Browser, client: &str, name: &str, qtype: &str) {
    for (id, value) in [("e-client", client), ("e-name", name), ("e-type", qtype)] {
        browser.run(&format!("document.getElementById('{id}').value = {}", json!(value)));
    }
    browser.run("document.getElementById('explain').requestSubmit()");
}

#[test]
fn everything_is_reached_and_done_by_keyboard() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    browser.open(&town.page(), DESKTOP);
    browser.until("#state-heading", "all is well", |text| text == "All is well");
    // From the top, in the order of the page, and each place where the focus is can be seen.
    let mut walk: Vec<String> = Vec::new();
    for _ in 0..12 {
        browser.press(&[TAB]);
        let place = browser.run(
            "const one = document.activeElement, style = getComputedStyle(one);
             return [one.id || one.getAttribute('href') || one.textContent, style.outlineStyle, parseFloat(style.outlineWidth)]",
        );
        assert!(place[1] != "none" && place[2].as_f64() >= Some(2.0), "no outline at {place}");
        walk.push(place[0].as_str().unwrap().to_owned());
    }
    assert_eq!(
        walk,
        [
            "#state",
            "pause",
            "language",
            "theme",
            "e-client",
            "e-name",
            "e-type",
            "Explain",
            "/pages",
            "/metrics",
            "/api/status",
            "/readyz",
        ]
    );
    browser.run("document.getElementById('e-client').focus()");
    browser.write("127.0.1.7");
    browser.press(&[TAB]);
    browser.write("x.technova.local");
    browser.press(&[ENTER]);
    let said = browser.until("#explained", "it is explained", |text| text.contains("Answer:"));
    assert!(said.contains("what the servers of onprem-dc say") && said.contains("✓ answers"), "{said}");
    assert!(
        said.contains(&format!("asks {}, {} (backup)", town.primary.address, town.backup.address)),
        "{said}"
    );
    // What is wrong is said at its field, and the focus goes there.
    browser
        .run("document.getElementById('e-name').value = 'a..b'; document.getElementById('e-type').focus()");
    browser.press(&[ENTER]);
    browser.until("#explain-wrong", "the fault is said", |text| text == "name: a label is empty");
    assert_eq!(
        browser.run("return [document.activeElement.id, document.activeElement.ariaInvalid]"),
        json!(["e-name", "true"])
    );
    // Pause stops what moves, and gives the seat back.
    browser.run("document.getElementById('pause').focus()");
    browser.press(&[ENTER]);
    browser.until("#link-text", "it is paused", |text| text == "Paused");
    assert_eq!(browser.run("return document.getElementById('pause').ariaPressed"), "true");
    browser.press(&[ENTER]);
    browser.until("#link-text", "it goes on", |text| text == "Live");
    let refused = browser.log();
    assert!(refused.iter().all(|line| line.contains("400")), "only the refused question: {refused:?}");
}

#[test]
fn a_server_that_is_gone_is_not_taken_for_one_that_is_well() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    browser.open(&town.page(), DESKTOP);
    browser.until("#state-heading", "all is well", |text| text == "All is well");
    let Town { server, .. } = town;
    server.terminate();
    browser.until("#link-text", "the connection is lost", |text| text.starts_with("No connection"));
    browser.until("#state-heading", "the news is old", |text| text.starts_with("No news since"));
    browser.picture("desktop-light-en-lost");
}

#[test]
fn a_failed_reload_is_said_with_its_reason() {
    let Some(browser) = Browser::start("en-GB") else { return };
    let town = Town::start();
    browser.open(&town.page(), DESKTOP);
    browser.until("#reloads", "there was none yet", |text| text == "Not reloaded since the start.");
    town.site.replace("main.toml", "[node]", "[nodes]");
    town.server.signal(nix::sys::signal::Signal::SIGHUP);
    browser.until("#concerns", "it is said", |text| {
        text.contains("The last reload failed, so the configuration")
    });
    browser.until("#reloads", "it is listed", |text| text.contains("■ failed") && text.contains("nodes"));
    town.site.replace("main.toml", "[nodes]", "[node]");
    town.server.signal(nix::sys::signal::Signal::SIGHUP);
    browser.until("#state-heading", "all is well again", |text| text == "All is well");
    assert_eq!(browser.run("return document.querySelectorAll('#reloads li').length"), Value::from(2));
}
