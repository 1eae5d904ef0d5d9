//! A question → the bytes of a query.

use smallvec::SmallVec;

use super::ask::Ask;
use super::flips::Flips;
use crate::wire::edns::option;
use crate::wire::name::MAX_NAME;
use crate::wire::{HEADER, KeptCookie, RType, edns, flag};

/// Octets of an OPT record without options.
const OPT: usize = 11;
/// What nearly every query fits into: it is kept for as long as its response is waited for, without an allocation.
const INLINE: usize = 96;
/// Octets of the largest COOKIE option (RFC 7873 §4).
const COOKIE: usize = 4 + 40;
/// The UDP payload size we announce: what crosses any path in one piece (RFC 9715).
pub const PAYLOAD: u16 = 1232;

/// How we speak to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// With an OPT record (RFC 6891).
    Edns,
    /// As before 1999, for servers and firewalls that fail on an OPT record.
    Plain,
}

/// How the case of the QNAME must come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// In any case: most servers copy it, a few do not.
    Any,
    /// Exactly as sent, because it carries randomness (draft-vixie-dnsext-dns0x20).
    Exact,
}

/// What a response over UDP must have beside what every one must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// Our cookie (RFC 7873 §5.3).
    Cookie,
}

/// A query without its ID, which every try draws anew.
#[derive(Debug, Clone)]
pub struct Query {
    bytes: SmallVec<[u8; INLINE]>,
    question_end: usize,
    pub(super) case: Case,
    cookie: Option<([u8; 8], Demand)>,
}

impl Query {
    /// Writes the query. RD is always set: we ask servers that shall find the answer.
    pub fn new(ask: &Ask, dialect: Dialect) -> Query {
        Query::with_cookie(ask, dialect, None)
    }

    /// Writes the query with a COOKIE option, if it has an OPT record. A response with another client's is then not its own.
    pub fn with_cookie(ask: &Ask, dialect: Dialect, cookie: Option<&(KeptCookie, Demand)>) -> Query {
        let mut flags = flag::RD;
        if ask.checking_disabled {
            flags |= flag::CD;
        }
        if ask.authentic_wanted {
            flags |= flag::AD;
        }
        // Laid out first, then copied in one run.
        let mut bytes = [0; HEADER + MAX_NAME + 4 + OPT + COOKIE];
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[5] = 1;
        let name_end = HEADER + ask.qname.wire().len();
        let question_end = name_end + 4;
        bytes[HEADER..name_end].copy_from_slice(ask.qname.wire());
        bytes[name_end..name_end + 2].copy_from_slice(&ask.qtype.0.to_be_bytes());
        bytes[name_end + 2..question_end].copy_from_slice(&ask.qclass.to_be_bytes());
        let mut end = question_end;
        let cookie = cookie.filter(|_| dialect == Dialect::Edns);
        if dialect == Dialect::Edns {
            bytes[11] = 1;
            end += OPT;
            // Behind its owner, the root.
            let record = &mut bytes[question_end + 1..];
            let flags = if ask.dnssec_ok { edns::DO } else { 0 };
            record[..2].copy_from_slice(&RType::OPT.0.to_be_bytes());
            record[2..4].copy_from_slice(&PAYLOAD.to_be_bytes());
            record[4..8].copy_from_slice(&u32::from(flags).to_be_bytes());
            if let Some((cookie, _)) = cookie {
                let value = cookie.value();
                let length = value.len() as u16;
                record[8..10].copy_from_slice(&(4 + length).to_be_bytes());
                record[10..12].copy_from_slice(&option::COOKIE.to_be_bytes());
                record[12..14].copy_from_slice(&length.to_be_bytes());
                record[14..14 + value.len()].copy_from_slice(value);
                end += 4 + value.len();
            }
        }
        Query {
            bytes: SmallVec::from_slice(&bytes[..end]),
            question_end,
            case: Case::Any,
            cookie: cookie.map(|(cookie, demand)| (cookie.client(), *demand)),
        }
    }

    /// In [`Case::Exact`] each time it is sent over UDP its letters are in a new random case.
    pub fn set_case(&mut self, case: Case) {
        self.case = case;
    }

    /// Our cookie, where it carries one.
    pub(super) fn client_cookie(&self) -> Option<[u8; 8]> {
        self.cookie.map(|(client, _)| client)
    }

    /// What a response to it must have.
    pub(super) fn demand(&self) -> Demand {
        self.cookie.map_or(Demand::Nothing, |(_, demand)| demand)
    }

    /// Writes the bytes to send with this ID, letters of the QNAME turned.
    pub(super) fn write(&self, id: u16, flips: &Flips, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.bytes);
        into[..2].copy_from_slice(&id.to_be_bytes());
        if self.case == Case::Exact {
            flips.turn(&mut into[HEADER..self.question_end - 4]);
        }
    }

    /// The bytes to send with this ID.
    pub fn with_id(&self, id: u16) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        bytes
    }

    /// The QNAME's octets.
    pub(super) fn name(&self) -> &[u8] {
        &self.bytes[HEADER..self.question_end - 4]
    }

    /// The QTYPE.
    pub(super) fn qtype(&self) -> RType {
        let at = self.question_end - 4;
        RType(u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]))
    }

    /// The question section's bytes: QNAME, QTYPE, QCLASS.
    pub fn question(&self) -> &[u8] {
        &self.bytes[HEADER..self.question_end]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::request::Parsed;
    use crate::wire::{Cookie, Request};

    fn ask() -> Ask {
        Ask::new("DC01.technova.local".parse().unwrap(), RType::AAAA)
    }

    #[test]
    fn the_flags_asked_for_are_the_flags_sent() {
        let ask = Ask { dnssec_ok: true, checking_disabled: true, authentic_wanted: true, ..ask() };
        let bytes = Query::new(&ask, Dialect::Edns).with_id(0xABCD);
        let Parsed::Query(request) = Request::parse(&bytes) else { panic!("a query") };
        assert_eq!((request.id, request.qtype, request.qclass), (0xABCD, RType::AAAA, 1));
        assert_eq!(request.qname.to_string(), "DC01.technova.local.");
        assert_eq!(request.flags, flag::RD | flag::CD | flag::AD);
        let edns = request.edns.unwrap();
        assert!(edns.dnssec_ok() && edns.payload == PAYLOAD);
    }

    #[test]
    fn a_cookie_is_sent_in_the_opt_record_and_nowhere_else() {
        let cookie = Cookie { client: [1; 8], server: &[2; 32] }.keep();
        let bytes = Query::with_cookie(&ask(), Dialect::Edns, Some(&(cookie, Demand::Nothing))).with_id(1);
        let Parsed::Query(request) = Request::parse(&bytes) else { panic!("a query") };
        let sent = request.edns.unwrap().cookie().unwrap().unwrap();
        assert_eq!((sent.client, sent.server), ([1; 8], &[2; 32][..]));
    }

    #[test]
    fn a_plain_query_has_no_opt_record() {
        let cookie = KeptCookie::of_client([1; 8]);
        let bytes = Query::with_cookie(&ask(), Dialect::Plain, Some(&(cookie, Demand::Cookie))).with_id(1);
        let Parsed::Query(request) = Request::parse(&bytes) else { panic!("a query") };
        assert!(request.edns.is_none());
        assert_eq!(request.flags, flag::RD);
    }
}
