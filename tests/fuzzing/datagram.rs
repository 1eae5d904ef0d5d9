//! A message from a client, at the shipped configuration: it gets a sound reply, or none, and the same one again.

use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;
use std::time::Duration;

use kakehashi::pipeline::Admit;
use kakehashi::query::{Now, Path, Transport};
use kakehashi::server::testing::{Street, street_by};
use kakehashi::wire::message::Message;
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{HEADER, NameRef, RType, Records, Request, flag};

/// Our EDNS payload size in the shipped configuration.
const OURS: u16 = 1232;
const OPCODE: u16 = 0x7800;
const NOW: Now = Now { monotonic: Duration::from_secs(1000), unix_micros: 0 };

/// The first is a client of the internet.
const CLIENTS: [&str; 6] =
    ["198.51.100.7", "10.0.30.100", "192.168.1.10", "10.100.0.5", "10.0.60.9", "2001:db8::7"];

thread_local! {
    /// Never torn down: a thread's values may not be any more when its runtime ends.
    static STREET: &'static Street = Box::leak(Box::new(shipped()));
}

fn shipped() -> Street {
    let here = FilePath::new(env!("CARGO_MANIFEST_DIR"));
    let folder = here.ancestors().map(|top| top.join("conf")).find(|conf| conf.is_dir()).unwrap();
    let text = std::fs::read_to_string(folder.join("kakehashi.toml")).unwrap();
    street_by(Box::new(|| NOW), &text, &folder)
}

/// The first octet is who asks and how, the rest the message.
pub fn run(input: &[u8]) {
    let Some((&who, packet)) = input.split_first() else { return };
    let path = path(who);
    STREET.with(|street| {
        let (first, second) = (ask(street, packet, &path), ask(street, packet, &path));
        assert_eq!(first.as_ref().map(in_order), second.as_ref().map(in_order), "kept answers are the same");
    });
}

fn path(who: u8) -> Path {
    let ip: IpAddr = CLIENTS[usize::from(who & 0x7F) % CLIENTS.len()].parse().unwrap();
    Path {
        client: SocketAddr::new(ip, 4000),
        local: SocketAddr::from(([127, 0, 0, 1], 53)),
        transport: if who & 0x80 == 0 { Transport::Udp } else { Transport::Tcp },
    }
}

fn ask(street: &Street, packet: &[u8], path: &Path) -> Option<Message> {
    let mut out = Vec::new();
    let admitted = street.worker.admit(packet, path, NOW, &mut out);
    let is_response = packet.get(2).is_some_and(|octet| octet & 0x80 != 0);
    // Whoever answers responses can be made to answer himself.
    assert_eq!(admitted == Admit::Drop, packet.len() < HEADER || is_response);
    (admitted == Admit::Reply).then(|| check(packet, path, &out))
}

fn check(packet: &[u8], path: &Path, out: &[u8]) -> Message {
    let reply = Message::parse(out).unwrap();
    let flags = u16::from_be_bytes([packet[2], packet[3]]);
    assert!(out.len() <= limit(packet, path.transport), "{} octets", out.len());
    assert_eq!(out[..2], packet[..2]);
    assert_eq!(reply.flags & (flag::QR | OPCODE), flag::QR | flags & OPCODE);
    let has_question = out[4..6] == [0, 1];
    if has_question {
        let end = HEADER + NameRef::parse(out, HEADER).unwrap().wire().len() + 4;
        assert_eq!(out[HEADER..end], packet[HEADER..end], "the question, letter by letter");
    }
    if let Parsed::Query(request) = Request::parse(packet) {
        assert!(has_question);
        assert_eq!(reply.edns, request.edns.is_some());
    }
    if path.client.ip().to_string() == CLIENTS[0] {
        assert!(
            !reply.answer.iter().any(|r| r.rtype == RType::A && is_private(r.rdata)),
            "{:?}",
            reply.answer
        );
    }
    reply
}

fn limit(packet: &[u8], transport: Transport) -> usize {
    match (transport, Request::parse(packet)) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, Parsed::Query(Request { edns: Some(edns), .. })) => {
            usize::from(edns.payload.clamp(512, OURS))
        }
        (Transport::Udp, _) => 512,
    }
}

/// RFC 1918 §3.
fn is_private(rdata: &[u8]) -> bool {
    matches!(rdata, [10, ..] | [192, 168, ..] | [172, 16..=31, ..])
}

/// A reply in which the records of an RRset stand in order: they take turns.
fn in_order(reply: &Message) -> Message {
    let sorted = |records: &Records| {
        let mut list: Vec<_> = records.iter().collect();
        list.sort_by_key(|r| (r.owner.wire().to_vec(), r.rtype.0, r.rdata));
        let mut sorted = Records::new();
        list.into_iter().for_each(|record| sorted.push(record));
        sorted
    };
    Message { answer: sorted(&reply.answer), ..reply.clone() }
}
