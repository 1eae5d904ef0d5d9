//! Records as one flat run of bytes: the owner's length, owner, type, class, TTL, RDLENGTH, RDATA, with every name written
//! out.
//!
//! One allocation a section however many records it has; copying a record is copying bytes. The owner's length is there
//! because each response is walked several times, and to find where a name ends is most of a step.

use std::fmt;

use super::{Fault, NameRef, RType, u16_at, u32_at};

/// One record, borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Owner name.
    pub owner: NameRef<'a>,
    /// Type.
    pub rtype: RType,
    /// Class.
    pub class: u16,
    /// Time to live, in seconds.
    pub ttl: u32,
    /// RDATA, its names written out.
    pub rdata: &'a [u8],
}

impl<'a> RecordRef<'a> {
    /// The name that RDATA is or begins with, for the types that are one name: CNAME, NS, PTR, DNAME.
    pub fn target(&self) -> Option<NameRef<'a>> {
        match self.rtype {
            RType::CNAME | RType::NS | RType::PTR | RType::DNAME => NameRef::parse(self.rdata, 0).ok(),
            RType::SRV => NameRef::parse(self.rdata, 6).ok(),
            RType::MX => NameRef::parse(self.rdata, 2).ok(),
            _ => None,
        }
    }

    /// How long a negative answer with this SOA holds: the lesser of its TTL and MINIMUM (RFC 2308 §5).
    pub fn soa_negative_ttl(&self) -> Option<u32> {
        let minimum = self.rdata.len().checked_sub(4)?;
        (self.rtype == RType::SOA).then(|| u32_at(self.rdata, minimum).map_or(0, |m| m.min(self.ttl)))
    }
}

impl fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {:02x?}", self.owner, self.ttl, self.rtype, self.rdata)
    }
}

/// A list of records.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Records {
    bytes: Vec<u8>,
    count: u16,
}

impl Records {
    /// No records.
    pub const fn new() -> Records {
        Records { bytes: Vec::new(), count: 0 }
    }

    /// Appends one. RDATA longer than 65,535 octets, or a 65,536th record, cannot be written and is left out.
    pub fn push(&mut self, record: RecordRef<'_>) {
        let (Ok(length), Some(count)) = (u16::try_from(record.rdata.len()), self.count.checked_add(1)) else {
            return;
        };
        let owner = record.owner.wire();
        let size = 1 + owner.len() + 10 + record.rdata.len();
        if self.count == 0 {
            // To grow what has nothing yet takes longer than to make it.
            self.bytes = Vec::with_capacity(size);
        }
        self.bytes.reserve(size);
        let ([t0, t1], [c0, c1]) = (record.rtype.0.to_be_bytes(), record.class.to_be_bytes());
        let ([s0, s1, s2, s3], [l0, l1]) = (record.ttl.to_be_bytes(), length.to_be_bytes());
        self.bytes.push(owner.len() as u8);
        self.bytes.extend_from_slice(owner);
        self.bytes.extend_from_slice(&[t0, t1, c0, c1, s0, s1, s2, s3, l0, l1]);
        self.bytes.extend_from_slice(record.rdata);
        self.count = count;
    }

    /// Appends all of another list.
    pub fn append(&mut self, other: &Records) {
        for record in other.iter() {
            self.push(record);
        }
    }

    /// Appends all of another list that nobody needs any more.
    pub fn absorb(&mut self, other: Records) {
        if self.is_empty() {
            *self = other;
        } else {
            self.append(&other);
        }
    }

    /// How many records.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes they take, for caches bounded by size.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes, to be kept and read again by [`Records::from_bytes`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The list that was written as these bytes, or nothing if no list is written so.
    pub fn from_bytes(bytes: &[u8]) -> Option<Records> {
        let (mut rest, mut count) = (Iter { bytes }, 0_u16);
        while let Some((length, owner)) = rest.bytes.split_first() {
            let length = usize::from(*length);
            if NameRef::parse(owner.get(..length)?, 0).ok()?.wire().len() != length {
                return None;
            }
            rest.next()?;
            count = count.checked_add(1)?;
        }
        Some(Records { bytes: bytes.to_vec(), count })
    }

