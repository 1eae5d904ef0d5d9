//! The log thread: takes records from every lane in turn, shows them to onlookers, makes lines for the writer.
//!
//! It never waits for a disk. It sleeps between rounds rather than being woken for each line: a tenth of a second when
//! little comes, less when much does, so a quiet server is left quiet and a busy one's queue stays in the processor's cache.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::observe::filter::{Sampler, Selection, Sieve};
use crate::query::{Directory, Onlooker, Wants};

use super::Shared;
use super::basin::{Basin, Next};
use super::line::LineWriter;
use super::overflow::Overflow;
use super::phrases::Phrases;
use super::queue::Queue;
use super::record::{self, Record};
use super::sink::{Moment, Sink, newlines};

/// How many octets of lines are gathered before the writer gets them.
pub(super) const HEAP: usize = 64 << 10;
/// How much is taken from one lane before the next has its turn.
const PIECE: usize = 64 << 10;
/// How much is taken before orders are looked at again.
const ROUND: usize = 4 << 20;
/// The sleep between rounds, from when much comes to when little does.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// The sleep while there is no room for lines.
const FULL: Duration = Duration::from_millis(20);
/// What a round should find: below half of it the pause grows, above twice it shrinks.
const TARGET: usize = 256 << 10;
/// The sleep while nobody wants events.
const OFF: Duration = Duration::from_secs(1);
/// How long the end waits for a writer that does not move.
const LAST: Duration = Duration::from_millis(500);

/// The log thread's own.
pub(super) struct Reader {
    shared: Arc<Shared>,
    inlets: Vec<Inlet>,
    onlookers: Vec<Box<dyn Onlooker>>,
    desk: Desk,
    pause: Duration,
    overflow: Overflow,
}

/// Where lines are made.
struct Desk {
    basin: Arc<Basin>,
    lines: LineWriter,
    /// Lines that the writer does not have yet.
    heap: Vec<u8>,
    /// Whether lines go anywhere.
    is_on: bool,
    /// Whether anybody else sees events, so that they cannot wait for lines to find room.
    is_watched: bool,
    selection: Arc<Selection>,
    sampler: Sampler,
    /// Events without a line, and lines without room, since these numbers were last taken.
    unasked: u64,
    overflowed: u64,
}

/// What the thread holds of one lane.
struct Inlet {
    queue: Arc<Queue>,
    inbox: Vec<u8>,
    /// How much of the inbox is done.
    at: usize,
    names: Names,
}

/// A directory, its phrases, and what of it is logged.
#[derive(Clone, Default)]
struct Names {
    directory: Arc<Directory>,
    phrases: Arc<Phrases>,
    sieve: Sieve,
}

