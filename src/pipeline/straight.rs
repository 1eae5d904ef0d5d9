//! The walk of most questions that the answer cache does not know: the first route that the view sees leads to a server,
//! and that says the records asked for and nothing else. Such a walk is one step of which nothing but the records is left,
//! so it is taken here, without the walk (walking twice was three tenths of the instructions of a miss).
//!
//! Whatever is less plain is walked, from the beginning. Where both could answer, both must give the same reply.

use std::time::Duration;

use super::fetch::{Bits, ask_for, note};
use super::step::{Found, Wanted};
use super::walk::Trace;
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
) -> Result<Option<(Response, Trace)>, Box<Wanted>> {
    // Where something may stand in at once, more is to be asked than whether it is cached.
    let may_be_plain = request.recursion_desired()
        && !matches!(request.qtype, RType::ANY | RType::CNAME)
        && (snapshot.keeping.serve_stale.is_zero() || !snapshot.keeping.stale_after.is_zero());
    let first = if may_be_plain { snapshot.table.first(view, request.qname) } else { None };
    let Some(route) = first else { return Ok(None) };
    let spec = snapshot.table.route(route);
    if !matches!(spec.target, Target::Forward(_)) {
        return Ok(None);
    }
    let shared = &worker.shared;
    let bits = Bits { dnssec_ok: request.dnssec_ok(), checking_disabled: request.checking_disabled() };
    let key = ResponseKey::new(spec.uid, bits.octet(), request.qname, request.qtype);
    // Before the cache is looked at.
    let ended = shared.flights.ended(&key);
    let Some(mut cached) = shared.responses.get(&key, now) else {
        let ask = ask_for(&spec.domain, request.qname, request.qtype, bits);
        let routes = Found::first(&snapshot.table, route);
        return Err(match worker.spare_wanted.take() {
            Some(mut wanted) => {
                (wanted.route, wanted.ended) = (route, ended);
                wanted.key = key;
                wanted.routes = routes;
                wanted.ask = ask;
                wanted
            }
            None => Box::new(Wanted { route, key, routes, ask, ended }),
        });
    };
    let trace = aged(snapshot, request, route, now, &mut cached, Source::ResponseCache);
    let plain = trace.and_then(|trace| Some((cached.outcome.ok()?, trace)));
    if plain.is_some() {
        shared.responses.count_hit();
    }
    Ok(plain)
}

/// If what came was asked for by [`begin`] and is as plain as was hoped, it is the answer, and is made as old as it is. Left
/// where it is: what is moved is copied.
pub(super) fn end(
    snapshot: &Snapshot,
    request: &Request<'_>,
    now: Duration,
    routes: &Found,
    cached: &mut Cached,
) -> Option<Trace> {
    let route = routes.only_first(&snapshot.table)?;
    aged(snapshot, request, route, now, cached, Source::Forward)
}

fn aged(
    snapshot: &Snapshot,
    request: &Request<'_>,
    route: u32,
    now: Duration,
    cached: &mut Cached,
    source: Source,
) -> Option<Trace> {
    if !cached.outcome.as_ref().is_ok_and(|response| is_what_was_asked(request, response)) {
        return None;
    }
    let mut trace = Trace { route: Some(route), all_zones: false, ..Trace::default() };
    let age = note(now, snapshot, snapshot.table.route(route).target, cached, source, &mut trace);
    if let Ok(response) = &mut cached.outcome {
        response.grow_old(age);
    }
    Some(trace)
}

/// Whether it is the RRset asked for: no alias to be followed, nothing of which another layer or another view might know
/// better.
fn is_what_was_asked(request: &Request<'_>, response: &Response) -> bool {
    let Response { rcode, answer, authority, additional, .. } = response;
    *rcode == rcode::NOERROR
        && authority.is_empty()
        && additional.is_empty()
        && !answer.is_empty()
        && answer.iter().all(|record| record.rtype == request.qtype && record.owner == request.qname)
}
