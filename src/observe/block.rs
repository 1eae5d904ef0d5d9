//! What is counted of one route, or of one view: answers by source and time, and by response code.
//!
//! A block takes two kilobytes a worker, so only so many routes and views have one to themselves; the others share one.

use std::ops::AddAssign;

use crate::query::{Directory, Event, Source};
use crate::wire::rcode;

use super::counter::Counter;
use super::histogram::{HistogramSum, bucket_of};
use super::tally::Cell;

/// The upper bounds of the latency histogram, in microseconds.
pub const LATENCY: [u32; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_000_000,
];

/// The response codes counted by name; every other is counted as one.
pub const RCODES: [u16; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, rcode::BADVERS, 23];

/// Routes with counts of their own: the first of the configuration. The built-in zones come behind all others.
pub const ROUTES: usize = 200;

/// Views with counts of their own.
pub const VIEWS: usize = 100;

/// What the routes and views beyond those are counted as, together.
pub const OTHER: &str = "other";

/// Answers that no route gave, or that were for no view.
pub const NONE: &str = "none";

const SOURCES: usize = Source::ALL.len();

/// The counts of one route or view, written by one worker. Flat, and as large as an octet can count, so that no place in
/// it needs a check: every answer is counted in two of them.
pub(super) struct Block([Counter; 256]);

/// The buckets of a source stand side by side, the sources one behind the other;
const BUCKETS: usize = LATENCY.len() + 1;
/// behind them the sum of each source's times,
const TIMES: usize = SOURCES * BUCKETS;
/// and then the response codes.
const CODES: usize = TIMES + SOURCES;
const _: () = assert!(CODES + RCODES.len() < 256);

/// Where an event is counted in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The source's number.
    pub(super) source: usize,
    /// The bucket of [`LATENCY`].
    pub(super) bucket: usize,
    /// The response code's place in [`RCODES`].
    pub(super) code: usize,
    micros: u32,
    places: [u8; 3],
}

/// What all workers counted of one route or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockSum {
    /// Time to answer by [`Source::ALL`], in microseconds, by [`LATENCY`], then all above.
    pub latency: [HistogramSum; SOURCES],
    /// Responses, by [`RCODES`], then all others.
    pub responses: [u64; RCODES.len() + 1],
}

impl Outcome {
    pub(super) fn of(event: &Event<'_>) -> Outcome {
        let source = event.source as usize;
        let bucket = bucket_of(&LATENCY, event.duration_micros);
        let code = RCODES.iter().position(|code| *code == event.rcode).unwrap_or(RCODES.len());
        let places = [source * BUCKETS + bucket, TIMES + source, CODES + code].map(|place| place as u8);
        Outcome { source, bucket, code, micros: event.duration_micros, places }
    }
}

impl Default for Block {
    fn default() -> Block {
        Block(std::array::from_fn(|_| Counter::default()))
    }
}

impl Block {
    pub(super) fn count(&self, outcome: Outcome) {
        let [bucket, time, code] = outcome.places.map(usize::from);
        self.0[bucket].add(1);
        self.0[time].add(u64::from(outcome.micros));
        self.0[code].add(1);
    }
}

impl Cell for Block {
    type Sum = BlockSum;

    fn read(&self) -> Option<BlockSum> {
        let responses = std::array::from_fn(|code| self.0[CODES + code].get());
        if responses.iter().all(|count| *count == 0) {
            return None;
        }
        let latency = std::array::from_fn(|source| HistogramSum {
            buckets: self.0[source * BUCKETS..][..BUCKETS].iter().map(Counter::get).collect(),
            sum: self.0[TIMES + source].get(),
        });
        Some(BlockSum { latency, responses })
    }
}

impl BlockSum {
    /// How many responses there were.
    pub fn count(&self) -> u64 {
        self.responses.iter().sum()
    }
}

impl AddAssign<&BlockSum> for BlockSum {
    fn add_assign(&mut self, other: &BlockSum) {
        for (sum, other) in self.latency.iter_mut().zip(&other.latency) {
            *sum += other;
        }
        for (sum, other) in self.responses.iter_mut().zip(&other.responses) {
            *sum += other;
        }
    }
}

/// The labels of the blocks of routes.
pub(super) fn routes(directory: &Directory) -> Vec<&str> {
    blocks(&directory.routes, ROUTES)
}

/// The labels of the blocks of views.
pub(super) fn views(directory: &Directory) -> Vec<&str> {
    blocks(&directory.views, VIEWS)
}

fn blocks(labels: &[String], most: usize) -> Vec<&str> {
    let named = labels.iter().take(most).map(String::as_str);
    std::iter::once(NONE).chain(named).chain([OTHER]).collect()
}

/// The block of a number: the first is that of none, the last that of all the others.
pub(super) fn block_of(blocks: &[Block], number: Option<u32>) -> Option<&Block> {
    match number {
        Some(number) => blocks.get(number as usize + 1).or(blocks.last()),
        None => blocks.first(),
    }
}
