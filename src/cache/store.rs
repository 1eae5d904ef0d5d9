//! Keys and values in as little memory as they can have: a log of entries in chunks, and an index of eight octets each.
//!
//! A map of boxed entries costs more for itself than for what it keeps: moka 350 to 400 octets an entry, measured, beside
//! the hundred that a name and its address take. Here an entry is its bytes and a header ([`chunk`]). When the log is full its oldest
//! chunk is given up; what was used since it was written moves to the end (CLOCK), so a flood of names that nobody asks
//! twice passes through and what is asked again stays.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use self::chunk::{ALIGN, Draft, Entry, Tails, Value, read};

/// Locked briefly; only what is not in a worker's own answers comes here.
const SHARDS: usize = 16;
/// The largest chunk. No entry is larger than half of one.
const CHUNK: usize = 1 << 17;
/// The smallest, for caches that are small.
const SMALL_CHUNK: usize = 1 << 12;
/// Chunks that a shard has at least when it is full: what is given up at once is a small part.
const CHUNKS: usize = 8;
/// Bits of a place that count within a chunk.
const OFFSET_BITS: u32 = (CHUNK / ALIGN).trailing_zeros();

/// A log and its index, in shards.
pub(super) struct Store {
    shards: Box<[Mutex<Shard>]>,
    evictions: AtomicU64,
}

struct Shard {
    index: HashTable<Slot>,
    /// The oldest first.
    chunks: VecDeque<Vec<u8>>,
    /// Those of the last chunk.
    tails: Tails,
    /// The number of the oldest, modulo the bits that a place has for it.
    first: u32,
    chunk_size: usize,
    capacity: usize,
}

/// Where an entry stands, and enough of its hash to find it without looking there.
#[derive(Clone, Copy)]
struct Slot {
    tag: u32,
    place: u32,
}

/// What is kept of the oldest chunk, as it will begin the new one.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    tails: Tails,
}

