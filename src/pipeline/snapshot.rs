//! Everything a query may read, built off to the side and swapped whole; and what outlives a reload beside it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::cache::{Flights, ResponseCache};
use crate::policy::Policy;
use crate::query::Directory;
use crate::recurse::Recursor;
use crate::route::RouteTable;
use crate::upstream::Group;
use crate::zone::ZoneHandle;

/// One configuration in force.
pub struct Snapshot {
    /// Networks, routes, views.
    pub table: RouteTable,
    /// The zones that routes name by number.
    pub zones: Vec<Arc<ZoneHandle>>,
    /// The upstream groups that routes name by number.
    pub groups: Vec<Arc<Group>>,
    /// For each group, the number of its first server in the directory.
    pub first_server: Vec<u32>,
    /// Iteration from the root, where some route wants it.
    pub recursor: Option<Arc<Recursor>>,
    /// What the numbers are called.
    pub directory: Arc<Directory>,
    /// What is done beyond the TTLs of what is cached.
    pub keeping: Keeping,
    /// How we name ourselves (NSID, id.server).
    pub node: Box<[u8]>,
    /// The UDP payload size that we offer and keep to.
    pub udp_payload: u16,
    /// How much clients get.
    pub policy: Policy,
}

/// What is done beyond the TTLs of what is cached, and before their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// How long past its time an answer may stand in for one that cannot be had (RFC 8767); zero: not at all.
    pub serve_stale: Duration,
    /// How long a client waits for an answer while there is one that may stand in.
    pub stale_after: Duration,
    /// Whether what is asked for in the last tenth of its time is fetched anew at once.
    pub prefetch: Prefetch,
}

/// Whether there is prefetching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefetch {
    /// There is.
    On,
    /// There is not.
    Off,
}

/// What all workers share.
pub struct Shared {
    /// The configuration in force.
    snapshot: ArcSwap<Snapshot>,
    /// Counts the snapshots: a worker looks at this for each query, and at the snapshot itself only when it moved.
    generation: AtomicU64,
    /// Snapshots of before. Kept here so that no worker is the last to let go of one: freeing a large table takes it
    /// longer than a client should wait.
    retired: Mutex<Vec<Arc<Snapshot>>>,
    /// What the sources said.
    pub responses: ResponseCache,
    /// Questions in flight.
    pub flights: Flights,
}

impl Shared {
    /// Begins with a snapshot and empty caches.
    pub fn new(snapshot: Snapshot, response_cache: u64) -> Shared {
        Shared {
            snapshot: ArcSwap::from_pointee(snapshot),
            generation: AtomicU64::new(0),
            retired: Mutex::default(),
            responses: ResponseCache::new(response_cache),
            flights: Flights::new(),
        }
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Puts a snapshot in force: from the next query on, on every worker.
    pub fn put_in_force(&self, snapshot: Snapshot) {
        let before = self.snapshot.swap(Arc::new(snapshot));
        self.generation.fetch_add(1, Ordering::Release);
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(before);
    }

    /// Frees the snapshots of before that nobody uses any more: now, on the caller's thread. How many are still in use.
    pub fn free_retired(&self) -> usize {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        // A count of one cannot rise again: only what is in force is given out.
        retired.retain_mut(|snapshot| Arc::get_mut(snapshot).is_none());
        retired.len()
    }

    /// Which snapshot is in force. Read before the snapshot, so that a worker that reads in between looks again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}
