//! Records → a message: compression (RFC 1035 §4.1.4), size limit and truncation (RFC 2181 §9), OPT.

use super::compress::Names;
pub use super::opt::Opt;
use super::opt::{Load, Tail};
use super::record::{Field, layout, may_compress};
use super::{HEADER, NameRef, RType, RecordRef, Records, flag};

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
///
/// Where it does not fit, the words of extended errors are left out before any record is (RFC 8914 §3).
pub fn build(plan: &Plan<'_>, out: &mut Vec<u8>, ttls: &mut Vec<u16>) -> Fit {
    let Some(opt) = &plan.opt else { return write(plan, None, out, ttls) };
    let room = plan.limit.saturating_sub(HEADER + plan.question.len());
    let mut tail = Tail { opt, load: Load::Full };
    if tail.length() > room {
        tail.load = Load::Codes;
    }
    if tail.length() > room {
        tail.load = Load::Nothing;
    }
    let fit = write(plan, Some(tail), out, ttls);
    let shorter = Tail { load: Load::Codes, ..tail };
    if fit == Fit::Whole || shorter.length() >= tail.length() {
        return fit;
    }
    let fit = write(plan, Some(shorter), out, ttls);
    if fit == Fit::Truncated {
        // Nothing but the OPT is left: there is room for the words.
        out.truncate(HEADER + plan.question.len());
        tail.write(plan.rcode, out);
    }
    fit
}

