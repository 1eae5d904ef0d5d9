//! Reloads: read, build and put in force on a thread of their own, while everything else goes on.
//!
//! A large configuration takes seconds of a busy processor. So the thread stands back behind the workers, and all that
//! grows with the configuration is done here: also the counters of the new one and the end of the old one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde_json::Value;

use super::build::{Built, Inventory, build};
use super::life::notify;
use super::operator;
use super::output::{log_name, log_target, selection, taps};
use super::probing::Watching;
use super::status::Reloads;
use super::steer;
use super::trial::{Lately, Trial};
use crate::config::{self, Config, Diagnostic};
use crate::control;
use crate::detect;
use crate::observe::{LogControl, Metrics, TapControl};
use crate::pipeline::{Shared, Snapshot};

/// How often it is looked whether the workers have let go of what was in force before.
const LOOK: Duration = Duration::from_millis(500);

/// Why nothing can be confirmed or taken back.
pub(super) const NOTHING_ON_TRIAL: &str = "no configuration is on trial";

/// How many orders may wait; a reload that is ordered while another one waits is that one.
const WAITING: usize = 8;

/// The thread that reloads, if there is anything to read again.
#[derive(Clone)]
pub(super) struct Reloading(Option<Orders>);

#[derive(Clone)]
struct Orders {
    send: SyncSender<Order>,
    /// Whether a reload waits.
    waits: Arc<AtomicBool>,
}

/// What the thread is to do.
pub(super) enum Order {
    /// Read the configuration again.
    Reload,
    /// Put this one in force, for so long unless it is confirmed.
    Apply(PathBuf, Duration, Done),
    /// Keep it.
    Confirm(Kept, Done),
    /// Take it back.
    Cancel(Done),
}

/// Where what came of an order goes.
pub(super) type Done = SyncSender<Result<Value, String>>;

/// What a confirmed configuration is from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Its content is in the file that the server was started with.
    InPlace,
    /// Its own file is the server's.
    AtItsPath,
}

/// A trial, and all that goes back into force when it ends in vain.
pub(super) struct OnTrial {
    pub trial: Trial,
    pub file: PathBuf,
    pub snapshot: Arc<Snapshot>,
    pub config: Arc<Config>,
    pub inventory: Inventory,
}

/// What a reload changes, and what it needs for that.
pub(super) struct InForce {
    pub path: PathBuf,
    /// As it is in force: what only a start can change stays as it was then.
    pub config: Arc<ArcSwap<Config>>,
    pub inventory: Inventory,
    pub shared: Arc<Shared>,
    pub metrics: Arc<Metrics>,
    pub log: LogControl,
    pub detecting: detect::Control,
    pub taps: TapControl,
    pub watch: Watching,
    pub reloads: Arc<Mutex<Reloads>>,
    pub lately: Lately,
    pub trial: Option<Box<OnTrial>>,
}

impl Reloading {
    /// Where the configuration is in no file.
    pub(super) fn nothing() -> Reloading {
        Reloading(None)
    }

    /// Starts the thread. It ends with the orders that are at hand when this is dropped.
    pub(super) fn start(in_force: InForce) -> io::Result<Reloading> {
        let (send, orders) = sync_channel(WAITING);
        let waits = Arc::<AtomicBool>::default();
        let waiting = Arc::clone(&waits);
        let run = move || in_force.run(&orders, &waiting);
        std::thread::Builder::new().name("kkh-reload".into()).spawn(run)?;
        Ok(Reloading(Some(Orders { send, waits })))
    }

    /// Lets the configuration be read again, after the reload that is going on if there is one.
    pub(super) fn order(&self) {
        let Some(orders) = &self.0 else { return };
        if orders.waits.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(TrySendError::Disconnected(_)) = orders.send.try_send(Order::Reload) {
            tracing::error!("the thread that reloads has ended; only a restart changes the configuration");
        }
    }

    /// Gives an order and waits for what comes of it.
    pub(super) fn ask(&self, order: impl FnOnce(Done) -> Order) -> Result<Value, String> {
        let orders = self.0.as_ref().ok_or("the configuration is in no file")?;
        let (done, said) = sync_channel(1);
        let gone = "the thread that reloads has ended";
        orders.send.try_send(order(done)).map_err(|_| "too many orders wait already")?;
        said.recv().map_err(|_| gone)?
    }
}

