//! The walk of most questions that the answer cache does not know: the first route that the view sees leads to a server,
//! and that says the records asked for and nothing else. Such a walk is one step of which nothing but the records is left,
//! so it is taken here, without the walk (walking twice was three tenths of the instructions of a miss).
//!
//! Whatever is less plain is walked, from the beginning. Where both could answer, both must give the same reply.

use std::time::Duration;

use super::fetch::{Bits, ask_for, note};
use super::step::{Found, Wanted};
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
    let Some(cached) = shared.responses.get(&key, now) else {
        let ask = ask_for(&spec.domain, request.qname, request.qtype, bits);
        let routes = Found::first(&snapshot.table, route);
        return Err(worker.spare_wanted.fill(Wanted { route, key, routes, ask, ended }));
    };
    let plain = walked(snapshot, request, route, now, cached, Source::ResponseCache).ok();
    if plain.is_some() {
        shared.responses.count_hit();
    }
    Ok(plain)
}

/// The answer, if what came was asked for by [`begin`] and is as plain as was hoped. Otherwise gives it back.
#[allow(clippy::result_large_err)] // it is moved back, seldom; boxing it would cost those that are not
pub(super) fn end(
    snapshot: &Snapshot,
    request: &Request<'_>,
    now: Duration,
    routes: &Found,
    cached: Cached,
) -> Result<Walked, Cached> {
    match routes.only_first(&snapshot.table) {
        Some(route) => walked(snapshot, request, route, now, cached, Source::Forward),
        None => Err(cached),
    }
}

#[allow(clippy::result_large_err)] // as above
fn walked(
    snapshot: &Snapshot,
    request: &Request<'_>,
    route: u32,
    now: Duration,
    cached: Cached,
    source: Source,
) -> Result<Walked, Cached> {
    let mut trace = Trace { route: Some(route), all_zones: false, ..Trace::default() };
    let age = note(now, snapshot, snapshot.table.route(route).target, &cached, source, &mut trace);
    match cached {
        Cached { outcome: Ok(mut response), .. } if is_what_was_asked(request, &response) => {
            response.grow_old(age);
            Ok(Walked { response, trace })
        }
        other => Err(other),
    }
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
