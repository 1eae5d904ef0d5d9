//! Whether queries should be sent here: what a load balancer, a keepalive script or an orchestrator asks of `/readyz`.
//!
//! It is about this node alone. An upstream that is down is down for every node, and taking them all out would end the
//! zones and the caches too; upstreams have their own metrics.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::listen::Stats;

/// A worker's heart beats more than ten times in this.
const HUNG: Duration = Duration::from_secs(5);

/// How the server stands, from its first moment to its last.
#[derive(Default)]
pub(super) struct Standing {
    workers: OnceLock<Vec<Arc<Stats>>>,
    phase: Mutex<Phase>,
}

#[derive(Default)]
enum Phase {
    /// Sockets are not bound.
    #[default]
    Starting,
    Serving(Vec<Pulse>),
    /// Nothing new is taken.
    Stopping,
}

/// A worker's heart, as it was when somebody last looked.
struct Pulse {
    beats: u64,
    since: Instant,
}

impl Standing {
    /// Sockets are bound and workers run.
    pub(super) fn serve(&self, workers: &[Arc<Stats>], now: Instant) {
        let pulses = workers.iter().map(|stats| Pulse { beats: stats.heartbeat.get(), since: now });
        self.enter(Phase::Serving(pulses.collect()));
        // The first is the only one.
        let _ = self.workers.set(workers.to_vec());
    }

    /// What was accepted is answered, nothing new is taken.
    pub(super) fn stop(&self) {
        self.enter(Phase::Stopping);
    }

    /// What each worker counts; nothing before they run.
    pub(super) fn workers(&self) -> &[Arc<Stats>] {
        self.workers.get().map_or(&[], Vec::as_slice)
    }

    /// Whether queries are answered; if not, why not.
    pub(super) fn ready(&self, now: Instant) -> Result<(), Vec<String>> {
        match &mut *self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Starting => Err(vec!["starting: the sockets are not bound yet".into()]),
            Phase::Stopping => Err(vec!["stopping: no new queries are taken".into()]),
            Phase::Serving(pulses) => {
                let beats = self.workers().iter().map(|stats| stats.heartbeat.get());
                let pairs = pulses.iter_mut().zip(beats).enumerate();
                let hung: Vec<String> = pairs
                    .filter_map(|(number, (pulse, beats))| pulse.complaint(number, beats, now))
                    .collect();
                if hung.is_empty() { Ok(()) } else { Err(hung) }
            }
        }
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

impl Pulse {
    fn complaint(&mut self, number: usize, beats: u64, now: Instant) -> Option<String> {
        if beats != self.beats {
            *self = Pulse { beats, since: now };
        }
        let silent = now.saturating_duration_since(self.since);
        (silent > HUNG).then(|| format!("worker {number} has not turned for {} s", silent.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_ready_between_the_bound_sockets_and_the_stop() {
        let (standing, now) = (Standing::default(), Instant::now());
        assert_eq!(standing.ready(now).unwrap_err(), ["starting: the sockets are not bound yet"]);
        standing.serve(&[Arc::default()], now);
        assert_eq!(standing.ready(now), Ok(()));
        standing.stop();
        assert_eq!(standing.ready(now).unwrap_err(), ["stopping: no new queries are taken"]);
    }

    #[test]
    fn a_worker_that_hangs_is_complained_of_until_it_turns_again() {
        let now = Instant::now();
        let mut pulse = Pulse { beats: 1, since: now };
        assert_eq!(pulse.complaint(1, 1, now + 5 * SECOND), None, "it is given time");
        let complaint = pulse.complaint(1, 1, now + 9 * SECOND);
        assert_eq!(complaint.as_deref(), Some("worker 1 has not turned for 9 s"));
        assert_eq!(pulse.complaint(1, 2, now + 9 * SECOND), None);
        assert_eq!(pulse.complaint(1, 2, now + 14 * SECOND), None);
    }

    #[test]
    fn a_node_that_nobody_asked_about_for_an_hour_is_not_taken_for_hung() {
        let now = Instant::now();
        let mut pulse = Pulse { beats: 1, since: now };
        assert_eq!(pulse.complaint(0, 9_000, now + 3_600 * SECOND), None);
    }
}
