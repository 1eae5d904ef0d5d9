//! Whether a name is asked for as regularly as a clock.
//!
//! Much that is good is regular: a stub resolver asks again when a TTL is over, health checks ask every few seconds,
//! agents every minute. So the rhythm alone is no finding; `detector` asks as well whether anybody else knows the name,
//! whether it is new, and whether the answer's own TTL explains it.

/// Queries so close together are one: A, AAAA and HTTPS of one connection, and retries.
const TOGETHER: u32 = 2_000;
/// Weight of one more interval.
const SHARE: f32 = 0.125;
/// A clock's deviation is at most this part of its interval.
const JITTER: f32 = 0.05;
/// Health checks are quicker than this, in milliseconds; and what is slower needs more than a day to be seen.
const PERIODS: std::ops::RangeInclusive<f32> = 45_000.0..=7_200_000.0;

/// When something is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rhythm {
    /// The last time, in milliseconds, wrapping.
    at: u32,
    /// Intervals that fit.
    pub ticks: u16,
    /// Their smoothed length, in milliseconds, and its smoothed deviation.
    pub mean: f32,
    deviation: f32,
}

impl Rhythm {
    /// Takes the time of a query; says whether `wanted` intervals in a row were regular.
    pub(super) fn tick(&mut self, millis: u32, wanted: u16) -> Beat {
        let interval = millis.wrapping_sub(self.at);
        if self.ticks == 0 {
            *self = Rhythm { at: millis, ticks: 1, ..Rhythm::default() };
            return Beat::Irregular;
        }
        if !(TOGETHER..=u32::MAX / 2).contains(&interval) {
            return Beat::Irregular;
        }
        self.at = millis;
        let interval = interval as f32;
        let error = (interval - self.mean).abs();
        if self.ticks == 1 || error > self.mean * 0.25 {
            (self.ticks, self.mean, self.deviation) = (2, interval, 0.0);
            return Beat::Irregular;
        }
        self.mean += (interval - self.mean) * SHARE;
        self.deviation += (error - self.deviation) * SHARE;
        self.ticks += 1;
        if self.ticks < wanted {
            return Beat::Irregular;
        }
        self.ticks = wanted / 2;
        let regular = PERIODS.contains(&self.mean) && self.deviation <= self.mean * JITTER;
        if regular { Beat::Regular } else { Beat::Irregular }
    }

    /// Whether clients that keep an answer for `ttl` seconds would ask so often.
    pub(super) fn is_of_ttl(&self, ttl: u32) -> bool {
        let ttl = ttl as f32 * 1_000.0;
        ttl > 0.0 && (0.9..1.2).contains(&(self.mean / ttl))
    }

    /// The deviation beside the interval.
    pub(super) fn jitter(&self) -> f32 {
        self.deviation / self.mean.max(1.0)
    }
}

/// What a rhythm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// As a clock.
    Regular,
    /// Not so, or not known yet.
    Irregular,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(intervals: impl Iterator<Item = u32>) -> bool {
        let (mut rhythm, mut now) = (Rhythm::default(), u32::MAX - 1_000_000);
        intervals.fold(false, |found, interval| {
            now = now.wrapping_add(interval);
            rhythm.tick(now, 30) == Beat::Regular || found
        })
    }

    #[test]
    fn a_clock_is_heard_and_people_are_not() {
        assert!(beats((0..40).map(|n| 60_000 + n % 3 * 500)));
        assert!(!beats((0..4_000).map(|n| 60_000 + n * 7_919 % 40_000)), "a third of jitter");
        assert!(!beats((0..4_000).map(|_| 10_000)), "a health check");
        assert!(!beats((0..25).map(|_| 60_000)), "not yet");
    }

    #[test]
    fn an_interval_may_be_that_of_the_ttl() {
        let rhythm = Rhythm { mean: 305_000.0, ..Rhythm::default() };
        assert!(rhythm.is_of_ttl(300));
        assert!(!rhythm.is_of_ttl(60) && !rhythm.is_of_ttl(0));
    }
}
