//! A response from an upstream → its records, every name written out.

use super::name::MAX_NAME;
use super::record::{Field, layout, rdata_is_whole};
use super::request::skip_name;
use super::rtype::CLASS_IN;
use super::{
    Cookie, Ede, Edns, Fault, HEADER, KeptCookie, NameRef, RType, RecordRef, Records, flag, u16_at, u32_at,
};

/// How large a message may grow when its names are written out. 64 KiB of honest answers stay far below: the bound is
/// for messages built to expand.
const MAX_EXPANDED: usize = 1 << 20;

/// A parsed response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Message ID.
    pub id: u16,
    /// The header's second word.
    pub flags: u16,
    /// The RCODE, EDNS's upper bits included.
    pub rcode: u16,
    /// Answer section.
    pub answer: Records,
    /// Authority section.
    pub authority: Records,
    /// Additional section without OPT, TSIG and SIG(0).
    pub additional: Records,
    /// Whether there was an OPT record.
    pub edns: bool,
    /// Extended errors.
    pub ede: Vec<Ede>,
    /// The cookie (RFC 7873): between us and who sent the message, so it goes no further than to who waits for it.
    pub cookie: Option<KeptCookie>,
}

impl Message {
    /// Reads a whole message.
    pub fn parse(bytes: &[u8]) -> Result<Message, Fault> {
        let mut message = Message::default();
        message.read(bytes)?;
        Ok(message)
    }

    /// Reads a whole message to where another was: a result that is handed on is copied each time. After an error it says
    /// nothing of use.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (id, flags) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?);
        let mut reader = Reader { bytes, at: HEADER, qname: None, expanded: 0 };
        match u16_at(bytes, 4)? {
            0 => {}
            1 => reader.question()?,
            _ => return Err(Fault::RData),
        }
        *self = Message { id, flags, rcode: flags & 0xF, ..Message::default() };
        for _ in 0..u16_at(bytes, 6)? {
            reader.record(&mut self.answer)?;
        }
        for _ in 0..u16_at(bytes, 8)? {
            reader.record(&mut self.authority)?;
        }
        for _ in 0..u16_at(bytes, 10)? {
            if let Some(edns) = reader.record(&mut self.additional)? {
                if self.edns {
                    return Err(Fault::Opt);
                }
                self.edns = true;
                self.rcode |= u16::from(edns.rcode_high) << 4;
                if !edns.options.is_empty() {
                    self.ede = edns.extended_errors();
                    self.cookie = edns.cookie()?.as_ref().map(Cookie::keep);
                }
            }
        }
        Ok(())
    }

    /// Whether the response was cut to fit a datagram.
    pub fn is_truncated(&self) -> bool {
        self.flags & flag::TC != 0
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What most records are owned by, if there was a question with a name that is written out, as it should be.
    qname: Option<NameRef<'a>>,
    expanded: usize,
}

/// The pointer to QNAME, where a question is.
const TO_QNAME: [u8; 2] = [0xC0, HEADER as u8];

impl<'a> Reader<'a> {
    /// Steps over the question. Whether it is ours is for who reads the response to say; but records point to it.
    fn question(&mut self) -> Result<(), Fault> {
        self.qname = NameRef::parse(self.bytes, self.at).ok();
        let end = match self.qname {
            Some(qname) => self.at + qname.wire().len(),
            None => read_name(self.bytes, self.at, &mut NameBuffer::new())?,
        };
        self.bytes.get(end..end + 4).ok_or(Fault::Short)?;
        self.at = end + 4;
        Ok(())
    }

    /// Appends the next record to `into`, or gives it back where it is an OPT. Transaction signatures are dropped:
    /// they speak for the message that they came in.
    fn record(&mut self, into: &mut Records) -> Result<Option<Edns<'a>>, Fault> {
        let mut other;
        let rest = self.bytes.get(self.at..).ok_or(Fault::Short)?;
        let (owner, fixed) = match self.qname {
            Some(qname) if rest.starts_with(&TO_QNAME) => (qname, self.at + TO_QNAME.len()),
            // As an OPT record is owned.
            _ if rest.starts_with(NameRef::ROOT.wire()) => (NameRef::ROOT, self.at + 1),
            _ => {
                other = NameBuffer::new();
                let end = read_name(self.bytes, self.at, &mut other)?;
                (other.name(), end)
            }
        };
        let (rtype, class, ttl) = (
            RType(u16_at(self.bytes, fixed)?),
            u16_at(self.bytes, fixed + 2)?,
            u32_at(self.bytes, fixed + 4)?,
        );
        let (start, end) = (fixed + 10, fixed + 10 + usize::from(u16_at(self.bytes, fixed + 8)?));
        let raw = self.bytes.get(start..end).ok_or(Fault::Short)?;
        self.at = end;
        if rtype == RType::OPT {
            return Edns::read(class, ttl, raw).map(Some);
        }
        if rtype == RType::TSIG || (rtype == RType::SIG && raw.starts_with(&[0, 0])) {
            return Ok(None);
        }
        // RFC 2181 §8: a TTL with the upper bit set is zero.
        let ttl = if ttl > i32::MAX as u32 { 0 } else { ttl };
        let mut expanded = RDataBuffer::new();
        let rdata = if class == CLASS_IN && layout(rtype).contains(&Field::Name) {
            expand_rdata(self.bytes, rtype, start, end, &mut expanded)?;
            &expanded[..]
        } else {
            if class == CLASS_IN {
                rdata_is_whole(rtype, raw)?;
            }
            raw
        };
        self.expanded += owner.wire().len() + rdata.len();
        if self.expanded > MAX_EXPANDED {
            return Err(Fault::Expansion);
        }
        into.push(RecordRef { owner, rtype, class, ttl, rdata });
        Ok(None)
    }
}

