//! A finished answer → the same answer for another client: ID, flags, QNAME case, TTLs. Nothing else differs.

use super::{HEADER, flag, u32_at};

/// Writes the client's ID, RD and CD bits, and its question (in its own case) over a copy of a finished answer.
/// The question must have the length of the one that the answer was built for.
pub fn address(answer: &mut [u8], id: u16, query_flags: u16, question: &[u8]) {
    let echoed = flag::RD | flag::CD;
    let flags = u16::from_be_bytes([answer[2], answer[3]]) & !echoed | query_flags & echoed;
    answer[..2].copy_from_slice(&id.to_be_bytes());
    answer[2..4].copy_from_slice(&flags.to_be_bytes());
    answer[HEADER..HEADER + question.len()].copy_from_slice(question);
}

/// Lowers the TTLs at `offsets` by `seconds`, not below zero.
pub fn age(answer: &mut [u8], offsets: impl IntoIterator<Item = u16>, seconds: u32) {
    if seconds == 0 {
        return;
    }
    for offset in offsets {
        let at = usize::from(offset);
        if let Ok(ttl) = u32_at(answer, at) {
            answer[at..at + 4].copy_from_slice(&ttl.saturating_sub(seconds).to_be_bytes());
        }
    }
}

/// Which RDATA of an answer take turns: `count` records from the `first` TTL offset on, each with `width` octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Position in the list of TTL offsets.
    pub first: u16,
    /// How many records.
    pub count: u16,
    /// Octets of each RDATA: 4 or 16.
    pub width: u8,
    /// How far they are turned.
    pub by: u16,
}

/// Turns the addresses of an answer: the client that takes the first gets another one each time. Only RDATA move; owner,
/// type and TTL are the same for the whole RRset.
pub fn rotate(answer: &mut [u8], offsets: &[u16], turn: &Turn) {
    let (first, count, width) = (usize::from(turn.first), usize::from(turn.count), usize::from(turn.width));
    let Some(offsets) = offsets.get(first..first + count) else { return };
    let by = usize::from(turn.by) % count.max(1);
    let mut turned = smallvec::SmallVec::<[u8; 256]>::new();
    for n in 0..count {
        // TTL, RDLENGTH, RDATA
        let at = usize::from(offsets[(n + by) % count]) + 6;
        let Some(rdata) = answer.get(at..at + width) else { return };
        turned.extend_from_slice(rdata);
    }
    for (rdata, offset) in turned.chunks_exact(width.max(1)).zip(offsets) {
        let at = usize::from(*offset) + 6;
        answer[at..at + width].copy_from_slice(rdata);
    }
}
