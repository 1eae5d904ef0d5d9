//! What the sources said, for all workers and views, bounded by bytes.
//!
//! The key names the route, so 120 VPCs that share a rule share what it fetched; which views see the route was decided
//! before the cache is asked, and what of the response they may see is decided after.
//!
//! Answers and failures are kept apart. Answers stay in the `store` beyond their time, until room is wanted: a source
//! that is silent may be stood in for. Failures are few and short-lived, and none of them may cost an answer its place:
//! they are moka's, each with its own end.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use moka::Expiry;
use moka::sync::Cache;
use smallvec::SmallVec;

use super::cached::{self, Cached};
use super::count::Counts;
use super::forget::Forget;
use super::store::Store;
use crate::wire::name::MAX_NAME;
use crate::wire::{NameRef, RType};

/// Which question to which route: route, bits, type and lower-case name in one run of bytes, hashed once.
#[derive(Debug)]
pub struct ResponseKey {
    bytes: SmallVec<[u8; 64]>,
    hash: u64,
}

/// Where a key's name begins.
pub(super) const KEY_NAME: usize = 16 + 1 + 2;

/// Nobody outside knows it, so nobody can choose names that collide.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

impl ResponseKey {
    /// Of a route's uid, the bits that change what a source says (DO, CD), type and name.
    pub fn new(route: u128, bits: u8, qname: NameRef<'_>, qtype: RType) -> ResponseKey {
        // Laid out first, then copied in one run.
        let mut bytes = [0; KEY_NAME + MAX_NAME];
        let wire = qname.wire();
        let end = KEY_NAME + wire.len();
        bytes[..16].copy_from_slice(&route.to_be_bytes());
        bytes[16] = bits;
        bytes[17..KEY_NAME].copy_from_slice(&qtype.0.to_be_bytes());
        bytes[KEY_NAME..end].copy_from_slice(wire);
        bytes[KEY_NAME..end].make_ascii_lowercase();
        let bytes = &bytes[..end];
        ResponseKey { hash: SEED.hash_one(bytes), bytes: SmallVec::from_slice(bytes) }
    }

    /// Whether it is the key of these.
    pub fn is(&self, route: u128, bits: u8, qname: NameRef<'_>, qtype: RType) -> bool {
        self.bytes[..16] == route.to_be_bytes()
            && self.bytes[16] == bits
            && self.bytes[17..KEY_NAME] == qtype.0.to_be_bytes()
            && self.is_of(qname)
    }

    /// Whether it is a key of this name.
    pub fn is_of(&self, qname: NameRef<'_>) -> bool {
        self.bytes[KEY_NAME..].eq_ignore_ascii_case(qname.wire())
    }

    /// A key as it was written out.
    pub(super) fn read(bytes: &[u8]) -> ResponseKey {
        ResponseKey { hash: SEED.hash_one(bytes), bytes: SmallVec::from_slice(bytes) }
    }

    /// Its hash, for tables that keep it.
    #[cfg(test)]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn hash_of(&self) -> u64 {
        self.hash
    }
}

