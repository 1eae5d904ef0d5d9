//! One server of a group: its address, its part, what is known of it, what it did.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::order::Role;
use super::status::{Counts, ServerStatus};
use crate::exchange::Dialect;
use crate::health::{Health, Rules};
use crate::query::Now;

/// How long we remember that a server fails on EDNS.
const PLAIN_FOR: Duration = Duration::from_secs(600);

/// A server, shared by all workers; lives on when a reload keeps it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    role: Role,
    health: Arc<Health>,
    pub(super) counts: Counts,
    plain_until_millis: AtomicU64,
}

impl Server {
    pub(super) fn new(upstream: &str, address: SocketAddr, role: Role, rules: Rules) -> Server {
        Server {
            address,
            role,
            health: Arc::new(Health::new(upstream, address, rules)),
            counts: Counts::default(),
            plain_until_millis: AtomicU64::new(0),
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
    pub fn status(&self) -> ServerStatus {
        ServerStatus {
            address: self.address,
            role: self.role,
            health: self.health.status(),
            counts: self.counts.read(),
        }
    }

    /// How to speak to it.
    pub(super) fn dialect(&self, now: Now) -> Dialect {
        if now.monotonic.as_millis() < u128::from(self.plain_until_millis.load(Relaxed)) {
            Dialect::Plain
        } else {
            Dialect::Edns
        }
    }

    /// Takes in that it fails on EDNS, but answers without.
    pub(super) fn prefers_plain(&self, now: Now) {
        let until = (now.monotonic + PLAIN_FOR).as_millis();
        self.plain_until_millis.store(u64::try_from(until).unwrap_or(u64::MAX), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::health::Judge;

    #[test]
    fn that_a_server_fails_on_edns_is_remembered_for_ten_minutes() {
        let at = |minutes: u64| Now { monotonic: Duration::from_secs(60 * minutes), unix_micros: 0 };
        let rules = Rules { fall: 3, rise: 2, judge: Judge::Probes };
        let server = Server::new("old", "192.0.2.1:53".parse().unwrap(), Role::Primary, rules);
        assert_eq!(server.dialect(at(5)), Dialect::Edns);
        server.prefers_plain(at(5));
        assert_eq!(server.dialect(at(14)), Dialect::Plain);
        assert_eq!(server.dialect(at(15)), Dialect::Edns);
    }
}