/// Room for RDATA; most of it needs no more.
pub type RDataBuffer = smallvec::SmallVec<[u8; 128]>;

/// Appends the RDATA that stands from `start` to `end` of a message, its names written out (RFC 3597 §4).
pub fn expand_rdata(
    message: &[u8],
    rtype: RType,
    start: usize,
    end: usize,
    out: &mut RDataBuffer,
) -> Result<(), Fault> {
    let mut at = start;
    for field in layout(rtype) {
        let next = match field {
            Field::Name => {
                let mut name = NameBuffer::new();
                at = read_name(message, at, &mut name)?;
                out.extend_from_slice(name.name().wire());
                continue;
            }
            Field::Fixed(length) => at + length,
            Field::Text => at + 1 + usize::from(*message.get(at).ok_or(Fault::Short)?),
            Field::Rest => end,
        };
        if next > end {
            return Err(Fault::RData);
        }
        out.extend_from_slice(message.get(at..next).ok_or(Fault::Short)?);
        at = next;
    }
    if at == end { Ok(()) } else { Err(Fault::RData) }
}

/// Room for one written-out name.
#[derive(Debug, Clone)]
pub struct NameBuffer {
    bytes: [u8; MAX_NAME],
    length: usize,
}

impl NameBuffer {
    /// Room that holds the root.
    pub fn new() -> NameBuffer {
        NameBuffer { bytes: [0; MAX_NAME], length: 1 }
    }

    /// The name last read into it.
    pub fn name(&self) -> NameRef<'_> {
        NameRef::known(&self.bytes[..self.length])
    }
}

impl Default for NameBuffer {
    fn default() -> Self {
        NameBuffer::new()
    }
}

/// Pointers that one name may lead through. An honest one stands behind a label, of which there are 127 at most, so what
/// is beyond are pointers to pointers: with a chain of all that fits below 16 KiB each name of a message would cost
/// 8,000 steps, and so its reading the square of its length.
const MOST_POINTERS: usize = 126;

/// Reads a name that may be compressed; gives the position behind it. Each pointer must point before the one it was
/// reached by (RFC 1035 §4.1.4: "a prior occurrence"), and they are few, so a name costs no more than 255 steps wherever
/// it leads.
pub fn read_name(bytes: &[u8], start: usize, into: &mut NameBuffer) -> Result<usize, Fault> {
    let end = skip_name(bytes, start)?;
    let (mut at, mut limit, mut length, mut pointers) = (start, start, 0, 0);
    loop {
        let octet = *bytes.get(at).ok_or(Fault::Short)?;
        match octet {
            0..=63 => {
                let label = bytes.get(at..=at + usize::from(octet)).ok_or(Fault::Short)?;
                into.bytes
                    .get_mut(length..length + label.len())
                    .ok_or(Fault::NameLength)?
                    .copy_from_slice(label);
                length += label.len();
                at += label.len();
                if octet == 0 {
                    into.length = length;
                    return Ok(end);
                }
            }
            0xC0..=0xFF => {
                let target = usize::from(u16_at(bytes, at)? & 0x3FFF);
                pointers += 1;
                if target >= limit || pointers > MOST_POINTERS {
                    return Err(Fault::Pointer);
                }
                (at, limit) = (target, target);
            }
            _ => return Err(Fault::Label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label, then so many pointers, each to what stands before it.
    fn chain(pointers: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes.extend(b"\x01a\0");
        for nth in 0..pointers {
            let target = if nth == 0 { HEADER } else { bytes.len() - 2 };
            bytes.extend((0xC000 | target as u16).to_be_bytes());
        }
        bytes
    }

    #[test]
    fn a_name_leads_through_126_pointers_and_no_more() {
        let read = |pointers| {
            let bytes = chain(pointers);
            let mut name = NameBuffer::new();
            read_name(&bytes, bytes.len() - 2, &mut name)
                .map(|end| (end == bytes.len(), name.name().to_string()))
        };
        for pointers in [1, 2, 126] {
            assert_eq!(read(pointers), Ok((true, "a.".to_owned())));
        }
        for pointers in [127, 8_000] {
            assert_eq!(read(pointers), Err(Fault::Pointer));
        }
    }

    #[test]
    fn the_longest_name_of_the_most_labels_is_read_with_a_pointer_behind_each() {
        let mut bytes = vec![0; HEADER];
        bytes.extend(b"\x01a\0");
        let mut before = HEADER;
        for _ in 1..127 {
            let at = bytes.len();
            bytes.extend(b"\x01a");
            bytes.extend((0xC000 | before as u16).to_be_bytes());
            before = at;
        }
        let mut name = NameBuffer::new();
        assert_eq!(read_name(&bytes, before, &mut name), Ok(bytes.len()));
        assert_eq!(name.name().wire().len(), MAX_NAME);
    }
}
