//! The answer to one question (RFC 1034 §4.3.2): walk from the apex towards QNAME, stop at a zone cut or a DNAME,
//! match the name, or match a wildcard (RFC 4592).
//!
//! The walk is one probe for a name that exists: what stands above each node was worked out when the zone was built.

use smallvec::SmallVec;

use super::dnssec::{is_dnssec, is_structure};
use super::tree::{APEX, Found, NONE, Node, Set, Zone};
use crate::query::{Order, Owns, Response, Verdict};
use crate::wire::name::MAX_NAME;
use crate::wire::rtype::CLASS_IN;
use crate::wire::{Name, NameRef, RType, RecordRef, Records, rcode};

/// YXDOMAIN (RFC 6672 §2.2).
const YXDOMAIN: u16 = 6;
/// How many names one answer brings addresses of: more than any message has room for.
const MOST_TARGETS: usize = 64;

impl Zone {
    /// Answers one question about a name at or below the apex.
    ///
    /// Owner names of the answer are in the case of the query. A CNAME's target is not followed: the verdict names it.
    pub fn lookup(&self, qname: NameRef<'_>, qtype: RType) -> (Response, Verdict) {
        debug_assert!(qname.is_under(self.origin.as_ref()), "{qname} is not in {}", self.origin);
        let found = self.find(qname);
        let (Found::Exact(index) | Found::Below(index)) = found;
        let node = self.node(index);

        // Step 3b: a zone cut at or above the name. Only the parent knows DS (RFC 4035 §3.1.4.1).
        if node.stop != NONE {
            let stop = self.node(node.stop);
            if let Some(dname) = self.set(stop, RType::DNAME).filter(|_| node.stop != index) {
                return self.redirect(stop, dname, qname, qtype);
            }
            if qtype != RType::DS || found != Found::Exact(node.stop) {
                return self.refer(stop);
            }
        }
        // Step 3a: the name itself.
        if found == Found::Exact(index) {
            return self.answer(node, qname, qtype);
        }
        // RFC 6672 §3.2: a DNAME at the closest encloser comes before a wildcard there.
        if let Some(dname) = self.set(node, RType::DNAME) {
            return self.redirect(node, dname, qname, qtype);
        }
        // Step 3c: the wildcard of the closest encloser, and of no other name (RFC 4592 §3.3.1).
        if node.wildcard != NONE {
            return self.answer(self.node(node.wildcard), qname, qtype);
        }
        (self.negative(rcode::NXDOMAIN), Verdict::NxDomain)
    }

    /// What a name has, under the name that was asked.
    fn answer(&self, node: &Node, qname: NameRef<'_>, qtype: RType) -> (Response, Verdict) {
        let sets = self.sets_of(node);
        let wanted = match qtype {
            // RFC 8482 §4.1: one RRset is answer enough; the smallest makes the worst amplifier.
            RType::ANY => sets.iter().min_by_key(|set| (is_dnssec(set.rtype), set.length)),
            _ => sets.iter().find(|set| set.rtype == qtype),
        };
        if let Some(set) = wanted {
            let mut response = self.positive(qname, set);
            // The signatures of each type are an RRset apart.
            for set in sets.iter().filter(|other| qtype == RType::RRSIG && other.rtype == qtype).skip(1) {
                self.copy(qname, set, &mut response.answer);
            }
            if qtype != RType::ANY {
                response.additional = self.addresses_of(set, qname, Reach::Zone);
            }
            return (response, Verdict::Answer);
        }
        if let Some(set) = sets.iter().find(|set| set.rtype == RType::CNAME)
            && let Some(target) = self.names(set).next()
        {
            return (self.positive(qname, set), Verdict::Alias(target.to_name()));
        }
        (self.negative(rcode::NOERROR), Verdict::NoData(self.owns(node)))
    }

    fn positive(&self, qname: NameRef<'_>, set: &Set) -> Response {
        let mut response = Response { authoritative: true, order: Order::Rotate, ..Response::default() };
        self.copy(qname, set, &mut response.answer);
        response
    }

    /// RFC 2308 §3: the SOA, with the TTL that the negative answer has.
    fn negative(&self, code: u16) -> Response {
        let mut response = Response { authoritative: true, ..Response::of(code) };
        if let Some(set) = self.set(self.node(APEX), RType::SOA) {
            let set = Set { ttl: self.negative_ttl, ..*set };
            self.copy(self.origin.as_ref(), &set, &mut response.authority);
        }
        response
    }

