//! What we think of each upstream server, and the probes that keep it true.
//!
//! One [`Health`] a server, shared by all workers: they tell what became of their queries, the [`Prober`] what became of
//! its own, and whoever chooses a server reads one atomic. [`standing`] is the whole of the logic, without clock or I/O.

pub mod history;
pub mod probe;
pub mod standing;

pub use history::Change;
pub use probe::{Probe, Prober};
pub use standing::{Judge, Rules, Signal, Standing, State};

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;

use self::history::History;

use crate::query::Now;
use crate::wire::rcode;

/// How long a server that failed is passed over where no probe says when it is back.
const RETRY: Duration = Duration::from_secs(5);

/// How long it takes a server that came back to have its whole load again.
const SLOW_START: Duration = Duration::from_secs(10);

/// Why a query or probe counts as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No response in time.
    Timeout,
    /// The network or the host turned it away.
    Unreachable,
    /// A response that is not one.
    Garbage,
    /// A response that says that the server fails.
    Rcode(u16),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Timeout => "timeout",
            Reason::Unreachable => "unreachable",
            Reason::Garbage => "garbage",
            Reason::Rcode(code) => rcode::text(*code),
        })
    }
}

/// What all workers know of one server.
#[derive(Debug)]
pub struct Health {
    upstream: String,
    server: SocketAddr,
    rules: Rules,
    standing: AtomicU32,
    latency: AtomicU64,
    falls: AtomicU64,
    probes: AtomicU64,
    probe_failures: AtomicU64,
    changed_unix_micros: AtomicU64,
    retry_at_micros: AtomicU64,
    /// When it came back; 0 once that is long ago.
    back_at_micros: AtomicU64,
    history: History,
    wake: Notify,
}

/// What is known of one server, for status pages and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthStatus {
    /// Whether it is asked.
    pub state: State,
    /// Its usual response time; none before the first response.
    pub latency: Option<Duration>,
    /// How often it went down.
    pub falls: u64,
    /// Probes sent.
    pub probes: u64,
    /// Probes that failed.
    pub probe_failures: u64,
    /// When the state last changed, in microseconds since 1970-01-01T00:00:00Z; 0 if never.
    pub changed_unix_micros: u64,
}

impl Health {
    /// A server is up until it fails.
    pub fn new(upstream: &str, server: SocketAddr, rules: Rules) -> Health {
        Health {
            upstream: upstream.to_owned(),
            server,
            rules,
            standing: AtomicU32::new(Standing::UP.pack()),
            latency: AtomicU64::new(0),
            falls: AtomicU64::new(0),
            probes: AtomicU64::new(0),
            probe_failures: AtomicU64::new(0),
            changed_unix_micros: AtomicU64::new(0),
            retry_at_micros: AtomicU64::new(0),
            back_at_micros: AtomicU64::new(0),
            history: History::default(),
            wake: Notify::new(),
        }
    }

    /// The rules it is judged by.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The state as it is.
    pub fn state(&self) -> State {
        Standing::unpack(self.standing.load(Relaxed)).state
    }

    /// The state that the next query shall take it for. Where no probes are sent, a server that failed is given one
    /// query every few seconds as if it were up: else nobody would ever learn that it is back.
    pub fn state_for_query(&self, now: Now) -> State {
        let state = self.state();
        if state == State::Up || self.rules.judge == Judge::Probes {
            return state;
        }
        let (due, micros) = (self.retry_at_micros.load(Relaxed), micros(now.monotonic));
        let next = micros + self::micros(RETRY);
        let claimed =
            micros >= due && self.retry_at_micros.compare_exchange(due, next, Relaxed, Relaxed).is_ok();
        if claimed { State::Up } else { state }
    }

    /// Takes in what became of a query or a probe.
    pub fn note(&self, signal: Signal, now: Now) {
        match signal {
            Signal::ProbePassed => _ = self.probes.fetch_add(1, Relaxed),
            Signal::ProbeFailed(_) => {
                self.probes.fetch_add(1, Relaxed);
                self.probe_failures.fetch_add(1, Relaxed);
            }
            Signal::QueryFailed(_) => {
                self.retry_at_micros.fetch_max(micros(now.monotonic + RETRY), Relaxed);
            }
            Signal::QueryAnswered => {}
        }
        let after = |packed| Some(Standing::unpack(packed).after(signal, self.rules).pack());
        let Ok(before) = self.standing.fetch_update(Relaxed, Relaxed, after) else { return };
        let before = Standing::unpack(before);
        let after = before.after(signal, self.rules);
        // Also while it is down: as long as clients want it, it is looked after closely.
        if matches!(signal, Signal::QueryFailed(_)) {
            self.wake.notify_one();
        }
        if before.state != after.state {
            self.changed(before.state, after.state, signal, now);
        }
    }

