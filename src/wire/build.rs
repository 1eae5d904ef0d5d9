//! Records → a message: compression (RFC 1035 §4.1.4), size limit and truncation (RFC 2181 §9), OPT.

use super::edns::option;
use super::record::{Field, layout, may_compress};
use super::{Ede, HEADER, NameRef, RType, RecordRef, Records, flag};

/// What a message is to say.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Message ID.
    pub id: u16,
    /// The header's second word without RCODE.
    pub flags: u16,
    /// RCODE, up to twelve bits.
    pub rcode: u16,
    /// The question section's bytes: QNAME, QTYPE, QCLASS; empty for none.
    pub question: &'a [u8],
    /// Answer section.
    pub answer: &'a Records,
    /// Authority section.
    pub authority: &'a Records,
    /// Additional section, left out where it does not fit.
    pub additional: &'a Records,
    /// The OPT record to send.
    pub opt: Option<Opt<'a>>,
    /// How many octets the message may have.
    pub limit: usize,
}

/// The OPT record to send.
#[derive(Debug, Clone, Copy)]
pub struct Opt<'a> {
    /// Our UDP payload size.
    pub payload: u16,
    /// DO and reserved bits.
    pub flags: u16,
    /// Name server identifier, where it was asked for.
    pub nsid: Option<&'a [u8]>,
    /// A cookie option's value.
    pub cookie: Option<&'a [u8]>,
    /// Extended errors.
    pub ede: &'a [Ede],
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Everything is in it.
    Whole,
    /// Additional records were left out; no bit says so, as none is owed.
    Trimmed,
    /// It has TC set and no records.
    Truncated,
}

/// Writes the message into `out` (cleared first) and the offsets of its TTLs into `ttls` (cleared first).
pub fn build(plan: &Plan<'_>, out: &mut Vec<u8>, ttls: &mut Vec<u16>) -> Fit {
    out.clear();
    ttls.clear();
    out.extend_from_slice(&[0; HEADER]);
    out.extend_from_slice(plan.question);
    let room = plan.limit.saturating_sub(plan.opt.as_ref().map_or(0, opt_length));
    let mut writer = Writer::new(out, ttls, room, plan.question);
    let mut counts = [u16::from(!plan.question.is_empty()), 0, 0, 0];
    let mut fit = Fit::Whole;
    let sections = [(plan.answer, 1), (plan.authority, 2), (plan.additional, 3)];
    for (records, section) in sections {
        for record in records {
            if writer.record(&record).is_err() {
                // RFC 2181 §9: what is required did not fit. RFC 9471: glue of a referral is required.
                let required = section < 3 || is_referral(plan);
                fit = if required { Fit::Truncated } else { Fit::Trimmed };
                break;
            }
            counts[section] += 1;
        }
        if fit != Fit::Whole {
            break;
        }
    }
    let mut flags = plan.flags & !0xF | plan.rcode & 0xF;
    if fit == Fit::Truncated {
        out.truncate(HEADER + plan.question.len());
        ttls.clear();
        counts[1..].fill(0);
        flags |= flag::TC;
    }
    if let Some(opt) = &plan.opt {
        write_opt(opt, plan.rcode, out);
        counts[3] += 1;
    }
    out[..2].copy_from_slice(&plan.id.to_be_bytes());
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    for (at, count) in counts.iter().enumerate() {
        out[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
    }
    fit
}

fn is_referral(plan: &Plan<'_>) -> bool {
    plan.answer.is_empty()
        && plan.authority.iter().any(|record| record.rtype == RType::NS)
        && !plan.authority.iter().any(|record| record.rtype == RType::SOA)
}

fn opt_length(opt: &Opt<'_>) -> usize {
    let errors: usize = opt.ede.iter().map(|ede| 6 + ede.text.len()).sum();
    11 + opt.nsid.map_or(0, |value| 4 + value.len()) + opt.cookie.map_or(0, |value| 4 + value.len()) + errors
}

fn write_opt(opt: &Opt<'_>, rcode: u16, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&RType::OPT.0.to_be_bytes());
    out.extend_from_slice(&opt.payload.to_be_bytes());
    out.extend_from_slice(&[(rcode >> 4) as u8, 0]);
    out.extend_from_slice(&opt.flags.to_be_bytes());
    out.extend_from_slice(&((opt_length(opt) - 11) as u16).to_be_bytes());
    let mut write = |code: u16, parts: [&[u8]; 2]| {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(&((parts[0].len() + parts[1].len()) as u16).to_be_bytes());
        out.extend_from_slice(parts[0]);
        out.extend_from_slice(parts[1]);
    };
    if let Some(value) = opt.nsid {
        write(option::NSID, [value, &[]]);
    }
    if let Some(value) = opt.cookie {
        write(option::COOKIE, [value, &[]]);
    }
    for ede in opt.ede {
        write(option::EDE, [&ede.code.to_be_bytes(), ede.text.as_bytes()]);
    }
}

/// Slots of the table of names already written. A power of two; a name that finds no free slot in its four is simply
/// not offered for compression, so work per name is bounded whatever a message holds.
const SLOTS: usize = 256;
const PROBES: usize = 4;

struct Full;

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    ttls: &'o mut Vec<u16>,
    room: usize,
    qname: usize,
    names: [u16; SLOTS],
}

