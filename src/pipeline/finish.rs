//! From an answer to reply bytes: EDNS, size, truncation, turns; then it is kept, and recorded.

use std::time::Duration;

use super::walk::{Failed, Trace};
use super::{Snapshot, Worker};
use crate::cache::answer::{Finished, Key, Origin, Ttl};
use crate::policy::{Checked, Pass, Policy, Proof};
use crate::query::{Event, Failure, Now, Order, Path, Response, Source, Transport};
use crate::route::table::Client;
use crate::wire::build::{Fit, Opt, Plan, build};
use crate::wire::edns::{DO, option};
use crate::wire::patch::{Turn, rotate};
use crate::wire::request::Head;
use crate::wire::rtype::{CLASS_CH, CLASS_IN};
use crate::wire::{RType, RecordRef, Records, Request, add_option, cut_short, flag, rcode};

/// How long an answer from zones is kept at most: it ends by its zones' counters, long before.
const ZONE_ANSWER: Duration = Duration::from_secs(3600);

/// How many times larger than its query an answer to ANY is over UDP, at most.
const ANY_SWELL: usize = 4;

/// Who asked what, and when.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub request: &'a Request<'a>,
    pub path: &'a Path,
    pub now: Now,
    pub client: Option<Client>,
    /// What its cookie is worth, if it has one.
    pub cookie: Option<Checked>,
}

impl<'a> Asked<'a> {
    pub fn new(request: &'a Request<'a>, path: &'a Path, now: Now, snapshot: &Snapshot) -> Asked<'a> {
        let client = snapshot.table.client(path.client.ip());
        Asked { request, path, now, client, cookie: snapshot.policy.cookie(request, path, now) }
    }
}

/// The bits of a query that change the bytes of its answer, and whether it may be kept and served from the cache.
pub(super) fn cache_bits(request: &Request<'_>) -> Option<u8> {
    let edns = request.edns.as_ref();
    if edns.is_some_and(|edns| !edns.options.is_empty() && edns.option(option::NSID).is_some()) {
        return None;
    }
    let header = ((request.flags & (flag::RD | flag::AD | flag::CD)) >> 4) as u8 & 0b1_0011;
    Some(header | u8::from(edns.is_some()) << 2 | u8::from(request.dnssec_ok()) << 3)
}

/// How large a reply the client can take; its cookie is added when the reply leaves.
pub(super) fn limit(asked: &Asked<'_>, ours: u16) -> usize {
    let whole = match asked.path.transport {
        Transport::Tcp => usize::from(u16::MAX),
        Transport::Udp => {
            usize::from(asked.request.edns.map_or(512, |edns| edns.payload.clamp(512, ours.max(512))))
        }
    };
    let whole = match (asked.request.qtype, asked.path.transport) {
        // Nobody needs it, and who forges addresses likes it best (RFC 8482).
        (RType::ANY, Transport::Udp) => whole.min(ANY_SWELL * asked.request.packet.len()),
        _ => whole,
    };
    asked.cookie.map_or(whole, |cookie| whole - 4 - cookie.reply.len())
}

/// Whether an answer may be kept for the next who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// It may.
    Yes,
    /// It was found under a configuration that is no longer in force.
    No,
}

/// Writes an answer, keeps it where it may be asked for again, records it.
pub(super) fn answer(
    worker: &Worker,
    asked: &Asked<'_>,
    (response, trace): (&Response, &Trace),
    may: Keep,
    out: &mut Vec<u8>,
) {
    let (fit, turn) = write(worker, asked, response, out);
    if fit == Fit::Whole && may == Keep::Yes {
        keep(worker, asked, (response, trace), turn, out);
    }
    let code = expressible(response.rcode, asked.request);
    conclude(worker, asked, trace, code, response.ede.first().map(|ede| ede.code), out);
}

/// Writes why there is no answer, records it.
pub(super) fn failure(worker: &Worker, asked: &Asked<'_>, failed: &Failed, out: &mut Vec<u8>) {
    let mut ede = vec![failed.failure.ede()];
    ede.extend(failed.ede.iter().cloned());
    let response = Response { ede, ..Response::of(failed.failure.rcode()) };
    write(worker, asked, &response, out);
    conclude(worker, asked, &failed.trace, response.rcode, Some(response.ede[0].code), out);
}

/// Turns a query away before any source was asked.
pub(super) fn refuse(worker: &Worker, asked: &Asked<'_>, reason: Failure, out: &mut Vec<u8>) {
    failure(worker, asked, &Failed { failure: reason, ede: Vec::new(), trace: Trace::default() }, out);
}

/// Says who we are (RFC 4892).
pub(super) fn identity(worker: &Worker, asked: &Asked<'_>, out: &mut Vec<u8>) {
    let mut answer = Records::new();
    let node = worker.snapshot().node.clone();
    let text = &node[..node.len().min(255)];
    let rdata = [&[text.len() as u8], text].concat();
    let owner = asked.request.qname;
    answer.push(RecordRef { owner, rtype: RType::TXT, class: CLASS_CH, ttl: 0, rdata: &rdata });
    let response = Response { answer, authoritative: true, ..Response::default() };
    write(worker, asked, &response, out);
    conclude(worker, asked, &Trace::default(), rcode::NOERROR, None, out);
}

