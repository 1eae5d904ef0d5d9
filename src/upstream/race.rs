//! The tries of one question: one after another on failure, beside each other on silence; the first answer wins.

use std::future::Future;
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempt::{Context, Hit, Miss, attempt};
use super::cookie::Cookies;
use super::itinerary::{Itinerary, Rebuff};
use super::rate::Claim;
use super::scrub::scrub;
use super::status::bump;
use super::{Answered, Failed, Group};
use crate::exchange::{Ask, Clock, Exchange, clock};
use crate::health::{Reason, Signal};
use crate::query::Failure;

/// The try that began last. The others are silent: each began when the one before it fell silent or failed.
#[derive(Clone, Copy)]
struct Latest {
    server: usize,
    serial: usize,
    /// When it counts as silent; none once that is settled.
    due: Option<Instant>,
}

pub(super) async fn run(
    group: &Group,
    ask: &Ask,
    exchange: &Exchange,
    clock: Clock,
    claim: Claim,
) -> Result<Answered, Failed> {
    let deadline = clock.begin_plus(group.spec.deadline);
    let context = Context { group, ask, exchange, clock, deadline, claim };
    let mut itinerary = Itinerary::new(&group.order(clock.begin()));
    let Some(server) = itinerary.first() else { return Err(Failed::unasked(Failure::Unreachable)) };
    let due = clock.begin_plus(group.patience(server, 0));
    conduct(context, itinerary, server, attempt(context, &group.servers[server]), due).await
}

/// Goes on from a first try, which has until `due` to answer before another is asked beside it.
pub(super) async fn conduct<F>(
    context: Context<'_>,
    mut itinerary: Itinerary,
    server: usize,
    first: F,
    due: Instant,
) -> Result<Answered, Failed>
where
    F: Future<Output = Result<Hit, Miss>>,
{
    let ask = context.ask;
    let mut verdict = Failed::unasked(Failure::Unreachable);
    // Nearly always the first server answers: that takes neither a set of tries nor a timer for each.
    let mut first = pin!(first);
    let begun = match timeout_at(due, first.as_mut()).await {
        Ok(Ok(hit)) => return Ok(answered(ask, server, hit)),
        Ok(Err(miss)) => {
            itinerary.failed(server, miss.rebuff());
            verdict.take_in(server, miss);
            let next = itinerary.after_failure();
            Begun { silent: None, next, itinerary, verdict }
        }
        Err(_) => {
            note_silence(context, server);
            let next = itinerary.after_silence();
            Begun { silent: Some((server, first)), next, itinerary, verdict }
        }
    };
    Box::pin(go_on(context, begun)).await
}

/// How things stand after the first try.
struct Begun<F> {
    /// It goes on listening.
    silent: Option<(usize, F)>,
    next: Option<usize>,
    itinerary: Itinerary,
    verdict: Failed,
}

async fn go_on<F>(context: Context<'_>, begun: Begun<F>) -> Result<Answered, Failed>
where
    F: Future<Output = Result<Hit, Miss>>,
{
    let Context { group, ask, deadline, .. } = context;
    let Begun { silent, mut next, mut itinerary, mut verdict } = begun;
    let mut latest = Latest { server: 0, serial: 0, due: None };
    let mut tries = FuturesUnordered::new();
    if let Some((server, first)) = silent {
        tries.push(Either::Left(async move { (server, 0, first.await) }));
    }
    loop {
        if let Some(server) = next.take() {
            let serial = latest.serial + 1;
            let again = async move { (server, serial, attempt(context, &group.servers[server]).await) };
            tries.push(Either::Right(again));
            latest = Latest { server, serial, due: Some(clock::after(group.patience(server, serial))) };
        }
        if tries.is_empty() {
            return Err(verdict);
        }
        let wake = latest.due.map_or(deadline, |due| due.min(deadline));
        tokio::select! {
            biased;
            Some((server, serial, outcome)) = tries.next() => match outcome {
                Ok(hit) => return Ok(answered(ask, server, hit)),
                Err(miss) => {
                    itinerary.failed(server, miss.rebuff());
                    verdict.take_in(server, miss);
                    if serial == latest.serial {
                        latest.due = None;
                        next = itinerary.after_failure();
                        if next.is_none() && !tries.is_empty() {
                            next = itinerary.after_silence();
                        }
                    }
                }
            },
            () = sleep_until(wake) => {
                if latest.due.is_none_or(|due| due > wake) {
                    return Err(verdict.out_of_time());
                }
                note_silence(context, latest.server);
                latest.due = None;
                next = itinerary.after_silence();
            }
        }
    }
}

fn note_silence(context: Context<'_>, server: usize) {
    let server = &context.group.servers[server];
    bump(&server.counts.tallies.timeouts);
    if context.group.spec.cookies == Cookies::On {
        server.jar.silent(context.clock.now());
    }
    server.health().note(Signal::QueryFailed(Reason::Timeout), context.clock.now());
}

pub(super) fn answered(ask: &Ask, server: usize, hit: Hit) -> Answered {
    Answered { response: scrub(ask, hit.message), server, tcp: hit.tcp, rtt: hit.rtt }
}

impl Miss {
    fn rebuff(&self) -> Rebuff {
        if self.spoken.is_some() { Rebuff::Spoken } else { Rebuff::Unasked }
    }
}

impl Failed {
    pub(super) fn unasked(failure: Failure) -> Failed {
        Failed { failure, rcode: None, ede: Vec::new(), server: None }
    }

    /// The newest words of a server outweigh older ones; silence outweighs a host that could not be reached.
    fn take_in(&mut self, server: usize, miss: Miss) {
        match (miss.spoken, self.failure) {
            (Some(spoken), _) => {
                let (rcode, ede) = (Some(spoken.rcode), spoken.ede);
                *self = Failed { failure: miss.failure, rcode, ede, server: Some(server) };
            }
            (None, Failure::Unreachable) => self.failure = miss.failure,
            (None, _) => {}
        }
    }

    fn out_of_time(self) -> Failed {
        let failure = if self.rcode.is_some() { self.failure } else { Failure::Timeout };
        Failed { failure, ..self }
    }
}