impl<'o> Writer<'o> {
    fn new(out: &'o mut Vec<u8>, ttls: &'o mut Vec<u16>, room: usize, question: &[u8]) -> Writer<'o> {
        let mut writer =
            Writer { out, ttls, room, qname: question.len().saturating_sub(4), names: [0; SLOTS] };
        if let Ok(qname) = NameRef::parse(question, 0) {
            writer.remember(qname, HEADER, usize::MAX);
        }
        writer
    }

    fn record(&mut self, record: &RecordRef<'_>) -> Result<(), Full> {
        let start = self.out.len();
        let owner = record.owner.wire();
        // Most owners are the question's own name.
        if self.qname > 1 && self.out[HEADER..HEADER + self.qname].eq_ignore_ascii_case(owner) {
            self.out.extend_from_slice(&[0xC0, HEADER as u8]);
        } else {
            self.name(record.owner);
        }
        self.out.extend_from_slice(&record.rtype.0.to_be_bytes());
        self.out.extend_from_slice(&record.class.to_be_bytes());
        let ttl_at = self.out.len();
        self.out.extend_from_slice(&record.ttl.to_be_bytes());
        self.out.extend_from_slice(&[0, 0]);
        let rdata_at = self.out.len();
        if may_compress(record.rtype) {
            self.compressed_rdata(record);
        } else {
            self.out.extend_from_slice(record.rdata);
        }
        if self.out.len() > self.room || self.out.len() > usize::from(u16::MAX) {
            self.out.truncate(start);
            return Err(Full);
        }
        let length = (self.out.len() - rdata_at) as u16;
        self.out[rdata_at - 2..rdata_at].copy_from_slice(&length.to_be_bytes());
        self.ttls.push(ttl_at as u16);
        Ok(())
    }

    fn compressed_rdata(&mut self, record: &RecordRef<'_>) {
        let mut at = 0;
        for field in layout(record.rtype) {
            match field {
                Field::Name => match NameRef::parse(record.rdata, at) {
                    Ok(name) => {
                        self.name(name);
                        at += name.wire().len();
                    }
                    Err(_) => break,
                },
                Field::Fixed(length) => {
                    let end = (at + length).min(record.rdata.len());
                    self.out.extend_from_slice(&record.rdata[at..end]);
                    at = end;
                }
                Field::Text | Field::Rest => break,
            }
        }
        self.out.extend_from_slice(&record.rdata[at..]);
    }

    /// Writes a name, its longest known suffix as a pointer, and remembers what of it is new.
    fn name(&mut self, name: NameRef<'_>) {
        let wire = name.wire();
        let mut cut = wire.len() - 1;
        let mut pointer = None;
        let mut at = 0;
        for suffix in name.suffixes().take_while(|suffix| !suffix.is_root()) {
            if let Some(offset) = self.find(suffix) {
                (cut, pointer) = (at, Some(offset));
                break;
            }
            at += 1 + usize::from(wire[at]);
        }
        let start = self.out.len();
        self.out.extend_from_slice(&wire[..cut]);
        match pointer {
            Some(offset) => self.out.extend_from_slice(&(0xC000 | offset).to_be_bytes()),
            None => self.out.push(0),
        }
        self.remember(name, start, cut);
    }

    /// Remembers the suffixes of a name written at `start` that begin before `cut`.
    fn remember(&mut self, name: NameRef<'_>, start: usize, cut: usize) {
        let mut at = 0;
        for suffix in name.suffixes().take_while(|suffix| !suffix.is_root()) {
            let offset = start + at;
            if at >= cut || offset >= 0x4000 {
                break;
            }
            let slot = hash(suffix);
            if let Some(free) = (0..PROBES).map(|p| (slot + p) % SLOTS).find(|s| self.names[*s] == 0) {
                self.names[free] = offset as u16;
            }
            at += 1 + usize::from(name.wire()[at]);
        }
    }

    fn find(&self, suffix: NameRef<'_>) -> Option<u16> {
        let slot = hash(suffix);
        (0..PROBES)
            .map(|probe| self.names[(slot + probe) % SLOTS])
            .take_while(|offset| *offset != 0)
            .find(|offset| self.is_at(suffix, usize::from(*offset)))
    }

    /// Whether the name written at `at` (by us, so its pointers are sound) is `name`.
    fn is_at(&self, name: NameRef<'_>, mut at: usize) -> bool {
        let mut rest = name.wire();
        loop {
            let Some(&octet) = self.out.get(at) else { return false };
            if octet >= 0xC0 {
                let Some(&low) = self.out.get(at + 1) else { return false };
                at = usize::from(octet & 0x3F) << 8 | usize::from(low);
                continue;
            }
            let length = 1 + usize::from(octet);
            match (self.out.get(at..at + length), rest.get(..length)) {
                (Some(written), Some(label)) if written.eq_ignore_ascii_case(label) => {}
                _ => return false,
            }
            if octet == 0 {
                return true;
            }
            at += length;
            rest = &rest[length..];
        }
    }
}

