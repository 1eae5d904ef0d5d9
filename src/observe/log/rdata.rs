//! RDATA in presentation form, straight from the message, names decompressed on the way.
//!
//! The types that fill logs are written here, without a detour; every other one that has a presentation form, by the
//! table of all types. What has none, and RDATA that is not what its type says, is written as RFC 3597 §5 does:
//! `\# length hex`.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::wire::message::{NameBuffer, RDataBuffer, expand_rdata, read_name};
use crate::wire::present::RData;
use crate::wire::rtype::CLASS_IN;
use crate::wire::{RType, u16_at, u32_at};

use super::text;

/// Where a record's RDATA stands in its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) message: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Writes RDATA inside a JSON string.
pub(super) fn write(out: &mut Vec<u8>, rtype: RType, class: u16, place: Place<'_>, name: &mut NameBuffer) {
    let start = out.len();
    if class != CLASS_IN || known(out, rtype, place, name).is_none() {
        out.truncate(start);
        unknown(out, place);
    }
}

fn unknown(out: &mut Vec<u8>, place: Place<'_>) {
    let rdata = place.message.get(place.start..place.end).unwrap_or_default();
    out.extend_from_slice(b"\\\\# ");
    text::number(out, rdata.len() as u64);
    if !rdata.is_empty() {
        out.push(b' ');
        text::hex(out, rdata);
    }
}

fn known(out: &mut Vec<u8>, rtype: RType, place: Place<'_>, name: &mut NameBuffer) -> Option<()> {
    let rdata = place.message.get(place.start..place.end)?;
    match rtype {
        RType::A => {
            let [a, b, c, d] = *<&[u8; 4]>::try_from(rdata).ok()?;
            // Writing to a Vec does not fail.
            write!(out, "{}", Ipv4Addr::new(a, b, c, d)).ok()
        }
        RType::AAAA => write!(out, "{}", Ipv6Addr::from(*<&[u8; 16]>::try_from(rdata).ok()?)).ok(),
        RType::CNAME | RType::NS | RType::PTR | RType::DNAME => {
            names(out, place, place.start, name).filter(|at| *at == place.end).map(drop)
        }
        RType::MX => {
            numbers(out, rdata, 1)?;
            names(out, place, place.start + 2, name).filter(|at| *at == place.end).map(drop)
        }
        RType::SRV => {
            numbers(out, rdata, 3)?;
            names(out, place, place.start + 6, name).filter(|at| *at == place.end).map(drop)
        }
        RType::SOA => {
            let mname_end = names(out, place, place.start, name)?;
            out.push(b' ');
            let fixed = names(out, place, mname_end, name)?;
            for nth in 0..5 {
                out.push(b' ');
                text::number(out, u32_at(place.message, fixed + 4 * nth).ok()?);
            }
            (fixed + 20 == place.end).then_some(())
        }
        RType::TXT | RType::SPF => strings(out, rdata),
        RType::CAA => {
            let (&flags, rest) = rdata.split_first()?;
            let (&length, rest) = rest.split_first()?;
            let (tag, value) = rest.split_at_checked(usize::from(length))?;
            // RFC 8659 §4.1: a tag is letters and digits.
            if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
                return None;
            }
            text::number(out, flags);
            out.push(b' ');
            out.extend_from_slice(tag);
            out.push(b' ');
            text::character_string(out, value);
            Some(())
        }
        _ => rare(out, rtype, place),
    }
}

/// A type of which a log has few.
fn rare(out: &mut Vec<u8>, rtype: RType, place: Place<'_>) -> Option<()> {
    let mut octets = RDataBuffer::new();
    expand_rdata(place.message, rtype, place.start, place.end, &mut octets).ok()?;
    let text = RData { rtype, octets: &octets }.presentation()?;
    text::ascii(out, &text);
    Some(())
}

/// So many 16-bit numbers, each with a space behind it.
fn numbers(out: &mut Vec<u8>, rdata: &[u8], count: usize) -> Option<()> {
    for nth in 0..count {
        text::number(out, u16_at(rdata, 2 * nth).ok()?);
        out.push(b' ');
    }
    Some(())
}

/// The name at `at`; gives the position behind it.
fn names(out: &mut Vec<u8>, place: Place<'_>, at: usize, name: &mut NameBuffer) -> Option<usize> {
    let end = read_name(place.message, at, name).ok()?;
    text::name(out, name.name());
    Some(end)
}

fn strings(out: &mut Vec<u8>, mut rdata: &[u8]) -> Option<()> {
    // RFC 1035 §3.3.14: one or more.
    loop {
        let (&length, rest) = rdata.split_first()?;
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        text::character_string(out, string);
        if rest.is_empty() {
            return Some(());
        }
        out.push(b' ');
        rdata = rest;
    }
}
