//! Where things are: on earth, in address prefixes, behind a host's identity or a chain of prefixes.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Walk, number};

/// The latitude of the equator and the longitude of the prime meridian (RFC 1876 §2).
const MIDDLE: u32 = 1 << 31;

/// RFC 1876 §3: `35 41 22.000 N 139 41 30.000 E 40.00m 1m 10000m 10m`.
pub(super) fn location(rdata: &mut Walk<'_>) -> Option<String> {
    let [version, size, horizontal, vertical] = *rdata.array()?;
    let (latitude, longitude, altitude) = (rdata.long()?, rdata.long()?, rdata.long()?);
    if version != 0 {
        return None;
    }
    let latitude = angle(latitude, 90, ["N", "S"])?;
    let longitude = angle(longitude, 180, ["E", "W"])?;
    // Centimetres above 100 km below the ellipsoid.
    let altitude = i64::from(altitude) - 10_000_000;
    let sign = if altitude < 0 { "-" } else { "" };
    let altitude = altitude.unsigned_abs();
    let (size, horizontal, vertical) = (extent(size)?, extent(horizontal)?, extent(vertical)?);
    let (metres, rest) = (altitude / 100, altitude % 100);
    Some(format!("{latitude} {longitude} {sign}{metres}.{rest:02}m {size} {horizontal} {vertical}"))
}

fn angle(thousandths: u32, most: u32, [above, below]: [&str; 2]) -> Option<String> {
    let side = if thousandths >= MIDDLE { above } else { below };
    let off = thousandths.abs_diff(MIDDLE);
    if off > most * 3_600_000 {
        return None;
    }
    let (degrees, minutes, seconds) = (off / 3_600_000, off / 60_000 % 60, off / 1000 % 60);
    Some(format!("{degrees} {minutes} {seconds}.{:03} {side}", off % 1000))
}

/// A digit and the power of ten that it counts, in centimetres.
fn extent(octet: u8) -> Option<String> {
    let (digit, power) = (octet >> 4, octet & 15);
    if digit > 9 || power > 9 {
        return None;
    }
    let centimetres = u64::from(digit) * 10_u64.pow(u32::from(power));
    Some(match centimetres % 100 {
        0 => format!("{}m", centimetres / 100),
        rest => format!("{}.{rest:02}m", centimetres / 100),
    })
}

/// RFC 3123 §4: family, length, a bit that means all others, and the address without its trailing zeros.
pub(super) fn prefixes(rdata: &mut Walk<'_>, words: &mut Vec<String>) -> Option<()> {
    while !rdata.is_empty() {
        let (family, length, count) = (rdata.short()?, rdata.byte()?, rdata.byte()?);
        let but = if count & 0x80 != 0 { "!" } else { "" };
        let short = rdata.take(usize::from(count & 0x7F))?;
        let mut octets = [0; 16];
        octets.get_mut(..short.len())?.copy_from_slice(short);
        let [a, b, c, d, ..] = octets;
        let address = match family {
            1 if length <= 32 && short.len() <= 4 => Ipv4Addr::new(a, b, c, d).to_string(),
            2 if length <= 128 => Ipv6Addr::from(octets).to_string(),
            _ => return None,
        };
        if short.last() == Some(&0) {
            return None;
        }
        words.push(format!("{but}{family}:{address}/{length}"));
    }
    Some(())
}

/// RFC 8005 §5: two lengths with the algorithm between them, the tag, the key, and servers up to the end.
pub(super) fn host_identity(rdata: &mut Walk<'_>, words: &mut Vec<String>) -> Option<()> {
    let (tag, algorithm, key) = (rdata.byte()?, rdata.byte()?, rdata.short()?);
    let (tag, key) = (rdata.take(usize::from(tag))?, rdata.take(usize::from(key))?);
    if tag.is_empty() || key.is_empty() {
        return None;
    }
    words.extend([algorithm.to_string(), number::hex(tag), number::base64(key)]);
    while !rdata.is_empty() {
        words.push(rdata.name()?);
    }
    Some(())
}

/// RFC 2874 §3.1: the length of the prefix, what follows it of an address, and the name that has the prefix.
pub(super) fn address_chain(rdata: &mut Walk<'_>, words: &mut Vec<String>) -> Option<()> {
    let length = rdata.byte().filter(|length| *length <= 128)?;
    words.push(length.to_string());
    if length < 128 {
        let start = usize::from(length / 8);
        let mut octets = [0; 16];
        octets[start..].copy_from_slice(rdata.take(16 - start)?);
        if octets[start] & !(0xFF >> (length % 8)) != 0 {
            return None;
        }
        words.push(Ipv6Addr::from(octets).to_string());
    }
    if length > 0 {
        words.push(rdata.name()?);
    }
    Some(())
}
