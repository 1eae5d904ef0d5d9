//! Every type that has a presentation form: read as BIND reads it, and written so that it reads back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use kakehashi::wire::form::form;
use kakehashi::wire::present::RData;
use kakehashi::wire::{Name, NameRef, RType, u16_at, u32_at};
use kakehashi::zone::Zone;

use crate::{name, zone};

const TEXT: &str = include_str!("types.zone");

/// What BIND 9.18 refuses by name: MD and MF as obsolete, the others as younger than itself; and the parameters that
/// it writes by number only.
const NOT_IN_BIND: [RType; 6] = [RType::MD, RType::MF, RType::CLA, RType::IPN, RType::UINFO, RType::UNSPEC];

/// Owner and type of each RRset, and the RDATA of its records.
type Content = BTreeMap<(String, RType), Vec<Vec<u8>>>;

fn content(zone: &Zone) -> Content {
    let mut content = Content::new();
    for set in zone.iter() {
        content.insert((set.owner.to_string(), set.rtype), set.rdata().map(<[u8]>::to_vec).collect());
    }
    content
}

#[test]
fn every_type_with_a_presentation_form_is_in_the_zone_of_types() {
    let content = content(&zone("a.test", TEXT));
    let missing: Vec<RType> = (0..=u16::MAX)
        .map(RType)
        .filter(|rtype| form(*rtype).is_some() && !content.keys().any(|(_, other)| other == rtype))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for rtype in content.keys().map(|(_, rtype)| *rtype) {
        let generic = [RType::NULL, RType::UINFO, RType::UNSPEC, RType(65280)].contains(&rtype);
        assert_eq!(form(rtype).is_none(), generic, "{rtype}");
    }
}

#[test]
fn the_example_that_a_diagnostic_gives_can_be_read() {
    for number in 0..=u16::MAX {
        let Some(form) = form(RType(number)) else { continue };
        let text = format!("$TTL 1\n@ SOA ns hm 1 2 3 4 5\n@ NS ns.test.\nx {}\n", form.example);
        let read = kakehashi::zone::parse_text(&name("a.test"), "example.zone", &text);
        // An SOA stands at the apex only, which is what is wrong then, and all that is.
        match read {
            Err(errors) if number == RType::SOA.0 => assert_eq!(errors.len(), 1),
            read => assert!(read.is_ok(), "{}: {:?}", form.example, read.unwrap_err()),
        }
    }
}

#[test]
fn what_is_written_reads_back_as_the_same_octets() {
    let content = content(&zone("a.test", TEXT));
    for ((owner, rtype), rdata) in &content {
        for octets in rdata {
            let written = RData { rtype: *rtype, octets };
            assert_eq!(written.presentation().is_some(), form(*rtype).is_some(), "{owner} {written}");
            let text = format!("$TTL 1\n{owner} {rtype} {written}\n");
            let head = if *rtype == RType::SOA { "" } else { "$TTL 1\n@ SOA ns hm 1 2 3 4 5\n" };
            let again = self::content(&zone("a.test", &format!("{head}{text}@ NS ns.test.\n")));
            assert!(again[&(owner.clone(), *rtype)].contains(octets), "{owner} {rtype} {written}");
        }
    }
}

#[test]
fn a_known_type_in_the_form_of_rfc_3597_is_the_same_record() {
    let content = content(&zone("a.test", TEXT));
    for ((owner, rtype), rdata) in content.iter().filter(|((_, rtype), _)| *rtype != RType::SOA) {
        for octets in rdata {
            let hexadecimal = octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"));
            let record = format!("{owner} TYPE{} \\# {} {hexadecimal}\n", rtype.0, octets.len());
            let again = zone("a.test", &format!("$TTL 1\n@ SOA ns hm 1 2 3 4 5\n@ NS ns.test.\n{record}"));
            assert!(self::content(&again)[&(owner.clone(), *rtype)].contains(octets), "{record}");
        }
    }
}

#[test]
fn bind_reads_the_same_octets() {
    let text: String = TEXT
        .lines()
        .filter(|line| {
            let mut words = line.split_whitespace().skip(1);
            !words.next().and_then(|word| word.parse().ok()).is_some_and(|rtype| NOT_IN_BIND.contains(&rtype))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let Some(theirs) = read_by_bind(&text) else { return };
    let ours = content(&zone("a.test", &text));
    assert!(theirs.len() > 100, "{} RRsets", theirs.len());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (key, rdata) in &ours {
        assert_eq!(rdata, &theirs[key], "{key:?}");
    }
}

/// What BIND makes of a zone; nothing, and a line that says so, where BIND is not installed.
fn read_by_bind(text: &str) -> Option<Content> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.zone"), text).unwrap();
    let arguments = ["-i", "none", "-k", "ignore", "-F", "raw", "-o", "a.raw", "a.test", "a.zone"];
    match Command::new("named-compilezone").args(arguments).current_dir(folder.path()).output() {
        Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout)),
        Err(missing) => {
            assert!(std::env::var_os("CI").is_none(), "named-compilezone of bind9-utils: {missing}");
            println!("SKIPPED: named-compilezone of bind9-utils, the second opinion on RDATA: {missing}");
            return None;
        }
    }
    Some(raw(&std::fs::read(Path::new(folder.path()).join("a.raw")).unwrap()))
}

/// BIND's raw form of a zone: a header of 24 octets; then of each RRset its length, class, type, covered type, TTL,
/// count and owner, and the RDATA behind their lengths.
fn raw(octets: &[u8]) -> Content {
    let mut content = Content::new();
    let mut at = 24;
    while at < octets.len() {
        let end = at + u32_at(octets, at).unwrap() as usize;
        let (rtype, count) = (RType(u16_at(octets, at + 6).unwrap()), u32_at(octets, at + 14).unwrap());
        let owner = NameRef::parse(octets, at + 20).unwrap();
        let records = content.entry((owner.to_string(), rtype)).or_default();
        at += 20 + owner.wire().len();
        for _ in 0..count {
            let length = usize::from(u16_at(octets, at).unwrap());
            records.push(octets[at + 2..at + 2 + length].to_vec());
            at += 2 + length;
        }
        assert_eq!(at, end);
    }
    content
}

#[test]
fn names_in_rdata_keep_their_case_and_are_written_out() {
    let zone = zone("a.test", "$TTL 1\n@ SOA ns hm 1 2 3 4 5\n@ NS ns.test.\nx LP 10 L64-Subnet\n");
    let set = zone.iter().find(|set| set.rtype == RType::LP).unwrap();
    let name = Name::from_wire(&set.rdata().next().unwrap()[2..]).unwrap();
    assert_eq!(name.to_string(), "L64-Subnet.a.test.");
}
