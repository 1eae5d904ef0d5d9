//! Records → a zone: nodes for every name, RRsets side by side, duplicates left out, TTLs made equal.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use hashbrown::HashTable;

use super::denial::{Denial, is_hashed_name};
use super::dnssec::{is_signed, type_covered};
use super::tree::{APEX, Found, NONE, Node, Path, SEED, Set, Zone, fold};
use crate::wire::{Name, NameRef, RType, RecordRef};

/// Where a record was written: a range of one of the texts that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) source: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Takes records in file order.
pub(super) struct Builder {
    zone: Zone,
    parents: Vec<u32>,
    hashes: Vec<u64>,
    records: Vec<Raw>,
    rdata: Vec<u8>,
    /// Most records have the owner of the record before.
    last: u32,
}

struct Raw {
    node: u32,
    ttl: u32,
    data: u32,
    rtype: RType,
    length: u16,
    span: Span,
}

impl Raw {
    /// What its RRset is: its type. The signatures at a name are RRsets apart, as those of each type have their TTL
    /// (RFC 4034 §3).
    fn set(&self, rdata: &[u8]) -> (RType, RType) {
        let covered = match self.rtype {
            RType::RRSIG => type_covered(&rdata[self.data as usize..]),
            _ => RType(0),
        };
        (self.rtype, covered)
    }
}

/// A finished zone, and what its checks need to know beyond it.
pub(super) struct Built {
    pub(super) zone: Zone,
    /// Where each record was written, in the order of the RRsets.
    pub(super) spans: Vec<Span>,
    /// What was put right.
    pub(super) repairs: Vec<Repair>,
}

/// What the builder put right; `first` is the record that another one disagrees with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    /// The same record again: left out.
    Duplicate { span: Span, first: Span },
    /// Another TTL than its RRset's: the least is used for all (RFC 2181 §5.2).
    Ttl { span: Span, first: Span, least: u32 },
    /// One record more than any RRset can have: the rest is left out, and the zone cannot be served.
    Surplus { span: Span },
}

/// A zone cannot be larger than its 32-bit offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

impl Builder {
    pub(super) fn new(origin: &Name) -> Builder {
        let zone = Zone {
            origin: origin.clone(),
            nodes: Vec::new(),
            sets: Vec::new(),
            bytes: Vec::new(),
            table: HashTable::new(),
            depth: 0,
            serial: 0,
            negative_ttl: 0,
            records: 0,
            signed: false,
            denial: Denial::None,
        };
        let mut builder = Builder {
            zone,
            parents: Vec::new(),
            hashes: Vec::new(),
            records: Vec::new(),
            rdata: Vec::new(),
            last: APEX,
        };
        builder.insert(origin.wire(), NONE, SEED);
        builder
    }

    /// Adds one record, whose owner is at or below the origin.
    pub(super) fn add(&mut self, record: &RecordRef<'_>, span: Span) -> Result<(), TooLarge> {
        const MOST: usize = u32::MAX as usize / 2;
        if self.zone.bytes.len() + self.rdata.len() > MOST || self.records.len() > MOST / 2 {
            return Err(TooLarge);
        }
        let node = self.node(record.owner);
        self.records.push(Raw {
            node,
            ttl: record.ttl,
            data: self.rdata.len() as u32,
            rtype: record.rtype,
            length: record.rdata.len() as u16,
            span,
        });
        self.rdata.extend_from_slice(record.rdata);
        Ok(())
    }

    fn node(&mut self, owner: NameRef<'_>) -> u32 {
        if self.zone.name(self.zone.node(self.last)).wire() == owner.wire() {
            return self.last;
        }
        self.last = match self.zone.find(owner) {
            Found::Exact(node) => node,
            Found::Below(encloser) => self.grow(owner, encloser),
        };
        self.last
    }

    /// Makes nodes of a name and of all names between it and the lowest that exists.
    fn grow(&mut self, name: NameRef<'_>, encloser: u32) -> u32 {
        let path = Path::of(name, self.zone.origin.as_ref());
        let mut parent = encloser;
        let known = Path::of(self.zone.name(self.zone.node(encloser)), self.zone.origin.as_ref()).depth();
        self.zone.depth = self.zone.depth.max(path.depth());
        for depth in known + 1..=path.depth() {
            let hash = fold(self.hashes[parent as usize], path.label(depth));
            parent = self.insert(path.suffix(depth), parent, hash);
        }
        parent
    }

    fn insert(&mut self, name: &[u8], parent: u32, hash: u64) -> u32 {
        let index = self.zone.nodes.len() as u32;
        self.zone.nodes.push(Node {
            name: self.zone.bytes.len() as u32,
            name_length: name.len() as u8,
            sets: 0,
            set_count: 0,
            wildcard: NONE,
            stop: NONE,
        });
        self.zone.bytes.extend_from_slice(name);
        self.parents.push(parent);
        self.hashes.push(hash);
        self.zone.table.insert_unique(hash, index, |node| self.hashes[*node as usize]);
        if name.starts_with(b"\x01*") && parent != NONE {
            self.zone.nodes[parent as usize].wildcard = index;
        }
        index
    }

