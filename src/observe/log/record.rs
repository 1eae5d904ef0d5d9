//! An event as bytes on their way from a worker to the log thread.
//!
//! Fixed head, then the response as it was sent, and the query where it is wanted. Both ends are this file, in one process: no version, host byte order.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::query::{Event, Passage, Sighting, Source, Transport};

/// The length of the head, and of a record that is only a head.
pub(super) const HEAD: usize = 84;

/// The head's kinds.
const EVENT: u8 = 0;
const DIRECTORY: u8 = 1;
const PASSAGE: u8 = 2;

const NONE: u32 = u32::MAX;

mod bit {
    pub(super) const DNSSEC_OK: u8 = 1;
    pub(super) const CHECKING_DISABLED: u8 = 2;
    pub(super) const TCP: u8 = 4;
    pub(super) const EDE: u8 = 8;
    pub(super) const ANSWERED: u8 = 16;
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// A query was answered.
    Event(Sighting<'a>),
    /// A message passed between us and an upstream server.
    Passage(Passage<'a>),
    /// The records behind this one number things by the next directory.
    Directory,
}

/// The head of an event's record; the response follows it, and so many octets of the query.
pub(super) fn event_head(event: &Event<'_>, query: u16) -> [u8; HEAD] {
    let mut bits = 0;
    let mut set = |bit: u8, on: bool| bits |= if on { bit } else { 0 };
    set(bit::DNSSEC_OK, event.dnssec_ok);
    set(bit::CHECKING_DISABLED, event.checking_disabled);
    set(bit::TCP, event.path.transport == Transport::Tcp);
    set(bit::EDE, event.ede.is_some());
    let mut head = Head { bytes: [0; HEAD], at: 0 };
    head.put((HEAD + event.response.len() + usize::from(query)) as u32, u32::to_ne_bytes);
    head.put(EVENT, |kind| [kind]);
    head.put(event.source as u8, |source| [source]);
    head.put(bits, |bits| [bits]);
    head.put(0, |pad| [pad]);
    head.put(event.unix_micros, u64::to_ne_bytes);
    head.put(event.duration_micros, u32::to_ne_bytes);
    for number in [event.network, event.view, event.route, event.server] {
        head.put(number.unwrap_or(NONE), u32::to_ne_bytes);
    }
    for number in [event.rcode, event.ede.unwrap_or(0), query] {
        head.put(number, u16::to_ne_bytes);
    }
    head.put_socket(event.path.client);
    head.put_socket(event.path.local);
    head.bytes
}

/// The head of a passage's record; the message follows it.
pub(super) fn passage_head(passage: &Passage<'_>) -> [u8; HEAD] {
    let tcp = if passage.transport == Transport::Tcp { bit::TCP } else { 0 };
    let answered = if passage.answered_after.is_some() { bit::ANSWERED } else { 0 };
    let mut head = Head { bytes: [0; HEAD], at: 0 };
    head.put((HEAD + passage.octets.len()) as u32, u32::to_ne_bytes);
    head.put([PASSAGE, 0, tcp | answered, 0], |bytes| bytes);
    head.put(passage.sent_micros, u64::to_ne_bytes);
    head.put(passage.answered_after.unwrap_or(0), u32::to_ne_bytes);
    head.put_socket(passage.server);
    head.put_socket(passage.local);
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

    fn put_socket(&mut self, socket: SocketAddr) {
        let address = match socket.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        self.put(socket.port(), u16::to_ne_bytes);
        self.put(address, |address| address.octets());
    }
}

/// The first record of `bytes` and its length; `None` while it is not whole.
pub(super) fn first(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let mut head = Fields { bytes: bytes.get(..HEAD)? };
    let length = u32::from_ne_bytes(head.take()?) as usize;
    let rest = bytes.get(HEAD..length)?;
    let [kind, source, bits, _] = head.take()?;
    let transport = if bits & bit::TCP == 0 { Transport::Udp } else { Transport::Tcp };
    match kind {
        DIRECTORY => return Some((Record::Directory, length)),
        PASSAGE => {
            let sent_micros = u64::from_ne_bytes(head.take()?);
            let after = u32::from_ne_bytes(head.take()?);
            let passage = Passage {
                server: head.take_socket()?,
                local: head.take_socket()?,
                transport,
                sent_micros,
                answered_after: (bits & bit::ANSWERED != 0).then_some(after),
                octets: rest,
            };
            return Some((Record::Passage(passage), length));
        }
        _ => {}
    }
    let number = |bytes: [u8; 4]| Some(u32::from_ne_bytes(bytes)).filter(|number| *number != NONE);
    let (unix_micros, duration_micros) = (u64::from_ne_bytes(head.take()?), u32::from_ne_bytes(head.take()?));
    let [network, view, route, server] =
        [number(head.take()?), number(head.take()?), number(head.take()?), number(head.take()?)];
    let rcode = u16::from_ne_bytes(head.take()?);
    let ede = head.take().map(u16::from_ne_bytes).filter(|_| bits & bit::EDE != 0);
    let query = usize::from(u16::from_ne_bytes(head.take()?));
    let (client, local) = (head.take_socket()?, head.take_socket()?);
    let (response, query) = rest.split_at_checked(rest.len().checked_sub(query)?)?;
    let seen = Sighting {
        unix_micros,
        duration_micros,
        client: client.ip(),
        port: client.port(),
        local,
        transport,
        network,
        view,
        route,
        server,
        source: *Source::ALL.get(usize::from(source))?,
        rcode,
        dnssec_ok: bits & bit::DNSSEC_OK != 0,
        checking_disabled: bits & bit::CHECKING_DISABLED != 0,
        ede,
        query,
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

    fn take_socket(&mut self) -> Option<SocketAddr> {
        let port = u16::from_ne_bytes(self.take()?);
        let address = IpAddr::V6(Ipv6Addr::from(self.take::<16>()?)).to_canonical();
        Some(SocketAddr::new(address, port))
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
                query: b"query",
                response: b"response",
            };
            let query = if at % 2 == 0 { event.query } else { &[] };
            let bytes =
                [&event_head(&event, query.len() as u16)[..], event.response, query, b"next"].concat();
            let (Record::Event(packed), length) = first(&bytes).unwrap() else { panic!("an event") };
            assert_eq!(length, HEAD + 8 + query.len());
            assert_eq!(packed.query, query);
            assert_eq!((packed.client, packed.port), (event.path.client.ip(), event.path.client.port()));
            assert_eq!(packed.local, event.path.local);
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
        for answered_after in [None, Some(0), Some(1_500)] {
            let passage = Passage {
                server: "192.168.1.10:53".parse().unwrap(),
                local: "[::]:40001".parse().unwrap(),
                transport: Transport::Tcp,
                sent_micros: 1_612_461_115_000_001,
                answered_after,
                octets: b"message",
            };
            let bytes = [&passage_head(&passage)[..], passage.octets, b"next"].concat();
            assert_eq!(first(&bytes), Some((Record::Passage(passage), HEAD + 7)));
        }
    }
}
