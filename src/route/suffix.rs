//! Name → the domain of the table that it is in: the longest suffix.
//!
//! A name is hashed once a label, from the root leftwards, and looked for only at the depths at which the table has
//! domains, the deepest first. So a lookup costs labels, not routes, and a long random name no more than a short one.

use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::wire::NameRef;

/// No domain.
const NONE: u32 = u32::MAX;
/// The most octets of a name that stand in its node.
const INLINE: usize = 43;
/// Of eight octets, all bits but those that tell lower from upper case. Octets that are no letters lose theirs too: some
/// names then have one hash, and are told apart when they are compared.
const CASELESS: u64 = 0xdfdf_dfdf_dfdf_dfdf;

/// Domains by number, and what is kept for each.
#[derive(Debug, Clone)]
pub struct SuffixTable<T> {
    /// A domain's number is the bucket that it is in.
    nodes: HashTable<Node<T>>,
    /// Names that are too long for a node.
    long: Vec<Box<[u8]>>,
    /// The numbers of labels that domains have, as bits.
    depths: u128,
    /// Which hashes domains have, roughly: most names have labels of their own, which are looked for in vain.
    filter: Filter,
}

/// Hashes that were added, and, the more they are, others.
#[derive(Debug, Clone)]
struct Filter([u64; 64]);

impl Filter {
    fn add(&mut self, hash: u64) {
        self.0[(hash >> 6) as usize % 64] |= 1 << (hash % 64);
    }

    fn may_have(&self, hash: u64) -> bool {
        self.0[(hash >> 6) as usize % 64] >> (hash % 64) & 1 == 1
    }
}

/// With a value of 16 bytes a cache line: a domain that is found is in one place.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Node<T> {
    value: T,
    /// The nearest domain above.
    above: u32,
    length: u8,
    /// The name in lower case, or the number of a long one.
    name: [u8; INLINE],
}

/// Suffixes of a name that may be domains: where each begins, and its hash. The shortest first.
type Steps = SmallVec<[(u8, u64); 16]>;

impl<T: Default> SuffixTable<T> {
    /// The table of these domains, and the number of each: equal ones have the same.
    pub fn new<'a>(domains: impl Iterator<Item = NameRef<'a>> + Clone) -> (SuffixTable<T>, Vec<u32>) {
        let mut table = SuffixTable {
            // Room for all, so that each stays in its bucket.
            nodes: HashTable::with_capacity(domains.clone().count()),
            long: Vec::new(),
            depths: domains.clone().fold(0, |depths, domain| depths | 1 << domain.label_count()),
            filter: Filter([0; 64]),
        };
        let numbers: Vec<u32> = domains.clone().map(|domain| table.add(domain)).collect();
        for (number, domain) in numbers.iter().zip(domains) {
            let above = domain.parent().and_then(|parent| table.find(parent)).unwrap_or(NONE);
            if let Some(node) = table.nodes.get_bucket_mut(*number as usize) {
                node.above = above;
            }
        }
        (table, numbers)
    }

    fn add(&mut self, domain: NameRef<'_>) -> u32 {
        let hash = hash_of(domain.wire());
        if let Some(known) = self.probe(hash, domain.wire()) {
            return known;
        }
        self.filter.add(hash);
        let lower = domain.wire().to_ascii_lowercase();
        let mut name = [0; INLINE];
        match name.get_mut(..lower.len()) {
            Some(place) => place.copy_from_slice(&lower),
            None => {
                name[..4].copy_from_slice(&(self.long.len() as u32).to_ne_bytes());
                self.long.push(lower.into());
            }
        }
        let length = domain.wire().len() as u8;
        let node = Node { value: T::default(), above: NONE, length, name };
        let long = &self.long;
        self.nodes.insert_unique(hash, node, |node| hash_of(node.name(long))).bucket_index() as u32
    }
}

