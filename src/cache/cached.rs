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
/// The part of fixed length: stored (8), holds (4), RCODE (2), bits, lengths of answer and additional section (2 each).
const HEAD: usize = 19;
const AUTHENTIC: u8 = 1;
const AUTHORITATIVE: u8 = 2;
const ROTATE: u8 = 4;
const ERRORS: u8 = 8;
const SERVER_V4: u8 = 16;
const SERVER_V6: u8 = 32;

/// Gives the parts that a response is kept as to `keep`, and by itself the authority section, which it may have in common
/// with many. One whose sections are too long to be kept is left out.
pub fn write(cached: &Cached, response: &Response, keep: impl FnOnce(&[&[u8]], &[u8])) {
    let length = |section: &Records| u16::try_from(section.byte_len());
    let (Ok(answer), Ok(additional)) = (length(&response.answer), length(&response.additional)) else {
        return;
    };
    let mut errors = Vec::new();
    for ede in &response.ede {
        let text = &ede.text.as_bytes()[..ede.text.len().min(usize::from(u16::MAX))];
        errors.extend_from_slice(&ede.code.to_le_bytes());
        errors.extend_from_slice(&(text.len() as u16).to_le_bytes());
        errors.extend_from_slice(text);
    }
    let mut head = [0; HEAD + 18];
    let micros = u64::try_from(cached.stored.as_micros()).unwrap_or(u64::MAX);
    head[..8].copy_from_slice(&micros.to_le_bytes());
    head[8..12].copy_from_slice(&saturating_millis(cached.holds).to_le_bytes());
    head[12..14].copy_from_slice(&response.rcode.to_le_bytes());
    for (bit, set) in [
        (AUTHENTIC, response.authentic),
        (AUTHORITATIVE, response.authoritative),
        (ROTATE, response.order == Order::Rotate),
        (ERRORS, !errors.is_empty()),
    ] {
        head[14] |= if set { bit } else { 0 };
    }
    head[15..17].copy_from_slice(&answer.to_le_bytes());
    head[17..HEAD].copy_from_slice(&additional.to_le_bytes());
    let end = match cached.server.map(|server| (server.ip(), server.port())) {
        None => HEAD,
        Some((IpAddr::V4(ip), port)) => {
            head[14] |= SERVER_V4;
            head[HEAD..HEAD + 4].copy_from_slice(&ip.octets());
            head[HEAD + 4..HEAD + 6].copy_from_slice(&port.to_le_bytes());
            HEAD + 6
        }
        Some((IpAddr::V6(ip), port)) => {
            head[14] |= SERVER_V6;
            head[HEAD..HEAD + 16].copy_from_slice(&ip.octets());
            head[HEAD + 16..].copy_from_slice(&port.to_le_bytes());
            HEAD + 18
        }
    };
    let errors_length = (errors.len() as u32).to_le_bytes();
    let errors_length = if errors.is_empty() { &[][..] } else { &errors_length };
    let own =
        [&head[..end], response.answer.as_bytes(), response.additional.as_bytes(), errors_length, &errors];
    keep(&own, response.authority.as_bytes());
}

/// Until when the response kept as these bytes holds.
pub fn until(bytes: &[u8]) -> Option<Duration> {
    let (stored, holds) = (bytes.first_chunk()?, bytes.get(8..)?.first_chunk()?);
    let holds = Duration::from_millis(u64::from(u32::from_le_bytes(*holds)));
    Some(Duration::from_micros(u64::from_le_bytes(*stored)).saturating_add(holds))
}

/// What was kept as these bytes, the authority section behind the rest.
pub fn read(bytes: &[u8]) -> Option<Cached> {
    read_own(bytes).and_then(|(cached, rest)| with_authority(cached, rest))
}

/// What was kept as these bytes and this authority section.
pub(super) fn read_parts(own: &[u8], authority: &[u8]) -> Option<Cached> {
    read_own(own).and_then(|(cached, _)| with_authority(cached, authority))
}

