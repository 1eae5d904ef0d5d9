//! One name, one question: the routes that its client sees are asked in order until one has the name.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::fetch::fetch;
use super::walk::{Question, Trace};
use super::{Snapshot, Worker};
use crate::cache::{Cached, ResponseKey};
use crate::exchange::Ask;
use crate::query::{Failure, Now, Owns, Path, Response, Source, Verdict};
use crate::route::{Caps, FallThrough, RouteTable, Target};
use crate::wire::{Ede, Name, NameRef, RType, RecordRef, Records, rcode};
use crate::zone::{Dnssec, ZoneHandle};

/// How long the answer to ANY holds at most.
const ANY_TTL: u32 = 300;

/// Whether a step may wait for a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It may not: inside a batch.
    None,
    /// It may not, and what ends soon is wanted as if it were not there.
    Refresh,
    /// It may.
    Wait,
}

/// How a step gets what is said outside.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub patience: Patience,
    /// The time, where nothing is waited for.
    pub now: Now,
    /// Who asks: it may be the server that we ask.
    pub client: std::net::IpAddr,
    /// What was fetched for this query, however short it holds.
    pub in_hand: &'a [InHand],
    /// Who goes on with a fetch when the client has got what stands in for it; none where nothing is waited for.
    pub host: Option<Host<'a>>,
}

impl<'a> Means<'a> {
    /// With what is at hand.
    pub(super) fn at_once(now: Now, path: &Path, in_hand: &'a [InHand]) -> Means<'a> {
        Means { patience: Patience::None, now, client: path.client.ip(), in_hand, host: None }
    }

    /// Waiting, for whom `host` is.
    pub(super) fn of(host: Host<'a>, now: Now, path: &Path, in_hand: &'a [InHand]) -> Means<'a> {
        Means { patience: Patience::Wait, host: Some(host), ..Means::at_once(now, path, in_hand) }
    }
}

/// A query's own hold on what it runs in, and when it arrived.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub worker: &'a Rc<Worker>,
    pub snapshot: &'a Arc<Snapshot>,
    pub arrived: Duration,
}

/// What was fetched for a query.
pub(super) struct InHand {
    pub key: ResponseKey,
    pub cached: Cached,
    pub routes: Found,
}

/// The routes that a view sees for a name, as they were found in a table.
#[derive(Debug, Clone)]
pub(super) struct Found {
    table: u64,
    routes: SmallVec<[u32; 8]>,
    extent: Extent,
}

/// How many of its routes were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    All,
    First,
}

impl Found {
    /// The first alone.
    pub(super) fn first(table: &RouteTable, route: u32) -> Found {
        Found { table: table.serial(), routes: smallvec![route], extent: Extent::First }
    }

    /// The first, if it alone was looked for, in this table.
    pub(super) fn only_first(&self, table: &RouteTable) -> Option<u32> {
        let is_first = self.extent == Extent::First && self.table == table.serial();
        if is_first { self.routes.first().copied() } else { None }
    }

    /// What was found for this name before, in the same table, or else what is there now. One query has one view.
    fn again(snapshot: &Snapshot, view: u32, name: &Name, in_hand: &[InHand]) -> Found {
        let table = snapshot.table.serial();
        let is_whole = |found: &Found| found.table == table && found.extent == Extent::All;
        let before = |hand: &&InHand| is_whole(&hand.routes) && hand.key.is_of(name.as_ref());
        let routes = match in_hand.iter().find(before) {
            Some(hand) => SmallVec::from_slice(&hand.routes.routes),
            None => snapshot.table.candidates(view, name.as_ref()).collect(),
        };
        Found { table, routes, extent: Extent::All }
    }
}

/// A source would have to be waited for: this question to this route.
#[derive(Debug)]
pub(super) struct Wanted {
    pub route: u32,
    pub key: ResponseKey,
    pub routes: Found,
    pub ask: Ask,
    /// How many flights had ended when the cache was looked at.
    pub ended: u64,
}

/// What became of one name.
pub(super) enum Step {
    /// Some route's source spoke.
    Said(Said),
    /// None could.
    Failed(Failure, Vec<Ede>),
    /// No route covers the name.
    Unrouted,
}

/// What a source said at one name, cut to what its view may see.
pub(super) struct Said {
    pub response: Response,
    pub verdict: Verdict,
}

