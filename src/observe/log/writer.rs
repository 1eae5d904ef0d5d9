//! The log thread: takes records from every lane in turn, makes lines, gives them to the sink.
//!
//! It sleeps between rounds rather than being woken for each line: a tenth of a second when little comes, less when
//! much does, so a quiet server is left quiet and a busy one's queue stays in the processor's cache.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::query::{Directory, Onlooker};

use super::Shared;
use super::lane::Tap;
use super::line::LineWriter;
use super::phrases::Phrases;
use super::record::{self, Record};
use super::sink::{Moment, Sink};

/// How much is taken from one lane before the next has its turn.
const PIECE: usize = 64 << 10;
/// How much is taken before orders are looked at again.
const ROUND: usize = 4 << 20;
/// The sleep between rounds, from when much comes to when little does.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// What a round should find: below half of it the pause grows, above twice it shrinks.
const TARGET: usize = 256 << 10;
/// The sleep while nobody wants events.
const OFF: Duration = Duration::from_secs(1);
/// Drops this long past are over.
const CALM: Duration = Duration::from_secs(10);

/// The log thread's own.
pub(super) struct Writer {
    shared: Arc<Shared>,
    inlets: Vec<Inlet>,
    sink: Sink,
    onlookers: Vec<Box<dyn Onlooker>>,
    lines: LineWriter,
    pause: Duration,
    overflow: Overflow,
}

/// What the thread holds of one lane.
struct Inlet {
    tap: Tap,
    inbox: Vec<u8>,
    /// How much of the inbox is done.
    at: usize,
    names: Names,
}

/// A directory and its phrases.
#[derive(Clone, Default)]
struct Names {
    directory: Arc<Directory>,
    phrases: Arc<Phrases>,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        taps: Vec<Tap>,
        sink: Sink,
        onlookers: Vec<Box<dyn Onlooker>>,
    ) -> Writer {
        let inlet = |tap| Inlet { tap, inbox: Vec::new(), at: 0, names: Names::default() };
        let inlets = taps.into_iter().map(inlet).collect();
        let overflow = Overflow::default();
        Writer { shared, inlets, sink, onlookers, lines: LineWriter::new(), pause: PAUSE.1, overflow }
    }

    /// Works until it is told to stop and all that was queued is written, or cannot be.
    pub(super) fn run(mut self) {
        loop {
            // Read before the round: what was queued before the order to stop is in it.
            let stopping = self.shared.stop.load(Ordering::Acquire);
            let now = moment();
            self.take_orders(now);
            // At the end a sink that failed is tried once more, whatever its retry says.
            let moved = if stopping || self.sink.is_ready(now) { self.round(now) } else { 0 };
            self.onlookers.iter_mut().for_each(|onlooker| onlooker.rest(now.unix));
            self.ask_onlookers();
            self.shared.lines.add(std::mem::take(&mut self.sink.written));
            self.shared.lost.add(std::mem::take(&mut self.sink.lost));
            self.shared.unasked.add(std::mem::take(&mut self.sink.unasked));
            let sink = if self.sink.wait(now).is_some() { Cause::Sink } else { Cause::Load };
            self.overflow.watch(&self.shared, sink, now.at);
            if stopping && moved == 0 {
                // What is queued behind a sink that fails is counted by who told us to stop.
                return;
            }
            if !stopping {
                self.sleep(now, moved);
            }
        }
    }

    /// Has workers record only while somebody wants it.
    fn ask_onlookers(&self) {
        let watched = self.onlookers.iter().any(|onlooker| onlooker.is_wanted());
        if self.shared.watched.swap(watched, Ordering::Relaxed) == watched {
            return;
        }
        let redirect = self.shared.redirect.lock().unwrap_or_else(PoisonError::into_inner);
        // An order that came meanwhile has said for itself what it wants.
        if redirect.is_none() {
            self.shared.bell.wanted.store(watched || !self.sink.is_off(), Ordering::Relaxed);
        }
    }

    fn take_orders(&mut self, now: Moment) {
        if self.shared.reopen.swap(false, Ordering::AcqRel) {
            self.sink.reopen();
        }
        let order = self.shared.redirect.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sink) = order {
            // What was recorded for the old target goes there; for none, nothing was.
            if !self.sink.is_off() {
                self.round(now);
            }
            self.sink.give_up();
            let mut old = std::mem::replace(&mut self.sink, sink);
            self.shared.lines.add(std::mem::take(&mut old.written));
            self.shared.lost.add(std::mem::take(&mut old.lost));
        }
    }

    /// Moves what is queued to the sink, up to a bound; gives how many octets. Others see that it is at it.
    fn round(&mut self, now: Moment) -> usize {
        self.shared.turns.add(1);
        let moved = self.move_queued(now);
        self.shared.turns.add(1);
        moved
    }

    fn move_queued(&mut self, now: Moment) -> usize {
        let mut moved = 0;
        while moved < ROUND {
            let mut piece = 0;
            for inlet in &mut self.inlets {
                piece += inlet.fill();
                if !inlet.empty(&mut self.sink, &mut self.onlookers, &mut self.lines, now) {
                    return moved + piece;
                }
            }
            if piece == 0 {
                break;
            }
            moved += piece;
        }
        self.sink.write(now);
        moved
    }

    fn sleep(&mut self, now: Moment, moved: usize) {
        if let Some(wait) = self.sink.wait(now) {
            // Workers do not wake a thread that waits for its disk.
            return thread::park_timeout(wait);
        }
        if moved >= ROUND {
            return;
        }
        if moved > 2 * TARGET {
            self.pause = (self.pause / 2).max(PAUSE.0);
        } else if moved < TARGET / 2 {
            self.pause = (self.pause * 2).min(PAUSE.1);
        }
        let pause = if self.shared.bell.wanted.load(Ordering::Relaxed) { self.pause } else { OFF };
        self.shared.bell.asleep.store(true, Ordering::Relaxed);
        thread::park_timeout(pause);
        self.shared.bell.asleep.store(false, Ordering::Relaxed);
    }
}

