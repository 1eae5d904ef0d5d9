//! The clock of this edge: read once a batch, passed on as [`Now`].

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::query::Now;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How long the wall clock is taken to go as the other one does: then it is read again, and a jump is seen.
const IN_STEP: Duration = Duration::from_millis(10);

thread_local! {
    /// What both clocks said when the wall clock was read last.
    static BOTH: Cell<Option<Now>> = const { Cell::new(None) };
}

/// This moment. The monotonic part counts from the first call in the process.
pub fn now() -> Now {
    let monotonic = BEGAN.elapsed();
    let since = |before: &Now| monotonic.saturating_sub(before.monotonic);
    if let Some(before) = BOTH.get().filter(|before| since(before) < IN_STEP) {
        let unix_micros = before.unix_micros + since(&before).as_micros() as u64;
        return Now { monotonic, unix_micros };
    }
    // A wall clock before 1970 is a machine that does not know the time; only the log would tell.
    let unix_micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_micros() as u64);
    let now = Now { monotonic, unix_micros };
    BOTH.set(Some(now));
    now
}
