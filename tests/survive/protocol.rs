//! Queries that no client should send, and clients that should not ask.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::cases::family;
use crate::misbehaviour::wire;
use crate::net::Network;
use crate::packet::{KNOWN, Packet, cookie, opt, provoke, rcode};
use crate::peer::Upstream;
use crate::report::{at_most, row};
use crate::world::{CLIENT, STRANGER, World, forward};
use crate::{PATIENCE, client};

family! { protocol:
    what_is_no_ordinary_query_is_answered_as_the_rfcs_say;
    a_cookie_that_is_none_is_formerr;
    transfers_are_refused_over_tcp_too;
    any_is_answered_with_little;
    who_is_in_no_network_learns_nothing;
    no_name_breaks_out_of_logs_metrics_or_pages;
}

const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const NOTAUTH: u16 = 9;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;

fn world(upstream: &Upstream) -> World {
    World::new(&forward("bad", &[upstream.address], &["bad.test"]))
}

/// What is sent, what may be answered, and whether silence will do.
struct Odd {
    what: &'static str,
    packet: Packet,
    codes: &'static [u16],
    silence: bool,
}

fn odd(what: &'static str, packet: Packet, codes: &'static [u16]) -> Odd {
    Odd { what, packet, codes, silence: false }
}

fn dropped(what: &'static str, packet: Packet, codes: &'static [u16]) -> Odd {
    Odd { what, packet, codes, silence: true }
}

/// Each with a name of a domain that is forwarded.
fn odd_queries() -> Vec<Odd> {
    let ask = |qtype| Packet::new("odd.bad.test", qtype);
    let class = |qclass| Packet { questions: vec![(wire("odd.bad.test"), 1, qclass)], ..ask(1) };
    let counts = |counts| Packet { counts: Some(counts), ..ask(1) };
    let none = Packet { questions: Vec::new(), ..ask(1) };
    let two = Packet { questions: [ask(1).questions, ask(28).questions].concat(), ..ask(1) };
    let named_opt = [wire("bad.test"), opt(0, &[])[1..].to_vec()].concat();
    let unasked: &[u16] = &[NOTIMP, REFUSED, NOTAUTH];
    let no_type: &[u16] = &[FORMERR, NOTIMP, REFUSED];
    vec![
        odd("opcode IQUERY", ask(1).opcode(1), &[NOTIMP]),
        odd("opcode STATUS", ask(1).opcode(2), &[NOTIMP]),
        odd("opcode 3", ask(1).opcode(3), &[NOTIMP]),
        odd("opcode NOTIFY, unasked", ask(6).opcode(4), unasked),
        odd("opcode UPDATE", ask(6).opcode(5), unasked),
        odd("opcode DSO over UDP", none.clone().opcode(6), &[NOTIMP, FORMERR]),
        odd("opcode 15", ask(1).opcode(15), &[NOTIMP]),
        odd("no question", none, &[FORMERR]),
        odd("two questions", two, &[FORMERR]),
        odd("a question that is counted and not there", counts([2, 0, 0, 0]), &[FORMERR]),
        odd("an answer that is counted and not there", counts([1, 1, 0, 0]), &[FORMERR]),
        odd("all counts 65535", counts([u16::MAX; 4]), &[FORMERR]),
        odd("class CH", class(3), &[REFUSED, NOTIMP]),
        odd("class HS", class(4), &[REFUSED, NOTIMP]),
        odd("class ANY", class(255), no_type),
        odd("class NONE", class(254), no_type),
        dropped("QR=1", Packet { flags: 0x8100, ..ask(1) }, &[]),
        odd("two OPT records", ask(1).opt(0, &[]).opt(0, &[]), &[FORMERR]),
        odd("an OPT that belongs to a name", Packet { additional: vec![named_opt], ..ask(1) }, &[FORMERR]),
        odd("an option past the OPT's end", ask(1).opt(0, &[0, 3, 0, 9, 1]), &[FORMERR]),
        odd("EDNS version 1", ask(1).opt(1, &[]), &[BADVERS]),
        odd("AXFR over UDP", ask(252), no_type),
        odd("IXFR over UDP", ask(251), &[FORMERR, NOTIMP, REFUSED, NOTAUTH]),
        odd("type MAILB", ask(253), no_type),
        odd("type MAILA", ask(254), no_type),
        odd("type OPT", ask(41), no_type),
        odd("type TSIG", ask(250), no_type),
        odd("type TKEY", ask(249), no_type),
        odd("type 0", ask(0), no_type),
    ]
}

fn what_is_no_ordinary_query_is_answered_as_the_rfcs_say() {
    judge("odd opcodes, counts, classes, types, OPTs: answered as the RFCs say", &odd_queries());
}

/// RFC 7873 §5.2.2: 8 octets of the client's, or those and 8 to 32 of the server's. One that is not of ours gets an answer
/// or BADCOOKIE (§5.2.3).
fn a_cookie_that_is_none_is_formerr() {
    let with = |length| Packet::new("odd.bad.test", 1).opt(0, &cookie(&vec![7; length]));
    let bare = |length| Packet { questions: vec![], ..with(length) };
    let all = [
        odd("7 octets", with(7), &[FORMERR]),
        odd("12 octets", with(12), &[FORMERR]),
        odd("41 octets", with(41), &[FORMERR]),
        odd("7 octets and no question", bare(7), &[FORMERR]),
        odd("not of ours", Packet::new(KNOWN, 1).opt(0, &cookie(&[9; 24])), &[0, BADCOOKIE]),
    ];
    judge("cookies of 7, 12, 41 octets, and of somebody else: answered as the RFC says", &all);
}

