//! What a finished answer is found by: view, query bits and question, in one piece.

/// The largest key: view, bits, and a question.
const MAX_KEY: usize = 4 + 1 + 255 + 4;

/// What selects an answer.
#[derive(Clone, Copy)]
pub struct Key {
    bytes: [u8; MAX_KEY],
    length: usize,
}

impl Key {
    /// Of a view, the query bits that change the bytes of an answer, and the question section.
    pub fn new(view: u32, bits: u8, question: &[u8]) -> Option<Key> {
        let mut key = Key { bytes: [0; MAX_KEY], length: 5 + question.len() };
        key.bytes.get_mut(5..key.length)?.copy_from_slice(question);
        // The type and class behind the name are octets too, but folding them is harmless only because every octet of
        // the name is folded on both sides; they are left as they are.
        let name = key.length.checked_sub(4)?;
        key.bytes.get_mut(5..name)?.make_ascii_lowercase();
        key.bytes[..4].copy_from_slice(&view.to_be_bytes());
        key.bytes[4] = bits;
        Some(key)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
