//! What becomes of findings: each is told once in a while, counted always, and the last ones are kept for pages.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::alert::{Alert, Kind};
use super::finding::Finding;

/// Alerts that pages can show.
const SHOWN: usize = 100;
/// Alerts whose repeats are known; the oldest is forgotten.
const KNOWN: usize = 2_048;
/// Alerts a minute, all kinds together: beyond it something has gone wrong with everybody, and more lines help nobody.
const PER_MINUTE: u32 = 60;

/// How many alerts there were since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// Told, by kind, in the order of [`Kind::ALL`].
    pub told: [u64; Kind::ALL.len()],
    /// Not told: repeats, and those beyond what a minute may have.
    pub suppressed: u64,
    /// Not delivered to the file or the webhook.
    pub undelivered: u64,
}

/// What others may read while the log thread writes.
#[derive(Default)]
pub(super) struct Board {
    told: [AtomicU64; Kind::ALL.len()],
    suppressed: AtomicU64,
    pub(super) undelivered: AtomicU64,
    recent: Mutex<VecDeque<Arc<Alert>>>,
}

impl Board {
    pub(super) fn counts(&self) -> AlertCounts {
        AlertCounts {
            told: std::array::from_fn(|kind| self.told[kind].load(Ordering::Relaxed)),
            suppressed: self.suppressed.load(Ordering::Relaxed),
            undelivered: self.undelivered.load(Ordering::Relaxed),
        }
    }

    /// The latest first.
    pub(super) fn recent(&self) -> Vec<Arc<Alert>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn show(&self, alert: &Arc<Alert>) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == SHOWN {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(alert));
        self.told[alert.kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a repeat where the alert is still shown.
    fn repeat(&self, of: &Subject, time: &str) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(alert) = recent.iter_mut().rev().find(|alert| Subject::of_alert(alert) == *of) {
            let alert = Arc::make_mut(alert);
            alert.count += 1;
            time.clone_into(&mut alert.last_seen);
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
    }
}

/// What an alert is about: the same again within the cooldown is a repeat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subject {
    kind: Kind,
    client: Option<IpAddr>,
    /// The account or network, where it is about no client.
    account: Option<String>,
    domain: Option<String>,
}

impl Subject {
    fn of(finding: &Finding) -> Subject {
        let Finding { kind, client, network, account, domain, .. } = finding;
        let account = account.as_ref().or(network.as_ref()).filter(|_| client.is_none());
        Subject { kind: *kind, client: *client, account: account.cloned(), domain: domain.clone() }
    }

    fn of_alert(alert: &Alert) -> Subject {
        let Alert { kind, client, network, account, domain, .. } = alert;
        let account = account.as_ref().or(network.as_ref()).filter(|_| client.is_none());
        Subject { kind: *kind, client: *client, account: account.cloned(), domain: domain.clone() }
    }
}

/// The log thread's part: decides what is told.
pub(super) struct Desk {
    pub(super) board: Arc<Board>,
    known: HashMap<Subject, Told>,
    /// The minute, and how many were told in it.
    minute: (u64, u32),
}

struct Told {
    first: u64,
    last: u64,
    count: u64,
}

impl Desk {
    pub(super) fn new(board: Arc<Board>) -> Desk {
        Desk { board, known: HashMap::new(), minute: (0, 0) }
    }

    /// The alert that a finding becomes, unless the same was told within the cooldown.
    pub(super) fn alert(&mut self, finding: Finding, node: &str, cooldown: Duration) -> Option<Arc<Alert>> {
        let subject = Subject::of(&finding);
        let micros = finding.micros;
        let time = rfc3339(micros);
        if self.known.len() >= KNOWN && !self.known.contains_key(&subject) {
            let oldest =
                self.known.iter().min_by_key(|(_, told)| told.last).map(|(subject, _)| subject.clone());
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        let minute = micros / 60_000_000;
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        let known = self.known.get_mut(&subject);
        let cooling = known
            .as_ref()
            .is_some_and(|told| u128::from(micros.saturating_sub(told.last)) < cooldown.as_micros());
        if cooling || self.minute.1 >= PER_MINUTE {
            if let Some(told) = known {
                told.count += 1;
            }
            self.board.repeat(&subject, &time);
            return None;
        }
        self.minute.1 += 1;
        let told = self.known.entry(subject).or_insert(Told { first: micros, last: 0, count: 0 });
        told.count += 1;
        told.last = micros;
        let alert = Arc::new(Alert {
            event: "alert",
            kind: finding.kind,
            node: node.to_owned(),
            client: finding.client,
            network: finding.network,
            account: finding.account,
            domain: finding.domain,
            first_seen: rfc3339(told.first),
            last_seen: time.clone(),
            time,
            count: told.count,
            evidence: finding.evidence,
            samples: finding.samples,
        });
        self.board.show(&alert);
        Some(alert)
    }
}

fn rfc3339(micros: u64) -> String {
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn finding(client: &str, second: u64) -> Finding {
        Finding {
            kind: Kind::Tunnel,
            micros: 1_600_000_000_000_000 + second * 1_000_000,
            client: Some(client.parse().unwrap()),
            network: Some("app".into()),
            account: None,
            domain: Some("evil.example.".into()),
            evidence: BTreeMap::new(),
            samples: vec!["\\000.evil.example.".into()],
        }
    }

    #[test]
    fn the_same_is_told_once_in_a_cooldown_and_counted_always() {
        let mut desk = Desk::new(Arc::default());
        let first = desk.alert(finding("10.0.0.1", 0), "n", HOUR).unwrap();
        assert_eq!((first.count, first.time.as_str()), (1, "2020-09-13T12:26:40.000000Z"));
        assert!((1..10).all(|second| desk.alert(finding("10.0.0.1", second), "n", HOUR).is_none()));
        assert!(desk.alert(finding("10.0.0.2", 5), "n", HOUR).is_some(), "another client");
        let shown = desk.board.recent();
        assert_eq!((shown[1].count, shown[1].last_seen.as_str()), (10, "2020-09-13T12:26:49.000000Z"));
        let later = desk.alert(finding("10.0.0.1", 3_600), "n", HOUR).unwrap();
        assert_eq!((later.count, &later.first_seen), (11, &first.time));
        let counts = desk.board.counts();
        assert_eq!((counts.told[Kind::Tunnel as usize], counts.suppressed), (3, 9));
    }

    #[test]
    fn memory_and_lines_are_bounded() {
        let mut desk = Desk::new(Arc::default());
        let told = (0..5_000u32).filter(|n| {
            let client = std::net::Ipv4Addr::from(*n).to_string();
            desk.alert(finding(&client, u64::from(*n) / 1_000), "n", HOUR).is_some()
        });
        assert_eq!(told.count(), PER_MINUTE as usize);
        for n in 0..5_000u32 {
            let client = std::net::Ipv4Addr::from(n).to_string();
            desk.alert(finding(&client, u64::from(n) * 60), "n", HOUR);
        }
        assert!(desk.known.len() <= KNOWN && desk.board.recent().len() == SHOWN);
    }

    #[test]
    fn a_line_is_json_without_control_octets() {
        let mut desk = Desk::new(Arc::default());
        let line = desk.alert(finding("2001:db8::1", 0), "n", HOUR).unwrap().line();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["event"], &value["kind"]), (&"alert".into(), &"tunnel".into()));
        assert_eq!(value["client"], "2001:db8::1");
        assert!(line.bytes().all(|byte| byte >= b' '));
    }
}
