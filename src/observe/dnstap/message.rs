//! What was seen → a frame with a `dnstap.Dnstap` in it.
//!
//! Written by hand: one message that is only ever written, of three wire types, straight into the frame. A library would
//! bring its derive macros and copies of both DNS messages for the sake of twenty lines.

use std::net::{IpAddr, SocketAddr};

use crate::query::{Passage, Sighting, Transport};

/// The messages that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A query as a client sent it.
    ClientQuery = 5,
    /// Our response to it.
    ClientResponse = 6,
    /// A query as we sent it to an upstream server.
    ForwarderQuery = 7,
    /// Its response, as it came.
    ForwarderResponse = 8,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] =
        [Kind::ClientQuery, Kind::ClientResponse, Kind::ForwarderQuery, Kind::ForwarderResponse];
}

/// Writes frames for one node.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    message: Vec<u8>,
    frame: Vec<u8>,
}

/// One DNS message on its way, in dnstap's words: the initiator sent the query.
struct Message<'a> {
    kind: Kind,
    transport: Transport,
    initiator: SocketAddr,
    responder: SocketAddr,
    query_micros: u64,
    response_micros: Option<u64>,
    octets: &'a [u8],
}

impl Encoder {
    /// A client's query, or our response to it. `sample` is how many it stands for.
    pub(super) fn client(
        &mut self,
        kind: Kind,
        seen: &Sighting<'_>,
        node: &str,
        sample: Option<u32>,
    ) -> &[u8] {
        let response_micros = seen.unix_micros + u64::from(seen.duration_micros);
        let (octets, response_micros) = match kind {
            Kind::ClientQuery => (seen.query, None),
            _ => (seen.response, Some(response_micros)),
        };
        let message = Message {
            kind,
            transport: seen.transport,
            initiator: SocketAddr::new(seen.client, seen.port),
            responder: seen.local,
            query_micros: seen.unix_micros,
            response_micros,
            octets,
        };
        self.write(&message, node, sample)
    }

    /// What passed between us and an upstream server.
    pub(super) fn forwarder(&mut self, passage: &Passage<'_>, node: &str) -> &[u8] {
        let response_micros = passage.answered_after.map(|after| passage.sent_micros + u64::from(after));
        let message = Message {
            kind: of_passage(passage),
            transport: passage.transport,
            initiator: passage.local,
            responder: passage.server,
            query_micros: passage.sent_micros,
            response_micros,
            octets: passage.octets,
        };
        self.write(&message, node, None)
    }

    fn write(&mut self, message: &Message<'_>, node: &str, sample: Option<u32>) -> &[u8] {
        let inner = &mut self.message;
        inner.clear();
        number(inner, 1, message.kind as u64);
        number(inner, 2, if message.responder.is_ipv4() { 1 } else { 2 });
        number(inner, 3, if message.transport == Transport::Udp { 1 } else { 2 });
        address(inner, 4, message.initiator.ip());
        address(inner, 5, message.responder.ip());
        number(inner, 6, message.initiator.port().into());
        number(inner, 7, message.responder.port().into());
        time(inner, (8, 9), message.query_micros);
        match message.response_micros {
            None => octets(inner, 10, message.octets),
            Some(micros) => {
                time(inner, (12, 13), micros);
                octets(inner, 14, message.octets);
            }
        }
        let frame = &mut self.frame;
        frame.clear();
        frame.extend_from_slice(&[0; 4]);
        octets(frame, 1, node.as_bytes());
        octets(frame, 2, concat!("kakehashi ", env!("CARGO_PKG_VERSION")).as_bytes());
        if let Some(events) = sample {
            octets(frame, 3, format!("sample={events}").as_bytes());
        }
        octets(frame, 14, &self.message);
        number(frame, 15, 1);
        let length = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        frame
    }
}

/// Which message a passage is.
pub(super) fn of_passage(passage: &Passage<'_>) -> Kind {
    if passage.answered_after.is_some() { Kind::ForwarderResponse } else { Kind::ForwarderQuery }
}

/// Protobuf's variable-length integer: seven bits an octet, the least first.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn octets(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// An address that is not known is left out, rather than said to be 0.0.0.0.
fn address(out: &mut Vec<u8>, field: u64, address: IpAddr) {
    match address {
        _ if address.is_unspecified() => {}
        IpAddr::V4(v4) => octets(out, field, &v4.octets()),
        IpAddr::V6(v6) => octets(out, field, &v6.octets()),
    }
}

/// Seconds, and nanoseconds in four octets.
fn time(out: &mut Vec<u8>, (seconds, nanos): (u64, u64), micros: u64) {
    number(out, seconds, micros / 1_000_000);
    varint(out, nanos << 3 | 5);
    out.extend_from_slice(&((micros % 1_000_000) as u32 * 1_000).to_le_bytes());
}
