//! The manners of the protocol: what is turned away, how, and what a reply carries.

use kakehashi::query::Transport;
use kakehashi::wire::{RType, flag};

use crate::stand_in::StandIn;
use crate::world::{Query, VPC, World};

const RULE: &str = "[[rule]]\ndomain = \".\"\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n";
const NSID: [u8; 4] = [0, 3, 0, 0];

fn world(script: &str) -> (StandIn, World) {
    let upstream = StandIn::start(script);
    let world = World::new(RULE, &[&upstream]);
    (upstream, world)
}

#[test]
fn any_gets_the_least_that_says_something_and_is_never_forwarded() {
    let (upstream, world) = world("www.test1 60 A 192.0.2.1");
    let query = Query { qtype: RType::ANY, ..Query::a(VPC, "www.test1") };
    let reply = world.ask(&query);
    assert_eq!(reply.message.answer.iter().next().unwrap().rtype, RType(13), "HINFO (RFC 8482)");
    assert!(reply.bytes.len() <= 4 * query.bytes().len());
    assert!(upstream.asked().is_empty());
}

#[test]
fn transfers_and_other_classes_are_refused_and_meta_types_are_not_implemented() {
    let (upstream, world) = world("");
    let with = |qtype, class| {
        world.ask(&Query { qtype, class, transport: Transport::Tcp, ..Query::a(VPC, "www.test1") }).text()
    };
    assert_eq!(with(RType::AXFR, 1), "REFUSED");
    assert_eq!(with(RType::IXFR, 1), "REFUSED");
    for class in [0, 3, 4, 254, 255] {
        assert_eq!(with(RType::A, class), "REFUSED", "class {class}");
    }
    for qtype in [0, 41, 128, 249, 250, 253, 254] {
        assert_eq!(with(RType(qtype), 1), "NOTIMP", "type {qtype}");
    }
    assert!(upstream.asked().is_empty());
}

#[test]
fn the_node_says_its_name_where_it_is_asked() {
    let (_upstream, world) = world("www.test1 60 A 192.0.2.1");
    let id = Query { qtype: RType::TXT, class: 3, ..Query::a(VPC, "id.server") };
    let reply = world.ask(&id);
    assert_eq!(reply.text(), "NOERROR: TXT \"kakehashi-1a\"");
    let record = reply.message.answer.iter().next().unwrap();
    assert_eq!((record.class, record.ttl), (3, 0));
    assert_eq!(world.ask(&Query { client: "198.51.100.250", ..id }).text(), "REFUSED");
    for _ in 0..2 {
        let with = world.ask(&Query { options: &NSID, ..Query::a(VPC, "www.test1") });
        assert!(with.bytes.windows(16).any(|w| w == b"\x00\x03\x00\x0ckakehashi-1a"));
        let without = world.a(VPC, "www.test1");
        assert!(!without.bytes.windows(12).any(|w| w == b"kakehashi-1a"));
    }
}

#[test]
fn another_edns_version_is_badvers_and_two_opt_records_are_formerr() {
    let (_upstream, world) = world("");
    let reply = world.ask(&Query { edns_flags: 1 << 16, ..Query::a(VPC, "www.test1") });
    assert_eq!((reply.text(), reply.message.edns), ("BADVERS".into(), true));
    let query = Query::a(VPC, "www.test1");
    let mut bytes = query.bytes();
    let opt = bytes[bytes.len() - 11..].to_vec();
    bytes.extend(opt);
    bytes[11] = 2;
    assert_eq!(world.send(&bytes, &query.path()).unwrap().text(), "FORMERR");
}

#[test]
fn an_unknown_option_is_ignored() {
    let (_upstream, world) = world("www.test1 60 A 192.0.2.1");
    let options = [0xFD, 0xE9, 0, 3, 1, 2, 3];
    let reply = world.ask(&Query { options: &options, ..Query::a(VPC, "www.test1") });
    assert_eq!(reply.text(), "NOERROR: A 192.0.2.1");
}

#[test]
fn what_cannot_be_answered_is_met_with_silence() {
    let (_upstream, world) = world("");
    let query = Query::a(VPC, "www.test1");
    assert!(world.send(&query.bytes()[..11], &query.path()).is_none());
    let response = Query { flags: flag::QR, ..query.clone() };
    assert!(world.send(&response.bytes(), &query.path()).is_none());
    let mut path = query.path();
    path.client.set_port(0);
    let opcode = Query { flags: 0x2800, ..query.clone() };
    for bytes in [query.bytes(), opcode.bytes()] {
        assert!(world.send(&bytes, &path).is_none(), "nobody is at port 0");
    }
}

#[test]
fn the_records_and_rcode_of_the_upstream_reach_the_client() {
    let (_upstream, world) = world("odd.test1 60 TYPE65280 hello\ngone.test1 CODE 9");
    let reply = world.ask(&Query { qtype: RType(65280), ..Query::a(VPC, "odd.test1") });
    assert_eq!(reply.text(), "NOERROR: TYPE65280 \\# 6 0568656c6c6f");
    assert_eq!(world.a(VPC, "gone.test1").text(), "NOTAUTH");
}

#[test]
fn an_rcode_that_needs_edns_is_servfail_to_a_client_without() {
    let (_upstream, world) = world("odd.test1 CODE 32");
    assert_eq!(world.a(VPC, "odd.test1").message.rcode, 32);
    // Its lower bits alone would say NOERROR.
    let plain = world.ask(&Query { edns: None, ..Query::a(VPC, "odd.test1") });
    assert_eq!(plain.text(), "SERVFAIL");
}

#[test]
fn the_words_of_an_upstream_never_make_a_reply_too_large() {
    let script = "a.test1 60 A 192.0.2.1\na.test1 EDE 4 200\nb.test1 CODE 2\nb.test1 EDE 4 200";
    let (_upstream, world) = world(script);
    for name in ["a.test1", "b.test1"] {
        for (edns, limit) in [(512, 512), (1232, 1232), (65535, 1232)] {
            let reply = world.ask(&Query { edns: Some(edns), ..Query::a(VPC, name) });
            assert!(reply.bytes.len() <= limit, "{} octets where {limit} fit", reply.bytes.len());
            assert!(!reply.has(flag::TC), "words are dropped before records (RFC 8914 §3)");
            assert!(reply.message.answer.len() == usize::from(name == "a.test1"));
            assert!(reply.ede().len() >= 4, "the codes stay");
        }
    }
}
