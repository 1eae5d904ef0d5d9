//! Token buckets in fixed memory: who asks is hashed to a set of four, and no number of clients makes the table grow.
//!
//! A bucket is one moment: the one at which it will be full again (the generic cell rate algorithm, ITU-T I.371 §A). A
//! bucket whose moment has passed says the same as none at all, so nothing has to be cleared and nothing is lost when a
//! newcomer takes its place. Where all four of a set are in use, the newcomer goes on from the fullest of them: among
//! very many busy clients some are limited early, and none ever gets more than his rate.

use std::hash::Hasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use siphasher::sip::SipHasher13;

/// Buckets that an owner may have: of these the one with his tag, or the fullest.
const WAYS: usize = 4;
/// Sets of a table: 512 KiB.
const SETS: usize = 1 << 14;
/// The bits of a bucket that say when it is full; above them stands the tag.
const MOMENT: u64 = (1 << 48) - 1;
/// How often a bucket that others write at the same time is tried again.
const TRIES: usize = 8;

/// How much may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So often a second in the long run.
    pub per_second: u32,
    /// What was not spent in this time may be spent at once.
    pub burst: Duration,
}

/// A table of buckets. Its memory is taken with the first use.
pub struct Buckets {
    sets: OnceLock<Box<[[AtomicU64; WAYS]]>>,
    key: [u8; 16],
}

impl Buckets {
    /// An empty table. `key` is random, so that nobody can choose with whom he shares a set.
    pub fn new(key: [u8; 16]) -> Buckets {
        Buckets { sets: OnceLock::new(), key }
    }

    /// A hasher for whatever a bucket belongs to.
    pub fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }

    /// Takes one token from the bucket of `owner`, if it has one.
    pub fn spend(&self, owner: &SipHasher13, rate: Rate, now: Duration) -> Spent {
        let hash = owner.finish();
        let sets = self.sets.get_or_init(|| (0..SETS).map(|_| Default::default()).collect());
        let set = &sets[hash as usize % SETS];
        let tag = hash & !MOMENT;
        let now = now.as_micros() as u64 & MOMENT;
        for _ in 0..TRIES {
            let (bucket, before) = choose(set, tag);
            let full = (before & MOMENT).max(now);
            if full - now > rate.tolerance() {
                return Spent::Nothing;
            }
            let after = tag | (full + rate.interval()) & MOMENT;
            if bucket.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Spent::One;
            }
        }
        // Many write it at once: others have spent what this one would.
        Spent::Nothing
    }
}

/// Whether there was a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// There was.
    One,
    /// There was none.
    Nothing,
}

impl Rate {
    /// Microseconds that one token takes to come.
    fn interval(self) -> u64 {
        1_000_000 / u64::from(self.per_second.max(1))
    }

    /// How far from full a bucket may be that still has a token.
    fn tolerance(self) -> u64 {
        (self.burst.as_micros() as u64).saturating_sub(self.interval())
    }
}

fn choose(set: &[AtomicU64; WAYS], tag: u64) -> (&AtomicU64, u64) {
    let mut fullest = (&set[0], u64::MAX);
    for bucket in set {
        let word = bucket.load(Ordering::Relaxed);
        // An empty place has no tag, and a bucket with tag 0 is no worse for it.
        if word & !MOMENT == tag && word != 0 {
            return (bucket, word);
        }
        if fullest.1 == u64::MAX || word & MOMENT < fullest.1 & MOMENT {
            fullest = (bucket, word);
        }
    }
    fullest
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: Duration::from_secs(1) };

    fn at(millis: u64) -> Duration {
        Duration::from_millis(1_000_000 + millis)
    }

    fn spend(buckets: &Buckets, owner: u64, now: Duration) -> Spent {
        let mut hasher = buckets.hasher();
        hasher.write_u64(owner);
        buckets.spend(&hasher, RATE, now)
    }

    fn got(buckets: &Buckets, owner: u64, now: Duration, of: usize) -> usize {
        (0..of).filter(|_| spend(buckets, owner, now) == Spent::One).count()
    }

    #[test]
    fn a_burst_then_the_rate_and_after_a_rest_the_burst_again() {
        let buckets = Buckets::new([7; 16]);
        assert_eq!(got(&buckets, 1, at(0), 100), 10);
        assert_eq!(got(&buckets, 1, at(99), 100), 0);
        assert_eq!(got(&buckets, 1, at(500), 100), 5);
        assert_eq!(got(&buckets, 2, at(500), 100), 10, "another's bucket is another");
        let over_ten_seconds: usize = (0..1000).map(|n| got(&buckets, 1, at(500 + 10 * n), 5)).sum();
        assert_eq!(over_ten_seconds, 99);
        assert_eq!(got(&buckets, 1, at(60_000), 100), 10);
    }

    #[test]
    fn with_more_clients_than_buckets_each_gets_his_rate_at_most_and_most_get_something() {
        let buckets = Buckets::new([7; 16]);
        let clients = 4 * SETS as u64;
        let served = (0..clients).filter(|client| spend(&buckets, *client, at(0)) == Spent::One).count();
        assert_eq!(served as u64, clients);
        // Ten times as many as there are buckets, all in one second, each once.
        let more = (0..10 * clients).filter(|client| spend(&buckets, *client, at(900)) == Spent::One).count();
        assert!(more as u64 > 6 * clients, "{more} of {}", 10 * clients);
        // A flood from one, in that full table.
        assert!(got(&buckets, u64::MAX, at(900), 1000) <= 10);
    }
}
