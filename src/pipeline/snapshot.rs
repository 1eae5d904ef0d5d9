//! Everything a query may read, built off to the side and swapped whole; and what outlives a reload beside it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::errand::{Errands, Mail, Receipt, Traced};
use crate::cache::{Flights, Forget, ResponseCache};
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
    /// The largest UDP reply.
    pub udp_payload: u16,
    /// The UDP payload size that we offer: no query that is larger is read.
    pub udp_room: u16,
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
    /// And their names, which the log thread may hold longer.
    retired_names: Mutex<Vec<Arc<Directory>>>,
    /// Counts what was put in force: a worker that sees the generation move clears its answers only if this did too.
    installed: AtomicU64,
    /// What every worker is to do on its own thread.
    errands: Errands,
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
            installed: AtomicU64::new(0),
            errands: Errands::default(),
            retired: Mutex::default(),
            retired_names: Mutex::default(),
            responses: ResponseCache::new(response_cache),
            flights: Flights::new(),
        }
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Puts a snapshot in force: from the next query on, on every worker. It may be one that was in force before.
    pub fn put_in_force(&self, snapshot: impl Into<Arc<Snapshot>>) {
        let snapshot = snapshot.into();
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.retain(|before| !Arc::ptr_eq(before, &snapshot));
        let before = self.snapshot.swap(snapshot);
        self.installed.fetch_add(1, Ordering::Release);
        self.generation.fetch_add(1, Ordering::Release);
        retired.push(before);
    }

    /// Forgets what the workers' own caches hold of this; each says how many entries went, at its next query or within
    /// half a second. What the sources said is another cache: forget that first, since answers are made from it.
    pub fn forget_answers(&self, order: Forget) -> Receipt {
        let receipt = self.errands.send(order);
        self.generation.fetch_add(1, Ordering::Release);
        receipt
    }

    /// Asks a question as `client` would: the first within half a second or at the next query of a worker, the next at once.
    pub fn trace(&self, packet: Box<[u8]>, client: IpAddr) -> mpsc::Receiver<Traced> {
        let (traced, bell) = self.errands.ask(packet, client);
        self.generation.fetch_add(1, Ordering::Release);
        if let Some(bell) = bell {
            bell.notify_one();
        }
        traced
    }

    /// The errands of one more worker.
    pub(super) fn enlist(&self) -> Mail {
        self.errands.enlist()
    }

    /// How often something was put in force. Read before the snapshot, as the generation is.
    pub(super) fn installed(&self) -> u64 {
        self.installed.load(Ordering::Acquire)
    }

    /// Frees the snapshots of before that nobody uses any more, and their names: now, on the caller's thread. How many of
    /// both are still in use.
    pub fn free_retired(&self) -> usize {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = self.retired_names.lock().unwrap_or_else(PoisonError::into_inner);
        // A count of one cannot rise again: only what is in force is given out.
        retired.retain_mut(|snapshot| match Arc::get_mut(snapshot) {
            Some(unused) => {
                names.push(Arc::clone(&unused.directory));
                false
            }
            None => true,
        });
        names.retain(|names| Arc::strong_count(names) > 1);
        retired.len() + names.len()
    }

    /// Which snapshot is in force. Read before the snapshot, so that a worker that reads in between looks again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}
