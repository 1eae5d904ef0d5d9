//! Which answers are the same for response rate limiting: what an attacker would have us send to his victim again and
//! again, whatever he has to ask to get it.
//!
//! A positive answer is known by its name and type; NODATA by its name; a referral by the zone that it leads to; NXDOMAIN
//! by the zone in which the name is not, as random names are the cheapest of all attacks; any other RCODE by itself.

use std::hash::Hasher;

use crate::wire::{HEADER, RType, rcode, u16_at};

/// Pointers of one name that are followed.
const POINTERS: usize = 16;

/// Feeds a hasher with what makes this answer the same as another. Names are taken without regard to case.
pub fn identify(reply: &[u8], hasher: &mut impl Hasher) {
    let code = reply.get(3).map_or(0, |octet| u16::from(octet & 0xF));
    hasher.write_u16(code);
    let Some(end) = names_end(reply, HEADER).filter(|_| u16_at(reply, 4) == Ok(1)) else { return };
    let count = |at: usize| u16_at(reply, at).unwrap_or(0);
    let authority = (count(6) == 0 && count(8) > 0).then_some(end + 4);
    let is =
        |at: usize, rtype: RType| names_end(reply, at).is_some_and(|end| u16_at(reply, end) == Ok(rtype.0));
    match (code, authority) {
        (rcode::NXDOMAIN, Some(zone)) => write_name(reply, zone, hasher),
        (rcode::NOERROR, Some(cut)) if is(cut, RType::NS) => write_name(reply, cut, hasher),
        (rcode::NOERROR, _) => {
            write_name(reply, HEADER, hasher);
            let qtype = if count(6) > 0 { u16_at(reply, end).unwrap_or(0) } else { 0 };
            hasher.write_u16(qtype);
        }
        _ => {}
    }
}

/// Where a name ends that may end in a pointer.
fn names_end(reply: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *reply.get(at)? {
            0 => return Some(at + 1),
            0xC0.. => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

fn write_name(reply: &[u8], mut at: usize, hasher: &mut impl Hasher) {
    let mut pointers = 0;
    while let Some(&length) = reply.get(at) {
        match length {
            0 => break,
            0xC0.. if pointers < POINTERS => {
                let Ok(pointer) = u16_at(reply, at) else { break };
                at = usize::from(pointer & 0x3FFF);
                pointers += 1;
            }
            0xC0.. => break,
            length => {
                let label = reply.get(at..=at + usize::from(length)).unwrap_or_default();
                label.iter().for_each(|octet| hasher.write_u8(octet.to_ascii_lowercase()));
                at += 1 + usize::from(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use siphasher::sip::SipHasher13;

    use super::*;
    use crate::wire::build::{Plan, build};
    use crate::wire::{Name, RecordRef, Records, flag};

    fn hash(reply: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&[1; 16]);
        identify(reply, &mut hasher);
        hasher.finish()
    }

    fn record(owner: &str, rtype: RType) -> Records {
        let (mut records, owner) = (Records::new(), owner.parse::<Name>().unwrap());
        records.push(RecordRef { owner: owner.as_ref(), rtype, class: 1, ttl: 60, rdata: &[0] });
        records
    }

    fn reply(code: u16, name: &str, qtype: RType, answer: &Records, authority: &Records) -> u64 {
        let name: Name = name.parse().unwrap();
        let question = [name.wire(), &qtype.0.to_be_bytes(), &[0, 1]].concat();
        let (mut out, mut ttls, none) = (Vec::new(), Vec::new(), Records::new());
        let plan = Plan {
            id: 7,
            flags: flag::QR,
            rcode: code,
            question: &question,
            answer,
            authority,
            additional: &none,
            opt: None,
            limit: 512,
        };
        build(&plan, &mut out, &mut ttls);
        hash(&out)
    }

    #[test]
    fn positive_answers_differ_by_name_and_type_and_negative_ones_by_name_or_zone() {
        let (none, soa) = (Records::new(), record("technova.com", RType::SOA));
        let a = |name: &str, qtype| reply(0, name, qtype, &record(name, qtype), &none);
        assert_eq!(a("www.technova.com", RType::A), a("WWW.technova.com", RType::A));
        assert_ne!(a("www.technova.com", RType::A), a("www.technova.com", RType::AAAA));
        assert_ne!(a("www.technova.com", RType::A), a("mail.technova.com", RType::A));
        let nodata = |name, qtype| reply(0, name, qtype, &none, &soa);
        assert_eq!(nodata("www.technova.com", RType::A), nodata("www.technova.com", RType::TXT));
        assert_ne!(nodata("www.technova.com", RType::A), nodata("mail.technova.com", RType::A));
        let no_name = |name, soa: &Records| reply(3, name, RType::A, &none, soa);
        assert_eq!(no_name("x1.technova.com", &soa), no_name("x2.y.technova.com", &soa));
        let other = record("technova.net", RType::SOA);
        assert_ne!(no_name("x1.technova.com", &soa), no_name("x1.technova.net", &other));
        let cut = record("sub.technova.com", RType::NS);
        let referral = |name| reply(0, name, RType::A, &none, &cut);
        assert_eq!(referral("a.sub.technova.com"), referral("b.sub.technova.com"));
        assert_ne!(referral("a.sub.technova.com"), nodata("a.sub.technova.com", RType::A));
        let error = |name| reply(5, name, RType::A, &none, &none);
        assert_eq!(error("a.example"), error("b.example"));
        assert_ne!(error("a.example"), reply(2, "a.example", RType::A, &none, &none));
    }

    #[test]
    fn whatever_the_octets_it_ends() {
        let knot = [&[0, 0, 0x80, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1][..], &[0xC0, 17, 0, 6]].concat();
        for end in 0..=knot.len() {
            hash(&knot[..end]);
        }
    }
}
