//! Waiting for a condition with a deadline: the only place of the tests that pauses.
//!
//! A test never sleeps to be lucky; it says what it waits for, and fails with those words.

use std::thread;
use std::time::{Duration, Instant};

/// How long between two looks at the condition.
const PAUSE: Duration = Duration::from_millis(15);

/// Looks at `condition` until it gives a value; panics with `what` once `deadline` has passed.
pub fn until<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < deadline, "waited {deadline:?} in vain: {what}");
        thread::sleep(PAUSE);
    }
}

/// Gives up the processor until `moment`: the beat of a load generator, not a wait for something to happen.
pub fn beat(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}