    pub(super) fn finish(self) -> Built {
        let Builder { mut zone, parents, hashes, mut records, rdata, .. } = self;
        records.sort_by_key(|record| (record.node, record.set(&rdata)));
        let names = std::mem::take(&mut zone.bytes);
        zone.bytes.reserve_exact(names.len() + rdata.len() + 2 * records.len());
        let (mut spans, mut repairs) = (Vec::with_capacity(records.len()), Vec::new());
        let mut rest = &records[..];
        for index in 0..zone.nodes.len() {
            let node = &mut zone.nodes[index];
            let count = rest.iter().take_while(|record| record.node == index as u32).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            // A name and its RDATA stand side by side, because a lookup reads both.
            let name = &names[node.name as usize..node.name as usize + usize::from(node.name_length)];
            (node.name, node.sets) = (zone.bytes.len() as u32, zone.sets.len() as u32);
            zone.bytes.extend_from_slice(name);
            for records in own.chunk_by(|one, other| one.set(&rdata) == other.set(&rdata)) {
                node.set_count += 1;
                zone.sets.push(write_set(records, &rdata, &mut zone.bytes, &mut spans, &mut repairs));
            }
        }
        zone.records = spans.len();
        mark_stops(&mut zone, &parents);
        mark_soa(&mut zone);
        zone.signed = is_signed(&zone);
        zone.denial = Denial::of(&zone);
        hide_hashed_names(&mut zone, &parents, &hashes);
        zone.nodes.shrink_to_fit();
        zone.sets.shrink_to_fit();
        zone.bytes.shrink_to_fit();
        Built { zone, spans, repairs }
    }
}

fn write_set(
    records: &[Raw],
    rdata: &[u8],
    bytes: &mut Vec<u8>,
    spans: &mut Vec<Span>,
    repairs: &mut Vec<Repair>,
) -> Set {
    let first = &records[0];
    let least = records.iter().map(|record| record.ttl).min().unwrap_or(0);
    let mut set = Set { rtype: first.rtype, count: 0, ttl: least, data: bytes.len() as u32, length: 0 };
    let mut known = HashMap::new();
    for record in records {
        let data = &rdata[record.data as usize..record.data as usize + usize::from(record.length)];
        if records.len() > 1 {
            if let Some(same) = known.get(&comparable(record.rtype, data)) {
                repairs.push(Repair::Duplicate { span: record.span, first: *same });
                continue;
            }
            known.insert(comparable(record.rtype, data), record.span);
        }
        if record.ttl != first.ttl {
            repairs.push(Repair::Ttl { span: record.span, first: first.span, least });
        }
        let Some(count) = set.count.checked_add(1) else {
            repairs.push(Repair::Surplus { span: record.span });
            break;
        };
        set.count = count;
        bytes.extend_from_slice(&record.length.to_be_bytes());
        bytes.extend_from_slice(data);
        spans.push(record.span);
    }
    set.length = bytes.len() as u32 - set.data;
    set
}

/// RDATA with its names in lower case, for they are compared without case (RFC 2181 §5, RFC 4343).
fn comparable(rtype: RType, rdata: &[u8]) -> Cow<'_, [u8]> {
    let name_at = match rtype {
        RType::NS | RType::CNAME | RType::PTR | RType::DNAME => 0,
        RType::MX => 2,
        RType::SRV => 6,
        _ => return Cow::Borrowed(rdata),
    };
    let mut comparable = rdata.to_vec();
    comparable[name_at.min(rdata.len())..].make_ascii_lowercase();
    Cow::Owned(comparable)
}

/// Parents stand before their children, so one pass tells every node what is above it.
fn mark_stops(zone: &mut Zone, parents: &[u32]) {
    for (index, above) in parents.iter().enumerate().skip(1) {
        let parent = zone.node(*above);
        zone.nodes[index].stop = if parent.stop != NONE {
            parent.stop
        } else if zone.set(parent, RType::DNAME).is_some() {
            *above
        } else if zone.set(&zone.nodes[index], RType::NS).is_some() {
            index as u32
        } else {
            NONE
        };
    }
}

/// RFC 5155 §7.2.8: an NSEC3 stands at a name that is none of the zone, and that no question finds.
fn hide_hashed_names(zone: &mut Zone, parents: &[u32], hashes: &[u64]) {
    if zone.denial.rtype() != RType::NSEC3 {
        return;
    }
    let above: HashSet<u32> = parents.iter().copied().collect();
    for index in 0..zone.nodes.len() as u32 {
        if is_hashed_name(zone, zone.node(index))
            && !above.contains(&index)
            && let Ok(entry) = zone.table.find_entry(hashes[index as usize], |node| *node == index)
        {
            entry.remove();
        }
    }
}

fn mark_soa(zone: &mut Zone) {
    let soa = zone.set(zone.node(APEX), RType::SOA).and_then(|set| Some((*set, zone.rdata(set).next()?)));
    let Some((set, rdata)) = soa else { return };
    let number = |from_end: usize| {
        let at = rdata.len().checked_sub(from_end)?;
        crate::wire::u32_at(rdata, at).ok()
    };
    (zone.serial, zone.negative_ttl) =
        (number(20).unwrap_or(0), number(4).map_or(set.ttl, |minimum| minimum.min(set.ttl)));
}
