//! One server's part: UDP, then TCP where the response did not fit, then without EDNS or random case where the server
//! does not take them.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::cookie::Cookies;
use super::rate::Claim;
use super::server::Manner;
use super::status::bump;
use super::{Group, Server};
use crate::exchange::{Ask, Case, Clock, Dialect, Exchange, ExchangeError, Mismatch, Query, Reply, Try, Way};
use crate::health::{Reason, Signal};
use crate::query::{Failure, Now};
use crate::wire::message::Message;
use crate::wire::{Ede, rcode};

/// What every try of one question shares.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) group: &'a Group,
    pub(super) ask: &'a Ask,
    pub(super) exchange: &'a Exchange,
    pub(super) clock: Clock,
    pub(super) deadline: Instant,
    pub(super) claim: Claim,
}

/// A server's answer.
pub(super) struct Hit {
    pub(super) message: Message,
    pub(super) tcp: bool,
    pub(super) rtt: Duration,
}

/// Why a server gave none.
pub(super) struct Miss {
    pub(super) failure: Failure,
    pub(super) spoken: Option<Spoken>,
}

/// A response that is no answer.
pub(super) struct Spoken {
    pub(super) rcode: u16,
    pub(super) ede: Vec<Ede>,
}

/// Asks one server until it answers, fails, or the deadline has passed.
pub(super) async fn attempt(context: Context<'_>, server: &Server) -> Result<Hit, Miss> {
    let manner = server.manner(context.group.spec.cookies, context.clock.begin());
    pay(context)?;
    bump(&server.counts.tallies.queries);
    let hit = send(context, server, manner).await?;
    judge(context, server, manner, hit).await
}

/// As [`attempt`], from where a query over UDP was sent already.
pub(super) async fn go_on(
    context: Context<'_>,
    server: &Server,
    manner: Manner,
    udp: impl Future<Output = Result<Reply, ExchangeError>>,
) -> Result<Hit, Miss> {
    let hit = after_udp(context, server, manner, udp.await).await?;
    judge(context, server, manner, hit).await
}

/// Whether a response is an answer as it stands: nearly always.
pub(super) fn is_answer(manner: Manner, message: &Message) -> bool {
    !message.is_truncated() && !is_failure(message.rcode) && !fails(manner, message)
}

/// RFC 7873 §5.3: a server that says BADCOOKIE is asked again with the cookie that it sent along; if it says so again, or
/// sent none, over TCP.
async fn show_cookie(
    context: Context<'_>,
    server: &Server,
    manner: Manner,
    refusal: Hit,
) -> Result<Hit, Miss> {
    bump(&server.counts.tallies.cookie_fallbacks);
    let is_given = refusal.message.cookie.is_some_and(|cookie| !cookie.server().is_empty());
    let mut hit = refusal;
    if manner.cookies == Cookies::On && is_given && !hit.tcp {
        hit = converse(context, server, manner).await?;
    }
    if hit.message.rcode == rcode::BADCOOKIE && !hit.tcp {
        hit = over_tcp(context, server, manner).await?;
    }
    Ok(hit)
}

async fn judge(context: Context<'_>, server: &Server, manner: Manner, hit: Hit) -> Result<Hit, Miss> {
    let mut hit = hit;
    if hit.message.rcode == rcode::BADCOOKIE {
        hit = Box::pin(show_cookie(context, server, manner, hit)).await?;
    }
    // One that answers FORMERR with an OPT record knows EDNS, so it may be the option that it fails on. BADVERS is about EDNS
    // itself.
    let may_be_the_option = hit.message.edns && hit.message.rcode == rcode::FORMERR;
    if manner.cookies == Cookies::On && may_be_the_option && fails(manner, &hit.message) {
        bump(&server.counts.tallies.cookie_fallbacks);
        hit = Box::pin(converse(context, server, Manner { cookies: Cookies::Off, ..manner })).await?;
        if !fails_on_edns(&hit.message) {
            server.jar.failed(context.clock.now());
        }
    }
    if fails(manner, &hit.message) {
        bump(&server.counts.tallies.plain_fallbacks);
        hit = Box::pin(converse(context, server, Manner { dialect: Dialect::Plain, ..manner })).await?;
        if !fails_on_edns(&hit.message) {
            server.prefers_plain(context.clock.now());
        }
    }
    if is_failure(hit.message.rcode) {
        server.counts.note_response(hit.message.rcode, hit.rtt);
        let spoken = Spoken { rcode: hit.message.rcode, ede: hit.message.ede };
        return Err(Miss { failure: Failure::UpstreamFailed, spoken: Some(spoken) });
    }
    note_answer(server, hit.message.rcode, hit.rtt, || context.clock.now());
    Ok(hit)
}

pub(super) fn note_answer(server: &Server, rcode: u16, rtt: Duration, now: impl FnOnce() -> Now) {
    server.counts.note_response(rcode, rtt);
    server.health().measure(rtt);
    server.health().answered(now);
}

fn fails(manner: Manner, message: &Message) -> bool {
    manner.dialect == Dialect::Edns && fails_on_edns(message)
}

/// RFC 6891 §7: FORMERR or NOTIMP without an OPT record is what a server says that does not know EDNS; some say it with one.
fn fails_on_edns(message: &Message) -> bool {
    match message.rcode {
        rcode::FORMERR | rcode::BADVERS => true,
        rcode::NOTIMP => !message.edns,
        _ => false,
    }
}

/// RCODEs that speak of the server, not of the name: another server may know better.
fn is_failure(code: u16) -> bool {
    matches!(
        code,
        rcode::SERVFAIL | rcode::REFUSED | rcode::NOTIMP | rcode::FORMERR | rcode::BADVERS | rcode::BADCOOKIE
    )
}

