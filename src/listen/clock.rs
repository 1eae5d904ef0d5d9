//! The clock of this edge: read once a batch, passed on as [`Now`].

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::query::Now;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How long the wall clock is taken to go as the other one does: then it is read again, and a jump is seen.
const IN_STEP: Duration = Duration::from_millis(10);

thread_local! {
    /// How far the wall clock was before the other one, and until when it is taken to be.
    static AHEAD: Cell<(Duration, Duration)> = const { Cell::new((Duration::ZERO, Duration::ZERO)) };
}

/// This moment. The monotonic part counts from the first call in the process.
pub fn now() -> Now {
    let monotonic = BEGAN.elapsed();
    let (mut ahead, until) = AHEAD.get();
    if monotonic >= until {
        // A wall clock before 1970 is a machine that does not know the time; only the log would tell.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ahead = wall.saturating_sub(monotonic);
        AHEAD.set((ahead, monotonic + IN_STEP));
    }
    Now { monotonic, unix_micros: (monotonic + ahead).as_micros() as u64 }
}
