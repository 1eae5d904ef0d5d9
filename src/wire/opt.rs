//! The OPT record of a reply (RFC 6891 §6.1.2), and how it gives way where a message must be short.

use super::edns::option;
use super::request::skip_name;
use super::{Ede, Fault, HEADER, RType, flag, u16_at};

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

/// Where the OPT record of a message of ours begins: it is the last of all records.
fn opt_at(message: &[u8]) -> Result<usize, Fault> {
    let mut at = HEADER;
    for _ in 0..u16_at(message, 4)? {
        at = skip_name(message, at)? + 4;
    }
    let records: u32 = [6, 8, 10].into_iter().map(|at| u16_at(message, at).map_or(0, u32::from)).sum();
    for _ in 1..records {
        let fields = skip_name(message, at)?;
        at = fields + 10 + usize::from(u16_at(message, fields + 8)?);
    }
    if u16_at(message, at + 1)? == RType::OPT.0 { Ok(at) } else { Err(Fault::Opt) }
}

/// Adds an option to the OPT record of a finished message; one without stays as it is. So what differs from client to
/// client is kept out of answers that are kept for all.
pub fn add_option(message: &mut Vec<u8>, code: u16, value: &[u8]) {
    let Ok(length) = opt_at(message).map(|at| at + 9) else { return };
    let Ok(before) = u16_at(message, length) else { return };
    let Ok(after) = u16::try_from(usize::from(before) + 4 + value.len()) else { return };
    message[length..length + 2].copy_from_slice(&after.to_be_bytes());
    message.extend_from_slice(&code.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
}

/// Leaves of a finished message its question and the fixed part of its OPT record, and sets TC.
pub fn cut_short(message: &mut Vec<u8>) {
    let opt = opt_at(message).ok().and_then(|at| message.get(at..at + 11)?.first_chunk::<11>().copied());
    let Ok(question) = skip_name(message, HEADER).map(|end| end + 4) else { return };
    if u16_at(message, 4) != Ok(1) || question > message.len() {
        return;
    }
    message.truncate(question);
    message[2] |= (flag::TC >> 8) as u8;
    message[6..12].fill(0);
    if let Some(mut opt) = opt {
        opt[9..].fill(0);
        message.extend_from_slice(&opt);
        message[11] = 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::build::{Plan, build};
    use super::super::message::Message;
    use super::super::{Name, RecordRef, Records};
    use super::*;

    fn message(opt: Option<Opt<'_>>) -> Vec<u8> {
        let name: Name = "www.technova.com".parse().unwrap();
        let question = [name.wire(), &[0, 1, 0, 1]].concat();
        let (mut answer, none) = (Records::new(), Records::new());
        for last in 0..3 {
            let rdata = [10, 0, 0, last];
            answer.push(RecordRef {
                owner: name.as_ref(),
                rtype: RType::A,
                class: 1,
                ttl: 60,
                rdata: &rdata,
            });
        }
        let (mut out, mut ttls) = (Vec::new(), Vec::new());
        let plan = Plan {
            id: 7,
            flags: flag::QR,
            rcode: 0,
            question: &question,
            answer: &answer,
            authority: &none,
            additional: &none,
            opt,
            limit: 512,
        };
        build(&plan, &mut out, &mut ttls);
        out
    }

    fn opt(ede: &[Ede]) -> Opt<'_> {
        Opt { payload: 1232, flags: 0, nsid: None, cookie: None, ede }
    }

    #[test]
    fn an_option_is_added_behind_those_that_are_there() {
        let ede = [Ede::new(3, "stale")];
        let mut added = message(Some(opt(&ede)));
        add_option(&mut added, option::COOKIE, b"0123456789abcdef");
        let cookie = Some(&b"0123456789abcdef"[..]);
        let built = message(Some(Opt { cookie, ede: &[], ..opt(&ede) }));
        let read = Message::parse(&added).unwrap();
        assert_eq!((read.answer.len(), &read.ede[..]), (3, &ede[..]));
        assert!(added.ends_with(&built[built.len() - 20..]));
        let mut alone = message(Some(opt(&[])));
        add_option(&mut alone, option::COOKIE, b"0123456789abcdef");
        assert_eq!(alone, built);
        let mut without = message(None);
        add_option(&mut without, option::COOKIE, b"0123456789abcdef");
        assert_eq!(without, message(None));
    }

    #[test]
    fn what_is_cut_short_says_so_and_is_no_longer_than_its_query() {
        let ede = [Ede::new(3, "stale")];
        for (opt, octets) in [(None, 34), (Some(opt(&ede)), 45)] {
            let mut cut = message(opt);
            cut_short(&mut cut);
            let read = Message::parse(&cut).unwrap();
            assert!(read.is_truncated() && read.answer.is_empty() && read.edns == opt.is_some());
            assert_eq!(cut.len(), octets);
        }
    }

    #[test]
    fn no_prefix_of_a_message_makes_either_fail() {
        let whole = message(Some(opt(&[])));
        for end in 0..whole.len() {
            let (mut added, mut cut) = (whole[..end].to_vec(), whole[..end].to_vec());
            add_option(&mut added, option::COOKIE, b"01234567");
            cut_short(&mut cut);
        }
    }
}
