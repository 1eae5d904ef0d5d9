//! Domain names in uncompressed wire form (RFC 1035 §3.1), case kept, compared without it (RFC 4343).
//!
//! A length octet is at most 63 and `A` is 65, so ASCII case folding over the whole wire form touches letters only.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use smallvec::SmallVec;

use super::Fault;

/// The longest name in wire form, root label included.
pub const MAX_NAME: usize = 255;

/// A borrowed, valid name.
#[derive(Clone, Copy)]
pub struct NameRef<'a>(&'a [u8]);

/// An owned, valid name. Nearly all are shorter than `SHORT`, and cost no allocation: a query that is not answered from
/// the cache copies its name a dozen times.
pub struct Name(SmallVec<[u8; SHORT]>);

/// What a name may have without a place of its own on the heap.
const SHORT: usize = 46;

impl Clone for Name {
    /// As one run of octets: the list would copy one after the other.
    fn clone(&self) -> Name {
        self.as_ref().to_name()
    }
}

impl<'a> NameRef<'a> {
    /// The root.
    pub const ROOT: NameRef<'static> = NameRef(&[0]);

    /// Reads an uncompressed name at `at`; a compression pointer is a fault. The name's end is `at` + its length.
    pub fn parse(bytes: &'a [u8], at: usize) -> Result<NameRef<'a>, Fault> {
        let mut end = at;
        loop {
            let length = usize::from(*bytes.get(end).ok_or(Fault::Short)?);
            if length > 63 {
                return Err(Fault::Label);
            }
            end += 1 + length;
            if end - at > MAX_NAME {
                return Err(Fault::NameLength);
            }
            if length == 0 {
                return Ok(NameRef(&bytes[at..end]));
            }
        }
    }

    /// What has been read or written as a name before. What is none is the root.
    pub(super) fn known(wire: &'a [u8]) -> NameRef<'a> {
        debug_assert!(NameRef::parse(wire, 0).is_ok_and(|name| name.0.len() == wire.len()), "{wire:?}");
        if wire.is_empty() { NameRef::ROOT } else { NameRef(wire) }
    }

    /// The wire form.
    pub fn wire(self) -> &'a [u8] {
        self.0
    }

    /// Whether this is the root.
    pub fn is_root(self) -> bool {
        self.0.len() == 1
    }

    /// The labels from the leftmost, without the root.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let length = usize::from(*rest.first()?);
            if length == 0 {
                return None;
            }
            let label = &rest[1..=length];
            rest = &rest[1 + length..];
            Some(label)
        })
    }

    /// How many labels the name has, without the root.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(self) -> Option<NameRef<'a>> {
        let length = usize::from(self.0[0]);
        (length != 0).then(|| NameRef(&self.0[1 + length..]))
    }

    /// The name itself, then each name above it, up to the root.
    pub fn suffixes(self) -> impl Iterator<Item = NameRef<'a>> {
        std::iter::successors(Some(self), |name| name.parent())
    }

    /// Whether this is `other` or below it.
    pub fn is_under(self, other: NameRef<'_>) -> bool {
        let Some(skip) = self.0.len().checked_sub(other.0.len()) else { return false };
        if !self.0[skip..].eq_ignore_ascii_case(other.0) {
            return false;
        }
        // The bytes agree; they are a suffix of labels only if a label begins there.
        let mut at = 0;
        while at < skip {
            at += 1 + usize::from(self.0[at]);
        }
        at == skip
    }

    /// An owned copy.
    pub fn to_name(self) -> Name {
        Name(SmallVec::from_slice(self.0))
    }

    /// An owned copy in lower case: the form of every key.
    pub fn to_lower(self) -> Name {
        let mut name = self.to_name();
        name.0.make_ascii_lowercase();
        name
    }

    /// `label` in front of this name.
    pub fn child(self, label: &[u8]) -> Result<Name, Fault> {
        if label.is_empty() || label.len() > 63 {
            return Err(Fault::Label);
        }
        if 1 + label.len() + self.0.len() > MAX_NAME {
            return Err(Fault::NameLength);
        }
        let mut wire = SmallVec::with_capacity(1 + label.len() + self.0.len());
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        wire.extend_from_slice(self.0);
        Ok(Name(wire))
    }
}

impl Name {
    /// The root.
    pub fn root() -> Name {
        NameRef::ROOT.to_name()
    }