impl InForce {
    fn run(mut self, orders: &Receiver<Order>, waits: &AtomicBool) {
        control::stand_back("reloads");
        loop {
            let order = match self.pause() {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(pause) => orders.recv_timeout(pause),
            };
            match order {
                Ok(Order::Reload) => {
                    waits.store(false, Ordering::Release);
                    self.reload_unless_on_trial();
                }
                Ok(Order::Apply(file, within, done)) => _ = done.try_send(self.apply(file, within)),
                Ok(Order::Confirm(kept, done)) => _ = done.try_send(self.confirm(kept)),
                Ok(Order::Cancel(done)) => {
                    let outcome = self.take_back("it was cancelled");
                    _ = done.try_send(outcome.ok_or_else(|| NOTHING_ON_TRIAL.to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.look();
        }
    }

    /// How long nothing is to be done unless somebody says so.
    fn pause(&self) -> Option<Duration> {
        if self.let_go() > 0 || self.trial.is_some() {
            return Some(LOOK);
        }
        // Only what can be put on trial is watched: where nobody can say so, the thread sleeps.
        steer::place(&self.config.load().control).map(|_| self.window() / 10)
    }

    pub(super) fn window(&self) -> Duration {
        self.config.load().apply.window
    }

    /// Frees what was in force before. How much of it is still in use.
    fn let_go(&self) -> usize {
        self.metrics.tidy() + self.shared.free_retired()
    }

    fn reload_unless_on_trial(&mut self) {
        if let Some(on_trial) = &self.trial {
            let file = on_trial.file.display();
            tracing::error!("not reloaded: {file} is on trial; confirm or cancel it first");
            return;
        }
        self.reload();
    }

    /// Reads configuration and zones again and puts them in force at once, or leaves everything as it is.
    fn reload(&mut self) {
        if let Ok(now) = sd_notify::NotifyState::monotonic_usec_now() {
            notify(&[sd_notify::NotifyState::Reloading, now]);
        }
        // When reloads follow each other closely, so that no more than two configurations are in memory at once.
        self.let_go();
        match read(&self.path, &self.inventory) {
            Ok((config, built)) => {
                self.put_in_force(config, built);
                self.note(Ok(()));
                tracing::info!("reloaded {}", self.path.display());
            }
            Err(faults) => {
                self.note(Err(faults.iter().map(|fault| fault.message.clone()).collect()));
                for fault in &faults {
                    tracing::error!("{fault}");
                }
                tracing::error!("reload failed: the configuration of before stays in force");
            }
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }

    pub(super) fn put_in_force(&mut self, mut config: Config, built: Built) {
        let before = self.config.load_full();
        if let Err(fault) = redirect(&self.log, &before, &config) {
            let target = log_name(&config);
            config.query_log.to.clone_from(&before.query_log.to);
            tracing::error!("{target}: {fault}; the query log stays where it was");
        }
        self.detecting.set(detect::Settings::of(&config, &built.snapshot.directory.node));
        self.redirect_rest(&before, &config);
        self.metrics.prepare(&built.snapshot.directory);
        self.shared.put_in_force(built.snapshot);
        self.watch.groups(&built.inventory);
        self.inventory = built.inventory;
        keep_what_waits_for_a_restart(&before, &mut config);
        self.config.store(Arc::new(config));
    }

    /// What is logged, dnstap, and the server's own log: nothing of it can fail.
    fn redirect_rest(&self, before: &Config, after: &Config) {
        if before.query_log.filter != after.query_log.filter {
            self.log.select(&selection(&after.query_log.filter));
        }
        if before.dnstap != after.dnstap {
            self.taps.redirect(taps(after));
        }
        operator::reload_level(&before.log, &after.log);
    }

    /// Puts back in force what was before.
    pub(super) fn put_back(&mut self, snapshot: Arc<Snapshot>, config: Arc<Config>, inventory: Inventory) {
        let now = self.config.load_full();
        if let Err(fault) = redirect(&self.log, &now, &config) {
            tracing::error!("{}: {fault}; the query log stays where it was", log_name(&config));
        }
        self.detecting.set(detect::Settings::of(&config, &snapshot.directory.node));
        self.redirect_rest(&now, &config);
        self.metrics.prepare(&snapshot.directory);
        self.shared.put_in_force(snapshot);
        self.watch.groups(&inventory);
        self.inventory = inventory;
        self.config.store(config);
    }

    pub(super) fn note(&self, outcome: Result<(), Vec<String>>) {
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        match outcome {
            Ok(()) => {
                reloads.succeeded += 1;
                reloads.last_success = Some(now);
            }
            Err(_) => reloads.failed += 1,
        }
        reloads.remember(now, &outcome);
        reloads.last = Some((now, outcome));
    }
}

pub(super) fn read(path: &Path, before: &Inventory) -> Result<(Config, Built), Vec<Diagnostic>> {
    let loaded = config::load(path)?;
    let built = build(&loaded.config, before)?;
    for warning in loaded.warnings.iter().chain(&built.warnings) {
        tracing::warn!("{warning}");
    }
    Ok((loaded.config, built))
}

fn redirect(log: &LogControl, before: &Config, after: &Config) -> io::Result<()> {
    let target = log_target(after);
    if target == log_target(before) { Ok(()) } else { log.redirect(&target) }
}

/// Leaves in a new configuration only what is in force: what a start alone can change stays as it was. That is said at
/// every reload until there is one.
fn keep_what_waits_for_a_restart(before: &Config, after: &mut Config) {
    let mut listen = before.listen.clone();
    listen.udp_payload = after.listen.udp_payload;
    let sizes = (before.cache.size, before.cache.answer_size);
    let waits = [
        ("[listen]", listen != after.listen),
        ("[cache] size and answer-size", sizes != (after.cache.size, after.cache.answer_size)),
        ("[query-log] queue", before.query_log.queue != after.query_log.queue),
        ("[log] format", before.log.format != after.log.format),
    ];
    for (what, _) in waits.iter().filter(|(_, changed)| *changed) {
        tracing::warn!("{what} changed: takes effect at the next restart");
    }
    after.listen = listen;
    (after.cache.size, after.cache.answer_size) = sizes;
    after.query_log.queue = before.query_log.queue;
    after.log.format = before.log.format;
}
