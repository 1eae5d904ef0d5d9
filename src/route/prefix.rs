//! A tree of addresses, eight bits a step.
//!
//! Steps at which nothing is decided are left out, so that what a lookup costs depends on how finely the address is
//! divided around it, not on how many networks there are: most lookups are over after one or two steps.

/// In an entry: the rest is the number of a node, not of an owner.
const NODE: u32 = 1 << 31;
/// The entry of addresses that nobody owns.
const NOBODY: u32 = NODE - 1;

/// Where an owner's addresses begin; they end where the next one's do. Addresses stand at the upper end of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub start: u128,
    pub owner: Option<u32>,
}

impl Cut {
    fn entry(self) -> u32 {
        self.owner.unwrap_or(NOBODY)
    }
}

/// Address → owner.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// By the first bits of the address; empty if nothing is owned.
    top: Vec<u32>,
    top_bits: u32,
    nodes: Vec<Node>,
    entries: Vec<u32>,
}

/// Decides by one octet. Octets next to each other that lead to the same are a run, and a run has one entry.
#[derive(Debug, Clone, Copy)]
struct Node {
    run_of: [u8; 256],
    /// Its first entry.
    first: u32,
    /// What the octets before must be, where steps were left out.
    prefix: [u8; 16],
    /// The entry of the addresses with other octets before.
    outside: u32,
    octet: u8,
    reach: Reach,
}

/// Which addresses arrive at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those with its prefix.
    Own,
    /// Others too: a step before it was left out.
    Others,
}

impl Tree {
    /// Lays out what `cuts` say, in ascending order and each start once. The first step takes `top_bits` (8 or 16)
    /// at once: 4 bytes each of the 2^`top_bits`.
    pub(super) fn new(cuts: &[Cut], top_bits: u32) -> Tree {
        let mut tree = Tree { top_bits, ..Tree::default() };
        if cuts.is_empty() {
            return tree;
        }
        let mut rest = Rest { cuts, entry: NOBODY };
        tree.top = (0..1u128 << top_bits)
            .map(|bits| {
                let low = bits << (128 - top_bits);
                tree.grow(top_bits / 8, low, &mut rest)
            })
            .collect();
        tree.nodes.shrink_to_fit();
        tree.entries.shrink_to_fit();
        tree
    }

    /// The owner of an address of so many octets.
    pub(super) fn find<const N: usize>(&self, address: [u8; N]) -> Option<u32> {
        let [first, second, ..] = address.as_slice() else { return None };
        let top = usize::from(u16::from_be_bytes([*first, *second])) >> (16 - self.top_bits);
        let mut entry = *self.top.get(top)?;
        while entry & NODE != 0 {
            let node = &self.nodes[(entry & !NODE) as usize];
            entry = if node.reach == Reach::Others && !node.covers(&address) {
                node.outside
            } else {
                self.entries[node.entry_of(address[usize::from(node.octet)])]
            };
        }
        (entry != NOBODY).then_some(entry)
    }

    /// How many bytes it takes.
    pub(super) fn footprint(&self) -> usize {
        size_of_val(&self.top[..]) + size_of_val(&self.nodes[..]) + size_of_val(&self.entries[..])
    }

    /// The entry of the addresses whose first `octet` octets are those of `low`.
    fn grow(&mut self, octet: u32, low: u128, rest: &mut Rest<'_>) -> u32 {
        rest.reach(low);
        let bits_below = 128 - 8 * octet;
        let last = low | ((1u128 << bits_below) - 1);
        if rest.next_start().is_none_or(|start| start > last) {
            return rest.entry;
        }
        let mut runs = Runs { entries: Vec::new(), run_of: [0; 256] };
        let mut value = 0;
        while value < 256 {
            let entry = self.grow(octet + 1, low | value << (bits_below - 8), rest);
            runs.lead(value, entry);
            value += 1;
            // Up to the octet that the next cut falls in, all lead to the same.
            let next = match rest.next_start() {
                Some(start) if start <= last => start >> (bits_below - 8) & 0xff,
                _ => 256,
            };
            while value < next {
                runs.lead(value, rest.entry);
                value += 1;
            }
        }
        self.left_out(&runs.entries).unwrap_or_else(|| self.node(octet, low, &runs))
    }

