//! One client: how much it asks, how much of that fails, and how much speaks for a program that draws names.

use super::outlier::Usual;
use super::pace::Pace;

/// At this sum of evidence it is told.
const ENOUGH: f32 = 14.0;
/// More of it is not kept.
const FULL: f32 = 2.0 * ENOUGH;
/// Half of the evidence is forgotten in so many seconds.
const HALF_LIFE: f32 = 900.0;
/// A full sum is full again after so many seconds and one more that is missing, however odd: what is forgotten in
/// between is less than the least that one weighs.
const STAYS_FULL: u32 = 45;
/// After it was told, the same client is not told again for so many seconds: a flood must not cost more than a trickle.
const QUIET: u32 = 300;

/// What is kept of one client: what every query needs in one line of the processor's cache, failures in the next.
#[derive(Debug, Clone, Default)]
#[repr(C, align(64))]
pub(super) struct Client {
    /// All its queries.
    pub pace: Pace,
    /// What speaks for drawn names.
    pub drawn: Drawn,
    /// Whether the operator wants to hear nothing of it, and which settings said so.
    pub allowed: bool,
    pub epoch: u32,
    /// Those for names that do not exist.
    pub nxdomain: Failures,
    /// Those answered SERVFAIL.
    pub servfail: Failures,
}

const _: () = assert!(size_of::<Client>() == 128);

/// Failures of a kind in the current minute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    minute: u32,
    /// How many, each by its weight.
    weight: u32,
    /// How many.
    pub count: u32,
    usual: Usual,
    limit: u32,
}

impl Failures {
    /// Takes one; says so once a minute when they are too many: `floor` by weight, and five times what is usual.
    pub(super) fn count(&mut self, minute: u32, weight: u32, floor: u32) -> Verdict {
        if minute != self.minute {
            if minute.abs_diff(self.minute) > 100_000 {
                self.usual = Usual::default();
            } else if minute > self.minute {
                self.usual.learn(self.weight, minute - self.minute - 1);
            }
            self.limit = self.usual.limit(floor, 5);
            (self.minute, self.weight, self.count) = (minute, 0, 0);
        }
        let before = self.weight;
        self.weight += weight;
        self.count += 1;
        let crossed = before < self.limit && self.weight >= self.limit;
        if crossed && floor > 0 { Verdict::Enough } else { Verdict::Nothing }
    }

    /// What a minute usually has, by weight.
    pub(super) fn usual(&self) -> f32 {
        self.usual.mean()
    }
}

/// Evidence of names drawn by a program: a sum over the domains that a client asks for the first time (CUSUM), which
/// ordinary domains lower, never below nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Drawn {
    sum: f32,
    /// When it was last looked at, in seconds.
    at: u32,
    /// Nothing is told before this time, in seconds.
    quiet_until: u32,
    /// Domains in it, and of those the ones that could not be resolved.
    pub domains: u16,
    pub failed: u16,
    /// The sum of the oddness of those that were looked at, and how many these are.
    oddness: f32,
    looked_at: u16,
}

/// What became of a query, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is such a name.
    Exists,
    /// NXDOMAIN.
    Missing,
    /// SERVFAIL, REFUSED.
    Failed,
}

impl Drawn {
    /// Takes the next new domain; says whether it is enough.
    pub(super) fn add(&mut self, oddness: f32, outcome: Outcome, least: u16, seconds: u32) -> Verdict {
        let age = seconds.saturating_sub(self.at) as f32;
        if age > 0.0 {
            self.sum *= (-age * std::f32::consts::LN_2 / HALF_LIFE).exp();
            self.at = seconds;
        }
        let weight = match outcome {
            // Most domains of a generator are registered by nobody. Where names are made of words, only this tells.
            Outcome::Missing => (1.4 + 0.35 * oddness).clamp(1.0, 2.6),
            Outcome::Failed if oddness > 0.0 => 0.35 * oddness,
            Outcome::Failed => 0.0,
            Outcome::Exists if oddness > 2.0 => 0.2 * (oddness - 2.0),
            Outcome::Exists => -0.5,
        };
        if self.sum + weight <= 0.0 {
            *self = Drawn { at: seconds, quiet_until: self.quiet_until, ..Drawn::default() };
            return Verdict::Nothing;
        }
        self.sum = (self.sum + weight).min(FULL);
        if weight > 0.0 {
            self.domains = self.domains.saturating_add(1);
            self.failed = self.failed.saturating_add(u16::from(outcome != Outcome::Exists));
            self.oddness += oddness;
            self.looked_at = self.looked_at.saturating_add(1);
        }
        self.verdict(least, seconds)
    }

    /// Whether one more that is missing changes nothing, however odd its name is. In a flood most are such.
    pub(super) fn is_full(&self, outcome: Outcome, seconds: u32) -> bool {
        outcome == Outcome::Missing && self.sum >= FULL && seconds.saturating_sub(self.at) <= STAYS_FULL
    }

