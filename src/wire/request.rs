//! A datagram or stream message from a client → what it asks, or how it must be turned away.

use super::rtype::CLASS_IN;
use super::{Cookie, Edns, Fault, HEADER, NameRef, RType, flag, rcode, u16_at, u32_at};

/// A well-formed query with one question.
#[derive(Debug, Clone, Copy)]
pub struct Request<'p> {
    /// The whole message.
    pub packet: &'p [u8],
    /// Message ID.
    pub id: u16,
    /// The header's second word.
    pub flags: u16,
    /// QNAME, in the case it came in.
    pub qname: NameRef<'p>,
    /// QTYPE.
    pub qtype: RType,
    /// QCLASS.
    pub qclass: u16,
    /// The OPT record, if there was one.
    pub edns: Option<Edns<'p>>,
}

/// What the header alone says: enough to turn a message away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'p> {
    /// Message ID.
    pub id: u16,
    /// The header's second word.
    pub flags: u16,
    /// Where the question section ends, if it holds one whole question that can be echoed.
    pub question_end: Option<usize>,
    /// Whether an OPT record was read, so that the reply carries one.
    pub edns: bool,
    /// The cookie in it.
    pub cookie: Option<Cookie<'p>>,
}

/// What a message is.
#[derive(Debug, Clone, Copy)]
pub enum Parsed<'p> {
    /// A query to answer.
    Query(Request<'p>),
    /// A message to turn away with this RCODE.
    Reject(Head<'p>, u16),
    /// Not a query at all: too short for a header, or itself a response. Answering would invite loops.
    Silence,
}

impl<'p> Request<'p> {
    /// Reads a message.
    pub fn parse(packet: &'p [u8]) -> Parsed<'p> {
        let (Ok(id), Ok(flags)) = (u16_at(packet, 0), u16_at(packet, 2)) else { return Parsed::Silence };
        if packet.len() < HEADER || flags & flag::QR != 0 {
            return Parsed::Silence;
        }
        let mut head = Head { id, flags, question_end: None, edns: false, cookie: None };
        if flags & 0x7800 != 0 {
            return Parsed::Reject(head, rcode::NOTIMP);
        }
        match Self::sections(packet, &mut head) {
            Ok(Some(request)) if request.edns.is_some_and(|edns| edns.version > 0) => {
                Parsed::Reject(head, rcode::BADVERS)
            }
            Ok(Some(request)) => Parsed::Query(request),
            // RFC 7873 §5.4: no question, but a cookie: it is asked for one.
            Ok(None) if head.cookie.is_some() => Parsed::Reject(head, rcode::NOERROR),
            Ok(None) | Err(_) => Parsed::Reject(head, rcode::FORMERR),
        }
    }

    fn sections(packet: &'p [u8], head: &mut Head<'p>) -> Result<Option<Request<'p>>, Fault> {
        // RFC 9619: a query has exactly one question.
        match u16_at(packet, 4)? {
            0 => {
                let edns = Self::records(packet, HEADER, head)?;
                return if edns.is_some_and(|edns| edns.version > 0) { Err(Fault::Opt) } else { Ok(None) };
            }
            1 => {}
            _ => return Err(Fault::Short),
        }
        let qname = NameRef::parse(packet, HEADER)?;
        let at = HEADER + qname.wire().len();
        let (qtype, qclass) = (RType(u16_at(packet, at)?), u16_at(packet, at + 2)?);
        head.question_end = Some(at + 4);
        let edns = Self::records(packet, at + 4, head)?;
        Ok(Some(Request { packet, id: head.id, flags: head.flags, qname, qtype, qclass, edns }))
    }

    fn records(packet: &'p [u8], mut at: usize, head: &mut Head<'p>) -> Result<Option<Edns<'p>>, Fault> {
        let before = u32::from(u16_at(packet, 6)?) + u32::from(u16_at(packet, 8)?);
        let records = before + u32::from(u16_at(packet, 10)?);
        let mut edns = None;
        for nth in 0..records {
            let owner = skip_name(packet, at)?;
            let (rtype, class, ttl) =
                (RType(u16_at(packet, owner)?), u16_at(packet, owner + 2)?, u32_at(packet, owner + 4)?);
            let length = usize::from(u16_at(packet, owner + 8)?);
            let rdata = packet.get(owner + 10..owner + 10 + length).ok_or(Fault::Short)?;
            if rtype == RType::OPT {
                // RFC 6891 §6.1.1: one OPT, at the root, in the additional section.
                if edns.is_some() || nth < before || owner != at + 1 {
                    return Err(Fault::Opt);
                }
                let read = Edns::read(class, ttl, rdata)?;
                head.edns = true;
                head.cookie = if read.options.is_empty() { None } else { read.cookie()? };
                edns = Some(read);
            }
            at = owner + 10 + length;
        }
        Ok(edns)
    }

    /// The question section's bytes: QNAME, QTYPE, QCLASS.
    pub fn question(&self) -> &'p [u8] {
        &self.packet[HEADER..HEADER + self.qname.wire().len() + 4]
    }

    /// Whether recursion is desired.
    pub fn recursion_desired(&self) -> bool {
        self.flags & flag::RD != 0
    }

    /// Whether DNSSEC records are wanted.
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok())
    }

    /// Whether the client validates by itself.
    pub fn checking_disabled(&self) -> bool {
        self.flags & flag::CD != 0
    }

    /// Whether the class is IN.
    pub fn is_internet(&self) -> bool {
        self.qclass == CLASS_IN
    }
}

