//! One field of RDATA: from its word in the text to its octets, or what is wrong with the word.

use std::net::IpAddr;
use std::ops::Range;

use super::text::{self, Written, Wrong};
use super::token::{Flaw, Kind, Token};
use super::{bitmap, place, svcb};
use crate::wire::form::Field;
use crate::wire::mnemonic::Mnemonics;
use crate::wire::present::no_key;
use crate::wire::{Name, NameRef, RType};

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
    /// Where this record's RDATA begins in what is read into.
    start: usize,
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
        Fields {
            text,
            tokens,
            next: 0,
            end,
            origin,
            apex,
            rtype: RType(0),
            example: "",
            start: 0,
            doubled: None,
        }
    }

    /// Says what diagnostics speak of, and where the octets of the first field will stand.
    pub(super) fn form(&mut self, rtype: RType, example: &'static str, start: usize) {
        (self.rtype, self.example, self.start) = (rtype, example, start);
    }

    /// Whether the next field is this word.
    pub(super) fn next_is(&self, word: &str) -> bool {
        self.tokens
            .get(self.next)
            .is_some_and(|token| token.kind == Kind::Word && token.text(self.text).eq_ignore_ascii_case(word))
    }

    /// Whether no field is left.
    pub(super) fn is_empty(&self) -> bool {
        self.next >= self.tokens.len()
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
            Field::Ip4 => self.word("address", |text| place::ip4(text, out)),
            Field::Ip6 => self.word("address", |text| place::ip6(text, out)),
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
                    // `\@` is an octet of a label, as any other that is escaped (RFC 1035 §5.1).
                    Some((user, domain)) if !user.is_empty() && !user.ends_with('\\') => {
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
            Field::Flags(what, names) => self.word(what, |text| bitmap::flags(text, names, out)),
            Field::Huge(what) => self.word(what, |text| match text.parse::<u64>() {
                Ok(value) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    out.extend_from_slice(&value.to_be_bytes());
                    Ok(())
                }
                _ => Err(format!("is no number from 0 to {}", u64::MAX)),
            }),
            Field::Long(what) => {
                self.number(what, u32::MAX).map(|value| out.extend_from_slice(&value.to_be_bytes()))
            }
            Field::Time(what) => self.word(what, |text| time(text, out)),
            Field::Timestamp(what) => self.word(what, |text| text::timestamp(text, out)),
            Field::OptionalText(_) | Field::OptionalBase64(_) if self.is_empty() => Ok(()),
            Field::Text(what) | Field::OptionalText(what) => {
                self.string(what, |text| text::character_string(text, out))
            }
            Field::Texts => {
                self.string("text", |text| text::character_string(text, out))?;
                while !self.is_empty() {
                    self.string("text", |text| text::character_string(text, out))?;
                }
                Ok(())
            }
            Field::Psdn(what) => self.string(what, |text| match text {
                digits if digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    text::character_string(digits, out)
                }
                _ => Err("is no number of four digits or more".into()),
            }),
            Field::Decimal(what) => self.string(what, |text| match place::decimal(text, 200) {
                Some(_) => text::character_string(text, out),
                None => Err("is no decimal number".into()),
            }),
            Field::Value(what) => self.string(what, |text| text::octets(text, out)),
            Field::Tag => self.word("tag", |text| tag(text, out)),
            Field::Hex(what) => self.joined(what, |text| text::hex(text, out)),
            Field::DashBase64(_) if self.next_is("-") => {
                self.skip();
                Ok(())
            }
            // RFC 2535 §3.1.2, RFC 4025 §2.4
            Field::FlaggedKey if no_key(&out[self.start..]) => Ok(()),
            Field::GatewayKey if self.is_empty() && out.get(self.start + 2) == Some(&0) => Ok(()),
            Field::FlaggedKey | Field::GatewayKey => self.read(Field::Base64("public key"), out),
            Field::Base64(what) | Field::OptionalBase64(what) | Field::DashBase64(what) => {
                self.joined(what, |text| text::base64(text, out))
            }
            Field::Salt => self.word("salt", |text| match text {
                "-" => counted("", text::hex, out),
                _ => counted(text, text::hex, out),
            }),
            Field::HashedName => self.word("hashed name", |text| counted(text, text::base32hex, out)),
            Field::TypeCode => {
                self.word("type", |text| bitmap::rtype(text).map(|number| out.extend(number.to_be_bytes())))
            }
            Field::Types => bitmap::types(self, out),
            Field::OldTypes => bitmap::old_types(self, out),
            Field::Ports(names) => bitmap::ports(self, names, out),
            Field::Eui(count) => self.word("identifier", |text| text::eui(text, count, out)),
            Field::Locator => self.word("locator", |text| text::locator(text, out)),
            Field::Params => {
                let (from, tokens) = (self.next, self.tokens);
                self.next = tokens.len();
                svcb::params(self.text, &tokens[from.min(tokens.len())..], out)
            }
            Field::Location => place::location(self, out),
            Field::Prefixes => place::prefixes(self, out),
            Field::HostIdentity => place::host_identity(self, out),
            Field::AddressChain => place::address_chain(self, out),
            Field::Nsap => self.word("address", |text| place::nsap(text, out)),
            Field::Atm => self.word("address", |text| place::atm(text, out)),
            Field::Discovery => {
                self.number("discovery bit", 1).map(|bit| out.push(if bit == 1 { 0x80 } else { 0 }))
            }
            Field::GatewayKind(what) => {
                let kind = self.number(what, 3)? as u8;
                match out.get_mut(self.start + 1) {
                    Some(discovery) => *discovery |= kind,
                    None => out.push(kind),
                }
                Ok(())
            }
            Field::Gateway(what) => match out.get(self.start + 1).map_or(0, |kind| kind & 0x7F) {
                1 => self.word(what, |text| place::ip4(text, out)),
                2 => self.word(what, |text| place::ip6(text, out)),
                3 => self.read(Field::Host(what), out),
                _ => self.word(what, |text| match text {
                    "." => Ok(()),
                    _ => Err("stands where the type 0 says that there is none, which is written `.`".into()),
                }),
            },
        }
    }

    pub(super) fn name(&mut self, what: &'static str, out: &mut Vec<u8>) -> Result<(), Flaw> {
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
    pub(super) fn mnemonic(&mut self, names: Mnemonics) -> Option<u16> {
        let word = self.tokens.get(self.next)?.text(self.text);
        let (_, value) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        self.next += 1;
        Some(*value)
    }

    pub(super) fn number(&mut self, what: &str, max: u32) -> Result<u32, Flaw> {
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

    /// Looks at the next field without taking it.
    fn check(&self, what: &str, wrong: impl FnOnce(&str) -> Result<(), Wrong>) -> Result<(), Flaw> {
        let Some(token) = self.tokens.get(self.next) else { return Ok(()) };
        wrong(token.text(self.text)).map_err(|wrong| self.flaw(what, *token, &wrong))
    }

    /// Takes the next field, which may not have quotes.
    pub(super) fn word(
        &mut self,
        what: &str,
        read: impl FnOnce(&str) -> Result<(), Wrong>,
    ) -> Result<(), Flaw> {
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

    pub(super) fn take(&mut self, what: &str) -> Result<Token, Flaw> {
        let Some(token) = self.tokens.get(self.next) else {
            let message = format!("the {what} of this {} record is missing", self.rtype);
            return Err(Flaw::new(self.end..self.end, message).hint(format!("as in: {}", self.example)));
        };
        self.next += 1;
        Ok(*token)
    }

    pub(super) fn flaw(&self, what: &str, token: Token, wrong: &str) -> Flaw {
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