    /// As [`Health::note`] with [`Signal::QueryAnswered`]. The ordinary case writes nothing that other workers read, nor does
    /// it ask when that was.
    pub fn answered(&self, now: impl FnOnce() -> Now) {
        if self.standing.load(Relaxed) != Standing::UP.pack() {
            self.note(Signal::QueryAnswered, now());
        }
    }

    fn changed(&self, before: State, after: State, signal: Signal, now: Now) {
        self.changed_unix_micros.store(now.unix_micros, Relaxed);
        let (upstream, server) = (&self.upstream, self.server);
        match after {
            State::Down => {
                self.falls.fetch_add(1, Relaxed);
                self.history.note(now, after);
                tracing::warn!(%upstream, %server, reason = %signal, "upstream server is down");
            }
            State::Up if before == State::Down => {
                self.back_at_micros.store(micros(now.monotonic).max(1), Relaxed);
                self.history.note(now, after);
                tracing::info!(%upstream, %server, reason = %signal, "upstream server is up again");
            }
            // A single lost packet does this and undoes it: not worth the operator's eye.
            State::Up | State::Suspect => {
                tracing::debug!(%upstream, %server, reason = %signal, from = ?before, to = ?after, "upstream server");
            }
        }
    }

    /// Takes in a response time: an average in which the newest weighs 1/8, and the deviation from it, in which it weighs
    /// 1/4, as TCP has them (RFC 6298 §2).
    pub fn measure(&self, rtt: Duration) {
        let newest = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX).max(1);
        let mix = |packed| Some(Latency::unpack(packed).after(newest).pack());
        _ = self.latency.fetch_update(Relaxed, Relaxed, mix);
    }

    /// The usual response time; none before the first response.
    pub fn latency(&self) -> Option<Duration> {
        let usual = Latency::unpack(self.latency.load(Relaxed)).usual;
        (usual != 0).then(|| Duration::from_micros(usual.into()))
    }

    /// How long a response takes at most, nearly always; none before the first response.
    pub fn patience(&self) -> Option<Duration> {
        let Latency { usual, deviation } = Latency::unpack(self.latency.load(Relaxed));
        (usual != 0).then(|| Duration::from_micros(u64::from(usual) + 4 * u64::from(deviation)))
    }

    /// Whether a query is to go elsewhere, as the server came back a moment ago: all of its load at once might take it
    /// down again. Its part grows evenly; `chance` is this query's lot, from 0 to 1.
    pub fn is_held_back(&self, now: Now, chance: impl FnOnce() -> f32) -> bool {
        let back_at = self.back_at_micros.load(Relaxed);
        if back_at == 0 {
            return false;
        }
        let since = micros(now.monotonic).saturating_sub(back_at);
        if since >= micros(SLOW_START) {
            self.back_at_micros.store(0, Relaxed);
            return false;
        }
        chance() > since as f32 / micros(SLOW_START) as f32
    }

    /// Waits until a query failed and a probe should say whether the server is still there.
    pub async fn suspected(&self) {
        self.wake.notified().await;
    }

    /// When it went down and came back lately, oldest first.
    pub fn changes(&self) -> Vec<Change> {
        self.history.changes()
    }

    /// What is known.
    pub fn status(&self) -> HealthStatus {
        HealthStatus {
            state: self.state(),
            latency: self.latency(),
            falls: self.falls.load(Relaxed),
            probes: self.probes.load(Relaxed),
            probe_failures: self.probe_failures.load(Relaxed),
            changed_unix_micros: self.changed_unix_micros.load(Relaxed),
        }
    }
}

/// Response times in microseconds; all zero before the first.
#[derive(Clone, Copy)]
struct Latency {
    usual: u32,
    deviation: u32,
}