/// Asks the routes for `name` in order.
///
/// A layer without the name passes on where it falls through. NXDOMAIN is said only if no layer has the name; a layer in
/// which it exists for the sake of the tree alone makes it NODATA.
pub(super) async fn step(
    worker: &Worker,
    snapshot: &Snapshot,
    view: u32,
    name: &Name,
    question: &Question,
    means: Means<'_>,
    trace: &mut Trace,
) -> Result<Step, Box<Wanted>> {
    let found = Found::again(snapshot, view, name, means.in_hand);
    let candidates = &found.routes;
    let mut passed: Option<Said> = None;
    let mut below_a_cut = None;
    for (nth, &route) in candidates.iter().enumerate() {
        let spec = snapshot.table.route(route);
        let more = &candidates[nth + 1..];
        if below_a_cut.is_some() && !spec.target.leads_outside() {
            continue;
        }
        let (mut response, mut verdict) = match spec.target {
            Target::Refuse => return Ok(failed(trace, route, Failure::RefusedByRule)),
            Target::Zone(zone)
                if question.qtype == RType::DS && parent_knows(snapshot, zone, name, more, trace) =>
            {
                continue;
            }
            Target::Zone(zone) => ask_zone(&snapshot.zones[zone as usize], name, question, trace),
            Target::Forward(_) | Target::Recurse if !question.recursion_desired => {
                // Whether the name exists is not known without asking here: what passed it on cannot deny it.
                return Ok(failed(trace, route, Failure::NotAuthoritative));
            }
            Target::Forward(_) | Target::Recurse if question.qtype == RType::ANY => {
                minimal_any(name, &spec.caps, trace)
            }
            Target::Forward(_) | Target::Recurse => {
                let fetched = fetch(worker, snapshot, (route, &found), name, question, means, trace).await?;
                match fetched {
                    Ok(response) => {
                        let (response, chain, verdict) =
                            cut_to_view(snapshot, view, route, name, question.qtype, response);
                        let passes = spec.fall_through == FallThrough::Yes && !more.is_empty();
                        let has_others = passes || passed.is_some();
                        (response, if has_others { of_this_name(chain, verdict) } else { verdict })
                    }
                    Err((failure, ede)) => {
                        trace.route = Some(route);
                        return Ok(Step::Failed(failure, ede));
                    }
                }
            }
        };
        trace.route = Some(route);
        keep_own_additional(snapshot, view, route, &mut response);
        match &verdict {
            // Below a cut our zone knows only whom to ask. A client that wants recursion is not sent there itself, if
            // some route of its view can go for it.
            Verdict::Referral if question.recursion_desired && leads_outside(snapshot, more) => {
                below_a_cut = Some(Said { response, verdict });
                continue;
            }
            Verdict::NoData(Owns::Records) => note_negative(trace, &response),
            Verdict::NxDomain | Verdict::NoData(Owns::Structure) => {
                note_negative(trace, &response);
                if let Some(earlier) = passed.take() {
                    merge_negatives(&earlier, &mut response, &mut verdict);
                }
                if spec.fall_through == FallThrough::Yes && !more.is_empty() {
                    passed = Some(Said { response, verdict });
                    continue;
                }
            }
            _ => {}
        }
        return Ok(Step::Said(Said { response, verdict }));
    }
    Ok(passed.or(below_a_cut).map_or(Step::Unrouted, Step::Said))
}

fn failed(trace: &mut Trace, route: u32, failure: Failure) -> Step {
    trace.route = Some(route);
    trace.source = Source::Local;
    Step::Failed(failure, Vec::new())
}

/// Whether one of these routes can go for what lies below a zone cut. A refusal is not stepped over.
fn leads_outside(snapshot: &Snapshot, routes: &[u32]) -> bool {
    let target = |route: &u32| snapshot.table.route(*route).target;
    routes
        .iter()
        .map(target)
        .find(|target| !matches!(target, Target::Zone(_)))
        .is_some_and(Target::leads_outside)
}

fn ask_zone(handle: &ZoneHandle, name: &Name, question: &Question, trace: &mut Trace) -> (Response, Verdict) {
    // The counter is read before the content: if the zone changes in between, the answer dies early, never late.
    let generation = handle.generation();
    trace.stamps.push((handle.generation_counter(), generation));
    trace.source = Source::Zone;
    let dnssec = if question.dnssec_ok { Dnssec::Wanted } else { Dnssec::Unwanted };
    handle.zone().lookup_with(name.as_ref(), question.qtype, dnssec)
}

/// Whether the next zone above this one delegates it: only the parent knows the DS of a zone (RFC 4035 §3.1.4.1).
fn parent_knows(snapshot: &Snapshot, zone: u32, name: &Name, more: &[u32], trace: &mut Trace) -> bool {
    let handle = |zone: u32| &snapshot.zones[zone as usize];
    let is_apex = |zone: u32| handle(zone).zone().origin() == name;
    if !is_apex(zone) {
        return false;
    }
    let mut above = more.iter().map(|route| &snapshot.table.route(*route).target);
    match above.find(|target| !matches!(target, Target::Zone(zone) if is_apex(*zone))) {
        Some(Target::Zone(parent)) => {
            // What the child says holds as long as the parent does not delegate it.
            let parent = handle(*parent);
            trace.stamps.push((parent.generation_counter(), parent.generation()));
            parent.zone().delegates(name.as_ref())
        }
        _ => false,
    }
}

