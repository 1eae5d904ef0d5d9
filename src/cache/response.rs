//! What the sources said, for all workers and views: `moka`, bounded by bytes, expiry per entry.
//!
//! The key names the route, so 120 VPCs that share a rule share what it fetched; which views see the route was decided
//! before the cache is asked, and what of the response they may see is decided after.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use moka::Expiry;
use moka::sync::Cache;
use smallvec::SmallVec;

use super::count::Counts;
use crate::query::{Failure, Response};
use crate::wire::{Ede, NameRef, RType};

/// Which question to which route: route, bits, type and lower-case name in one run of bytes, hashed once.
#[derive(Debug, Clone)]
pub struct ResponseKey {
    bytes: Arc<[u8]>,
    hash: u64,
}

/// Nobody outside knows it, so nobody can choose names that collide.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

impl ResponseKey {
    /// Of a route's uid, the bits that change what a source says (DO, CD), type and name.
    pub fn new(route: u128, bits: u8, qname: NameRef<'_>, qtype: RType) -> ResponseKey {
        let mut key = SmallVec::<[u8; 96]>::new();
        key.extend_from_slice(&route.to_be_bytes());
        key.push(bits);
        key.extend_from_slice(&qtype.0.to_be_bytes());
        key.extend(qname.wire().iter().map(u8::to_ascii_lowercase));
        ResponseKey { bytes: key.as_slice().into(), hash: SEED.hash_one(key.as_slice()) }
    }

    /// Its hash, for tables that keep it.
    pub(super) fn hash_of(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for ResponseKey {
    fn eq(&self, other: &ResponseKey) -> bool {
        self.hash == other.hash && self.bytes == other.bytes
    }
}

impl Eq for ResponseKey {}

impl Hash for ResponseKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// What a source said, and when.
#[derive(Debug, Clone)]
pub struct Cached {
    /// The response, its TTLs capped, or why there is none.
    pub outcome: Result<Response, (Failure, Vec<Ede>)>,
    /// The upstream server that said it.
    pub server: Option<SocketAddr>,
    /// When it came.
    pub stored: Duration,
    /// How long it holds.
    pub holds: Duration,
}

impl Cached {
    /// Whether it still holds.
    pub fn is_fresh(&self, now: Duration) -> bool {
        now < self.stored + self.holds
    }

    /// Whole seconds since it came.
    pub fn age(&self, now: Duration) -> u32 {
        u32::try_from(now.saturating_sub(self.stored).as_secs()).unwrap_or(u32::MAX)
    }

    fn byte_len(&self) -> usize {
        let content = match &self.outcome {
            Ok(response) => response.byte_len() + response.ede.len() * 64,
            Err((_, ede)) => ede.len() * 64,
        };
        size_of::<Cached>() + content
    }
}

/// What moka and the allocator spend on an entry beside what is weighed: nodes of two queues, a timer wheel and a map.
/// Measured as resident memory of a million one-address answers (721 octets an entry, of which 284 are weighed).
const OVERHEAD: usize = 440;

/// Entries that the map has room for before it grows: growing moves all of them.
const INITIAL: usize = 1 << 14;

/// The cache.
pub struct ResponseCache {
    entries: Cache<ResponseKey, Arc<Cached>, RandomState>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct EndWithTtl;

impl Expiry<ResponseKey, Arc<Cached>> for EndWithTtl {
    fn expire_after_create(&self, _: &ResponseKey, value: &Arc<Cached>, _: Instant) -> Option<Duration> {
        Some(value.holds)
    }

    fn expire_after_update(
        &self,
        _: &ResponseKey,
        value: &Arc<Cached>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(value.holds)
    }
}

impl ResponseCache {
    /// An empty cache that holds so many bytes.
    pub fn new(capacity: u64) -> ResponseCache {
        let weigh = |key: &ResponseKey, value: &Arc<Cached>| {
            u32::try_from(OVERHEAD + key.bytes.len() + value.byte_len()).unwrap_or(u32::MAX)
        };
        ResponseCache {
            entries: Cache::builder()
                .max_capacity(capacity)
                .initial_capacity(INITIAL)
                .weigher(weigh)
                .expire_after(EndWithTtl)
                .build_with_hasher(RandomState::default()),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What is known and still holds.
    pub fn get(&self, key: &ResponseKey, now: Duration) -> Option<Arc<Cached>> {
        self.entries.get(key).filter(|cached| cached.is_fresh(now))
    }

    /// As [`ResponseCache::get`], where there is hardly ever anything: costs less, but is not counted as a use.
    pub fn peek(&self, key: &ResponseKey, now: Duration) -> Option<Arc<Cached>> {
        if self.entries.contains_key(key) { self.get(key, now) } else { None }
    }

    /// Keeps what a source said.
    pub fn put(&self, key: ResponseKey, cached: Arc<Cached>) {
        if !cached.holds.is_zero() {
            self.entries.insert(key, cached);
        }
    }

    /// Counts an answer made from the cache.
    pub fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a question that had to be fetched.
    pub fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// What it did so far and what it holds. moka counts when it tidies up, which it leaves to the next write; whoever
    /// looks wants to see what is there now.
    pub fn counts(&self) -> Counts {
        self.entries.run_pending_tasks();
        Counts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions: 0,
            entries: self.entries.entry_count(),
            bytes: self.entries.weighted_size(),
        }
    }
}
