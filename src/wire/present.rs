//! RDATA for people: the presentation form of every type that has one, RFC 3597 form of the rest and of octets that
//! are not what their type says.

mod number;
mod place;
mod service;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::form::{Field, form};
use super::{NameRef, RType, u16_at, u32_at};

/// RDATA (names written out) to be displayed.
#[derive(Debug, Clone, Copy)]
pub struct RData<'a> {
    /// Its type.
    pub rtype: RType,
    /// Its octets.
    pub octets: &'a [u8],
}

impl fmt::Display for RData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.presentation() {
            Some(text) => f.write_str(&text),
            // RFC 3597 §5
            None if self.octets.is_empty() => f.write_str("\\# 0"),
            None => write!(f, "\\# {} {}", self.octets.len(), number::hex(self.octets)),
        }
    }
}

impl RData<'_> {
    /// The fields of its type as a master file writes them, in printable ASCII; `None` where the type has no such
    /// form or the octets are not whole RDATA of it.
    pub fn presentation(&self) -> Option<String> {
        let mut rdata = Walk { octets: self.octets, at: 0, kind: 0, kind_bits: 0xFF };
        let mut words = Vec::new();
        for field in form(self.rtype)?.fields {
            rdata.write(*field, &mut words)?;
        }
        (rdata.at == self.octets.len()).then(|| words.join(" "))
    }
}

/// RDATA, read from its start.
struct Walk<'a> {
    octets: &'a [u8],
    at: usize,
    /// What the gateway is, once its kind was read.
    kind: u8,
    /// Which bits of an octet that kind has.
    kind_bits: u8,
}

impl<'a> Walk<'a> {
    /// Takes one field and adds the words that say it.
    fn write(&mut self, field: Field, words: &mut Vec<String>) -> Option<()> {
        let word = match field {
            Field::Ip4 => Ipv4Addr::from(*self.array::<4>()?).to_string(),
            Field::Ip6 => Ipv6Addr::from(*self.array::<16>()?).to_string(),
            Field::Name(_) | Field::Host(_) | Field::Mailbox(_) => self.name()?,
            Field::Byte(_) | Field::NamedByte(..) => self.byte()?.to_string(),
            Field::Short(_) | Field::NamedShort(..) | Field::Flags(..) => self.short()?.to_string(),
            Field::Long(_) | Field::Time(_) => self.long()?.to_string(),
            Field::Huge(_) => u64::from_be_bytes(*self.array()?).to_string(),
            Field::Timestamp(_) => number::moment(self.long()?)?,
            Field::Text(_) => self.text()?,
            Field::OptionalText(_) if self.is_empty() => return Some(()),
            Field::OptionalText(_) => self.text()?,
            Field::Texts => {
                words.push(self.text()?);
                while !self.is_empty() {
                    words.push(self.text()?);
                }
                return Some(());
            }
            Field::Psdn(_) => {
                let digits = self.string()?;
                quoted(Some(digits).filter(|digits| digits.iter().all(u8::is_ascii_digit))?)
            }
            Field::Decimal(_) => {
                let digits = self.string()?;
                let plain = |octet: &u8| octet.is_ascii_digit() || matches!(octet, b'.' | b'-' | b'+');
                let digits = Some(digits).filter(|digits| !digits.is_empty() && digits.iter().all(plain))?;
                String::from_utf8(digits.to_vec()).ok()?
            }
            Field::Value(_) => quoted(self.rest()),
            Field::Tag => {
                let tag = self.string()?;
                // RFC 8659 §4.1
                let tag =
                    Some(tag).filter(|tag| !tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric))?;
                String::from_utf8(tag.to_vec()).ok()?
            }
            Field::Hex(_) if self.is_empty() => return None,
            Field::Hex(_) => number::hex(self.rest()),
            Field::Base64(_) if self.is_empty() => return None,
            Field::FlaggedKey if self.is_empty() != no_key(self.octets) => return None,
            Field::GatewayKey if self.is_empty() && self.octets.get(2) != Some(&0) => return None,
            Field::OptionalBase64(_) | Field::FlaggedKey | Field::GatewayKey if self.is_empty() => {
                return Some(());
            }
            Field::DashBase64(_) if self.is_empty() => "-".into(),
            Field::Base64(_)
            | Field::OptionalBase64(_)
            | Field::DashBase64(_)
            | Field::FlaggedKey
            | Field::GatewayKey => number::base64(self.rest()),
            Field::Salt => match self.string()? {
                [] => "-".into(),
                salt => number::hex(salt),
            },
            Field::HashedName => number::base32hex(Some(self.string()?).filter(|hash| !hash.is_empty())?),
            Field::TypeCode => RType(self.short()?).to_string(),
            Field::Types => return self.types(words),
            Field::OldTypes => return bits(self.rest(), 0, words),
            Field::Eui(count) => {
                let pairs: Vec<String> =
                    self.take(count)?.iter().map(|octet| format!("{octet:02x}")).collect();
                pairs.join("-")
            }
            Field::Locator => {
                let groups = [self.short()?, self.short()?, self.short()?, self.short()?];
                groups.map(|group| format!("{group:04x}")).join(":")
            }
            Field::Params => return service::params(self, words),
            Field::Ports(_) => {
                let ports = self.rest();
                let numbers = (0..8 * ports.len()).filter(|port| ports[port / 8] & 0x80 >> (port % 8) != 0);
                words.extend(numbers.map(|port| port.to_string()));
                return (ports.len() <= 8192).then_some(());
            }
            Field::Location => place::location(self)?,
            Field::Prefixes => return place::prefixes(self, words),
            Field::Discovery => {
                self.kind_bits = 0x7F;
                u8::from(self.octets.get(self.at)? & 0x80 != 0).to_string()
            }
            Field::GatewayKind(_) => {
                self.kind = self.byte()? & self.kind_bits;
                self.kind.to_string()
            }
            Field::Gateway(_) => match self.kind {
                0 => ".".into(),
                1 => return self.write(Field::Ip4, words),
                2 => return self.write(Field::Ip6, words),
                3 => self.name()?,
                _ => return None,
            },
            Field::HostIdentity => return place::host_identity(self, words),
            Field::AddressChain => return place::address_chain(self, words),
            Field::Nsap if self.is_empty() => return None,
            Field::Nsap => format!("0x{}", number::hex(self.rest())),
            Field::Atm => match (self.byte()?, self.rest()) {
                (0, address) if !address.is_empty() => number::hex(address),
                (1, digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                    format!("+{}", String::from_utf8_lossy(digits))
                }
                _ => return None,
            },
        };
        words.push(word);
        Some(())
    }

    fn types(&mut self, words: &mut Vec<String>) -> Option<()> {
        // RFC 4034 §4.1.2: windows in ascending order, none of them empty.
        let mut least = 0;
        while !self.is_empty() {
            let (window, length) = (self.byte()?, self.byte()?);
            if u16::from(window) < least || !(1..=32).contains(&length) {
                return None;
            }
            least = u16::from(window) + 1;
            bits(self.take(usize::from(length))?, u16::from(window) << 8, words)?;
        }
        Some(())
    }

    fn is_empty(&self) -> bool {
        self.at == self.octets.len()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.octets.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[octet]| *octet)
    }

    fn short(&mut self) -> Option<u16> {
        u16_at(self.take(2)?, 0).ok()
    }

    fn long(&mut self) -> Option<u32> {
        u32_at(self.take(4)?, 0).ok()
    }

    fn rest(&mut self) -> &'a [u8] {
        let rest = &self.octets[self.at..];
        self.at = self.octets.len();
        rest
    }

    fn name(&mut self) -> Option<String> {
        let name = NameRef::parse(self.octets, self.at).ok()?;
        self.at += name.wire().len();
        Some(name.to_string())
    }

    /// The octets behind an octet that counts them.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        self.string().map(quoted)
    }
}