    /// Takes a whole uncompressed wire form.
    pub fn from_wire(wire: &[u8]) -> Result<Name, Fault> {
        let name = NameRef::parse(wire, 0)?;
        if name.0.len() == wire.len() { Ok(name.to_name()) } else { Err(Fault::Label) }
    }

    /// Borrows it.
    pub fn as_ref(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }

    /// The wire form.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for NameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Nearly always in the same case, and that is a third of the work to see.
        self.0 == other.0 || self.0.eq_ignore_ascii_case(other.0)
    }
}
impl Eq for NameRef<'_> {}
impl Hash for NameRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0 {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}
impl Eq for Name {}
impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}
impl<'a> From<&'a Name> for NameRef<'a> {
    fn from(name: &'a Name) -> Self {
        name.as_ref()
    }
}

/// Presentation form, absolute, with RFC 1035 §5.1 escapes, so that no control byte reaches a log or a page.
impl fmt::Display for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &byte in label {
                match byte {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                        write!(f, "\\{}", byte as char)?;
                    }
                    0x21..=0x7e => write!(f, "{}", byte as char)?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}
impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_ref(), f)
    }
}
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a name as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Nothing there.
    #[error("the name is empty (the root is \".\")")]
    Empty,
    /// Two dots together, or a leading dot.
    #[error("a label is empty")]
    EmptyLabel,
    /// RFC 1035 §2.3.4.
    #[error("a label is longer than 63 octets")]
    LabelLength,
    /// RFC 1035 §2.3.4.
    #[error("the name is longer than 255 octets")]
    NameLength,
    /// RFC 1035 §5.1.
    #[error("an escape is not \\X or \\DDD (000 to 255)")]
    Escape,
}

/// Reads presentation form; with or without the final dot the name is absolute.
impl FromStr for Name {
    type Err = TextFault;

    fn from_str(text: &str) -> Result<Name, TextFault> {
        if text.is_empty() {
            return Err(TextFault::Empty);
        }
        if text == "." {
            return Ok(Name::root());
        }
        let mut wire = Vec::with_capacity(text.len() + 2);
        let mut label = Vec::new();
        let mut bytes = text.bytes();
        let mut ended = false;
        while let Some(byte) = bytes.next() {
            ended = byte == b'.';
            match byte {
                b'.' => push_label(&mut wire, &mut label)?,
                b'\\' => label.push(escaped(&mut bytes)?),
                _ => label.push(byte),
            }
        }
        if !ended {
            push_label(&mut wire, &mut label)?;
        }
        wire.push(0);
        if wire.len() > MAX_NAME {
            return Err(TextFault::NameLength);
        }
        Ok(Name(SmallVec::from_slice(&wire)))
    }
}

fn push_label(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Result<(), TextFault> {
    match label.len() {
        0 => Err(TextFault::EmptyLabel),
        1..=63 => {
            wire.push(label.len() as u8);
            wire.append(label);
            Ok(())
        }
        _ => Err(TextFault::LabelLength),
    }
}

fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, TextFault> {
    let first = bytes.next().ok_or(TextFault::Escape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(TextFault::Escape)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| TextFault::Escape)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn text_reads_back_and_nothing_unprintable_is_shown() {
        for text in [".", "a.", "planning.manufacturing.technova.internal.", "a\\.b.c\\032d.", "\\000\\255."]
        {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("Order.Sales"), name("order.sales."));
        assert_eq!("a..b".parse::<Name>(), Err(TextFault::EmptyLabel));
        assert_eq!("a\\25".parse::<Name>(), Err(TextFault::Escape));
        assert_eq!("a".repeat(64).parse::<Name>(), Err(TextFault::LabelLength));
        assert_eq!(vec!["a".repeat(60); 5].join(".").parse::<Name>(), Err(TextFault::NameLength));
    }

    #[test]
    fn a_suffix_of_bytes_is_not_a_suffix_of_labels() {
        assert!(name("a.technova.local").as_ref().is_under(name("TechNova.local").as_ref()));
        assert!(name("technova.local").as_ref().is_under(name("technova.local").as_ref()));
        assert!(name("x").as_ref().is_under(NameRef::ROOT));
        assert!(!name("nottechnova.local").as_ref().is_under(name("technova.local").as_ref()));
        assert!(!name("local").as_ref().is_under(name("technova.local").as_ref()));
        // \003foo inside one label looks like the name foo. in bytes
        assert!(!name("x\\003foo").as_ref().is_under(name("foo").as_ref()));
    }
}
