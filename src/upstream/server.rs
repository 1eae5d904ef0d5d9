//! One server of a group: its address, its part, what is known of it, what it did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::cookie::{Cookies, Jar};
use super::order::Role;
use super::status::{Counts, ServerStatus};
use crate::exchange::{Case, Dialect};
use crate::health::{Health, Rules, State};
use crate::query::Now;

/// How long we remember what a server does not take.
const REMEMBERED: Duration = Duration::from_secs(600);

/// A server, shared by all workers; lives on when a reload keeps it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    role: Role,
    health: Arc<Health>,
    pub(super) counts: Counts,
    fails_on_edns: Memory,
    changes_case: Memory,
    pub(super) jar: Jar,
}

/// How to speak to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) dialect: Dialect,
    pub(super) case: Case,
    pub(super) cookies: Cookies,
}

/// That something was so, forgotten after a while.
#[derive(Debug, Default)]
pub(super) struct Memory {
    until_millis: AtomicU64,
}

impl Memory {
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        now.monotonic.as_millis() < u128::from(self.until_millis.load(Relaxed))
    }

    pub(super) fn note(&self, now: Now) {
        let until = (now.monotonic + REMEMBERED).as_millis();
        self.until_millis.store(u64::try_from(until).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn forget(&self) {
        self.until_millis.store(0, Relaxed);
    }
}

impl Server {
    pub(super) fn new(upstream: &str, address: SocketAddr, role: Role, rules: Rules) -> Server {
        Server {
            address,
            role,
            health: Arc::new(Health::new(upstream, address, rules)),
            counts: Counts::default(),
            fails_on_edns: Memory::default(),
            changes_case: Memory::default(),
            jar: Jar::new(),
        }
    }

    pub(super) fn is_same(&self, address: SocketAddr, role: Role, rules: Rules) -> bool {
        (self.address, self.role, self.health.rules()) == (address, role, rules)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its part in the group.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether it answers.
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// What is known of it.
    pub fn status(&self, now: Now) -> ServerStatus {
        let spared = [
            ("edns", self.fails_on_edns.is_fresh(now)),
            ("random-case", self.changes_case.is_fresh(now)),
            // Of one that says nothing it is not known.
            ("cookies", !self.jar.is_taken(now) && self.health.state() != State::Down),
        ];
        ServerStatus {
            spared: spared.iter().filter(|(_, is)| *is).map(|(what, _)| *what).collect(),
            address: self.address,
            role: self.role,
            health: self.health.status(),
            counts: self.counts.read(),
        }
    }

    /// How to speak to it.
    pub(super) fn manner(&self, cookies: Cookies, now: Now) -> Manner {
        Manner {
            cookies: if self.jar.is_taken(now) { cookies } else { Cookies::Off },
            dialect: if self.fails_on_edns.is_fresh(now) { Dialect::Plain } else { Dialect::Edns },
            case: if self.changes_case.is_fresh(now) { Case::Any } else { Case::Exact },
        }
    }

    /// Takes in that it fails on EDNS, but answers without.
    pub(super) fn prefers_plain(&self, now: Now) {
        self.fails_on_edns.note(now);
    }

    /// Takes in that it changes the case of the QNAME.
    pub(super) fn changes_case(&self, now: Now) {
        self.changes_case.note(now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::health::Judge;

    #[test]
    fn what_a_server_does_not_take_is_remembered_for_ten_minutes() {
        let at = |minutes: u64| Now { monotonic: Duration::from_secs(60 * minutes), unix_micros: 0 };
        let rules = Rules { fall: 3, rise: 2, judge: Judge::Probes };
        let server = Server::new("old", "192.0.2.1:53".parse().unwrap(), Role::Primary, rules);
        let manner = |minutes| {
            let Manner { dialect, case, .. } = server.manner(Cookies::On, at(minutes));
            (dialect, case)
        };
        assert_eq!(manner(5), (Dialect::Edns, Case::Exact));
        server.prefers_plain(at(5));
        server.changes_case(at(6));
        assert_eq!(manner(14), (Dialect::Plain, Case::Any));
        assert_eq!(manner(15), (Dialect::Edns, Case::Any));
        assert_eq!(manner(16), (Dialect::Edns, Case::Exact));
    }
}