impl<T> SuffixTable<T> {
    /// The most specific domain that the name is in.
    pub fn find(&self, name: NameRef<'_>) -> Option<u32> {
        let mut steps = Steps::new();
        each_step(self.depths, name.wire(), |begin, hash| {
            if self.filter.may_have(hash) {
                steps.push((begin, hash));
            }
        });
        let mut deepest_first = steps.iter().rev();
        deepest_first.find_map(|&(begin, hash)| self.probe(hash, &name.wire()[usize::from(begin)..]))
    }

    /// The next less specific domain.
    pub fn above(&self, domain: u32) -> Option<u32> {
        let above = self.nodes.get_bucket(domain as usize)?.above;
        (above != NONE).then_some(above)
    }

    /// What is kept for a domain.
    pub fn value(&self, domain: u32) -> Option<&T> {
        self.nodes.get_bucket(domain as usize).map(|node| &node.value)
    }

    /// Sets what is kept for a domain.
    pub fn set(&mut self, domain: u32, value: T) {
        if let Some(node) = self.nodes.get_bucket_mut(domain as usize) {
            node.value = value;
        }
    }

    /// How many bytes it takes.
    pub fn footprint(&self) -> usize {
        let long: usize = self.long.iter().map(|name| size_of_val(name) + name.len()).sum();
        self.nodes.allocation_size() + long
    }

    fn probe(&self, hash: u64, name: &[u8]) -> Option<u32> {
        // Nearly all are asked in the case in which they are kept.
        let is_it = |node: &Node<T>| {
            let own = node.name(&self.long);
            own == name || own.eq_ignore_ascii_case(name)
        };
        self.nodes.find_bucket_index(hash, is_it).map(|bucket| bucket as u32)
    }
}

/// Hashes a name label by label from the root, and gives the steps at which `depths` has a bit: where each begins, and
/// its hash.
fn each_step(depths: u128, wire: &[u8], mut step: impl FnMut(u8, u64)) {
    let mut begins = [0u8; 128];
    let (mut labels, mut at) = (0, 0);
    while wire[at] != 0 {
        begins[labels] = at as u8;
        at += 1 + usize::from(wire[at]);
        labels += 1;
    }
    let mut state = SEED;
    if depths & 1 == 1 {
        step(at as u8, finished(state));
    }
    // No more labels are hashed than some domain has.
    let mut depths = (depths & (u128::MAX >> (127 - labels))) >> 1;
    while depths != 0 {
        labels -= 1;
        at = usize::from(begins[labels]);
        state = with_label(state, &wire[at..]);
        if depths & 1 == 1 {
            step(at as u8, finished(state));
        }
        depths >>= 1;
    }
}

fn hash_of(wire: &[u8]) -> u64 {
    let mut hash = 0;
    each_step(u128::MAX, wire, |_, whole| hash = whole);
    hash
}

/// Any odd number without a pattern. It need not be secret: what is hashed into the table is configured, so nobody outside
/// can fill a place of it.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

fn with_word(state: u64, word: u64) -> u64 {
    (state.rotate_left(23) ^ word).wrapping_mul(SEED)
}

/// Every octet counts for every bit. A multiplication carries upwards alone, so the upper half is laid over the lower one,
/// before another and after it: the table and the filter take their bits from the lower end.
fn finished(state: u64) -> u64 {
    let mixed = (state ^ state >> 32).wrapping_mul(SEED);
    mixed ^ mixed >> 32
}

/// Takes in the first label of a name, eight octets at a time. Its length goes in too, so that labels do not run together.
fn with_label(mut state: u64, name: &[u8]) -> u64 {
    let mut rest = 1 + usize::from(name[0]);
    let mut at = 0;
    while rest >= 8 {
        state = with_word(state, word(name, at) & CASELESS);
        (at, rest) = (at + 8, rest - 8);
    }
    if rest > 0 {
        let of_label = u64::MAX >> (64 - 8 * rest);
        state = with_word(state, word(name, at) & of_label & CASELESS);
    }
    state
}

