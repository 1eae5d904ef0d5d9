//! From a question to an answer: step after step along a CNAME chain, each routed in the same client's view.

use std::time::Duration;

use smallvec::SmallVec;

use super::step::{Means, Said, Step, Wanted, step};
use super::{Snapshot, Worker};
use crate::cache::answer::Stamp;
use crate::query::{Failure, Order, Response, Source, Verdict};
use crate::wire::{Ede, Name, RType, Request, rcode};

/// How many CNAMEs are followed, whatever mix of zones and upstreams the chain crosses.
const MAX_CHAIN: usize = 11;

/// What is asked, and the bits of the query that sources may see.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub qname: Name,
    pub qtype: RType,
    pub recursion_desired: bool,
    pub dnssec_ok: bool,
    pub checking_disabled: bool,
}

impl Question {
    pub(super) fn of(request: &Request<'_>) -> Question {
        Question {
            qname: request.qname.to_name(),
            qtype: request.qtype,
            recursion_desired: request.recursion_desired(),
            dnssec_ok: request.dnssec_ok(),
            checking_disabled: request.checking_disabled(),
        }
    }
}

/// An answer, and where it came from.
#[derive(Debug)]
pub(super) struct Walked {
    pub response: Response,
    pub trace: Trace,
}

/// Where an answer came from.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    /// The route that gave the end of the chain.
    pub route: Option<u32>,
    /// The upstream server, by its number in the directory.
    pub server: Option<u32>,
    pub source: Source,
    /// The zones that were asked, and how they stood.
    pub stamps: SmallVec<[Stamp; 1]>,
    /// Whether every record is a zone's own: its TTL does not count down.
    pub all_zones: bool,
    /// The least time for which a layer that had no such name may be taken at its word.
    pub negative: Option<Duration>,
    /// How far the oldest second of what was cached has gone: the next tick of its TTLs comes that much earlier.
    pub tick: Duration,
}

impl Trace {
    /// Forgets the numbers: their configuration is no longer in force.
    pub(super) fn forget(&mut self) {
        (self.route, self.server) = (None, None);
    }
}

impl Default for Trace {
    fn default() -> Self {
        Trace {
            route: None,
            server: None,
            source: Source::Local,
            stamps: SmallVec::new(),
            all_zones: true,
            negative: None,
            tick: Duration::ZERO,
        }
    }
}

/// A question that has no answer, why, and where it failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub failure: Failure,
    pub ede: Vec<Ede>,
    pub trace: Trace,
}

/// Walks a question to its end.
pub(super) async fn walk(
    worker: &Worker,
    snapshot: &Snapshot,
    view: u32,
    question: &Question,
    means: Means<'_>,
) -> Result<Result<Walked, Failed>, Box<Wanted>> {
    let mut joined = Response::default();
    let mut trace = Trace::default();
    let mut name = question.qname.clone();
    let mut visited: SmallVec<[Name; 4]> = SmallVec::new();
    for hop in 0..=MAX_CHAIN {
        let said = match step(worker, snapshot, view, &name, question, means, &mut trace).await? {
            Step::Said(said) => said,
            // A chain that leads out of what this view may see ends like that of an authoritative server: with what is
            // known, and without a word on the rest.
            Step::Unrouted | Step::Failed(Failure::RefusedByRule | Failure::NotAuthoritative, _)
                if hop > 0 =>
            {
                joined.rcode = rcode::NOERROR;
                return Ok(Ok(Walked { response: joined, trace }));
            }
            Step::Unrouted => return Ok(Err(Failed { failure: Failure::NoRoute, ede: Vec::new(), trace })),
            Step::Failed(failure, ede) => return Ok(Err(Failed { failure, ede, trace })),
        };
        let Said { response, verdict } = said;
        if hop == 0 {
            joined.authoritative = response.authoritative;
            joined.authentic = response.authentic;
        }
        joined.authentic &= response.authentic;
        joined.answer.absorb(response.answer);
        joined.ede.extend(response.ede);
        if has_too_many_aliases(&joined) {
            break;
        }
        let Verdict::Alias(target) = verdict else {
            joined.rcode = response.rcode;
            joined.authority.absorb(response.authority);
            joined.additional = response.additional;
            joined.order = response.order;
            return Ok(Ok(Walked { response: joined, trace }));
        };
        if trace.source == Source::Zone {
            // That no name closer than the wildcard that is the alias exists.
            joined.authority.append(&response.authority);
        }
        joined.order = Order::Fixed;
        visited.push(std::mem::replace(&mut name, target));
        if visited.contains(&name) {
            break;
        }
    }
    Ok(Err(Failed { failure: Failure::ChainTooLong, ede: Vec::new(), trace }))
}

/// Whoever follows the aliases counts: those that one source followed as well as those from source to source.
fn has_too_many_aliases(joined: &Response) -> bool {
    let aliases = || joined.answer.iter().filter(|record| record.rtype == RType::CNAME).count();
    joined.answer.len() > MAX_CHAIN && aliases() > MAX_CHAIN
}
