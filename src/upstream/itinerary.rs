//! Which server is tried next, after a failure or after silence. Pure.
//!
//! A failure that was said (SERVFAIL, REFUSED) leads to another server; asking the same again would bring the same.
//! Silence may be a lost packet, so then the same may be asked again, beside the first try, which goes on listening.

use smallvec::SmallVec;

use super::order::{Hope, Order, Place};

/// How many tries a question has at least before silence ends it; more if there are more servers.
const TRIES: usize = 3;

/// The way through the servers for one question.
#[derive(Debug)]
pub struct Itinerary {
    stops: SmallVec<[Stop; 4]>,
    tried: usize,
    somebody_spoke: bool,
}

/// Small: one way for each question in flight.
#[derive(Debug)]
struct Stop {
    server: u32,
    hope: Hope,
    tries: u8,
    failed: bool,
}

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuff {
    /// The server answered, without an answer.
    Spoken,
    /// The server could not be asked.
    Unasked,
}

impl Itinerary {
    /// Through the servers in this order.
    pub fn new(order: &Order) -> Itinerary {
        let stop =
            |place: &Place| Stop { server: place.server as u32, hope: place.hope, tries: 0, failed: false };
        Itinerary { stops: order.iter().map(stop).collect(), tried: 0, somebody_spoke: false }
    }

    /// The first server.
    pub fn first(&mut self) -> Option<usize> {
        self.visit(|_| true)
    }

    /// Takes in that a server's try failed.
    pub fn failed(&mut self, server: usize, how: Rebuff) {
        self.somebody_spoke |= how == Rebuff::Spoken;
        self.stops
            .iter_mut()
            .filter(|stop| stop.server as usize == server)
            .for_each(|stop| stop.failed = true);
    }

    /// The next server at once. One that is down is not waited for when another has spoken: its failure now is better
    /// for the client than the same after the deadline.
    pub fn after_failure(&mut self) -> Option<usize> {
        self.visit(|stop| stop.tries == 0 && stop.hope == Hope::Fair)
            .or_else(|| if self.somebody_spoke { None } else { self.visit(|stop| stop.tries == 0) })
    }

    /// The next server after silence: another one, else the same a second time, else one that is down, else any again.
    pub fn after_silence(&mut self) -> Option<usize> {
        if self.tried >= self.stops.len().max(TRIES) {
            return None;
        }
        let fair = |stop: &Stop| stop.hope == Hope::Fair;
        self.visit(|stop| stop.tries == 0 && fair(stop))
            .or_else(|| self.visit(|stop| stop.tries == 1 && fair(stop)))
            .or_else(|| self.visit(|stop| stop.tries == 0))
            .or_else(|| self.visit(|stop| stop.tries == 1))
            .or_else(|| self.visit(|stop| stop.tries == 2))
    }

    fn visit(&mut self, wanted: impl Fn(&Stop) -> bool) -> Option<usize> {
        let stop = self.stops.iter_mut().find(|stop| !stop.failed && wanted(stop))?;
        stop.tries += 1;
        self.tried += 1;
        Some(stop.server as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(hopes: &[Hope]) -> Itinerary {
        let place = |(server, hope): (usize, &Hope)| Place { server, hope: *hope };
        Itinerary::new(&hopes.iter().enumerate().map(place).collect())
    }

    fn all_silent(mut itinerary: Itinerary) -> Vec<usize> {
        let first = itinerary.first();
        std::iter::successors(first, |_| itinerary.after_silence()).collect()
    }

    #[test]
    fn silence_is_followed_by_three_tries_or_one_a_server() {
        use Hope::{Faint, Fair};
        assert_eq!(all_silent(through(&[Fair])), [0, 0, 0]);
        assert_eq!(all_silent(through(&[Fair, Fair])), [0, 1, 0]);
        assert_eq!(all_silent(through(&[Fair, Fair, Fair, Fair])), [0, 1, 2, 3]);
        // a lost packet is asked for again where it was lost, before those that are down
        assert_eq!(all_silent(through(&[Fair, Faint])), [0, 0, 1]);
        assert_eq!(all_silent(through(&[Faint, Faint])), [0, 1, 0]);
    }

    #[test]
    fn a_failure_leads_to_each_other_server_once() {
        let mut itinerary = through(&[Hope::Fair; 5]);
        let mut asked = Vec::new();
        let mut next = itinerary.first();
        while let Some(server) = next {
            asked.push(server);
            itinerary.failed(server, Rebuff::Spoken);
            next = itinerary.after_failure();
        }
        assert_eq!(asked, [0, 1, 2, 3, 4]);
        assert_eq!(itinerary.after_silence(), None);
    }

    #[test]
    fn servers_that_are_down_are_tried_only_if_nobody_spoke() {
        let next = |how| {
            let mut itinerary = through(&[Hope::Fair, Hope::Faint]);
            itinerary.first();
            itinerary.failed(0, how);
            itinerary.after_failure()
        };
        assert_eq!(next(Rebuff::Spoken), None);
        assert_eq!(next(Rebuff::Unasked), Some(1));
    }

    #[test]
    fn who_failed_is_not_asked_again_after_the_silence_of_another() {
        let mut itinerary = through(&[Hope::Fair, Hope::Fair]);
        itinerary.first();
        itinerary.failed(0, Rebuff::Spoken);
        assert_eq!(itinerary.after_failure(), Some(1));
        assert_eq!(itinerary.after_silence(), Some(1));
    }
}
