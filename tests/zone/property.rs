//! Random zones against the algorithm of RFC 1034 §4.3.2, RFC 4592 and RFC 6672 written down naively: no tree, no
//! hash, only scans over the list of records.

use std::fmt::Write as _;

use kakehashi::query::{Owns, Verdict};
use kakehashi::wire::{Name, RType, rcode};
use proptest::prelude::*;

use crate::{lines, name, zone};

const APEX: &str = "zone.test.";
const LABELS: [&str; 4] = ["a", "b", "c", "*"];

/// A record: owner relative to the apex, type, RDATA.
type Record = (String, RType, String);

/// What the name of a record has.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Address,
    AddressAndText,
    Alias,
    Cut,
    Redirect,
}

fn owners() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&LABELS[..]), 1..5).prop_map(|labels| labels.join("."))
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::Address),
        2 => Just(Kind::AddressAndText),
        1 => Just(Kind::Alias),
        1 => Just(Kind::Cut),
        1 => Just(Kind::Redirect),
    ]
}

/// A zone without what the checks refuse: meta types at wildcards, records below a DNAME, a name twice.
fn zones() -> impl Strategy<Value = Vec<Record>> {
    proptest::collection::vec((owners(), kinds()), 0..10).prop_map(|names| {
        let mut records: Vec<Record> = Vec::new();
        for (at, (owner, kind)) in names.into_iter().enumerate() {
            if records.iter().any(|(other, ..)| *other == owner) {
                continue;
            }
            let kind = if owner.starts_with('*') { Kind::AddressAndText } else { kind };
            match kind {
                Kind::Address => records.push((owner, RType::A, format!("10.0.0.{at}"))),
                Kind::AddressAndText => {
                    records.push((owner.clone(), RType::A, format!("10.0.0.{at}")));
                    records.push((owner, RType::TXT, format!("t{at}")));
                }
                Kind::Alias => records.push((owner, RType::CNAME, format!("alias{at}.test."))),
                Kind::Cut => records.push((owner, RType::NS, format!("server{at}.test."))),
                Kind::Redirect => records.push((owner, RType::DNAME, format!("other{at}.test."))),
            }
        }
        let redirects: Vec<String> =
            records.iter().filter(|record| record.1 == RType::DNAME).map(|record| record.0.clone()).collect();
        records.retain(|(owner, ..)| !redirects.iter().any(|above| owner.ends_with(&format!(".{above}"))));
        records
    })
}

fn is_at_or_below(name: &str, above: &str) -> bool {
    above.is_empty() || name == above || name.ends_with(&format!(".{above}"))
}

