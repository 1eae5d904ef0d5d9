//! Questions in flight: the first asker fetches, the others wait for what it brings. One table for all workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use tokio::sync::oneshot;

use super::cached::Cached;
use super::response::ResponseKey;

/// Locked rarely and briefly: only misses come here.
const SHARDS: usize = 16;

type Waiting = Vec<oneshot::Sender<Arc<Cached>>>;
type Shard = HashTable<(ResponseKey, Waiting)>;

/// The table.
pub struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    /// How many flights of each shard have ended.
    ended: [AtomicU64; SHARDS],
}

/// What an asker is to do.
pub enum Flight<'a> {
    /// Fetch, and tell the others.
    Lead(Lead<'a>),
    /// Wait. An error means that the leader gave up without a result.
    Wait(oneshot::Receiver<Arc<Cached>>),
}

/// The duty to fetch, put aside: to be taken up again, or nobody else will ever ask.
#[must_use]
pub struct Held(());

/// The duty to fetch. Dropped without a result (a task that was ended) it sets the others free.
pub struct Lead<'a> {
    flights: &'a Flights,
    /// Taken once it has landed: from then on the place in the table may be another flight's.
    key: Option<&'a ResponseKey>,
}

impl Flights {
    /// An empty table.
    pub fn new() -> Flights {
        Flights { shards: Default::default(), ended: Default::default() }
    }

    /// Joins the flight for a question, or begins it.
    pub fn join<'a>(&'a self, key: &'a ResponseKey) -> Flight<'a> {
        let mut shard = self.shard(key);
        if let Some((_, waiting)) = shard.find_mut(key.hash_of(), |(other, _)| other == key) {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            return Flight::Wait(receiver);
        }
        shard.insert_unique(key.hash_of(), (key.clone(), Vec::new()), |(key, _)| key.hash_of());
        Flight::Lead(Lead { flights: self, key: Some(key) })
    }

    /// Goes on with a duty that was put aside; `key` is the question that it is for.
    pub fn take_up<'a>(&'a self, _: Held, key: &'a ResponseKey) -> Lead<'a> {
        Lead { flights: self, key: Some(key) }
    }

    /// How many questions are in flight.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many flights have ended that may have been for this question. As long as that is what it was, nothing has
    /// landed for it, and who found nothing in the cache need not look again.
    pub fn ended(&self, key: &ResponseKey) -> u64 {
        self.ended[nth_shard(key)].load(Ordering::Acquire)
    }

    fn shard(&self, key: &ResponseKey) -> MutexGuard<'_, Shard> {
        lock(&self.shards[nth_shard(key)])
    }
}

impl Default for Flights {
    fn default() -> Self {
        Flights::new()
    }
}

impl Lead<'_> {
    /// Puts the duty aside.
    pub fn hold(mut self) -> Held {
        self.key = None;
        Held(())
    }

    /// Gives the result to all who wait.
    pub fn land(mut self, result: &Cached) {
        let waiting = self.leave();
        if waiting.is_empty() {
            return;
        }
        let result = Arc::new(result.clone());
        for sender in waiting {
            // Whoever went away in the meantime does not miss it.
            let _ = sender.send(Arc::clone(&result));
        }
    }

    fn leave(&mut self) -> Waiting {
        let Some(key) = self.key.take() else { return Vec::new() };
        let mut shard = self.flights.shard(key);
        // Before the lock is left: who leads the next flight has seen it. Only who has the lock writes.
        let ended = &self.flights.ended[nth_shard(key)];
        ended.store(ended.load(Ordering::Relaxed) + 1, Ordering::Release);
        let found = shard.find_entry(key.hash_of(), |(other, _)| other == key);
        found.map(|entry| entry.remove().0.1).unwrap_or_default()
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if self.key.is_some() {
            drop(self.leave());
        }
    }
}

fn nth_shard(key: &ResponseKey) -> usize {
    // The table takes the upper and lower bits, so these are of the middle.
    (key.hash_of() >> 32) as usize % SHARDS
}

/// A panic elsewhere leaves the map whole: nothing between lock and unlock can stop half-way.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::Future;
    use std::pin::pin;
    use std::sync::LazyLock;
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::Duration;

    use super::*;
    use crate::query::Failure;
    use crate::wire::{NameRef, RType};

    static KEY: LazyLock<ResponseKey> = LazyLock::new(|| ResponseKey::new(1, 0, NameRef::ROOT, RType::A));

    fn result() -> Cached {
        let outcome = Err((Failure::Timeout, Vec::new()));
        Cached { outcome, server: None, stored: Duration::ZERO, holds: Duration::ZERO }
    }

    /// Who is woken asks again at once, as on another worker.
    struct AsksAgain(Arc<Flights>, Mutex<Vec<oneshot::Receiver<Arc<Cached>>>>);

    impl Wake for AsksAgain {
        fn wake(self: Arc<Self>) {
            let Flight::Lead(lead) = self.0.join(&KEY) else { panic!("the flight has landed") };
            let Flight::Wait(wait) = self.0.join(&KEY) else { panic!("there is a flight") };
            self.1.lock().unwrap().push(wait);
            // The lead goes on elsewhere.
            let mut lead = lead;
            lead.key = None;
        }
    }

    #[test]
    fn a_landing_does_not_end_the_flight_that_begins_meanwhile() {
        let flights = Arc::new(Flights::new());
        let Flight::Lead(first) = flights.join(&KEY) else { panic!("nobody was asking") };
        let Flight::Wait(wait) = flights.join(&KEY) else { panic!("somebody is asking") };
        let again = Arc::new(AsksAgain(flights.clone(), Mutex::default()));
        let waker = Waker::from(again.clone());
        let mut wait = pin!(wait);
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        first.land(&result());
        assert!(matches!(wait.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_))));
        assert_eq!(flights.len(), 1, "the second flight is still under way");
        let mut second = again.1.lock().unwrap().pop().unwrap();
        assert!(second.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn only_the_end_of_a_flight_is_a_reason_to_look_again() {
        let flights = Flights::new();
        let before = flights.ended(&KEY);
        let Flight::Lead(lead) = flights.join(&KEY) else { panic!("nobody was asking") };
        assert_eq!(flights.ended(&KEY), before);
        lead.land(&result());
        assert_ne!(flights.ended(&KEY), before);
    }

    #[test]
    fn a_leader_that_gives_up_sets_the_others_free() {
        let flights = Flights::new();
        let Flight::Lead(lead) = flights.join(&KEY) else { panic!("nobody was asking") };
        let Flight::Wait(mut wait) = flights.join(&KEY) else { panic!("somebody is asking") };
        drop(lead);
        assert_eq!(wait.try_recv().err(), Some(oneshot::error::TryRecvError::Closed));
        assert!(flights.is_empty());
    }
}