    /// The records in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes }
    }

    /// Rewrites every TTL with `change`.
    pub fn map_ttl(&mut self, change: impl Fn(u32) -> u32) {
        let mut at = 0;
        while let Some(length) = self.bytes.get(at) {
            let field = at + 1 + usize::from(*length) + 4;
            let (Ok(ttl), Ok(length)) = (u32_at(&self.bytes, field), u16_at(&self.bytes, field + 4)) else {
                break;
            };
            self.bytes[field..field + 4].copy_from_slice(&change(ttl).to_be_bytes());
            at = field + 6 + usize::from(length);
        }
    }

    /// Only the records that `keep` wants, in the same order.
    pub fn filtered(&self, keep: impl Fn(&RecordRef<'_>) -> bool) -> Records {
        let mut kept = Records::new();
        self.iter().filter(keep).for_each(|record| kept.push(record));
        kept
    }

    /// The least TTL, `None` of none.
    pub fn min_ttl(&self) -> Option<u32> {
        self.iter().map(|record| record.ttl).min()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = RecordRef<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks a list of records.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = RecordRef<'a>;

    fn next(&mut self) -> Option<RecordRef<'a>> {
        let (length, rest) = self.bytes.split_first()?;
        let owner = NameRef::known(rest.get(..usize::from(*length))?);
        let fixed = 1 + usize::from(*length);
        let length = usize::from(u16_at(self.bytes, fixed + 8).ok()?);
        let rdata = self.bytes.get(fixed + 10..fixed + 10 + length)?;
        let record = RecordRef {
            owner,
            rtype: RType(u16_at(self.bytes, fixed).ok()?),
            class: u16_at(self.bytes, fixed + 2).ok()?,
            ttl: u32_at(self.bytes, fixed + 4).ok()?,
            rdata,
        };
        self.bytes = &self.bytes[fixed + 10 + length..];
        Some(record)
    }
}

/// One field of RDATA, as far as name compression must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A domain name that senders may compress (RFC 1035 §3.3), or may have before RFC 3597 §4 forbade it.
    Name,
    /// So many octets.
    Fixed(usize),
    /// A character string.
    Text,
    /// All that is left.
    Rest,
}

/// Where names stand in the RDATA of a type (RFC 3597 §4: only in these are they ever compressed).
pub(super) fn layout(rtype: RType) -> &'static [Field] {
    use Field::{Fixed, Name, Rest, Text};
    match rtype {
        RType::A => &[Fixed(4)],
        RType::AAAA => &[Fixed(16)],
        RType::NS | RType::MD | RType::MF | RType::CNAME | RType::MB | RType::MG | RType::MR => &[Name],
        RType::PTR | RType::DNAME => &[Name],
        RType::SOA => &[Name, Name, Fixed(20)],
        RType::MINFO | RType::RP => &[Name, Name],
        RType::MX | RType::AFSDB | RType::RT | RType::KX => &[Fixed(2), Name],
        RType::PX => &[Fixed(2), Name, Name],
        RType::SRV => &[Fixed(6), Name],
        RType::NAPTR => &[Fixed(4), Text, Text, Text, Name],
        RType::SIG => &[Fixed(18), Name, Rest],
        RType::NXT => &[Name, Rest],
        _ => &[Rest],
    }
}

/// Whether we may compress the names in this type's RDATA: only those of RFC 1035 itself (RFC 3597 §4).
pub(super) fn may_compress(rtype: RType) -> bool {
    matches!(
        rtype,
        RType::NS
            | RType::MD
            | RType::MF
            | RType::CNAME
            | RType::SOA
            | RType::MB
            | RType::MG
            | RType::MR
            | RType::PTR
            | RType::MINFO
            | RType::MX
    )
}

/// Whether RDATA without compression has the form of its type.
pub fn rdata_is_whole(rtype: RType, rdata: &[u8]) -> Result<(), Fault> {
    let mut at = 0;
    for field in layout(rtype) {
        at += match field {
            Field::Name => NameRef::parse(rdata, at)?.wire().len(),
            Field::Fixed(length) => *length,
            Field::Text => 1 + usize::from(*rdata.get(at).ok_or(Fault::Short)?),
            Field::Rest => rdata.len().saturating_sub(at),
        };
    }
    if at == rdata.len() { Ok(()) } else { Err(Fault::RData) }
}