/// ANY towards the outside is answered here, with the least (RFC 8482 §4.2): nobody needs it, and it amplifies.
fn minimal_any(name: &Name, caps: &Caps, trace: &mut Trace) -> (Response, Verdict) {
    let mut answer = Records::new();
    let rdata = b"\x07RFC8482\x00";
    let ttl = u32::try_from(caps.max_ttl.as_secs()).map_or(ANY_TTL, |cap| cap.min(ANY_TTL));
    answer.push(RecordRef { owner: name.as_ref(), rtype: RType::HINFO, class: 1, ttl, rdata });
    trace.source = Source::Local;
    (Response { answer, ..Response::default() }, Verdict::Answer)
}

/// Joins what an earlier layer and this one did not have.
fn merge_negatives(earlier: &Said, response: &mut Response, verdict: &mut Verdict) {
    if earlier.verdict == Verdict::NxDomain || *verdict != Verdict::NxDomain {
        return;
    }
    // The name exists up there: NODATA. What was proven about its absence down here (NSEC) is no proof of that.
    *verdict = Verdict::NoData(Owns::Structure);
    response.rcode = rcode::NOERROR;
    response.authentic = false;
    response.authority = response.authority.filtered(|record| record.rtype == RType::SOA);
    if response.authority.is_empty() {
        response.authority = earlier.response.authority.clone();
    }
}

/// A layer without the name may be believed no longer than its SOA says, whatever a later layer answers.
fn note_negative(trace: &mut Trace, response: &Response) {
    let holds = Duration::from_secs(u64::from(response.negative_ttl().unwrap_or(0)));
    trace.negative = Some(trace.negative.map_or(holds, |least| least.min(holds)));
}

/// The name that was asked, and those that its aliases lead to inside one response.
type Chain = SmallVec<[Name; 4]>;

/// Cuts a forwarded response where its chain enters what another route of this view answers for.
///
/// A cached response is shared by all views that see its route, but the names behind its CNAMEs may be private in one
/// view and public in another: each hop is believed only while this route is the first that the view asks for it.
fn cut_to_view(
    snapshot: &Snapshot,
    view: u32,
    route: u32,
    name: &Name,
    qtype: RType,
    mut response: Response,
) -> (Response, Chain, Verdict) {
    let mut chain = Chain::new();
    chain.push(name.clone());
    let verdict = loop {
        let current = &chain[chain.len() - 1];
        match response.verdict(current.as_ref(), qtype) {
            Verdict::Alias(target) => {
                if chain.contains(&target) || snapshot.table.first(view, target.as_ref()) != Some(route) {
                    break Verdict::Alias(target);
                }
                chain.push(target);
            }
            // A chain that simply ends was not followed by its source: its target is to be asked.
            Verdict::NoData(_) if chain.len() > 1 && response.negative_ttl().is_none() => {
                break Verdict::Alias(current.clone());
            }
            verdict => break verdict,
        }
    };
    let owned = |owner: NameRef<'_>| chain.iter().any(|name| name.as_ref() == owner);
    let above = |record: &RecordRef<'_>| {
        record.rtype == RType::DNAME && chain.iter().any(|n| n.as_ref().is_under(record.owner))
    };
    if !response.answer.iter().all(|record| owned(record.owner)) {
        response.answer = response.answer.filtered(|record| owned(record.owner) || above(record));
    }
    (response, chain, verdict)
}

/// What a response with such a chain means for the name that was asked, where other layers are asked too: an alias
/// exists, whatever its target does. Each layer may have that target, so it is routed by itself.
fn of_this_name(mut chain: Chain, verdict: Verdict) -> Verdict {
    match (verdict, chain.len()) {
        (Verdict::NxDomain, 2..) => chain.pop().map_or(Verdict::NxDomain, Verdict::Alias),
        (verdict, _) => verdict,
    }
}

/// Leaves out additional records whose owners this view would ask another route for.
fn keep_own_additional(snapshot: &Snapshot, view: u32, route: u32, response: &mut Response) {
    let own = |record: &RecordRef<'_>| snapshot.table.first(view, record.owner) == Some(route);
    if !response.additional.iter().all(|record| own(&record)) {
        response.additional = response.additional.filtered(own);
    }
}
