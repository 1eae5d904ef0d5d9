//! What an answer from a signed zone carries beside its records: their signatures (RFC 4035 §3.1.1), and the proof of
//! what does not exist (§3.1.3, RFC 5155 §7.2). The zone comes signed; nothing is signed here.

use smallvec::SmallVec;

use super::denial::Denial;
use super::tree::{APEX, Found, NONE, Node, Path, Zone};
use crate::query::{Response, Verdict};
use crate::wire::name::MAX_NAME;
use crate::wire::rtype::CLASS_IN;
use crate::wire::{Name, NameRef, RType, RecordRef, Records, u16_at};

/// Whether an answer carries what DNSSEC adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dnssec {
    /// It does: the query's DO bit is set (RFC 3225).
    Wanted,
    /// It has only what is asked for by type.
    Unwanted,
}

impl Zone {
    /// Answers one question about a name at or below the apex, as [`Zone::lookup`] does; where the zone is signed and
    /// the client wants it, with signatures and proofs.
    pub fn lookup_with(&self, qname: NameRef<'_>, qtype: RType, dnssec: Dnssec) -> (Response, Verdict) {
        let (mut response, verdict) = self.lookup(qname, qtype);
        if dnssec == Dnssec::Wanted && self.signed {
            self.authenticate(qname, &mut response, &verdict);
        }
        (response, verdict)
    }

    /// Whether another zone begins at this name, by what this one says.
    pub fn delegates(&self, name: NameRef<'_>) -> bool {
        name.is_under(self.origin.as_ref())
            && matches!(self.find(name), Found::Exact(index) if index != APEX && self.node(index).stop == index)
    }

    fn authenticate(&self, qname: NameRef<'_>, response: &mut Response, verdict: &Verdict) {
        let found = self.find(qname);
        response.answer = self.with_signatures(&response.answer, qname, found);
        response.authority = self.with_signatures(&response.authority, qname, found);
        response.additional = self.with_signatures(&response.additional, qname, found);
        let mut proof = Proof { zone: self, nodes: SmallVec::new() };
        match (verdict, found) {
            (Verdict::Referral, Found::Exact(index) | Found::Below(index)) => {
                let cut = self.node(self.node(index).stop);
                match self.set(cut, RType::DS) {
                    Some(set) => {
                        self.copy(self.name(cut), set, &mut response.authority);
                        self.sign(cut, self.name(cut), set.rtype, set.ttl, &mut response.authority);
                    }
                    None => proof.lacks_type(self.name(cut)),
                }
            }
            (Verdict::NoData(_), Found::Exact(_)) => proof.lacks_type(qname),
            (Verdict::NoData(_), Found::Below(encloser)) => proof.lacks_type_at_wildcard(qname, encloser),
            (Verdict::NxDomain, Found::Below(encloser)) => proof.lacks_name(qname, encloser),
            (Verdict::Answer | Verdict::Alias(_), Found::Below(encloser)) => {
                let redirected = response.answer.iter().any(|record| record.rtype == RType::DNAME);
                if !redirected {
                    proof.lacks_closer_name(qname, encloser);
                }
            }
            _ => {}
        }
        proof.write(&mut response.authority);
    }

    /// The same records, each RRset with its signatures behind it.
    fn with_signatures(&self, records: &Records, qname: NameRef<'_>, found: Found) -> Records {
        let mut signed = Records::new();
        let mut records = records.iter().peekable();
        while let Some(record) = records.next() {
            signed.push(record);
            let goes_on =
                records.peek().is_some_and(|next| next.rtype == record.rtype && next.owner == record.owner);
            if !goes_on && let Some(node) = self.source(&record, &signed, qname, found) {
                self.sign(node, record.owner, record.rtype, record.ttl, &mut signed);
            }
        }
        signed
    }

    /// The node whose records these are: that of their owner, or the wildcard that they were made from. The CNAME that
    /// a DNAME means is nobody's (RFC 6672 §5.3.1).
    fn source(
        &self,
        record: &RecordRef<'_>,
        before: &Records,
        qname: NameRef<'_>,
        found: Found,
    ) -> Option<&Node> {
        let found = if record.owner == qname { found } else { self.find(record.owner) };
        match found {
            Found::Exact(index) => Some(self.node(index)),
            Found::Below(_) if before.iter().any(|record| record.rtype == RType::DNAME) => None,
            Found::Below(index) => {
                Some(self.node(index).wildcard).filter(|at| *at != NONE).map(|at| self.node(at))
            }
        }
    }

    /// Appends the signatures of a node's RRset, under the owner and with the TTL that the RRset has in the answer
    /// (RFC 4034 §3).
    fn sign(&self, node: &Node, owner: NameRef<'_>, covered: RType, ttl: u32, into: &mut Records) {
        let rtype = RType::RRSIG;
        for set in self.sets_of(node).iter().filter(|set| set.rtype == rtype) {
            let of_type = |rdata: &&[u8]| type_covered(rdata) == covered;
            for rdata in self.rdata(set).filter(of_type) {
                into.push(RecordRef { owner, rtype, class: CLASS_IN, ttl, rdata });
            }
        }
    }
}

/// Types that are there to authenticate others.
pub(super) fn is_dnssec(rtype: RType) -> bool {
    matches!(rtype, RType::RRSIG | RType::NSEC | RType::NSEC3)
}

/// The type whose RRset an RRSIG signs (RFC 4034 §3.1.1).
pub(super) fn type_covered(rdata: &[u8]) -> RType {
    RType(u16_at(rdata, 0).unwrap_or(0))
}

