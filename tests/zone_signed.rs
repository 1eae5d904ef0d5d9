//! Zones that come signed: what BIND's tools sign is answered as BIND and NSD answer it (RFC 4035 §3.1, RFC 5155 §7.2).

#![allow(clippy::unwrap_used, clippy::format_push_string)] // a failed unwrap is a failed test
#![allow(dead_code)] // the street's scene has more than is used here

#[path = "zone_signed/peer.rs"]
mod peer;
#[path = "lab/port.rs"]
mod port;
#[path = "pipeline/stand_in.rs"]
mod stand_in;
#[path = "pipeline/world.rs"]
mod world;

use std::sync::Mutex;

use kakehashi::query::Transport;
use kakehashi::wire::edns;
use kakehashi::wire::message::Message;
use kakehashi::wire::present::RData;
use kakehashi::wire::{RType, Records, flag, rcode};
use peer::{Chain, Kind, Peer, Zones};
use world::{Query, VPC, World};

/// What is asked, and why.
const QUESTIONS: &[(&str, RType, &str)] = &[
    ("a.test", RType::SOA, "an RRset of the apex"),
    ("a.test", RType::NS, "servers in and out of the zone"),
    ("a.test", RType::DNSKEY, "keys are signed by both"),
    ("a.test", RType::NSEC3PARAM, "there or not, by the kind of the zone"),
    ("a.test", RType::MX, "an RRset whose target has an address"),
    ("a.test", RType::DS, "the apex has none, and its parent is not ours"),
    ("a.test", RType::A, "NODATA at the apex"),
    ("host.a.test", RType::A, "an RRset of two records"),
    ("HOST.A.test", RType::TXT, "letters in another case"),
    ("host.a.test", RType::AAAA, "NODATA at a name"),
    ("host.a.test", RType::NSEC, "NSEC asked for by type"),
    ("host.a.test", RType::RRSIG, "signatures asked for by type"),
    ("deep.empty.non.terminal.a.test", RType::A, "below empty non-terminals"),
    ("terminal.a.test", RType::A, "NODATA at an empty non-terminal"),
    ("empty.non.terminal.a.test", RType::A, "NODATA at the lowest of them"),
    ("x.non.terminal.a.test", RType::A, "NXDOMAIN below one"),
    ("nothing.a.test", RType::A, "NXDOMAIN"),
    ("zzz.a.test", RType::A, "NXDOMAIN behind the last name"),
    ("0.a.test", RType::A, "NXDOMAIN before the first name"),
    ("a.b.c.nothing.a.test", RType::A, "NXDOMAIN far below"),
    ("below.host.a.test", RType::A, "NXDOMAIN below a name"),
    ("alias.a.test", RType::A, "an alias in the zone"),
    ("alias2.a.test", RType::A, "an alias of an alias"),
    ("alias.a.test", RType::CNAME, "the alias itself"),
    ("alias.a.test", RType::TXT, "an alias with its type"),
    ("alias.a.test", RType::AAAA, "an alias of a name without the type"),
    ("out.a.test", RType::A, "an alias that leads out"),
    ("lost.a.test", RType::A, "an alias of what is not there"),
    ("to-wild.a.test", RType::A, "an alias of what a wildcard answers"),
    ("x.wild.a.test", RType::A, "a wildcard answers"),
    ("x.y.wild.a.test", RType::A, "a wildcard answers two labels further"),
    ("x.wild.a.test", RType::AAAA, "NODATA at a wildcard"),
    ("*.wild.a.test", RType::A, "the wildcard by its own name"),
    ("there.wild.a.test", RType::TXT, "NODATA at a name beside the wildcard"),
    ("x.there.wild.a.test", RType::A, "NXDOMAIN below a name beside the wildcard"),
    ("x.lookalike.a.test", RType::A, "a wildcard that is an alias"),
    ("x.lookalike.a.test", RType::AAAA, "and its target has not the type"),
    ("x.half.a.test", RType::A, "a wildcard that owns nothing"),
    ("below.x.half.a.test", RType::A, "nor does it below"),
    ("host.old.a.test", RType::A, "a DNAME leads on"),
    ("nothing.old.a.test", RType::A, "a DNAME leads to what is not there"),
    ("old.a.test", RType::A, "NODATA at the DNAME"),
    ("old.a.test", RType::DNAME, "the DNAME itself"),
    ("_x._tcp.a.test", RType::SRV, "a service"),
    ("plain.a.test", RType::A, "a zone cut without DS"),
    ("www.plain.a.test", RType::A, "below a zone cut without DS"),
    ("far.a.test", RType::NS, "a zone cut without DS or glue"),
    ("plain.a.test", RType::DS, "no DS at a zone cut"),
    ("far.a.test", RType::DS, "no DS at another"),
    ("www.plain.lonely.a.test", RType::A, "below a zone cut that makes an empty non-terminal"),
    ("lonely.a.test", RType::A, "NODATA at what only a zone cut makes"),
    ("x.lonely.a.test", RType::A, "NXDOMAIN beside that zone cut"),
    ("plain.lonely.a.test", RType::DS, "no DS there"),
    ("signed.a.test", RType::DS, "the parent knows DS though both zones are here"),
    ("signed.a.test", RType::SOA, "the child answers for itself"),
    ("signed.a.test", RType::DNSKEY, "and has its keys"),
    ("signed.a.test", RType::A, "NODATA at the child's apex"),
    ("www.signed.a.test", RType::A, "below, in the child"),
    ("nothing.signed.a.test", RType::A, "NXDOMAIN in the child"),
    ("www.signed.a.test", RType::DS, "no DS within the child"),
];

