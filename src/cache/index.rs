//! From the hash of a key to where its entry is: an open table whose slots hold the hash beside the place. A look at it takes
//! one cache line where a table with its control bytes apart takes two, each waited for before the next; and it grows
//! without a look at the entries.

/// Where an entry is.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    at: u32,
}

const NOBODY: Slot = Slot { hash: 0, at: u32::MAX };
const SMALLEST: usize = 16;

/// Hashes and places. The same hash may have several.
#[derive(Default)]
pub(super) struct Index {
    /// None, or a power of two, at most three quarters of them taken. A slot is at the place that the upper bits of its
    /// hash name, or in the row of taken ones behind that.
    slots: Vec<Slot>,
    taken: usize,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.taken
    }

    /// The first place with this hash that `is_it`.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.row(hash).find(|(_, slot)| slot.hash == hash && is_it(slot.at)).map(|(_, slot)| slot.at)
    }

    /// Adds a place that is not in it.
    pub(super) fn insert(&mut self, hash: u32, at: u32) {
        if (self.taken + 1) * 4 > self.slots.len() * 3 {
            let larger = vec![NOBODY; (self.slots.len() * 2).max(SMALLEST)];
            for slot in std::mem::replace(&mut self.slots, larger) {
                if slot.at != NOBODY.at {
                    self.put(slot);
                }
            }
        }
        self.put(Slot { hash, at });
        self.taken += 1;
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, hash: u32, at: u32) {
        let Some((mut gap, _)) = self.row(hash).find(|(_, slot)| slot.at == at) else { return };
        self.taken -= 1;
        // Who stands behind moves up, unless that were before the place that its hash names.
        let mask = self.slots.len() - 1;
        let mut nth = gap;
        loop {
            nth = (nth + 1) & mask;
            let slot = self.slots[nth];
            if slot.at == NOBODY.at {
                break;
            }
            if nth.wrapping_sub(self.home(slot.hash)) & mask >= nth.wrapping_sub(gap) & mask {
                self.slots[gap] = slot;
                gap = nth;
            }
        }
        self.slots[gap] = NOBODY;
    }

    /// Takes all places out.
    pub(super) fn clear(&mut self) {
        *self = Index::default();
    }

    fn put(&mut self, new: Slot) {
        let mask = self.slots.len() - 1;
        let mut nth = self.home(new.hash);
        while self.slots[nth].at != NOBODY.at {
            nth = (nth + 1) & mask;
        }
        self.slots[nth] = new;
    }

    /// The taken slots from the place that a hash names to the first free one, and where they are.
    fn row(&self, hash: u32) -> impl Iterator<Item = (usize, Slot)> {
        let (home, mask) = (self.home(hash), self.slots.len().wrapping_sub(1));
        (0..self.slots.len())
            .map(move |n| (home + n) & mask)
            .map(|nth| (nth, self.slots[nth]))
            .take_while(|(_, slot)| slot.at != NOBODY.at)
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_one_has_nothing_and_forgets_nothing() {
        let mut index = Index::default();
        assert_eq!(index.find(7, |_| true), None);
        index.remove(7, 7);
        index.clear();
        assert_eq!(index.len(), 0);
    }

    /// Few, at both ends: rows that are long, and that go on at the beginning.
    const HASHES: [u32; 6] = [0, 1, 1 << 28, 1 << 31, u32::MAX - 1, u32::MAX];
    const PLACES: u32 = 30;

    proptest! {
        #[test]
        fn it_has_what_was_put_in_and_not_taken_out(
            steps in prop::collection::vec((any::<bool>(), 0..HASHES.len(), 0..PLACES), 0..200)
        ) {
            let (mut index, mut model) = (Index::default(), HashMap::new());
            for (adds, hash, at) in steps {
                if adds && !model.contains_key(&at) {
                    index.insert(HASHES[hash], at);
                    model.insert(at, HASHES[hash]);
                } else if let Some(was) = model.remove(&at) {
                    index.remove(was, at);
                }
                prop_assert_eq!(index.len(), model.len());
                for at in 0..PLACES {
                    let known = HASHES.into_iter().find(|hash| index.find(*hash, |found| found == at).is_some());
                    prop_assert_eq!(known, model.get(&at).copied());
                }
            }
        }
    }
}
