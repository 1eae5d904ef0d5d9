//! The walk of most questions that the answer cache does not know: the first route that the view sees leads to a server,
//! and that says the records asked for and nothing else. Such a walk is one step of which nothing but the records is left,
//! so it is taken here, without the walk (a third of what a miss takes in user space was walking twice).
//!
//! Whatever is less plain is walked, from the beginning. Where both could answer, both must give the same reply.

use std::time::Duration;

use smallvec::SmallVec;

use super::fetch::{as_of, ask_for, bits};
use super::step::{Found, InHand, Wanted};
use super::walk::{Trace, Walked};
use super::{Snapshot, Worker};
use crate::cache::{Cached, ResponseKey};
use crate::query::{Response, Source};
use crate::route::Target;
use crate::wire::{RType, Request, rcode};

/// Answers a question that was asked before, or says what has to be waited for. `None`: it has to be walked.
pub(super) fn begin(
    worker: &Worker,
    snapshot: &Snapshot,
    view: u32,
    request: &Request<'_>,
    now: Duration,
) -> Result<Option<Walked>, Box<Wanted>> {
    // Where something may stand in at once, more is to be asked than whether it is cached.
    let is_plain = request.recursion_desired()
        && !matches!(request.qtype, RType::ANY | RType::CNAME)
        && (snapshot.keeping.serve_stale.is_zero() || !snapshot.keeping.stale_after.is_zero());
    let first = if is_plain { snapshot.table.first(view, request.qname) } else { None };
    let Some(route) = first else { return Ok(None) };
    let spec = snapshot.table.route(route);
    if !matches!(spec.target, Target::Forward(_)) {
        return Ok(None);
    }
    let shared = &worker.shared;
    let (dnssec_ok, checking_disabled) = (request.dnssec_ok(), request.checking_disabled());
    let key = ResponseKey::new(spec.uid, bits(dnssec_ok, checking_disabled), request.qname, request.qtype);
    // Before the cache is looked at.
    let ended = shared.flights.ended(&key);
    match shared.responses.get(&key, now) {
        Some(cached) if is_what_was_asked(request, &cached) => {
            shared.responses.count_hit();
            Ok(walked(snapshot, route, now, cached, Source::ResponseCache))
        }
        Some(_) => Ok(None),
        None => {
            let ask = ask_for(&spec.domain, request.qname, request.qtype, (dnssec_ok, checking_disabled));
            Err(Box::new(Wanted { route, key, routes: Found::first(&snapshot.table, route), ask, ended }))
        }
    }
}

/// The answer that is in hand, if it was asked for by [`begin`] and is as plain as was hoped.
pub(super) fn end(
    snapshot: &Snapshot,
    request: &Request<'_>,
    now: Duration,
    in_hand: &mut SmallVec<[InHand; 1]>,
) -> Option<Walked> {
    let [hand] = &in_hand[..] else { return None };
    let route = hand.routes.only_first(&snapshot.table)?;
    if !is_what_was_asked(request, &hand.cached) {
        return None;
    }
    walked(snapshot, route, now, in_hand.pop()?.cached, Source::Forward)
}

fn walked(snapshot: &Snapshot, route: u32, now: Duration, cached: Cached, source: Source) -> Option<Walked> {
    let mut trace = Trace { route: Some(route), all_zones: false, ..Trace::default() };
    let response =
        as_of(now, snapshot, snapshot.table.route(route).target, cached, source, &mut trace).ok()?;
    Some(Walked { response, trace })
}

/// Whether it is the RRset asked for: no alias to be followed, nothing of which another layer or another view might know
/// better.
fn is_what_was_asked(request: &Request<'_>, cached: &Cached) -> bool {
    let Ok(Response { rcode: rcode::NOERROR, answer, authority, additional, .. }) = &cached.outcome else {
        return false;
    };
    authority.is_empty()
        && additional.is_empty()
        && !answer.is_empty()
        && answer.iter().all(|record| record.rtype == request.qtype && record.owner == request.qname)
}
