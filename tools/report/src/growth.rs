//! Day by day: how the load grows, and when a node's capacity is reached at that growth.
//!
//! The line is Theil and Sen's: the median of the slopes between all pairs of days. An outage or a storm of one day does
//! not bend it, as it would bend least squares.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::words::brief;

/// Fewer whole days say nothing of a trend.
const FEWEST_DAYS: usize = 3;

/// A day of which more than this is missing at the start or end of the log is not whole. Microseconds.
const MISSING: i64 = DAY / 20;
const DAY: i64 = 86_400_000_000;

/// No forecast goes further.
const FORESEEN_DAYS: f64 = 3652.0;

/// A day of the log.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Day {
    pub date: Date,
    pub queries: u64,
    /// Queries a second in the busiest minute of the busiest node.
    pub busiest: f64,
    /// Whether the log has all of it: others are not in the trend.
    pub whole: Wholeness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wholeness {
    Whole,
    Partial,
}

/// The trend over the whole days.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Growth {
    pub days: Vec<Day>,
    /// Queries a second that a node can answer, as given.
    pub capacity: f64,
    pub trend: Option<Trend>,
    /// In words.
    pub says: String,
}

/// Two lines over the days since the first one.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Trend {
    /// Queries a day.
    pub queries: Slope,
    /// Queries a second in the busiest minute of the busiest node.
    pub busiest: Slope,
    /// When that reaches the capacity.
    pub full: Option<Date>,
}

/// `start` on the first day, `a_day` more each day.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Slope {
    pub start: f64,
    pub a_day: f64,
}

impl Slope {
    /// Its value so many days after the first.
    pub fn at(self, day: f64) -> f64 {
        self.start + self.a_day * day
    }
}

/// The trend of `days` (ascending), of a log that begins and ends then (microseconds since 1970).
pub fn growth(mut days: Vec<Day>, log: (i64, i64), capacity: f64) -> Growth {
    for day in &mut days {
        let start = midnight(day.date);
        let is_partial = log.0 - start > MISSING || start + DAY - log.1 > MISSING;
        day.whole = if is_partial { Wholeness::Partial } else { Wholeness::Whole };
    }
    let whole: Vec<&Day> = days.iter().filter(|day| day.whole == Wholeness::Whole).collect();
    let trend = trend(&whole, capacity);
    let says = words(trend.as_ref(), &whole, capacity);
    Growth { days, capacity, trend, says }
}

fn trend(whole: &[&Day], capacity: f64) -> Option<Trend> {
    let (first, last) = (whole.first()?.date, whole.last()?.date);
    if whole.len() < FEWEST_DAYS {
        return None;
    }
    let line = |value: fn(&Day) -> f64| {
        let points: Vec<_> = whole.iter().map(|day| (days_between(first, day.date), value(day))).collect();
        fit(&points)
    };
    let (queries, busiest) = (line(|day| day.queries as f64), line(|day| day.busiest));
    let now = days_between(first, last);
    let left = (capacity - busiest.at(now)) / busiest.a_day;
    let is_foreseen = busiest.a_day > 0.0 && left <= FORESEEN_DAYS;
    let full = is_foreseen.then(|| last.checked_add((left.max(0.0).ceil() as i64).days()).ok()).flatten();
    Some(Trend { queries, busiest, full })
}

/// The robust line through the points.
fn fit(points: &[(f64, f64)]) -> Slope {
    let later = |at: usize| points.iter().skip(at + 1);
    let slopes = points
        .iter()
        .enumerate()
        .flat_map(|(at, first)| later(at).map(move |second| (second.1 - first.1) / (second.0 - first.0)));
    let a_day = median(slopes.collect());
    Slope { start: median(points.iter().map(|(day, value)| value - a_day * day).collect()), a_day }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values[..] {
        [] => 0.0,
        _ if values.len() % 2 == 1 => values[values.len() / 2],
        _ => f64::midpoint(values[values.len() / 2 - 1], values[values.len() / 2]),
    }
}

fn words(trend: Option<&Trend>, whole: &[&Day], capacity: f64) -> String {
    let Some(trend) = trend else {
        return format!("No trend: it takes {FEWEST_DAYS} whole days, and the log has {}.", whole.len());
    };
    let (Some(first), Some(last)) = (whole.first(), whole.last()) else { return String::new() };
    let now = trend.busiest.at(days_between(first.date, last.date));
    let share = 100.0 * now / capacity;
    let load = format!(
        "The busiest minute of the busiest node: {} queries a second on {}, {share:.1} % of its {}",
        brief(now),
        last.date,
        brief(capacity)
    );
    let a_day = format!(
        "{}{} a day",
        if trend.busiest.a_day < 0.0 { "−" } else { "+" },
        brief(trend.busiest.a_day.abs())
    );
    match trend.full {
        Some(day) if now >= capacity => format!("{load}: at capacity on {day} or before."),
        Some(day) => format!("{load}; {a_day}. Capacity is reached about {day}."),
        None if trend.busiest.a_day > 0.0 => {
            format!("{load}; {a_day}. Capacity is not reached within ten years.")
        }
        None => format!("{load}; {a_day}: it does not grow."),
    }
}

fn midnight(date: Date) -> i64 {
    days_between(Date::constant(1970, 1, 1), date) as i64 * DAY
}

/// Days from one date to another.
pub fn days_between(from: Date, to: Date) -> f64 {
    f64::from(from.until(to).map_or(0, |span| span.get_days()))
}

/// The day of a moment, UTC.
pub fn date(micros: i64) -> Date {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    jiff::tz::Offset::UTC.to_datetime(time).date()
}
