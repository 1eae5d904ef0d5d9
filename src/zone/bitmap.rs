//! Numbers that are made of bits: types and ports up to the end of a record, and flags.

use super::field::Fields;
use super::text::Wrong;
use super::token::Flaw;
use crate::wire::RType;
use crate::wire::mnemonic::Mnemonics;

/// Record types, as windows of a bitmap (RFC 4034 §4.1.2).
pub(super) fn types(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut numbers = Vec::new();
    while !fields.is_empty() {
        fields.word("type", |text| rtype(text).map(|number| numbers.push(number)))?;
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

/// Record types below 128, as one bitmap (RFC 2535 §5.2).
pub(super) fn old_types(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut bits = Bits::default();
    while !fields.is_empty() {
        fields.word("type", |text| match rtype(text)? {
            number @ 1..128 => {
                bits.set(number);
                Ok(())
            }
            number => Err(format!("has the number {number}; NXT knows types from 1 to 127 only")),
        })?;
    }
    out.extend_from_slice(&bits.0);
    Ok(())
}

/// Ports by number or name, as one bitmap (RFC 1035 §3.4.2).
pub(super) fn ports(fields: &mut Fields<'_>, names: Mnemonics, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut bits = Bits::default();
    while !fields.is_empty() {
        match fields.mnemonic(names) {
            Some(port) => bits.set(port),
            None => fields.word("service", |text| match text.parse::<u16>() {
                Ok(port) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    bits.set(port);
                    Ok(())
                }
                _ => Err("is no port from 0 to 65535, and no service that is known here".into()),
            })?,
        }
    }
    out.extend_from_slice(&bits.0);
    Ok(())
}

/// A bitmap that is as long as its highest bit wants it.
#[derive(Default)]
struct Bits(Vec<u8>);

impl Bits {
    fn set(&mut self, bit: u16) {
        let at = usize::from(bit / 8);
        self.0.resize(self.0.len().max(at + 1), 0);
        self.0[at] |= 0x80 >> (bit % 8);
    }
}

/// A number, or words for its bits, joined by `|`.
pub(super) fn flags(text: &str, names: Mnemonics, out: &mut Vec<u8>) -> Result<(), Wrong> {
    let mut value = 0;
    if let Ok(number) = text.parse::<u16>() {
        value = number;
    } else {
        for word in text.split('|') {
            match names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
                Some((_, bits)) => value |= bits,
                None => return Err("is no number from 0 to 65535, and not known flags, joined by `|`".into()),
            }
        }
    }
    out.extend_from_slice(&value.to_be_bytes());
    Ok(())
}

/// The number of a type.
pub(super) fn rtype(text: &str) -> Result<u16, Wrong> {
    text.parse::<RType>().map(|rtype| rtype.0).map_err(|()| "is no record type".into())
}
