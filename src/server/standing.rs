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
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let hung = match &mut *phase {
            Phase::Starting => return Err(vec!["starting: the sockets are not bound yet".into()]),
            Phase::Stopping => return Err(vec!["stopping: no new queries are taken".into()]),
            Phase::Serving(pulses) => {
                let pairs = pulses.iter_mut().zip(self.workers()).enumerate();
                pairs.filter_map(|(number, (pulse, stats))| pulse.complaint(number, stats, now))
            }
        };
        let hung: Vec<String> = hung.collect();
        if hung.is_empty() { Ok(()) } else { Err(hung) }
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

impl Pulse {
    fn complaint(&mut self, number: usize, stats: &Stats, now: Instant) -> Option<String> {
        let beats = stats.heartbeat.get();
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
    fn a_worker_that_hangs_takes_the_node_out_until_it_turns_again() {
        let (standing, now) = (Standing::default(), Instant::now());
        let workers: Vec<Arc<Stats>> = vec![Arc::default(), Arc::default()];
        standing.serve(&workers, now);
        workers[0].heartbeat.add(1);
        assert_eq!(standing.ready(now + 5 * SECOND), Ok(()), "it is given time");
        workers[0].heartbeat.add(1);
        assert_eq!(standing.ready(now + 9 * SECOND).unwrap_err(), ["worker 1 has not turned for 9 s"]);
        workers[1].heartbeat.add(1);
        assert_eq!(standing.ready(now + 9 * SECOND), Ok(()));
    }

    #[test]
    fn a_node_that_nobody_asked_about_for_an_hour_is_not_taken_for_hung() {
        let (standing, now) = (Standing::default(), Instant::now());
        let worker = Arc::<Stats>::default();
        standing.serve(std::slice::from_ref(&worker), now);
        worker.heartbeat.add(9_000);
        assert_eq!(standing.ready(now + 3_600 * SECOND), Ok(()));
    }
}
