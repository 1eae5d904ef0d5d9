//! The first try of a question without a task: sent, and concluded when its response lands. Only what the response does
//! not settle (silence, failure, truncation) goes on as [`Group::ask`] would, from where it stands.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::Either;
use tokio::time::Instant;

use super::attempt::{Context, go_on, is_answer, note_answer, note_cookie};
use super::budget::Room;
use super::domains::End;
use super::itinerary::Itinerary;
use super::race::conduct;
use super::scrub::scrub;
use super::server::Manner;
use super::status::bump;
use super::{Answered, Failed, Group, Server};
use crate::exchange::lane::{Listening, note_ignored};
use crate::exchange::{Ask, Clock, Ended, Exchange, ExchangeError, Landing, Late, Reply};
use crate::query::{Now, Response};

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
    rest: Rest,
}

/// What is there to go on with.
enum Rest {
    /// A response that is no answer, or why there is none.
    Ended(Result<Reply, ExchangeError>),
    /// It may still come.
    Late(Listening),
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
        exchange.launch(self.way(asked, deadline), query, clock.read(), due, token).ok()?;
        bump(&asked.counts.tallies.queries);
        Some(First { group: Arc::clone(self), server, manner, itinerary, clock, deadline, due, room })
    }
}

impl First {
    /// What has landed, as the answer to the question and its server if it settles it.
    pub fn land(
        self,
        ask: &Ask,
        landing: Landing,
        exchange: &Exchange,
    ) -> Result<(Response, SocketAddr), Box<Unsettled>> {
        let ended = match landing {
            Landing::Ended(ended) => ended,
            Landing::Silent(silent) => match exchange.listen(silent) {
                Some(Late::Ended(ended)) => ended,
                Some(Late::Listening(late)) => return self.unsettled(Rest::Late(late)),
                // Who would have heard it is gone.
                None => return self.unsettled(Rest::Ended(Err(ExchangeError::Timeout))),
            },
        };
        let Ended { sent, at, ignored, outcome } = ended;
        let (server, rtt) = (&self.group.servers[self.server], at - sent);
        note_ignored(ignored, &server.counts.tallies.ignored_datagrams);
        match outcome {
            Ok(message) if is_answer(self.manner, &message) => {
                note_cookie(server, self.manner, &message);
                note_answer(server, message.rcode, rtt, || self.clock.at(at));
                let (response, address) = (scrub(ask, message), server.address());
                self.group.counts.note(Ok(()));
                self.room.leave(End::Spoken);
                Ok((response, address))
            }
            other => self.unsettled(Rest::Ended(other.map(|message| Reply { message, rtt }))),
        }
    }

    #[cold]
    fn unsettled<T>(self, rest: Rest) -> Result<T, Box<Unsettled>> {
        Err(Box::new(Unsettled { first: self, rest }))
    }

    /// The group that is asked.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
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
        let first = go_on(context, asked, manner, news(self.rest, asked));
        let outcome = conduct(context, itinerary, server, first, due).await;
        group.ended(ask, room, outcome.as_ref(), clock.now());
        outcome
    }
}

fn news(rest: Rest, server: &Server) -> impl Future<Output = Result<Reply, ExchangeError>> {
    match rest {
        Rest::Ended(udp) => Either::Left(std::future::ready(udp)),
        Rest::Late(late) => Either::Right(late.reply(&server.counts.tallies.ignored_datagrams)),
    }
}
