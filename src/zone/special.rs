//! Names that are never asked of anybody else: localhost, private and other reserved reverse zones, and the
//! special-use domains (RFC 6303, 6761, 7534 §3, 7686, 7793, 8375, 9462 §6.4, 9476).

use super::{Zone, parse_text};

/// The built-in zones. They stand below every zone and rule of the configuration: whoever claims one of these names
/// gets it.
///
/// `local.` is not among them, though RFC 6762 reserves it: Active Directory domains live there.
pub fn special_use() -> Vec<Zone> {
    empty_zones()
        .map(|origin| (origin, ""))
        .chain(filled_zones())
        .filter_map(|(origin, records)| {
            // RFC 6303 §3: the SOA and the NS that such a zone has.
            let text =
                format!("$TTL 10800\n@ SOA @ nobody.invalid. 1 3600 1200 604800 10800\n@ NS @\n{records}");
            let name = origin.parse().ok()?;
            parse_text(&name, "(built in)", &text).ok().map(|loaded| loaded.zone)
        })
        .collect()
}

/// Zones that have records.
fn filled_zones() -> impl Iterator<Item = (String, &'static str)> {
    [
        // RFC 6761 §6.3: localhost, and all below it, is the loopback address.
        ("localhost".to_owned(), "@ A 127.0.0.1\n@ AAAA ::1\n* A 127.0.0.1\n* AAAA ::1\n"),
        ("127.in-addr.arpa".to_owned(), "1.0.0 PTR localhost.\n"),
        (format!("1.{}ip6.arpa", "0.".repeat(31)), "@ PTR localhost.\n"),
    ]
    .into_iter()
}

fn empty_zones() -> impl Iterator<Item = String> {
    let names = [
        // RFC 6761 §6.2, §6.4; RFC 7686; RFC 9476; RFC 8375; RFC 9462 §6.4
        "test",
        "invalid",
        "onion",
        "alt",
        "home.arpa",
        "resolver.arpa",
        // RFC 6303 §4.1: RFC 1918
        "10.in-addr.arpa",
        "168.192.in-addr.arpa",
        // RFC 6303 §4.2: this network, link-local, documentation, broadcast
        "0.in-addr.arpa",
        "254.169.in-addr.arpa",
        "2.0.192.in-addr.arpa",
        "100.51.198.in-addr.arpa",
        "113.0.203.in-addr.arpa",
        "255.255.255.255.in-addr.arpa",
        // RFC 6303 §4.4 to §4.6: locally assigned, link-local, documentation
        "d.f.ip6.arpa",
        "8.e.f.ip6.arpa",
        "9.e.f.ip6.arpa",
        "a.e.f.ip6.arpa",
        "b.e.f.ip6.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
    ];
    let private = (16..=31).map(|octet| format!("{octet}.172.in-addr.arpa"));
    // RFC 7793: carrier-grade NAT
    let shared = (64..=127).map(|octet| format!("{octet}.100.in-addr.arpa"));
    // RFC 6303 §4.3: the unspecified address
    let unspecified = format!("{}ip6.arpa", "0.".repeat(32));
    names.into_iter().map(str::to_owned).chain(private).chain(shared).chain([unspecified])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::*;
    use crate::query::{Owns, Verdict};
    use crate::wire::{Name, RType};

    fn ask(qname: &str, qtype: RType) -> (Vec<Vec<u8>>, Verdict) {
        let zones: HashMap<Name, Zone> =
            special_use().into_iter().map(|zone| (zone.origin().clone(), zone)).collect();
        let name: Name = qname.parse().unwrap();
        let zone = name.as_ref().suffixes().find_map(|suffix| zones.get(&suffix.to_name())).unwrap();
        let (response, verdict) = zone.lookup(name.as_ref(), qtype);
        (response.answer.iter().map(|record| record.rdata.to_vec()).collect(), verdict)
    }

    #[test]
    fn every_built_in_zone_can_be_served() {
        assert_eq!(special_use().len(), 3 + 20 + 16 + 64 + 1);
    }

    #[test]
    fn localhost_and_all_below_it_is_the_loopback_address() {
        for name in ["localhost", "db.localhost", "a.b.localhost"] {
            assert_eq!(ask(name, RType::A), (vec![vec![127, 0, 0, 1]], Verdict::Answer));
            assert_eq!(ask(name, RType::AAAA).0.len(), 1);
            assert_eq!(ask(name, RType::MX).1, Verdict::NoData(Owns::Records));
        }
        let localhost: Name = "localhost".parse().unwrap();
        let v6 = format!("1.{}ip6.arpa", "0.".repeat(31));
        for name in ["1.0.0.127.in-addr.arpa", &v6] {
            assert_eq!(ask(name, RType::PTR), (vec![localhost.wire().to_vec()], Verdict::Answer));
        }
    }

    #[test]
    fn private_reverse_names_and_special_domains_do_not_exist() {
        for name in [
            "1.0.0.10.in-addr.arpa",
            "1.0.31.172.in-addr.arpa",
            "1.1.168.192.in-addr.arpa",
            "1.0.127.100.in-addr.arpa",
            "x.onion",
            "printer.home.arpa",
            "x.invalid",
            "x.test",
            "x.alt",
            "1.b.e.f.ip6.arpa",
        ] {
            assert_eq!(ask(name, RType::PTR).1, Verdict::NxDomain, "{name}");
        }
        assert_eq!(ask("onion", RType::A).1, Verdict::NoData(Owns::Structure));
    }

    #[test]
    fn local_belongs_to_active_directory() {
        assert!(special_use().iter().all(|zone| zone.origin().to_string() != "local."));
    }
}
