//! The time, for answers that were at hand: a reading of the clock costs a hit a fifteenth of its instructions.

use std::cell::Cell;
use std::time::Duration;

use super::Worker;
use crate::query::Now;

/// How many answers in a row a reading serves, of one batch: some microseconds.
const SERVES: u8 = 8;

/// What the clock said lately.
#[derive(Default)]
pub(super) struct Reading {
    batch: Cell<Duration>,
    said: Cell<Duration>,
    left: Cell<u8>,
}

impl Reading {
    /// Something was done that takes longer than an answer at hand.
    pub(super) fn ends(&self) {
        self.left.set(0);
    }
}

impl Worker {
    /// The time, near enough for an answer that was at hand when `batch` was read.
    pub(super) fn lately(&self, batch: Now) -> Duration {
        let Reading { batch: of, said, left } = &self.reading;
        if of.replace(batch.monotonic) != batch.monotonic || left.get() == 0 {
            said.set(self.now().monotonic);
            left.set(SERVES);
        }
        left.set(left.get() - 1);
        said.get()
    }
}