    fn owns(&self, node: &Node) -> Owns {
        let mut sets = self.sets_of(node).iter();
        let structure = if node == self.node(APEX) {
            sets.all(|set| is_structure(set.rtype))
        } else {
            sets.next().is_none()
        };
        if structure { Owns::Structure } else { Owns::Records }
    }

    /// The NS RRset of a zone cut, and what addresses of its servers the zone has (RFC 1034 §4.3.2, RFC 9471).
    fn refer(&self, cut: &Node) -> (Response, Verdict) {
        let mut response = Response::default();
        if let Some(set) = self.set(cut, RType::NS) {
            self.copy(self.name(cut), set, &mut response.authority);
            response.additional = self.addresses_of(set, self.name(cut), Reach::Glue);
        }
        (response, Verdict::Referral)
    }

    /// RFC 6672 §3.1: the DNAME, and the CNAME that it means for this name.
    fn redirect(&self, node: &Node, set: &Set, qname: NameRef<'_>, qtype: RType) -> (Response, Verdict) {
        let mut response = self.positive(self.name(node), set);
        let kept = qname.wire().len() - usize::from(node.name_length);
        let target = self.names(set).next().unwrap_or(NameRef::ROOT).wire();
        if kept + target.len() > MAX_NAME {
            response.rcode = YXDOMAIN;
            return (response, Verdict::Error(YXDOMAIN));
        }
        let mut wire = [0; MAX_NAME];
        let wire = &mut wire[..kept + target.len()];
        wire[..kept].copy_from_slice(&qname.wire()[..kept]);
        wire[kept..].copy_from_slice(target);
        response.answer.push(RecordRef {
            owner: qname,
            rtype: RType::CNAME,
            class: CLASS_IN,
            ttl: set.ttl,
            rdata: wire,
        });
        match Name::from_wire(wire) {
            // The synthesized CNAME is the record that was asked for.
            _ if matches!(qtype, RType::CNAME | RType::ANY) => (response, Verdict::Answer),
            Ok(target) => (response, Verdict::Alias(target)),
            Err(_) => (Response::of(YXDOMAIN), Verdict::Error(YXDOMAIN)),
        }
    }

    /// The A and AAAA records of the names that an RRset points to.
    fn addresses_of(&self, set: &Set, owner: NameRef<'_>, reach: Reach) -> Records {
        let mut records = Records::new();
        if !points(set.rtype) {
            return records;
        }
        let mut seen = SmallVec::<[u32; 16]>::new();
        for target in self.names(set) {
            // RFC 9460 §2.5: a target of "." is the owner itself.
            let target = if target.is_root() && set.rtype != RType::SRV { owner } else { target };
            if !target.is_under(self.origin.as_ref()) {
                continue;
            }
            let Found::Exact(index) = self.find(target) else { continue };
            let node = self.node(index);
            let hidden = node.stop != NONE && reach == Reach::Zone && set.rtype != RType::NS;
            if hidden || seen.contains(&index) {
                continue;
            }
            seen.push(index);
            for rtype in [RType::A, RType::AAAA] {
                if let Some(set) = self.set(node, rtype) {
                    self.copy(target, set, &mut records);
                }
            }
            if seen.len() == MOST_TARGETS {
                break;
            }
        }
        records
    }

    /// The name in each record of an RRset whose type has one.
    pub(super) fn names(&self, set: &Set) -> impl Iterator<Item = NameRef<'_>> {
        let at = name_at(set.rtype);
        self.rdata(set).filter_map(move |rdata| NameRef::parse(rdata, at?).ok())
    }
}

/// What may go along as an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Only what the zone has authority for.
    Zone,
    /// Below a zone cut too.
    Glue,
}

/// Whether an answer of this type brings addresses along (RFC 1035 §3.3, RFC 2782, RFC 9460 §4.1).
fn points(rtype: RType) -> bool {
    matches!(rtype, RType::NS | RType::MX | RType::SRV | RType::SVCB | RType::HTTPS)
}

/// Where the name in a type's RDATA begins.
pub(super) fn name_at(rtype: RType) -> Option<usize> {
    match rtype {
        RType::NS | RType::CNAME | RType::PTR | RType::DNAME => Some(0),
        RType::MX | RType::SVCB | RType::HTTPS => Some(2),
        RType::SRV => Some(6),
        _ => None,
    }
}
