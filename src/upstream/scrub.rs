//! What of a response may be believed: what answers the question, of the domain that its server is asked for.
//!
//! A forwarder that passed on whatever else came along would let the servers of one domain speak for others
//! (MaginotDNS, CVE-2021-25220). What is kept stays as it came: order, types, TTLs, flags, extended errors.

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use smallvec::{SmallVec, smallvec};

use crate::exchange::Ask;
use crate::query::Response;
use crate::wire::message::Message;
use crate::wire::rtype::{CLASS_ANY, CLASS_IN};
use crate::wire::{NameRef, RType, RecordRef, Records, rcode, u16_at};

/// How long a chain of aliases we follow inside one response.
const MOST_ALIASES: usize = 16;

/// The response to `ask` that `message` is.
pub fn scrub(ask: &Ask, message: Message) -> Response {
    if is_plain(ask, &message) {
        return Response::from_message(message);
    }
    let (rcode, answer, authority, additional) = believable(ask, &message);
    Response { rcode, answer, authority, additional, ..Response::from_message(message) }
}

/// Whether a response is nothing but the RRset asked for, as most are: all of it is kept.
fn is_plain(ask: &Ask, message: &Message) -> bool {
    message.authority.is_empty()
        && message.additional.is_empty()
        && !message.answer.is_empty()
        && message.answer.iter().all(|record| {
            record.rtype == ask.qtype && is_class(ask, &record) && record.owner == ask.qname.as_ref()
        })
}

fn believable(ask: &Ask, message: &Message) -> (u16, Records, Records, Records) {
    let chain = Chain::follow(ask, &message.answer);
    let answer = chain.answer(ask, &message.answer);
    let authority = chain.authority(ask, &message.authority, &answer);
    let additional = additional(ask, &message.additional, [&answer, &authority]);
    // What was said of a name outside is not believed, so neither is that it does not exist (RFC 6604 §3).
    let rcode = match (chain.end, message.rcode) {
        (End::Outside, rcode::NXDOMAIN) => rcode::NOERROR,
        (_, rcode) => rcode,
    };
    (rcode, answer, authority, additional)
}

/// The names from QNAME along its aliases, as far as they lie in the domain.
struct Chain<'a> {
    names: SmallVec<[NameRef<'a>; 4]>,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At a name of the domain.
    Inside,
    /// At an alias of a name outside: whoever answers for that will be asked.
    Outside,
}

