//! A look ahead at what a batch asks for.
//!
//! A hit alone waits three times, each for a place in memory that the one before has named: that was two thirds of what it
//! took beside its system calls. Here a whole batch waits for its first places together, then for its second and third
//! ones. What was found is kept until it is asked for, so that it is not looked for twice.

use std::hint::black_box;

use smallvec::SmallVec;

use super::{AnswerCache, Entry, Key};

/// With so few answers all of them are near.
const SEVERAL: usize = 1_000;
/// Batches after one for which a look ahead was in vain: where names are new, it only costs.
pub(super) const REST: u32 = 15;
/// Queries of a usual batch.
const BATCH: usize = 64;
/// No place.
const NOWHERE: u32 = u32::MAX;
/// A cache line, and how many of them an answer seldom exceeds.
const LINE: usize = 64;
const LINES: usize = 4;

/// What the last look ahead has found.
#[derive(Default)]
pub(super) struct Ahead {
    /// Where the answers are, or were then, in the order in which they will be asked for.
    places: SmallVec<[u32; BATCH]>,
    /// How many of them had their turn.
    taken: usize,
    /// For so many batches no look ahead is taken: the last one found little.
    in_vain: u32,
}

impl AnswerCache {
    /// Fetches the memory of the answers that a batch will want. Says how many it found.
    pub fn foresee<'q>(&mut self, keys: impl Iterator<Item = Key<'q>>) -> usize {
        self.ahead.places.clear();
        self.ahead.taken = 0;
        if self.index.len() < SEVERAL || self.ahead.in_vain > 0 {
            self.ahead.in_vain = self.ahead.in_vain.saturating_sub(1);
            return 0;
        }
        let hashes: SmallVec<[u32; BATCH]> = keys.map(|key| self.fold(&key)).collect();
        let places = hashes.iter().map(|hash| self.index.find(*hash, |_| true).unwrap_or(NOWHERE));
        self.ahead.places.extend(places);
        let entries = || self.ahead.places.iter().filter_map(|at| self.entries.get(*at as usize));
        // Read, not only pointed at: a compiler leaves out what nobody looks at.
        black_box(entries().fold(0, |seen, entry| seen ^ entry.hash ^ entry.until as u32));
        let lines = |entry: &Entry| {
            // From wherever it begins in its first line: the last octet may be in one more.
            let octets = entry.bytes.iter().step_by(LINE).take(LINES).chain(entry.bytes.last());
            octets.fold(0, |seen, octet| seen ^ octet)
        };
        black_box(entries().fold(0, |seen, entry| seen ^ lines(entry)));
        let found = self.ahead.places.iter().filter(|at| **at != NOWHERE).count();
        if found < hashes.len() / 4 {
            self.ahead.in_vain = REST;
        }
        found
    }

    /// Where the answer for this key is, if the look ahead has found it. Each key of the batch has its turn; one that was
    /// turned away before it came here has left it untaken. Whatever stands there by now, it is this key's or none.
    pub(super) fn foreseen(&mut self, key: &Key<'_>) -> Option<usize> {
        for _ in 0..2 {
            let at = *self.ahead.places.get(self.ahead.taken)? as usize;
            self.ahead.taken += 1;
            if self.entries.get(at).is_some_and(|entry| key.is(entry.key())) {
                return Some(at);
            }
        }
        None
    }
}
