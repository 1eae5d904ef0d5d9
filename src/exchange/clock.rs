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
        self.at(Instant::now())
    }

    /// When the moment that was passed in was read here.
    pub fn read(&self) -> Instant {
        self.read
    }

    /// What is at a moment that has been read already.
    pub fn at(&self, moment: Instant) -> Now {
        let elapsed = moment.saturating_duration_since(self.read);
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