/// The end of a name that may be compressed, without following it.
pub(super) fn skip_name(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        match bytes.get(at).ok_or(Fault::Short)? {
            0 => return Ok(at + 1),
            length @ 1..=63 => at += 1 + usize::from(*length),
            0xC0..=0xFF => return if at + 2 <= bytes.len() { Ok(at + 2) } else { Err(Fault::Short) },
            _ => return Err(Fault::Label),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn query(tail: &[u8], counts: [u16; 4], flags: u16) -> Vec<u8> {
        let mut packet = vec![0xAB, 0xCD];
        packet.extend(flags.to_be_bytes());
        counts.iter().for_each(|count| packet.extend(count.to_be_bytes()));
        packet.extend(tail);
        packet
    }

    const QUESTION: &[u8] = b"\x03www\x05local\x00\x00\x01\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";

    #[test]
    fn a_query_with_edns_is_read() {
        let packet = query(&[QUESTION, OPT].concat(), [1, 0, 0, 1], flag::RD);
        let Parsed::Query(request) = Request::parse(&packet) else { panic!("a query") };
        assert_eq!((request.id, request.qtype, request.qclass), (0xABCD, RType::A, 1));
        assert_eq!(request.qname.to_string(), "www.local.");
        assert!(request.dnssec_ok() && request.recursion_desired());
        assert_eq!(request.edns.unwrap().payload, 1232);
        assert_eq!(request.question(), QUESTION);
    }

    #[test]
    fn what_is_not_a_query_is_turned_away_as_the_rfcs_say() {
        let reject = |packet: &[u8]| match Request::parse(packet) {
            Parsed::Reject(_, code) => code,
            other => panic!("{other:?}"),
        };
        assert!(matches!(Request::parse(&[0; 11]), Parsed::Silence));
        assert!(matches!(Request::parse(&query(QUESTION, [1, 0, 0, 0], flag::QR)), Parsed::Silence));
        assert_eq!(reject(&query(QUESTION, [1, 0, 0, 0], 0x2800)), rcode::NOTIMP);
        assert_eq!(reject(&query(&[], [0, 0, 0, 0], 0)), rcode::FORMERR);
        assert_eq!(reject(&query(&[QUESTION, QUESTION].concat(), [2, 0, 0, 0], 0)), rcode::FORMERR);
        assert_eq!(reject(&query(&[QUESTION, OPT, OPT].concat(), [1, 0, 0, 2], 0)), rcode::FORMERR);
        assert_eq!(reject(&query(b"\xC0\x0C\x00\x01\x00\x01", [1, 0, 0, 0], 0)), rcode::FORMERR);
        let cookie = |length: u8| {
            let opt =
                [&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4 + length, 0, 10, 0, length], &[7; 40][..length.into()]];
            [QUESTION, &opt.concat()].concat()
        };
        for length in [0, 1, 7, 9, 15] {
            assert_eq!(reject(&query(&cookie(length), [1, 0, 0, 1], 0)), rcode::FORMERR, "{length} octets");
        }
        for length in [8, 16, 24, 40] {
            let packet = query(&cookie(length), [1, 0, 0, 1], 0);
            assert!(matches!(Request::parse(&packet), Parsed::Query(_)), "{length} octets");
            let question = query(&cookie(length)[QUESTION.len()..], [0, 0, 0, 1], 0);
            assert_eq!(reject(&question), rcode::NOERROR, "no question but a cookie (RFC 7873 §5.4)");
        }
        let version_one = b"\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00";
        assert_eq!(reject(&query(&[QUESTION, version_one].concat(), [1, 0, 0, 1], 0)), rcode::BADVERS);
    }

    #[test]
    fn no_prefix_of_a_query_panics() {
        let packet = query(&[QUESTION, OPT].concat(), [1, 0, 0, 1], 0);
        for end in 0..packet.len() {
            let _ = Request::parse(&packet[..end]);
        }
    }
}
