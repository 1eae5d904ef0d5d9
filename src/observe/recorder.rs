//! A worker's side of all that is recorded: counters and log lane in one hand.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::exchange::Exchange;
use crate::query::{Directory, Event, Now};

use super::log::Lane;
use super::metrics::WorkerCounters;

/// Takes a worker's events. Owned by the worker's thread.
pub struct Recorder {
    counters: Arc<WorkerCounters>,
    lane: Lane,
    seats: super::metrics::Seats,
}

impl Recorder {
    /// For one worker, whose events number things as `directory` does.
    pub fn new(counters: Arc<WorkerCounters>, lane: Lane, directory: Arc<Directory>) -> Recorder {
        let seats = counters.seat(&directory);
        let mut recorder = Recorder { counters, lane, seats };
        recorder.lane.set_directory(directory);
        recorder
    }

    /// Counts an event and lays it ready for the log. [`flush`](Self::flush) hands it over.
    pub fn record(&mut self, event: &Event<'_>) {
        self.counters.count(event, &self.seats);
        self.lane.record(event);
    }

    /// Lays ready for onlookers what has passed between us and upstream servers, if they want that.
    pub fn listen_to(&mut self, exchange: &Exchange, now: impl FnOnce() -> Now) {
        if exchange.has_heard() {
            let missed = exchange.tell(now(), |passage| self.lane.overhear(passage));
            self.lane.miss(missed);
        }
    }

    /// Says whether an onlooker wants passages.
    pub fn passages_wanted(&self) -> Arc<AtomicBool> {
        self.lane.passages_wanted()
    }

    /// Hands what was recorded to the log thread: once a batch. What finds no room is dropped and counted.
    pub fn flush(&mut self) {
        self.lane.flush();
    }

    /// From now on events number things as `directory` does. Once a reload; the only call that may take a lock.
    pub fn set_directory(&mut self, directory: Arc<Directory>) {
        self.seats = self.counters.seat(&directory);
        self.lane.set_directory(directory);
    }
}
