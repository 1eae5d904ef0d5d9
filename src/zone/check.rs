//! What a zone must be beyond its records being right each: one SOA, a CNAME alone, nothing below a DNAME …

use std::collections::HashSet;
use std::sync::Arc;

use super::build::{Built, Repair, Span};
use super::denial::is_hashed_name;
use super::report::Report;
use super::tree::{APEX, Found, NONE, Node, Set, Zone};
use crate::config::{Diagnostic, Place, Source};
use crate::wire::{NameRef, RType, u16_at};

/// Adds what is wrong with a whole zone to the report. What may be missing only because an entry was wrong is not
/// said beside that entry's error.
pub(super) fn check(built: &Built, main: &Arc<Source>, report: &mut Report) {
    let mut check = Check { zone: &built.zone, built, complete: !report.has_errors(), report };
    check.repairs();
    check.apex(main);
    let servers = check.servers();
    let mut first_span = 0;
    for index in 0..built.zone.nodes.len() as u32 {
        let node = check.zone.node(index);
        let spans = Spans { first: first_span };
        first_span += check.zone.sets_of(node).iter().map(|set| usize::from(set.count)).sum::<usize>();
        check.node(index, node, &spans, &servers);
    }
}

struct Check<'c> {
    zone: &'c Zone,
    built: &'c Built,
    complete: bool,
    report: &'c mut Report,
}

/// Where the records of one node were written.
struct Spans {
    first: usize,
}