fn world(zones: &Zones) -> World {
    let zone = |domain: &str, file: &str| {
        let file = zones.path().join(file);
        format!("[[zone]]\ndomain = \"{domain}\"\nfile = \"{}\"\nvisible-to = [\"any\"]\n", file.display())
    };
    World::new(&(zone("a.test", "a.test.signed") + &zone("signed.a.test", "signed.a.test.signed")), &[])
}

fn query(name: &str, qtype: RType, edns_flags: u32) -> Query<'_> {
    Query { qtype, edns_flags, flags: 0, edns: Some(4096), transport: Transport::Tcp, ..Query::a(VPC, name) }
}

/// `OWNER TTL TYPE RDATA`, in order; what a client makes of a section does not depend on the order.
fn lines(records: &Records) -> Vec<String> {
    let mut lines: Vec<String> = records
        .iter()
        .map(|record| {
            let rdata = RData { rtype: record.rtype, octets: record.rdata };
            let owner = record.owner.to_string().to_ascii_lowercase();
            format!("{owner} {} {} {rdata}", record.ttl, record.rtype)
        })
        .collect();
    lines.sort();
    lines
}

fn shown(message: &Message) -> String {
    let flags = message.flags & (flag::AA | flag::TC | flag::AD);
    let mut text = format!("{} {flags:x}", rcode::text(message.rcode));
    let mut sections = vec![("answer", &message.answer), ("authority", &message.authority)];
    if message.answer.is_empty() && message.flags & flag::AA == 0 {
        // Of a referral, its glue too; what else goes along is each server's own choice.
        sections.push(("additional", &message.additional));
    }
    for (section, records) in sections {
        text += &format!("\n{section}:\n  {}", lines(records).join("\n  "));
    }
    text
}

const DO: u32 = edns::DO as u32;

/// Where the others disagree with each other about the proof, and which of them proves less than the RFCs want.
const PROVES_LESS: &[(Chain, &str, Kind, &str)] = &[
    // RFC 4035 §3.1.3.4: the NSEC before the wildcard, whose next name lies below it, says that it owns nothing.
    (Chain::Nsec, "x.half.a.test", Kind::Bind, "not that the wildcard is an empty non-terminal"),
    (Chain::Nsec, "below.x.half.a.test", Kind::Bind, "nor here"),
    // RFC 6672 §5.3.4.2: what the DNAME leads to is denied like any other name.
    (Chain::Nsec, "nothing.old.a.test", Kind::Nsd, "not that the name itself is absent"),
    // RFC 5155 §7.2.1: the closest encloser is one that has an NSEC3.
    (
        Chain::OptOut,
        "x.lonely.a.test",
        Kind::Nsd,
        "no closest encloser, where opt-out left the nearest one out",
    ),
];

/// The programs that this starts are copies: none may be started while another one's copy is being written.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn compare(chain: Chain) {
    let _turn = ONE_AT_A_TIME.lock();
    let Some(zones) = Zones::sign(chain) else { return };
    let ours = world(&zones);
    let theirs = [Kind::Bind, Kind::Nsd].map(|kind| (kind, Peer::start(kind, &zones)));
    let mut differing = String::new();
    for (name, qtype, why) in QUESTIONS {
        for edns_flags in [DO, 0] {
            let query = query(name, *qtype, edns_flags);
            let our = shown(&ours.ask(&query).message);
            for (kind, peer) in &theirs {
                let their = shown(&peer.ask(&query.bytes()));
                let known = PROVES_LESS.iter().any(|(in_chain, at, who, _)| {
                    edns_flags == DO && (*in_chain, *at, *who) == (chain, *name, *kind)
                });
                if known == (our == their) {
                    differing += &format!("{name} {qtype} ({why}), flags {edns_flags:x}\n");
                    differing += &format!("ours: {our}\n{kind:?}: {their}\n\n");
                }
            }
        }
    }
    assert!(differing.is_empty(), "{chain:?}\n{differing}");
}

#[test]
fn a_zone_with_nsec_is_answered_as_others_answer_it() {
    compare(Chain::Nsec);
}

#[test]
fn a_zone_with_nsec3_is_answered_as_others_answer_it() {
    compare(Chain::Nsec3);
}

#[test]
fn a_zone_with_opt_out_is_answered_as_others_answer_it() {
    compare(Chain::OptOut);
}

#[test]
fn a_parent_that_does_not_delegate_has_no_say_about_ds() {
    let zone =
        |domain| format!("[[zone]]\ndomain = \"{domain}\"\nfile = \"{domain}\"\nvisible-to = [\"any\"]\n");
    let ns = "ns A 10.0.0.1";
    let text = format!(
        "file: a.test\n{ns}\nwith NS ns.with\nns.with A 10.0.0.2\nwith DS 1 13 2 {}\nend
         file: with.a.test\n{ns}\nend\nfile: without.a.test\n{ns}\nend\n{}{}{}",
        "ab".repeat(32),
        zone("a.test"),
        zone("with.a.test"),
        zone("without.a.test"),
    );
    let world = World::new(&text, &[]);
    let ds = |name| world.ask(&query(name, RType::DS, DO)).message;
    assert_eq!(ds("with.a.test").answer.len(), 1);
    let (below, child) = (ds("ns.with.a.test"), ds("without.a.test"));
    assert_eq!(lines(&below.authority), ["with.a.test. 60 SOA ns.with.a.test. hm.with.a.test. 1 2 3 4 60"]);
    assert_eq!((child.rcode, child.answer.len()), (rcode::NOERROR, 0));
    assert!(lines(&child.authority)[0].starts_with("without.a.test. 60 SOA"));
}
