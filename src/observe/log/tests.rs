//! Lines, from packed event to parsed JSON.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::query::directory::{NetworkName, ServerName};
use crate::query::{Directory, Sighting, Source, Transport};
use crate::wire::build::{Plan, build};
use crate::wire::{Name, NameRef, RType, RecordRef, Records, flag};

use super::line::LineWriter;
use super::phrases::Phrases;
use crate::observe::filter::Weight;

fn directory() -> Directory {
    Directory {
        networks: vec![NetworkName {
            name: "technova-mfg-prod-app".into(),
            account_id: Some("123456789012".into()),
            vpc_id: Some("vpc-0abc123def456789a".into()),
            region: None,
            groups: vec!["vpc".into(), "prod".into()],
        }],
        views: vec!["vpc+manufacturing".into()],
        routes: vec!["technova.local".into()],
        servers: vec![ServerName {
            upstream: "onprem-dc".into(),
            address: "192.168.1.10:53".parse().unwrap(),
        }],
        region: "ap-northeast-1".into(),
        node: "kakehashi-1a".into(),
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn response(qname: &Name, qtype: RType, answers: &[(RType, Vec<u8>)]) -> Vec<u8> {
    let question = [qname.wire(), &qtype.0.to_be_bytes(), &[0, 1]].concat();
    let mut answer = Records::new();
    for (rtype, rdata) in answers {
        answer.push(RecordRef { owner: qname.as_ref(), rtype: *rtype, class: 1, ttl: 60, rdata });
    }
    let none = Records::new();
    let plan = Plan {
        id: 1,
        flags: flag::QR,
        rcode: 0,
        question: &question,
        answer: &answer,
        authority: &none,
        additional: &none,
        opt: None,
        limit: 65_535,
    };
    let mut out = Vec::new();
    build(&plan, &mut out, &mut Vec::new());
    out
}

fn packed(response: &[u8]) -> Sighting<'_> {
    Sighting {
        unix_micros: 1_612_461_115_000_042,
        duration_micros: 17,
        client: IpAddr::from([10, 0, 30, 100]),
        port: 56_067,
        local: "10.150.20.10:53".parse().unwrap(),
        transport: Transport::Udp,
        network: Some(0),
        view: Some(0),
        route: Some(0),
        server: Some(0),
        source: Source::Forward,
        rcode: 0,
        dnssec_ok: true,
        checking_disabled: false,
        ede: Some(22),
        query: &[],
        response,
    }
}

fn line(event: &Sighting<'_>) -> Value {
    let mut out = Vec::new();
    LineWriter::new().write(&mut out, event, &Phrases::of(&Arc::new(directory())), Weight::Whole);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "one line: {text}");
    serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

fn rdata(rtype: RType, rdata: &[u8]) -> String {
    let bytes = response(&name("x.example."), rtype, &[(rtype, rdata.to_vec())]);
    line(&packed(&bytes))["answers"][0]["Rdata"].as_str().unwrap().to_owned()
}

#[test]
fn a_line_is_route_53_resolvers_and_says_what_was_decided() {
    let bytes = response(&name("WWW.example.com."), RType::A, &[(RType::A, vec![203, 0, 113, 9])]);
    assert_eq!(
        line(&packed(&bytes)),
        json!({
            "version": "1.100000",
            "account_id": "123456789012",
            "region": "ap-northeast-1",
            "vpc_id": "vpc-0abc123def456789a",
            "query_timestamp": "2021-02-04T17:51:55Z",
            "query_name": "WWW.example.com.",
            "query_type": "A",
            "query_class": "IN",
            "rcode": "NOERROR",
            "answers": [{"Rdata": "203.0.113.9", "Type": "A", "Class": "IN"}],
            "srcaddr": "10.0.30.100",
            "srcport": "56067",
            "transport": "UDP",
            "srcids": {},
            "kakehashi": {
                "node": "kakehashi-1a",
                "network": "technova-mfg-prod-app",
                "groups": ["vpc", "prod"],
                "view": "vpc+manufacturing",
                "route": "technova.local",
                "source": "forward",
                "upstream": "onprem-dc@192.168.1.10:53",
                "dnssec_ok": true,
                "checking_disabled": false,
                "answer_size": bytes.len(),
                "duration_us": 17,
                "ede": 22,
                "timestamp": "2021-02-04T17:51:55.000042Z",
            }
        })
    );
}

#[test]
fn the_fields_come_in_the_order_of_the_schema() {
    let mut out = Vec::new();
    LineWriter::new().write(&mut out, &packed(&[]), &Phrases::of(&Arc::new(directory())), Weight::Whole);
    let text = String::from_utf8(out).unwrap();
    let keys = [
        "version",
        "account_id",
        "region",
        "vpc_id",
        "query_timestamp",
        "query_name",
        "query_type",
        "query_class",
        "rcode",
        "answers",
        "srcaddr",
        "srcport",
        "transport",
        "srcids",
        "kakehashi",
    ];
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn a_stranger_and_an_unreadable_message_still_give_a_line() {
    // What FORMERR answers: a header alone.
    let event = Sighting {
        network: None,
        view: None,
        route: None,
        server: None,
        source: Source::Local,
        transport: Transport::Tcp,
        client: "2001:db8::7".parse().unwrap(),
        rcode: 1,
        ede: None,
        ..packed(&[0, 1, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    };
    let line = line(&event);
    assert_eq!(line["query_name"], "");
    assert_eq!((&line["query_type"], &line["query_class"]), (&json!(""), &json!("")));
    assert_eq!((&line["rcode"], &line["transport"]), (&json!("FORMERR"), &json!("TCP")));
    assert_eq!((&line["account_id"], &line["vpc_id"]), (&json!(""), &json!("")));
    assert_eq!(line["region"], "ap-northeast-1");
    assert_eq!(line["srcaddr"], "2001:db8::7");
    for key in ["network", "view", "route", "upstream", "ede"] {
        assert_eq!(line["kakehashi"][key], Value::Null, "{key}");
    }
    assert_eq!(line["kakehashi"]["groups"], json!([]));
}

#[test]
fn numbers_that_the_directory_does_not_have_are_null() {
    let bytes = response(&name("a."), RType::TXT, &[]);
    let event = Sighting {
        network: Some(1),
        view: Some(9),
        route: Some(u32::MAX - 1),
        server: Some(1),
        ..packed(&bytes)
    };
    let line = line(&event);
    for key in ["network", "view", "route", "upstream"] {
        assert_eq!(line["kakehashi"][key], Value::Null, "{key}");
    }
}

#[test]
fn rdata_is_in_presentation_form() {
    let target = name("dc01.technova.local.");
    let with = |head: &[u8]| [head, target.wire()].concat();
    assert_eq!(rdata(RType::AAAA, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]), "2001:db8::7");
    assert_eq!(rdata(RType::CNAME, &with(&[])), "dc01.technova.local.");
    assert_eq!(rdata(RType::PTR, &with(&[])), "dc01.technova.local.");
    assert_eq!(rdata(RType::NS, NameRef::ROOT.wire()), ".");
    assert_eq!(rdata(RType::MX, &with(&[0, 10])), "10 dc01.technova.local.");
    assert_eq!(rdata(RType::SRV, &with(&[0, 0, 0, 100, 1, 133])), "0 100 389 dc01.technova.local.");
    assert_eq!(rdata(RType::TXT, b"\x0cv=spf1 \"-all\x01;"), r#""v=spf1 \"-all" ";""#);
    assert_eq!(rdata(RType::CAA, b"\x80\x05issueletsencrypt.org"), r#"128 issue "letsencrypt.org""#);
    let mut soa = [target.wire(), name("hostmaster.technova.com.").wire()].concat();
    for number in [2_026_112_301_u32, 7200, 3600, 1_209_600, 60] {
        soa.extend(number.to_be_bytes());
    }
    assert_eq!(
        rdata(RType::SOA, &soa),
        "dc01.technova.local. hostmaster.technova.com. 2026112301 7200 3600 1209600 60"
    );
}

#[test]
fn types_that_are_seldom_asked_for_are_in_presentation_form_too() {
    let digest = [&[0xEC, 0x45, 13, 2][..], &[0xAB; 32]].concat();
    assert_eq!(rdata(RType::DS, &digest), format!("60485 13 2 {}", "ab".repeat(32)));
    assert_eq!(
        rdata(RType::HTTPS, b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\x20\xFB"),
        r#"1 . alpn="h2,h3" port=8443"#
    );
    assert_eq!(
        rdata(RType::NAPTR, b"\0\x64\0\x32\x01s\x07SIP+D2U\x02\"\\\0"),
        r#"100 50 "s" "SIP+D2U" "\"\\" ."#
    );
    // Whoever wrote RP into a message may have compressed its names (RFC 3597 §4).
    let mut message = vec![0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    message.extend_from_slice(b"\x01x\x07example\0\0\x11\0\x01\xC0\x0C\0\x11\0\x01\0\0\0\0\0\x06");
    message.extend_from_slice(b"\x01a\xC0\x0E\xC0\x0E");
    assert_eq!(line(&packed(&message))["answers"][0]["Rdata"], "a.example. example.");
}

#[test]
fn other_types_and_rdata_that_is_not_its_types_are_written_as_unknown() {
    assert_eq!(rdata(RType(4711), &[0xC0, 0xFF, 0xEE]), r"\# 3 c0ffee");
    assert_eq!(rdata(RType(4711), &[]), r"\# 0");
    assert_eq!(rdata(RType::A, &[1, 2, 3]), r"\# 3 010203");
    assert_eq!(rdata(RType::TXT, &[]), r"\# 0");
    assert_eq!(rdata(RType::TXT, &[9, 1]), r"\# 2 0901");
    assert_eq!(rdata(RType::CAA, b"\x00\x02\"\nx"), r"\# 5 0002220a78");
    assert_eq!(rdata(RType::SOA, &[0, 0, 1]), r"\# 3 000001");
    let chaos = [
        &[0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0][..],
        b"\x02id\x00\0\x10\0\x03\xC0\x0C\0\x10\0\x03\0\0\0\0\0\x02\x01a",
    ];
    let line = line(&packed(&chaos.concat()));
    assert_eq!((&line["query_type"], &line["query_class"]), (&json!("TXT"), &json!("CH")));
    assert_eq!(line["answers"][0]["Class"], "CH");
}

#[test]
fn an_answer_of_megabytes_gives_a_line_that_collectors_take() {
    let noise: Vec<u8> = std::iter::once(255).chain([7; 255]).collect();
    let many = vec![(RType::TXT, noise); 200];
    let event = response(&name("big."), RType::TXT, &many);
    let line = line(&packed(&event));
    let shown = line["answers"].as_array().unwrap().len();
    assert!(line.to_string().len() < 80 << 10 && shown > 10);
    assert_eq!(line["kakehashi"]["answers_omitted"], json!(200 - shown));
}

proptest! {
    #[test]
    fn whatever_octets_arrive_the_line_is_json(bytes in proptest::collection::vec(any::<u8>(), 0..600), counts in any::<[u8; 2]>()) {
        let head = [0, 1, 0x80, 0, 0, counts[0] & 1, 0, counts[1], 0, 0, 0, 0];
        line(&packed(&[&head[..], &bytes].concat()));
    }

    #[test]
    fn a_flipped_octet_of_a_real_answer_gives_a_line(at in 0_usize..200, to in any::<u8>()) {
        let alias = name("target.example.net.").wire().to_vec();
        let mut bytes = response(&name("www.example.com."), RType::A,
            &[(RType::CNAME, alias), (RType::TXT, b"\x03\"\\\n".to_vec()), (RType::A, vec![1, 2, 3, 4])]);
        let length = bytes.len();
        bytes[at % length] = to;
        line(&packed(&bytes));
    }
}