/// Turns a message away that is no query we can read.
pub(super) fn reject(
    worker: &Worker,
    packet: &[u8],
    head: &Head<'_>,
    code: u16,
    path: &Path,
    now: Now,
    out: &mut Vec<u8>,
) {
    let snapshot = worker.snapshot();
    let (client, policy) = (snapshot.table.client(path.client.ip()), &snapshot.policy);
    if client.is_none() && policy.drops_unknown() {
        return;
    }
    let cookie = head.cookie.map(|cookie| policy.secrets.check(&cookie, path.client.ip(), now));
    // RFC 7873 §5.4: asked for a cookie alone, we say whether the one shown is good.
    let is_wrong = cookie.is_some_and(|cookie| cookie.proof == Proof::Wrong);
    let code = if code == rcode::NOERROR && is_wrong { rcode::BADCOOKIE } else { code };
    let question = head.question_end.map_or(&[][..], |end| &packet[12..end]);
    let none = Records::new();
    // The opcode is echoed: a NOTIMP must say to what.
    let flags = flag::QR | head.flags & (0x7800 | flag::RD);
    let opt = Opt { payload: snapshot.udp_room, flags: 0, nsid: None, cookie: None, ede: &[] };
    let plan = Plan {
        id: head.id,
        flags,
        rcode: code,
        question,
        answer: &none,
        authority: &none,
        additional: &none,
        opt: (head.edns || code == rcode::BADVERS).then_some(opt),
        limit: 512,
    };
    build(&plan, out, &mut worker.scratch.borrow_mut());
    if !leave(policy, client, path, cookie.as_ref(), now, out) {
        return;
    }
    worker.emit(&Event {
        unix_micros: now.unix_micros,
        duration_micros: micros(worker, now),
        path: *path,
        network: client.map(|client| client.network),
        view: client.map(|client| client.view),
        route: None,
        server: None,
        source: Source::Local,
        qtype: 0,
        rcode: code,
        dnssec_ok: false,
        checking_disabled: false,
        ede: None,
        query: packet,
        response: out,
    });
}

fn write(worker: &Worker, asked: &Asked<'_>, response: &Response, out: &mut Vec<u8>) -> (Fit, Option<Turn>) {
    let request = asked.request;
    let snapshot = worker.snapshot();
    let recursion = asked.client.is_some_and(|client| snapshot.table.view(client.view).recursion);
    let wants_authentic = request.dnssec_ok() || request.flags & flag::AD != 0;
    let mut flags = flag::QR | request.flags & (flag::RD | flag::CD);
    for (bit, set) in [
        (flag::AA, response.authoritative),
        (flag::RA, recursion),
        (flag::AD, response.authentic && wants_authentic),
    ] {
        flags |= if set { bit } else { 0 };
    }
    let wants_nsid = request.edns.is_some_and(|edns| edns.option(option::NSID).is_some());
    let opt = Opt {
        payload: snapshot.udp_room,
        flags: if request.dnssec_ok() { DO } else { 0 },
        nsid: wants_nsid.then_some(&snapshot.node[..]),
        cookie: None,
        ede: &response.ede,
    };
    let plan = Plan {
        id: request.id,
        flags,
        rcode: expressible(response.rcode, request),
        question: request.question(),
        answer: &response.answer,
        authority: &response.authority,
        additional: &response.additional,
        opt: request.edns.map(|_| opt),
        limit: limit(asked, snapshot.udp_payload),
    };
    let mut ttls = worker.scratch.borrow_mut();
    let fit = build(&plan, out, &mut ttls);
    let mut turn = if fit == Fit::Truncated { None } else { turn(response) };
    if let Some(turn) = &mut turn {
        turn.by = worker.next_turn();
        rotate(out, &ttls, turn);
    }
    (fit, turn)
}

/// Without an OPT record an RCODE has four bits (RFC 6891 §6.1.3), and what is left of a larger one means something else.
fn expressible(code: u16, request: &Request<'_>) -> u16 {
    if request.edns.is_none() && code > 0xF { rcode::SERVFAIL } else { code }
}

/// The addresses at the end of an answer, if they may take turns.
fn turn(response: &Response) -> Option<Turn> {
    if response.order == Order::Fixed || response.answer.len() < 2 {
        return None;
    }
    let last = response.answer.iter().last()?;
    let width = match last.rtype {
        RType::A => 4,
        RType::AAAA => 16,
        _ => return None,
    };
    let same = |record: &RecordRef<'_>| record.rtype == last.rtype && record.owner == last.owner;
    let count = response.answer.iter().filter(same).count();
    let first = response.answer.len() - count;
    // They stand together, behind what led to them.
    let together =
        response.answer.iter().skip(first).all(|record| same(&record) && record.rdata.len() == width);
    (count > 1 && together).then_some(Turn {
        first: first as u16,
        count: count as u16,
        width: width as u8,
        by: 0,
    })
}