impl Clone for ResponseKey {
    /// As one run of octets: the list would copy one after the other.
    fn clone(&self) -> ResponseKey {
        ResponseKey { bytes: SmallVec::from_slice(&self.bytes), hash: self.hash }
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

/// Failures that are remembered at once.
const FAILURES: u64 = 50_000;

/// The cache.
pub struct ResponseCache {
    answers: Store,
    failures: Cache<ResponseKey, Arc<Cached>, RandomState>,
    /// When the last failure ends, in microseconds: with none about, no question is looked for among them.
    failing_until: AtomicU64,
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
        ResponseCache {
            answers: Store::new(capacity),
            failures: Cache::builder()
                .max_capacity(FAILURES)
                .expire_after(EndWithTtl)
                .build_with_hasher(RandomState::default()),
            failing_until: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What is known and still holds.
    pub fn get(&self, key: &ResponseKey, now: Duration) -> Option<Cached> {
        let fresh = |own: &[u8], authority: &[u8]| {
            let is_fresh = cached::until(own).is_some_and(|until| now < until);
            if is_fresh { cached::read_parts(own, authority) } else { None }
        };
        self.answers.get(key.hash, &key.bytes, fresh).flatten().or_else(|| self.failure(key, now))
    }

    /// Whether something is known that still holds.
    pub fn knows(&self, key: &ResponseKey, now: Duration) -> bool {
        let is_fresh = |own: &[u8], _: &[u8]| cached::until(own).is_some_and(|until| now < until);
        self.answers.get(key.hash, &key.bytes, is_fresh).unwrap_or(false) || self.failure(key, now).is_some()
    }

    /// What was said last, to stand in for what cannot be had now, unless its time was over `longest` ago. It is
    /// remembered like a failure, for `holds`: its source is not asked again at once.
    pub fn stand_in(
        &self,
        key: &ResponseKey,
        now: Duration,
        longest: Duration,
        holds: Duration,
    ) -> Option<Cached> {
        let last = self.last(key).filter(|last| now < last.stored + last.holds + longest)?;
        let stand_in = last.into_stand_in(now, holds);
        self.remember(key, &stand_in);
        Some(stand_in)
    }

    /// Whether there is anything that may stand in.
    pub fn can_stand_in(&self, key: &ResponseKey, now: Duration, longest: Duration) -> bool {
        let may = |own: &[u8], _: &[u8]| cached::until(own).is_some_and(|until| now < until + longest);
        !longest.is_zero() && self.answers.get(key.hash, &key.bytes, may).unwrap_or(false)
    }

    fn last(&self, key: &ResponseKey) -> Option<Cached> {
        self.answers.get(key.hash, &key.bytes, cached::read_parts).flatten()
    }

    /// Keeps what a source said.
    pub fn put(&self, key: &ResponseKey, cached: &Cached) {
        if cached.holds.is_zero() {
            return;
        }
        match &cached.outcome {
            Ok(response) if !cached.is_failure() => {
                cached::write(cached, response, |own, authority| {
                    self.answers.put(key.hash, &key.bytes, own, authority);
                });
            }
            _ => self.remember(key, cached),
        }
    }

    fn remember(&self, key: &ResponseKey, cached: &Cached) {
        self.failures.insert(key.clone(), Arc::new(cached.clone()));
        self.failing_until.fetch_max(micros(cached.stored + cached.holds), Ordering::Relaxed);
    }

    fn failure(&self, key: &ResponseKey, now: Duration) -> Option<Cached> {
        if micros(now) >= self.failing_until.load(Ordering::Relaxed) {
            return None;
        }
        self.failures.get(key).filter(|cached| cached.is_fresh(now)).map(|cached| (*cached).clone())
    }

    /// Forgets the answers and failures that an order covers, and says how many they were.
    pub fn forget(&self, order: &Forget) -> u64 {
        let covered = |key: &[u8]| order.covers_response(key);
        let failures: Vec<Arc<ResponseKey>> =
            self.failures.iter().map(|(key, _)| key).filter(|key| covered(&key.bytes)).collect();
        failures.iter().for_each(|key| self.failures.invalidate(&**key));
        failures.len() as u64 + self.answers.forget(covered)
    }

    /// Shows every answer to `see`, as key, value and the value's authority section are written out.
    pub(super) fn for_each(&self, see: impl FnMut(&[u8], &[u8], &[u8])) {
        self.answers.for_each(see);
    }

    /// Counts an answer made from the cache.
    pub fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a question that had to be fetched.
    pub fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// What it did so far and what it holds.
    pub fn counts(&self) -> Counts {
        let (entries, bytes, evictions) = self.answers.counts();
        // moka counts when it tidies up, which it leaves to the next write; whoever looks wants to see what is there now.
        self.failures.run_pending_tasks();
        Counts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions,
            entries: entries + self.failures.entry_count(),
            bytes,
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
