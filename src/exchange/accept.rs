//! Is this the response that we wait for? (RFC 5452 §9.1, RFC 5625; draft on awaiting valid responses)
//!
//! Whatever is not is ignored: an error made of a forged or broken message would let anyone end a wait.

use super::flips::Flips;
use super::query::{Case, Demand, Query};
use crate::wire::message::Message;
use crate::wire::{Fault, HEADER, flag, rcode, u16_at};

const OPCODE: u16 = 0x7800;

/// Why a message is not the response that we wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Shorter than a header.
    #[error("shorter than a header")]
    Short,
    /// It is a query.
    #[error("QR is clear")]
    Query,
    /// Its opcode is not QUERY.
    #[error("another opcode")]
    Opcode,
    /// Its ID is not ours.
    #[error("another ID")]
    Id,
    /// Its question is not ours, or missing.
    #[error("another question")]
    Question,
    /// All agrees but the case of its QNAME.
    #[error("the QNAME in another case")]
    Case,
    /// It carries a cookie, and not ours (RFC 7873 §5.3).
    #[error("another client's cookie")]
    Cookie,
    /// It does not carry ours, and its server gives it to all who show one.
    #[error("no cookie of ours")]
    NoCookie,
    /// Its records cannot be read.
    #[error("malformed: {0}")]
    Malformed(#[from] Fault),
}

/// Reads `bytes` as the response to `query`, sent with `id`, in whatever case its QNAME is.
pub fn accept(query: &Query, id: u16, bytes: &[u8]) -> Result<Message, Mismatch> {
    check_header(id, bytes)?;
    check_question(query, bytes)?;
    let mut message = Message::default();
    read(query, id, bytes, &mut message)?;
    Ok(message)
}

/// As [`accept`], where anyone may have sent it.
///
/// If the QNAME was sent with some letters in the other case it must have come back so. It is put back into the case in
/// which it was asked for, before names that point to it are read. If the server is known to return cookies one must be
/// there; a truncated response needs none, as all that it says is that TCP is to be asked.
pub(super) fn accept_datagram(
    query: &Query,
    flips: &Flips,
    id: u16,
    bytes: &mut [u8],
    into: &mut Message,
) -> Result<(), Mismatch> {
    check_header(id, bytes)?;
    // First, as the question then agrees octet by octet; but not for another query of this name.
    let (name, question) = (query.name(), query.question());
    let is_turned = query.case == Case::Exact
        && bytes.get_mut(HEADER..HEADER + question.len()).is_some_and(|received| {
            let (received, numbers) = received.split_at_mut(name.len());
            *numbers == question[name.len()..] && flips.put_back(name, received)
        });
    check_question(query, bytes)?;
    if query.case == Case::Exact && bytes[5] == 1 && !is_turned {
        return Err(Mismatch::Case);
    }
    match read(query, id, bytes, into) {
        // Of a server that is known to return ours, another's is worth what none is.
        Err(Mismatch::Cookie) if query.demand() == Demand::Cookie => return Err(Mismatch::NoCookie),
        read => read?,
    }
    if query.demand() == Demand::Cookie && into.cookie.is_none() && !into.is_truncated() {
        return Err(Mismatch::NoCookie);
    }
    Ok(())
}

fn check_header(id: u16, bytes: &[u8]) -> Result<(), Mismatch> {
    if bytes.len() < HEADER {
        return Err(Mismatch::Short);
    }
    let flags = u16_at(bytes, 2)?;
    if u16_at(bytes, 0)? != id {
        return Err(Mismatch::Id);
    }
    if flags & flag::QR == 0 {
        return Err(Mismatch::Query);
    }
    if flags & OPCODE != 0 {
        return Err(Mismatch::Opcode);
    }
    Ok(())
}

fn check_question(query: &Query, bytes: &[u8]) -> Result<(), Mismatch> {
    match u16_at(bytes, 4)? {
        1 if is_question(query, &bytes[HEADER..]) => Ok(()),
        // RFC 6891 §7: a server that cannot read a query may send back no more than a header.
        0 if is_bare_error(u16_at(bytes, 2)?, bytes) => Ok(()),
        _ => Err(Mismatch::Question),
    }
}

fn read(query: &Query, id: u16, bytes: &[u8], into: &mut Message) -> Result<(), Mismatch> {
    let flags = u16_at(bytes, 2)?;
    // A truncated response is asked for again over TCP; where it was cut is no matter.
    if flags & flag::TC != 0 {
        *into = Message { id, flags, rcode: flags & 0xF, ..Message::default() };
        return Ok(());
    }
    into.read(bytes)?;
    match (query.client_cookie(), &into.cookie) {
        (Some(ours), Some(returned)) if returned.client() != ours => Err(Mismatch::Cookie),
        _ => Ok(()),
    }
}

/// The question comes first, so its name cannot be compressed: comparing bytes is comparing names.
fn is_question(query: &Query, bytes: &[u8]) -> bool {
    let sent = query.question();
    let Some(received) = bytes.get(..sent.len()) else { return false };
    // Type and class are numbers, not letters: no case.
    let name = query.name().len();
    received == sent
        || (received[name..] == sent[name..] && received[..name].eq_ignore_ascii_case(&sent[..name]))
}

