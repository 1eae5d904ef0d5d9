//! One field of RDATA: from its word in the text to its octets, or what is wrong with the word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::svcb;
use super::text::{self, Written, Wrong};
use super::token::{Flaw, Kind, Token};
use crate::wire::{Name, NameRef, RType};

/// What a field is. The text is what the field is called in a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A domain name.
    Name(&'static str),
    /// A domain name that has addresses, so that an address in its place is a mistake.
    Host(&'static str),
    /// A mailbox as a domain name (RFC 1035 §8).
    Mailbox(&'static str),
    /// 8 bits.
    Byte(&'static str),
    /// 16 bits.
    Short(&'static str),
    /// 8 bits, for some values of which there are mnemonics.
    NamedByte(&'static str, Mnemonics),
    /// 16 bits, for some values of which there are mnemonics.
    NamedShort(&'static str, Mnemonics),
    /// 32 bits.
    Long(&'static str),
    /// 32 bits of seconds, units allowed.
    Time(&'static str),
    /// A moment, YYYYMMDDHHmmSS or seconds since 1970 (RFC 4034 §3.2).
    Timestamp(&'static str),
    /// A character string.
    Text(&'static str),
    /// One or more character strings.
    Texts,
    /// All octets of one string, without a length (CAA, URI).
    Value(&'static str),
    /// A CAA tag (RFC 8659 §4.1).
    Tag,
    /// Hexadecimal up to the end, white space in it allowed.
    Hex(&'static str),
    /// Base64 up to the end, white space in it allowed.
    Base64(&'static str),
    /// A salt: hexadecimal, or `-` for none (RFC 5155 §3.3).
    Salt,
    /// A hashed owner name (RFC 5155 §3.3).
    HashedName,
    /// A record type.
    TypeCode,
    /// Record types up to the end, as a bitmap (RFC 4034 §4.1.2).
    Types,
    /// So many octets, `00-00-5e…` (RFC 7043).
    Eui(usize),
    /// 64 bits, `2001:0DB8:1140:1000` (RFC 6742).
    Locator,
    /// Service parameters up to the end (RFC 9460 §2.1).
    Params,
}

/// Words that stand for numbers.
pub(super) type Mnemonics = &'static [(&'static str, u16)];

/// The fields of one record, read from the left.
pub(super) struct Fields<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
    /// Where the first missing field would stand.
    end: usize,
    origin: NameRef<'a>,
    apex: NameRef<'a>,
    rtype: RType,
    example: &'static str,
    /// A name that ends in the zone's own name twice, most likely for lack of a final dot.
    pub(super) doubled: Option<Range<usize>>,
}

impl<'a> Fields<'a> {
    /// The fields behind the type, which ends at `end`; relative names go on with `origin`.
    pub(super) fn new(
        text: &'a str,
        tokens: &'a [Token],
        end: usize,
        origin: NameRef<'a>,
        apex: NameRef<'a>,
    ) -> Fields<'a> {
        let end = tokens.last().map_or(end, |token| token.range().end);
        Fields { text, tokens, next: 0, end, origin, apex, rtype: RType(0), example: "", doubled: None }
    }

    /// Says what diagnostics speak of.
    pub(super) fn form(&mut self, rtype: RType, example: &'static str) {
        (self.rtype, self.example) = (rtype, example);
    }

    /// Whether the next field is this word.
    pub(super) fn next_is(&self, word: &str) -> bool {
        self.tokens
            .get(self.next)
            .is_some_and(|token| token.kind == Kind::Word && token.text(self.text) == word)
    }

    /// Leaves out the next field.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// Where all fields stand.
    pub(super) fn all(&self) -> Range<usize> {
        self.tokens.first().map_or(self.end, |token| token.range().start)..self.end
    }

    /// Where the fields stand that are left.
    pub(super) fn rest(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or(self.end, |token| token.range().start)..self.end
    }

    /// Nothing may be left over.
    pub(super) fn finish(&self, rtype: RType) -> Result<(), Flaw> {
        let Some(token) = self.tokens.get(self.next) else { return Ok(()) };
        let flaw =
            Flaw::new(self.rest(), format!("`{}` is one field too many for {rtype}", token.text(self.text)));
        Err(if self.example.is_empty() { flaw } else { flaw.hint(format!("as in: {}", self.example)) })
    }

    /// Reads one field and appends its octets.
    pub(super) fn read(&mut self, field: Field, out: &mut Vec<u8>) -> Result<(), Flaw> {
        match field {
            Field::Ip4 => self.word("address", |text| ip4(text, out)),
            Field::Ip6 => self.word("address", |text| ip6(text, out)),
            Field::Name(what) => self.name(what, out),
            Field::Host(what) => {
                self.check(what, |text| match text.parse::<IpAddr>() {
                    Ok(_) => Err("is an address; a name belongs here, which has an A or AAAA record".into()),
                    Err(_) => Ok(()),
                })?;
                self.name(what, out)
            }
            Field::Mailbox(what) => {
                self.check(what, |text| match text.split_once('@') {
                    Some((user, domain)) if !user.is_empty() => {
                        let domain = domain.trim_end_matches('.');
                        Err(format!("has an `@`; a mailbox is written with a dot: `{user}.{domain}.`"))
                    }
                    _ => Ok(()),
                })?;
                self.name(what, out)
            }
            Field::Byte(what) => self.number(what, 0xff).map(|value| out.push(value as u8)),
            Field::Short(what) => {
                self.number(what, 0xffff).map(|value| out.extend_from_slice(&(value as u16).to_be_bytes()))
            }
            Field::NamedByte(what, names) => {
                let Some(value) = self.mnemonic(names) else { return self.read(Field::Byte(what), out) };
                out.push(value as u8);
                Ok(())
            }
            Field::NamedShort(what, names) => {
                let Some(value) = self.mnemonic(names) else { return self.read(Field::Short(what), out) };
                out.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }
            Field::Long(what) => {
                self.number(what, u32::MAX).map(|value| out.extend_from_slice(&value.to_be_bytes()))
            }
            Field::Time(what) => self.word(what, |text| time(text, out)),
            Field::Timestamp(what) => self.word(what, |text| text::timestamp(text, out)),
            Field::Text(what) => self.string(what, |text| text::character_string(text, out)),
            Field::Texts => {
                self.string("text", |text| text::character_string(text, out))?;
                while self.next < self.tokens.len() {
                    self.string("text", |text| text::character_string(text, out))?;
                }
                Ok(())
            }
            Field::Value(what) => self.string(what, |text| text::octets(text, out)),
            Field::Tag => self.word("tag", |text| tag(text, out)),
            Field::Hex(what) => self.joined(what, |text| text::hex(text, out)),
            Field::Base64(what) => self.joined(what, |text| text::base64(text, out)),
            Field::Salt => self.word("salt", |text| match text {
                "-" => counted("", text::hex, out),
                _ => counted(text, text::hex, out),
            }),
            Field::HashedName => self.word("hashed name", |text| counted(text, text::base32hex, out)),
            Field::TypeCode => {
                self.word("type", |text| rtype(text).map(|number| out.extend(number.to_be_bytes())))
            }
            Field::Types => self.types(out),
            Field::Eui(count) => self.word("identifier", |text| text::eui(text, count, out)),
            Field::Locator => self.word("locator", |text| text::locator(text, out)),
            Field::Params => {
                let (from, tokens) = (self.next, self.tokens);
                self.next = tokens.len();
                svcb::params(self.text, &tokens[from.min(tokens.len())..], out)
            }
        }
    }

    fn name(&mut self, what: &'static str, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let (start, origin, apex) = (out.len(), self.origin, self.apex);
        let mut written = Written::Absolute;
        let range = self.tokens.get(self.next).map(|token| token.range());
        self.word(what, |text| text::name(text, origin, out).map(|how| written = how))?;
        if written == Written::Relative && is_doubled(&out[start..], origin, apex) {
            self.doubled = range;
        }
        Ok(())
    }

    /// Takes the next field if it is one of these words.
    fn mnemonic(&mut self, names: Mnemonics) -> Option<u16> {
        let word = self.tokens.get(self.next)?.text(self.text);
        let (_, value) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        self.next += 1;
        Some(*value)
    }

    fn number(&mut self, what: &'static str, max: u32) -> Result<u32, Flaw> {
        let mut value = 0;
        self.word(what, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            value = match text.parse::<u32>() {
                Ok(number) if digits && number <= max => number,
                _ if digits => return Err(format!("is more than {max}")),
                _ => return Err(format!("is no number from 0 to {max}")),
            };
            Ok(())
        })?;
        Ok(value)
    }

    fn types(&mut self, out: &mut Vec<u8>) -> Result<(), Flaw> {
        let mut numbers = Vec::new();
        while self.next < self.tokens.len() {
            self.word("type", |text| rtype(text).map(|number| numbers.push(number)))?;
        }
        numbers.sort_unstable();
        for window in numbers.chunk_by(|one, other| one >> 8 == other >> 8) {
            let mut bits = [0_u8; 32];
            for number in window {
                bits[usize::from(number & 0xff) / 8] |= 0x80 >> (number % 8);
            }
            let length = 32 - bits.iter().rev().take_while(|octet| **octet == 0).count();
            out.extend_from_slice(&[(window[0] >> 8) as u8, length as u8]);
            out.extend_from_slice(&bits[..length]);
        }
        Ok(())
    }

    /// Looks at the next field without taking it.
    fn check(&self, what: &str, wrong: impl FnOnce(&str) -> Result<(), Wrong>) -> Result<(), Flaw> {
        let Some(token) = self.tokens.get(self.next) else { return Ok(()) };
        wrong(token.text(self.text)).map_err(|wrong| self.flaw(what, *token, &wrong))
    }

    /// Takes the next field, which may not have quotes.
    fn word(&mut self, what: &str, read: impl FnOnce(&str) -> Result<(), Wrong>) -> Result<(), Flaw> {
        let token = self.take(what)?;
        if token.kind == Kind::Quoted {
            return Err(self.flaw(what, token, "stands in quotes, which are for character strings only"));
        }
        read(token.text(self.text)).map_err(|wrong| self.flaw(what, token, &wrong))
    }

    /// Takes the next field, quoted or not.
    fn string(&mut self, what: &str, read: impl FnOnce(&str) -> Result<(), Wrong>) -> Result<(), Flaw> {
        let token = self.take(what)?;
        let text = token.text(self.text);
        if token.kind == Kind::Word && text.ends_with('"') && !text.ends_with(r#"\""#) {
            return Err(self.flaw(
                what,
                token,
                "has quotes in its middle; put the whole string inside quotes",
            ));
        }
        read(text).map_err(|wrong| self.flaw(what, token, &wrong))
    }

    /// Takes all fields that are left as one word.
    fn joined(&mut self, what: &str, read: impl FnOnce(&str) -> Result<(), Wrong>) -> Result<(), Flaw> {
        let range = self.rest();
        let first = self.take(what)?;
        let mut whole = first.text(self.text).to_owned();
        self.tokens[self.next..].iter().for_each(|token| whole.push_str(token.text(self.text)));
        self.next = self.tokens.len();
        read(&whole).map_err(|wrong| Flaw { range, ..self.flaw(what, first, &wrong) })
    }

    fn take(&mut self, what: &str) -> Result<Token, Flaw> {
        let Some(token) = self.tokens.get(self.next) else {
            let message = format!("the {what} of this {} record is missing", self.rtype);
            return Err(Flaw::new(self.end..self.end, message).hint(format!("as in: {}", self.example)));
        };
        self.next += 1;
        Ok(*token)
    }

    fn flaw(&self, what: &str, token: Token, wrong: &str) -> Flaw {
        let message = format!("the {what} `{}` {wrong}", shortened(token.text(self.text)));
        Flaw::new(token.range(), message).hint(format!("as in: {}", self.example))
    }
}

/// Whether a relative name, completed by `origin`, already ended in the zone's own name.
pub(super) fn is_doubled(wire: &[u8], origin: NameRef<'_>, apex: NameRef<'_>) -> bool {
    if apex.is_root() {
        return false;
    }
    let written = &wire[..wire.len() - origin.wire().len()];
    Name::from_wire(&[written, &[0]].concat()).is_ok_and(|written| written.as_ref().is_under(apex))
}

/// A word as a message quotes it.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn ip4(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => {
            out.extend_from_slice(&address.octets());
            Ok(())
        }
        Err(_) if text.parse::<Ipv6Addr>().is_ok() => Err("is an IPv6 address; its type is AAAA".into()),
        Err(_) => Err("is no IPv4 address".into()),
    }
}

fn ip6(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    match text.parse::<Ipv6Addr>() {
        Ok(address) => {
            out.extend_from_slice(&address.octets());
            Ok(())
        }
        Err(_) if text.parse::<Ipv4Addr>().is_ok() => Err("is an IPv4 address; its type is A".into()),
        Err(_) => Err("is no IPv6 address".into()),
    }
}

fn time(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    match text::time(text) {
        Some(seconds) if seconds <= text::MAX_TTL => {
            out.extend_from_slice(&seconds.to_be_bytes());
            Ok(())
        }
        Some(_) => Err(format!("is more than {} seconds", text::MAX_TTL)),
        None => Err("is no time: seconds, or a number with each of w, d, h, m, s".into()),
    }
}

fn tag(text: &str, out: &mut Vec<u8>) -> Result<(), Wrong> {
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("is no tag of letters and digits, such as issue, issuewild or iodef".into());
    }
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Octets behind one octet that counts them.
fn counted(
    text: &str,
    read: impl FnOnce(&str, &mut Vec<u8>) -> Result<(), Wrong>,
    out: &mut Vec<u8>,
) -> Result<(), Wrong> {
    let start = out.len();
    out.push(0);
    read(text, out)?;
    out[start] = u8::try_from(out.len() - start - 1).map_err(|_| "has more than 255 octets")?;
    Ok(())
}

fn rtype(text: &str) -> Result<u16, Wrong> {
    text.parse::<RType>().map(|rtype| rtype.0).map_err(|()| "is no record type".into())
}