    /// The only node among the entries, if all beside it belongs to one owner: the step to it may be left out.
    fn left_out(&mut self, entries: &[u32]) -> Option<u32> {
        let mut others = entries.iter().filter(|entry| **entry & NODE == 0);
        let outside = others.next()?;
        let mut nodes = entries.iter().filter(|entry| **entry & NODE != 0);
        let (inner, None) = (*nodes.next()?, nodes.next()) else { return None };
        let node = &mut self.nodes[(inner & !NODE) as usize];
        let free = node.reach == Reach::Own || node.outside == *outside;
        if !free || others.any(|other| other != outside) {
            return None;
        }
        (node.reach, node.outside) = (Reach::Others, *outside);
        Some(inner)
    }

    fn node(&mut self, octet: u32, low: u128, runs: &Runs) -> u32 {
        let first = self.entries.len() as u32;
        self.entries.extend_from_slice(&runs.entries);
        let (octet, prefix, run_of) = (octet as u8, low.to_be_bytes(), runs.run_of);
        self.nodes.push(Node { run_of, first, prefix, outside: NOBODY, octet, reach: Reach::Own });
        NODE | (self.nodes.len() as u32 - 1)
    }
}

impl Node {
    fn covers(&self, address: &[u8]) -> bool {
        let before = usize::from(self.octet);
        address[..before] == self.prefix[..before]
    }

    fn entry_of(&self, octet: u8) -> usize {
        self.first as usize + usize::from(self.run_of[usize::from(octet)])
    }
}

/// What the octets of a node lead to.
struct Runs {
    entries: Vec<u32>,
    run_of: [u8; 256],
}

impl Runs {
    /// Octets come in ascending order.
    fn lead(&mut self, octet: u128, entry: u32) {
        if self.entries.last() != Some(&entry) {
            self.entries.push(entry);
        }
        self.run_of[octet as usize] = (self.entries.len() - 1) as u8;
    }
}

/// The cuts that are still ahead, and the entry of what they have passed.
struct Rest<'a> {
    cuts: &'a [Cut],
    entry: u32,
}

impl Rest<'_> {
    fn next_start(&self) -> Option<u128> {
        self.cuts.first().map(|cut| cut.start)
    }

    /// Passes the cuts up to and with `address`.
    fn reach(&mut self, address: u128) {
        while let Some((cut, ahead)) = self.cuts.split_first()
            && cut.start <= address
        {
            (self.entry, self.cuts) = (cut.entry(), ahead);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Addresses of which many share their first octets, and many lie next to each other.
    fn address() -> impl Strategy<Value = u128> {
        let octet = prop::sample::select(vec![0u8, 1, 63, 64, 128, 254, 255]);
        (prop::collection::vec(octet, 16), 0..=16usize, any::<bool>()).prop_map(|(mut octets, kept, ones)| {
            octets[kept..].fill(if ones { 255 } else { 0 });
            octets.iter().fold(0, |address, octet| address << 8 | u128::from(*octet))
        })
    }

    proptest! {
        #[test]
        fn the_tree_says_what_the_cuts_say(
            cuts in prop::collection::btree_map(address(), prop::option::of(0..4u32), 0..40),
            probes in prop::collection::vec(address(), 1..40),
            top_bits in prop::sample::select(vec![8, 16]),
        ) {
            let cuts: Vec<Cut> = cuts.into_iter().map(|(start, owner)| Cut { start, owner }).collect();
            let tree = Tree::new(&cuts, top_bits);
            let around = |start: u128| [start.wrapping_sub(1), start, start.wrapping_add(1)];
            for address in probes.into_iter().chain(cuts.iter().flat_map(|cut| around(cut.start))) {
                let naive = cuts.iter().rev().find(|cut| cut.start <= address).and_then(|cut| cut.owner);
                prop_assert_eq!(tree.find(address.to_be_bytes()), naive, "{:x}", address);
            }
        }
    }
}
