//! The words of a master file: names, character strings, times, numbers in other bases.
//!
//! hickory-proto's text reader is not used: its `\DDD` is not decimal, it ignores surplus fields, and some SVCB
//! parameters make it panic (0.26.3). The tests hold ours against its wire forms where both can read.

use std::ops::Range;

use crate::wire::NameRef;
use crate::wire::name::MAX_NAME;

/// What is wrong with a word, as the end of a sentence that begins with the word.
pub(super) type Wrong = String;

/// The longest TTL and the longest time (RFC 2181 §8).
pub(super) const MAX_TTL: u32 = i32::MAX as u32;

/// Reads the octet that stands at `at` of a text, escaped or not; gives it and the position behind it.
pub(super) fn octet(text: &[u8], at: usize) -> Result<(u8, usize), Wrong> {
    match text[at] {
        b'\\' => match text.get(at + 1) {
            None => Err("ends in a lone `\\`; a backslash itself is written `\\\\`".into()),
            Some(b'0'..=b'9') => match text.get(at + 1..at + 4).map(decimal_octet) {
                Some(Some(value)) => Ok((value, at + 4)),
                _ => Err("has an escape that is not \\DDD with DDD from 000 to 255".into()),
            },
            Some(other) => Ok((*other, at + 2)),
        },
        other => Ok((other, at + 1)),
    }
}

fn decimal_octet(digits: &[u8]) -> Option<u8> {
    digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Appends the octets of a text, escapes undone.
pub(super) fn octets(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'\\') {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let mut at = 0;
    while at < bytes.len() {
        let (octet, next) = octet(bytes, at)?;
        out.push(octet);
        at = next;
    }
    Ok(())
}

/// Appends a character string: its length, then its octets (RFC 1035 §3.3).
pub(super) fn character_string(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let start = out.len();
    out.push(0);
    octets(text, out)?;
    let length = out.len() - start - 1;
    out[start] =
        u8::try_from(length).map_err(|_| format!("is a string of {length} octets; one has at most 255"))?;
    Ok(())
}

/// Whether a name was written with its final dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It was, or it is `@`.
    Absolute,
    /// It was not: the origin was appended.
    Relative,
}

/// Appends a name in wire form; one without a final dot goes on with the origin (RFC 1035 §5.1).
/// After an error `out` may end in a part of the name.
pub(super) fn name(text: &str, origin: NameRef<'_>, out: &mut Vec<u8>) -> Result<Written, Wrong> {
    match text {
        "@" => {
            out.extend_from_slice(origin.wire());
            return Ok(Written::Absolute);
        }
        "." => {
            out.push(0);
            return Ok(Written::Absolute);
        }
        "" => return Err("is an empty name; the root is written `.`".into()),
        _ => {}
    }
    if !text.is_ascii() {
        return Err("is a name with letters that are not ASCII; write its IDNA form (`xn--…`)".into());
    }
    let (bytes, start) = (text.as_bytes(), out.len());
    let (mut at, mut label) = (0, start);
    out.push(0);
    while at < bytes.len() {
        if bytes[at] == b'.' {
            end_label(out, label)?;
            label = out.len();
            out.push(0);
            at += 1;
        } else {
            let (octet, next) = octet(bytes, at)?;
            out.push(octet);
            at = next;
        }
        if out.len() - start > MAX_NAME {
            break;
        }
    }
    let written = if label + 1 == out.len() {
        Written::Absolute
    } else {
        end_label(out, label)?;
        out.extend_from_slice(origin.wire());
        Written::Relative
    };
    if out.len() - start > MAX_NAME {
        return Err("is a name of more than 255 octets".into());
    }
    Ok(written)
}

fn end_label(out: &mut [u8], label: usize) -> Result<(), Wrong> {
    match out.len() - label - 1 {
        0 => Err("is a name with an empty label (two dots together, or a dot in front)".into()),
        length @ 1..=63 => {
            out[label] = length as u8;
            Ok(())
        }
        length => Err(format!("is a name with a label of {length} octets; one has at most 63")),
    }
}

/// A time in seconds, or in units: `3600`, `1h`, `1h30m`, `2w`.
pub(super) fn time(text: &str) -> Option<u32> {
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mut total, mut number) = (0_u64, None::<u64>);
    for byte in text.bytes() {
        let unit = match byte.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit - b'0')));
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.saturating_add(number.take()?.saturating_mul(unit));
    }
    // What is too long is still a time: the caller says how long one may be.
    Some(u32::try_from(total.saturating_add(number.unwrap_or(0))).unwrap_or(u32::MAX))
}

/// Appends hexadecimal octets.
pub(super) fn hex(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err("has an odd number of hexadecimal digits".into());
    }
    for pair in digits.chunks_exact(2) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        let (Some(high), Some(low)) = (value(pair[0]), value(pair[1])) else {
            return Err("is not hexadecimal".into());
        };
        out.push((high << 4 | low) as u8);
    }
    Ok(())
}

/// Appends what base64 says (RFC 4648 §4).
pub(super) fn base64(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let unpadded = text.trim_end_matches('=');
    let padding = text.len() - unpadded.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return Err("is not base64: its length with padding is no multiple of four".into());
    }
    unpack(unpadded, 6, value, out).ok_or_else(|| "is not base64".into())
}

/// Appends what base32hex without padding says (RFC 4648 §7, RFC 5155 §3.3).
pub(super) fn base32hex(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let value = |digit: u8| match digit.to_ascii_uppercase() {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'A'..=b'V' => Some(digit - b'A' + 10),
        _ => None,
    };
    unpack(text, 5, value, out).ok_or_else(|| "is not base32hex".into())
}