impl Latency {
    fn after(self, newest: u32) -> Latency {
        let Latency { usual, deviation } = self;
        if usual == 0 {
            return Latency { usual: newest, deviation: newest / 2 };
        }
        Latency {
            usual: (usual - usual / 8 + newest / 8).max(1),
            deviation: deviation - deviation / 4 + usual.abs_diff(newest) / 4,
        }
    }

    fn pack(self) -> u64 {
        u64::from(self.usual) << 32 | u64::from(self.deviation)
    }

    fn unpack(packed: u64) -> Latency {
        Latency { usual: (packed >> 32) as u32, deviation: packed as u32 }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FAILED: Signal = Signal::QueryFailed(Reason::Timeout);

    fn at(seconds: u64) -> Now {
        Now { monotonic: Duration::from_secs(seconds), unix_micros: 1_000_000 * seconds }
    }

    fn health(judge: Judge) -> Health {
        Health::new("onprem-dc", "192.168.1.10:53".parse().unwrap(), Rules { fall: 2, rise: 2, judge })
    }

    #[test]
    fn a_failed_query_wakes_the_prober_and_a_success_clears_the_suspicion() {
        let health = health(Judge::Probes);
        health.note(FAILED, at(1));
        assert_eq!(health.state(), State::Suspect);
        let mut woken = std::pin::pin!(health.suspected());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(woken.as_mut().poll(&mut context).is_ready());
        health.note(Signal::QueryAnswered, at(2));
        assert_eq!(health.state(), State::Up);
        assert_eq!(health.status().changed_unix_micros, 2_000_000);
    }

    #[test]
    fn falls_and_probes_are_counted() {
        let health = health(Judge::Probes);
        for _ in 0..3 {
            health.note(Signal::ProbeFailed(Reason::Rcode(rcode::SERVFAIL)), at(1));
        }
        health.note(Signal::ProbePassed, at(2));
        let status = health.status();
        assert_eq!((status.state, status.falls), (State::Down, 1));
        assert_eq!((status.probes, status.probe_failures), (4, 3));
    }

    #[test]
    fn without_probes_a_server_that_failed_gets_one_query_every_few_seconds() {
        let health = health(Judge::Queries);
        health.note(FAILED, at(10));
        health.note(FAILED, at(10));
        assert_eq!(health.state_for_query(at(12)), State::Down);
        assert_eq!(health.state_for_query(at(16)), State::Up);
        assert_eq!(health.state_for_query(at(16)), State::Down);
        assert_eq!(health.state_for_query(at(22)), State::Up);
    }

    #[test]
    fn the_average_follows_slowly() {
        let health = health(Judge::Probes);
        assert_eq!(health.latency(), None);
        health.measure(Duration::from_millis(8));
        health.measure(Duration::from_millis(16));
        assert_eq!(health.latency(), Some(Duration::from_millis(9)));
        // deviation 4 at first, then 3/4 of that and 1/4 of the 8 by which the second differed
        assert_eq!(health.patience(), Some(Duration::from_millis(9 + 4 * 5)));
    }

    #[test]
    fn a_server_that_came_back_has_its_whole_load_after_ten_seconds() {
        let health = health(Judge::Probes);
        assert!(!health.is_held_back(at(1), || 1.0), "it was never down");
        (0..2).for_each(|_| health.note(Signal::ProbeFailed(Reason::Timeout), at(1)));
        (0..2).for_each(|_| health.note(Signal::ProbePassed, at(20)));
        assert_eq!(health.state(), State::Up);
        let held = |seconds| {
            (1..=10).filter(|tenth| health.is_held_back(at(seconds), || *tenth as f32 / 10.0)).count()
        };
        assert_eq!([held(20), held(25), held(29), held(30), held(31)], [10, 5, 1, 0, 0]);
    }

    #[test]
    fn a_query_that_fails_wakes_the_prober_of_a_server_that_is_down_too() {
        let health = health(Judge::Probes);
        (0..2).for_each(|_| health.note(Signal::ProbeFailed(Reason::Timeout), at(1)));
        health.note(FAILED, at(2));
        assert_eq!(health.state(), State::Down);
        let mut woken = std::pin::pin!(health.suspected());
        assert!(
            woken.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
        );
    }
}
