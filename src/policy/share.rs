//! How much of one client prefix is waited for, and how fast what was waited for is let go.
//!
//! Room is shared by a moving threshold: a prefix may have as many queries in flight as there are places left. So one
//! greedy client gets half of all, two get a third each, and there is always room for one who asks little; and nobody
//! is turned away while there is plenty.
//!
//! DNSBomb (CVE-2024-33655) has us collect answers for a forged address over a second and send them in one blow. Answers
//! that were waited for leave in the order of magnitude of time in which their queries came, so that the blow is no
//! harder than [`SWELL`] times what was sent to cause it, or than the answers would have been without any wait.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Prefix;

/// What was waited for no longer than this may leave at once: it cannot have piled up.
const WAITED: Duration = Duration::from_millis(50);
/// How many times larger than the stream of queries the stream of their answers may be.
const SWELL: u32 = 6;

/// What is in flight in one worker, by client prefix. It holds the prefixes that have something in flight and no others.
pub struct Shares {
    room: usize,
    total: Cell<usize>,
    held: RefCell<HashMap<Prefix, Held, RandomState>>,
}

#[derive(Clone, Copy, Default)]
struct Held {
    in_flight: usize,
    /// The first of those that leave together: when its query came, and when its answer left.
    pulse: Option<(Duration, Duration)>,
}

/// A query in flight, until dropped.
pub struct Ticket {
    shares: Rc<Shares>,
    prefix: Prefix,
}

/// An answer that is ready to leave.
#[derive(Debug, Clone, Copy)]
pub struct Leaving {
    /// When its query came.
    pub arrived: Duration,
    /// Now.
    pub now: Duration,
    /// Octets of the query.
    pub asked: usize,
    /// Octets of the answer.
    pub answer: usize,
}

impl Shares {
    /// For a worker that has so many places.
    pub fn new(room: usize) -> Rc<Shares> {
        Rc::new(Shares { room, total: Cell::new(0), held: RefCell::default() })
    }

    /// Whether a prefix may have one more in flight.
    pub fn has_room(&self, prefix: Prefix) -> bool {
        let left = self.room.saturating_sub(self.total.get());
        // Most of the time there is room for all there can be.
        self.total.get() < left || self.held.borrow().get(&prefix).is_none_or(|held| held.in_flight < left)
    }

    /// Takes a place.
    pub fn take(self: &Rc<Shares>, prefix: Prefix) -> Ticket {
        self.total.set(self.total.get() + 1);
        self.held.borrow_mut().entry(prefix).or_default().in_flight += 1;
        Ticket { shares: self.clone(), prefix }
    }
}

impl Ticket {
    /// How long an answer has still to wait, so that those of its prefix do not leave all at once.
    pub fn hold_back(&self, leaving: &Leaving) -> Duration {
        let Leaving { arrived, now, asked, answer } = *leaving;
        if now.saturating_sub(arrived) < WAITED {
            return Duration::ZERO;
        }
        let mut held = self.shares.held.borrow_mut();
        let Some(held) = held.get_mut(&self.prefix) else { return Duration::ZERO };
        if let Some((first_came, first_left)) = held.pulse {
            let apart = first_came.abs_diff(arrived);
            let swell = answer as f64 / (f64::from(SWELL) * asked.max(1) as f64);
            let leaves = first_left + apart.mul_f64(swell.min(1.0));
            if leaves > now {
                return leaves.saturating_sub(now);
            }
        }
        held.pulse = Some((arrived, now));
        Duration::ZERO
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.shares.total.set(self.shares.total.get() - 1);
        let mut held = self.shares.held.borrow_mut();
        if let Some(of) = held.get_mut(&self.prefix) {
            of.in_flight -= 1;
            if of.in_flight == 0 {
                held.remove(&self.prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEDY: Prefix = Prefix(1);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn fill(shares: &Rc<Shares>, prefix: Prefix) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        while shares.has_room(prefix) {
            tickets.push(shares.take(prefix));
        }
        tickets
    }

    #[test]
    fn the_greedy_share_and_who_asks_little_always_finds_room() {
        let shares = Shares::new(1000);
        let one = fill(&shares, GREEDY);
        assert_eq!(one.len(), 500);
        let two = fill(&shares, Prefix(2));
        assert_eq!(two.len(), 250);
        for modest in 3..100 {
            assert!(shares.has_room(Prefix(modest)));
            shares.take(Prefix(modest));
        }
        drop((one, two));
        assert_eq!((shares.total.get(), shares.held.borrow().len()), (0, 0), "nothing is kept of who left");
        assert_eq!(fill(&shares, Prefix(2)).len(), 500);
    }

    /// Octets that leave in each 20 ms, for queries of 60 octets that came over a second and became ready at once.
    fn blow(answer: usize, arrivals: impl Iterator<Item = u64>) -> usize {
        let shares = Shares::new(10_000);
        let (mut blow, mut tickets) = ([0; 200], Vec::new());
        for came in arrivals {
            let ticket = shares.take(GREEDY);
            let leaving = Leaving { arrived: millis(came), now: millis(1100), asked: 60, answer };
            let wait = ticket.hold_back(&leaving);
            assert!(wait <= millis(1000), "no longer than it took to come");
            blow[wait.as_millis() as usize / 20] += answer;
            tickets.push(ticket);
        }
        blow.into_iter().max().unwrap_or(0)
    }

    #[test]
    fn answers_that_piled_up_leave_at_six_times_the_rate_of_their_queries_at_most() {
        // One query a millisecond: 20 * 60 octets in 20 ms.
        let sent = 1200;
        for answer in [60, 120, 360] {
            let blow = blow(answer, 0..1000);
            assert!(blow <= 61 * sent / 10, "{answer} octets each: {blow} for {sent}");
        }
        assert!(blow(1200, 0..1000) <= 21 * sent, "20 times larger each, and no faster than they came");
        assert!(blow(120, (0..1000).rev()) <= 61 * sent / 10, "in whatever order");
        let mixed = (0..1000).map(|n| n * 7919 % 1000);
        assert!(blow(120, mixed) <= 121 * sent / 10);
    }

    #[test]
    fn a_steady_stream_is_not_held_back_and_nor_is_what_came_at_once() {
        let shares = Shares::new(10_000);
        let tickets: Vec<Ticket> = (0..2000).map(|_| shares.take(GREEDY)).collect();
        for (n, ticket) in (0..).zip(&tickets) {
            let leaving = Leaving { arrived: millis(n), now: millis(n + 300), asked: 60, answer: 1200 };
            assert_eq!(ticket.hold_back(&leaving), Duration::ZERO);
        }
        for ticket in &tickets[..500] {
            let leaving = Leaving { arrived: millis(5000), now: millis(5400), asked: 60, answer: 1200 };
            assert_eq!(ticket.hold_back(&leaving), Duration::ZERO, "500 clients, one question");
        }
    }
}
