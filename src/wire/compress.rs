//! Which names a message holds already, for pointers to them (RFC 1035 §4.1.4).

use super::NameRef;

/// Slots of the table. A power of two; a name that finds no free slot in its four is simply not offered for compression,
/// so work per name is bounded whatever a message holds.
const SLOTS: usize = 256;
const PROBES: usize = 4;

/// Names that were written, each suffix of each by itself.
pub(super) struct Names([Slot; SLOTS]);

/// Where a name stands, and how long it is when written out: names built to look alike to their ends are then compared
/// only with those of their own length. Without padding: a table of them is cleared in one go, not field by field (NX local
/// 0.97 of its time).
#[derive(Clone, Copy)]
struct Slot {
    offset: u16,
    length: u16,
}

impl Names {
    pub fn new() -> Names {
        Names([Slot { offset: 0, length: 0 }; SLOTS])
    }

    /// Remembers the suffixes of a name written at `start` that begin before `cut`.
    pub fn remember(&mut self, name: NameRef<'_>, start: usize, cut: usize) {
        let mut at = 0;
        for suffix in name.suffixes().take_while(|suffix| !suffix.is_root()) {
            let offset = start + at;
            if at >= cut || offset >= 0x4000 {
                break;
            }
            let first = hash(suffix);
            if let Some(free) = (0..PROBES).map(|p| (first + p) % SLOTS).find(|s| self.0[*s].offset == 0) {
                self.0[free] = Slot { offset: offset as u16, length: suffix.wire().len() as u16 };
            }
            at += 1 + usize::from(name.wire()[at]);
        }
    }

    /// Where this name stands in the message so far.
    pub fn find(&self, name: NameRef<'_>, message: &[u8]) -> Option<u16> {
        let first = hash(name);
        (0..PROBES)
            .map(|probe| self.0[(first + probe) % SLOTS])
            .take_while(|slot| slot.offset != 0)
            .find(|slot| {
                usize::from(slot.length) == name.wire().len()
                    && is_at(message, usize::from(slot.offset), name)
            })
            .map(|slot| slot.offset)
    }
}

/// Whether the name written at `at` (by us, so its pointers are sound) is `name`.
fn is_at(message: &[u8], mut at: usize, name: NameRef<'_>) -> bool {
    let mut rest = name.wire();
    loop {
        let Some(&octet) = message.get(at) else { return false };
        if octet >= 0xC0 {
            let Some(&low) = message.get(at + 1) else { return false };
            at = usize::from(octet & 0x3F) << 8 | usize::from(low);
            continue;
        }
        let length = 1 + usize::from(octet);
        match (message.get(at..at + length), rest.get(..length)) {
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

/// Of the first label and the length of the whole: the suffixes of one name differ in both.
fn hash(name: NameRef<'_>) -> usize {
    let wire = name.wire();
    let label = &wire[..=usize::from(wire[0])];
    let sum = label
        .iter()
        .fold(wire.len() as u32, |sum, byte| (sum ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193));
    (sum ^ (sum >> 15)) as usize % SLOTS
}
