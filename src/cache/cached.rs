//! What a source said, and the bytes that it is kept as.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::query::{Failure, Order, Response};
use crate::wire::{Ede, Records, rcode};

/// The TTL of an answer that has outlived its own (RFC 8767 §4).
const STALE_TTL: u32 = 30;
/// Of its time, the last so manieth is its end.
const LAST_PART: u32 = 10;

/// What a source said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// The response, its TTLs capped, or why there is none.
    pub outcome: Result<Response, (Failure, Vec<Ede>)>,
    /// The upstream server that said it.
    pub server: Option<SocketAddr>,
    /// When it came.
    pub stored: Duration,
    /// How long it holds.
    pub holds: Duration,
}

impl Cached {
    /// Whether it still holds.
    pub fn is_fresh(&self, now: Duration) -> bool {
        now < self.stored + self.holds
    }

    /// Whether little of its time is left: whoever wants it always at hand asks anew.
    pub fn is_ending(&self, now: Duration) -> bool {
        now + self.holds / LAST_PART >= self.stored + self.holds
    }

    /// Whether there is no answer in it: its source failed, or said that it has.
    pub fn is_failure(&self) -> bool {
        !matches!(&self.outcome, Ok(Response { rcode: rcode::NOERROR | rcode::NXDOMAIN, .. }))
    }

    /// As an answer that stands in for one that cannot be had (RFC 8767 §4), for so long.
    pub(super) fn into_stand_in(self, now: Duration, holds: Duration) -> Cached {
        let mut outcome = self.outcome;
        if let Ok(response) = &mut outcome {
            response.map_ttl(|_| STALE_TTL);
            response.authentic = false;
            let code = if response.rcode == rcode::NXDOMAIN { Ede::STALE_NXDOMAIN } else { Ede::STALE };
            response.ede.insert(0, Ede::new(code, "the source does not answer; this is what it said last"));
        }
        Cached { outcome, stored: now, holds, ..self }
    }

    /// Whole seconds since it came.
    pub fn age(&self, now: Duration) -> u32 {
        u32::try_from(now.saturating_sub(self.stored).as_secs()).unwrap_or(u32::MAX)
    }
}

/// How many octets say when it was stored.
pub(super) const STORED: usize = 8;
/// The part of fixed length: stored (8), holds (4), RCODE (2), bits, address length, lengths of three sections (4 each).
const HEAD: usize = 28;
const AUTHENTIC: u8 = 1;
const AUTHORITATIVE: u8 = 2;
const ROTATE: u8 = 4;

/// Gives the parts that a response is kept as to `keep`.
pub fn write(cached: &Cached, response: &Response, keep: impl FnOnce(&[&[u8]])) {
    let mut head = [0; HEAD + 18];
    let micros = u64::try_from(cached.stored.as_micros()).unwrap_or(u64::MAX);
    head[..8].copy_from_slice(&micros.to_le_bytes());
    head[8..12].copy_from_slice(&saturating_millis(cached.holds).to_le_bytes());
    head[12..14].copy_from_slice(&response.rcode.to_le_bytes());
    for (bit, set) in [
        (AUTHENTIC, response.authentic),
        (AUTHORITATIVE, response.authoritative),
        (ROTATE, response.order == Order::Rotate),
    ] {
        head[14] |= if set { bit } else { 0 };
    }
    let sections = [&response.answer, &response.authority, &response.additional];
    for (nth, section) in sections.into_iter().enumerate() {
        head[16 + 4 * nth..20 + 4 * nth].copy_from_slice(&(section.byte_len() as u32).to_le_bytes());
    }
    head[15] = match cached.server.map(|server| (server.ip(), server.port())) {
        None => 0,
        Some((IpAddr::V4(ip), port)) => {
            head[HEAD..HEAD + 4].copy_from_slice(&ip.octets());
            head[HEAD + 4..HEAD + 6].copy_from_slice(&port.to_le_bytes());
            6
        }
        Some((IpAddr::V6(ip), port)) => {
            head[HEAD..HEAD + 16].copy_from_slice(&ip.octets());
            head[HEAD + 16..].copy_from_slice(&port.to_le_bytes());
            18
        }
    };
    let head = &head[..HEAD + usize::from(head[15])];
    let [answer, authority, additional] = sections.map(Records::as_bytes);
    let mut errors = Vec::new();
    for ede in &response.ede {
        let text = &ede.text.as_bytes()[..ede.text.len().min(usize::from(u16::MAX))];
        errors.extend_from_slice(&ede.code.to_le_bytes());
        errors.extend_from_slice(&(text.len() as u16).to_le_bytes());
        errors.extend_from_slice(text);
    }
    keep(&[head, answer, authority, additional, &errors]);
}

