//! What an event's response says of its question: name and type, and how long its first record lives.

use crate::wire::NameRef;

/// Where the question begins: behind the header.
const HEADER: usize = 12;

/// A question, read out of the response to it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// QNAME, in the case of the query.
    pub name: NameRef<'a>,
    /// QTYPE.
    pub qtype: u16,
    /// The response.
    response: &'a [u8],
}

impl<'a> Question<'a> {
    /// That of a response; `None` where it has none.
    pub(super) fn of(response: &'a [u8]) -> Option<Question<'a>> {
        let asked = response.get(4..6)? != [0, 0];
        let name = NameRef::parse(response, HEADER).ok().filter(|_| asked)?;
        let end = HEADER + name.wire().len();
        let qtype = u16::from_be_bytes(response.get(end..end + 2)?.try_into().ok()?);
        Some(Question { name, qtype, response })
    }

    /// The TTL of the first record, whichever section it is in.
    pub(super) fn ttl(&self) -> Option<u32> {
        let mut at = HEADER + self.name.wire().len() + 4;
        loop {
            match *self.response.get(at)? {
                0 => break at += 1,
                length if length >= 0xc0 => break at += 2,
                length => at += 1 + usize::from(length),
            }
        }
        // The pseudo-record's TTL holds flags (RFC 6891 section 6.1.3).
        let rtype = self.response.get(at..at + 2)?;
        if rtype == [0, 41] {
            return None;
        }
        Some(u32::from_be_bytes(self.response.get(at + 4..at + 8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn name_type_and_ttl_are_read() {
        let mut response = vec![0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        response.extend_from_slice(b"\x01a\x07Example\x00\x00\x10\x00\x01");
        response.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 1, 44, 0, 1, 0]);
        let question = Question::of(&response).unwrap();
        assert_eq!((question.name.to_string().as_str(), question.qtype), ("a.Example.", 16));
        assert_eq!(question.ttl(), Some(300));
        for end in 0..response.len() {
            let _ = Question::of(&response[..end]).and_then(|question| question.ttl());
        }
        assert!(Question::of(&[0; 12]).is_none());
    }
}
