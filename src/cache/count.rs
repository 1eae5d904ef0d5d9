//! What a cache did and holds, and where other threads read it.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers found.
    pub hits: u64,
    /// Answers not found.
    pub misses: u64,
    /// Answers put out for room.
    pub evictions: u64,
    /// Answers held.
    pub entries: u64,
    /// What they take.
    pub bytes: u64,
}

/// A cache's counts where other threads can read them: its worker writes, the metrics read.
#[derive(Debug, Default)]
pub struct PublishedCounts([AtomicU64; 5]);

impl PublishedCounts {
    /// Publishes.
    pub fn set(&self, counts: Counts) {
        let values = [counts.hits, counts.misses, counts.evictions, counts.entries, counts.bytes];
        self.0.iter().zip(values).for_each(|(cell, value)| cell.store(value, Ordering::Relaxed));
    }

    /// What was published last.
    pub fn get(&self) -> Counts {
        let [hits, misses, evictions, entries, bytes] =
            self.0.each_ref().map(|cell| cell.load(Ordering::Relaxed));
        Counts { hits, misses, evictions, entries, bytes }
    }
}
