//! From the hash of a key to where its entry is. A slot holds the hash beside the place, so that it grows without a look at
//! the entries.

use hashbrown::HashTable;

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    at: u32,
}

impl Slot {
    /// As the table wants it: it looks at both ends of 64 bits.
    fn spread(hash: u32) -> u64 {
        (u64::from(hash) << 32) | u64::from(hash)
    }
}

/// Hashes and places. The same hash may have several.
#[derive(Default)]
pub(super) struct Index(HashTable<Slot>);

impl Index {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The first place with this hash that `is_it`.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.find(Slot::spread(hash), |slot| slot.hash == hash && is_it(slot.at)).map(|slot| slot.at)
    }

    /// Adds a place that is not in it.
    pub(super) fn insert(&mut self, hash: u32, at: u32) {
        self.0.insert_unique(Slot::spread(hash), Slot { hash, at }, |slot| Slot::spread(slot.hash));
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, hash: u32, at: u32) {
        if let Ok(found) = self.0.find_entry(Slot::spread(hash), |slot| slot.at == at) {
            found.remove();
        }
    }

    /// Takes all places out.
    pub(super) fn clear(&mut self) {
        self.0 = HashTable::new();
    }
}
