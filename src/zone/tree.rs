//! A zone's content: names, RRsets and RDATA in three flat lists, found by the hash of a lower-cased name.
//!
//! Every name between the apex and a name with records is a node of its own, so an empty non-terminal (RFC 4592
//! §2.2.2) is a node without RRsets, and the names that exist above any QNAME are an unbroken run from the apex.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::denial::Denial;
use crate::wire::name::MAX_NAME;
use crate::wire::record::Records;
use crate::wire::rtype::CLASS_IN;
use crate::wire::{Name, NameRef, RType, RecordRef, u16_at};

/// No node.
pub(super) const NONE: u32 = u32::MAX;
/// The node of the apex.
pub(super) const APEX: u32 = 0;

/// One zone, complete and unchanging.
#[derive(Clone)]
pub struct Zone {
    pub(super) origin: Name,
    /// Parents stand before their children; otherwise in the order in which the names first appeared.
    pub(super) nodes: Vec<Node>,
    /// The RRsets of each node side by side, by type.
    pub(super) sets: Vec<Set>,
    /// Owner names in wire form, and RDATA behind its 16-bit length.
    pub(super) bytes: Vec<u8>,
    pub(super) table: HashTable<u32>,
    /// How many labels the deepest name has below the apex: no longer QNAME needs a look.
    pub(super) depth: usize,
    pub(super) serial: u32,
    /// RFC 2308 §3: the lesser of the SOA's TTL and its MINIMUM.
    pub(super) negative_ttl: u32,
    pub(super) records: usize,
    /// Whether it came with signatures.
    pub(super) signed: bool,
    pub(super) denial: Denial,
}

/// A name that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: u32,
    pub(super) name_length: u8,
    pub(super) sets: u32,
    pub(super) set_count: u16,
    /// The child `*`, or [`NONE`].
    pub(super) wildcard: u32,
    /// Where a walk from the apex to this node stops: the topmost zone cut at or above it, or the topmost name with
    /// a DNAME above it; [`NONE`] of neither.
    pub(super) stop: u32,
}

/// An RRset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) rtype: RType,
    pub(super) count: u16,
    pub(super) ttl: u32,
    pub(super) data: u32,
    pub(super) length: u32,
}

/// What a zone has of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The name itself.
    Exact(u32),
    /// Only this name above it: its closest encloser (RFC 4592 §3.3.1).
    Below(u32),
}

/// One RRset of a zone, borrowed.
#[derive(Clone, Copy)]
pub struct RRset<'z> {
    /// Owner name, in the case of the file.
    pub owner: NameRef<'z>,
    /// Type.
    pub rtype: RType,
    /// TTL, in seconds.
    pub ttl: u32,
    data: &'z [u8],
}

impl<'z> RRset<'z> {
    /// The RDATA of each record, in file order.
    pub fn rdata(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        Rdata(self.data)
    }

    /// The records, in file order.
    pub fn records(&self) -> impl Iterator<Item = RecordRef<'z>> + use<'z> {
        let RRset { owner, rtype, ttl, .. } = *self;
        self.rdata().map(move |rdata| RecordRef { owner, rtype, class: CLASS_IN, ttl, rdata })
    }
}

struct Rdata<'z>(&'z [u8]);

impl<'z> Iterator for Rdata<'z> {
    type Item = &'z [u8];

    fn next(&mut self) -> Option<&'z [u8]> {
        let end = 2 + usize::from(u16_at(self.0, 0).ok()?);
        let rdata = self.0.get(2..end)?;
        self.0 = &self.0[end..];
        Some(rdata)
    }
}

impl Zone {
    /// The name of the apex.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The SOA's serial number.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// How many records the zone has.
    pub fn record_count(&self) -> usize {
        self.records
    }

