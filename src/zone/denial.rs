//! The chain of NSEC or NSEC3 records of a zone that came signed: which of them stands at a name, and which one covers
//! a name that is not there (RFC 4034 §4, §6.1; RFC 5155 §3, §5).

use std::cmp::Ordering;

use sha1::{Digest as _, Sha1};
use smallvec::SmallVec;

use super::text;
use super::tree::{APEX, NONE, Node, Zone};
use crate::wire::name::MAX_NAME;
use crate::wire::{NameRef, RType, u16_at};

/// How a zone denies what it has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denial {
    /// Not so that it could be checked.
    None,
    /// The nodes that have an NSEC, in canonical order.
    Nsec(Vec<u32>),
    /// By hashes of names.
    Nsec3(Hashed),
}

/// A chain of NSEC3 records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    parameters: Parameters,
    /// Hashes in order, each with the node of its record.
    chain: Vec<(Hash, u32)>,
}

/// How names are hashed (RFC 5155 §3.1): by SHA-1, which is all that was ever registered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameters {
    iterations: u16,
    salt: Box<[u8]>,
}

type Hash = [u8; 20];

/// SHA-1 (RFC 5155 §11).
const SHA1: u8 = 1;

impl Denial {
    /// The chain that a zone has. Where it has both kinds, NSEC3PARAM says that its hashes are whole (RFC 5155 §4).
    pub(super) fn of(zone: &Zone) -> Denial {
        let apex = zone.node(APEX);
        if let Some(set) = zone.set(apex, RType::NSEC3PARAM) {
            let mut chains = zone.rdata(set).filter_map(Parameters::of_param);
            if let Some(hashed) = chains.find_map(|parameters| Hashed::of(zone, parameters)) {
                return Denial::Nsec3(hashed);
            }
        }
        if zone.set(apex, RType::NSEC).is_none() {
            return Denial::None;
        }
        let mut chain: Vec<u32> = (0..zone.nodes.len() as u32)
            .filter(|index| {
                let node = zone.node(*index);
                (node.stop == NONE || node.stop == *index) && zone.set(node, RType::NSEC).is_some()
            })
            .collect();
        let name = |index: &u32| zone.name(zone.node(*index));
        chain.sort_by(|one, other| canonical(name(one), name(other)));
        Denial::Nsec(chain)
    }

    /// The type of its records.
    pub(super) fn rtype(&self) -> RType {
        match self {
            Denial::Nsec(_) | Denial::None => RType::NSEC,
            Denial::Nsec3(_) => RType::NSEC3,
        }
    }

    /// The node of the record that stands at a name.
    pub(super) fn matching(&self, zone: &Zone, name: NameRef<'_>) -> Option<u32> {
        match self {
            Denial::None => None,
            Denial::Nsec(chain) => {
                chain.binary_search_by(|node| order(zone, *node, name)).ok().map(|at| chain[at])
            }
            Denial::Nsec3(hashed) => {
                let at = hashed.position(name).ok()?;
                Some(hashed.chain[at].1)
            }
        }
    }

    /// The node of the record whose span a name that has none lies in: the one before it, or the last one of all.
    pub(super) fn covering(&self, zone: &Zone, name: NameRef<'_>) -> Option<u32> {
        match self {
            Denial::None => None,
            Denial::Nsec(chain) => {
                let next = chain.binary_search_by(|node| order(zone, *node, name)).err()?;
                Some(chain[before(next, chain.len())])
            }
            Denial::Nsec3(hashed) => {
                let next = hashed.position(name).err()?;
                Some(hashed.chain[before(next, hashed.chain.len())].1)
            }
        }
    }
}

fn order(zone: &Zone, node: u32, name: NameRef<'_>) -> Ordering {
    canonical(zone.name(zone.node(node)), name)
}

fn before(next: usize, length: usize) -> usize {
    next.checked_sub(1).unwrap_or(length - 1)
}

