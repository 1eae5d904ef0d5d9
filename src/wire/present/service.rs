//! Service parameters of SVCB and HTTPS (RFC 9460 §2.1).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::mnemonic::SERVICE_KEYS;
use super::super::u16_at;
use super::{Walk, number, quoted};

/// Takes all parameters that are left.
pub(super) fn params(rdata: &mut Walk<'_>, words: &mut Vec<String>) -> Option<()> {
    let mut least = 0;
    while !rdata.is_empty() {
        let (key, length) = (rdata.short()?, rdata.short()?);
        // RFC 9460 §2.2: in strictly increasing order.
        if u32::from(key) < least {
            return None;
        }
        least = u32::from(key) + 1;
        words.push(param(key, rdata.take(usize::from(length))?)?);
    }
    Some(())
}

fn param(key: u16, value: &[u8]) -> Option<String> {
    let name = key_text(key);
    let text = match SERVICE_KEYS.get(usize::from(key)) {
        Some(&("no-default-alpn" | "ohttp")) => return value.is_empty().then_some(name),
        _ if value.is_empty() => return (key > 7).then_some(name),
        Some(&"mandatory") => list::<2>(value, |octets| key_text(u16::from_be_bytes(octets)))?,
        Some(&"alpn") => protocols(value)?,
        Some(&"port") => {
            Some(value).filter(|value| value.len() == 2).map(|value| u16_at(value, 0))?.ok()?.to_string()
        }
        Some(&"ipv4hint") => list::<4>(value, |octets| Ipv4Addr::from(octets).to_string())?,
        Some(&"ipv6hint") => list::<16>(value, |octets| Ipv6Addr::from(octets).to_string())?,
        Some(&"ech") => number::base64(value),
        _ => quoted(value),
    };
    Some(format!("{name}={text}"))
}

fn key_text(key: u16) -> String {
    SERVICE_KEYS.get(usize::from(key)).map_or_else(|| format!("key{key}"), ToString::to_string)
}

fn list<const N: usize>(value: &[u8], text: impl Fn([u8; N]) -> String) -> Option<String> {
    let (items, []) = value.as_chunks::<N>() else { return None };
    Some(items.iter().map(|item| text(*item)).collect::<Vec<_>>().join(","))
}

/// A comma or backslash inside a protocol's name is escaped once for the list and once for the string (appendix A.1).
fn protocols(mut value: &[u8]) -> Option<String> {
    let mut list = Vec::new();
    while let Some((&length, rest)) = value.split_first() {
        let (protocol, rest) = rest.split_at_checked(usize::from(length)).filter(|_| length > 0)?;
        if !list.is_empty() {
            list.push(b',');
        }
        for octet in protocol {
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(*octet);
        }
        value = rest;
    }
    Some(quoted(&list))
}