    /// All RRsets: name by name as they first appear in the file, and by type.
    pub fn iter(&self) -> impl Iterator<Item = RRset<'_>> {
        self.nodes.iter().flat_map(|node| self.sets_of(node).iter().map(|set| self.rrset(node, set)))
    }

    pub(super) fn rrset(&self, node: &Node, set: &Set) -> RRset<'_> {
        RRset { owner: self.name(node), rtype: set.rtype, ttl: set.ttl, data: self.data(set) }
    }

    pub(super) fn data(&self, set: &Set) -> &[u8] {
        &self.bytes[set.data as usize..(set.data + set.length) as usize]
    }

    pub(super) fn rdata(&self, set: &Set) -> impl Iterator<Item = &[u8]> {
        Rdata(self.data(set))
    }

    pub(super) fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    pub(super) fn sets_of(&self, node: &Node) -> &[Set] {
        &self.sets[node.sets as usize..node.sets as usize + usize::from(node.set_count)]
    }

    pub(super) fn set(&self, node: &Node, rtype: RType) -> Option<&Set> {
        self.sets_of(node).iter().find(|set| set.rtype == rtype)
    }

    pub(super) fn name(&self, node: &Node) -> NameRef<'_> {
        NameRef::parse(&self.bytes, node.name as usize).unwrap_or(NameRef::ROOT)
    }

    fn name_wire(&self, node: &Node) -> &[u8] {
        &self.bytes[node.name as usize..node.name as usize + usize::from(node.name_length)]
    }

    /// The node of a name at or below the apex, or the lowest node above it.
    pub(super) fn find(&self, name: NameRef<'_>) -> Found {
        let path = Path::of(name, self.origin.as_ref());
        if path.depth() <= self.depth
            && let Some(node) = self.probe(path.hash(path.depth()), path.suffix(path.depth()))
        {
            return Found::Exact(node);
        }
        let (mut encloser, mut hash) = (APEX, SEED);
        for depth in 1..path.depth().min(self.depth + 1) {
            hash = fold(hash, path.label(depth));
            let Some(node) = self.probe(hash, path.suffix(depth)) else { break };
            encloser = node;
        }
        Found::Below(encloser)
    }

    fn probe(&self, hash: u64, suffix: &[u8]) -> Option<u32> {
        self.table.find(hash, |node| self.name_wire(self.node(*node)).eq_ignore_ascii_case(suffix)).copied()
    }

    /// Appends an RRset under an owner name.
    pub(super) fn copy(&self, owner: NameRef<'_>, set: &Set, into: &mut Records) {
        for rdata in self.rdata(set) {
            into.push(RecordRef { owner, rtype: set.rtype, class: CLASS_IN, ttl: set.ttl, rdata });
        }
    }
}

/// The same zone with the same content in the same order: a reload that finds it so changes nothing.
impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.origin.wire() == other.origin.wire()
            && self.nodes == other.nodes
            && self.sets == other.sets
            && self.bytes == other.bytes
    }
}
impl Eq for Zone {}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Zone({} {}, {} records)", self.origin, self.serial, self.records)
    }
}

/// The hash of the apex.
pub(super) const SEED: u64 = 0x6b61_6b65_6861_7368;

/// The hash of a name, from its parent's and its own leftmost label. A table holds only names of the operator's, so
/// no client can make its chains long.
pub(super) fn fold(parent: u64, label: &[u8]) -> u64 {
    let mut lower = [0; 64];
    let lower = &mut lower[..label.len()];
    lower.copy_from_slice(label);
    lower.make_ascii_lowercase();
    let mut hasher = FixedState::with_seed(parent).build_hasher();
    hasher.write(lower);
    hasher.finish()
}

/// A name cut at each label below the apex. Depth 0 is the apex, depth 1 its children.
pub(super) struct Path<'n> {
    wire: &'n [u8],
    starts: [u8; MAX_NAME / 2 + 1],
    depth: usize,
}

impl<'n> Path<'n> {
    pub(super) fn of(name: NameRef<'n>, origin: NameRef<'_>) -> Path<'n> {
        let wire = name.wire();
        let below = wire.len().saturating_sub(origin.wire().len());
        let (mut starts, mut depth, mut at) = ([0; MAX_NAME / 2 + 1], 0, 0);
        while at < below {
            starts[depth] = at as u8;
            depth += 1;
            at += 1 + usize::from(wire[at]);
        }
        Path { wire, starts, depth }
    }

    /// How many labels the name has below the apex.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The name's end with so many labels below the apex.
    pub(super) fn suffix(&self, depth: usize) -> &'n [u8] {
        match depth {
            0 => &self.wire[self.apex_start()..],
            _ => &self.wire[usize::from(self.starts[self.depth - depth])..],
        }
    }

    /// The leftmost label of that end.
    pub(super) fn label(&self, depth: usize) -> &'n [u8] {
        let suffix = self.suffix(depth);
        &suffix[1..=usize::from(suffix[0])]
    }

    /// The hash of that end.
    pub(super) fn hash(&self, depth: usize) -> u64 {
        (1..=depth).fold(SEED, |hash, depth| fold(hash, self.label(depth)))
    }

    fn apex_start(&self) -> usize {
        match self.depth {
            0 => 0,
            depth => {
                let last = usize::from(self.starts[depth - 1]);
                last + 1 + usize::from(self.wire[last])
            }
        }
    }
}
