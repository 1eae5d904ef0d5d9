//! A chunk of the log: entries one behind the other.
//!
//! What many entries end with is written once a chunk. Beside every name that a zone does not have stands the zone's SOA
//! record, which takes nearly half of such an entry; of a flood of them only the first in a chunk has it, and the others
//! name that one. They go together when the chunk goes, so nothing is left that names what is gone.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Entries begin at multiples of this.
pub(super) const ALIGN: usize = 4;
/// Own length, tail's length, tail's place, key length with the mark of use, tag.
const HEADER: usize = 12;
/// The octet of a header with the mark of use, and the mark.
const MARK: (usize, u8) = (7, 0x80);
/// The longest key: its length shares two octets with the mark.
const MOST_KEY: usize = 0x7FFF;
/// As a tail's place: behind the entry itself.
const HERE: u16 = u16::MAX;
/// Tails that are looked for. One that falls on another's place is written once more.
const TAILS: usize = 64;

/// One entry, borrowed.
pub(super) struct Entry<'a> {
    pub(super) tag: u32,
    pub(super) used: bool,
    pub(super) key: &'a [u8],
    pub(super) value: Value<'a>,
}

/// A value: what is this entry's own, and what it may share.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) own: &'a [u8],
    pub(super) tail: &'a [u8],
}

/// An entry to be written.
pub(super) struct Draft<'a> {
    pub(super) tag: u32,
    pub(super) key: &'a [u8],
    /// In parts, one behind the other.
    pub(super) own: &'a [&'a [u8]],
    pub(super) tail: &'a [u8],
}

impl Draft<'_> {
    /// Octets that it takes at most; none of one that cannot be written.
    pub(super) fn size(&self) -> Option<usize> {
        let own: usize = self.own.iter().map(|part| part.len()).sum();
        let can_say = |length: usize| u16::try_from(length).is_ok();
        let fits = self.key.len() <= MOST_KEY && can_say(own) && can_say(self.tail.len());
        let size = HEADER + self.key.len() + own + self.tail.len();
        fits.then(|| size.next_multiple_of(ALIGN))
    }
}

/// Where the tails of a chunk stand.
#[derive(Clone)]
pub(super) struct Tails([u16; TAILS]);

impl Default for Tails {
    fn default() -> Tails {
        Tails([HERE; TAILS])
    }
}

impl Tails {
    /// The place of this tail, or `HERE`, and that it is here from now on.
    fn find(&mut self, chunk: &[u8], tail: &[u8]) -> u16 {
        // Whoever aims at a place gains nothing but that his own entries are longer.
        let place = &mut self.0[FixedState::default().hash_one(tail) as usize % TAILS];
        if *place != HERE && tail_at(chunk, *place) == Some(tail) {
            return *place;
        }
        *place = (chunk.len() / ALIGN) as u16;
        HERE
    }
}

/// Writes an entry at the end. There must be room for it.
pub(super) fn write(chunk: &mut Vec<u8>, tails: &mut Tails, draft: &Draft<'_>) {
    let Draft { tag, key, own, tail } = draft;
    let tail_place = if tail.is_empty() { HERE } else { tails.find(chunk, tail) };
    let own_length: usize = own.iter().map(|part| part.len()).sum();
    let numbers = [own_length as u16, tail.len() as u16, tail_place, key.len() as u16].map(u16::to_le_bytes);
    let mut header = [0; HEADER];
    let (lengths, tag_octets) = header.split_at_mut(HEADER - 4);
    lengths.copy_from_slice(numbers.as_flattened());
    tag_octets.copy_from_slice(&tag.to_le_bytes());
    chunk.extend_from_slice(&header);
    chunk.extend_from_slice(key);
    own.iter().filter(|part| !part.is_empty()).for_each(|part| chunk.extend_from_slice(part));
    if tail_place == HERE && !tail.is_empty() {
        chunk.extend_from_slice(tail);
    }
    let lacking = chunk.len().next_multiple_of(ALIGN) - chunk.len();
    chunk.extend_from_slice(&[0; ALIGN][..lacking]);
}

