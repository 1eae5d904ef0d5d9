//! What was counted, as plain values: whoever shows them needs to know nothing of atomics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Quarantined;
use super::order::{Balance, Role};
use crate::health::{HealthStatus, State};
use crate::query::Failure;
use crate::wire::rcode;

/// The upper bounds of the latency histogram, in microseconds; one more bucket holds what is slower.
pub const BOUNDS_MICROS: [u32; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

macro_rules! counters {
    ($(#[$meta:meta])* $plain:ident from $atomic:ident { $($(#[$doc:meta])* $field:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $plain {
            $($(#[$doc])* pub $field: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct $atomic {
            $(pub(super) $field: AtomicU64,)*
        }

        impl $atomic {
            fn values(&self) -> $plain {
                $plain { $($field: self.$field.load(Relaxed),)* }
            }
        }
    };
}

counters! {
    /// What one server did.
    Tally from Tallies {
        /// Tries: questions it was asked, whatever number of packets each took.
        queries,
        /// Responses with NOERROR.
        noerror,
        /// Responses with NXDOMAIN.
        nxdomain,
        /// Responses with SERVFAIL.
        servfail,
        /// Responses with REFUSED.
        refused,
        /// Responses with any other RCODE.
        other_rcode,
        /// Tries that were silent for longer than a try may be.
        timeouts,
        /// Tries that the network or the host turned away.
        unreachable,
        /// Responses over TCP that were none, and floods of datagrams that were none.
        garbage,
        /// Tries that we could not make: no file descriptor, no such source address.
        local_errors,
        /// Datagrams that were not the response that we waited for.
        ignored_datagrams,
        /// Tries that went on over TCP.
        tcp_fallbacks,
        /// Tries that went on without EDNS.
        plain_fallbacks,
        /// Tries that went on without random case.
        case_fallbacks,
        /// Tries that went on with a new cookie, over TCP for want of one, or without.
        cookie_fallbacks,
    }
}

counters! {
    /// What became of the questions to a group.
    GroupTally from GroupTallies {
        /// Answered.
        answered,
        /// Nobody answered in time.
        timeouts,
        /// Nobody could be reached.
        unreachable,
        /// All that answered failed.
        failed,
        /// Not asked: the budget was used up, or the domain is in quarantine.
        not_asked,
        /// Of these and of second tries, by what was lacking: queries in a second,
        over_rate,
        /// room in flight,
        over_in_flight,
        /// the domain's share of it.
        over_share,
    }
}

/// What one server did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// By kind.
    pub tally: Tally,
    /// Responses by time, a bucket for each of [`BOUNDS_MICROS`] and one beyond.
    pub latency_buckets: [u64; BOUNDS_MICROS.len() + 1],
    /// The sum of all response times, in microseconds.
    pub latency_sum_micros: u64,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Its address.
    pub address: SocketAddr,
    /// Its part.
    pub role: Role,
    /// Whether it answers.
    pub health: HealthStatus,
    /// What it did.
    pub counts: ServerCounts,
    /// What it does not take, and is spared: `edns`, `random-case`, `cookies`.
    pub spared: Vec<&'static str>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// Its name.
    pub name: String,
    /// How it spreads queries.
    pub balance: Balance,
    /// What became of them.
    pub queries: GroupTally,
    /// Questions in flight.
    pub in_flight: u32,
    /// Loops that were found.
    pub loops: u64,
    /// Domains that it is not asked for now, as its servers send their questions back.
    pub quarantined: Vec<Quarantined>,
    /// Its servers, primaries first.
    pub servers: Vec<ServerStatus>,
}

impl GroupStatus {
    /// How many servers are in this state.
    pub fn count(&self, state: State) -> usize {
        self.servers.iter().filter(|server| server.health.state == state).count()
    }
}

/// What is counted of one server.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) tallies: Tallies,
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Counts {
    pub(super) fn note_response(&self, code: u16, rtt: Duration) {
        bump(match code {
            rcode::NOERROR => &self.tallies.noerror,
            rcode::NXDOMAIN => &self.tallies.nxdomain,
            rcode::SERVFAIL => &self.tallies.servfail,
            rcode::REFUSED => &self.tallies.refused,
            _ => &self.tallies.other_rcode,
        });
        let micros = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX);
        bump(&self.buckets[BOUNDS_MICROS.partition_point(|bound| *bound < micros)]);
        self.sum_micros.fetch_add(micros.into(), Relaxed);
    }

    pub(super) fn read(&self) -> ServerCounts {
        ServerCounts {
            tally: self.tallies.values(),
            latency_buckets: std::array::from_fn(|at| self.buckets[at].load(Relaxed)),
            latency_sum_micros: self.sum_micros.load(Relaxed),
        }
    }
}

/// What is counted of one group; goes on over reloads.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupCounts(Arc<GroupTallies>);

impl GroupCounts {
    pub(super) fn note(&self, outcome: Result<(), Failure>) {
        bump(match outcome {
            Ok(()) => &self.0.answered,
            Err(Failure::Timeout) => &self.0.timeouts,
            Err(Failure::Unreachable) => &self.0.unreachable,
            Err(Failure::Busy | Failure::Loop) => &self.0.not_asked,
            Err(_) => &self.0.failed,
        });
    }

    pub(super) fn tallies(&self) -> &GroupTallies {
        &self.0
    }

    pub(super) fn read(&self) -> GroupTally {
        self.0.values()
    }
}

pub(super) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_falls_into_the_bucket_of_its_time() {
        let counts = Counts::default();
        for micros in [1, 250, 251, 1_000_000, 3_000_000] {
            counts.note_response(rcode::NOERROR, Duration::from_micros(micros));
        }
        let read = counts.read();
        assert_eq!(read.latency_buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((read.tally.noerror, read.latency_sum_micros), (5, 4_000_502));
    }
}