/// What is settled once, at the start.
pub(super) struct Setup {
    pub(super) queues: Vec<Arc<Queue>>,
    pub(super) basin: Arc<Basin>,
    pub(super) is_on: bool,
    pub(super) onlookers: Vec<Box<dyn Onlooker>>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, setup: Setup) -> Reader {
        let Setup { queues, basin, is_on, onlookers } = setup;
        let inlet = |queue| Inlet { queue, inbox: Vec::new(), at: 0, names: Names::default() };
        let inlets = queues.into_iter().map(inlet).collect();
        let desk = Desk {
            basin,
            lines: LineWriter::new(),
            heap: Vec::new(),
            is_on,
            is_watched: wanted(&onlookers).0,
            selection: Arc::default(),
            sampler: Sampler::default(),
            unasked: 0,
            overflowed: 0,
        };
        Reader { shared, inlets, onlookers, desk, pause: PAUSE.1, overflow: Overflow::default() }
    }

    /// Works until it is told to stop and all that was queued is seen.
    pub(super) fn run(mut self) {
        loop {
            // Read before the round: what was queued before the order to stop is in it.
            let stopping = self.shared.stop.load(Ordering::Acquire);
            let now = moment();
            self.take_orders();
            let moved = self.round();
            self.onlookers.iter_mut().for_each(|onlooker| onlooker.rest(now.unix));
            self.ask_onlookers();
            self.overflow.watch(&self.shared, now.at);
            let is_over = moved == 0 && !(self.desk.is_held_up() && self.desk.basin.wait_for_room(LAST));
            if stopping && is_over {
                // What is queued behind a sink that fails is counted by who told us to stop.
                return self.desk.basin.stop();
            }
            if !stopping {
                self.sleep(moved);
            }
        }
    }

    /// Has workers record only what somebody wants.
    fn ask_onlookers(&mut self) {
        let (watched, wants) = wanted(&self.onlookers);
        self.desk.is_watched = watched;
        let bell = &self.shared.bell;
        bell.queries.store(wants.queries, Ordering::Relaxed);
        bell.passages.store(wants.passages, Ordering::Relaxed);
        if self.shared.watched.swap(watched, Ordering::Relaxed) == watched {
            return;
        }
        let redirect = self.shared.redirect.lock().unwrap_or_else(PoisonError::into_inner);
        // An order that came meanwhile has said for itself what it wants.
        if redirect.is_none() {
            bell.wanted.store(watched || self.desk.is_on, Ordering::Relaxed);
        }
    }

    fn take_orders(&mut self) {
        if self.shared.reopen.swap(false, Ordering::AcqRel) {
            self.round();
            self.desk.basin.order(Next::Reopen);
        }
        let order = self.shared.redirect.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sink) = order {
            // What was recorded for the old target goes there; for none, nothing was.
            if self.desk.is_on {
                self.round();
            }
            self.turn(sink);
        }
    }

    /// Has lines made, if that was ordered: for none, nothing was recorded before.
    fn turn_on(&mut self) {
        let order = self.shared.redirect.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sink) = order {
            self.turn(sink);
        }
    }

    fn turn(&mut self, sink: Sink) {
        self.desk.is_on = !sink.is_off();
        self.desk.basin.order(Next::Turn(Box::new(sink)));
    }

    fn take_selection(&mut self) {
        if !self.shared.selects.swap(false, Ordering::AcqRel) {
            return;
        }
        let order = self.shared.selection.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(selection) = order {
            self.desk.sampler = Sampler::of(&selection);
            self.desk.selection = Arc::new(selection);
            for inlet in &mut self.inlets {
                inlet.names.sieve = Sieve::of(&self.desk.selection, &inlet.names.directory);
            }
        }
    }

    /// Takes what is queued, up to a bound; gives how many octets.
    fn round(&mut self) -> usize {
        let mut moved = 0;
        while moved < ROUND && !self.desk.is_held_up() {
            let mut piece = 0;
            for nth in 0..self.inlets.len() {
                self.inlets[nth].fill();
                // After it: what was recorded after an order is under that order.
                self.take_selection();
                if !self.desk.is_on {
                    self.turn_on();
                }
                piece += self.inlets[nth].empty(&mut self.onlookers, &mut self.desk);
            }
            if piece == 0 {
                break;
            }
            moved += piece;
        }
        self.desk.hand_over();
        self.shared.unasked.add(std::mem::take(&mut self.desk.unasked));
        self.shared.overflowed.add(std::mem::take(&mut self.desk.overflowed));
        moved
    }

    fn sleep(&mut self, moved: usize) {
        if self.desk.is_held_up() {
            // Workers do not wake a thread that waits for the writer.
            return thread::park_timeout(FULL);
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

/// Whether any onlooker wants events, and what all of them want beside.
pub(super) fn wanted(onlookers: &[Box<dyn Onlooker>]) -> (bool, Wants) {
    let wanting = || onlookers.iter().filter(|onlooker| onlooker.is_wanted());
    (
        wanting().next().is_some(),
        wanting().fold(Wants::default(), |wants, onlooker| wants.or(onlooker.wants())),
    )
}

impl Inlet {
    /// Takes what is queued when what was taken before is done.
    fn fill(&mut self) {
        if self.at == self.inbox.len() {
            self.at = 0;
            self.queue.take(&mut self.inbox);
        }
    }

    /// Shows a piece of the inbox to the onlookers and makes lines of what is logged; gives how many octets it was.
    fn empty(&mut self, onlookers: &mut [Box<dyn Onlooker>], desk: &mut Desk) -> usize {
        let begin = self.at;
        while self.at - begin < PIECE
            && let Some((record, length)) = record::first(&self.inbox[self.at..])
        {
            self.names.show(&record, &self.queue, onlookers, desk);
            self.at += length;
            if desk.heap.len() >= HEAP {
                desk.hand_over();
                if desk.is_held_up() {
                    break;
                }
            }
        }
        self.queue.leave(self.inbox.len() - self.at);
        self.at - begin
    }
}

impl Desk {
    /// Whether records are left where they are: there is no room for lines, and nobody else wants to see them.
    fn is_held_up(&self) -> bool {
        self.is_on && !self.is_watched && self.basin.is_full()
    }

    /// Gives the writer what has gathered; what finds no room there is dropped and counted.
    fn hand_over(&mut self) {
        if self.heap.is_empty() {
            return;
        }
        match self.basin.put(std::mem::take(&mut self.heap)) {
            Ok(()) => {}
            Err(lines) => {
                self.overflowed += newlines(&lines);
                self.heap = lines;
                self.heap.clear();
            }
        }
    }
}

impl Names {
    /// Shows a record to the onlookers, and makes a line of it if it is logged.
    fn show(
        &mut self,
        record: &Record<'_>,
        queue: &Queue,
        onlookers: &mut [Box<dyn Onlooker>],
        desk: &mut Desk,
    ) {
        match record {
            Record::Event(event) => {
                onlookers.iter_mut().for_each(|onlooker| onlooker.see(event, &self.directory));
                let is_logged = desk.is_on && self.sieve.passes(event);
                match is_logged.then(|| desk.sampler.weigh(event)).flatten() {
                    Some(weight) => desk.lines.write(&mut desk.heap, event, &self.phrases, weight),
                    None => desk.unasked += 1,
                }
            }
            Record::Passage(passage) => {
                onlookers.iter_mut().for_each(|onlooker| onlooker.overhear(passage));
            }
            Record::Directory => {
                if let Some(directory) = queue.next_directory() {
                    onlookers.iter_mut().for_each(|onlooker| onlooker.learn(&directory));
                    self.turn_to(directory, &desk.selection);
                }
            }
        }
    }

    fn turn_to(&mut self, directory: Arc<Directory>, selection: &Selection) {
        if !Arc::ptr_eq(&self.directory, &directory) {
            self.phrases = Arc::new(Phrases::of(&directory));
            self.sieve = Sieve::of(selection, &directory);
            self.directory = directory;
        }
    }
}

/// The clocks of the log's threads: they are an edge of the process.
pub(super) fn moment() -> Moment {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { at: Instant::now(), unix }
}