fn unpack(digits: &str, bits: u32, value: impl Fn(u8) -> Option<u8>, out: &mut Vec<u8>) -> Option<()> {
    let (mut held, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        held = held << bits | u32::from(value(digit)?);
        count += bits;
        if count >= 8 {
            count -= 8;
            out.push((held >> count) as u8);
            held &= (1 << count) - 1;
        }
    }
    // What is left over is padding: less than a digit, and zero.
    (count < bits && held == 0).then_some(())
}

/// Appends a moment, YYYYMMDDHHmmSS or seconds since 1970 (RFC 4034 §3.2); the seconds are taken modulo 2³² (§3.1.5).
pub(super) fn timestamp(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let wrong = || "is no moment: YYYYMMDDHHmmSS, or seconds since 1970".to_owned();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = if text.len() == 14 {
        let part = |range: Range<usize>| text[range].parse::<i8>().map_err(|_| wrong());
        let year = text[..4].parse().map_err(|_| wrong())?;
        jiff::civil::DateTime::new(
            year,
            part(4..6)?,
            part(6..8)?,
            part(8..10)?,
            part(10..12)?,
            part(12..14)?,
            0,
        )
        .and_then(|moment| jiff::tz::Offset::UTC.to_timestamp(moment))
        .map_err(|_| wrong())?
        .as_second() as u32
    } else {
        text.parse().map_err(|_| wrong())?
    };
    out.extend_from_slice(&seconds.to_be_bytes());
    Ok(())
}

/// Appends so many octets, written `00-00-5e…` (RFC 7043).
pub(super) fn eui(text: &str, count: usize, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let pairs = text.split('-').filter(|pair| pair.len() == 2).count();
    if pairs != count || text.len() != 3 * count - 1 {
        return Err(format!("is not {count} octets in hexadecimal, joined by `-`"));
    }
    hex(&text.replace('-', ""), out)
}

/// Appends 64 bits, written `2001:0DB8:1140:1000` (RFC 6742).
pub(super) fn locator(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let wrong = || "is not four groups of hexadecimal digits, joined by `:`".to_owned();
    let groups: Vec<&str> = text.split(':').collect();
    if groups.len() != 4 {
        return Err(wrong());
    }
    for group in groups {
        let plain = (1..=4).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u16::from_str_radix(group, 16).ok().filter(|_| plain).ok_or_else(wrong)?;
        out.extend_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    fn wire(text: &str) -> Result<String, Wrong> {
        let (origin, mut out) = ("technova.internal".parse::<Name>().unwrap(), Vec::new());
        name(text, origin.as_ref(), &mut out)?;
        Ok(Name::from_wire(&out).unwrap().to_string())
    }

    #[test]
    fn a_name_without_its_final_dot_goes_on_with_the_origin() {
        assert_eq!(wire("Portal").unwrap(), "Portal.technova.internal.");
        assert_eq!(wire("portal.").unwrap(), "portal.");
        assert_eq!(wire("@").unwrap(), "technova.internal.");
        assert_eq!(wire(r"a\.b\032c").unwrap(), r"a\.b\032c.technova.internal.");
        assert_eq!(wire(".").unwrap(), ".");
    }

    #[test]
    fn what_is_no_name_is_said() {
        assert!(wire("a..b").unwrap_err().contains("empty label"));
        assert!(wire(".a").unwrap_err().contains("empty label"));
        assert!(wire(&"a".repeat(64)).unwrap_err().contains("64 octets"));
        assert!(wire(&vec!["a".repeat(50); 5].join(".")).unwrap_err().contains("255"));
        assert!(wire("製造").unwrap_err().contains("IDNA"));
        assert!(wire(r"a\25").unwrap_err().contains("DDD"));
        assert!(wire(r"a\").unwrap_err().contains("lone"));
    }

    #[test]
    fn times_have_units() {
        assert_eq!(
            [time("0"), time("1h30m"), time("2W"), time("1d12"), time("90s")],
            [Some(0), Some(5400), Some(1_209_600), Some(86_412), Some(90)]
        );
        assert_eq!([time("h"), time("1x"), time(""), time("1hm"), time("-1")], [None; 5]);
        assert_eq!(time("99999999999999999999w"), Some(u32::MAX));
    }

    #[test]
    fn other_bases_read_as_rfc_4648_has_them() {
        let read = |base: fn(&str, &mut Vec<u8>) -> Result<(), Wrong>, text| {
            let mut out = Vec::new();
            base(text, &mut out).map(|()| String::from_utf8(out).unwrap())
        };
        for (text, plain) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")]
        {
            assert_eq!(read(base64, text).unwrap(), plain);
        }
        for (text, plain) in [("CO", "f"), ("cpng", "fo"), ("CPNMU", "foo"), ("CPNMUOJ1", "fooba")] {
            assert_eq!(read(base32hex, text).unwrap(), plain);
        }
        assert_eq!(read(hex, "666f6F").unwrap(), "foo");
        for (base, text) in
            [(base64 as fn(&str, &mut Vec<u8>) -> _, "Zg"), (base64, "Zh=="), (base64, "Z===")]
        {
            assert!(read(base, text).is_err());
        }
        assert!(read(base32hex, "C").is_err() && read(base32hex, "W0").is_err());
        assert!(read(hex, "6").is_err() && read(hex, "6g").is_err() && read(hex, "é").is_err());
    }
}
