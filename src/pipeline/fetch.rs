//! What a route's source outside says: from the response cache, from whoever is asking already, or from the source.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::step::{Found, InHand, Means, Patience, Wanted};
use super::walk::{Question, Trace};
use super::{Keeping, Snapshot, Worker};
use crate::cache::{Cached, Flight, Held, Lead, ResponseKey};
use crate::exchange::Ask;
use crate::query::{Failure, Response, Source};
use crate::route::{Caps, Target};
use crate::upstream::{Answered, Failed, Group};
use crate::wire::rtype::CLASS_IN;
use crate::wire::{Ede, Name, NameRef, RType, rcode};

/// How often the result of a leader that gave up is asked for again.
const TAKE_OVERS: usize = 2;

pub(super) type Outcome = Result<Response, (Failure, Vec<Ede>)>;

/// Fetches a response, its TTLs as they stand now.
pub(super) async fn fetch(
    worker: &Worker,
    snapshot: &Snapshot,
    (route, found): (u32, &Found),
    name: &Name,
    question: &Question,
    means: Means<'_>,
    trace: &mut Trace,
) -> Result<Outcome, Box<Wanted>> {
    let spec = snapshot.table.route(route);
    let bits = Bits::of(question).octet();
    let shared = &worker.shared;
    trace.all_zones = false;
    let as_of = |now, cached: Cached, source, trace: &mut Trace| {
        Ok(as_of(now, snapshot, spec.target, cached, source, trace))
    };
    let source = if spec.target == Target::Recurse { Source::Recurse } else { Source::Forward };
    let is_asked = |fetched: &&InHand| fetched.key.is(spec.uid, bits, name.as_ref(), question.qtype);
    if let Some(InHand { cached, .. }) = means.in_hand.iter().find(is_asked) {
        return as_of(means.now.monotonic, cached.clone(), source, trace);
    }
    let key = ResponseKey::new(spec.uid, bits, name.as_ref(), question.qtype);
    if means.patience != Patience::Wait {
        // Before the cache is looked at.
        let ended = shared.flights.ended(&key);
        let wanted = |key| {
            let ask = ask_of(&spec.domain, name, question);
            Box::new(Wanted { route, key, routes: found.clone(), ask, ended })
        };
        return at_hand(worker, snapshot, route, key, means, trace, wanted);
    }
    let now = worker.now().monotonic;
    let keeping = snapshot.keeping;
    let host = means.host.filter(|_| shared.responses.can_stand_in(&key, now, keeping.serve_stale));
    let (mut leads, mut given_up) = (false, 0);
    while given_up < TAKE_OVERS {
        match shared.flights.join(&key) {
            Flight::Lead(lead) => {
                // A hop of a chain may be known; and what was not a moment ago may have landed.
                if let Some(cached) = shared.responses.get(&key, now) {
                    lead.land(&cached);
                    shared.responses.count_hit();
                    return as_of(now, cached, Source::ResponseCache, trace);
                }
                if let Some(host) = host
                    && !leads
                {
                    leads = true;
                    let (worker, snapshot) = (Rc::clone(host.worker), Arc::clone(host.snapshot));
                    let (name, question, held) = (name.clone(), question.clone(), lead.hold());
                    spawn_local(fetch_alone(worker, snapshot, route, name, question, (key.clone(), held)));
                    continue;
                }
                shared.responses.count_miss();
                let cached = lead_on(worker, snapshot, route, name, question, (&key, lead)).await;
                return as_of(worker.now().monotonic, cached, source, trace);
            }
            Flight::Wait(landing) => {
                if let Target::Forward(group) = spec.target
                    && !leads
                    && snapshot.groups[group as usize].comes_back(
                        means.client,
                        &ask_of(&spec.domain, name, question),
                        &worker.exchange,
                        worker.now(),
                    )
                {
                    return Ok(Err((Failure::Loop, Vec::new())));
                }
                shared.responses.count_miss();
                let cached = match host {
                    Some(host) => {
                        landed_or_stale(worker, keeping, (&key, spec.caps), landing, host.arrived).await
                    }
                    None => landing.await.ok().map(|cached| Cached::clone(&cached)),
                };
                if let Some(cached) = cached {
                    return as_of(worker.now().monotonic, cached, source, trace);
                }
                given_up += 1;
            }
        }
    }
    Ok(Err((Failure::Internal, Vec::new())))
}

