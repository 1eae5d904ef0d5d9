//! What a source says to one question.

use crate::wire::message::Message;
use crate::wire::{Ede, Name, NameRef, RType, Records, flag, rcode};

/// A source's response, or the answer joined from several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// RCODE, EDNS's bits included.
    pub rcode: u16,
    /// AA: it comes from a zone of ours.
    pub authoritative: bool,
    /// AD: its source says that it is validated.
    pub authentic: bool,
    /// Answer section.
    pub answer: Records,
    /// Authority section.
    pub authority: Records,
    /// Additional section, without OPT.
    pub additional: Records,
    /// Extended errors.
    pub ede: Vec<Ede>,
    /// Whether equal records may change places.
    pub order: Order,
}

/// The order of the records of an RRset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As the source gave them.
    #[default]
    Fixed,
    /// Each answer begins with the next record: round robin (zones of ours).
    Rotate,
}

/// What a response means for its question, at one owner name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The records asked for.
    Answer,
    /// The name is an alias of this one, which is to be asked next.
    Alias(Name),
    /// The name exists, the type does not (RFC 2308 §2.2).
    NoData(Owns),
    /// The name does not exist (RFC 2308 §2.1).
    NxDomain,
    /// The name lies below a zone cut (RFC 1034 §4.3.2 step 3b).
    Referral,
    /// Any other RCODE.
    Error(u16),
}

/// Why a name without the type asked for exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owns {
    /// It owns records: a fall-through ends here.
    Records,
    /// It is an empty non-terminal, or an apex with nothing but SOA and NS: it is there for the sake of its zone only.
    Structure,
}

impl Response {
    /// A response that is only an RCODE.
    pub fn of(rcode: u16) -> Response {
        Response { rcode, ..Response::default() }
    }

    /// Takes what a parsed message says.
    pub fn from_message(message: Message) -> Response {
        Response {
            rcode: message.rcode,
            authoritative: false,
            authentic: message.flags & flag::AD != 0,
            answer: message.answer,
            authority: message.authority,
            additional: message.additional,
            ede: message.ede,
            order: Order::Fixed,
        }
    }

    /// What a forwarded response means at `qname`: only its records there count, wherever its chain may lead.
    pub fn verdict(&self, qname: NameRef<'_>, qtype: RType) -> Verdict {
        if self.rcode != rcode::NOERROR && self.rcode != rcode::NXDOMAIN {
            return Verdict::Error(self.rcode);
        }
        let wanted = |rtype: RType| rtype == qtype || qtype == RType::ANY;
        if self.answer.iter().any(|record| record.owner == qname && wanted(record.rtype)) {
            return Verdict::Answer;
        }
        let alias = self.answer.iter().find(|record| record.owner == qname && record.rtype == RType::CNAME);
        if let Some(target) = alias.and_then(|record| record.target()) {
            return Verdict::Alias(target.to_name());
        }
        match self.rcode {
            rcode::NXDOMAIN => Verdict::NxDomain,
            _ => Verdict::NoData(Owns::Records),
        }
    }

    /// How long the negative answer holds, by its SOA (RFC 2308 §5); without one it must not be kept long.
    pub fn negative_ttl(&self) -> Option<u32> {
        self.authority.iter().find_map(|record| record.soa_negative_ttl())
    }

    /// Whether it stands in for a response that could not be had (RFC 8767).
    pub fn is_stale(&self) -> bool {
        self.ede.iter().any(|ede| matches!(ede.code, Ede::STALE | Ede::STALE_NXDOMAIN))
    }

    /// How many bytes its records take.
    pub fn byte_len(&self) -> usize {
        self.answer.byte_len() + self.authority.byte_len() + self.additional.byte_len()
    }

    /// Rewrites every TTL.
    pub fn map_ttl(&mut self, change: impl Fn(u32) -> u32 + Copy) {
        self.answer.map_ttl(change);
        self.authority.map_ttl(change);
        self.additional.map_ttl(change);
    }

    /// Takes so many seconds off every TTL.
    pub fn grow_old(&mut self, seconds: u32) {
        if seconds > 0 {
            self.map_ttl(|ttl| ttl.saturating_sub(seconds));
        }
    }

    /// The least TTL of all its records.
    pub fn min_ttl(&self) -> Option<u32> {
        [&self.answer, &self.authority, &self.additional].into_iter().filter_map(Records::min_ttl).min()
    }
}
