//! The OPT record of a reply (RFC 6891 §6.1.2), and how it gives way where a message must be short.

use super::edns::option;
use super::{Ede, RType};

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

/// How much of it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// All.
    Full,
    /// Extended errors without their words.
    Codes,
    /// No option at all.
    Nothing,
}

/// The record as it is written behind all others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail<'a> {
    pub opt: &'a Opt<'a>,
    pub load: Load,
}

impl<'a> Tail<'a> {
    /// How many octets it takes.
    pub fn length(&self) -> usize {
        11 + self.options().map(|option| 4 + option.length()).sum::<usize>()
    }

    pub fn write(&self, rcode: u16, out: &mut Vec<u8>) {
        out.push(0);
        out.extend_from_slice(&RType::OPT.0.to_be_bytes());
        out.extend_from_slice(&self.opt.payload.to_be_bytes());
        out.extend_from_slice(&[(rcode >> 4) as u8, 0]);
        out.extend_from_slice(&self.opt.flags.to_be_bytes());
        out.extend_from_slice(&((self.length() - 11) as u16).to_be_bytes());
        for option in self.options() {
            out.extend_from_slice(&option.code.to_be_bytes());
            out.extend_from_slice(&(option.length() as u16).to_be_bytes());
            if let Some(number) = option.number {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(option.octets);
        }
    }

    fn options(&self) -> impl Iterator<Item = Written<'a>> + use<'a> {
        let Tail { opt, load } = *self;
        let named = [(option::NSID, opt.nsid), (option::COOKIE, opt.cookie)];
        let named = named
            .into_iter()
            .filter_map(|(code, value)| Some(Written { code, number: None, octets: value? }));
        let error = move |ede: &'a Ede| {
            let octets = if load == Load::Full { ede.text.as_bytes() } else { &[] };
            Written { code: option::EDE, number: Some(ede.code), octets }
        };
        named.chain(opt.ede.iter().map(error)).filter(move |_| load != Load::Nothing)
    }
}

/// An option: its value is a number, octets, or one before the other.
struct Written<'a> {
    code: u16,
    number: Option<u16>,
    octets: &'a [u8],
}

impl Written<'_> {
    fn length(&self) -> usize {
        self.number.map_or(0, |_| 2) + self.octets.len()
    }
}
