//! Whether a question may be asked at all: not while its domain only comes back to us, nor beyond the budget.

use crate::exchange::{Ask, Exchange, Sighting};
use crate::query::{Failure, Now};
use crate::wire::NameRef;

use super::budget::{Lack, Room};
use super::domains::{End, domain_of};
use super::status::bump;
use super::{Answered, Failed, Group};

impl Group {
    /// Room for a question.
    pub(super) fn enter(&self, ask: &Ask, now: Now) -> Result<Room, Failure> {
        if self.loops.is_quarantined(|| domain(ask).to_lower(), now) {
            return Err(Failure::Loop);
        }
        self.budget.enter(ask, now.monotonic).map_err(|lack| {
            bump(match lack {
                Lack::Room => &self.counts.tallies().over_in_flight,
                Lack::Share => &self.counts.tallies().over_share,
            });
            Failure::Busy
        })
    }

    /// Takes in how a question ended.
    pub(super) fn ended(&self, ask: &Ask, room: Room, outcome: Result<&Answered, &Failed>, now: Now) {
        let end = match outcome.map_err(|failed| failed.failure) {
            Ok(_) | Err(Failure::UpstreamFailed) => End::Spoken,
            Err(Failure::Timeout) => End::Silent,
            Err(_) => End::Dropped,
        };
        room.leave(end);
        self.counts.note(outcome.map(|_| ()).map_err(|failed| failed.failure));
        // Whoever asks us the very question that it leaves unanswered waits for us, as we wait for it.
        if end == End::Silent && self.loops.was_suspected(|| domain(ask).to_lower(), now) {
            self.found_loop(ask, now);
        }
    }

    /// Whether the query of a client is a question of ours that one of these servers forwards back to us. To be asked
    /// where the same question is on its way to them.
    pub fn comes_back(&self, client: std::net::IpAddr, ask: &Ask, exchange: &Exchange, now: Now) -> bool {
        if !self.servers.iter().any(|server| server.address().ip().to_canonical() == client.to_canonical()) {
            return false;
        }
        match exchange.sight(client, ask.qname.as_ref(), ask.qtype) {
            Sighting::Ours => {
                self.found_loop(ask, now);
                true
            }
            // Behind a loopback address are the clients of this machine too.
            Sighting::Alike if !client.is_loopback() => {
                self.loops.suspect(domain(ask), now);
                false
            }
            Sighting::Alike | Sighting::None => false,
        }
    }

    fn found_loop(&self, ask: &Ask, now: Now) {
        let domain = domain(ask);
        if self.loops.found(domain, now) {
            tracing::warn!(
                upstream = self.name(), %domain, qname = %ask.qname,
                "forwarding loop: the upstream sends our questions back to us; it is not asked for this domain for 30 s"
            );
        }
    }
}

fn domain(ask: &Ask) -> NameRef<'_> {
    domain_of(ask.qname.as_ref(), ask.forwarded_domain.as_ref())
}
