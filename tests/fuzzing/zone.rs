//! A zone file: faults that can be shown, or a zone that answers, and that is the same zone when it is written out and
//! read again.

use std::fmt::Write as _;

use kakehashi::config::diagnostic::render;
use kakehashi::wire::build::{Plan, build};
use kakehashi::wire::message::Message;
use kakehashi::wire::present::RData;
use kakehashi::wire::{Name, NameRef, RType};
use kakehashi::zone::{Dnssec, Zone, parse_text};

/// Of how many RRsets the owners are asked for.
const ASKED: usize = 16;
/// How many entries `$GENERATE` may make here: a /16 of them is right, and takes its time.
const MOST_GENERATED: u64 = 100;

pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let upper = text.to_ascii_uppercase();
    // Files of this machine are no part of the input.
    if upper.contains("$INCLUDE") || generates_much(&upper) {
        return;
    }
    let origin: Name = "fuzz.test".parse().unwrap();
    match parse_text(&origin, "fuzz.zone", &text) {
        Ok(loaded) => {
            render(&loaded.warnings);
            ask(&loaded.zone);
            read_again(&origin, &loaded.zone);
        }
        Err(faults) => assert!(!faults.is_empty() && !render(&faults).is_empty()),
    }
}

fn generates_much(upper: &str) -> bool {
    upper.split("$GENERATE").skip(1).any(|after| {
        let range: String = after.trim_start().chars().take_while(|c| !c.is_whitespace()).collect();
        let numbers: Vec<Option<u64>> = range.split(['-', '/']).map(|number| number.parse().ok()).collect();
        match numbers[..] {
            [Some(first), Some(last)] => last.saturating_sub(first) > MOST_GENERATED,
            [Some(first), Some(last), Some(step)] => {
                last.saturating_sub(first) / step.max(1) > MOST_GENERATED
            }
            _ => false,
        }
    })
}

fn ask(zone: &Zone) {
    for set in zone.iter().take(ASKED) {
        let below = set.owner.child(b"x");
        for name in [Some(set.owner), below.as_ref().ok().map(NameRef::from)].into_iter().flatten() {
            for qtype in [set.rtype, RType::A, RType::DS, RType::ANY] {
                answer(zone, name, qtype);
            }
        }
    }
}

fn answer(zone: &Zone, qname: NameRef<'_>, qtype: RType) {
    let (response, _) = zone.lookup_with(qname, qtype, Dnssec::Wanted);
    let question = [qname.wire(), &qtype.0.to_be_bytes(), &[0, 1]].concat();
    let plan = Plan {
        id: 0,
        flags: 0x8400,
        rcode: response.rcode,
        question: &question,
        answer: &response.answer,
        authority: &response.authority,
        additional: &response.additional,
        opt: None,
        limit: 1232,
    };
    let (mut out, mut ttls) = (Vec::new(), Vec::new());
    build(&plan, &mut out, &mut ttls);
    assert!(out.len() <= 1232);
    Message::parse(&out).unwrap();
}

fn read_again(origin: &Name, zone: &Zone) {
    let mut text = String::new();
    for record in zone.iter().flat_map(|set| set.records().collect::<Vec<_>>()) {
        let rdata = RData { rtype: record.rtype, octets: record.rdata };
        writeln!(text, "{} {} IN {} {rdata}", record.owner, record.ttl, record.rtype).unwrap();
    }
    match parse_text(origin, "again.zone", &text) {
        Ok(again) => assert_eq!(contents(&again.zone), contents(zone), "{text}"),
        Err(faults) => panic!("{}\nin\n{text}", render(&faults)),
    }
}

/// Owner, type, TTL and RDATA of all RRsets.
type Contents = Vec<(Vec<u8>, u16, u32, Vec<Vec<u8>>)>;

fn contents(zone: &Zone) -> Contents {
    let mut sets: Contents = zone
        .iter()
        .map(|set| {
            (set.owner.wire().to_vec(), set.rtype.0, set.ttl, set.rdata().map(<[u8]>::to_vec).collect())
        })
        .collect();
    sets.sort();
    sets
}
