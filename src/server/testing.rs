//! A street without sockets in front: for tests, which ask it directly.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::build::{Inventory, build};
use crate::config;
use crate::exchange::Exchange;
use crate::listen::clock;
use crate::observe::log::Target;
use crate::observe::{Metrics, QueryLog, Recorder};
use crate::pipeline::{Outfit, Shared, Worker};

/// One worker with its runtime.
pub struct Street {
    /// The worker.
    pub worker: Rc<Worker>,
    runtime: tokio::runtime::Runtime,
    _log: QueryLog,
}

impl Street {
    /// Runs a future of the worker to its end.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::task::LocalSet::new().block_on(&self.runtime, future)
    }
}

/// Builds a street of a configuration in memory; its time stands still at the process's first second.
///
/// # Panics
/// If the configuration has errors: it is the test's own.
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
pub fn street(text: &str, folder: &Path) -> Street {
    let loaded = config::load_text("test.toml", text, folder)
        .map_err(|faults| config::diagnostic::render(&faults))
        .unwrap();
    let built = build(&loaded.config, &Inventory::default())
        .map_err(|faults| config::diagnostic::render(&faults))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = Arc::clone(&built.snapshot.directory);
    let shared = Arc::new(Shared::new(built.snapshot, loaded.config.cache.size));
    let (log, mut lanes) = QueryLog::start(&Target::Off, 1 << 16, 1).unwrap();
    let counters = Metrics::new(1).workers().next().unwrap();
    let outfit = Outfit {
        exchange: Exchange::new(),
        answer_size: 1 << 20,
        counts: Arc::default(),
        recorder: Recorder::new(counters, lanes.pop().unwrap(), directory),
        clock: Box::new(clock::now),
    };
    let worker = {
        let _inside = runtime.enter();
        Rc::new(Worker::new(shared, outfit))
    };
    Street { worker, runtime, _log: log }
}
