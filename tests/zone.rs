//! Zones: master files in, answers out, each test the sentence of an RFC or of an operator.

#![allow(clippy::unwrap_used)]

#[path = "zone/answer.rs"]
mod answer;
#[path = "zone/broken.rs"]
mod broken;
#[path = "zone/master.rs"]
mod master;
#[path = "zone/property.rs"]
mod property;
#[path = "zone/rdata.rs"]
mod rdata;
#[path = "zone/signed.rs"]
mod signed;
#[path = "zone/types.rs"]
mod types;
#[path = "zone/wildcard.rs"]
mod wildcard;

use kakehashi::query::{Response, Verdict};
use kakehashi::wire::{Name, RType, Records};
use kakehashi::zone::{Zone, parse_text};

/// A zone from its text, which must be right.
fn zone(origin: &str, text: &str) -> Zone {
    match parse_text(&name(origin), "test.zone", text) {
        Ok(loaded) => loaded.zone,
        Err(errors) => panic!("{}", kakehashi::config::diagnostic::render(&errors)),
    }
}

/// A zone under its SOA and NS, written around the records that a test is about.
fn zone_with(origin: &str, records: &str) -> Zone {
    zone(
        origin,
        &format!(
            "$TTL 300\n@ SOA ns hostmaster 7 7200 900 1209600 60\n@ NS ns\nns A 10.150.20.10\n{records}"
        ),
    )
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn ask(zone: &Zone, qname: &str, qtype: RType) -> (Response, Verdict) {
    zone.lookup(name(qname).as_ref(), qtype)
}

/// Records as `owner ttl type rdata-in-hex`, or the target where RDATA is one.
fn lines(records: &Records) -> Vec<String> {
    let line = |record: kakehashi::wire::RecordRef<'_>| {
        let rdata = match (record.rtype, record.target()) {
            (RType::A, _) => record.rdata.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
            (_, Some(target)) => target.to_string(),
            (RType::TXT, _) => String::from_utf8_lossy(&record.rdata[1..]).into_owned(),
            (RType::SOA, _) => "…".to_owned(),
            _ => record.rdata.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02x}")),
        };
        format!("{} {} {} {rdata}", record.owner, record.ttl, record.rtype)
    };
    records.iter().map(line).collect()
}
