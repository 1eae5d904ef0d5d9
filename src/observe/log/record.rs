//! An event as bytes on their way from a worker to the log thread.
//!
//! Fixed head, then the response as it was sent. Both ends are this file, in one process: no version, host byte order.

use std::net::{IpAddr, Ipv6Addr};

use crate::query::{Event, Sighting, Source, Transport};

/// The length of the head, and of a record that is only a head.
pub(super) const HEAD: usize = 64;

/// The head's kinds.
const EVENT: u8 = 0;
const DIRECTORY: u8 = 1;

const NONE: u32 = u32::MAX;

mod bit {
    pub(super) const DNSSEC_OK: u8 = 1;
    pub(super) const CHECKING_DISABLED: u8 = 2;
    pub(super) const TCP: u8 = 4;
    pub(super) const EDE: u8 = 8;
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A query was answered.
    Event(Sighting<'a>),
    /// The records behind this one number things by the next directory.
    Directory,
}

/// The head of an event's record; the response follows it.
pub(super) fn event_head(event: &Event<'_>) -> [u8; HEAD] {
    let mut bits = 0;
    let mut set = |bit: u8, on: bool| bits |= if on { bit } else { 0 };
    set(bit::DNSSEC_OK, event.dnssec_ok);
    set(bit::CHECKING_DISABLED, event.checking_disabled);
    set(bit::TCP, event.path.transport == Transport::Tcp);
    set(bit::EDE, event.ede.is_some());
    let address = match event.path.client.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut head = Head { bytes: [0; HEAD], at: 0 };
    head.put((HEAD + event.response.len()) as u32, u32::to_ne_bytes);
    head.put(EVENT, |kind| [kind]);
    head.put(event.source as u8, |source| [source]);
    head.put(bits, |bits| [bits]);
    head.put(0, |pad| [pad]);
    head.put(event.unix_micros, u64::to_ne_bytes);
    head.put(event.duration_micros, u32::to_ne_bytes);
    for number in [event.network, event.view, event.route, event.server] {
        head.put(number.unwrap_or(NONE), u32::to_ne_bytes);
    }
    for number in [event.rcode, event.ede.unwrap_or(0), event.path.client.port()] {
        head.put(number, u16::to_ne_bytes);
    }
    head.put(address, |address| address.octets());
    head.bytes
}

/// The record that says that the directory changes.
pub(super) fn directory_head() -> [u8; HEAD] {
    let mut head = Head { bytes: [0; HEAD], at: 0 };
    head.put(HEAD as u32, u32::to_ne_bytes);
    head.put(DIRECTORY, |kind| [kind]);
    head.bytes
}

struct Head {
    bytes: [u8; HEAD],
    at: usize,
}

impl Head {
    fn put<T, const N: usize>(&mut self, value: T, encode: impl Fn(T) -> [u8; N]) {
        self.bytes[self.at..self.at + N].copy_from_slice(&encode(value));
        self.at += N;
    }
}

/// The first record of `bytes` and its length; `None` while it is not whole.
pub(super) fn first(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let mut head = Fields { bytes: bytes.get(..HEAD)? };
    let length = u32::from_ne_bytes(head.take()?) as usize;
    let response = bytes.get(HEAD..length)?;
    let [kind, source, bits, _] = head.take()?;
    if kind == DIRECTORY {
        return Some((Record::Directory, length));
    }
    let number = |bytes: [u8; 4]| Some(u32::from_ne_bytes(bytes)).filter(|number| *number != NONE);
    let seen = Sighting {
        source: *Source::ALL.get(usize::from(source))?,
        dnssec_ok: bits & bit::DNSSEC_OK != 0,
        checking_disabled: bits & bit::CHECKING_DISABLED != 0,
        transport: if bits & bit::TCP == 0 { Transport::Udp } else { Transport::Tcp },
        unix_micros: u64::from_ne_bytes(head.take()?),
        duration_micros: u32::from_ne_bytes(head.take()?),
        network: number(head.take()?),
        view: number(head.take()?),
        route: number(head.take()?),
        server: number(head.take()?),
        rcode: u16::from_ne_bytes(head.take()?),
        ede: head.take().map(u16::from_ne_bytes).filter(|_| bits & bit::EDE != 0),
        port: u16::from_ne_bytes(head.take()?),
        client: IpAddr::V6(Ipv6Addr::from(head.take::<16>()?)).to_canonical(),
        response,
    };
    Some((Record::Event(seen), length))
}

struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::Path;

    #[test]
    fn what_is_packed_reads_back() {
        for (at, source) in Source::ALL.into_iter().enumerate() {
            assert_eq!(source as usize, at);
            let event = Event {
                unix_micros: 1_612_461_115_000_001,
                duration_micros: 42,
                path: Path {
                    client: if at == 0 { "10.0.30.100:56067" } else { "[2001:db8::7]:1" }.parse().unwrap(),
                    local: "10.150.20.10:53".parse().unwrap(),
                    transport: Transport::ALL[at % 2],
                },
                network: Some(3),
                view: None,
                route: Some(0),
                server: None,
                source,
                qtype: 1,
                rcode: 3,
                dnssec_ok: at % 2 == 0,
                checking_disabled: at % 2 == 1,
                ede: (at % 3 == 0).then_some(0),
                response: b"response",
            };
            let bytes = [&event_head(&event)[..], event.response, b"next"].concat();
            let (Record::Event(packed), length) = first(&bytes).unwrap() else { panic!("an event") };
            assert_eq!(length, HEAD + 8);
            assert_eq!((packed.client, packed.port), (event.path.client.ip(), event.path.client.port()));
            assert_eq!(
                (packed.network, packed.view, packed.route, packed.server),
                (Some(3), None, Some(0), None)
            );
            assert_eq!(
                (packed.dnssec_ok, packed.checking_disabled),
                (event.dnssec_ok, event.checking_disabled)
            );
            assert_eq!((packed.source, packed.transport), (source, event.path.transport));
            assert_eq!((packed.rcode, packed.ede, packed.response), (3, event.ede, event.response));
            assert_eq!((packed.unix_micros, packed.duration_micros), (event.unix_micros, 42));
            for end in 0..length {
                assert_eq!(first(&bytes[..end]), None);
            }
        }
        assert_eq!(first(&directory_head()), Some((Record::Directory, HEAD)));
    }
}