/// Of the first label and the length of the whole: the suffixes of one name differ in both.
fn hash(name: NameRef<'_>) -> usize {
    let wire = name.wire();
    let label = &wire[..=usize::from(wire[0])];
    let sum = label
        .iter()
        .fold(wire.len() as u32, |sum, byte| (sum ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193));
    (sum ^ (sum >> 15)) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::message::Message;
    use super::super::{Name, rcode};
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn question(qname: &str) -> Vec<u8> {
        [name(qname).wire(), &[0, 1, 0, 1]].concat()
    }

    fn plan<'a>(question: &'a [u8], answer: &'a Records, none: &'a Records) -> Plan<'a> {
        Plan {
            id: 7,
            flags: flag::QR,
            rcode: 0,
            question,
            answer,
            authority: none,
            additional: none,
            opt: None,
            limit: 65535,
        }
    }

    fn services(count: u16) -> Records {
        let mut records = Records::new();
        let owner = name("_ldap._tcp.technova.local");
        for n in 0..count {
            let target = name(&format!("dc{n}.technova.local"));
            let rdata = [&[0, 0, 0, 100, 1, 133][..], target.wire()].concat();
            records.push(RecordRef {
                owner: owner.as_ref(),
                rtype: RType::SRV,
                class: 1,
                ttl: 600,
                rdata: &rdata,
            });
            let alias = name(&format!("a{n}.technova.local"));
            records.push(RecordRef {
                owner: alias.as_ref(),
                rtype: RType::CNAME,
                class: 1,
                ttl: 9,
                rdata: target.wire(),
            });
        }
        records
    }

    #[test]
    fn what_is_built_reads_back_and_is_smaller_for_its_pointers() {
        let (records, none, question) = (services(40), Records::new(), question("_ldap._tcp.technova.local"));
        let (mut out, mut ttls) = (Vec::new(), Vec::new());
        assert_eq!(build(&plan(&question, &records, &none), &mut out, &mut ttls), Fit::Whole);
        let message = Message::parse(&out).unwrap();
        assert_eq!(message.answer, records);
        assert_eq!(ttls.len(), records.len());
        assert!(out.len() < records.byte_len());
        super::super::patch::age(&mut out, &ttls, 10);
        let aged = Message::parse(&out).unwrap();
        assert!(
            aged.answer.iter().all(|record| record.ttl == if record.rtype == RType::SRV { 590 } else { 0 })
        );
    }

    #[test]
    fn what_does_not_fit_is_truncated_and_keeps_its_opt() {
        let (records, none, question) = (services(60), Records::new(), question("_ldap._tcp.technova.local"));
        let (mut out, mut ttls) = (Vec::new(), Vec::new());
        let ede = [Ede::new(22, "no server answered")];
        let opt = Opt { payload: 1232, flags: 0, nsid: Some(b"n1"), cookie: None, ede: &ede };
        let plan =
            Plan { opt: Some(opt), limit: 1232, rcode: rcode::BADVERS, ..plan(&question, &records, &none) };
        assert_eq!(build(&plan, &mut out, &mut ttls), Fit::Truncated);
        let message = Message::parse(&out).unwrap();
        assert!(message.is_truncated() && message.answer.is_empty() && message.edns && out.len() <= 1232);
        assert_eq!((message.rcode, &message.ede[..]), (rcode::BADVERS, &ede[..]));
    }
}