fn is_bare_error(flags: u16, bytes: &[u8]) -> bool {
    matches!(flags & 0xF, rcode::FORMERR | rcode::NOTIMP) && bytes[6..10] == [0; 4]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exchange::{Ask, Dialect};
    use crate::wire::{KeptCookie, RType};

    fn ask() -> Ask {
        Ask::new("host.technova.local".parse().unwrap(), RType::HTTPS)
    }

    fn query() -> Query {
        Query::new(&ask(), Dialect::Edns)
    }

    fn response(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = query().with_id(7);
        bytes[2] |= 0x80;
        change(&mut bytes);
        bytes
    }

    fn heard(query: &Query, flips: &Flips, bytes: &mut [u8]) -> Result<Message, Mismatch> {
        let mut message = Message::default();
        accept_datagram(query, flips, 7, bytes, &mut message).map(|()| message)
    }

    fn judge(change: impl FnOnce(&mut Vec<u8>)) -> Result<Message, Mismatch> {
        accept(&query(), 7, &response(change))
    }

    #[test]
    fn only_what_agrees_in_every_respect_is_the_response() {
        assert!(judge(|_| ()).is_ok());
        assert_eq!(judge(|bytes| bytes.truncate(11)), Err(Mismatch::Short));
        assert_eq!(judge(|bytes| bytes[1] = 8), Err(Mismatch::Id));
        assert_eq!(judge(|bytes| bytes[2] &= 0x7F), Err(Mismatch::Query));
        assert_eq!(judge(|bytes| bytes[2] |= 0x28), Err(Mismatch::Opcode));
        assert_eq!(judge(|bytes| bytes[5] = 0), Err(Mismatch::Question));
        assert_eq!(judge(|bytes| bytes[5] = 2), Err(Mismatch::Question));
        assert_eq!(judge(|bytes| bytes[13] = b'g'), Err(Mismatch::Question));
        assert!(matches!(judge(|bytes| bytes[7] = 9), Err(Mismatch::Malformed(_))));
    }

    #[test]
    fn names_have_no_case_but_types_do() {
        assert!(judge(|bytes| bytes[13] = b'H').is_ok());
        // HTTPS is type 65, the letter A; type 97 is the letter a.
        let qtype = query().question().len() + HEADER - 3;
        assert_eq!(judge(|bytes| bytes[qtype] = b'a'), Err(Mismatch::Question));
    }

    #[test]
    fn a_query_that_carries_randomness_in_its_case_wants_it_back() {
        let second = |bits: &mut [u8]| {
            bits[0] = 0b10;
            Ok::<(), ()>(())
        };
        let flips = Flips::draw(16, second).unwrap();
        let mut query = query();
        query.set_case(Case::Exact);
        let judge = |first| heard(&query, &flips, &mut response(|bytes| bytes[13] = first));
        assert!(judge(b'H').is_ok());
        assert_eq!(judge(b'h'), Err(Mismatch::Case));
        assert_eq!(judge(b'g'), Err(Mismatch::Question));
    }

    #[test]
    fn a_header_alone_is_a_response_only_if_it_says_formerr_or_notimp() {
        let bare = |code: u8| {
            judge(|bytes| {
                bytes.truncate(HEADER);
                bytes[3] |= code;
                bytes[4..].fill(0);
            })
        };
        assert_eq!(bare(1).unwrap().rcode, rcode::FORMERR);
        assert_eq!(bare(4).unwrap().rcode, rcode::NOTIMP);
        assert_eq!(bare(0), Err(Mismatch::Question));
        assert_eq!(bare(3), Err(Mismatch::Question));
    }

    #[test]
    fn a_response_with_a_cookie_that_is_not_ours_is_not_ours() {
        let judge = |demand, cookie: Option<&[u8]>| {
            let ours = (KeptCookie::of_client(*b"our part"), demand);
            let query = Query::with_cookie(&ask(), Dialect::Edns, Some(&ours));
            let mut bytes = query.with_id(7);
            bytes[2] |= 0x80;
            bytes.truncate(bytes.len() - 14);
            let option = cookie.map_or(Vec::new(), |value| [&[0, 10, 0, value.len() as u8], value].concat());
            bytes.extend((option.len() as u16).to_be_bytes());
            bytes.extend(option);
            heard(&query, &Flips::NONE, &mut bytes).map(|message| message.cookie)
        };
        for demand in [Demand::Nothing, Demand::Cookie] {
            let learned = judge(demand, Some(b"our partand theirs")).unwrap().unwrap();
            assert_eq!(learned.server(), b"and theirs");
            assert_eq!(judge(demand, Some(b"our part")).unwrap().unwrap().server(), b"");
            let wrong = if demand == Demand::Cookie { Mismatch::NoCookie } else { Mismatch::Cookie };
            assert_eq!(judge(demand, Some(b"our pantand theirs")), Err(wrong));
            for value in [&b"our par"[..], b"our part and t", &[b'o'; 41]] {
                assert_eq!(judge(demand, Some(value)), Err(Mismatch::Malformed(Fault::Cookie)));
            }
        }
        assert_eq!(judge(Demand::Nothing, None), Ok(None));
        assert_eq!(judge(Demand::Cookie, None), Err(Mismatch::NoCookie));
    }

    #[test]
    fn a_truncated_response_may_be_cut_anywhere() {
        let message = judge(|bytes| {
            bytes[2] |= 0x02;
            bytes[7] = 60;
            bytes.extend([0xC0, 0x0C, 0]);
        });
        assert!(message.unwrap().is_truncated());
    }
}