fn write(plan: &Plan<'_>, opt: Option<Tail<'_>>, out: &mut Vec<u8>, ttls: &mut Vec<u16>) -> Fit {
    out.clear();
    ttls.clear();
    out.extend_from_slice(&[0; HEADER]);
    out.extend_from_slice(plan.question);
    let room = plan.limit.saturating_sub(opt.as_ref().map_or(0, Tail::length));
    let mut writer = Writer::new(out, ttls, room, plan.question);
    let mut counts = [u16::from(!plan.question.is_empty()), 0, 0, 0];
    let mut fit = Fit::Whole;
    let sections = [(plan.answer, 1), (plan.authority, 2), (plan.additional, 3)];
    for (records, section) in sections {
        let mut whole = Whole::at(&writer);
        for record in records {
            whole.before(&record, &writer, counts[section]);
            if writer.record(&record).is_err() {
                // RFC 2181 §9: what is required did not fit. RFC 9471: glue of a referral is required.
                let required = section < 3 || is_referral(plan);
                fit = if required { Fit::Truncated } else { Fit::Trimmed };
                counts[section] = writer.back_to(&whole);
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
    if let Some(opt) = opt {
        opt.write(plan.rcode, out);
        counts[3] += 1;
    }
    let words = [plan.id, flags, counts[0], counts[1], counts[2], counts[3]].map(u16::to_be_bytes);
    out[..HEADER].copy_from_slice(words.as_flattened());
    fit
}

fn is_referral(plan: &Plan<'_>) -> bool {
    plan.answer.is_empty()
        && plan.authority.iter().any(|record| record.rtype == RType::NS)
        && !plan.authority.iter().any(|record| record.rtype == RType::SOA)
}

/// Where the RRset that is being written began: none is sent in part (RFC 2181 §5).
struct Whole<'a> {
    set: Option<(NameRef<'a>, RType)>,
    out: usize,
    ttls: usize,
    count: u16,
}

impl<'a> Whole<'a> {
    fn at(writer: &Writer<'_>) -> Whole<'a> {
        Whole { set: None, out: writer.out.len(), ttls: writer.ttls.len(), count: 0 }
    }

    fn before(&mut self, record: &RecordRef<'a>, writer: &Writer<'_>, count: u16) {
        let set = Some((record.owner, record.rtype));
        if self.set != set {
            *self = Whole { set, count, ..Whole::at(writer) };
        }
    }
}

struct Full;

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    ttls: &'o mut Vec<u16>,
    room: usize,
    qname: usize,
    question: &'o [u8],
    /// Made when the first name is written that is not the question's own.
    names: Option<Names>,
}

impl<'o> Writer<'o> {
    fn new(out: &'o mut Vec<u8>, ttls: &'o mut Vec<u16>, room: usize, question: &'o [u8]) -> Writer<'o> {
        Writer { out, ttls, room, qname: question.len().saturating_sub(4), question, names: None }
    }

    fn record(&mut self, record: &RecordRef<'_>) -> Result<(), Full> {
        let start = self.out.len();
        let owner = record.owner.wire();
        // Most owners are the question's own name.
        let qname = &self.out[HEADER..HEADER + self.qname];
        if self.qname > 1 && (qname == owner || qname.eq_ignore_ascii_case(owner)) {
            self.out.extend_from_slice(&[0xC0, HEADER as u8]);
        } else {
            self.name(record.owner);
        }
        let ttl_at = self.out.len() + 4;
        let ([t0, t1], [c0, c1]) = (record.rtype.0.to_be_bytes(), record.class.to_be_bytes());
        let [s0, s1, s2, s3] = record.ttl.to_be_bytes();
        self.out.extend_from_slice(&[t0, t1, c0, c1, s0, s1, s2, s3, 0, 0]);
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

    /// Takes the RRset back that did not fit; gives the number of records of its section that stay.
    fn back_to(&mut self, whole: &Whole<'_>) -> u16 {
        self.out.truncate(whole.out);
        self.ttls.truncate(whole.ttls);
        whole.count
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
        let names = self.names.get_or_insert_with(|| {
            let mut names = Names::new();
            if let Ok(qname) = NameRef::parse(self.question, 0) {
                names.remember(qname, HEADER, usize::MAX);
            }
            names
        });
        let mut cut = wire.len() - 1;
        let mut pointer = None;
        let mut at = 0;
        for suffix in name.suffixes().take_while(|suffix| !suffix.is_root()) {
            if let Some(offset) = names.find(suffix, self.out) {
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
        names.remember(name, start, cut);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::message::Message;
    use super::super::{Ede, Name, rcode};
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
        super::super::patch::age(&mut out, ttls, 10);
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

    #[test]
    fn additional_rrsets_come_whole_or_not_at_all() {
        let (none, question, mut additional) = (Records::new(), question("a.technova.local"), Records::new());
        for (owner, last) in [("x.technova.local", 1), ("y.technova.local", 1), ("y.technova.local", 2)] {
            let owner = name(owner);
            let rdata = [10, 0, 0, last];
            let (rtype, owner) = (RType::A, owner.as_ref());
            additional.push(RecordRef { owner, rtype, class: 1, ttl: 60, rdata: &rdata });
        }
        let (mut out, mut ttls) = (Vec::new(), Vec::new());
        let whole = Plan { additional: &additional, ..plan(&question, &none, &none) };
        assert_eq!(build(&whole, &mut out, &mut ttls), Fit::Whole);
        let short = Plan { limit: out.len() - 1, ..whole };
        assert_eq!(build(&short, &mut out, &mut ttls), Fit::Trimmed);
        let message = Message::parse(&out).unwrap();
        assert_eq!((message.additional.len(), ttls.len(), message.is_truncated()), (1, 1, false));
    }

    #[test]
    fn an_opt_record_gives_way_before_a_message_grows_too_large() {
        let (none, question) =
            (Records::new(), [name(&vec!["a".repeat(61); 4].join(".")).wire(), &[0, 1, 0, 1]].concat());
        let ede = [Ede::new(22, "w".repeat(128)), Ede::new(13, "w".repeat(128))];
        let (node, mut out, mut ttls) = ([b'n'; 255], Vec::new(), Vec::new());
        for nsid in [None, Some(&node[..])] {
            let opt = Opt { payload: 1232, flags: 0, nsid, cookie: None, ede: &ede };
            let plan = Plan { opt: Some(opt), limit: 512, ..plan(&question, &none, &none) };
            assert_eq!(build(&plan, &mut out, &mut ttls), Fit::Whole);
            assert!(out.len() <= 512);
            let kept = Message::parse(&out).unwrap().ede;
            assert_eq!(kept.len(), if nsid.is_none() { 2 } else { 0 });
        }
    }
}
