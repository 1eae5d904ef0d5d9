//! A street without sockets in front: for tests, which ask it directly and turn its clock.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::build::{Inventory, build};
use crate::cache::PublishedCounts;
use crate::config::{self, Config};
use crate::exchange::Exchange;
use crate::listen::clock;
use crate::observe::log::Target;
use crate::observe::{Metrics, QueryLog, Recorder};
use crate::pipeline::{Admit, Begin, Clock, Landing, Outfit, Shared, Snapshot, Worker};
use crate::query::{self, Now};

/// One worker with its runtime.
pub struct Street {
    /// The worker.
    pub worker: Rc<Worker>,
    /// What it would share with other workers.
    pub shared: Arc<Shared>,
    /// Its query log, off until it is redirected.
    pub log: QueryLog,
    /// What its answer cache did, as of the last batch.
    pub counts: Arc<PublishedCounts>,
    /// What it counts.
    pub metrics: Metrics,
    inventory: Inventory,
    local: tokio::task::LocalSet,
    runtime: tokio::runtime::Runtime,
}

impl Street {
    /// Runs a future of the worker to its end.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.local.block_on(&self.runtime, future)
    }

    /// The reply to a datagram, by the way it goes in a worker that listens: at once, by the lane, or as a task.
    pub fn send(&self, packet: &[u8], path: &query::Path, now: Now) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match self.worker.admit(packet, path, now, &mut out) {
            Admit::Reply => return Some(out),
            Admit::Drop => return None,
            Admit::Resolve => {}
        }
        let worker = Rc::clone(&self.worker);
        self.block_on(async move {
            if worker.begin(packet, path, now, 0) == Begin::Task {
                return worker.resolve(packet.into(), *path, now).await;
            }
            loop {
                match worker.take_landed(&mut out) {
                    Some((_, Landing::Reply)) => return Some(out),
                    Some((_, Landing::Later(reply))) => return reply.await,
                    Some((_, Landing::Silence)) => return None,
                    None => worker.landed().await,
                }
            }
        })
    }

    /// Waits for what is fetched although nobody waits for it.
    pub fn settle(&self) {
        let worker = Rc::clone(&self.worker);
        self.block_on(async move {
            loop {
                while worker.take_landed(&mut Vec::new()).is_some() {}
                if worker.in_lane() == 0 {
                    break;
                }
                worker.landed().await;
            }
        });
    }

    /// Puts another configuration in force, as a reload does.
    ///
    /// # Panics
    /// If the configuration has errors: it is the test's own.
    pub fn reload(&mut self, text: &str, folder: &Path) {
        let (_, snapshot, inventory) = read(text, folder, &self.inventory);
        self.metrics.prepare(&snapshot.directory);
        self.shared.put_in_force(snapshot);
        self.inventory = inventory;
    }
}

/// Builds a street of a configuration in memory, by the clock of this machine.
///
/// # Panics
/// If the configuration has errors: it is the test's own.
pub fn street(text: &str, folder: &Path) -> Street {
    street_by(Box::new(clock::now), text, folder)
}

/// Builds a street whose time is what the test says.
///
/// # Panics
/// If the configuration has errors: it is the test's own.
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
pub fn street_by(clock: Clock, text: &str, folder: &Path) -> Street {
    let (config, snapshot, inventory) = read(text, folder, &Inventory::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = Arc::clone(&snapshot.directory);
    let shared = Arc::new(Shared::new(snapshot, config.cache.size));
    let (log, mut lanes) = QueryLog::start(&Target::Off, 1 << 20, 1).unwrap();
    let counts = Arc::<PublishedCounts>::default();
    let metrics = Metrics::new(1);
    let counters = metrics.workers().next().unwrap();
    let outfit = Outfit {
        exchange: Exchange::new(),
        answer_size: 1 << 20,
        max_in_flight: config.listen.max_in_flight,
        counts: Arc::clone(&counts),
        recorder: Recorder::new(counters, lanes.pop().unwrap(), directory),
        clock,
    };
    let worker = {
        let _inside = runtime.enter();
        Worker::new(Arc::clone(&shared), outfit)
    };
    Street { worker, shared, log, counts, metrics, inventory, local: tokio::task::LocalSet::new(), runtime }
}

#[expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
fn read(text: &str, folder: &Path, before: &Inventory) -> (Config, Snapshot, Inventory) {
    let loaded = config::load_text("test.toml", text, folder)
        .map_err(|faults| config::diagnostic::render(&faults))
        .unwrap();
    let built = build(&loaded.config, before).map_err(|faults| config::diagnostic::render(&faults)).unwrap();
    (loaded.config, built.snapshot, built.inventory)
}