/// The entry at this position of a chunk, and where the next one begins.
pub(super) fn read(chunk: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
    let (header, rest) = chunk.get(at..)?.split_first_chunk::<HEADER>()?;
    let [o0, o1, l0, l1, p0, p1, k0, k1, t0, t1, t2, t3] = *header;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([k0, k1 & !MARK.1])))?;
    let (own, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([o0, o1])))?;
    let (tail, behind) = match u16::from_le_bytes([p0, p1]) {
        HERE => {
            let tail = rest.get(..usize::from(u16::from_le_bytes([l0, l1])))?;
            (tail, tail.len())
        }
        place => (tail_at(chunk, place)?, 0),
    };
    let end = (at + HEADER + key.len() + own.len() + behind).next_multiple_of(ALIGN);
    let tag = u32::from_le_bytes([t0, t1, t2, t3]);
    Some((Entry { tag, used: k1 & MARK.1 != 0, key, value: Value { own, tail } }, end))
}

/// The tail that stands with the entry at this place.
fn tail_at(chunk: &[u8], place: u16) -> Option<&[u8]> {
    let entry = chunk.get(usize::from(place) * ALIGN..)?;
    let number = |at: usize| Some(u16::from_le_bytes(*entry.get(at..)?.first_chunk()?));
    let (own, tail, key) = (number(0)?, number(2)?, number(6)? & MOST_KEY as u16);
    let begin = HEADER + usize::from(key) + usize::from(own);
    entry.get(begin..begin + usize::from(tail))
}

/// Notes that the entry at this position was used.
pub(super) fn mark_used(chunk: &mut [u8], at: usize) {
    // Written only once: the line stays clean for whoever reads it next.
    if let Some(octet) = chunk.get_mut(at + MARK.0).filter(|octet| **octet & MARK.1 == 0) {
        *octet |= MARK.1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_tail_is_written_once_and_read_with_every_entry_that_has_it() {
        let (mut chunk, mut tails, mut begins) = (Vec::new(), Tails::default(), Vec::new());
        let drafts = [
            ["a", "one", "the tail that many have"],
            ["bb", "two", "the tail that many have"],
            ["c", "", ""],
            ["d", "", "another"],
            ["", "four", "the tail that many have"],
            ["e", "five", "another"],
        ];
        for (tag, texts) in (0..).zip(drafts) {
            let [key, own, tail] = texts.map(str::as_bytes);
            let own = own.split_at(own.len() / 2);
            let (begin, own) = (chunk.len(), [own.0, own.1]);
            let draft = Draft { tag, key, own: &own, tail };
            write(&mut chunk, &mut tails, &draft);
            assert!(chunk.len() - begin <= draft.size().unwrap());
            begins.push(begin);
        }
        mark_used(&mut chunk, begins[1]);
        mark_used(&mut chunk, begins[1]);
        let mut at = 0;
        for (nth, texts) in drafts.into_iter().enumerate() {
            let [key, own, tail] = texts.map(str::as_bytes);
            let (entry, end) = read(&chunk, at).unwrap();
            assert_eq!((at, entry.tag, entry.used), (begins[nth], nth as u32, nth == 1));
            assert_eq!((entry.key, entry.value.own, entry.value.tail), (key, own, tail));
            at = end;
        }
        assert!(at == chunk.len() && read(&chunk, at).is_none());
        let written = chunk.windows(8).filter(|octets| *octets == b"the tail").count();
        assert_eq!(written, 1);
    }

    #[test]
    fn what_its_lengths_cannot_say_is_not_written() {
        let long = vec![0; 1 << 16];
        let size = |key, own: &[&[u8]], tail| Draft { tag: 0, key, own, tail }.size();
        assert!(size(&long[..MOST_KEY], &[&long[1..]], &long[1..]).is_some());
        assert_eq!(size(&long[..=MOST_KEY], &[], &[]), None);
        assert_eq!(size(&[], &[&long[1..], &[0]], &[]), None);
        assert_eq!(size(&[], &[], &long), None);
    }
}
