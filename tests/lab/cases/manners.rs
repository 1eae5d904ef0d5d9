//! The protocol's manners on real sockets: size, streams, and messages that are not what they should be.

use std::io::Write;
use std::net::SocketAddr;

use hickory_proto::op::{Message, ResponseCode};

use crate::client::{self, PATIENCE, framed, read_framed};
use crate::server::PRIMARY;
use crate::world::address;

use super::shared;

const CLIENT: &str = "10.0.30.100";

/// 60 SRV records are about 3 kB: more than the 1232 octets of any UDP response, whatever the client says it can take.
pub fn sixty_records_want_tcp() {
    let lab = shared();
    let name = "_big._tcp.app.technova.local";
    let udp = lab.ask(CLIENT, name, "SRV");
    assert!(udp.message.metadata.truncation, "TC is set");
    assert!(udp.size <= 1232, "{} octets", udp.size);
    let small = lab.ask(CLIENT, name, "SRV+noedns");
    assert!(small.message.metadata.truncation && small.size <= 512, "{} octets without EDNS", small.size);
    let tcp = lab.ask(CLIENT, name, "SRV+tcp");
    assert!(!tcp.message.metadata.truncation, "whole over TCP");
    assert_eq!(tcp.answers().len(), 60);
    assert!(lab.site.dcs.iter().any(|dc| dc.asked().iter().any(|a| a.name == name && a.flags.contains('T'))));
}

/// RFC 7766 section 6.2.1.1: several queries in one write, answered on the same connection.
pub fn tcp_queries_may_be_pipelined() {
    let lab = shared();
    let mut stream = lab.site.network.tcp(address(CLIENT), SocketAddr::new(PRIMARY, 53), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let names = ["piped.load.technova.local", "planning.manufacturing.technova.internal", "www.example.com"];
    let all: Vec<u8> =
        (1..).zip(names).flat_map(|(id, name)| framed(&query(id, Flags::RD, name, &Extra::None))).collect();
    stream.write_all(&all).unwrap();
    let mut answered: Vec<u16> = (0..names.len())
        .map(|_| Message::from_vec(&read_framed(&mut stream).unwrap()).unwrap())
        .inspect(|reply| assert_eq!(reply.answers.len(), 1, "{reply}"))
        .map(|reply| reply.metadata.id)
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3], "each query is answered once, in whatever order");
}

pub fn odd_messages_are_answered_as_the_rfcs_say() {
    let lab = shared();
    let name = "planning.manufacturing.technova.internal";
    let mut no_question = query(7, Flags::RD, name, &Extra::None);
    no_question[5] = 0;
    let mut two_questions = query(7, Flags::RD, name, &Extra::None);
    two_questions[5] = 2;
    let cut = query(7, Flags::RD, name, &Extra::None)[..30].to_vec();
    let cases = [
        ("opcode STATUS", query(7, Flags::STATUS, name, &Extra::None), ResponseCode::NotImp),
        ("opcode UPDATE", query(7, Flags::UPDATE, name, &Extra::None), ResponseCode::NotImp),
        ("no question (only cookies may, RFC 7873)", no_question[..12].to_vec(), ResponseCode::FormErr),
        ("two questions, RFC 9619", two_questions, ResponseCode::FormErr),
        ("a question cut short", cut, ResponseCode::FormErr),
        (
            "EDNS version 1, RFC 6891 section 6.1.3",
            query(7, Flags::RD, name, &Extra::Opt(1)),
            ResponseCode::BADVERS,
        ),
        (
            "two OPT records, RFC 6891 section 6.1.1",
            query(7, Flags::RD, name, &Extra::TwoOpts),
            ResponseCode::FormErr,
        ),
    ];
    for (what, bytes, rcode) in cases {
        let reply = match client::exchange(
            &lab.site.network,
            address(CLIENT),
            SocketAddr::new(PRIMARY, 53),
            &bytes,
        ) {
            Ok(reply) => Message::from_vec(&reply).unwrap(),
            Err(silence) => panic!("{what}: {silence}"),
        };
        assert_eq!(reply.metadata.id, 7, "{what}");
        // BADVERS and BADSIG share the code 16; hickory says BADSIG without looking at OPT.
        assert_eq!(u16::from(reply.metadata.response_code), u16::from(rcode), "{what}: {reply}");
        assert!(reply.answers.is_empty(), "{what}: {reply}");
    }
}

/// No reply to what is not a query, or two servers could talk to each other for ever; the next query is answered.
pub fn what_is_no_query_is_met_with_silence() {
    let lab = shared();
    let name = "planning.manufacturing.technova.internal";
    let socket = lab.site.network.udp(address(CLIENT), SocketAddr::new(PRIMARY, 53)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    for odd in [query(1, Flags::RESPONSE, name, &Extra::None), vec![0; 11], vec![], vec![0xff; 3]] {
        socket.send(&odd).unwrap();
    }
    socket.send(&query(2, Flags::RD, name, &Extra::None)).unwrap();
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer).unwrap();
    let first = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(first.metadata.id, 2, "the first response is that of the query: {first}");
}

/// The second 16 bits of the header.
#[derive(Clone, Copy)]
struct Flags(u16);

impl Flags {
    const RD: Self = Self(0x0100);
    const STATUS: Self = Self(2 << 11);
    const UPDATE: Self = Self(5 << 11);
    const RESPONSE: Self = Self(0x8000);
}

/// The additional section.
enum Extra {
    None,
    /// An OPT record with this EDNS version.
    Opt(u8),
    TwoOpts,
}

/// A query for an A record, octet by octet: what no library would send.
fn query(id: u16, flags: Flags, name: &str, extra: &Extra) -> Vec<u8> {
    let additional: u16 = match extra {
        Extra::None => 0,
        Extra::Opt(_) => 1,
        Extra::TwoOpts => 2,
    };
    let mut bytes: Vec<u8> =
        [id, flags.0, 1, 0, 0, additional].iter().flat_map(|word| word.to_be_bytes()).collect();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    let opt = |version| [0, 0, 41, 0x04, 0xd0, 0, version, 0, 0, 0, 0];
    match extra {
        Extra::None => {}
        Extra::Opt(version) => bytes.extend(opt(*version)),
        Extra::TwoOpts => bytes.extend([opt(0), opt(0)].concat()),
    }
    bytes
}
