//! Zones that come signed, by hand: what signatures and proofs do to answers. `../zone_signed.rs` compares with others.

use kakehashi::query::{Owns, Verdict};
use kakehashi::wire::{RType, Records};
use kakehashi::zone::{Dnssec, Zone};

use crate::{ask, lines, name, zone};

const SIGNATURE: &str = "13 2 300 20361223211611 20261123211611 18105 a.test. c2ln";

/// A zone whose signatures say what they cover, and nothing else.
fn signed() -> Zone {
    let text = "
        @      SOA   ns hm 1 2 3 4 60
        @      RRSIG SOA SIGNATURE
        @      NS    ns
        @      RRSIG NS SIGNATURE
        @      DNSKEY 257 3 13 a2V5
        @      RRSIG DNSKEY SIGNATURE
        @ 60   NSEC  mail NS SOA RRSIG NSEC DNSKEY
        @ 60   RRSIG NSEC SIGNATURE
        mail   MX    10 ns
        mail   RRSIG MX SIGNATURE
        mail 60 NSEC ns MX RRSIG NSEC
        mail 60 RRSIG NSEC SIGNATURE
        ns 900 A     10.0.0.1
        ns 900 RRSIG A SIGNATURE
        ns 60  NSEC  @ A RRSIG NSEC
        ns 60  RRSIG NSEC SIGNATURE";
    zone("a.test", &format!("$TTL 300\n{}", text.replace("\n        ", "\n").replace("SIGNATURE", SIGNATURE)))
}

/// `OWNER TTL TYPE`, of signatures with the type that they cover.
fn types(records: &Records) -> Vec<String> {
    let covered = |rdata: &[u8]| RType(u16::from_be_bytes([rdata[0], rdata[1]]));
    records
        .iter()
        .map(|record| match record.rtype {
            RType::RRSIG => format!("{} {} RRSIG {}", record.owner, record.ttl, covered(record.rdata)),
            rtype => format!("{} {} {rtype}", record.owner, record.ttl),
        })
        .collect()
}

#[test]
fn a_signature_follows_its_rrset_and_has_its_ttl() {
    // RFC 4035 §3.1.1, RFC 4034 §3
    let (response, _) = signed().lookup_with(name("Mail.a.test").as_ref(), RType::MX, Dnssec::Wanted);
    assert_eq!(types(&response.answer), ["Mail.a.test. 300 MX", "Mail.a.test. 300 RRSIG MX"]);
    assert_eq!(types(&response.additional), ["ns.a.test. 900 A", "ns.a.test. 900 RRSIG A"]);
}

#[test]
fn the_soa_of_a_negative_answer_and_its_signature_live_as_long_as_that_answer() {
    let (response, verdict) = signed().lookup_with(name("mail.a.test").as_ref(), RType::A, Dnssec::Wanted);
    assert_eq!(verdict, Verdict::NoData(Owns::Records));
    assert_eq!(
        types(&response.authority),
        ["a.test. 60 SOA", "a.test. 60 RRSIG SOA", "mail.a.test. 60 NSEC", "mail.a.test. 60 RRSIG NSEC"]
    );
}

#[test]
fn one_record_may_prove_two_absences_and_is_there_once() {
    // Both x.mail and *.mail lie between mail and ns.
    let (response, _) = signed().lookup_with(name("x.mail.a.test").as_ref(), RType::A, Dnssec::Wanted);
    let nsec: Vec<String> =
        types(&response.authority).into_iter().filter(|line| line.ends_with(" NSEC")).collect();
    assert_eq!(nsec, ["mail.a.test. 60 NSEC", "mail.a.test. 60 RRSIG NSEC"]);
}

#[test]
fn nothing_of_it_is_there_unless_it_is_wanted_or_asked_for() {
    let zone = signed();
    assert_eq!(lines(&ask(&zone, "ns.a.test", RType::A).0.answer), ["ns.a.test. 900 A 10.0.0.1"]);
    assert_eq!(types(&ask(&zone, "x.a.test", RType::A).0.authority), ["a.test. 60 SOA"]);
    assert_eq!(types(&ask(&zone, "ns.a.test", RType::NSEC).0.answer), ["ns.a.test. 60 NSEC"]);
    // Of each type that is signed, with the TTL of each.
    assert_eq!(
        types(&ask(&zone, "ns.a.test", RType::RRSIG).0.answer),
        ["ns.a.test. 900 RRSIG A", "ns.a.test. 60 RRSIG NSEC"]
    );
    // RFC 8482 §4.1: one RRset, and of these one that says something.
    assert_eq!(types(&ask(&zone, "ns.a.test", RType::ANY).0.answer), ["ns.a.test. 900 A"]);
}

#[test]
fn a_signed_apex_that_owns_nothing_else_is_structure() {
    assert_eq!(ask(&signed(), "a.test", RType::A).1, Verdict::NoData(Owns::Structure));
}

#[test]
fn the_owner_of_an_nsec3_is_no_name_of_the_zone() {
    // RFC 5155 §7.2.8; the hashes are those of its appendix A.
    let text = "$TTL 300
@ SOA ns hm 1 2 3 4 60
@ RRSIG SOA SIGNATURE
@ NS ns.test.
@ NSEC3PARAM 1 0 12 aabbccdd
* TXT wild
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA RRSIG NSEC3PARAM
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom RRSIG NSEC3 SIGNATURE
2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 0 12 aabbccdd 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom TXT RRSIG
2t7b4g4vsa5smi47k61mv5bv1a22bojr RRSIG NSEC3 SIGNATURE
";
    let zone = zone("example", &text.replace("SIGNATURE", SIGNATURE));
    let owner = "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example";
    for qtype in [RType::NSEC3, RType::RRSIG] {
        assert_eq!(ask(&zone, owner, qtype).1, Verdict::NoData(Owns::Records), "{qtype}");
    }
    assert_eq!(types(&ask(&zone, owner, RType::TXT).0.answer), [format!("{owner}. 300 TXT")]);
    assert_eq!(zone.iter().filter(|set| set.rtype == RType::NSEC3).count(), 2);
}

#[test]
fn a_zone_without_signatures_answers_everybody_alike() {
    let zone = crate::zone_with("a.test", "host A 10.0.0.1\n* TXT wild\nsub NS ns.sub\nns.sub A 10.0.0.2\n");
    for (qname, qtype) in [
        ("host.a.test", RType::A),
        ("host.a.test", RType::AAAA),
        ("x.a.test", RType::TXT),
        ("x.host.a.test", RType::A),
        ("www.sub.a.test", RType::A),
    ] {
        let wanted = zone.lookup_with(name(qname).as_ref(), qtype, Dnssec::Wanted);
        let (plain, verdict) = ask(&zone, qname, qtype);
        assert_eq!(
            (wanted.0.answer, wanted.0.authority, wanted.0.additional),
            (plain.answer, plain.authority, plain.additional)
        );
        assert_eq!(wanted.1, verdict);
    }
}
