//! Finished answers of one worker: a hit is a copy and a patch (ID, flags, QNAME case, TTLs, turn).
//!
//! Views and routes are numbers of a snapshot, so the worker clears the cache when the snapshot changes; what the sources
//! said stays in the response cache. Entries made from zones carry the zones' generations and die with them.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::count::Counts;
use super::forget::Forget;
pub use super::key::Key;
use super::remains::Remains;
use crate::wire::patch::{self, Turn};

/// What an answer depends on beside its snapshot: a zone's counter, and where it stood.
pub type Stamp = (Arc<AtomicU64>, u64);

/// Of an answer's time, the last so manieth is its end.
const LAST_PART: u32 = 10;

/// How an answer's TTLs behave while it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// They count down and the answer ends with the least of them.
    CountDown,
    /// It is all from zones of ours: each answer gives the full TTL.
    Constant,
}

/// What the log and the metrics want to know of a cached answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The route that answered, by number.
    pub route: Option<u32>,
    /// The upstream server that answered, by number.
    pub server: Option<u32>,
    /// RCODE.
    pub rcode: u16,
    /// First extended error.
    pub ede: Option<u16>,
}

/// An answer that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whence.
    pub origin: Origin,
    /// Whether it ends soon.
    pub end: End,
}

/// Whether an answer's time is nearly over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is not, or that was said before.
    Later,
    /// It is: who wants it kept fetches it anew.
    Near,
}

/// An answer to keep.
pub struct Finished<'a> {
    /// The wire form.
    pub wire: &'a [u8],
    /// Where its TTLs stand.
    pub ttls: &'a [u16],
    /// Which RDATA take turns.
    pub turn: Option<Turn>,
    /// How its TTLs behave.
    pub ttl: Ttl,
    /// The least TTL it holds.
    pub least: Duration,
    /// What it depends on.
    pub stamps: SmallVec<[Stamp; 1]>,
    /// Whence.
    pub origin: Origin,
}

struct Entry {
    hash: u64,
    /// Key, wire form: one allocation.
    bytes: Box<[u8]>,
    ttls: Box<[u16]>,
    key_length: u16,
    turn: Option<Turn>,
    ttl: Ttl,
    stored: Duration,
    until: Duration,
    /// From when on its end is near.
    ending: Duration,
    stamps: SmallVec<[Stamp; 1]>,
    origin: Origin,
    used: bool,
}

impl Entry {
    fn size(&self) -> usize {
        size_of::<Entry>() + self.bytes.len() + 2 * self.ttls.len() + 16
    }

    fn is_live(&self, now: Duration) -> bool {
        now < self.until && self.stamps.iter().all(|(zone, was)| zone.load(Ordering::Acquire) == *was)
    }
}

/// The cache.
pub struct AnswerCache {
    index: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    remains: Remains<Option<Entry>>,
    hand: usize,
    bytes: usize,
    capacity: usize,
    seed: RandomState,
    counts: Counts,
}

impl AnswerCache {
    /// An empty cache that holds so many bytes.
    pub fn new(capacity: usize) -> AnswerCache {
        AnswerCache {
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            remains: Remains::default(),
            hand: 0,
            bytes: 0,
            capacity,
            seed: RandomState::default(),
            counts: Counts::default(),
        }
    }

    /// Writes the answer for this key into `out` (cleared first), as of `now`, addressed to the client.
    pub fn get(&mut self, key: &Key, now: Duration, client: &Client<'_>, out: &mut Vec<u8>) -> Option<Found> {
        let hash = self.hash(key.as_bytes());
        let Some(at) = self.find(hash, key.as_bytes()) else {
            self.counts.misses += 1;
            return None;
        };
        let entry = self.entries[at].as_mut()?;
        if !entry.is_live(now) {
            self.counts.misses += 1;
            self.remove(at);
            return None;
        }
        let wire = &entry.bytes[usize::from(entry.key_length)..];
        if wire.len() > client.limit {
            self.counts.misses += 1;
            return None;
        }
        entry.used = true;
        out.clear();
        out.extend_from_slice(wire);
        patch::address(out, client.id, client.flags, client.question);
        if entry.ttl == Ttl::CountDown {
            patch::age(out, &entry.ttls, (now.saturating_sub(entry.stored)).as_secs() as u32);
        }
        if let Some(turn) = &mut entry.turn {
            patch::rotate(out, &entry.ttls, turn);
            turn.by = turn.by.wrapping_add(1);
        }
        self.counts.hits += 1;
        let end = if now < entry.ending { End::Later } else { End::Near };
        if end == End::Near {
            entry.ending = Duration::MAX;
        }
        Some(Found { origin: entry.origin, end })
    }

