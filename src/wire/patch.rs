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
pub fn age(answer: &mut [u8], offsets: &[u16], seconds: u32) {
    if seconds == 0 {
        return;
    }
    for &offset in offsets {
        let at = usize::from(offset);
        if let Ok(ttl) = u32_at(answer, at) {
            answer[at..at + 4].copy_from_slice(&ttl.saturating_sub(seconds).to_be_bytes());
        }
    }
}
