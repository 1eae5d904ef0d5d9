//! Finished answers of one worker: a hit is a copy and a patch (ID, flags, QNAME case, TTLs, turn).
//!
//! Views and routes are numbers of a snapshot, so the worker clears the cache when the snapshot changes; what the sources
//! said stays in the response cache. Entries made from zones carry the zones' generations and die with them.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use self::ahead::Ahead;
use super::count::Counts;
use super::forget::Forget;
use super::index::Index;
use super::key::Folded;
pub use super::key::Key;
use super::pages::{Page, Pages, Place};
use super::remains::Remains;
use crate::wire::patch::{self, Turn};

/// What an answer depends on beside its snapshot: a zone's counter, and where it stood.
pub type Stamp = (Arc<AtomicU64>, u64);

/// Of an answer's time, the last so manieth is its end.
const LAST_PART: u64 = 10;
/// What an answer with its key usually takes: a name of 30 octets with an address, two, or an alias.
const USUAL: usize = 128;
/// Octets in the index for each entry, on average.
const INDEX: usize = 16;
/// Entries that are passed over in one go for having been used.
const CHANCES: usize = 128;
/// Empty places that are never too many.
const SPARE: usize = 1_000;
/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

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

/// With what it says in it: among ten thousand names each place that has to be looked up by another is fetched from afar,
/// and that, not the instructions, is most of what a hit takes beyond its system calls.
#[repr(align(64))]
struct Entry {
    /// Key, wire form, where its TTLs stand (two octets each).
    bytes: SmallVec<[u8; USUAL]>,
    /// Nanoseconds of the monotonic clock, as are the next two.
    stored: u64,
    until: u64,
    /// From when on its end is near.
    ending: u64,
    stamps: SmallVec<[Stamp; 1]>,
    origin: Origin,
    turn: Option<Turn>,
    hash: u32,
    key_length: u16,
    wire_length: u16,
    ttl: Ttl,
    used: bool,
}

const _: () = assert!(size_of::<Option<Entry>>() == 256 && size_of::<Place<Entry>>() == 256);

impl Entry {
    fn size(&self) -> usize {
        let apart = if self.bytes.spilled() { self.bytes.len() + 16 } else { 0 };
        size_of::<Option<Entry>>() + INDEX + apart
    }

    fn key(&self) -> &[u8] {
        &self.bytes[..usize::from(self.key_length)]
    }

    fn is_live(&self, now: u64) -> bool {
        now < self.until && self.stamps.iter().all(|(zone, was)| zone.load(Ordering::Acquire) == *was)
    }
}

/// The cache.
pub struct AnswerCache {
    index: Index,
    entries: Pages<Entry>,
    free: Vec<u32>,
    remains: Remains<Page<Entry>>,
    hand: usize,
    bytes: usize,
    capacity: usize,
    ahead: Ahead,
    /// The key at hand.
    folded: Folded,
    seed: RandomState,
    counts: Counts,
}

impl AnswerCache {
    /// An empty cache that holds so many bytes.
    pub fn new(capacity: usize) -> AnswerCache {
        AnswerCache {
            index: Index::default(),
            entries: Pages::default(),
            free: Vec::new(),
            remains: Remains::default(),
            hand: 0,
            bytes: 0,
            capacity,
            ahead: Ahead::default(),
            folded: Folded::EMPTY,
            seed: RandomState::default(),
            counts: Counts::default(),
        }
    }

    /// Writes the answer for this key into `out` (cleared first), as of `now`, addressed to the client.
    pub fn get(&mut self, key: &Key<'_>, now: Duration, client: Client, out: &mut Vec<u8>) -> Option<Found> {
        let Some(at) = self.foreseen(key).or_else(|| {
            let hash = self.fold(key);
            self.find(hash)
        }) else {
            self.counts.misses += 1;
            return None;
        };
        let now = nanoseconds(now);
        let entry = self.entries.place(at)?.as_mut()?;
        if !entry.is_live(now) {
            self.counts.misses += 1;
            self.remove(at);
            return None;
        }
        let (wire, ttls) =
            entry.bytes[usize::from(entry.key_length)..].split_at(usize::from(entry.wire_length));
        if wire.len() > client.limit {
            self.counts.misses += 1;
            return None;
        }
        entry.used = true;
        out.clear();
        out.extend_from_slice(wire);
        patch::address(out, client.id, client.flags, key.question());
        if entry.ttl == Ttl::CountDown {
            let seconds = now.saturating_sub(entry.stored) / SECOND;
            patch::age(out, offsets(ttls), seconds as u32);
        }
        if let Some(turn) = &mut entry.turn {
            patch::rotate(out, &offsets(ttls).collect::<SmallVec<[u16; 16]>>(), turn);
            turn.by = turn.by.wrapping_add(1);
        }
        self.counts.hits += 1;
        let end = if now < entry.ending { End::Later } else { End::Near };
        if end == End::Near {
            entry.ending = u64::MAX;
        }
        Some(Found { origin: entry.origin, end })
    }