/// Eight octets of a name, or those that are left of it.
fn word(name: &[u8], at: usize) -> u64 {
    let mut octets = [0; 8];
    match name.get(at..at + 8) {
        Some(whole) => octets.copy_from_slice(whole),
        None => octets[..name.len() - at].copy_from_slice(&name[at..]),
    }
    u64::from_le_bytes(octets)
}

impl<T> Node<T> {
    fn name<'a>(&'a self, long: &'a [Box<[u8]>]) -> &'a [u8] {
        match self.name.get(..usize::from(self.length)) {
            Some(name) => name,
            None => {
                let [a, b, c, d, ..] = self.name;
                &long[u32::from_ne_bytes([a, b, c, d]) as usize]
            }
        }
    }
}

impl<T: Default> Default for SuffixTable<T> {
    fn default() -> Self {
        SuffixTable::new(std::iter::empty()).0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::Name;
    use proptest::prelude::*;

    /// Names of few labels that look alike, some too long for a node.
    fn domain() -> impl Strategy<Value = Name> {
        let label = prop_oneof![
            8 => prop::sample::select(vec!["a", "B", "b", "cc", "c.c", "x\\.y", "\\001a"]).prop_map(str::to_owned),
            1 => (30usize..34).prop_map(|length| "L".repeat(length)),
        ];
        prop::collection::vec(label, 0..5).prop_map(|labels| match labels.len() {
            0 => Name::root(),
            _ => labels.join(".").parse().unwrap(),
        })
    }

    proptest! {
        #[test]
        fn suffix_match_agrees_with_a_naive_scan(
            domains in prop::collection::vec(domain(), 0..30),
            names in prop::collection::vec(domain(), 1..30),
        ) {
            let (table, numbers) = SuffixTable::<()>::new(domains.iter().map(Name::as_ref));
            for name in names.iter().chain(&domains) {
                let mut found: Vec<u32> = Vec::new();
                let mut next = table.find(name.as_ref());
                while let Some(domain) = next {
                    found.push(domain);
                    next = table.above(domain);
                }
                let mut naive: Vec<usize> =
                    (0..domains.len()).filter(|n| name.as_ref().is_under(domains[*n].as_ref())).collect();
                naive.sort_by_key(|n| std::cmp::Reverse(domains[*n].as_ref().label_count()));
                let mut naive: Vec<u32> = naive.into_iter().map(|n| numbers[n]).collect();
                naive.dedup();
                prop_assert_eq!(found, naive, "{}", name);
            }
            for (one, other) in (0..domains.len()).flat_map(|n| (0..n).map(move |m| (n, m))) {
                prop_assert_eq!(domains[one] == domains[other], numbers[one] == numbers[other]);
            }
        }
    }

    #[test]
    fn the_longest_names_and_those_of_most_labels_are_found() {
        let deep = vec!["a"; 127].join(".");
        let wide = format!("{0}.{0}.{0}.{1}", "w".repeat(63), "w".repeat(61));
        let domains: Vec<Name> =
            [".", deep.as_str(), &deep[2..], wide.as_str()].map(|d| d.parse().unwrap()).into();
        let (table, numbers) = SuffixTable::<()>::new(domains.iter().map(Name::as_ref));
        let find = |name: &str| table.find(name.to_uppercase().parse::<Name>().unwrap().as_ref());
        let [root, deepest, parent, widest] = numbers[..] else { panic!("four domains, {numbers:?}") };
        assert_eq!([find(&deep), find(&deep[2..]), find(&wide)], [deepest, parent, widest].map(Some));
        assert_eq!([find(&deep[4..]), find(&wide[64..])], [root, root].map(Some));
        assert_eq!(
            [deepest, parent, root].map(|domain| table.above(domain)),
            [Some(parent), Some(root), None]
        );
    }
}
