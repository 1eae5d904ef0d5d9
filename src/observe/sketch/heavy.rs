//! Who asks most, in fixed memory: the Space-Saving sketch of Metwally, Agrawal and El Abbadi (2005).
//!
//! So many counters and no more. A key that has none takes over the smallest: it cannot have come more often than that
//! one said. A key that came more often than once in `capacity` events is therefore always among them, its count too
//! high by `over` at most.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::hash::BuildHasher;

/// The counters: a heap with the smallest first.
pub(super) struct Heavy {
    capacity: usize,
    heap: Vec<Entry>,
    /// Where in the heap each key is, by its hash. The seed is drawn anew each time, so nobody can aim at a collision;
    /// two keys that share a hash of 64 bits by chance share a counter.
    places: HashMap<u64, usize, RandomState>,
    seed: RandomState,
}

/// One key and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    hash: u64,
    /// The key's octets.
    pub(super) key: Vec<u8>,
    /// How often it came, at most.
    pub(super) count: u64,
    /// By how much that may be too high.
    pub(super) over: u64,
}

impl Heavy {
    /// With so many counters.
    pub(super) fn new(capacity: usize) -> Heavy {
        Heavy {
            capacity,
            heap: Vec::with_capacity(capacity),
            places: HashMap::with_capacity_and_hasher(capacity, RandomState::default()),
            seed: RandomState::default(),
        }
    }

    /// One more of this key.
    pub(super) fn see(&mut self, key: &[u8]) {
        let hash = self.seed.hash_one(key);
        if let Some(&at) = self.places.get(&hash) {
            self.heap[at].count += 1;
            self.sink(at);
        } else if self.heap.len() < self.capacity {
            let at = self.heap.len();
            self.heap.push(Entry { hash, key: key.to_vec(), count: 1, over: 0 });
            self.places.insert(hash, at);
            self.rise(at);
        } else if let Some(smallest) = self.heap.first_mut() {
            self.places.remove(&smallest.hash);
            smallest.hash = hash;
            smallest.key.clear();
            smallest.key.extend_from_slice(key);
            smallest.over = smallest.count;
            smallest.count += 1;
            self.places.insert(hash, 0);
            self.sink(0);
        }
    }

    /// All counters, in no order; they begin anew.
    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.places.clear();
        std::mem::replace(&mut self.heap, Vec::with_capacity(self.capacity))
    }

    /// All counters, in no order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.heap
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 && self.heap[at].count < self.heap[(at - 1) / 2].count {
            self.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let smaller = [2 * at + 1, 2 * at + 2]
                .into_iter()
                .filter(|child| *child < self.heap.len())
                .min_by_key(|child| self.heap[*child].count);
            match smaller {
                Some(child) if self.heap[child].count < self.heap[at].count => {
                    self.swap(at, child);
                    at = child;
                }
                _ => return,
            }
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places.insert(self.heap[a].hash, a);
        self.places.insert(self.heap[b].hash, b);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashMap as Exact;

    #[test]
    fn whoever_comes_often_is_found_and_never_counted_too_low() {
        let mut heavy = Heavy::new(64);
        let mut exact: Exact<u32, u64> = Exact::new();
        // Ten heavy keys in a crowd of 20,000 that come once each.
        let mut random = fastrand::Rng::with_seed(7);
        for light in 1_000..21_000_u32 {
            let key = if random.u8(..) < 100 { u32::from(random.u8(..10)) } else { light };
            *exact.entry(key).or_default() += 1;
            heavy.see(&key.to_be_bytes());
        }
        let total: u64 = exact.values().sum();
        for (key, count) in exact.iter().filter(|(key, _)| **key < 10) {
            let entry = heavy.entries().iter().find(|entry| entry.key == key.to_be_bytes()).unwrap();
            assert!(entry.count >= *count && entry.count - entry.over <= *count, "{key}: {entry:?}, {count}");
            assert!(entry.over <= total / 64);
        }
    }

    #[test]
    fn its_memory_is_fixed_and_its_counts_add_up() {
        let mut heavy = Heavy::new(16);
        for key in 0..100_000_u32 {
            heavy.see(&key.to_be_bytes());
        }
        assert_eq!((heavy.heap.len(), heavy.heap.capacity(), heavy.places.len()), (16, 16, 16));
        assert_eq!(heavy.entries().iter().map(|entry| entry.count).sum::<u64>(), 100_000);
        for (at, entry) in heavy.heap.iter().enumerate() {
            assert_eq!(heavy.places[&entry.hash], at);
            assert!(at == 0 || heavy.heap[(at - 1) / 2].count <= entry.count);
        }
        assert_eq!(heavy.take().len(), 16);
        assert_eq!((heavy.heap.len(), heavy.places.len()), (0, 0));
    }
}
