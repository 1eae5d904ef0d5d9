//! `--since` and `--until`: from when to when.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A stretch of time, its start in it and its end not. Microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub since: i64,
    pub until: i64,
}

impl Period {
    /// From what was given on the command line; all of time where nothing was.
    pub fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Period {
        Period {
            since: since.map_or(i64::MIN, Timestamp::as_microsecond),
            until: until.map_or(i64::MAX, Timestamp::as_microsecond),
        }
    }

    pub fn holds(&self, micros: i64) -> bool {
        (self.since..self.until).contains(&micros)
    }

    /// Whether any of the hour that begins then is in it.
    pub fn touches_hour(&self, start: Timestamp) -> bool {
        let start = start.as_microsecond();
        start < self.until && start + 3_600_000_000 > self.since
    }
}

/// `2026-11-24`, `2026-11-24T08:00`, `2026-11-24T08:00:00+09:00`, or how long before `now`: `30m`, `24h`, `7d`. Without an
/// offset: UTC, as the log is.
pub fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let in_utc = |time: DateTime| Offset::UTC.to_timestamp(time).ok();
    ago(text, now)
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| in_utc(text.parse::<DateTime>().ok()?))
        .or_else(|| in_utc(text.parse::<Date>().ok()?.at(0, 0, 0, 0)))
        .ok_or_else(|| {
            "no time; examples: 2026-11-24, 2026-11-24T08:00, 2026-11-24T08:00:00+09:00, 30m, 24h, 7d"
                .to_owned()
        })
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count >= 0)?;
    now.checked_sub(SignedDuration::from_secs(count.checked_mul(seconds)?)).ok()
}
