//! Each domain's share of what an upstream may have in flight, in fixed memory.
//!
//! A domain whose servers are dead behind the upstream keeps each question in flight until its deadline. The more of its
//! questions end so, the less room it has, so that others find theirs; the first that is answered gives room back.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::wire::NameRef;

/// Sets of the table, of [`WAYS`] domains each.
const SETS: usize = 1024;
/// Domains that a set holds at once. One more shares the count of another.
const WAYS: usize = 4;
/// A domain without one answer has the `2 ^ FALLS`th part of a full share.
const FALLS: u32 = 7;
/// The least room of a domain: what finds out that it is back.
const LEAST: u64 = 16;
/// The highest number that a count in flight can have.
const MOST: u64 = (1 << 14) - 1;
/// The highest level of failure.
const FAILED: u64 = (1 << 6) - 1;

/// The domains of one upstream.
#[derive(Debug)]
pub(super) struct Domains {
    entries: Box<[[AtomicU64; WAYS]]>,
    seed: RandomState,
    /// The share of a domain that answers.
    share: u64,
}

/// A domain's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    set: u16,
    way: u8,
    tag: u16,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Somebody spoke.
    Spoken,
    /// Nobody did.
    Silent,
    /// Nobody waits any more.
    Dropped,
}

/// One entry, packed into 64 bits: tag 16, in flight 14, level of failure 6, second 12, questions in it 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Entry {
    tag: u64,
    in_flight: u64,
    failing: u64,
    second: u64,
    asked: u64,
}

impl Domains {
    /// For an upstream of which a domain may have `share` questions in flight.
    pub(super) fn new(share: u32) -> Domains {
        let entries = std::iter::repeat_with(Default::default).take(SETS).collect();
        Domains { entries, seed: RandomState::default(), share: u64::from(share).clamp(LEAST, MOST) }
    }

    /// Takes room for a question of this domain. Says how many it had in this second, this one included.
    pub(super) fn enter(&self, domain: NameRef<'_>, now: Duration) -> Option<(Seat, u32)> {
        let second = now.as_secs() & 0xFFF;
        let lower: SmallVec<[u8; 64]> = domain.wire().iter().map(u8::to_ascii_lowercase).collect();
        let hash = self.seed.hash_one(lower.as_slice());
        let (set, tag) = (hash as usize % SETS, u64::from((hash >> 48) as u16));
        let way = self.way(set, tag, second);
        let mut asked = 0;
        let one_more = |packed| {
            let mut entry = Entry::unpack(packed);
            if entry.tag != tag && entry.in_flight == 0 {
                entry = Entry { tag, ..Entry::default() };
            }
            if entry.second != second {
                (entry.second, entry.asked) = (second, 0);
            }
            entry.asked = (entry.asked + 1).min(0xFFFF);
            asked = entry.asked as u32;
            entry.in_flight += 1;
            (entry.in_flight <= self.room(entry.failing)).then(|| entry.pack())
        };
        let entered = self.entries[set][way].fetch_update(Relaxed, Relaxed, one_more).is_ok();
        entered.then_some((Seat { set: set as u16, way: way as u8, tag: tag as u16 }, asked))
    }

    /// Gives the room back.
    pub(super) fn leave(&self, seat: Seat, end: End) {
        let one_less = |packed| {
            let mut entry = Entry::unpack(packed);
            entry.in_flight = entry.in_flight.saturating_sub(1);
            if entry.tag == u64::from(seat.tag) {
                entry.failing = match end {
                    End::Spoken => entry.failing - entry.failing.div_ceil(8),
                    End::Silent => entry.failing + (FAILED - entry.failing).div_ceil(8),
                    End::Dropped => entry.failing,
                };
            }
            Some(entry.pack())
        };
        _ = self.entries[usize::from(seat.set)][usize::from(seat.way)]
            .fetch_update(Relaxed, Relaxed, one_less);
    }

    /// Its own entry, else one that nobody needs, else that of a domain that does well.
    fn way(&self, set: usize, tag: u64, second: u64) -> usize {
        let entries = self.entries[set].each_ref().map(|packed| Entry::unpack(packed.load(Relaxed)));
        let own = entries.iter().position(|entry| entry.tag == tag && entry.is_used());
        let cost = |entry: &Entry| (entry.in_flight > 0, entry.failing, entry.second == second);
        let cheapest = || (0..WAYS).min_by_key(|way| cost(&entries[*way]));
        own.or_else(cheapest).unwrap_or(0)
    }

    fn room(&self, failing: u64) -> u64 {
        (self.share >> (failing * u64::from(FALLS) / FAILED)).max(LEAST)
    }
}

impl Entry {
    fn is_used(&self) -> bool {
        self.in_flight > 0 || self.failing > 0 || self.asked > 0
    }

    fn pack(self) -> u64 {
        self.tag << 48 | self.in_flight << 34 | self.failing << 28 | self.second << 16 | self.asked
    }

