//! RDATA for people: presentation form of the types that they read, RFC 3597 form of the rest.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

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
        match self.known() {
            Some(text) => f.write_str(&text),
            None => {
                // RFC 3597 §5
                write!(f, "\\# {}", self.octets.len())?;
                self.octets.iter().enumerate().try_for_each(|(n, octet)| {
                    if n == 0 { write!(f, " {octet:02x}") } else { write!(f, "{octet:02x}") }
                })
            }
        }
    }
}

impl RData<'_> {
    fn known(&self) -> Option<String> {
        let octets = self.octets;
        let name = |at: usize| NameRef::parse(octets, at).ok();
        let word = |at: usize| u16_at(octets, at).ok();
        Some(match self.rtype {
            RType::A => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).to_string(),
            RType::AAAA => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).to_string(),
            RType::CNAME | RType::NS | RType::PTR | RType::DNAME => name(0)?.to_string(),
            RType::MX => format!("{} {}", word(0)?, name(2)?),
            RType::SRV => format!("{} {} {} {}", word(0)?, word(2)?, word(4)?, name(6)?),
            RType::SOA => {
                let primary = name(0)?;
                let contact = name(primary.wire().len())?;
                let at = primary.wire().len() + contact.wire().len();
                let numbers: Option<Vec<String>> = (0..5)
                    .map(|n| u32_at(octets, at + 4 * n).ok().map(|number| number.to_string()))
                    .collect();
                format!("{primary} {contact} {}", numbers?.join(" "))
            }
            RType::TXT => strings(octets)?,
            _ => return None,
        })
    }
}

fn strings(mut octets: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    while let Some((&length, rest)) = octets.split_first() {
        let (text, after) = rest.split_at_checked(usize::from(length))?;
        let escaped: String = text
            .iter()
            .map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", *byte as char),
                0x20..=0x7e => (*byte as char).to_string(),
                _ => format!("\\{byte:03}"),
            })
            .collect();
        texts.push(format!("\"{escaped}\""));
        octets = after;
    }
    Some(texts.join(" "))
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
}
