//! The bounded queue from one worker to the log thread.
//!
//! Events gather in the worker's own stage and are published together. Whatever finds no room is dropped and counted;
//! nobody waits for the other's work.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use crate::observe::counter::Counter;
use crate::query::{Directory, Event, Passage};

use super::queue::{Level, Queue};
use super::record::{self, HEAD};

/// How much a worker gathers before it publishes even within a batch.
const STAGE: usize = 32 << 10;
/// Room for that and the largest record behind it, so that the stage never grows.
const STAGE_ROOM: usize = STAGE + HEAD + 2 * (64 << 10);

/// The worker's end.
pub struct Lane {
    queue: Arc<Queue>,
    stage: Vec<u8>,
    staged: u64,
    /// Passages among what is staged.
    passing: u64,
    /// A directory that found no room: what is recorded until it does could not be named.
    waiting: Option<Arc<Directory>>,
    counts: Arc<LaneCounts>,
    bell: Arc<Bell>,
}

/// What one worker has recorded. The worker is the only writer.
#[derive(Debug, Default)]
pub(super) struct LaneCounts {
    /// Events, dropped ones included.
    pub(super) recorded: Counter,
    /// Events that found no room.
    pub(super) dropped: Counter,
    /// Passages that found none.
    pub(super) missed: Counter,
}

/// How workers reach the log thread's sleep.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Whether anybody wants events.
    pub(super) wanted: AtomicBool,
    /// Whether anybody wants the octets of queries beside.
    pub(super) queries: AtomicBool,
    /// Whether anybody wants what passes between us and upstream servers.
    pub(super) passages: Arc<AtomicBool>,
    /// Whether the thread sleeps until there is work, rather than waits for its disk.
    pub(super) asleep: AtomicBool,
    /// The thread.
    pub(super) thread: OnceLock<Thread>,
}

impl Bell {
    /// Wakes the log thread if it sleeps.
    pub(super) fn ring(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Relaxed);
            self.wake();
        }
    }

    /// Wakes the log thread from whatever sleep.
    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// A lane of `capacity` bytes, and the log thread's end of it.
pub(super) fn lane(capacity: usize, counts: Arc<LaneCounts>, bell: Arc<Bell>) -> (Lane, Arc<Queue>) {
    let queue = Arc::new(Queue::new(capacity.max(HEAD)));
    let stage = Vec::with_capacity(STAGE_ROOM);
    let lane = Lane { queue: Arc::clone(&queue), stage, staged: 0, passing: 0, waiting: None, counts, bell };
    (lane, queue)
}

impl Lane {
    /// Lays an event ready.
    pub fn record(&mut self, event: &Event<'_>) {
        if !self.bell.wanted.load(Ordering::Relaxed) {
            return;
        }
        self.counts.recorded.add(1);
        if self.waiting.is_some()
            || event.response.len() > usize::from(u16::MAX)
            || event.query.len() > usize::from(u16::MAX)
        {
            self.counts.dropped.add(1);
            return;
        }
        let query = if self.bell.queries.load(Ordering::Relaxed) { event.query } else { &[] };
        self.stage.extend_from_slice(&record::event_head(event, query.len() as u16));
        self.stage.extend_from_slice(event.response);
        self.stage.extend_from_slice(query);
        self.staged += 1;
        if self.stage.len() > STAGE {
            self.flush();
        }
    }

    /// Lays ready what passed between us and an upstream server.
    pub fn overhear(&mut self, passage: &Passage<'_>) {
        if self.waiting.is_some() || passage.octets.len() > usize::from(u16::MAX) {
            self.counts.missed.add(1);
            return;
        }
        self.stage.extend_from_slice(&record::passage_head(passage));
        self.stage.extend_from_slice(passage.octets);
        self.passing += 1;
        if self.stage.len() > STAGE {
            self.flush();
        }
    }

    /// Counts passages that were not even laid ready.
    pub fn miss(&mut self, passages: u64) {
        self.counts.missed.add(passages);
    }

    /// Says whether passages are wanted: for whoever hears them.
    pub fn passages_wanted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.bell.passages)
    }

    /// Publishes what is ready.
    pub fn flush(&mut self) {
        if !self.stage.is_empty() {
            match self.queue.put(&self.stage) {
                Level::Low => {}
                Level::High => self.bell.ring(),
                Level::Over => {
                    self.counts.dropped.add(self.staged);
                    self.counts.missed.add(self.passing);
                    self.bell.ring();
                }
            }
            self.stage.clear();
            (self.staged, self.passing) = (0, 0);
        }
        if let Some(directory) = self.waiting.take() {
            self.set_directory(directory);
        }
    }

    /// Events recorded from now on number things as `directory` does.
    pub fn set_directory(&mut self, directory: Arc<Directory>) {
        // One that still waits was never used.
        self.waiting = None;
        if !self.stage.is_empty() {
            self.flush();
        }
        self.waiting = self.queue.turn(directory, &record::directory_head()).err();
    }
}