    fn unpack(packed: u64) -> Entry {
        Entry {
            tag: packed >> 48,
            in_flight: packed >> 34 & MOST,
            failing: packed >> 28 & FAILED,
            second: packed >> 16 & 0xFFF,
            asked: packed & 0xFFFF,
        }
    }
}

/// The domain that a name is counted in: below the domain of its rule the next label, if the name goes on below that; on
/// the way from the root the registered domain, as far as that can be told without the list of public suffixes.
pub(super) fn domain_of<'a>(name: NameRef<'a>, forwarded: NameRef<'_>) -> NameRef<'a> {
    let count = name.label_count();
    let below_the_rule = match (count - forwarded.label_count().min(count), forwarded.label_count()) {
        (0 | 1, rule) => rule,
        (_, rule) => rule + 1,
    };
    let labels = below_the_rule.max(registered(name, count)).min(count);
    name.suffixes().nth(count - labels).unwrap_or(NameRef::ROOT)
}

/// `example.com`, but `example.co.jp`: below a country's two letters a short label is taken for a public suffix.
fn registered(name: NameRef<'_>, count: usize) -> usize {
    let mut last = name.labels().skip(count.saturating_sub(2));
    match (last.next(), last.next()) {
        (Some(second), Some(top)) if top.len() == 2 && second.len() <= 3 => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    const NOW: Duration = Duration::from_secs(7);

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn counted(qname: &str, rule: &str) -> String {
        domain_of(name(qname).as_ref(), name(rule).as_ref()).to_string()
    }

    #[test]
    fn a_name_is_counted_in_its_registered_domain_or_one_label_below_its_rule() {
        assert_eq!(counted("www.example.com", "."), "example.com.");
        assert_eq!(counted("a.b.example.co.jp", "."), "example.co.jp.");
        assert_eq!(counted("host", "."), "host.");
        assert_eq!(counted(".", "."), ".");
        assert_eq!(counted("host.technova.local", "technova.local"), "technova.local.");
        assert_eq!(counted("technova.local", "technova.local"), "technova.local.");
        assert_eq!(counted("x.dead.technova.local", "technova.local"), "dead.technova.local.");
        assert_eq!(counted("x.y.dead.technova.local", "technova.local"), "dead.technova.local.");
        assert_eq!(counted("x.legacy.technova.com", "legacy.technova.com"), "legacy.technova.com.");
    }

    /// As many questions as find room, and the seats that they have.
    fn fill(domains: &Domains, domain: &str) -> Vec<Seat> {
        std::iter::from_fn(|| Some(domains.enter(name(domain).as_ref(), NOW)?.0)).collect()
    }

    #[test]
    fn a_domain_that_nobody_answers_for_has_less_and_less_room_until_somebody_does() {
        let domains = Domains::new(2_000);
        let seats = fill(&domains, "dead.example");
        assert_eq!(seats.len(), 2_000);
        for seat in seats {
            domains.leave(seat, End::Silent);
        }
        let seats = fill(&domains, "DEAD.example");
        assert_eq!(seats.len() as u64, LEAST);
        for seat in seats {
            domains.leave(seat, End::Spoken);
        }
        assert!(fill(&domains, "dead.example").len() > 500);
    }

    #[test]
    fn one_domain_takes_no_room_of_another() {
        let domains = Domains::new(100);
        assert_eq!(fill(&domains, "dead.example").len(), 100);
        assert_eq!(fill(&domains, "good.example").len(), 100);
    }

    #[test]
    fn questions_whose_clients_are_gone_say_nothing_about_their_domain() {
        let domains = Domains::new(100);
        for seat in fill(&domains, "example.com") {
            domains.leave(seat, End::Dropped);
        }
        assert_eq!(fill(&domains, "example.com").len(), 100);
    }

    #[test]
    fn what_a_domain_asked_is_counted_by_the_second() {
        let domains = Domains::new(100);
        let asked = |seconds| {
            let domain = name("example.com");
            domains.enter(domain.as_ref(), Duration::from_secs(seconds)).unwrap().1
        };
        assert_eq!([asked(1), asked(1), asked(1), asked(2)], [1, 2, 3, 1]);
    }

    #[test]
    fn whatever_number_of_domains_is_asked_for_all_room_comes_back() {
        let domains = Domains::new(100);
        let seats: Vec<Seat> = (0..20_000)
            .map(|nth| domains.enter(name(&format!("{nth}.example")).as_ref(), NOW).unwrap().0)
            .collect();
        for seat in seats {
            domains.leave(seat, End::Spoken);
        }
        let in_flight =
            domains.entries.iter().flatten().map(|entry| Entry::unpack(entry.load(Relaxed)).in_flight);
        assert_eq!(in_flight.sum::<u64>(), 0);
    }

    #[test]
    fn an_entry_is_the_same_after_packing() {
        let entry = Entry { tag: 0xABCD, in_flight: MOST, failing: FAILED, second: 0xFFF, asked: 0xFFFF };
        assert_eq!(Entry::unpack(entry.pack()), entry);
    }
}
