//! The first try of a question without a task: sent, and concluded when its response lands. Only what the response does
//! not settle (silence, failure, truncation) goes on as [`Group::ask`] would, from where it stands.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::Either;
use tokio::time::Instant;

use super::attempt::{Context, a_try, go_on, plain_answer};
use super::budget::Room;
use super::domains::End;
use super::itinerary::Itinerary;
use super::race::{answered, conduct};
use super::server::Manner;
use super::status::bump;
use super::{Answered, Failed, Group, Server};
use crate::exchange::lane::note_ignored;
use crate::exchange::{Ask, Clock, Exchange, ExchangeError, Landed, Landing, Reply};
use crate::query::Now;

/// A first try on its way.
pub struct First {
    group: Arc<Group>,
    server: usize,
    manner: Manner,
    itinerary: Itinerary,
    clock: Clock,
    deadline: Instant,
    due: Instant,
    room: Room,
}

/// A first try that did not settle its question.
pub struct Unsettled {
    first: First,
    landing: Landing,
}

impl Group {
    /// Sends the first try of a question; what lands is told by `token`. `None` where it could not be sent.
    pub fn launch(self: &Arc<Self>, ask: &Ask, exchange: &Exchange, now: Now, token: u64) -> Option<First> {
        let room = self.enter(ask, now).ok()?;
        if !self.budget.may_send(room.claim(), now.monotonic) {
            return None;
        }
        let clock = Clock::since(now);
        let mut itinerary = Itinerary::new(&self.order(now));
        let server = itinerary.first()?;
        let (due, deadline) =
            (clock.begin_plus(self.patience(server, 0)), clock.begin_plus(self.spec.deadline));
        let asked = &self.servers[server];
        let manner = asked.manner(self.spec.cookies, now);
        let query = self.query(ask, asked, manner, now);
        exchange.launch(&a_try(self, asked, &query, deadline), clock.read(), due, token).ok()?;
        bump(&asked.counts.tallies.queries);
        Some(First { group: Arc::clone(self), server, manner, itinerary, clock, deadline, due, room })
    }
}

impl First {
    /// What has landed, as the answer to the question and its server if it settles it.
    pub fn land(self, ask: &Ask, landed: Landed) -> Result<(Answered, SocketAddr), Box<Unsettled>> {
        let landing = match landed.landing {
            Landing::Ended(udp, ignored) => {
                note_ignored(ignored, &self.asked().counts.tallies.ignored_datagrams);
                match plain_answer(self.asked(), self.manner, self.clock.at(landed.at), udp) {
                    Ok(hit) => {
                        let (answered, server) = (answered(ask, self.server, hit), self.asked().address());
                        self.group.counts.note(Ok(()));
                        self.room.leave(End::Spoken);
                        return Ok((answered, server));
                    }
                    Err(udp) => Landing::Ended(udp, 0),
                }
            }
            silent @ Landing::Silent(_) => silent,
        };
        Err(Box::new(Unsettled { first: self, landing }))
    }

    /// The group that is asked.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    fn asked(&self) -> &Server {
        &self.group.servers[self.server]
    }
}

impl Unsettled {
    /// The group that is asked.
    pub fn group(&self) -> &Arc<Group> {
        self.first.group()
    }

    /// Goes on: another server, TCP, without EDNS …
    pub async fn go_on(self, ask: &Ask, exchange: &Exchange) -> Result<Answered, Failed> {
        let First { group, server, manner, itinerary, clock, deadline, due, room } = self.first;
        let claim = room.claim();
        let context = Context { group: &group, ask, exchange, clock, deadline, claim };
        let asked = &group.servers[server];
        let first = go_on(context, asked, manner, news(self.landing, asked));
        let outcome = conduct(context, itinerary, server, first, due).await;
        group.ended(ask, room, outcome.as_ref(), clock.now());
        outcome
    }
}

fn news(landing: Landing, server: &Server) -> impl Future<Output = Result<Reply, ExchangeError>> {
    match landing {
        Landing::Ended(udp, _) => Either::Left(std::future::ready(udp)),
        Landing::Silent(listening) => {
            Either::Right(listening.reply(&server.counts.tallies.ignored_datagrams))
        }
    }
}