impl Store {
    /// An empty store that takes so many octets, the index included.
    pub(super) fn new(capacity: u64) -> Store {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX) / SHARDS;
        let chunk_size = (capacity / CHUNKS).clamp(SMALL_CHUNK, CHUNK).next_power_of_two().min(CHUNK);
        let shard = || {
            let (index, chunks, tails) = (HashTable::new(), VecDeque::new(), Tails::default());
            Mutex::new(Shard { index, chunks, tails, first: 0, chunk_size, capacity })
        };
        Store { shards: (0..SHARDS).map(|_| shard()).collect(), evictions: AtomicU64::new(0) }
    }

    /// What `read` makes of the value kept under this key: its own part, and its tail.
    pub(super) fn get<T>(&self, hash: u64, key: &[u8], read: impl FnOnce(&[u8], &[u8]) -> T) -> Option<T> {
        let mut shard = self.shard(hash);
        let place = shard.find(tag(hash), key)?;
        shard.mark_used(place);
        let Value { own, tail } = shard.entry(place)?.value;
        Some(read(own, tail))
    }

    /// Keeps a value in place of the one that was. A tail that others have, too, takes little room. A value too large for
    /// half a chunk is not kept.
    pub(super) fn put(&self, hash: u64, key: &[u8], own: &[&[u8]], tail: &[u8]) {
        let evicted = self.shard(hash).put(&Draft { tag: tag(hash), key, own, tail });
        if evicted > 0 {
            self.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    /// Entries, octets taken, entries put out for room.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let (mut entries, mut bytes) = (0, 0);
        for shard in &self.shards {
            let shard = lock(shard);
            entries += shard.index.len() as u64;
            bytes += shard.bytes() as u64;
        }
        (entries, bytes, self.evictions.load(Ordering::Relaxed))
    }

    /// Shows every key, its value's own part and its tail to `see`, a shard at a time.
    pub(super) fn for_each(&self, mut see: impl FnMut(&[u8], &[u8], &[u8])) {
        for shard in &self.shards {
            let shard = lock(shard);
            for slot in &shard.index {
                if let Some(entry) = shard.entry(slot.place) {
                    see(entry.key, entry.value.own, entry.value.tail);
                }
            }
        }
    }

    /// Takes out the entries whose key is `covered`, and says how many. A shard is never held for more than a chunk: workers
    /// wait for it.
    pub(super) fn forget(&self, covered: impl Fn(&[u8]) -> bool) -> u64 {
        let mut gone = 0;
        for shard in &self.shards {
            let (mut number, chunks) = {
                let shard = lock(shard);
                (shard.first, shard.capacity / shard.chunk_size + 2)
            };
            // What is moved to the end meanwhile is met there; the bound is for chunks that come faster than we go.
            for _ in 0..2 * chunks {
                let Some(found) = lock(shard).forget(number, &covered) else { break };
                gone += found;
                number = number.wrapping_add(1) & (u32::MAX >> OFFSET_BITS);
            }
        }
        gone
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The index takes its bits from the upper half.
        lock(&self.shards[hash as usize % SHARDS])
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A panic elsewhere leaves a shard whole enough: what the index points at is checked whenever it is read.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// Spread over all bits: the table takes the upper and the lower ones.
    fn hash(self) -> u64 {
        u64::from(self.tag).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Shard {
    fn find(&self, tag: u32, key: &[u8]) -> Option<u32> {
        let is_it =
            |slot: &Slot| slot.tag == tag && self.entry(slot.place).is_some_and(|entry| entry.key == key);
        self.index.find(Slot { tag, place: 0 }.hash(), is_it).map(|slot| slot.place)
    }

    /// Says how many entries had to go.
    fn put(&mut self, draft: &Draft<'_>) -> u64 {
        let Some(size) = draft.size().filter(|size| *size <= self.chunk_size / 2) else { return 0 };
        let evicted = self.make_room(size);
        let place = self.end();
        let Some(chunk) = self.chunks.back_mut() else { return evicted };
        chunk::write(chunk, &mut self.tails, draft);
        self.point(draft.tag, draft.key, place);
        evicted
    }

    /// Lets the index find `key` at `place`.
    fn point(&mut self, tag: u32, key: &[u8], place: u32) {
        let before = self.find(tag, key);
        let hash = Slot { tag, place }.hash();
        match before.and_then(|old| self.index.find_mut(hash, |slot| slot.place == old)) {
            Some(slot) => slot.place = place,
            None => _ = self.index.insert_unique(hash, Slot { tag, place }, |slot| slot.hash()),
        }
    }

    /// Sees to it that the last chunk has room for an entry.
    fn make_room(&mut self, size: usize) -> u64 {
        let fits = |chunk: &Vec<u8>| chunk.len() + size <= self.chunk_size;
        if self.chunks.back().is_some_and(fits) {
            return 0;
        }
        let mut evicted = 0;
        let mut fresh = Vec::new();
        let mut kept = Kept::default();
        while !self.chunks.is_empty() && self.bytes() + self.chunk_size > self.capacity {
            let (old, gone) = self.give_up_oldest(&mut kept);
            evicted += gone;
            fresh = old;
        }
        fresh.clear();
        // Its pages come from the system one by one as they are written, so an empty cache takes next to nothing.
        fresh.reserve_exact(self.chunk_size);
        self.chunks.push_back(fresh);
        self.take_back(kept);
        evicted
    }

    /// Takes the oldest chunk out. What was used is left in `kept`, up to half a chunk: there must be room for the new.
    fn give_up_oldest(&mut self, kept: &mut Kept) -> (Vec<u8>, u64) {
        let Some(chunk) = self.chunks.pop_front() else { return (Vec::new(), 0) };
        let number = self.first;
        self.first = number.wrapping_add(1) & (u32::MAX >> OFFSET_BITS);
        let (mut at, mut evicted) = (0, 0);
        while let Some((entry, end)) = read(&chunk, at) {
            let place = number << OFFSET_BITS | (at / ALIGN) as u32;
            let hash = Slot { tag: entry.tag, place }.hash();
            if let Ok(slot) = self.index.find_entry(hash, |slot| slot.place == place) {
                slot.remove();
                let Entry { tag, key, value: Value { own, tail }, used } = entry;
                let (own, room) = ([own], self.chunk_size / 2 - kept.bytes.len());
                let draft = Draft { tag, key, own: &own, tail };
                if used && draft.size().is_some_and(|size| size <= room) {
                    chunk::write(&mut kept.bytes, &mut kept.tails, &draft);
                } else {
                    evicted += 1;
                }
            }
            at = end;
        }
        (chunk, evicted)
    }

    /// Takes what is covered out of the chunk of this number; `None`: it is behind the last.
    fn forget(&mut self, number: u32, covered: &impl Fn(&[u8]) -> bool) -> Option<u64> {
        let mask = u32::MAX >> OFFSET_BITS;
        let nth = (number.wrapping_sub(self.first) & mask) as usize;
        if nth > mask as usize / 2 {
            // It was given up meanwhile.
            return Some(0);
        }
        let chunk = self.chunks.get(nth)?;
        let (mut at, mut gone) = (0, 0);
        while let Some((entry, end)) = read(chunk, at) {
            let place = number << OFFSET_BITS | (at / ALIGN) as u32;
            if covered(entry.key) {
                let hash = Slot { tag: entry.tag, place }.hash();
                if let Ok(slot) = self.index.find_entry(hash, |slot| slot.place == place) {
                    slot.remove();
                    gone += 1;
                }
            }
            at = end;
        }
        Some(gone)
    }

    /// Begins the new chunk with what is kept of the oldest. It has to be used again to be kept once more.
    fn take_back(&mut self, kept: Kept) {
        let (mut at, number) = (0, self.end());
        while let Some((entry, end)) = read(&kept.bytes, at) {
            let slot = Slot { tag: entry.tag, place: number | (at / ALIGN) as u32 };
            self.index.insert_unique(slot.hash(), slot, |slot| slot.hash());
            at = end;
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        chunk.extend_from_slice(&kept.bytes);
        self.tails = kept.tails;
    }

    /// The place behind the last entry.
    fn end(&self) -> u32 {
        let last = self.first.wrapping_add(self.chunks.len().saturating_sub(1) as u32);
        last << OFFSET_BITS | (self.chunks.back().map_or(0, Vec::len) / ALIGN) as u32
    }

    fn entry(&self, place: u32) -> Option<Entry<'_>> {
        let (nth, at) = self.position(place);
        read(self.chunks.get(nth)?, at).map(|(entry, _)| entry)
    }

    fn mark_used(&mut self, place: u32) {
        let (nth, at) = self.position(place);
        if let Some(chunk) = self.chunks.get_mut(nth) {
            chunk::mark_used(chunk, at);
        }
    }

    fn position(&self, place: u32) -> (usize, usize) {
        let number = place >> OFFSET_BITS;
        let nth = number.wrapping_sub(self.first) & (u32::MAX >> OFFSET_BITS);
        (nth as usize, (place & ((1 << OFFSET_BITS) - 1)) as usize * ALIGN)
    }

    /// What log and index take.
    fn bytes(&self) -> usize {
        self.chunks.len() * self.chunk_size + self.index.allocation_size()
    }
}

mod chunk;
#[cfg(test)]
mod tests;
