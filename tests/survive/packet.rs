//! Queries octet by octet, as no library would write them, and the least that must be read of what comes back.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsCode;

use crate::PATIENCE;
use crate::misbehaviour::wire;
use crate::net::Network;

/// A name of the server's own zone, which it always answers.
pub const KNOWN: &str = "resolver.technova.internal";
/// The ID of the query that ends a wait for silence.
const LAST: u16 = 0xBEEF;

/// A query in the making; what is not said is ordinary.
#[derive(Clone)]
pub struct Packet {
    /// The header's second word.
    pub flags: u16,
    /// QNAME, QTYPE, QCLASS of each question.
    pub questions: Vec<(Vec<u8>, u16, u16)>,
    /// Counts of the sections, where they are not what is there.
    pub counts: Option<[u16; 4]>,
    /// Records of the additional section, each whole.
    pub additional: Vec<Vec<u8>>,
    /// What stands behind it all.
    pub tail: Vec<u8>,
}

impl Packet {
    /// RD set, one question of class IN.
    pub fn new(name: &str, qtype: u16) -> Packet {
        Packet {
            flags: 0x0100,
            questions: vec![(wire(name), qtype, 1)],
            counts: None,
            additional: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// With this opcode.
    pub fn opcode(mut self, opcode: u16) -> Packet {
        self.flags |= opcode << 11;
        self
    }

    /// With an OPT record that holds these options.
    pub fn opt(mut self, version: u8, options: &[u8]) -> Packet {
        self.additional.push(opt(version, options));
        self
    }

    /// The message.
    pub fn bytes(&self, id: u16) -> Vec<u8> {
        let there = [self.questions.len() as u16, 0, 0, self.additional.len() as u16];
        let counts = self.counts.unwrap_or(there);
        let mut bytes =
            [id, self.flags].iter().chain(&counts).flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        for (name, qtype, qclass) in &self.questions {
            bytes.extend(name);
            bytes.extend([*qtype, *qclass].map(u16::to_be_bytes).concat());
        }
        self.additional.iter().for_each(|record| bytes.extend(record));
        bytes.extend(&self.tail);
        bytes
    }
}

/// An OPT record.
pub fn opt(version: u8, options: &[u8]) -> Vec<u8> {
    let mut record = vec![0, 0, 41, 0x04, 0xD0, 0, version, 0, 0];
    record.extend((options.len() as u16).to_be_bytes());
    record.extend(options);
    record
}

/// A cookie option with this value.
pub fn cookie(value: &[u8]) -> Vec<u8> {
    [&[0, 10], &(value.len() as u16).to_be_bytes()[..], value].concat()
}

/// RCODE with the part that is in the OPT, where one is.
pub fn rcode(reply: &[u8]) -> u16 {
    let low = u16::from(reply[3] & 0xF);
    Message::from_vec(reply).map_or(low, |message| message.metadata.response_code.into())
}

/// The value of the cookie option.
pub fn cookie_of(reply: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_vec(reply).ok()?;
    let option = message.edns.as_ref()?.option(EdnsCode::Cookie)?.clone();
    Vec::<u8>::try_from(&option).ok()
}

/// Sends what may not be answered, then a query that will be; what came before that one's answer, or soon after.
pub fn provoke(source: IpAddr, server: SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
    let socket = Network.udp(source, server).unwrap();
    socket.send(bytes).unwrap();
    socket.send(&Packet::new(KNOWN, 1).bytes(LAST)).unwrap();
    let (mut replies, mut last) = (Vec::new(), false);
    let mut buffer = [0; 4096];
    loop {
        let patience = if last { Duration::from_millis(30) } else { PATIENCE };
        socket.set_read_timeout(Some(patience)).unwrap();
        match socket.recv(&mut buffer) {
            Ok(length) if buffer[..2] == LAST.to_be_bytes() && length > 12 => last = true,
            Ok(length) => replies.push(buffer[..length].to_vec()),
            Err(_) if last => return replies,
            Err(error) => panic!("the server has fallen silent: {error}"),
        }
    }
}

/// Sends a query that must be answered.
pub fn exchange(socket: &UdpSocket, bytes: &[u8]) -> Vec<u8> {
    exchange_within(socket, bytes, PATIENCE).unwrap()
}

/// Sends a query that need not be answered.
pub fn exchange_within(socket: &UdpSocket, bytes: &[u8], patience: Duration) -> Option<Vec<u8>> {
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send(bytes).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Some(buffer[..length].to_vec())
}
