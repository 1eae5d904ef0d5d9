//! Queries of ours that come back: their domain is not asked of that upstream for a while.
//!
//! A server that forwards back to us what we ask it would keep the two of us busy until both give up. That a query is one
//! of ours is certain where it has the random case that we gave it; EDNS options would not come back, as they end at each
//! hop (RFC 6891 §6.2.6). Without that it is certain once the question that is on its way to that very server has ended
//! in silence: it could ask us, but not answer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use moka::sync::Cache;

use crate::query::Now;
use crate::wire::{Name, NameRef};

/// How long a domain is not asked for.
const QUARANTINE: Duration = Duration::from_secs(30);
/// How long it is remembered that a query may have come back.
const SUSPICION: Duration = Duration::from_secs(10);
/// Domains that are remembered; more than that are forgotten, and found again.
const MOST: u64 = 1024;

/// The loops of one upstream.
#[derive(Debug)]
pub(super) struct Loops {
    quarantined: Cache<Name, Duration>,
    suspected: Cache<Name, Duration>,
    /// Until when there is anything to look up at all.
    quarantine_until: AtomicU64,
    suspicion_until: AtomicU64,
    found: AtomicU64,
}

/// A domain that an upstream is not asked for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The domain.
    pub domain: String,
    /// Until when, by the clock that does not jump.
    pub until: Duration,
}

impl Loops {
    pub(super) fn new() -> Loops {
        let cache = |life| Cache::builder().max_capacity(MOST).time_to_live(life).build();
        Loops {
            quarantined: cache(QUARANTINE),
            suspected: cache(SUSPICION),
            quarantine_until: AtomicU64::new(0),
            suspicion_until: AtomicU64::new(0),
            found: AtomicU64::new(0),
        }
    }

    /// Whether nothing is to be asked for this domain now.
    pub(super) fn is_quarantined(&self, domain: impl FnOnce() -> Name, now: Now) -> bool {
        is_before(now, &self.quarantine_until)
            && self.quarantined.get(&domain()).is_some_and(|until| now.monotonic < until)
    }

    /// Takes in that a query of ours came back. Says whether that is news.
    pub(super) fn found(&self, domain: NameRef<'_>, now: Now) -> bool {
        let until = now.monotonic + QUARANTINE;
        let domain = domain.to_lower();
        let is_news = self.quarantined.get(&domain).is_none_or(|until| until <= now.monotonic);
        if is_news {
            self.quarantined.insert(domain, until);
            self.quarantine_until.fetch_max(millis(until), Relaxed);
            self.found.fetch_add(1, Relaxed);
        }
        is_news
    }

    /// Takes in that a query may be one of ours.
    pub(super) fn suspect(&self, domain: NameRef<'_>, now: Now) {
        let until = now.monotonic + SUSPICION;
        self.suspected.insert(domain.to_lower(), until);
        self.suspicion_until.fetch_max(millis(until), Relaxed);
    }

    /// Whether a query of this domain may have come back of late. Asked once: it is forgotten then.
    pub(super) fn was_suspected(&self, domain: impl FnOnce() -> Name, now: Now) -> bool {
        is_before(now, &self.suspicion_until)
            && self.suspected.remove(&domain()).is_some_and(|until| now.monotonic < until)
    }

    /// How many were found.
    pub(super) fn count(&self) -> u64 {
        self.found.load(Relaxed)
    }

    /// The domains that are not asked for, or were not until a moment ago.
    pub(super) fn list(&self) -> Vec<Quarantined> {
        let one = |(domain, until): (std::sync::Arc<Name>, Duration)| Quarantined {
            domain: domain.to_string(),
            until,
        };
        self.quarantined.iter().map(one).collect()
    }
}

fn is_before(now: Now, until: &AtomicU64) -> bool {
    millis(now.monotonic) < until.load(Relaxed)
}

fn millis(moment: Duration) -> u64 {
    u64::try_from(moment.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { monotonic: Duration::from_secs(seconds), unix_micros: 0 }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_domain_is_in_quarantine_for_half_a_minute_and_no_other_is() {
        let loops = Loops::new();
        let is = |domain: &str, seconds| loops.is_quarantined(|| name(domain), at(seconds));
        assert!(!is("technova.local", 5));
        assert!(loops.found(name("TechNova.local").as_ref(), at(5)));
        assert!(!loops.found(name("technova.local").as_ref(), at(6)), "it is known already");
        assert!(is("technova.local", 34));
        assert!(!is("example.com", 34));
        assert!(!is("technova.local", 35));
        assert_eq!(loops.count(), 1);
        let list = loops.list();
        assert_eq!((list[0].domain.as_str(), list[0].until.as_secs()), ("technova.local.", 35));
    }

    #[test]
    fn a_suspicion_is_remembered_for_a_while_and_used_once() {
        let loops = Loops::new();
        let was = |seconds| loops.was_suspected(|| name("technova.local"), at(seconds));
        loops.suspect(name("technova.LOCAL").as_ref(), at(5));
        assert!(was(14));
        assert!(!was(14));
        loops.suspect(name("technova.local").as_ref(), at(5));
        assert!(!was(15));
    }
}