/// Until when the response kept as these bytes holds.
pub fn until(bytes: &[u8]) -> Option<Duration> {
    let (stored, holds) = (bytes.first_chunk()?, bytes.get(8..)?.first_chunk()?);
    let holds = Duration::from_millis(u64::from(u32::from_le_bytes(*holds)));
    Some(Duration::from_micros(u64::from_le_bytes(*stored)).saturating_add(holds))
}

/// What was kept as these bytes.
pub fn read(bytes: &[u8]) -> Option<Cached> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (server, rest) = rest.split_at_checked(usize::from(head[15]))?;
    let (answer, rest) = rest.split_at_checked(number(16) as usize)?;
    let (authority, rest) = rest.split_at_checked(number(20) as usize)?;
    let (additional, errors) = rest.split_at_checked(number(24) as usize)?;
    let response = Response {
        rcode: u16::from_le_bytes([head[12], head[13]]),
        authoritative: head[14] & AUTHORITATIVE != 0,
        authentic: head[14] & AUTHENTIC != 0,
        answer: Records::from_bytes(answer)?,
        authority: Records::from_bytes(authority)?,
        additional: Records::from_bytes(additional)?,
        ede: read_errors(errors)?,
        order: if head[14] & ROTATE == 0 { Order::Fixed } else { Order::Rotate },
    };
    Some(Cached {
        outcome: Ok(response),
        server: read_server(server),
        stored: Duration::from_micros(u64::from_le_bytes(*head.first_chunk()?)),
        holds: Duration::from_millis(u64::from(number(8))),
    })
}

/// The address written as these bytes; of a length that none is written in, nothing.
fn read_server(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::from(*ip.first_chunk::<4>()?),
        _ => IpAddr::from(*ip.first_chunk::<16>()?),
    };
    Some(SocketAddr::new(ip, u16::from_le_bytes(*port)))
}

fn read_errors(mut bytes: &[u8]) -> Option<Vec<Ede>> {
    let mut errors = Vec::new();
    while !bytes.is_empty() {
        let ([c0, c1, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([*l0, *l1])))?;
        let text = String::from_utf8_lossy(text).into_owned();
        errors.push(Ede::new(u16::from_le_bytes([*c0, *c1]), text));
        bytes = rest;
    }
    Some(errors)
}

fn saturating_millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::{RType, RecordRef};

    fn cached() -> Cached {
        let name = "host.technova.internal".parse::<crate::wire::Name>().unwrap();
        let mut response = Response { authentic: true, rcode: 3, ..Response::default() };
        let record =
            RecordRef { owner: name.as_ref(), rtype: RType::A, class: 1, ttl: 60, rdata: &[10, 0, 0, 1] };
        response.answer.push(record);
        response.answer.push(record);
        response.additional.push(RecordRef { ttl: 7, ..record });
        response.ede = vec![Ede::new(18, "no".to_owned()), Ede::new(22, String::new())];
        Cached {
            outcome: Ok(response),
            server: Some("192.168.1.10:53".parse().unwrap()),
            stored: Duration::from_micros(77_000_001),
            holds: Duration::from_secs(60),
        }
    }

    fn kept(cached: &Cached) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(cached, cached.outcome.as_ref().unwrap(), |parts| bytes = parts.concat());
        bytes
    }

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        for server in [None, Some("192.168.1.10:53"), Some("[fd00:ec2::253]:5353")] {
            let cached = Cached { server: server.map(|server| server.parse().unwrap()), ..cached() };
            assert_eq!(read(&kept(&cached)), Some(cached.clone()));
            assert_eq!(until(&kept(&cached)), Some(cached.stored + cached.holds));
        }
    }

    #[test]
    fn what_was_cut_off_is_not_read() {
        let bytes = kept(&cached());
        assert!(
            (0..bytes.len()).filter(|length| read(&bytes[..*length]).is_some()).count() <= 2,
            "whole errors may lack"
        );
    }
}
