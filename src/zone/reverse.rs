//! PTR records made from a zone's own addresses, so that the reverse names of its networks are answered here.
//!
//! Each /24 and each /64 that holds an address becomes a zone of its own, the most specific that claims the network:
//! what else the network's reverse names are, another route may say.

use std::collections::BTreeMap;

use super::build::{Builder, Span};
use super::tree::{APEX, NONE, Zone};
use crate::wire::rtype::CLASS_IN;
use crate::wire::{Name, NameRef, RType, RecordRef};

/// Bytes of the address that name the zone, address, and the labels of either.
type Pointer<'z> = (Vec<u8>, NameRef<'z>, u32);

impl Zone {
    /// A zone of PTR records for each /24 (in-addr.arpa) and /64 (ip6.arpa) that an A or AAAA record of this zone
    /// points into. SOA and NS are those of this zone; a PTR has the TTL of its address. Wildcards, and what lies
    /// below a zone cut, have no reverse names.
    pub fn reverse_overlays(&self) -> Vec<Zone> {
        let mut networks: BTreeMap<Vec<u8>, Vec<Pointer<'_>>> = BTreeMap::new();
        for node in &self.nodes {
            let owner = self.name(node);
            if node.stop != NONE || owner.wire().starts_with(b"\x01*") {
                continue;
            }
            for set in self.sets_of(node).iter().filter(|set| matches!(set.rtype, RType::A | RType::AAAA)) {
                for address in self.rdata(set) {
                    let network = &address[..if set.rtype == RType::A { 3 } else { 8 }];
                    let pointer = (address.to_vec(), owner, set.ttl);
                    networks.entry(network.to_vec()).or_default().push(pointer);
                }
            }
        }
        networks.iter().filter_map(|(network, pointers)| self.overlay(network, pointers)).collect()
    }

    fn overlay(&self, network: &[u8], pointers: &[Pointer<'_>]) -> Option<Zone> {
        let origin = reverse_name(network, family(network.len()))?;
        let mut builder = Builder::new(&origin);
        let apex = self.node(APEX);
        for set in self.sets_of(apex).iter().filter(|set| matches!(set.rtype, RType::SOA | RType::NS)) {
            for rdata in self.rdata(set) {
                let owner = origin.as_ref();
                let record = RecordRef { owner, rtype: set.rtype, class: CLASS_IN, ttl: set.ttl, rdata };
                builder.add(&record, Span::default()).ok()?;
            }
        }
        for (address, name, ttl) in pointers {
            let owner = reverse_name(address, family(network.len()))?;
            let record = RecordRef {
                owner: owner.as_ref(),
                rtype: RType::PTR,
                class: CLASS_IN,
                ttl: *ttl,
                rdata: name.wire(),
            };
            builder.add(&record, Span::default()).ok()?;
        }
        Some(builder.finish().zone)
    }
}

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

fn family(network_octets: usize) -> Family {
    if network_octets == 3 { Family::V4 } else { Family::V6 }
}

/// The reverse name of an address or of its leading octets (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(octets: &[u8], family: Family) -> Option<Name> {
    let mut labels: Vec<String> = match family {
        Family::V4 => octets.iter().map(ToString::to_string).collect(),
        Family::V6 => {
            octets.iter().flat_map(|octet| [octet >> 4, octet & 0xf]).map(|n| format!("{n:x}")).collect()
        }
    };
    labels.reverse();
    let suffix = match family {
        Family::V4 => "in-addr.arpa.",
        Family::V6 => "ip6.arpa.",
    };
    format!("{}.{suffix}", labels.join(".")).parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::Verdict;

    const TEXT: &str = "$TTL 300
@ SOA resolver.network hostmaster 2026112301 7200 900 1209600 60
@ NS resolver.network
resolver.network A 10.150.20.10
                 A 10.150.20.11
inventory 60 A 10.0.30.101
stock     90 A 10.0.30.101
v6 AAAA 2001:db8:0:1::a
*.any A 10.0.30.102
alias CNAME inventory
cut NS ns.cut
ns.cut A 10.0.30.103
";

    fn overlays() -> Vec<Zone> {
        let origin = "technova.internal".parse().unwrap();
        super::super::parse_text(&origin, "text", TEXT).unwrap().zone.reverse_overlays()
    }

    fn pointers(zone: &Zone, name: &str) -> Vec<(String, u32)> {
        let name: Name = name.parse().unwrap();
        let (response, _) = zone.lookup(name.as_ref(), RType::PTR);
        response.answer.iter().map(|record| (record.target().unwrap().to_string(), record.ttl)).collect()
    }

    #[test]
    fn each_network_of_the_zone_becomes_a_reverse_zone() {
        let origins: Vec<String> = overlays().iter().map(|zone| zone.origin().to_string()).collect();
        assert_eq!(
            origins,
            ["30.0.10.in-addr.arpa.", "20.150.10.in-addr.arpa.", "1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."]
        );
        assert!(overlays().iter().all(|zone| zone.serial() == 2_026_112_301));
    }

    #[test]
    fn an_address_points_to_all_its_names_in_file_order() {
        let zones = overlays();
        assert_eq!(
            pointers(&zones[0], "101.30.0.10.in-addr.arpa"),
            [("inventory.technova.internal.".into(), 60), ("stock.technova.internal.".into(), 60)]
        );
        assert_eq!(
            pointers(&zones[1], "11.20.150.10.in-addr.arpa"),
            [("resolver.network.technova.internal.".into(), 300)]
        );
        let v6 = "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(pointers(&zones[2], v6), [("v6.technova.internal.".into(), 300)]);
    }

    #[test]
    fn wildcards_and_names_below_a_cut_have_no_reverse_name() {
        let zones = overlays();
        for name in ["102.30.0.10.in-addr.arpa", "103.30.0.10.in-addr.arpa"] {
            let name: Name = name.parse().unwrap();
            assert_eq!(zones[0].lookup(name.as_ref(), RType::PTR).1, Verdict::NxDomain);
        }
    }
}