/// Verdict and answer for a name relative to the apex.
fn naive(records: &[Record], qname: &str, qtype: RType) -> (Verdict, Vec<String>) {
    let of = |owner: &str, rtype: RType| -> Vec<&Record> {
        records.iter().filter(|record| record.0 == owner && record.1 == rtype).collect()
    };
    let exists =
        |owner: &str| owner.is_empty() || records.iter().any(|record| is_at_or_below(&record.0, owner));
    let labels: Vec<&str> = qname.split('.').filter(|label| !label.is_empty()).collect();
    let above = |count: usize| labels[labels.len() - count..].join(".");
    let full = |owner: &str| if owner.is_empty() { APEX.to_owned() } else { format!("{owner}.{APEX}") };

    for depth in 1..=labels.len() {
        let at = above(depth);
        if !(of(&at, RType::NS).is_empty() || at == qname && qtype == RType::DS) {
            return (Verdict::Referral, Vec::new());
        }
        if let ([(.., target)], true) = (&of(&at, RType::DNAME)[..], at != qname) {
            let alias = format!("{}.{target}", labels[..labels.len() - depth].join("."));
            let answer = vec![
                format!("{} 300 DNAME {target}", full(&at)),
                format!("{} 300 CNAME {alias}", full(qname)),
            ];
            let verdict =
                if qtype == RType::CNAME { Verdict::Answer } else { Verdict::Alias(alias.parse().unwrap()) };
            return (verdict, answer);
        }
    }
    let source = if exists(qname) {
        qname.to_owned()
    } else {
        let encloser = (0..labels.len()).rev().map(above).find(|above| exists(above)).unwrap();
        let wildcard = if encloser.is_empty() { "*".to_owned() } else { format!("*.{encloser}") };
        if !exists(&wildcard) {
            return (Verdict::NxDomain, Vec::new());
        }
        wildcard
    };
    let line = |record: &&Record| format!("{} 300 {} {}", full(qname), record.1, record.2);
    let wanted = of(&source, qtype);
    if !wanted.is_empty() {
        return (Verdict::Answer, wanted.iter().map(line).collect());
    }
    if let [alias] = of(&source, RType::CNAME)[..] {
        return (Verdict::Alias(alias.2.parse().unwrap()), vec![line(&alias)]);
    }
    let owns = records.iter().any(|record| record.0 == source);
    (Verdict::NoData(if owns { Owns::Records } else { Owns::Structure }), Vec::new())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_lookup_says_what_the_naive_algorithm_says(
        records in zones(),
        queries in proptest::collection::vec(owners(), 1..8),
    ) {
        let mut text = format!("$ORIGIN {APEX}\n$TTL 300\n@ SOA ns.test. hm.test. 1 2 3 4 5\n@ NS ns.test.\n");
        for (owner, rtype, rdata) in &records {
            writeln!(text, "{owner} {rtype} {rdata}").unwrap();
        }
        let zone = zone(APEX, &text);
        for query in &queries {
            for qtype in [RType::A, RType::TXT, RType::CNAME, RType::NS, RType::DS, RType::DNAME] {
                let qname = name(&format!("{query}.{APEX}"));
                let (response, verdict) = zone.lookup(qname.as_ref(), qtype);
                let (expected, answer) = naive(&records, query, qtype);
                prop_assert_eq!(&verdict, &expected, "{} {} in\n{}", query, qtype, text);
                prop_assert_eq!(lines(&response.answer), answer, "{} {} in\n{}", query, qtype, text);
                let negative = matches!(verdict, Verdict::NoData(_) | Verdict::NxDomain);
                prop_assert_eq!(response.negative_ttl().is_some(), negative);
                prop_assert_eq!(response.authoritative, verdict != Verdict::Referral);
                prop_assert_eq!(response.rcode == rcode::NXDOMAIN, verdict == Verdict::NxDomain);
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s)[ -~\t\n\"\\\\;()$@é]{0,200}") {
        let _ = kakehashi::zone::parse_text(&name(APEX), "any", &text);
    }

    #[test]
    fn no_fields_of_any_type_make_the_reader_panic(rtype in 1_u16..260, fields in "[ -~]{0,60}") {
        let rtype = RType(rtype);
        let text = format!("$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS a\n@ {rtype} {fields}\nx {rtype} 1 1 {fields}\n");
        if let Ok(loaded) = kakehashi::zone::parse_text(&name(APEX), "any", &text) {
            for set in loaded.zone.iter() {
                for record in set.records() {
                    prop_assert!(kakehashi::wire::record::rdata_is_whole(record.rtype, record.rdata).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_name_of_any_octets_is_found_by_any_letter_case(label in proptest::collection::vec(any::<u8>(), 1..63)) {
        let apex = name(APEX);
        let owner: Name = apex.as_ref().child(&label).unwrap();
        let zone = zone(APEX, &format!("$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS a.\n{owner} A 10.0.0.1\n"));
        let mut upper = owner.wire().to_vec();
        upper.make_ascii_uppercase();
        let upper = Name::from_wire(&upper).unwrap();
        prop_assert_eq!(zone.lookup(upper.as_ref(), RType::A).1, Verdict::Answer);
    }
}