pub(super) fn note_cookie(server: &Server, manner: Manner, message: &Message) {
    if manner.cookies == Cookies::On && manner.dialect == Dialect::Edns {
        server.jar.answered(message.cookie.as_ref());
    }
}

impl Group {
    /// The query over UDP to a server, in the manner that it understands.
    pub(super) fn query(&self, ask: &Ask, server: &Server, manner: Manner, now: Now) -> Query {
        let takes_cookies = manner.cookies == Cookies::On && manner.dialect == Dialect::Edns;
        let cookie =
            if takes_cookies { server.jar.to_send(self.source(server.address()), now) } else { None };
        let mut query = Query::with_cookie(ask, manner.dialect, cookie.as_ref());
        query.set_case(manner.case);
        query
    }

    /// The way to a server.
    pub(super) fn way(&self, server: &Server, deadline: Instant) -> Way {
        Way { server: server.address(), source: self.source(server.address()), deadline }
    }
}

fn a_try<'a>(group: &Group, server: &'a Server, query: &'a Query, deadline: Instant) -> Try<'a> {
    let way = group.way(server, deadline);
    Try { way, query, ignored: &server.counts.tallies.ignored_datagrams }
}

async fn converse(context: Context<'_>, server: &Server, manner: Manner) -> Result<Hit, Miss> {
    pay(context)?;
    send(context, server, manner).await
}

async fn send(context: Context<'_>, server: &Server, manner: Manner) -> Result<Hit, Miss> {
    let query = context.group.query(context.ask, server, manner, context.clock.now());
    let attempt = a_try(context.group, server, &query, context.deadline);
    let udp = context.exchange.udp(&attempt).await;
    after_udp(context, server, manner, udp).await
}

async fn after_udp(
    context: Context<'_>,
    server: &Server,
    manner: Manner,
    udp: Result<Reply, ExchangeError>,
) -> Result<Hit, Miss> {
    match udp {
        Ok(Reply { message, rtt }) if !message.is_truncated() => {
            note_cookie(server, manner, &message);
            Ok(Hit { message, tcp: false, rtt })
        }
        // What somebody may be forging is asked for where it cannot be forged.
        Ok(_) | Err(ExchangeError::Flooded) => Box::pin(over_tcp(context, server, manner)).await,
        Err(ExchangeError::Case) => {
            bump(&server.counts.tallies.case_fallbacks);
            let hit = Box::pin(converse(context, server, Manner { case: Case::Any, ..manner })).await?;
            // Whoever could forge this would have to guess ID and port once, and once more to gain by it.
            server.changes_case(context.clock.now());
            Ok(hit)
        }
        Err(ExchangeError::NoCookie) => {
            bump(&server.counts.tallies.cookie_fallbacks);
            let hit = Box::pin(over_tcp(context, server, manner)).await?;
            server.jar.omitted(hit.message.cookie.as_ref(), context.clock.now());
            Ok(hit)
        }
        Err(error) => {
            if let ExchangeError::Unreachable(_) = error {
                server.health().note(Signal::QueryFailed(Reason::Unreachable), context.clock.now());
            }
            Err(miss(server, error))
        }
    }
}

/// A failure here is not held against the server's health: it does answer, if not to this question.
async fn over_tcp(context: Context<'_>, server: &Server, manner: Manner) -> Result<Hit, Miss> {
    pay(context)?;
    bump(&server.counts.tallies.tcp_fallbacks);
    let query = context.group.query(context.ask, server, manner, context.clock.now());
    match context.exchange.tcp(&a_try(context.group, server, &query, context.deadline)).await {
        Ok(Reply { message, rtt }) if !message.is_truncated() => {
            note_cookie(server, manner, &message);
            Ok(Hit { message, tcp: true, rtt })
        }
        Ok(_) => {
            bump(&server.counts.tallies.garbage);
            Err(Miss { failure: Failure::UpstreamFailed, spoken: None })
        }
        // Nobody forges here: its cookies are garbled.
        Err(ExchangeError::Garbage(Mismatch::Cookie)) => {
            bump(&server.counts.tallies.cookie_fallbacks);
            let hit = Box::pin(over_tcp(context, server, Manner { cookies: Cookies::Off, ..manner })).await?;
            tracing::warn!(
                server = %server.address(),
                "the server returns DNS cookies that are not ours; it is asked without for a while"
            );
            server.jar.failed(context.clock.now());
            Ok(hit)
        }
        Err(error) => Err(miss(server, error)),
    }
}

/// Takes a query's share of what may be sent in a second.
fn pay(context: Context<'_>) -> Result<(), Miss> {
    let Context { group, clock, claim, .. } = context;
    if group.spec.rate.is_none() || group.budget.may_send(claim, clock.now().monotonic) {
        return Ok(());
    }
    bump(&group.counts.tallies().over_rate);
    Err(Miss { failure: Failure::Busy, spoken: None })
}

fn miss(server: &Server, error: ExchangeError) -> Miss {
    let tallies = &server.counts.tallies;
    let failure = match error {
        // The race counts silence, as it knows when it is one.
        ExchangeError::Timeout => Failure::Timeout,
        ExchangeError::Unreachable(_) => {
            bump(&tallies.unreachable);
            Failure::Unreachable
        }
        ExchangeError::Local(kind) => {
            bump(&tallies.local_errors);
            tracing::debug!(server = %server.address(), %kind, "cannot send a query");
            Failure::Unreachable
        }
        ExchangeError::Garbage(_)
        | ExchangeError::Flooded
        | ExchangeError::Case
        | ExchangeError::NoCookie => {
            bump(&tallies.garbage);
            Failure::UpstreamFailed
        }
    };
    Miss { failure, spoken: None }
}
