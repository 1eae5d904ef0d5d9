//! The clock that waits are measured by, read here so that no room above has to.

use std::time::Duration;

use tokio::time::Instant;

use crate::query::Now;

/// The moment that was passed in, and how long ago that was: `now` in the middle of a wait.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    now: Now,
    read: Instant,
}

impl Clock {
    /// Goes on from `now`.
    pub fn since(now: Now) -> Clock {
        Clock { now, read: Instant::now() }
    }

    /// The moment that was passed in.
    pub fn begin(&self) -> Now {
        self.now
    }

    /// What is now.
    pub fn now(&self) -> Now {
        let elapsed = self.read.elapsed();
        Now {
            monotonic: self.now.monotonic + elapsed,
            unix_micros: self.now.unix_micros + elapsed.as_micros() as u64,
        }
    }

    /// The moment so long after the one that was passed in.
    pub fn begin_plus(&self, wait: Duration) -> Instant {
        self.read + wait
    }
}

/// The moment so long from here.
pub fn after(wait: Duration) -> Instant {
    Instant::now() + wait
}