impl<'a> Chain<'a> {
    fn follow(ask: &'a Ask, answer: &'a Records) -> Chain<'a> {
        let mut chain = Chain { names: smallvec![ask.qname.as_ref()], end: End::Inside };
        // Who asks for CNAME or ANY wants the alias, not what it leads to (RFC 1034 §3.6.2).
        while ask.qtype != RType::CNAME && ask.qtype != RType::ANY && chain.names.len() <= MOST_ALIASES {
            let owner = chain.last();
            let is_alias = |record: &RecordRef<'_>| {
                record.rtype == RType::CNAME && record.owner == owner && is_class(ask, record)
            };
            let Some(target) = answer.iter().find(is_alias).and_then(|record| record.target()) else { break };
            if !target.is_under(ask.forwarded_domain.as_ref()) {
                chain.end = End::Outside;
                break;
            }
            if chain.names.contains(&target) {
                break;
            }
            chain.names.push(target);
        }
        chain
    }

    fn last(&self) -> NameRef<'a> {
        self.names[self.names.len() - 1]
    }

    /// The RRsets that were asked for, and the aliases that lead to them.
    fn answer(&self, ask: &Ask, answer: &Records) -> Records {
        answer.filtered(|record| {
            is_class(ask, record)
                && record.owner.is_under(ask.forwarded_domain.as_ref())
                && match covered(record) {
                    _ if ask.qtype == RType::ANY || record.rtype == ask.qtype => self.is_at(record),
                    rtype if rtype == RType::CNAME || rtype == ask.qtype => self.is_at(record),
                    // A DNAME answers for the names below it (RFC 6672 §3.1).
                    RType::DNAME => self.passes(record.owner),
                    _ => false,
                }
        })
    }

    fn is_at(&self, record: &RecordRef<'_>) -> bool {
        self.names.contains(&record.owner)
    }

    fn passes(&self, above: NameRef<'_>) -> bool {
        self.names.iter().any(|name| name.is_under(above) && *name != above)
    }

    /// What proves a negative or a signature, and who serves the name.
    fn authority(&self, ask: &Ask, authority: &Records, answer: &Records) -> Records {
        let domain = ask.forwarded_domain.as_ref();
        let is_wanted = |rtype: RType| rtype == ask.qtype || ask.qtype == RType::ANY;
        let wanted = |record: RecordRef<'_>| record.owner == self.last() && is_wanted(record.rtype);
        let is_negative = self.end == End::Inside && !answer.iter().any(wanted);
        // A forwarded domain need not be a zone: the zone that a negative speaks for may begin above it (RFC 2308 §5).
        let zone = authority
            .iter()
            .find(|r| {
                r.rtype == RType::SOA && is_class(ask, r) && is_negative && self.last().is_under(r.owner)
            })
            .map(|record| record.owner);
        let is_within = |name: NameRef<'_>| {
            name.is_under(domain) || zone.is_some_and(|zone| domain.is_under(zone) && name.is_under(zone))
        };
        authority.filtered(|record| {
            is_class(ask, record)
                && match covered(record) {
                    RType::SOA => is_within(record.owner) && self.last().is_under(record.owner),
                    RType::NSEC | RType::NSEC3 => is_within(record.owner),
                    RType::NS => record.owner.is_under(domain) && self.last().is_under(record.owner),
                    _ => false,
                }
        })
    }
}

/// Addresses of the hosts that the kept records name.
fn additional(ask: &Ask, additional: &Records, kept: [&Records; 2]) -> Records {
    if additional.is_empty() {
        return Records::new();
    }
    let hosts: HashSet<NameRef<'_>, RandomState> =
        kept.into_iter().flatten().filter_map(|record| host(&record)).collect();
    additional.filtered(|record| {
        record.class == CLASS_IN
            && matches!(covered(record), RType::A | RType::AAAA)
            && record.owner.is_under(ask.forwarded_domain.as_ref())
            && hosts.contains(&record.owner)
    })
}

/// The host whose addresses come along with such a record (RFC 1035 §3.3, RFC 2782, RFC 9460 §4.2).
fn host<'a>(record: &RecordRef<'a>) -> Option<NameRef<'a>> {
    match record.rtype {
        RType::NS | RType::MX | RType::SRV => record.target(),
        RType::SVCB | RType::HTTPS => match NameRef::parse(record.rdata, 2).ok()? {
            target if target.is_root() => Some(record.owner),
            target => Some(target),
        },
        _ => None,
    }
}

/// A record's type; of a signature, the type that it signs (RFC 4034 §3.1.1).
fn covered(record: &RecordRef<'_>) -> RType {
    match record.rtype {
        RType::RRSIG => u16_at(record.rdata, 0).map_or(RType::RRSIG, RType),
        rtype => rtype,
    }
}

