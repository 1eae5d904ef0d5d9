//! The time, for answers that took none of it: a reading of the clock costs a hit a fifteenth of its instructions.

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
    said: Cell<Option<Now>>,
    left: Cell<u8>,
}

impl Reading {
    /// Something was done, or waited for, that takes longer than an answer at hand.
    pub(super) fn ends(&self) {
        self.left.set(0);
    }

    /// A batch began at this moment. If it is another than the last, what the clock said then is no longer true.
    pub(super) fn belongs_to(&self, batch: Now) {
        if self.batch.replace(batch.monotonic) != batch.monotonic {
            self.ends();
        }
    }
}

impl Worker {
    /// The time, near enough for one of several answers that are written in a row.
    pub(super) fn lately(&self) -> Now {
        let Reading { said, left, .. } = &self.reading;
        let now = said.get().filter(|_| left.get() > 0).unwrap_or_else(|| {
            left.set(SERVES);
            self.now()
        });
        said.set(Some(now));
        left.set(left.get() - 1);
        now
    }
}
