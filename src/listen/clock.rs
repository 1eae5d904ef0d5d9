//! The clock of this edge: read once a batch, passed on as [`Now`].

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::query::Now;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// This moment. The monotonic part counts from the first call in the process.
pub fn now() -> Now {
    let monotonic = BEGAN.elapsed();
    // A wall clock before 1970 is a machine that does not know the time; only the log would tell.
    let unix_micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_micros() as u64);
    Now { monotonic, unix_micros }
}
