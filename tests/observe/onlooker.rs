//! Somebody who looks on at every event.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kakehashi::query::{Directory, Onlooker, Sighting};

/// Counts what it sees.
#[derive(Clone, Default)]
pub struct Counting(Arc<AtomicU64>);

impl Counting {
    pub fn events(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Onlooker for Counting {
    fn is_wanted(&self) -> bool {
        true
    }

    fn see(&mut self, _: &Sighting<'_>, _: &Directory) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn rest(&mut self, _: Duration) {}
}