fn is_class(ask: &Ask, record: &RecordRef<'_>) -> bool {
    record.class == if ask.qclass == CLASS_ANY { CLASS_IN } else { ask.qclass }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;
    use crate::wire::flag;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn records(list: &[(&str, RType, &str)]) -> Records {
        let mut records = Records::new();
        for (owner, rtype, data) in list {
            let target = || name(data).wire().to_vec();
            let rdata = match *rtype {
                RType::A => vec![10, 0, 0, 1],
                RType::AAAA => vec![1; 16],
                RType::MX => [vec![0, 10], target()].concat(),
                RType::HTTPS => [vec![0, 1], target()].concat(),
                RType::SRV => [vec![0; 6], target()].concat(),
                RType::SOA => [target(), target(), vec![0; 20]].concat(),
                RType::RRSIG => {
                    [data.parse::<RType>().unwrap().0.to_be_bytes().to_vec(), vec![0; 20]].concat()
                }
                RType::NSEC3 => vec![1, 0, 0, 0, 0, 0],
                _ => target(),
            };
            let owner = name(owner);
            records.push(RecordRef {
                owner: owner.as_ref(),
                rtype: *rtype,
                class: 1,
                ttl: 60,
                rdata: &rdata,
            });
        }
        records
    }

    type Section<'a> = &'a [(&'a str, RType, &'a str)];

    fn message(code: u16, sections: [Section<'_>; 3]) -> Message {
        Message {
            id: 1,
            flags: flag::QR | flag::AD,
            rcode: code,
            answer: records(sections[0]),
            authority: records(sections[1]),
            additional: records(sections[2]),
            edns: true,
            ede: Vec::new(),
            cookie: None,
        }
    }

    fn ask(qname: &str, qtype: RType) -> Ask {
        Ask::new(name(qname), qtype).within(name("technova.local"))
    }

    fn kept(records: &Records) -> Vec<String> {
        records.iter().map(|record| format!("{} {}", record.owner, record.rtype)).collect()
    }

    #[test]
    fn only_the_question_and_its_chain_are_answered_in_the_order_they_came() {
        let answer: Section<'_> = &[
            ("www.bank.example", RType::A, ""),
            ("b.technova.local", RType::A, ""),
            ("b.technova.local", RType::TXT, "x"),
            ("other.technova.local", RType::A, ""),
            ("a.technova.local", RType::CNAME, "B.technova.local"),
            ("b.technova.local", RType::RRSIG, "A"),
            ("b.technova.local", RType::RRSIG, "TXT"),
        ];
        let response = scrub(&ask("A.technova.local", RType::A), message(0, [answer, &[], &[]]));
        assert_eq!(
            kept(&response.answer),
            ["b.technova.local. A", "a.technova.local. CNAME", "b.technova.local. RRSIG"]
        );
        assert!(response.authentic && !response.authoritative);
    }

    #[test]
    fn an_alias_out_of_the_domain_is_kept_and_nothing_of_its_target_is() {
        let answer: Section<'_> =
            &[("api.technova.local", RType::CNAME, "d1.cloudfront.net"), ("d1.cloudfront.net", RType::A, "")];
        let authority: Section<'_> = &[("cloudfront.net", RType::SOA, "x")];
        let message = message(rcode::NXDOMAIN, [answer, authority, &[]]);
        let response = scrub(&ask("api.technova.local", RType::A), message);
        assert_eq!(kept(&response.answer), ["api.technova.local. CNAME"]);
        assert!(response.authority.is_empty());
        assert_eq!(response.rcode, rcode::NOERROR);
    }

    #[test]
    fn a_chain_that_comes_back_into_the_domain_is_cut_where_it_left() {
        let answer: Section<'_> = &[
            ("a.technova.local", RType::CNAME, "out.example"),
            ("out.example", RType::CNAME, "b.technova.local"),
            ("b.technova.local", RType::A, ""),
        ];
        let response = scrub(&ask("a.technova.local", RType::A), message(0, [answer, &[], &[]]));
        assert_eq!(kept(&response.answer), ["a.technova.local. CNAME"]);
    }

    #[test]
    fn a_loop_of_aliases_ends() {
        let answer: Section<'_> = &[
            ("a.technova.local", RType::CNAME, "b.technova.local"),
            ("b.technova.local", RType::CNAME, "a.technova.local"),
        ];
        let response = scrub(&ask("a.technova.local", RType::A), message(0, [answer, &[], &[]]));
        assert_eq!(response.answer.len(), 2);
    }

    #[test]
    fn a_dname_comes_with_the_names_below_it() {
        let answer: Section<'_> = &[
            ("old.technova.local", RType::DNAME, "new.technova.local"),
            ("other.technova.local", RType::DNAME, "new.technova.local"),
            ("h.old.technova.local", RType::CNAME, "h.new.technova.local"),
            ("h.new.technova.local", RType::A, ""),
        ];
        let response = scrub(&ask("h.old.technova.local", RType::A), message(0, [answer, &[], &[]]));
        assert_eq!(
            kept(&response.answer),
            ["old.technova.local. DNAME", "h.old.technova.local. CNAME", "h.new.technova.local. A"]
        );
    }

    #[test]
    fn any_keeps_all_there_is_at_the_name() {
        let answer: Section<'_> = &[
            ("a.technova.local", RType::A, ""),
            ("a.technova.local", RType(4711), "x"),
            ("b.technova.local", RType::A, ""),
        ];
        let response = scrub(&ask("a.technova.local", RType::ANY), message(0, [answer, &[], &[]]));
        assert_eq!(kept(&response.answer), ["a.technova.local. A", "a.technova.local. TYPE4711"]);
    }

    #[test]
    fn authority_speaks_of_the_domain_only() {
        let authority: Section<'_> = &[
            ("com", RType::NS, "ns.evil.example"),
            (".", RType::NS, "ns.evil.example"),
            ("technova.local", RType::NS, "dc01.technova.local"),
            ("other.technova.local", RType::NS, "dc01.technova.local"),
            ("technova.local", RType::SOA, "dc01.technova.local"),
            ("evil.example", RType::SOA, "x"),
            ("HASH.technova.local", RType::NSEC3, ""),
            ("HASH.technova.local", RType::RRSIG, "NSEC3"),
            ("HASH.evil.example", RType::NSEC3, ""),
            ("technova.local", RType::TXT, "x"),
        ];
        let ask = ask("no.technova.local", RType::A);
        let response = scrub(&ask, message(rcode::NXDOMAIN, [&[], authority, &[]]));
        assert_eq!(
            kept(&response.authority),
            [
                "technova.local. NS",
                "technova.local. SOA",
                "hash.technova.local. NSEC3",
                "hash.technova.local. RRSIG"
            ]
            .map(|line| line.replace("hash", "HASH"))
        );
    }

    #[test]
    fn the_zone_of_a_negative_may_begin_above_the_domain_but_nothing_else_may() {
        let authority: Section<'_> = &[
            ("technova.com", RType::SOA, "x"),
            ("technova.com", RType::NS, "x"),
            ("h.technova.com", RType::NSEC3, ""),
            ("com", RType::NSEC3, ""),
        ];
        let ask = |qname| Ask::new(name(qname), RType::A).within(name("corp.technova.com"));
        let response = scrub(&ask("no.corp.technova.com"), message(rcode::NXDOMAIN, [&[], authority, &[]]));
        assert_eq!(kept(&response.authority), ["technova.com. SOA", "h.technova.com. NSEC3"]);
        let answer: Section<'_> = &[("yes.corp.technova.com", RType::A, "")];
        let response = scrub(&ask("yes.corp.technova.com"), message(0, [answer, authority, &[]]));
        assert!(response.authority.is_empty());
    }

    #[test]
    fn addresses_come_along_only_for_hosts_that_the_answer_names() {
        let answer: Section<'_> = &[
            ("s.technova.local", RType::SRV, "dc01.technova.local"),
            ("s.technova.local", RType::SRV, "dc.example"),
        ];
        let additional: Section<'_> = &[
            ("DC01.technova.local", RType::A, ""),
            ("dc01.technova.local", RType::RRSIG, "A"),
            ("dc01.technova.local", RType::TXT, "x"),
            ("dc02.technova.local", RType::A, ""),
            ("dc.example", RType::A, ""),
        ];
        let response = scrub(&ask("s.technova.local", RType::SRV), message(0, [answer, &[], additional]));
        assert_eq!(kept(&response.additional), ["DC01.technova.local. A", "dc01.technova.local. RRSIG"]);
    }

    #[test]
    fn a_service_binding_without_a_target_is_its_own_host() {
        let answer: Section<'_> = &[("w.technova.local", RType::HTTPS, ".")];
        let additional: Section<'_> = &[("w.technova.local", RType::AAAA, "")];
        let response = scrub(&ask("w.technova.local", RType::HTTPS), message(0, [answer, &[], additional]));
        assert_eq!(kept(&response.additional), ["w.technova.local. AAAA"]);
    }
}