fn keep(
    worker: &Worker,
    asked: &Asked<'_>,
    (response, trace): (&Response, &Trace),
    turn: Option<Turn>,
    wire: &[u8],
) {
    // Most names are asked once. What is asked a second time is found among the responses, and kept then.
    // What stands in for something better is asked for again each time.
    if matches!(trace.source, Source::Forward | Source::Recurse) || response.is_stale() {
        return;
    }
    // A zone says NXDOMAIN as fast as a cache would, and random names would push out what is asked again.
    let cheap = response.rcode == rcode::NXDOMAIN && trace.all_zones;
    if cheap || (response.rcode != rcode::NOERROR && response.rcode != rcode::NXDOMAIN) {
        return;
    }
    let (Some(client), Some(bits)) = (asked.client, cache_bits(asked.request)) else { return };
    let Some(key) = Key::new(client.view, bits, asked.request.question()) else { return };
    let ttl = if trace.all_zones { Ttl::Constant } else { Ttl::CountDown };
    let least = match ttl {
        Ttl::Constant => ZONE_ANSWER,
        Ttl::CountDown => {
            let least = Duration::from_secs(u64::from(response.min_ttl().unwrap_or(0)));
            trace.negative.map_or(least, |negative| least.min(negative))
        }
    };
    if least.is_zero() {
        return;
    }
    let origin = Origin {
        route: trace.route,
        server: trace.server,
        rcode: response.rcode,
        ede: response.ede.first().map(|ede| ede.code),
    };
    // What is kept has been turned already: the next client is one further on.
    let turn = turn.map(|turn| Turn { by: 1, ..turn });
    let ttls = worker.scratch.borrow();
    let finished = Finished { wire, ttls: &ttls, turn, ttl, least, stamps: trace.stamps.clone(), origin };
    // Its seconds begin when those of the cached response do, or a TTL would go up from one worker to the next.
    let stored = worker.now().monotonic.saturating_sub(trace.tick);
    worker.answers.borrow_mut().put(&key, stored, finished);
}

/// Lets a reply go as far as limits allow, with its cookie, and records it. What is not sent is counted only.
fn conclude(
    worker: &Worker,
    asked: &Asked<'_>,
    trace: &Trace,
    code: u16,
    ede: Option<u16>,
    out: &mut Vec<u8>,
) {
    let leaves = {
        let policy = &worker.snapshot().policy;
        leave(policy, asked.client, asked.path, asked.cookie.as_ref(), asked.now, out)
    };
    if leaves {
        record(worker, asked, trace, code, ede, out);
    }
}

/// Says whether anything is left to send.
fn leave(
    policy: &Policy,
    client: Option<Client>,
    path: &Path,
    cookie: Option<&Checked>,
    now: Now,
    out: &mut Vec<u8>,
) -> bool {
    match policy.response(client.map(|client| client.network), path, cookie, now, out) {
        Pass::Whole => {}
        Pass::Cut => cut_short(out),
        Pass::Silence => {
            out.clear();
            return false;
        }
    }
    if let Some(cookie) = cookie {
        add_option(out, option::COOKIE, &cookie.reply);
    }
    true
}

/// Says to a client beyond its limit that it should come back by TCP, or with the cookie that it gets here.
pub(super) fn cut(worker: &Worker, asked: &Asked<'_>, out: &mut Vec<u8>) {
    // RFC 7873 §5.2.3.
    let code = if asked.cookie.is_some() { rcode::BADCOOKIE } else { rcode::NOERROR };
    write(worker, asked, &Response::of(code), out);
    match &asked.cookie {
        Some(cookie) => add_option(out, option::COOKIE, &cookie.reply),
        None => cut_short(out),
    }
    record(worker, asked, &Trace::default(), code, None, out);
}

fn record(worker: &Worker, asked: &Asked<'_>, trace: &Trace, code: u16, ede: Option<u16>, out: &[u8]) {
    let request = asked.request;
    worker.emit(&Event {
        unix_micros: asked.now.unix_micros,
        duration_micros: micros(worker, asked.now),
        path: *asked.path,
        network: asked.client.map(|client| client.network),
        view: asked.client.map(|client| client.view),
        route: trace.route,
        server: trace.server,
        source: trace.source,
        qtype: if request.qclass == CLASS_IN { request.qtype.0 } else { 0 },
        rcode: code,
        dnssec_ok: request.dnssec_ok(),
        checking_disabled: request.checking_disabled(),
        ede: ede.filter(|_| request.edns.is_some()),
        query: request.packet,
        response: out,
    });
}

/// Lets an answer go that was kept.
pub(super) fn conclude_cached(worker: &Worker, asked: &Asked<'_>, origin: &Origin, out: &mut Vec<u8>) {
    let source = Source::AnswerCache;
    let trace = Trace { route: origin.route, server: origin.server, source, ..Trace::default() };
    conclude(worker, asked, &trace, origin.rcode, origin.ede, out);
}

fn micros(worker: &Worker, since: Now) -> u32 {
    let taken = worker.lately().monotonic.saturating_sub(since.monotonic);
    u32::try_from(taken.as_micros()).unwrap_or(u32::MAX)
}
