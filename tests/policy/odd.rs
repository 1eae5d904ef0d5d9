//! Odd messages, each with what the RFC says of it; none of them is ever forwarded.

use kakehashi::query::Transport;
use kakehashi::wire::{RType, flag, rcode};

use crate::stand_in::StandIn;
use crate::world::{Query, VPC, World};

const RULE: &str = "[[rule]]\ndomain = \".\"\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n";

/// What is answered.
type Answer = Option<&'static str>;

#[test]
fn what_no_client_should_send_is_answered_as_the_rfcs_say_and_never_forwarded() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    let base = Query::a(VPC, "www.test1");
    let plain = Query { edns: None, ..base.clone() };
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = plain.bytes();
        change(&mut bytes);
        bytes
    };
    let opcode = |number: u16| Query { flags: number << 11, ..base.clone() }.bytes();
    let qtype = |number: u16| Query { qtype: RType(number), ..base.clone() }.bytes();
    let class = |number: u16| Query { class: number, ..base.clone() }.bytes();
    let cookie = |length: u8| {
        let option = [&[0, 10, 0, length], &vec![7; length.into()][..]].concat();
        Query { options: &option, ..base.clone() }.bytes()
    };
    let two_opts = {
        let mut bytes = base.bytes();
        bytes.extend_from_within(bytes.len() - 11..);
        bytes[11] = 2;
        bytes
    };
    let opt_in_answer = {
        let mut bytes = base.bytes();
        (bytes[7], bytes[11]) = (1, 0);
        bytes
    };
    let table: Vec<(&str, Vec<u8>, Answer)> = vec![
        // RFC 1035 §4.1.1, RFC 3425 (IQUERY), RFC 1996 (NOTIFY), RFC 2136 (UPDATE), RFC 8490 (DSO).
        ("IQUERY", opcode(1), Some("NOTIMP")),
        ("STATUS", opcode(2), Some("NOTIMP")),
        ("opcode 3", opcode(3), Some("NOTIMP")),
        ("NOTIFY unasked", opcode(4), Some("NOTIMP")),
        ("UPDATE unasked", opcode(5), Some("NOTIMP")),
        ("DSO over UDP", opcode(6), Some("NOTIMP")),
        ("opcode 15", opcode(15), Some("NOTIMP")),
        // RFC 9619: one question.
        ("QDCOUNT 0", with(|b| b[5] = 0), Some("FORMERR")),
        (
            "QDCOUNT 0 and no more",
            with(|b| {
                b[5] = 0;
                b.truncate(12);
            }),
            Some("FORMERR"),
        ),
        ("QDCOUNT 2", with(|b| b[5] = 2), Some("FORMERR")),
        (
            "two questions",
            with(|b| {
                b[5] = 2;
                b.extend_from_within(12..);
            }),
            Some("FORMERR"),
        ),
        ("QDCOUNT 65535", with(|b| b[4..6].fill(255)), Some("FORMERR")),
        ("ANCOUNT 1 and no answer", with(|b| b[7] = 1), Some("FORMERR")),
        ("ARCOUNT 65535", with(|b| b[10..12].fill(255)), Some("FORMERR")),
        (
            "a name that is its own pointer",
            with(|b| {
                b.splice(12..23, [0xC0, 12]);
            }),
            Some("FORMERR"),
        ),
        ("a label of 64 octets", with(|b| b[12] = 64), Some("FORMERR")),
        ("no type", with(|b| b.truncate(b.len() - 4)), Some("FORMERR")),
        // A response, or less than a header: to answer would be to invite a loop.
        ("QR=1", with(|b| b[2] |= 0x80), None),
        ("QR=1 and an opcode", with(|b| b[2] = 0xA8), None),
        ("11 octets", with(|b| b.truncate(11)), None),
        ("nothing", Vec::new(), None),
        // RFC 6891 §6.1.1, §6.1.3; RFC 7873 §5.2.2.
        ("two OPTs", two_opts, Some("FORMERR")),
        ("OPT in the answer section", opt_in_answer, Some("FORMERR")),
        ("EDNS version 1", Query { edns_flags: 1 << 16, ..base.clone() }.bytes(), Some("BADVERS")),
        ("EDNS version 255", Query { edns_flags: 255 << 16, ..base.clone() }.bytes(), Some("BADVERS")),
        (
            "an option that is longer than its OPT",
            Query { options: &[0, 3, 0, 9, 1], ..base.clone() }.bytes(),
            Some("FORMERR"),
        ),
        ("a cookie of 7 octets", cookie(7), Some("FORMERR")),
        ("a cookie of 15 octets", cookie(15), Some("FORMERR")),
        ("a cookie of 41 octets", cookie(41), Some("FORMERR")),
        // RFC 5936 §2.2.1, RFC 1995, RFC 6895 §3.1, RFC 8945 (TSIG).
        ("AXFR", qtype(252), Some("REFUSED")),
        ("IXFR", qtype(251), Some("REFUSED")),
        ("MAILB", qtype(253), Some("NOTIMP")),
        ("MAILA", qtype(254), Some("NOTIMP")),
        ("OPT asked for", qtype(41), Some("NOTIMP")),
        ("TSIG asked for", qtype(250), Some("NOTIMP")),
        ("TKEY asked for", qtype(249), Some("NOTIMP")),
        ("type 0", qtype(0), Some("NOTIMP")),
        // RFC 6895 §3.2.
        ("class CH", class(3), Some("REFUSED")),
        ("class HS", class(4), Some("REFUSED")),
        ("class NONE", class(254), Some("REFUSED")),
        ("class ANY", class(255), Some("REFUSED")),
        ("class 0", class(0), Some("REFUSED")),
    ];
    for (what, packet, answer) in &table {
        for transport in Transport::ALL {
            let path = Query { transport, ..base.clone() }.path();
            let reply = world.send(packet, &path);
            let said = reply.as_ref().map(|reply| rcode::text(reply.message.rcode));
            assert_eq!(said, *answer, "{what}");
            if let Some(reply) = reply {
                assert!(reply.message.answer.is_empty() && reply.has(flag::QR), "{what}");
                assert_eq!(reply.bytes[2] & 0x78, packet[2] & 0x78, "{what}: the opcode is echoed");
            }
        }
    }
    assert!(upstream.asked().is_empty(), "{:?}", upstream.asked());
    assert_eq!(world.a(VPC, "www.test1").text(), "NOERROR: A 192.0.2.1", "an honest query is");
}

