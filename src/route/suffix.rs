//! Name → the domains above it that are in the table, by longest suffix.
//!
//! A hash of the labels is grown from the root leftwards and each step is probed; every ancestor of a domain is in the
//! table too, so the walk ends at the first suffix that is not there: a long random name costs no more than a short one.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher};

use crate::wire::{Name, NameRef};

/// Domains and what is kept for each.
#[derive(Debug, Clone)]
pub struct SuffixTable<T> {
    nodes: Vec<Node<T>>,
    index: HashTable<u32>,
    seed: FixedState,
}

#[derive(Debug, Clone)]
struct Node<T> {
    domain: Name,
    hash: u64,
    values: SmallVec<[T; 1]>,
}

impl<T> SuffixTable<T> {
    /// An empty table.
    pub fn new() -> SuffixTable<T> {
        // The table holds configured domains only: nobody outside chooses what is hashed into it.
        SuffixTable { nodes: Vec::new(), index: HashTable::new(), seed: FixedState::with_seed(0x6b61_6b65) }
    }

    /// Adds a value at a domain, behind those that it has.
    pub fn push(&mut self, domain: &Name, value: T) {
        let mut path: SmallVec<[NameRef<'_>; 16]> = domain.as_ref().suffixes().collect();
        path.reverse();
        let (mut hash, mut at) = (0, 0);
        for name in path {
            hash = self.grow(hash, name);
            at = match self.probe(hash, name) {
                Some(at) => at,
                None => {
                    let at = self.nodes.len();
                    self.nodes.push(Node { domain: name.to_lower(), hash, values: SmallVec::new() });
                    let nodes = &self.nodes;
                    self.index.insert_unique(hash, at as u32, |n| nodes[*n as usize].hash);
                    at
                }
            };
        }
        self.nodes[at].values.push(value);
    }

    /// The values at the name and above it, the most specific domain first.
    pub fn find(&self, name: NameRef<'_>) -> SmallVec<[&[T]; 8]> {
        let path: SmallVec<[NameRef<'_>; 16]> = name.suffixes().collect();
        let mut found = SmallVec::new();
        let mut hash = 0;
        for name in path.iter().rev() {
            hash = self.grow(hash, *name);
            let Some(at) = self.probe(hash, *name) else { break };
            if !self.nodes[at].values.is_empty() {
                found.push(self.nodes[at].values.as_slice());
            }
        }
        found.reverse();
        found
    }

    /// The values at exactly this domain.
    pub fn at(&self, domain: NameRef<'_>) -> &[T] {
        let path: SmallVec<[NameRef<'_>; 16]> = domain.suffixes().collect();
        let hash = path.iter().rev().fold(0, |hash, name| self.grow(hash, *name));
        self.probe(hash, domain).map_or(&[], |at| self.nodes[at].values.as_slice())
    }

    fn probe(&self, hash: u64, name: NameRef<'_>) -> Option<usize> {
        self.index.find(hash, |at| self.nodes[*at as usize].domain.as_ref() == name).map(|at| *at as usize)
    }

    /// The hash of `name` from the hash of its parent.
    fn grow(&self, parent: u64, name: NameRef<'_>) -> u64 {
        let mut lower = [0u8; 64];
        let label = &name.wire()[..=usize::from(name.wire()[0])];
        let lower = &mut lower[..label.len()];
        lower.copy_from_slice(label);
        lower.make_ascii_lowercase();
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(parent);
        hasher.write(lower);
        hasher.finish()
    }
}

impl<T> Default for SuffixTable<T> {
    fn default() -> Self {
        SuffixTable::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn domain() -> impl Strategy<Value = Name> {
        prop::collection::vec(prop::sample::select(vec!["a", "B", "b", "cc", "c.c", "x\\.y"]), 0..5).prop_map(
            |labels| if labels.is_empty() { Name::root() } else { labels.join(".").parse().unwrap() },
        )
    }

    proptest! {
        #[test]
        fn suffix_match_agrees_with_a_naive_scan(
            domains in prop::collection::vec(domain(), 0..30),
            names in prop::collection::vec(domain(), 1..30),
        ) {
            let mut table = SuffixTable::new();
            domains.iter().enumerate().for_each(|(n, domain)| table.push(domain, n));
            for name in names {
                let found: Vec<usize> = table.find(name.as_ref()).concat();
                let mut naive: Vec<usize> =
                    (0..domains.len()).filter(|n| name.as_ref().is_under(domains[*n].as_ref())).collect();
                naive.sort_by_key(|n| (std::cmp::Reverse(domains[*n].as_ref().label_count()), *n));
                prop_assert_eq!(found, naive);
                let exact: Vec<usize> = (0..domains.len()).filter(|n| domains[*n] == name).collect();
                prop_assert_eq!(table.at(name.as_ref()), &exact[..]);
            }
        }
    }
}