    /// Keeps an answer.
    pub fn put(&mut self, key: &Key<'_>, now: Duration, finished: Finished<'_>) {
        let hash = self.fold(key);
        let Ok(wire_length) = u16::try_from(finished.wire.len()) else { return };
        if let Some(at) = self.find(hash) {
            self.remove(at);
        }
        let key = self.folded.as_bytes();
        let mut bytes = SmallVec::with_capacity(key.len() + finished.wire.len() + 2 * finished.ttls.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(finished.wire);
        bytes.extend(finished.ttls.iter().flat_map(|at| at.to_ne_bytes()));
        let (now, least) = (nanoseconds(now), nanoseconds(finished.least));
        let entry = Entry {
            bytes,
            stored: now,
            until: now + least,
            ending: match finished.ttl {
                Ttl::CountDown => now + (least - least / LAST_PART),
                Ttl::Constant => u64::MAX,
            },
            stamps: finished.stamps,
            origin: finished.origin,
            turn: finished.turn,
            hash,
            key_length: key.len() as u16,
            wire_length,
            ttl: finished.ttl,
            used: false,
        };
        if entry.size() > self.capacity / 4 {
            return;
        }
        self.bytes += entry.size();
        while self.bytes > self.capacity {
            self.evict(now);
        }
        // Small answers have gone for large ones: their places, which nobody counts any more, would stay beside those.
        if self.free.len() > SPARE && self.free.len() > self.entries.len() / 4 {
            self.counts.evictions += self.index.len() as u64;
            self.clear();
            self.bytes = entry.size();
        }
        let at = self.free.pop().unwrap_or_else(|| self.entries.add() as u32);
        if let Some(place) = self.entries.place(at as usize) {
            *place = Some(entry);
            self.index.insert(hash, at);
        }
    }

    /// Forgets everything: the snapshot changed. The memory goes back page by page, with each [`sweep`](Self::sweep).
    pub fn clear(&mut self) {
        self.remains.add(self.entries.take());
        self.index.clear();
        self.free.clear();
        (self.hand, self.bytes) = (0, 0);
    }

    /// Forgets the answers that an order covers, and says how many they were.
    pub fn forget(&mut self, order: &Forget) -> u64 {
        let covered =
            |at: &usize| self.entries.get(*at).is_some_and(|entry| order.covers_answer(entry.key()));
        let found: Vec<usize> = (0..self.entries.len()).filter(covered).collect();
        found.iter().for_each(|at| self.remove(*at));
        found.len() as u64
    }

    /// Frees a page of what was forgotten: once a batch.
    pub fn sweep(&mut self) {
        self.remains.free_some();
    }

    /// What it did so far and what it holds.
    pub fn counts(&self) -> Counts {
        Counts { entries: self.index.len() as u64, bytes: self.bytes as u64, ..self.counts }
    }

    /// The clock algorithm: an entry used since the hand last passed stays for one more round. Where many were, the hand
    /// stops all the same: a query waits for it.
    fn evict(&mut self, now: u64) {
        let mut chances = CHANCES;
        loop {
            self.hand = if self.hand + 1 >= self.entries.len() { 0 } else { self.hand + 1 };
            match self.entries.place(self.hand) {
                Some(Some(entry)) if entry.used && chances > 0 && entry.is_live(now) => {
                    entry.used = false;
                    chances -= 1;
                }
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
        let Some(entry) = self.entries.place(at).and_then(Option::take) else { return };
        self.bytes = self.bytes.saturating_sub(entry.size());
        self.index.remove(entry.hash, at as u32);
        self.free.push(at as u32);
    }

    /// The place of the key that was folded last.
    fn find(&self, hash: u32) -> Option<usize> {
        let key = self.folded.as_bytes();
        let is_it = |at: u32| self.entries.get(at as usize).is_some_and(|entry| entry.key() == key);
        self.index.find(hash, is_it).map(|at| at as usize)
    }

    /// Makes it the key at hand, and gives its hash.
    fn fold(&mut self, key: &Key<'_>) -> u32 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(self.folded.of(key));
        hasher.finish() as u32
    }
}

/// Of a time of the monotonic clock: enough for five hundred years.
fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

/// Where TTLs stand, as [`Entry`] keeps it.
fn offsets(ttls: &[u8]) -> impl Iterator<Item = u16> {
    ttls.as_chunks().0.iter().map(|pair| u16::from_ne_bytes(*pair))
}

/// To whom a kept answer goes now.
#[derive(Clone, Copy)]
pub struct Client {
    /// Message ID of the query.
    pub id: u16,
    /// The second word of its header.
    pub flags: u16,
    /// How large a message it can take.
    pub limit: usize,
}

mod ahead;
#[cfg(test)]
mod tests;