#[test]
fn any_is_answered_with_less_than_four_times_its_query_zones_included() {
    let names: String =
        (0..60).map(|n| format!("many A 192.0.2.{n}\nmany TXT \"{}\"\n", "x".repeat(200))).collect();
    let zone = format!(
        "file: t.zone\n{names}end\n[[zone]]\ndomain = \"technova.com\"\nfile = \"t.zone\"\nvisible-to = \"any\"\n"
    );
    let world = World::new(&zone, &[]);
    for edns in [None, Some(1232), Some(4096)] {
        let query = Query { qtype: RType::ANY, edns, ..Query::a(VPC, "many.technova.com") };
        let (reply, asked) = (world.ask(&query), query.bytes().len());
        assert!(reply.bytes.len() <= 4 * asked, "{} octets for {asked}", reply.bytes.len());
        assert!(reply.has(flag::TC) || !reply.message.answer.is_empty());
    }
}

#[test]
fn no_larger_query_is_offered_than_is_read() {
    for (configured, offered) in [(512, 512), (1232, 1232), (4096, 2048_u16)] {
        let world = World::new(
            &format!(
                "file: t.zone\nwww A 192.0.2.1\nend\n[listen]\nudp-payload = {configured}\n[[zone]]\ndomain = \"technova.com\"\nfile = \"t.zone\"\nvisible-to = \"any\"\n"
            ),
            &[],
        );
        let reply = world.ask(&Query::a(VPC, "www.technova.com"));
        // The OPT record, the last of the message: the root, its type, its class.
        let opt = &reply.bytes[reply.bytes.len() - 11..];
        assert_eq!(opt[..5], [&[0, 0, 41][..], &offered.to_be_bytes()].concat());
    }
}