/// The nodes of NSEC or NSEC3 records that an answer needs, none of them twice.
struct Proof<'z> {
    zone: &'z Zone,
    nodes: SmallVec<[u32; 4]>,
}

impl Proof<'_> {
    /// A name that exists has not the type, or is a zone cut without DS.
    fn lacks_type(&mut self, name: NameRef<'_>) {
        let (zone, denial) = (self.zone, &self.zone.denial);
        match (denial.matching(zone, name), denial) {
            (Some(node), _) => self.add(Some(node)),
            // An empty non-terminal (RFC 4035 §3.1.3.1 says it of names): what comes next is below it.
            (None, Denial::Nsec(_)) => self.add(denial.covering(zone, name)),
            // RFC 5155 §7.2.4, §7.2.7: opt-out left it out.
            (None, _) => {
                let depth = Path::of(name, zone.origin.as_ref()).depth();
                self.closest_encloser(name, depth.saturating_sub(1));
            }
        }
    }

    /// The wildcard that would answer has not the type (RFC 4035 §3.1.3.4, RFC 5155 §7.2.5).
    fn lacks_type_at_wildcard(&mut self, name: NameRef<'_>, encloser: u32) {
        let wildcard = self.zone.name(self.zone.node(self.zone.node(encloser).wildcard));
        self.lacks_closer_name(name, encloser);
        if matches!(self.zone.denial, Denial::Nsec3(_)) {
            self.add(self.zone.denial.matching(self.zone, self.encloser(name, encloser).1));
        }
        self.lacks_type(wildcard);
    }

    /// Neither the name nor a wildcard for it is there (RFC 4035 §3.1.3.2, RFC 5155 §7.2.2).
    fn lacks_name(&mut self, name: NameRef<'_>, encloser: u32) {
        let denial = &self.zone.denial;
        let (depth, mut closest) = self.encloser(name, encloser);
        match denial {
            Denial::Nsec(_) => self.add(denial.covering(self.zone, name)),
            _ => closest = self.closest_encloser(name, depth),
        }
        if let Some(wildcard) = wildcard_of(closest) {
            self.add(denial.covering(self.zone, wildcard.as_ref()));
        }
    }

    /// No name between the wildcard and the one that it answers for is there (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    fn lacks_closer_name(&mut self, name: NameRef<'_>, encloser: u32) {
        let denial = &self.zone.denial;
        let (depth, _) = self.encloser(name, encloser);
        let closer = match denial {
            Denial::Nsec(_) => name,
            _ => suffix(self.zone, name, depth + 1),
        };
        self.add(denial.covering(self.zone, closer));
    }

    /// RFC 5155 §7.2.1: the longest ancestor that has an NSEC3, at most so deep, and the next closer name that has
    /// none. Gives that ancestor.
    fn closest_encloser<'n>(&mut self, name: NameRef<'n>, deepest: usize) -> NameRef<'n> {
        let (zone, denial) = (self.zone, &self.zone.denial);
        for depth in (0..=deepest).rev() {
            let ancestor = suffix(zone, name, depth);
            if let Some(node) = denial.matching(zone, ancestor) {
                self.add(Some(node));
                self.add(denial.covering(zone, suffix(zone, name, depth + 1)));
                return ancestor;
            }
        }
        suffix(zone, name, 0)
    }

    /// How deep the closest encloser of a name lies, and what of the name it is.
    fn encloser<'n>(&self, name: NameRef<'n>, node: u32) -> (usize, NameRef<'n>) {
        let encloser = self.zone.name(self.zone.node(node));
        let depth = Path::of(encloser, self.zone.origin.as_ref()).depth();
        (depth, suffix(self.zone, name, depth))
    }

    fn add(&mut self, node: Option<u32>) {
        if let Some(node) = node.filter(|node| !self.nodes.contains(node)) {
            self.nodes.push(node);
        }
    }

    fn write(&self, into: &mut Records) {
        for index in &self.nodes {
            let node = self.zone.node(*index);
            let sets = self.zone.sets_of(node).iter();
            for set in sets.filter(|set| set.rtype == self.zone.denial.rtype()) {
                self.zone.copy(self.zone.name(node), set, into);
                self.zone.sign(node, self.zone.name(node), set.rtype, set.ttl, into);
            }
        }
    }
}

/// The end of a name that has so many labels below the apex.
fn suffix<'n>(zone: &Zone, name: NameRef<'n>, depth: usize) -> NameRef<'n> {
    let path = Path::of(name, zone.origin.as_ref());
    NameRef::parse(path.suffix(depth.min(path.depth())), 0).unwrap_or(NameRef::ROOT)
}

/// The wildcard below a name; none where it would be too long to be one.
fn wildcard_of(name: NameRef<'_>) -> Option<Name> {
    if name.wire().len() + 2 > MAX_NAME {
        return None;
    }
    Name::from_wire(&[b"\x01*", name.wire()].concat()).ok()
}

/// Whether an apex has no records but those that a signed zone cannot do without.
pub(super) fn is_structure(rtype: RType) -> bool {
    matches!(rtype, RType::SOA | RType::NS | RType::DNSKEY | RType::NSEC3PARAM) || is_dnssec(rtype)
}

/// Whether the zone came with signatures: its apex has some.
pub(super) fn is_signed(zone: &Zone) -> bool {
    zone.set(zone.node(APEX), RType::RRSIG).is_some()
}
