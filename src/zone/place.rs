//! Where things are: at addresses, on earth, in address prefixes, behind a host's identity or a chain of prefixes, in networks of
//! before the internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::Fields;
use super::text::{self, Wrong};
use super::token::Flaw;

/// The latitude of the equator and the longitude of the prime meridian (RFC 1876 §2).
const MIDDLE: u32 = 1 << 31;
/// One degree, in thousandths of a second of arc.
const DEGREE: u32 = 3_600_000;

/// An IPv4 address.
pub(super) fn ip4(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => {
            out.extend_from_slice(&address.octets());
            Ok(())
        }
        Err(_) if text.parse::<Ipv6Addr>().is_ok() => Err("is an IPv6 address; its type is AAAA".into()),
        Err(_) => Err("is no IPv4 address".into()),
    }
}

/// An IPv6 address.
pub(super) fn ip6(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    match text.parse::<Ipv6Addr>() {
        Ok(address) => {
            out.extend_from_slice(&address.octets());
            Ok(())
        }
        Err(_) if text.parse::<Ipv4Addr>().is_ok() => Err("is an IPv4 address; its type is A".into()),
        Err(_) => Err("is no IPv6 address".into()),
    }
}

/// RFC 1876 §3: latitude, longitude and altitude, then size and precisions, which have defaults.
pub(super) fn location(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let latitude = angle(fields, "latitude", 90, ["N", "S"])?;
    let longitude = angle(fields, "longitude", 180, ["E", "W"])?;
    let mut altitude = 0;
    fields.word("altitude", |text| match centimetres(text) {
        // From 100 km below the ellipsoid on.
        Some(height @ -10_000_000..=4_284_967_295) => {
            altitude = (height + 10_000_000) as u32;
            Ok(())
        }
        Some(_) => Err("is not between -100000m and 42849672.95m".into()),
        None => Err("is no height in metres, of two decimals at most".into()),
    })?;
    // Version 0; 1 m, 10 km and 10 m.
    let mut head = [0, 0x12, 0x16, 0x13];
    let names = ["size", "horizontal precision", "vertical precision"];
    for (what, octet) in names.into_iter().zip(&mut head[1..]) {
        if !fields.is_empty() {
            fields.word(what, |text| match centimetres(text) {
                Some(length @ 0..=9_000_000_000) => {
                    *octet = extent(length);
                    Ok(())
                }
                Some(_) => Err("is not between 0m and 90000000m".into()),
                None => Err("is no length in metres, of two decimals at most".into()),
            })?;
        }
    }
    out.extend_from_slice(&head);
    [latitude, longitude, altitude].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
    Ok(())
}

/// `DEGREES [MINUTES [SECONDS]] SIDE`, the side the last of these.
fn angle(fields: &mut Fields<'_>, what: &str, most: u32, [above, below]: [&str; 2]) -> Result<u32, Flaw> {
    let from = fields.rest().start;
    let mut off = DEGREE * fields.number(&format!("{what} in degrees"), most)?;
    let at_side = |fields: &Fields<'_>| fields.next_is(above) || fields.next_is(below);
    if !at_side(fields) {
        off += 60_000 * fields.number(&format!("minutes or side of the {what}"), 59)?;
    }
    if !at_side(fields) {
        fields.word(&format!("seconds or side of the {what}"), |text| match decimal(text, 3) {
            Some(thousandths @ 0..=59_999) => {
                off += thousandths as u32;
                Ok(())
            }
            _ => Err("is no number from 0 to 59.999".into()),
        })?;
    }
    if off > most * DEGREE {
        let message = format!("the {what} is more than {most} degrees");
        return Err(Flaw::new(from..fields.rest().start, message));
    }
    let mut angle = MIDDLE;
    fields.word(&format!("side of the {what}"), |side| {
        angle = match side {
            _ if side.eq_ignore_ascii_case(above) => MIDDLE + off,
            _ if side.eq_ignore_ascii_case(below) => MIDDLE - off,
            _ => return Err(format!("is neither {above} nor {below}")),
        };
        Ok(())
    })?;
    Ok(angle)
}

/// A length in metres, with or without `m`.
fn centimetres(text: &str) -> Option<i64> {
    decimal(text.strip_suffix(['m', 'M']).unwrap_or(text), 2)
}

/// A decimal number of so many decimals at most, multiplied until it has none. What is too large for that is as
/// large as can be.
pub(super) fn decimal(text: &str, decimals: usize) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && rest.is_empty() || !digits(whole) || !digits(rest) || rest.len() > decimals {
        return None;
    }
    let zeros = std::iter::repeat_n(b'0', decimals - rest.len());
    let value = whole
        .bytes()
        .chain(rest.bytes())
        .chain(zeros)
        .fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if text.starts_with('-') { -value } else { value })
}

