//! How many queries a second may be sent: one number, shared by all workers without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A limit on queries a second. In no second are more sent, however they come: a tenth may come at once, the others
/// evenly after it (the generic cell rate algorithm of ITU-T I.371, in nanoseconds).
#[derive(Debug)]
pub struct Rate {
    per_second: u32,
    interval: u64,
    burst: u64,
    /// When the queries sent so far would all have been sent, had they been sent evenly.
    paid_until: AtomicU64,
}

/// How much of the burst a query may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// All of it.
    Whole,
    /// Half of it: the rest is kept for those who ask for little.
    Half,
}

impl Rate {
    /// So many a second, two at least.
    pub fn per_second(per_second: u32) -> Rate {
        let per_second = per_second.max(2);
        let burst = u64::from(per_second / 10).max(1);
        let interval = 1_000_000_000 / (u64::from(per_second) - burst);
        Rate { per_second, interval, burst, paid_until: AtomicU64::new(0) }
    }

    /// How many a second.
    pub fn limit(&self) -> u32 {
        self.per_second
    }

    /// Takes one query's share, if there is one.
    pub(super) fn take(&self, now: Duration, claim: Claim) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let room = match claim {
            Claim::Whole => self.burst - 1,
            Claim::Half => (self.burst - 1) / 2,
        };
        let pay = |paid_until: u64| {
            let from = paid_until.max(now);
            (from - now <= room * self.interval).then_some(from + self.interval)
        };
        self.paid_until.fetch_update(Relaxed, Relaxed, pay).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// How many of `tries` at each millisecond pass in each second.
    fn passed(rate: &Rate, tries: u32, seconds: u64) -> Vec<u32> {
        let in_second = |second: u64| {
            let moments = 1000 * second..1000 * (second + 1);
            moments.map(|at| (0..tries).filter(|_| rate.take(millis(at), Claim::Whole)).count() as u32).sum()
        };
        (0..seconds).map(in_second).collect()
    }

    #[test]
    fn in_no_second_more_are_sent_than_allowed_and_not_many_fewer() {
        for limit in [10, 100, 1_000, 5_000] {
            let passed = passed(&Rate::per_second(limit), 20, 4);
            assert!(passed.iter().all(|count| *count <= limit && *count >= limit * 8 / 10), "{passed:?}");
        }
    }

    #[test]
    fn a_tenth_may_come_at_once_and_comes_back_with_time() {
        let rate = Rate::per_second(1_000);
        let at_once = |at| (0..1_000).filter(|_| rate.take(millis(at), Claim::Whole)).count();
        assert_eq!((at_once(0), at_once(0), at_once(10), at_once(10_000)), (100, 0, 9, 100));
    }

    #[test]
    fn who_claims_half_leaves_the_other_half() {
        let rate = Rate::per_second(1_000);
        assert_eq!((0..1_000).filter(|_| rate.take(millis(0), Claim::Half)).count(), 50);
        assert_eq!((0..1_000).filter(|_| rate.take(millis(0), Claim::Whole)).count(), 50);
    }

    #[test]
    fn a_steady_stream_below_the_limit_passes_whole() {
        let rate = Rate::per_second(1_000);
        assert!((0..10_000).all(|nth| rate.take(millis(nth) * 5 / 4, Claim::Whole)));
    }
}
