//! What a finished answer is found by: view, query bits and question, in one piece.

/// View and query bits.
const HEAD: usize = 4 + 1;
/// The largest name.
const NAME: usize = 255;
/// Type and class.
const TAIL: usize = 4;
/// Octets whose case is folded at once.
const STRIDE: usize = 16;

/// What selects an answer.
#[derive(Clone, Copy)]
pub struct Key {
    bytes: [u8; (HEAD + NAME + TAIL).next_multiple_of(STRIDE)],
    length: usize,
}

impl Key {
    /// Of a view, the query bits that change the bytes of an answer, and the question section.
    pub fn new(view: u32, bits: u8, question: &[u8]) -> Option<Key> {
        let (name, tail) = question.split_last_chunk::<TAIL>()?;
        if name.len() > NAME {
            return None;
        }
        let mut key = Key { bytes: [0; _], length: HEAD + question.len() };
        let end = HEAD + name.len();
        key.bytes[HEAD..end].copy_from_slice(name);
        // Whole strides, before anything else is written: type and class are no letters, and HTTPS (65) is not 97.
        key.bytes[..end.next_multiple_of(STRIDE)].make_ascii_lowercase();
        key.bytes[end..end + TAIL].copy_from_slice(tail);
        key.bytes[..4].copy_from_slice(&view.to_be_bytes());
        key.bytes[4] = bits;
        Some(key)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_case_of_a_name_is_folded_and_its_type_is_not_whatever_its_length() {
        for length in 0..=NAME {
            let question = [&vec![b'A'; length][..], b"\0A\0A"].concat();
            let expected = [b"\0\0\x02\x01\x13", &vec![b'a'; length][..], b"\0A\0A"].concat();
            assert_eq!(Key::new(0x201, 0x13, &question).unwrap().as_bytes(), expected);
        }
        assert!(Key::new(0, 0, &[0; NAME + TAIL + 1]).is_none());
        assert!(Key::new(0, 0, &[0; TAIL - 1]).is_none());
    }
}