    /// Takes one more that is missing when it [is full](Self::is_full).
    pub(super) fn overflow(&mut self, least: u16, seconds: u32) -> Verdict {
        self.at = self.at.max(seconds);
        self.domains = self.domains.saturating_add(1);
        self.failed = self.failed.saturating_add(1);
        self.verdict(least, seconds)
    }

    fn verdict(&self, least: u16, seconds: u32) -> Verdict {
        let enough = self.sum >= ENOUGH && self.failed >= least && seconds >= self.quiet_until;
        if enough { Verdict::Enough } else { Verdict::Nothing }
    }

    /// Begins anew, half convinced.
    pub(super) fn told(&mut self) {
        let quiet_until = self.at.saturating_add(QUIET);
        *self = Drawn { sum: ENOUGH / 2.0, at: self.at, quiet_until, ..Drawn::default() };
    }

    /// How odd the names are that were looked at.
    pub(super) fn mean_oddness(&self) -> f32 {
        self.oddness / f32::from(self.looked_at.max(1))
    }

    /// The sum.
    pub(super) fn sum(&self) -> f32 {
        self.sum
    }
}

/// Whether it is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is.
    Enough,
    /// It is not.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_name_is_no_evidence_and_many_missing_ones_are() {
        let mut drawn = Drawn::default();
        assert_eq!(drawn.add(6.0, Outcome::Missing, 6, 1), Verdict::Nothing);
        let found = (0..20).position(|_| drawn.add(3.0, Outcome::Missing, 6, 2) == Verdict::Enough);
        assert_eq!(found, Some(4));
        let mut words = Drawn::default();
        let found = (0..50).position(|_| words.add(-4.0, Outcome::Missing, 6, 2) == Verdict::Enough);
        assert_eq!(found, Some(13), "names made of words need more of them");
    }

    #[test]
    fn ordinary_domains_and_time_outweigh_a_few() {
        let mut drawn = Drawn::default();
        for round in 0..10_000 {
            let outcome = if round % 5 == 0 { Outcome::Missing } else { Outcome::Exists };
            assert_eq!(drawn.add(0.0, outcome, 6, 1), Verdict::Nothing);
        }
        for hour in 1..1_000 {
            assert_eq!(drawn.add(3.0, Outcome::Missing, 6, hour * 3_600), Verdict::Nothing);
        }
    }

    #[test]
    fn a_client_that_goes_on_is_told_again_only_after_a_while() {
        let mut drawn = Drawn::default();
        let mut told = 0;
        for n in 0..10_000 {
            if drawn.add(4.0, Outcome::Missing, 6, 1_000 + n / 10) == Verdict::Enough {
                drawn.told();
                told += 1;
            }
        }
        assert_eq!(told, 4, "in a thousand seconds");
    }

    #[test]
    fn names_that_are_not_looked_at_in_a_flood_change_nothing() {
        // Twenty a second; and one in two seconds with pauses, after some of which the next one is looked at.
        names_not_looked_at(|n| n / 20);
        names_not_looked_at(|n| n * 2 + n / 50 * 43);
        names_not_looked_at(|n| n * 2 + n / 50 * 44);
        names_not_looked_at(|n| n * 2 + n / 50 * 60);
    }

    fn names_not_looked_at(pace: impl Fn(u32) -> u32) {
        let (mut all, mut some, mut unseen) = (Drawn::default(), Drawn::default(), 0);
        for n in 0..20_000 {
            let (oddness, seconds) = ((n % 13) as f32 - 6.0, 1_000 + pace(n));
            let one = all.add(oddness, Outcome::Missing, 6, seconds);
            let other = if some.is_full(Outcome::Missing, seconds) {
                unseen += 1;
                some.overflow(6, seconds)
            } else {
                some.add(oddness, Outcome::Missing, 6, seconds)
            };
            assert_eq!((one, all.sum), (other, some.sum), "{n}");
            assert_eq!((all.domains, all.failed), (some.domains, some.failed));
            if one == Verdict::Enough {
                all.told();
                some.told();
            }
        }
        assert!(unseen > 10_000, "some were not looked at: {unseen}");
    }

    #[test]
    fn failures_are_told_once_a_minute_and_only_when_they_are_more_than_usual() {
        let mut failures = Failures::default();
        let mut minute =
            |minute, many| (0..many).filter(|_| failures.count(minute, 1, 300) == Verdict::Enough).count();
        assert_eq!(minute(1, 299), 0);
        assert_eq!(minute(2, 5_000), 1);
        for at in 3..100 {
            assert_eq!(minute(at, 1_000), 0, "minute {at}");
        }
        assert_eq!(minute(100, 20_000), 1);
    }

    #[test]
    fn an_outage_makes_no_ordinary_name_odd() {
        let mut drawn = Drawn::default();
        assert!((0..10_000).all(|_| drawn.add(-0.1, Outcome::Failed, 6, 1) == Verdict::Nothing));
    }
}