impl Inlet {
    /// Takes a piece from the queue when the last one is done; gives how many octets.
    fn fill(&mut self) -> usize {
        if self.inbox.len() - self.at >= PIECE {
            return 0;
        }
        let ready = self.tap.bytes.slots().min(PIECE);
        let Ok(chunk) = self.tap.bytes.read_chunk(ready) else { return 0 };
        self.inbox.drain(..self.at);
        self.at = 0;
        let (first, second) = chunk.as_slices();
        self.inbox.extend_from_slice(first);
        self.inbox.extend_from_slice(second);
        chunk.commit_all();
        ready
    }

    /// Makes lines of the whole records in the inbox; false when the sink failed on the way.
    fn empty(
        &mut self,
        sink: &mut Sink,
        onlookers: &mut [Box<dyn Onlooker>],
        lines: &mut LineWriter,
        now: Moment,
    ) -> bool {
        while let Some((record, length)) = record::first(&self.inbox[self.at..]) {
            match record {
                Record::Event(event) => {
                    for onlooker in onlookers.iter_mut() {
                        onlooker.see(&event, &self.names.directory);
                    }
                    if sink.is_off() {
                        sink.unasked += 1;
                    } else {
                        lines.write(sink.lines(), &event, &self.names.phrases);
                    }
                }
                Record::Directory => {
                    if let Ok(directory) = self.tap.directories.pop() {
                        self.names.turn_to(directory);
                    }
                }
            }
            self.at += length;
            if sink.is_heaped() {
                sink.write(now);
                if !sink.is_ready(now) {
                    return false;
                }
            }
        }
        true
    }
}

impl Names {
    fn turn_to(&mut self, directory: Arc<Directory>) {
        if !Arc::ptr_eq(&self.directory, &directory) {
            self.phrases = Arc::new(Phrases::of(&directory));
            self.directory = directory;
        }
    }
}

/// Why a queue may be full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The sink fails, which it has said itself.
    Sink,
    /// More comes than can be written.
    Load,
}

/// Watches for queues that were full, and says so once.
#[derive(Default)]
struct Overflow {
    /// Since when, how many had been dropped before, and when it last grew.
    now: Option<(u64, Instant)>,
}

impl Overflow {
    fn watch(&mut self, shared: &Shared, cause: Cause, now: Instant) {
        let (dropped, known) = (shared.dropped(), shared.known.get());
        if dropped > known {
            if self.now.is_none() && cause == Cause::Load && !shared.hung.load(Ordering::Relaxed) {
                tracing::warn!("the query log's queue is full; answers go on, lines are dropped and counted");
            }
            let before = self.now.map_or(known, |(before, _)| before);
            self.now = Some((before, now));
            shared.known.add(dropped - known);
        } else if let Some((before, last)) = self.now
            && now.saturating_duration_since(last) >= CALM
        {
            tracing::info!(
                lines = dropped - before,
                "the query log keeps up again; so many lines were dropped"
            );
            self.now = None;
            shared.hung.store(false, Ordering::Relaxed);
        }
    }
}

/// The log thread's clocks: it is an edge of the process.
fn moment() -> Moment {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { at: Instant::now(), unix }
}