/// All but the authority section, and what is behind it.
fn read_own(bytes: &[u8]) -> Option<(Cached, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let is_set = |bit: u8| head[14] & bit != 0;
    let address = if is_set(SERVER_V4) {
        6
    } else if is_set(SERVER_V6) {
        18
    } else {
        0
    };
    let (server, rest) = rest.split_at_checked(address)?;
    let (answer, rest) = rest.split_at_checked(usize::from(number(15)))?;
    let (additional, rest) = rest.split_at_checked(usize::from(number(17)))?;
    let (errors, rest) = if is_set(ERRORS) {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)?
    } else {
        (&[][..], rest)
    };
    let response = Response {
        rcode: number(12),
        authoritative: is_set(AUTHORITATIVE),
        authentic: is_set(AUTHENTIC),
        answer: Records::from_bytes(answer)?,
        authority: Records::new(),
        additional: Records::from_bytes(additional)?,
        ede: read_errors(errors)?,
        order: if is_set(ROTATE) { Order::Rotate } else { Order::Fixed },
    };
    let cached = Cached {
        outcome: Ok(response),
        server: read_server(server),
        stored: Duration::from_micros(u64::from_le_bytes(*head.first_chunk()?)),
        holds: Duration::from_millis(u64::from(u32::from_le_bytes(*head.get(8..)?.first_chunk()?))),
    };
    Some((cached, rest))
}

fn with_authority(mut cached: Cached, authority: &[u8]) -> Option<Cached> {
    if let Ok(response) = &mut cached.outcome {
        response.authority = Records::from_bytes(authority)?;
    }
    Some(cached)
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
        response.authority.push(RecordRef { ttl: 8, ..record });
        response.ede = vec![Ede::new(18, "no".to_owned()), Ede::new(22, String::new())];
        Cached {
            outcome: Ok(response),
            server: Some("192.168.1.10:53".parse().unwrap()),
            stored: Duration::from_micros(77_000_001),
            holds: Duration::from_secs(60),
        }
    }

    fn parts(cached: &Cached) -> (Vec<u8>, Vec<u8>) {
        let mut kept = None;
        write(cached, cached.outcome.as_ref().unwrap(), |own, authority| {
            kept = Some((own.concat(), authority.to_vec()));
        });
        kept.unwrap()
    }

    fn kept(cached: &Cached) -> Vec<u8> {
        let (own, authority) = parts(cached);
        assert_eq!(read_parts(&own, &authority).as_ref(), Some(cached));
        [own, authority].concat()
    }

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        for server in [None, Some("192.168.1.10:53"), Some("[fd00:ec2::253]:5353")] {
            let cached = Cached { server: server.map(|server| server.parse().unwrap()), ..cached() };
            assert_eq!(read(&kept(&cached)), Some(cached.clone()));
            assert_eq!(until(&kept(&cached)), Some(cached.stored + cached.holds));
        }
        let mut plain = cached();
        plain.outcome.as_mut().unwrap().ede.clear();
        assert_eq!(read(&kept(&plain)), Some(plain));
    }

    #[test]
    fn a_section_that_is_too_long_is_not_kept() {
        let mut cached = cached();
        let response = cached.outcome.as_mut().unwrap();
        let record = response.answer.clone();
        while u16::try_from(response.answer.byte_len()).is_ok() {
            response.answer.append(&record);
        }
        let mut is_kept = false;
        write(&cached, cached.outcome.as_ref().unwrap(), |_, _| is_kept = true);
        assert!(!is_kept);
    }

    #[test]
    fn what_was_cut_off_is_not_read() {
        let bytes = kept(&cached());
        assert!(
            (0..bytes.len()).filter(|length| read(&bytes[..*length]).is_some()).count() <= 1,
            "whole records of the last section may lack"
        );
    }
}