impl Hashed {
    fn of(zone: &Zone, parameters: Parameters) -> Option<Hashed> {
        let mut chain: Vec<(Hash, u32)> = Vec::new();
        for (index, node) in (0..).zip(&zone.nodes) {
            let Some(set) = zone.set(node, RType::NSEC3) else { continue };
            if zone.rdata(set).any(|rdata| Parameters::of(rdata).as_ref() == Some(&parameters))
                && let Some(hash) = hash_of_owner(zone.name(node))
            {
                chain.push((hash, index));
            }
        }
        chain.sort_unstable();
        (!chain.is_empty()).then_some(Hashed { parameters, chain })
    }

    fn position(&self, name: NameRef<'_>) -> Result<usize, usize> {
        let hash = self.parameters.hash(name);
        self.chain.binary_search_by_key(&hash, |(hash, _)| *hash)
    }
}

impl Parameters {
    /// Of the RDATA of an NSEC3 or NSEC3PARAM.
    fn of(rdata: &[u8]) -> Option<Parameters> {
        let length = usize::from(*rdata.get(4)?);
        let salt = rdata.get(5..5 + length)?.into();
        (rdata[0] == SHA1).then_some(Parameters { iterations: u16_at(rdata, 2).ok()?, salt })
    }

    /// RFC 5155 §4.1.2: an NSEC3PARAM with a flag is none that answers are made by.
    fn of_param(rdata: &[u8]) -> Option<Parameters> {
        (rdata.get(1) == Some(&0)).then(|| Parameters::of(rdata))?
    }

    /// RFC 5155 §5.
    fn hash(&self, name: NameRef<'_>) -> Hash {
        let mut lower = [0; MAX_NAME];
        let lower = &mut lower[..name.wire().len()];
        lower.copy_from_slice(name.wire());
        lower.make_ascii_lowercase();
        let round = |octets: &[u8]| -> Hash {
            Sha1::new().chain_update(octets).chain_update(&self.salt).finalize().into()
        };
        (0..self.iterations).fold(round(lower), |hash, _| round(&hash))
    }
}

/// Whether a node is there for the sake of its NSEC3 alone, and so no name of the zone (RFC 5155 §7.2.8).
pub(super) fn is_hashed_name(zone: &Zone, node: &Node) -> bool {
    let sets = zone.sets_of(node);
    sets.iter().any(|set| set.rtype == RType::NSEC3)
        && sets.iter().all(|set| matches!(set.rtype, RType::NSEC3 | RType::RRSIG))
}

/// The hash that is the first label of an NSEC3's owner (RFC 5155 §3).
fn hash_of_owner(owner: NameRef<'_>) -> Option<Hash> {
    let label = std::str::from_utf8(owner.labels().next()?).ok()?;
    let mut hash = Vec::with_capacity(20);
    text::base32hex(label, &mut hash).ok()?;
    hash.try_into().ok()
}

/// RFC 4034 §6.1: label by label from the right, in lower case, the absent label first.
fn canonical(one: NameRef<'_>, other: NameRef<'_>) -> Ordering {
    let (one, other) = (labels(one), labels(other));
    for (one, other) in one.iter().rev().zip(other.iter().rev()) {
        let lower = |label: &[u8]| label.iter().map(u8::to_ascii_lowercase).collect::<SmallVec<[u8; 64]>>();
        match lower(one).cmp(&lower(other)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    one.len().cmp(&other.len())
}

fn labels(name: NameRef<'_>) -> SmallVec<[&[u8]; 16]> {
    name.labels().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;

    #[test]
    fn names_are_ordered_as_rfc_4034_orders_them() {
        // §6.1
        let order = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let names: Vec<Name> = order.iter().map(|name| name.parse().unwrap()).collect();
        for (at, one) in names.iter().enumerate() {
            for (other_at, other) in names.iter().enumerate() {
                assert_eq!(canonical(one.as_ref(), other.as_ref()), at.cmp(&other_at), "{one} {other}");
            }
        }
    }

    #[test]
    fn names_are_hashed_as_in_the_examples_of_rfc_5155() {
        // Appendix A
        let parameters = Parameters { iterations: 12, salt: [0xAA, 0xBB, 0xCC, 0xDD].into() };
        for (name, hashed) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("A.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let owner: Name = format!("{hashed}.example").parse().unwrap();
            let name: Name = name.parse().unwrap();
            assert_eq!(Some(parameters.hash(name.as_ref())), hash_of_owner(owner.as_ref()), "{name}");
        }
    }
}
