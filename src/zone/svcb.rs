//! Service parameters of SVCB and HTTPS records (RFC 9460 §2.1, §7, appendix A).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::text::{self, Wrong};
use super::token::{Flaw, Token};
use crate::wire::mnemonic::SERVICE_KEYS;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const EXAMPLE: &str = "as in: HTTPS 1 . alpn=\"h2,h3\" port=8443 ipv4hint=10.0.30.100";

/// Appends the parameters in the order of their keys, as the wire wants them whatever the text's order is.
pub(super) fn params(text: &str, tokens: &[Token], out: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut read: Vec<(u16, Token, Vec<u8>)> = Vec::new();
    for token in tokens {
        let word = token.text(text);
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let flaw = |wrong: Wrong| {
            Flaw::new(token.range(), format!("the parameter `{}` {wrong}", super::field::shortened(word)))
                .hint(EXAMPLE)
        };
        let key =
            key(name).ok_or_else(|| flaw("has no known key; another key is written key12345".into()))?;
        if read.iter().any(|(other, ..)| *other == key) {
            return Err(flaw("is there twice".into()));
        }
        let mut octets = Vec::new();
        text::octets(value, &mut octets).and_then(|()| wire(key, &octets)).map_err(flaw).map(|wire| {
            read.push((key, *token, wire));
        })?;
    }
    read.sort_by_key(|(key, ..)| *key);
    check_consistency(&read)?;
    for (key, token, value) in &read {
        let length = u16::try_from(value.len())
            .map_err(|_| Flaw::new(token.range(), "the parameter has more than 65535 octets"))?;
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
    }
    Ok(())
}

/// RFC 9460 §2.4.3: a record that is not self-consistent is ignored by its clients.
fn check_consistency(read: &[(u16, Token, Vec<u8>)]) -> Result<(), Flaw> {
    let has = |key: u16| read.iter().any(|(other, ..)| *other == key);
    for (key, token, value) in read {
        if *key == NO_DEFAULT_ALPN && !has(ALPN) {
            return Err(Flaw::new(token.range(), "`no-default-alpn` needs `alpn` beside it").hint(EXAMPLE));
        }
        if *key == MANDATORY {
            for pair in value.chunks_exact(2) {
                let wanted = u16::from_be_bytes([pair[0], pair[1]]);
                if wanted == MANDATORY || !has(wanted) {
                    let message =
                        format!("`mandatory` names `{}`, which is not among the others", key_text(wanted));
                    return Err(Flaw::new(token.range(), message));
                }
            }
        }
    }
    Ok(())
}

fn key(name: &str) -> Option<u16> {
    if let Some(known) = SERVICE_KEYS.iter().position(|known| *known == name) {
        return Some(known as u16);
    }
    let number = name.strip_prefix("key")?;
    let plain =
        number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
    // RFC 9460 §14.3.2: 65535 is the "invalid key".
    number.parse().ok().filter(|number| plain && *number != u16::MAX)
}

fn key_text(key: u16) -> String {
    SERVICE_KEYS.get(usize::from(key)).map_or_else(|| format!("key{key}"), ToString::to_string)
}

/// A value's wire form, from its octets with the escapes of the master file undone.
fn wire(key: u16, value: &[u8]) -> Result<Vec<u8>, Wrong> {
    match SERVICE_KEYS.get(usize::from(key)) {
        Some(&"mandatory") => {
            let mut keys = Vec::new();
            for name in words(value)? {
                keys.push(self::key(name).ok_or_else(|| format!("names `{name}`, which is no key"))?);
            }
            keys.sort_unstable();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err("names a key twice".into());
            }
            Ok(keys.iter().flat_map(|key| key.to_be_bytes()).collect())
        }
        Some(&"alpn") => protocols(value),
        Some(&("no-default-alpn" | "ohttp")) if value.is_empty() => Ok(Vec::new()),
        Some(&("no-default-alpn" | "ohttp")) => Err("has no value".into()),
        Some(&"port") => {
            let port =
                std::str::from_utf8(value).ok().filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
            let port = port.and_then(|port| port.parse::<u16>().ok());
            port.map(|port| port.to_be_bytes().to_vec()).ok_or_else(|| "is no port from 0 to 65535".into())
        }
        Some(&"ipv4hint") => addresses(value, |word| word.parse().map(|a: Ipv4Addr| a.octets()).ok()),
        Some(&"ipv6hint") => addresses(value, |word| word.parse().map(|a: Ipv6Addr| a.octets()).ok()),
        Some(&"ech") => {
            let mut out = Vec::new();
            text::base64(std::str::from_utf8(value).map_err(|_| "is not base64")?, &mut out)?;
            if out.is_empty() { Err("has no value".into()) } else { Ok(out) }
        }
        // RFC 9461 §5.1: a template that names the variable `dns`, so it is never empty.
        Some(&"dohpath") if value.is_empty() => Err("has no value".into()),
        // dohpath, and keys that are not known: the octets as they are.
        _ => Ok(value.to_vec()),
    }
}

fn words(value: &[u8]) -> Result<Vec<&str>, Wrong> {
    let value = std::str::from_utf8(value).map_err(|_| "is not text")?;
    if value.split(',').any(str::is_empty) {
        return Err("needs a list of values, joined by commas".into());
    }
    Ok(value.split(',').collect())
}

fn addresses<const N: usize>(
    value: &[u8],
    parse: impl Fn(&str) -> Option<[u8; N]>,
) -> Result<Vec<u8>, Wrong> {
    let mut out = Vec::new();
    for word in words(value)? {
        out.extend(parse(word).ok_or_else(|| format!("has `{word}`, which is no address of its kind"))?);
    }
    Ok(out)
}

/// Protocol identifiers, each behind its length; a comma inside one is escaped again (RFC 9460 appendix A.1).
fn protocols(value: &[u8]) -> Result<Vec<u8>, Wrong> {
    let (mut out, mut start, mut octets) = (vec![0], 0, value.iter());
    let end = |out: &mut Vec<u8>, start: usize| match out.len() - start - 1 {
        0 => Err(Wrong::from("needs a list of protocols, joined by commas")),
        length => {
            out[start] = u8::try_from(length).map_err(|_| "has a protocol of more than 255 octets")?;
            Ok(())
        }
    };
    while let Some(&octet) = octets.next() {
        match octet {
            b',' => {
                end(&mut out, start)?;
                start = out.len();
                out.push(0);
            }
            b'\\' => out.push(*octets.next().ok_or("ends in a lone backslash")?),
            other => out.push(other),
        }
    }
    end(&mut out, start)?;
    Ok(out)
}
