//! A number that one thread raises and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with a single writer: raising it is a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Raises it. Only ever called by the one thread that owns it; a second writer would lose counts.
    pub fn add(&self, by: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// What it stands at.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