impl Check<'_> {
    fn repairs(&mut self) {
        for repair in &self.built.repairs {
            match *repair {
                Repair::Duplicate { span, first } => {
                    let message = "the same record is here already, so this one is left out";
                    let diagnostic =
                        self.warning(span, message).with_note(&self.report.place(first), "the first is here");
                    self.report.warning(diagnostic);
                }
                Repair::Ttl { span, first, least } => {
                    let message = format!(
                        "the records of an RRset have one TTL (RFC 2181); the least, {least}, is used"
                    );
                    let diagnostic = self
                        .warning(span, message)
                        .with_note(&self.report.place(first), "another TTL is here");
                    self.report.warning(diagnostic);
                }
                Repair::Surplus { span } => {
                    self.error(span, "the RRset has more than 65535 records; no message could carry it");
                }
            }
        }
    }

    fn apex(&mut self, main: &Arc<Source>) {
        if !self.complete {
            return;
        }
        let apex = self.zone.node(APEX);
        let top = Place::new(main, 0..0);
        let origin = self.zone.origin();
        if self.zone.set(apex, RType::SOA).is_none() {
            let fault = Diagnostic::error(&top, format!("the zone has no SOA record at its apex {origin}"));
            let example =
                "its first record should be: @ SOA PRIMARY MAILBOX SERIAL REFRESH RETRY EXPIRE MINIMUM";
            self.report.error(fault.with_hint(example));
        }
        if self.zone.set(apex, RType::NS).is_none() {
            let fault = Diagnostic::error(&top, format!("the zone has no NS record at its apex {origin}"));
            self.report.error(fault.with_hint("name its servers, as in: @ NS ns1"));
        }
    }

    /// The nodes that some NS record of the zone points to: their addresses may be glue.
    fn servers(&self) -> HashSet<u32> {
        let mut servers = HashSet::new();
        for set in self.zone.sets.iter().filter(|set| set.rtype == RType::NS) {
            for target in self.zone.names(set).filter(|target| target.is_under(self.zone.origin().as_ref())) {
                if let Found::Exact(node) = self.zone.find(target) {
                    servers.insert(node);
                }
            }
        }
        servers
    }

    fn node(&mut self, index: u32, node: &Node, spans: &Spans, servers: &HashSet<u32>) {
        let zone = self.zone;
        let mut at = spans.first;
        let first_of = |rtype: RType| {
            let mut at = spans.first;
            zone.sets_of(node).iter().find_map(|set| {
                let start = at;
                at += usize::from(set.count);
                (set.rtype == rtype).then(|| self.built.spans[start])
            })
        };
        let (cname, ns) = (first_of(RType::CNAME), first_of(RType::NS));
        for set in zone.sets_of(node) {
            let span = self.built.spans[at];
            let second = (set.count > 1).then(|| self.built.spans[at + 1]);
            self.alone(set.rtype, span, second);
            self.beside_cname(set.rtype, span, cname);
            self.placed(index, node, set.rtype, span, ns);
            self.above(index, node, set.rtype, span, servers);
            self.iterations(set, span);
            for (offset, target) in zone.names(set).enumerate() {
                self.target(set, target, self.built.spans[at + offset], node);
            }
            at += usize::from(set.count);
        }
    }

    /// Types of which a name has one record.
    fn alone(&mut self, rtype: RType, span: Span, second: Option<Span>) {
        let Some(second) = second else { return };
        if matches!(rtype, RType::SOA | RType::CNAME | RType::DNAME) {
            let fault =
                Diagnostic::error(&self.report.place(second), format!("a name has only one {rtype} record"));
            let fault = fault.with_note(&self.report.place(span), "the first is here");
            self.report.error(fault);
        }
    }

    /// RFC 1034 §3.6.2, RFC 2181 §10.1; DNSSEC's own records are the exception (RFC 4034 §3, §4).
    fn beside_cname(&mut self, rtype: RType, span: Span, cname: Option<Span>) {
        let Some(cname) = cname else { return };
        if matches!(rtype, RType::CNAME | RType::RRSIG | RType::NSEC | RType::KEY) {
            return;
        }
        let message = format!("{rtype} stands at a name that has a CNAME; a CNAME stands alone");
        let fault = Diagnostic::error(&self.report.place(span), message);
        let fault = fault.with_note(&self.report.place(cname), "the CNAME is here");
        self.report.error(fault);
    }

    /// Types that belong at some names only.
    fn placed(&mut self, index: u32, node: &Node, rtype: RType, span: Span, ns: Option<Span>) {
        let wildcard = self.zone.name(node).wire().starts_with(b"\x01*");
        match rtype {
            RType::SOA if index != APEX => {
                let message = format!("an SOA stands at the apex {} only", self.zone.origin());
                self.error(span, message);
            }
            // RFC 4592 §4.2, §4.4: what they would mean is undefined.
            RType::NS | RType::DNAME if wildcard => {
                self.error(span, format!("{rtype} at a wildcard has no meaning (RFC 4592)"));
            }
            RType::DNAME if index != APEX => {
                let Some(ns) = ns else { return };
                let message =
                    "DNAME stands at a zone cut; what lies below it belongs to the other zone (RFC 6672)";
                let fault = Diagnostic::error(&self.report.place(span), message);
                let fault = fault.with_note(&self.report.place(ns), "the zone cut is here");
                self.report.error(fault);
            }
            RType::DS if index == APEX => {
                let warning = self
                    .warning(span, "DS at the apex is never asked for here; it belongs in the parent zone");
                self.report.warning(warning);
            }
            _ => {}
        }
    }

    /// What stands below a DNAME or at and below a zone cut.
    fn above(&mut self, index: u32, node: &Node, rtype: RType, span: Span, servers: &HashSet<u32>) {
        if node.stop == NONE || is_hashed_name(self.zone, node) {
            return;
        }
        let stop = self.zone.node(node.stop);
        let name = self.zone.name(stop);
        if node.stop != index && self.zone.set(stop, RType::DNAME).is_some() {
            // RFC 6672 §2.4
            self.error(span, format!("the record lies below the DNAME of {name}, so nobody can see it"));
            return;
        }
        let cut = matches!(rtype, RType::NS | RType::DS | RType::RRSIG | RType::NSEC) && node.stop == index;
        let glue = matches!(rtype, RType::A | RType::AAAA) && servers.contains(&index);
        if !cut && !glue {
            let message = format!("the record lies at or below the zone cut {name}, so it is never answered");
            let warning = self.warning(span, message);
            self.report.warning(warning);
        }
    }

    /// RFC 9276 §3.1, §3.2: what a zone wins by hashing often is little, and what validators make of it is nothing.
    fn iterations(&mut self, set: &Set, span: Span) {
        const MOST: u16 = 50;
        let of_rdata = |rdata| u16_at(rdata, 2).unwrap_or(0);
        let iterations = self.zone.rdata(set).map(of_rdata).max().unwrap_or(0);
        if set.rtype == RType::NSEC3PARAM && iterations > MOST {
            let message = format!(
                "names are hashed {iterations} times more than once; many validators take such a zone as unsigned"
            );
            let warning = self.warning(span, message).with_hint("sign it with 0 iterations (RFC 9276)");
            self.report.warning(warning);
        }
    }

    /// Names that should have addresses (RFC 2181 §10.3).
    fn target(&mut self, set: &Set, target: NameRef<'_>, span: Span, owner: &Node) {
        let (zone, rtype) = (self.zone, set.rtype);
        if !matches!(rtype, RType::NS | RType::MX | RType::SRV) || !target.is_under(zone.origin().as_ref()) {
            return;
        }
        let (node, exact) = match zone.find(target) {
            Found::Exact(node) => (zone.node(node), true),
            Found::Below(encloser) => (zone.node(encloser), false),
        };
        let has = |node: &Node, rtype: RType| zone.set(node, rtype).is_some();
        let addressed = |node: &Node| has(node, RType::A) || has(node, RType::AAAA);
        if exact && has(node, RType::CNAME) {
            let message =
                format!("{rtype} points to {target}, which is a CNAME; it must have addresses itself");
            let warning = self.warning(span, message);
            self.report.warning(warning);
        } else if rtype == RType::NS && self.complete {
            // The servers of a zone below us are the business of that zone, but for glue.
            let elsewhere = node.stop != NONE && zone.name(zone.node(node.stop)) != zone.name(owner);
            let covered = if exact { addressed(node) } else { node.wildcard != NONE && node.stop == NONE };
            if !covered && !elsewhere {
                let message = format!("NS points to {target}, which has no address in this zone");
                let warning = self.warning(span, message).with_hint("give it an A or AAAA record");
                self.report.warning(warning);
            }
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        let fault = Diagnostic::error(&self.report.place(span), message);
        self.report.error(fault);
    }

    fn warning(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(&self.report.place(span), message)
    }
}