/// RFC 1876 §2: the first digit, and the power of ten that it counts.
fn extent(centimetres: i64) -> u8 {
    let (mut digit, mut power) = (centimetres, 0);
    while digit > 9 {
        digit /= 10;
        power += 1;
    }
    (digit as u8) << 4 | power
}

/// RFC 3123 §5: `[!]FAMILY:ADDRESS/LENGTH`, as many as there are.
pub(super) fn prefixes(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    while !fields.is_empty() {
        fields.word("prefix", |text| prefix(text, out))?;
    }
    Ok(())
}

fn prefix(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let plain = text.strip_prefix('!');
    let but = if plain.is_some() { 0x80 } else { 0 };
    let parts = plain.unwrap_or(text).split_once(':').and_then(|(family, rest)| {
        let (address, length) = rest.split_once('/')?;
        Some((family, address, length))
    });
    let (family, address, length) = parts.ok_or("is not [!]FAMILY:ADDRESS/LENGTH")?;
    let (family, octets, most) = match (family, address.parse()) {
        ("1", Ok(IpAddr::V4(address))) => (1_u16, address.octets().to_vec(), 32),
        ("2", Ok(IpAddr::V6(address))) => (2, address.octets().to_vec(), 128),
        ("1" | "2", _) => return Err("has no address of its family (1 is IPv4, 2 is IPv6)".into()),
        _ => return Err("is of a family that is not known here (1 is IPv4, 2 is IPv6)".into()),
    };
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let length = length.parse::<u8>().ok().filter(|length| digits && *length <= most);
    let length = length.ok_or_else(|| format!("has no length from 0 to {most}"))?;
    // RFC 3123 §4: trailing zeros are left out.
    let short = octets.len() - octets.iter().rev().take_while(|octet| **octet == 0).count();
    out.extend_from_slice(&family.to_be_bytes());
    out.extend_from_slice(&[length, but | short as u8]);
    out.extend_from_slice(&octets[..short]);
    Ok(())
}

/// RFC 8005 §6: algorithm, tag, key and rendezvous servers; §5: two lengths, the algorithm between them, come first.
pub(super) fn host_identity(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let algorithm = fields.number("algorithm", 0xFF)? as u8;
    let (mut tag, mut key) = (Vec::new(), Vec::new());
    let (mut tag_length, mut key_length) = (0, 0);
    fields.word("host identity tag", |text| {
        text::hex(text, &mut tag)?;
        tag_length = u8::try_from(tag.len()).map_err(|_| "has more than 255 octets")?;
        if tag.is_empty() { Err("is empty".into()) } else { Ok(()) }
    })?;
    fields.word("public key", |text| {
        text::base64(text, &mut key)?;
        key_length = u16::try_from(key.len()).map_err(|_| "has more than 65535 octets")?;
        if key.is_empty() { Err("is empty".into()) } else { Ok(()) }
    })?;
    out.extend_from_slice(&[tag_length, algorithm]);
    out.extend_from_slice(&key_length.to_be_bytes());
    out.extend_from_slice(&tag);
    out.extend_from_slice(&key);
    while !fields.is_empty() {
        fields.name("rendezvous server", out)?;
    }
    Ok(())
}

/// RFC 2874 §3.2: the length of the prefix, what follows it of an address, and the name that has the prefix.
pub(super) fn address_chain(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let length = fields.number("prefix length", 128)? as u8;
    out.push(length);
    if length < 128 {
        let mut octets = Vec::with_capacity(16);
        fields.word("address", |text| match text.parse::<Ipv6Addr>() {
            Ok(_) => ip6(text, &mut octets),
            Err(_) => Err("is no IPv6 address".into()),
        })?;
        // §3.1: the bits of the prefix are zero.
        let start = usize::from(length / 8);
        octets[start] &= 0xFF >> (length % 8);
        out.extend_from_slice(&octets[start..]);
    }
    if length > 0 { fields.name("prefix name", out) } else { Ok(()) }
}

/// RFC 1706 §7: hexadecimal behind `0x`, dots for the reader.
pub(super) fn nsap(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let digits = digits.ok_or("does not begin with 0x")?.replace('.', "");
    if digits.is_empty() {
        return Err("is empty".into());
    }
    text::hex(&digits, out)
}

/// AF-SAA-0069 §5.2: an address of the ATM Forum in hexadecimal, or a number as in E.164 behind `+`.
pub(super) fn atm(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let number = text.strip_prefix('+');
    let address = number.unwrap_or(text);
    if address.split('.').any(str::is_empty) {
        return Err("has a dot that stands between no two digits, or no digits".into());
    }
    let digits = address.replace('.', "");
    out.push(u8::from(number.is_some()));
    match number {
        None => text::hex(&digits, out),
        Some(_) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            out.extend_from_slice(digits.as_bytes());
            Ok(())
        }
        Some(_) => Err("has more than digits and dots behind its `+`".into()),
    }
}