    /// Keeps an answer.
    pub fn put(&mut self, key: &Key, now: Duration, finished: Finished<'_>) {
        let key = key.as_bytes();
        let hash = self.hash(key);
        if let Some(at) = self.find(hash, key) {
            self.remove(at);
        }
        let entry = Entry {
            hash,
            bytes: [key, finished.wire].concat().into(),
            ttls: finished.ttls.into(),
            key_length: key.len() as u16,
            turn: finished.turn,
            ttl: finished.ttl,
            stored: now,
            until: now + finished.least,
            ending: match finished.ttl {
                Ttl::CountDown => now + finished.least.saturating_sub(finished.least / LAST_PART),
                Ttl::Constant => Duration::MAX,
            },
            stamps: finished.stamps,
            origin: finished.origin,
            used: false,
        };
        if entry.size() > self.capacity / 4 {
            return;
        }
        self.bytes += entry.size();
        while self.bytes > self.capacity {
            self.evict(now);
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() as u32 - 1
        });
        self.entries[at as usize] = Some(entry);
        let entries = &self.entries;
        self.index.insert_unique(hash, at, |n| entries[*n as usize].as_ref().map_or(0, |entry| entry.hash));
    }

    /// Forgets everything: the snapshot changed. The memory goes back bit by bit, with each [`sweep`](Self::sweep).
    pub fn clear(&mut self) {
        self.remains.add(std::mem::take(&mut self.entries));
        self.index.clear();
        self.free.clear();
        (self.hand, self.bytes) = (0, 0);
    }

    /// Forgets the answers that an order covers, and says how many they were.
    pub fn forget(&mut self, order: &Forget) -> u64 {
        let covered = |entry: &Option<Entry>| {
            entry
                .as_ref()
                .is_some_and(|entry| order.covers_answer(&entry.bytes[..usize::from(entry.key_length)]))
        };
        let found: Vec<usize> = (0..self.entries.len()).filter(|at| covered(&self.entries[*at])).collect();
        found.iter().for_each(|at| self.remove(*at));
        found.len() as u64
    }

    /// Frees a bit of what was forgotten: once a batch.
    pub fn sweep(&mut self) {
        self.remains.free_some();
    }

    /// What it did so far and what it holds.
    pub fn counts(&self) -> Counts {
        Counts { entries: self.index.len() as u64, bytes: self.bytes as u64, ..self.counts }
    }

    /// The clock algorithm: an entry used since the hand last passed stays for one more round.
    fn evict(&mut self, now: Duration) {
        loop {
            self.hand = if self.hand + 1 >= self.entries.len() { 0 } else { self.hand + 1 };
            match self.entries.get_mut(self.hand) {
                Some(Some(entry)) if entry.used && entry.is_live(now) => entry.used = false,
                Some(Some(_)) => {
                    self.counts.evictions += 1;
                    return self.remove(self.hand);
                }
                Some(None) => {}
                // Nothing is held: what was counted was only the newcomer.
                None => return self.bytes = 0,
            }
        }
    }

    fn remove(&mut self, at: usize) {
        let Some(entry) = self.entries[at].take() else { return };
        self.bytes = self.bytes.saturating_sub(entry.size());
        if let Ok(found) = self.index.find_entry(entry.hash, |n| *n as usize == at) {
            found.remove();
        }
        self.free.push(at as u32);
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let matches = |n: &u32| {
            self.entries[*n as usize].as_ref().is_some_and(|e| &e.bytes[..usize::from(e.key_length)] == key)
        };
        self.index.find(hash, matches).map(|n| *n as usize)
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

/// To whom a kept answer goes now.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Message ID of the query.
    pub id: u16,
    /// The second word of its header.
    pub flags: u16,
    /// Its question section.
    pub question: &'a [u8],
    /// How large a message it can take.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUESTION: &[u8] = b"\x03WWW\x05local\x00\x00\x01\x00\x01";

    fn wire(marker: u8, ttl: u32) -> Vec<u8> {
        let mut wire = vec![0, 0, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        wire.extend(QUESTION.to_ascii_lowercase());
        wire.extend([0xC0, 12, 0, 1, 0, 1]);
        wire.extend(ttl.to_be_bytes());
        wire.extend([0, 4, 10, 0, 0, marker]);
        wire
    }

    fn finished(wire: &[u8], seconds: u64) -> Finished<'_> {
        let origin = Origin { route: Some(3), server: None, rcode: 0, ede: None };
        let least = Duration::from_secs(seconds);
        Finished {
            wire,
            ttls: &[33],
            turn: None,
            ttl: Ttl::CountDown,
            least,
            stamps: SmallVec::new(),
            origin,
        }
    }

    fn client() -> Client<'static> {
        Client { id: 0x1234, flags: 0x0100, question: QUESTION, limit: 512 }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_hit_is_addressed_to_its_client_and_its_ttl_counts_down_to_its_end() {
        let (mut cache, mut out) = (AnswerCache::new(100_000), Vec::new());
        let key = Key::new(7, 0, &QUESTION.to_ascii_lowercase()).unwrap();
        cache.put(&key, at(100), finished(&wire(1, 60), 60));
        let upper = Key::new(7, 0, QUESTION).unwrap();
        assert_eq!(cache.get(&upper, at(110), &client(), &mut out).unwrap().origin.route, Some(3));
        assert_eq!(
            (&out[..4], &out[12..27], &out[33..37]),
            (&[0x12, 0x34, 0x81, 0][..], QUESTION, &[0, 0, 0, 50][..])
        );
        assert!(cache.get(&upper, at(160), &client(), &mut out).is_none(), "its time is over");
        assert_eq!(cache.counts().entries, 0);
    }

    #[test]
    fn another_view_other_bits_or_another_question_find_nothing() {
        let (mut cache, mut out) = (AnswerCache::new(100_000), Vec::new());
        cache.put(&Key::new(7, 0, QUESTION).unwrap(), at(0), finished(&wire(1, 60), 60));
        let aaaa = [&QUESTION[..QUESTION.len() - 4], &[0, 28, 0, 1]].concat();
        for key in [Key::new(8, 0, QUESTION), Key::new(7, 1, QUESTION), Key::new(7, 0, &aaaa)] {
            assert!(cache.get(&key.unwrap(), at(1), &client(), &mut out).is_none());
        }
        let small = Client { limit: 40, ..client() };
        assert!(cache.get(&Key::new(7, 0, QUESTION).unwrap(), at(1), &small, &mut out).is_none());
    }

    #[test]
    fn a_changed_zone_ends_its_answers() {
        let (mut cache, mut out) = (AnswerCache::new(100_000), Vec::new());
        let generation = Arc::new(AtomicU64::new(1));
        let key = Key::new(7, 0, QUESTION).unwrap();
        let wire = wire(1, 60);
        let stamps = SmallVec::from_iter([(generation.clone(), 1)]);
        cache.put(&key, at(0), Finished { stamps, ttl: Ttl::Constant, ..finished(&wire, 60) });
        assert!(cache.get(&key, at(59), &client(), &mut out).is_some());
        assert_eq!(&out[33..37], &[0, 0, 0, 60]);
        generation.store(2, Ordering::Release);
        assert!(cache.get(&key, at(59), &client(), &mut out).is_none());
    }

    #[test]
    fn its_size_is_bounded_and_what_is_used_stays() {
        let (mut cache, mut out) = (AnswerCache::new(20_000), Vec::new());
        let hot = Key::new(0, 0, QUESTION).unwrap();
        cache.put(&hot, at(0), finished(&wire(1, 60), 60));
        for view in 1..5_000 {
            cache.put(&Key::new(view, 0, QUESTION).unwrap(), at(0), finished(&wire(1, 60), 60));
            assert!(cache.counts().bytes <= 20_000);
            assert!(cache.get(&hot, at(0), &client(), &mut out).is_some());
        }
        assert!(cache.counts().evictions > 4_000 && cache.counts().entries > 10);
    }
}
