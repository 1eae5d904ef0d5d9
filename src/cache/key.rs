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
pub struct Key<'q> {
    view: u32,
    bits: u8,
    question: &'q [u8],
}

impl<'q> Key<'q> {
    /// Of a view, the query bits that change the bytes of an answer, and the question section.
    pub fn new(view: u32, bits: u8, question: &'q [u8]) -> Option<Key<'q>> {
        (TAIL..=NAME + TAIL).contains(&question.len()).then_some(Key { view, bits, question })
    }

    /// Whether it is the key that was folded to this.
    pub(super) fn is(&self, folded: &[u8]) -> bool {
        let Some((head, question)) = folded.split_first_chunk::<HEAD>() else { return false };
        let ([v0, v1, v2, v3], name) = (self.view.to_be_bytes(), self.question.len() - TAIL);
        question.len() == self.question.len()
            && *head == [v0, v1, v2, v3, self.bits]
            && question[name..] == self.question[name..]
            && (question[..name] == self.question[..name]
                || question[..name].eq_ignore_ascii_case(&self.question[..name]))
    }

    /// The question section, in the case it came in.
    pub fn question(&self) -> &'q [u8] {
        self.question
    }
}

/// A key in one piece, its name in lower case. Room that is used again: to clear and to move it costs more than to fill it.
pub(super) struct Folded {
    bytes: [u8; (HEAD + NAME + TAIL).next_multiple_of(STRIDE)],
    length: usize,
}

impl Folded {
    /// Of no key.
    pub(super) const EMPTY: Folded = Folded { bytes: [0; _], length: 0 };

    /// That of `key`.
    pub(super) fn of(&mut self, key: &Key<'_>) -> &[u8] {
        let (name, tail) = key.question.split_at(key.question.len() - TAIL);
        let end = HEAD + name.len();
        self.length = end + TAIL;
        self.bytes[HEAD..end].copy_from_slice(name);
        // Whole strides, before anything else is written: type and class are no letters, and HTTPS (65) is not 97.
        self.bytes[..end.next_multiple_of(STRIDE)].make_ascii_lowercase();
        self.bytes[end..end + TAIL].copy_from_slice(tail);
        self.bytes[..4].copy_from_slice(&key.view.to_be_bytes());
        self.bytes[4] = key.bits;
        self.as_bytes()
    }

    /// What was folded last.
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
        let mut folded = Folded::EMPTY;
        // What a longer one has left is no part of a shorter one.
        for length in (0..=NAME).rev() {
            let question = [&vec![b'A'; length][..], b"\0A\0A"].concat();
            let expected = [b"\0\0\x02\x01\x13", &vec![b'a'; length][..], b"\0A\0A"].concat();
            let key = Key::new(0x201, 0x13, &question).unwrap();
            assert_eq!(folded.of(&key), expected);
            assert!(key.is(&expected));
            for at in 0..expected.len() {
                let mut other = expected.clone();
                other[at] ^= 0x20;
                let is_letter = (HEAD..HEAD + length).contains(&at);
                assert_eq!(key.is(&other), is_letter, "octet {at} of {length}");
            }
        }
        assert!(Key::new(0, 0, &[0; NAME + TAIL + 1]).is_none());
        assert!(Key::new(0, 0, &[0; TAIL - 1]).is_none());
    }
}