/// Asks the source, for all who wait for what it says.
async fn lead_on(
    worker: &Worker,
    snapshot: &Snapshot,
    route: u32,
    name: &Name,
    question: &Question,
    (key, lead): (&ResponseKey, Lead<'_>),
) -> Cached {
    let spec = snapshot.table.route(route);
    let said = ask(worker, snapshot, spec.target, &spec.domain, name, question).await;
    let mut cached = fetched(said, worker.now().monotonic);
    conclude(worker, snapshot, key, &mut cached, &spec.caps);
    lead.land(&cached);
    cached
}

/// The same in a task, which goes on when all who waited have got what stands in.
async fn fetch_alone(
    worker: Rc<Worker>,
    snapshot: Arc<Snapshot>,
    route: u32,
    name: Name,
    question: Question,
    (key, held): (ResponseKey, Held),
) {
    let lead = worker.shared.flights.take_up(held, &key);
    lead_on(&worker, &snapshot, route, &name, &question, (&key, lead)).await;
}

/// What lands, or what stands in for it once its client has waited long enough (RFC 8767 §5: the client response timer).
/// None if whoever fetched it gave up.
pub(super) async fn landed_or_stale(
    worker: &Worker,
    keeping: Keeping,
    (key, caps): (&ResponseKey, Caps),
    landing: oneshot::Receiver<Arc<Cached>>,
    arrived: Duration,
) -> Option<Cached> {
    let mut landing = landing;
    let patience = (arrived + keeping.stale_after).saturating_sub(worker.now().monotonic);
    if let Ok(landed) = timeout(patience, &mut landing).await {
        return landed.ok().map(|cached| Cached::clone(&cached));
    }
    let now = worker.now().monotonic;
    if let Some(stale) = worker.shared.responses.stand_in(key, now, keeping.serve_stale, caps.failure_ttl) {
        return Some(stale);
    }
    landing.await.ok().map(|cached| Cached::clone(&cached))
}

/// What can be said without waiting.
fn at_hand(
    worker: &Worker,
    snapshot: &Snapshot,
    route: u32,
    key: ResponseKey,
    means: Means<'_>,
    trace: &mut Trace,
    wanted: impl FnOnce(ResponseKey) -> Box<Wanted>,
) -> Result<Outcome, Box<Wanted>> {
    let (spec, responses, now) = (snapshot.table.route(route), &worker.shared.responses, means.now.monotonic);
    let found = responses.get(&key, now);
    let is_good = |cached: &Cached| means.patience != Patience::Refresh || !cached.is_ending(now);
    if let Some(cached) = found.filter(is_good) {
        if means.patience == Patience::None {
            responses.count_hit();
        }
        return Ok(as_of(now, snapshot, spec.target, cached, Source::ResponseCache, trace));
    }
    let wanted = wanted(key);
    let Keeping { serve_stale, stale_after, .. } = snapshot.keeping;
    if stale_after.is_zero()
        && means.patience == Patience::None
        && let Some(stale) = responses.stand_in(&wanted.key, now, serve_stale, spec.caps.failure_ttl)
    {
        // The client is not kept waiting; what it wanted is fetched for the next.
        *worker.stood_in_for.borrow_mut() = Some(wanted);
        return Ok(as_of(now, snapshot, spec.target, stale, Source::ResponseCache, trace));
    }
    Err(wanted)
}

/// What a source said now; it holds for as long as [`conclude`] finds.
pub(super) fn fetched((outcome, server): (Outcome, Option<SocketAddr>), now: Duration) -> Cached {
    Cached { outcome, server, stored: now, holds: Duration::ZERO }
}

/// Keeps what a source said, capped to what its route allows. Where it has no answer, one that it gave before stands in
/// (RFC 8767).
pub(super) fn conclude(
    worker: &Worker,
    snapshot: &Snapshot,
    key: &ResponseKey,
    cached: &mut Cached,
    caps: &Caps,
) {
    let responses = &worker.shared.responses;
    cached.holds = cap(&mut cached.outcome, caps);
    let longest = snapshot.keeping.serve_stale;
    if cached.is_failure()
        && !longest.is_zero()
        && let Some(stale) = responses.stand_in(key, cached.stored, longest, caps.failure_ttl)
    {
        *cached = stale;
        return;
    }
    responses.put(key, cached);
}

/// The bits of a query that change what a source says.
#[derive(Clone, Copy)]
pub(super) struct Bits {
    pub dnssec_ok: bool,
    pub checking_disabled: bool,
}

impl Bits {
    fn of(question: &Question) -> Bits {
        Bits { dnssec_ok: question.dnssec_ok, checking_disabled: question.checking_disabled }
    }

    /// For the key of what it says.
    pub(super) fn octet(self) -> u8 {
        u8::from(self.dnssec_ok) | u8::from(self.checking_disabled) << 1
    }
}

fn ask_of(domain: &Name, name: &Name, question: &Question) -> Ask {
    ask_for(domain, name.as_ref(), question.qtype, Bits::of(question))
}

/// AD is always asked for, so that one cached response serves those who want to know and those who do not.
pub(super) fn ask_for(
    domain: &Name,
    name: NameRef<'_>,
    qtype: RType,
    Bits { dnssec_ok, checking_disabled }: Bits,
) -> Ask {
    Ask {
        qname: name.to_name(),
        qtype,
        qclass: CLASS_IN,
        dnssec_ok,
        checking_disabled,
        authentic_wanted: true,
        forwarded_domain: domain.clone(),
    }
}

async fn ask(
    worker: &Worker,
    snapshot: &Snapshot,
    target: Target,
    domain: &Name,
    name: &Name,
    question: &Question,
) -> (Outcome, Option<SocketAddr>) {
    let ask = ask_of(domain, name, question);
    match (target, &snapshot.recursor) {
        (Target::Forward(group), _) => {
            let group = &snapshot.groups[group as usize];
            said(group, group.ask(&ask, &worker.exchange, worker.now()).await)
        }
        // Boxed, or every question would carry room for a recursion.
        (_, Some(recursor)) => {
            (Box::pin(recursor.ask(&ask)).await.map_err(|failure| (failure, Vec::new())), None)
        }
        (_, None) => (Err((Failure::Internal, Vec::new())), None),
    }
}

/// What a group said, and which of its servers.
pub(super) fn said(group: &Group, outcome: Result<Answered, Failed>) -> (Outcome, Option<SocketAddr>) {
    let address = |server: usize| Some(group.servers().get(server)?.address());
    match outcome {
        Ok(answered) => (Ok(answered.response), address(answered.server)),
        Err(failed) => (Err((failed.failure, failed.ede)), failed.server.and_then(address)),
    }
}

/// Caps what a source said to what its route allows, and says how long it holds.
fn cap(outcome: &mut Outcome, caps: &Caps) -> Duration {
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    match outcome {
        Err((failure, _)) if failure.is_of_the_moment() => Duration::ZERO,
        Err(_) => caps.failure_ttl,
        Ok(response) if response.rcode != rcode::NOERROR && response.rcode != rcode::NXDOMAIN => {
            caps.failure_ttl
        }
        Ok(response) => {
            let negative = response.negative_ttl();
            let is_negative =
                response.rcode == rcode::NXDOMAIN || response.answer.is_empty() || negative.is_some();
            let cap = if is_negative { seconds(caps.max_negative_ttl) } else { seconds(caps.max_ttl) };
            let cap = negative.map_or(cap, |ttl| ttl.min(cap));
            response.map_ttl(|ttl| ttl.min(cap));
            match response.min_ttl() {
                Some(least) if !is_negative || negative.is_some() => Duration::from_secs(u64::from(least)),
                // RFC 2308 §5: a negative answer without SOA should not be kept; but a burst of them is asked once.
                _ => caps.failure_ttl,
            }
        }
    }
}

/// What is cached, its TTLs as they stand now.
fn as_of(
    now: Duration,
    snapshot: &Snapshot,
    target: Target,
    cached: Cached,
    source: Source,
    trace: &mut Trace,
) -> Outcome {
    let age = note(now, snapshot, target, &cached, source, trace);
    let mut outcome = cached.outcome;
    match &mut outcome {
        Ok(response) => response.grow_old(age),
        Err((_, ede)) if source == Source::ResponseCache => {
            ede.push(Ede::new(Ede::CACHED_ERROR, "the failure is remembered"));
        }
        Err(_) => {}
    }
    outcome
}

/// Notes in the trace whence what is cached comes; gives its age in seconds.
pub(super) fn note(
    now: Duration,
    snapshot: &Snapshot,
    target: Target,
    cached: &Cached,
    source: Source,
    trace: &mut Trace,
) -> u32 {
    trace.source = if is_stale(&cached.outcome) { Source::Stale } else { source };
    trace.server = match (target, cached.server) {
        (Target::Forward(group), Some(address)) => server_number(snapshot, group, address),
        _ => None,
    };
    let tick = now.saturating_sub(cached.stored).subsec_nanos();
    trace.tick = trace.tick.max(Duration::from_nanos(u64::from(tick)));
    cached.age(now)
}

fn is_stale(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(Response::is_stale)
}

fn server_number(snapshot: &Snapshot, group: u32, address: SocketAddr) -> Option<u32> {
    let first = snapshot.first_server[group as usize] as usize;
    let servers = &snapshot.directory.servers[first..];
    servers.iter().position(|server| server.address == address).map(|at| (first + at) as u32)
}