fn judge(case: &str, all: &[Odd]) {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let mut wrong = Vec::new();
    for Odd { what, packet, codes, silence } in all {
        let replies = provoke(CLIENT, world.dns(), &packet.bytes(7));
        let good = match &replies[..] {
            [] => *silence,
            [reply] => codes.contains(&rcode(reply)) && reply[2] & 0x80 != 0 && reply[..2] == [0, 7],
            _ => false,
        };
        if !good {
            let got: Vec<u16> = replies.iter().map(|reply| rcode(reply)).collect();
            wrong.push(format!("{what}: {got:?}, {codes:?} is right"));
        }
    }
    let passed = all.len() - wrong.len();
    row(case, format!("{0} of {0}", all.len()), format!("{passed} of {}", all.len()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    at_most("of these forwarded", 0, upstream.count("odd"));
}

fn transfers_are_refused_over_tcp_too() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    for (what, qtype) in [("AXFR", 252), ("IXFR", 251)] {
        for name in ["bad.test", "technova.internal"] {
            let mut stream = Network.tcp(CLIENT, world.dns(), PATIENCE).unwrap();
            stream.write_all(&client::framed(&Packet::new(name, qtype).bytes(7))).unwrap();
            let reply = client::read_framed(&mut stream).unwrap();
            let code = rcode(&reply);
            assert!([NOTIMP, REFUSED, NOTAUTH].contains(&code), "{what} of {name}: {code}");
            assert_eq!(reply[6..8], [0, 0], "{what} of {name} tells nothing");
        }
    }
    at_most("transfers over TCP that are forwarded or answered", 0, upstream.count("bad.test"));
}

fn any_is_answered_with_little() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let mut largest = 0.0_f64;
    for name in ["technova.internal", KNOWN, "big.bad.test"] {
        for packet in [Packet::new(name, 255), Packet::new(name, 255).opt(0, &[])] {
            let query = packet.bytes(7);
            let replies = provoke(CLIENT, world.dns(), &query);
            assert_eq!(replies.len(), 1, "{name} ANY");
            largest = largest.max(replies[0].len() as f64 / query.len() as f64);
        }
    }
    row("ANY over UDP: reply to query", "≤ 4 ×", format!("{largest:.1} ×"));
    assert!(largest <= 4.0, "{largest}");
}

fn who_is_in_no_network_learns_nothing() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    world.says("cached.bad.test");
    let mut seen = Vec::new();
    for name in ["cached.bad.test", "new.bad.test", KNOWN, "nothing.technova.internal"] {
        for flags in [0x0100, 0] {
            let packet = Packet { flags, ..Packet::new(name, 1) };
            let socket = Network.udp(STRANGER, world.dns()).unwrap();
            socket.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
            socket.send(&packet.bytes(7)).unwrap();
            let mut buffer = [0; 4096];
            match socket.recv(&mut buffer) {
                Ok(length) => seen.push((rcode(&buffer[..length]), buffer[7], buffer[9])),
                Err(_) => seen.push((REFUSED, 0, 0)),
            }
        }
    }
    let told = seen.iter().filter(|seen| **seen != (REFUSED, 0, 0)).count();
    at_most("clients in no network: answers other than REFUSED or silence, whether cached or not", 0, told);
    at_most("queries of theirs that are forwarded", 1, upstream.count("bad.test"));
}

/// What would do harm where it is shown as it came.
const NASTY: [&[u8]; 7] = [
    b"<script>alert(1)</script>",
    b"\"quoted\\\"",
    b"new\nline\r\nforged",
    b"\x1b[31mred\x07",
    b"nul\x00tab\x09",
    b"\xff\xfe\x80",
    b"{label=\"x\"} 1",
];

fn no_name_breaks_out_of_logs_metrics_or_pages() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    for label in NASTY {
        for domain in ["bad.test", "black-hole.bad.test", "technova.internal", "nowhere.test"] {
            let name = [&[label.len() as u8], label, &wire(domain)].concat();
            let packet = Packet { questions: vec![(name, 1, 1)], ..Packet::new(domain, 1) };
            provoke(CLIENT, world.dns(), &packet.bytes(7));
        }
    }
    let pages = ["/metrics", "/api/status", "/"].map(|path| world.server.page(path).1);
    let metrics = pages[0].clone();
    let raw =
        |text: &[u8]| text.iter().filter(|octet| **octet < 32 && **octet != b'\n' || **octet >= 127).count();
    let mut bad = pages.iter().filter(|page| page.contains("<script>alert")).count();
    // What the pages say themselves may be in any script; what is asked about may not come through.
    bad += pages.iter().filter(|page| page.contains('\u{1b}') || page.contains("forged")).count();
    let (log, said) = {
        let World { site, server } = world;
        let said = server.terminate().join("\n");
        (std::fs::read(site.path("query.log")).unwrap(), said)
    };
    assert!(log.windows(6).any(|window| window == b"script"), "the log tells of these queries");
    let lines = log.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    bad += raw(&log) + lines.filter(|line| !line.starts_with(b"{")).count();
    bad += said.chars().filter(|c| c.is_control() && *c != '\n').count();
    at_most("control octets, broken lines or markup from QNAMEs in logs, metrics and pages", 0, bad);
    promtool(&metrics);
}

/// The judgement of Prometheus's own tool, where it is installed.
fn promtool(metrics: &str) {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        eprintln!("promtool is not installed: the metrics are not judged by it");
        return;
    };
    tool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let mut said = String::new();
    tool.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    tool.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(tool.wait().unwrap().success() && said.is_empty(), "promtool: {said}");
}
