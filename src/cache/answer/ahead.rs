//! A look ahead at what is about to be asked for.
//!
//! A hit waits for two places in memory, its hash's and the one that this names: with ten thousand names both are far away,
//! and to wait for them was most of what a hit took beside its system calls. Here a batch waits for all its first places
//! together, then for its second ones; and what a query that comes alone wants is on its way while the kernel is asked
//! whether there is another (HOT 0.97, TRICKLE 0.98 of their time). What was found is kept until it is asked for, so that
//! it is not looked for twice.

use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use super::super::index::NOWHERE;
use super::super::pages::LINE;
use super::{AnswerCache, Key};

/// With so few answers all of them are near.
const SEVERAL: usize = 1_000;
/// Batches after one of four or more for which a look ahead was in vain: where names are new, it only costs.
pub(super) const REST: u32 = 15;
/// Queries of a usual batch.
const BATCH: usize = 64;
/// Cache lines that an answer seldom exceeds.
const LINES: usize = 4;

/// What the last look ahead has found.
#[derive(Default)]
pub(super) struct Ahead {
    /// What was foreseen and not approached yet.
    hashes: SmallVec<[u32; BATCH]>,
    /// Where the answers are, or were then, in the order in which they will be asked for.
    places: SmallVec<[u32; BATCH]>,
    /// How many of them had their turn.
    taken: usize,
    /// For so many batches no look ahead is taken: the last one found little.
    in_vain: u32,
}

impl AnswerCache {
    /// Has the index fetched where the answers for these keys would be. What is done until [`approach`](Self::approach)
    /// goes on need not wait for that.
    pub fn foresee<'q>(&mut self, keys: impl Iterator<Item = Key<'q>>) {
        self.ahead.places.clear();
        self.ahead.hashes.clear();
        self.ahead.taken = 0;
        if self.index.len() < SEVERAL || self.ahead.in_vain > 0 {
            self.ahead.in_vain = self.ahead.in_vain.saturating_sub(1);
            return;
        }
        for key in keys {
            let hash = self.fold(&key);
            self.index.prefetch(hash);
            self.ahead.hashes.push(hash);
        }
    }

    /// Has the answers themselves fetched, those that there are, and says how many that is.
    pub fn approach(&mut self) -> usize {
        if self.ahead.hashes.is_empty() {
            // What is left of an earlier batch is not what comes now.
            self.ahead.places.clear();
            return 0;
        }
        let mut found = 0;
        for hash in &self.ahead.hashes {
            let at = self.index.find(*hash, |_| true);
            self.ahead.places.push(at.unwrap_or(NOWHERE));
            if let Some(at) = at {
                self.entries.prefetch(at as usize);
                found += 1;
            }
        }
        if found < self.ahead.hashes.len() / 4 {
            self.ahead.in_vain = REST;
        }
        self.ahead.hashes.clear();
        if self.ahead.places.len() > 1 {
            self.approach_long_ones();
        }
        found
    }

    /// Has the octets fetched that have no room in their entries, which only these can tell.
    fn approach_long_ones(&self) {
        let entries = self.ahead.places.iter().filter_map(|at| self.entries.get(*at as usize));
        for entry in entries.filter(|entry| entry.bytes.spilled()) {
            let octets = (0..entry.bytes.len()).step_by(LINE).take(LINES);
            octets.for_each(|octet| prefetch_index(&entry.bytes[..], octet));
        }
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
