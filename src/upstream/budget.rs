//! What may be asked of an upstream at once, in a second, and by one domain of all. All workers draw on one budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::domains::{Domains, End, Seat, domain_of};
use super::rate::{Claim, Rate};
use crate::exchange::Ask;

/// A domain may have half of an upstream's room, as long as it is answered for.
const SHARE: u32 = 2;
/// While no more than this part of the room is taken nobody can lack it, and domains are not counted.
const QUIET: u32 = 16;
/// A domain that asks more than this part of a second's queries leaves half of the burst to the others.
const GREEDY: u32 = 4;

/// The budget of one upstream.
#[derive(Debug)]
pub(super) struct Budget {
    most: u32,
    in_flight: AtomicU32,
    domains: Domains,
    rate: Option<Arc<Rate>>,
}

/// Room for one question. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    budget: Arc<Budget>,
    seat: Option<Seat>,
    claim: Claim,
    end: End,
}

/// What is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// Too much is in flight.
    Room,
    /// The domain has too much in flight.
    Share,
}

impl Budget {
    /// For `most` questions at once.
    pub(super) fn new(most: u32, rate: Option<Arc<Rate>>) -> Budget {
        Budget { most, in_flight: AtomicU32::new(0), domains: Domains::new(most / SHARE), rate }
    }

    /// Room for a question, if there is any.
    pub(super) fn enter(self: &Arc<Self>, ask: &Ask, now: Duration) -> Result<Room, Lack> {
        let in_flight = self.in_flight.fetch_add(1, Relaxed);
        let mut room = Room { budget: Arc::clone(self), seat: None, claim: Claim::Whole, end: End::Dropped };
        if in_flight >= self.most {
            return Err(Lack::Room);
        }
        if in_flight < self.most / QUIET && self.rate.is_none() {
            return Ok(room);
        }
        let domain = domain_of(ask.qname.as_ref(), ask.forwarded_domain.as_ref());
        let (seat, asked) = self.domains.enter(domain, now).ok_or(Lack::Share)?;
        room.seat = Some(seat);
        if self.rate.as_ref().is_some_and(|rate| asked > rate.limit() / GREEDY) {
            room.claim = Claim::Half;
        }
        Ok(room)
    }

    /// Whether a query may be sent in this second.
    pub(super) fn may_send(&self, claim: Claim, now: Duration) -> bool {
        self.rate.as_ref().is_none_or(|rate| rate.take(now, claim))
    }

    /// Questions in flight.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }
}

impl Room {
    /// How much of the rate its queries may use.
    pub(super) fn claim(&self) -> Claim {
        self.claim
    }

    /// Gives it back, and says how the question ended.
    pub(super) fn leave(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.budget.in_flight.fetch_sub(1, Relaxed);
        if let Some(seat) = self.seat {
            self.budget.domains.leave(seat, self.end);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::{Name, RType};

    const NOW: Duration = Duration::from_secs(1);

    fn ask(qname: &str) -> Ask {
        Ask::new(qname.parse().unwrap(), RType::A).within(Name::root())
    }

    /// Takes room until there is none.
    fn fill(budget: &Arc<Budget>, qname: &str) -> (Vec<Room>, Lack) {
        let mut rooms = Vec::new();
        loop {
            match budget.enter(&ask(qname), NOW) {
                Ok(room) => rooms.push(room),
                Err(lack) => return (rooms, lack),
            }
        }
    }

    #[test]
    fn a_dead_domain_cannot_take_the_room_of_the_others() {
        let budget = Arc::new(Budget::new(4_000, None));
        let (dead, lack) = fill(&budget, "x.dead.example");
        assert_eq!((dead.len(), lack), (2_250, Lack::Share));
        assert!(budget.enter(&ask("www.good.example"), NOW).is_ok());
        for room in dead {
            room.leave(End::Silent);
        }
        let (dead, lack) = fill(&budget, "x.dead.example");
        assert_eq!((dead.len(), lack), (266, Lack::Share));
        assert!(budget.enter(&ask("www.good.example"), NOW).is_ok());
    }

    #[test]
    fn all_room_comes_back() {
        let budget = Arc::new(Budget::new(100, None));
        let (rooms, _) = fill(&budget, "x.dead.example");
        assert_eq!(budget.in_flight() as usize, rooms.len());
        drop(rooms);
        assert_eq!(budget.in_flight(), 0);
    }

    #[test]
    fn all_domains_together_have_no_more_than_there_is() {
        let budget = Arc::new(Budget::new(100, None));
        let rooms: Vec<_> = (0..200).map(|nth| budget.enter(&ask(&format!("{nth}.example")), NOW)).collect();
        assert_eq!(rooms.iter().filter(|room| room.is_ok()).count(), 100);
        assert!(rooms[100..].iter().all(|room| matches!(room, Err(Lack::Room))));
    }

    #[test]
    fn a_domain_that_asks_much_leaves_half_of_the_burst_to_the_others() {
        let budget = Arc::new(Budget::new(4_000, Some(Arc::new(Rate::per_second(1_000)))));
        let sent = |qname: &str| {
            let send = |_: &u32| {
                let room = budget.enter(&ask(qname), NOW).unwrap();
                budget.may_send(room.claim(), NOW)
            };
            (0..10_000).filter(send).count()
        };
        for _ in 0..300 {
            drop(budget.enter(&ask("x.greedy.example"), NOW).unwrap());
        }
        assert_eq!((sent("x.greedy.example"), sent("www.good.example")), (50, 50));
    }
}