/// RFC 2535 §3.1.2: both upper bits of a KEY's flags say that it has none.
pub fn no_key(rdata: &[u8]) -> bool {
    rdata.first().is_some_and(|flags| flags & 0xC0 == 0xC0)
}

fn bits(bitmap: &[u8], first: u16, words: &mut Vec<String>) -> Option<()> {
    for (at, octet) in (0_u16..32).zip(bitmap) {
        let set = (0..8).filter(|bit| octet & 0x80 >> bit != 0);
        words.extend(set.map(|bit| RType(first + 8 * at + bit).to_string()));
    }
    (bitmap.len() <= 32).then_some(())
}

/// A character string in its quotes (RFC 1035 §5.1).
fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() + 2);
    text.push('"');
    for octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(*octet)]),
            0x20..=0x7e => text.push(char::from(*octet)),
            _ => text.push_str(&format!("\\{octet:03}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rdata_is_shown_as_a_master_file_writes_it() {
        let show = |rtype, octets: &[u8]| RData { rtype, octets }.to_string();
        assert_eq!(show(RType::A, &[10, 0, 30, 101]), "10.0.30.101");
        assert_eq!(show(RType::SRV, b"\0\0\0\x64\x23\x83\x03inv\0"), "0 100 9091 inv.");
        assert_eq!(show(RType::TXT, b"\x03a\"b\x01\n"), "\"a\\\"b\" \"\\010\"");
        assert_eq!(show(RType::A, &[10, 0]), "\\# 2 0a00");
        assert_eq!(show(RType(65280), &[]), "\\# 0");
    }

    #[test]
    fn whatever_octets_a_type_has_they_are_shown_in_printable_ascii() {
        for number in 0..=300 {
            for length in 0..40 {
                for octet in [0, 1, 3, 4, 16, 0x7F, 0x80, 0xC0, 0xFF] {
                    let octets = vec![octet; length];
                    let text = RData { rtype: RType(number), octets: &octets }.to_string();
                    assert!(text.bytes().all(|byte| (0x20..0x7F).contains(&byte)), "{text}");
                }
            }
        }
    }
}
