//! Questions in flight: the first asker fetches, the others wait for what it brings. One table for all workers.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::response::{Cached, ResponseKey};

/// Locked rarely and briefly: only misses come here.
const SHARDS: usize = 16;

type Shard = HashMap<ResponseKey, Vec<oneshot::Sender<Arc<Cached>>>>;

/// The table.
pub struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

/// What an asker is to do.
pub enum Flight<'a> {
    /// Fetch, and tell the others.
    Lead(Lead<'a>),
    /// Wait. An error means that the leader gave up without a result.
    Wait(oneshot::Receiver<Arc<Cached>>),
}

/// The duty to fetch. Dropped without a result (a task that was ended) it sets the others free.
pub struct Lead<'a> {
    flights: &'a Flights,
    key: ResponseKey,
}

impl Flights {
    /// An empty table.
    pub fn new() -> Flights {
        Flights { shards: Default::default(), hasher: RandomState::new() }
    }

    /// Joins the flight for a question, or begins it.
    pub fn join(&self, key: &ResponseKey) -> Flight<'_> {
        let mut shard = self.shard(key);
        if let Some(waiting) = shard.get_mut(key) {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            return Flight::Wait(receiver);
        }
        shard.insert(key.clone(), Vec::new());
        Flight::Lead(Lead { flights: self, key: key.clone() })
    }

    /// How many questions are in flight.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &ResponseKey) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }
}

impl Default for Flights {
    fn default() -> Self {
        Flights::new()
    }
}

impl Lead<'_> {
    /// Gives the result to all who wait.
    pub fn land(self, result: &Arc<Cached>) {
        let waiting = self.flights.shard(&self.key).remove(&self.key).unwrap_or_default();
        for sender in waiting {
            // Whoever went away in the meantime does not miss it.
            let _ = sender.send(Arc::clone(result));
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.flights.shard(&self.key).remove(&self.key);
    }
}

/// A panic elsewhere leaves the map whole: nothing between lock and unlock can stop half-way.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
