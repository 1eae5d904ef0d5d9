//! A datagram from an upstream: what is kept of it lies in the domain that the upstream is asked for, was in the
//! datagram, and can be sent to a client.

use kakehashi::exchange::accept::accept;
use kakehashi::exchange::{Ask, Dialect, Query};
use kakehashi::query::Response;
use kakehashi::upstream::scrub::scrub;
use kakehashi::wire::build::{Fit, Plan, build};
use kakehashi::wire::message::Message;
use kakehashi::wire::{HEADER, Name, NameRef, RType, RecordRef, Records, u16_at};

const ID: u16 = 0x1234;
/// What a message may hold when its names are written out, each record with its fixed fields beside.
const MOST: usize = (1 << 20) + 10 * 65_536;
const TYPES: [RType; 8] =
    [RType::A, RType::AAAA, RType::CNAME, RType::MX, RType::SRV, RType::HTTPS, RType::NS, RType::ANY];
const DOMAINS: [&str; 4] = ["technova.local", "b.technova.local", "a.b.technova.local", "."];

/// The first octet is what was asked, and whether the rest begins with a header or with what follows our question.
pub fn run(input: &[u8]) {
    let Some((&what, rest)) = input.split_first() else { return };
    let ask = Ask::new("a.b.technova.local".parse().unwrap(), TYPES[usize::from(what & 7)])
        .within(DOMAINS[usize::from(what >> 3 & 3)].parse().unwrap());
    let query = Query::new(&ask, Dialect::Edns);
    let Some(datagram) = datagram(&query, what, rest) else { return };
    let Ok(message) = accept(&query, ID, &datagram) else { return };
    let response = scrub(&ask, message.clone());
    check(&ask, &message, &response);
    check_again(&ask, &message, &response);
    check_written(&query, &response);
}

fn datagram(query: &Query, what: u8, rest: &[u8]) -> Option<Vec<u8>> {
    if what & 0x80 != 0 {
        return Some(rest.to_vec());
    }
    // Most inputs shall get past the comparison with the query.
    let (head, sections) = rest.split_first_chunk::<8>()?;
    let mut bytes = ID.to_be_bytes().to_vec();
    bytes.extend([head[0] & 0x87 | 0x80, head[1], 0, 1]);
    bytes.extend(&head[2..]);
    bytes.extend(query.question());
    bytes.extend(sections);
    Some(bytes)
}

fn check(ask: &Ask, message: &Message, response: &Response) {
    let domain = ask.forwarded_domain.as_ref();
    let from = [&message.answer, &message.authority, &message.additional];
    let kept = [&response.answer, &response.authority, &response.additional];
    for (from, kept) in from.into_iter().zip(kept) {
        assert!(is_part(kept, from), "{kept:?} of {from:?}");
        assert!(kept.byte_len() <= MOST);
        assert!(kept.iter().all(|r| i32::try_from(r.ttl).is_ok() && r.class == ask.qclass));
    }
    for record in response.answer.iter().chain(&response.additional) {
        assert!(record.owner.is_under(domain), "{record:?} outside of {domain}");
    }
    for record in &response.authority {
        let negative = matches!(covered(&record), RType::SOA | RType::NSEC | RType::NSEC3);
        let above =
            negative && zone_above(&response.authority, domain).is_some_and(|z| record.owner.is_under(z));
        assert!(record.owner.is_under(domain) || above, "{record:?} outside of {domain}");
    }
    assert!(response.additional.iter().all(|r| matches!(covered(&r), RType::A | RType::AAAA)));
}

/// The zone of a negative answer, where the forwarded domain lies in the middle of it.
fn zone_above<'a>(authority: &'a Records, domain: NameRef<'_>) -> Option<NameRef<'a>> {
    authority.iter().find(|r| r.rtype == RType::SOA && domain.is_under(r.owner)).map(|r| r.owner)
}

/// Whether these records are among those, in the same order.
fn is_part(kept: &Records, from: &Records) -> bool {
    let mut from = from.iter();
    kept.iter().all(|record| from.any(|other| is_same(&other, &record)))
}

fn is_same(one: &RecordRef<'_>, other: &RecordRef<'_>) -> bool {
    one == other && one.owner.wire() == other.owner.wire()
}

fn covered(record: &RecordRef<'_>) -> RType {
    match record.rtype {
        RType::RRSIG => u16_at(record.rdata, 0).map_or(RType::RRSIG, RType),
        rtype => rtype,
    }
}

/// What is believable stays so.
fn check_again(ask: &Ask, message: &Message, response: &Response) {
    let Response { rcode, answer, authority, additional, .. } = response.clone();
    let again = scrub(ask, Message { rcode, answer, authority, additional, ..message.clone() });
    assert_eq!(&again, response);
}

/// What is believable can be passed on, and says the same then.
fn check_written(query: &Query, response: &Response) {
    let plan = Plan {
        id: ID,
        flags: 0x8180,
        rcode: response.rcode & 0xF,
        question: query.question(),
        answer: &response.answer,
        authority: &response.authority,
        additional: &response.additional,
        opt: None,
        limit: usize::from(u16::MAX),
    };
    let (mut out, mut ttls) = (Vec::new(), Vec::new());
    let fit = build(&plan, &mut out, &mut ttls);
    let read = Message::parse(&out).unwrap();
    assert_eq!(NameRef::parse(&out, HEADER).unwrap().wire(), name(query).wire());
    if fit == Fit::Whole {
        let written = [&response.answer, &response.authority, &response.additional];
        for (read, written) in [&read.answer, &read.authority, &read.additional].into_iter().zip(written) {
            assert_eq!(read.len(), written.len());
            assert!(read.iter().zip(written).all(|(read, written)| is_alike(&read, &written)));
        }
    }
}

fn name(query: &Query) -> Name {
    NameRef::parse(query.question(), 0).unwrap().to_name()
}

/// Names that were compressed come back in the case of what they point to.
fn is_alike(read: &RecordRef<'_>, written: &RecordRef<'_>) -> bool {
    let fields = |r: &RecordRef<'_>| (r.rtype, r.class, r.ttl, r.rdata.len(), r.rdata.to_ascii_lowercase());
    read.owner == written.owner && fields(read) == fields(written)
}
