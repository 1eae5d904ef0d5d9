//! From the hash of a key to where its entry is. A slot holds the hash beside the place, so that it grows without a look at
//! the entries.
//!
//! Hashes and places stand in one cache line, whose address the hash alone gives: a hit waits for one place in memory before
//! its entry, where a table that keeps tags apart waits for two, and that place can be fetched ahead.

use prefetch_index::prefetch_index;

/// Slots of a line.
const SLOTS: usize = 8;
/// Slots that may be taken in a line, on average: where more are, too many names are in a second line.
const MOST: usize = 6;
/// The first lines.
const LEAST: usize = 4;
/// No place.
pub(super) const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    at: u32,
}

impl Slot {
    const NONE: Slot = Slot { hash: 0, at: NOWHERE };
}

/// Those that are taken come first.
#[derive(Clone)]
#[repr(align(64))]
struct Line([Slot; SLOTS]);

const _: () = assert!(size_of::<Line>() == 64);

impl Line {
    const EMPTY: Line = Line([Slot::NONE; SLOTS]);

    fn taken(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().copied().take_while(|slot| slot.at != NOWHERE)
    }

    fn is_full(&self) -> bool {
        self.0[SLOTS - 1].at != NOWHERE
    }

    fn take_out(&mut self, nth: usize) -> Slot {
        let last = self.taken().count() - 1;
        self.0.swap(nth, last);
        std::mem::replace(&mut self.0[last], Slot::NONE)
    }
}

/// Hashes and places. The same hash may have several.
#[derive(Default)]
pub(super) struct Index {
    /// A power of two of them, or none. What its own line has no slot for is in the next one that has.
    lines: Vec<Line>,
    len: usize,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Has the place where this hash would be fetched from memory, without waiting for it.
    pub(super) fn prefetch(&self, hash: u32) {
        prefetch_index(&self.lines, self.home(hash));
    }

    /// The first place with this hash that `is_it`.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.run(self.home(hash)).find_map(|(_, line)| {
            let found = line.taken().find(|slot| slot.hash == hash && is_it(slot.at));
            found.map(|slot| slot.at)
        })
    }

    /// Adds a place that is not in it.
    pub(super) fn insert(&mut self, hash: u32, at: u32) {
        if self.len >= self.lines.len() * MOST {
            self.grow();
        }
        self.place(Slot { hash, at });
        self.len += 1;
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, hash: u32, at: u32) {
        let found = self.run(self.home(hash)).find_map(|(number, line)| {
            let nth = line.taken().position(|slot| slot.at == at)?;
            Some((number, nth, line.is_full()))
        });
        let Some((number, nth, was_full)) = found else { return };
        self.lines[number].take_out(nth);
        self.len -= 1;
        if was_full {
            self.fill(number);
        }
    }

    /// Takes all places out.
    pub(super) fn clear(&mut self) {
        *self = Index::default();
    }

    fn mask(&self) -> usize {
        self.lines.len().wrapping_sub(1)
    }

    /// The line of a hash.
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask()
    }

    /// The lines from this on that are full, and the first that is not.
    fn run(&self, first: usize) -> impl Iterator<Item = (usize, &Line)> {
        let numbers = (0..self.lines.len()).map(move |far| (first + far) & self.mask());
        let mut is_over = false;
        numbers.map_while(move |number| {
            let line = self.lines.get(number).filter(|_| !is_over)?;
            is_over = !line.is_full();
            Some((number, line))
        })
    }

    fn place(&mut self, slot: Slot) {
        let Some((number, line)) = self.run(self.home(slot.hash)).last() else { return };
        let free = line.taken().count();
        self.lines[number].0[free] = slot;
    }

    fn grow(&mut self) {
        let fresh = vec![Line::EMPTY; (2 * self.lines.len()).max(LEAST)];
        let old = std::mem::replace(&mut self.lines, fresh);
        old.iter().flat_map(Line::taken).for_each(|slot| self.place(slot));
    }

    /// Fills the slot of a line that was full with one behind it that would be in it, had there been room, or before it:
    /// nobody looks beyond a line that is not full.
    fn fill(&mut self, mut hole: usize) {
        while let Some((number, nth)) = self.behind(hole) {
            let was_full = self.lines[number].is_full();
            let slot = self.lines[number].take_out(nth);
            self.lines[hole].0[SLOTS - 1] = slot;
            if !was_full {
                return;
            }
            hole = number;
        }
    }

    /// The first behind this line whose own line is this or one before.
    fn behind(&self, hole: usize) -> Option<(usize, usize)> {
        let distance = |from: usize, to: usize| to.wrapping_sub(from) & self.mask();
        self.run((hole + 1) & self.mask()).take_while(|(number, _)| *number != hole).find_map(
            |(number, line)| {
                let is_from_before = |slot: Slot| {
                    let home = self.home(slot.hash);
                    distance(home, number) >= distance(hole, number)
                };
                line.taken().position(is_from_before).map(|nth| (number, nth))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Hashes that differ little: lines overflow, the last into the first.
        #[test]
        fn whatever_was_put_in_and_not_taken_out_is_found(
            steps in prop::collection::vec((0_u32..3, 0_u32..40, 0_u32..8), 1..600),
        ) {
            let (mut index, mut held) = (Index::default(), Vec::<(u32, u32)>::new());
            for (number, (what, hash, spread)) in steps.into_iter().enumerate() {
                let hash = hash + spread.saturating_sub(6) * 0x8000_0000 + u32::from(spread == 0) * 60;
                if what == 0 && !held.is_empty() {
                    let (hash, at) = held.swap_remove(hash as usize % held.len());
                    index.remove(hash, at);
                    prop_assert_eq!(index.find(hash, |found| found == at), None);
                } else {
                    index.insert(hash, number as u32);
                    held.push((hash, number as u32));
                }
                prop_assert_eq!(index.len(), held.len());
                for (hash, at) in &held {
                    prop_assert_eq!(index.find(*hash, |found| found == *at), Some(*at));
                }
            }
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let mut index = Index::default();
        index.prefetch(7);
        index.remove(7, 1);
        assert_eq!((index.len(), index.find(7, |_| true)), (0, None));
        index.insert(7, 1);
        assert_eq!(
            (index.find(7, |_| true), index.find(7, |_| false), index.find(8, |_| true)),
            (Some(1), None, None)
        );
        index.clear();
        assert_eq!((index.len(), index.find(7, |_| true)), (0, None));
    }
}
