//! From start to stop: sockets, workers, log, health checks, HTTP; and the signals in between.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::adapter::Street;
use super::build::{Inventory, build};
use super::descriptor;
use super::output::{log_name, log_target, selection, taps};
use super::probing::Probing;
use super::reload::{InForce, Reloading};
use super::standing::Standing;
use super::status::{Reloads, Show};
use super::steer;
use super::trial::Lately;
use super::warm;
use crate::cache::PublishedCounts;
use crate::config::{Config, Diagnostic};
use crate::control;
use crate::detect;
use crate::exchange::{Exchange, Fleet};
use crate::listen::{self, ListenConfig, Listening, clock};
use crate::observe::log::Lane;
use crate::observe::{Metrics, QueryLog, Recorder, Sketches, TapControl, Taps};
use crate::pipeline::{Outfit, Shared, Worker};
use crate::query::Onlooker;

/// How long a stop waits for what is in flight: longer than any upstream deadline that makes sense.
const STOP_WITHIN: Duration = Duration::from_secs(3);
/// How long a stop waits for the log.
const LOG_WITHIN: Duration = Duration::from_secs(2);

/// Where the configuration came from, for a reload.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A file, read again on SIGHUP.
    File(PathBuf),
    /// The program itself: nothing to read again.
    Memory,
}

/// Why the server cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Zones or recursion.
    #[error("{}", rendered(.0))]
    Build(Vec<Diagnostic>),
    /// Sockets or threads.
    #[error(transparent)]
    Listen(#[from] listen::StartError),
    /// The query log's target.
    #[error("{target}: the query log cannot be opened: {fault}")]
    Log {
        /// The file, or stdout.
        target: String,
        /// The system's reason.
        fault: io::Error,
    },
    /// The control socket.
    #[error("cannot take commands on {}: {fault}", .path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The system's reason.
        fault: io::Error,
    },
    /// The HTTP endpoint's address.
    #[error("cannot listen on {address} for HTTP: {fault}")]
    Control {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        fault: io::Error,
    },
    /// Anything else of the system.
    #[error("{0}")]
    System(#[from] io::Error),
    /// A worker thread ended by itself.
    #[error("a worker ended unexpectedly: {0}")]
    Worker(#[from] listen::WorkerPanicked),
}

fn rendered(faults: &[Diagnostic]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A running server.
pub struct Server {
    config: Arc<ArcSwap<Config>>,
    shared: Arc<Shared>,
    listening: Listening,
    log: QueryLog,
    taps: TapControl,
    probing: Probing,
    control: Option<control::Running>,
    socket: Option<control::socket::Running>,
    reloading: Reloading,
    standing: Arc<Standing>,
    warming: Option<JoinHandle<()>>,
}

/// Serves until SIGTERM or SIGINT; SIGHUP reloads, SIGUSR1 opens the query log again.
pub fn run(config: Config, origin: Origin) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anything is answered: until it is caught, a signal ends the process.
    let signals = runtime.block_on(async { Signals::catch() })?;
    Server::start(config, origin)?.run_until_signalled(&runtime, signals)
}

struct Signals {
    reload: Signal,
    reopen: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> io::Result<Signals> {
        Ok(Signals {
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

impl Server {
    /// Binds, builds and starts everything; when it returns, queries are answered.
    pub fn start(config: Config, origin: Origin) -> Result<Server, Fault> {
        let built = build(&config, &Inventory::default()).map_err(Fault::Build)?;
        for warning in &built.warnings {
            tracing::warn!("{warning}");
        }
        let started = SystemTime::now();
        let descriptors = descriptor::raise();
        let workers = config.listen.workers.map_or_else(default_workers, Into::into);
        let shared = Arc::new(Shared::new(built.snapshot, config.cache.size));
        let queue = usize::try_from(config.query_log.queue).unwrap_or(usize::MAX);
        let sketches = Sketches::default();
        let (lookout, detecting) =
            detect::start(detect::Settings::of(&config, &shared.snapshot().directory.node));
        let (tapping, taps) = Taps::start(taps(&config));
        let onlookers: Vec<Box<dyn Onlooker>> =
            vec![Box::new(sketches.sketch()), Box::new(lookout), Box::new(tapping)];
        let (log, lanes) = QueryLog::start_watched(&log_target(&config), queue, workers, onlookers)
            .map_err(|fault| Fault::Log { target: log_name(&config), fault })?;
        log.control().select(&selection(&config.query_log.filter));
        let metrics = Arc::new(Metrics::new(workers));
        let counts: Vec<Arc<PublishedCounts>> = (0..workers).map(|_| Arc::default()).collect();
        let make = factory(&config, &shared, &metrics, lanes, &counts);
        let reloads = Arc::new(Mutex::new(Reloads { last_success: Some(started), ..Reloads::default() }));
        let standing = Arc::<Standing>::default();
        let show = Show {
            shared: Arc::clone(&shared),
            metrics: Arc::clone(&metrics),
            counts,
            standing: Arc::clone(&standing),
            log: log.control(),
            detecting: detecting.clone(),
            taps: taps.clone(),
            reloads: Arc::clone(&reloads),
            origin: origin.clone(),
            started,
            capacities: (config.cache.size, config.cache.answer_size * workers as u64),
            limits: limits(&config, workers, descriptors),
            sketches,
        };
        let show = Arc::new(show);
        // First, so that whoever asks is told that it is not ready yet.
        let control = match config.listen.http {
            Some(address) => {
                let cannot = |fault| Fault::Control { address, fault };
                Some(control::start(address, show.clone()).map_err(cannot)?)
            }
            None => None,
        };
        let listening =
            listen::start(&listen_config(&config, workers, descriptors), listen::batch::inherit()?, make)?;
        let warming = warm::begin(&config, &shared);
        let probing = Probing::start()?;
        probing.watching().groups(&built.inventory);
        standing.serve(listening.stats(), Instant::now());
        if let Some(control) = &control {
            tracing::info!("serving metrics and status on http://{}/", control.address());
        }
        for address in listening.addresses() {
            tracing::info!("serving DNS on {address}, {workers} workers");
        }
        let config = Arc::new(ArcSwap::from_pointee(config));
        let reloading = match origin {
            Origin::Memory => Reloading::nothing(),
            Origin::File(path) => Reloading::start(InForce {
                path,
                config: Arc::clone(&config),
                inventory: built.inventory,
                shared: Arc::clone(&shared),
                metrics,
                log: log.control(),
                detecting,
                taps: taps.clone(),
                watch: probing.watching(),
                reloads,
                lately: Lately::default(),
                trial: None,
            })?,
        };
        let socket = steer::start(&config.load().control, show, &shared, reloading.clone())?;
        Ok(Server {
            config,
            shared,
            listening,
            log,
            taps,
            probing,
            control,
            socket,
            reloading,
            standing,
            warming,
        })
    }

    fn run_until_signalled(self, runtime: &Runtime, mut signals: Signals) -> Result<(), Fault> {
        let outcome = runtime.block_on(async {
            let mut watch = tokio::time::interval(watchdog_period());
            let mut beats = self.beats();
            notify(&[sd_notify::NotifyState::Ready]);
            loop {
                tokio::select! {
                    _ = signals.reload.recv() => self.reloading.order(),
                    _ = signals.reopen.recv() => {
                        self.log.control().reopen();
                        self.taps.reopen();
                    }
                    _ = signals.terminate.recv() => return Ok(()),
                    _ = signals.interrupt.recv() => return Ok(()),
                    _ = watch.tick() => {
                        // A worker that no longer turns must not be kept alive by a main thread that does.
                        let now = self.beats();
                        if now.iter().zip(&beats).all(|(now, before)| now != before) {
                            notify(&[sd_notify::NotifyState::Watchdog]);
                        }
                        beats = now;
                        if self.listening.is_finished() {
                            return Err(Fault::System(io::Error::other("a worker thread has ended")));
                        }
                    }
                }
            }
        });
        notify(&[sd_notify::NotifyState::Stopping]);
        let stopped = self.stop();
        outcome.and(stopped)
    }

    /// Answers what was accepted, writes what was logged, ends.
    pub fn stop(self) -> Result<(), Fault> {
        self.standing.stop();
        self.listening.stop();
        let joined = self.listening.join();
        if let Some(socket) = self.socket {
            socket.stop();
        }
        if let Some(control) = self.control {
            control.stop();
        }
        self.probing.stop();
        let written = self.log.shutdown(LOG_WITHIN);
        self.taps.shutdown(LOG_WITHIN);
        warm::keep(&self.config.load(), &self.shared, self.warming);
        tracing::info!(log_lines = written.lines, "stopped");
        Ok(joined?)
    }

    fn beats(&self) -> Vec<u64> {
        self.listening.stats().iter().map(|stats| stats.heartbeat.get()).collect()
    }
}

/// Makes each worker's service on its own thread.
fn factory(
    config: &Config,
    shared: &Arc<Shared>,
    metrics: &Arc<Metrics>,
    lanes: Vec<Lane>,
    counts: &[Arc<PublishedCounts>],
) -> impl Fn(usize) -> Rc<Street> + Send + Clone + 'static + use<> {
    let answer_size = usize::try_from(config.cache.answer_size).unwrap_or(usize::MAX);
    let max_in_flight = config.listen.max_in_flight;
    let shared = Arc::clone(shared);
    let counts = counts.to_vec();
    let directory = Arc::clone(&shared.snapshot().directory);
    let recorders = metrics
        .workers()
        .zip(lanes)
        .map(|(counters, lane)| Some(Recorder::new(counters, lane, Arc::clone(&directory))));
    let recorders: Arc<Mutex<Vec<Option<Recorder>>>> = Arc::new(Mutex::new(recorders.collect()));
    let fleet = Fleet::default();
    move |number| {
        let recorder = recorders.lock().unwrap_or_else(PoisonError::into_inner)[number].take();
        let outfit = Outfit {
            exchange: Exchange::of(&fleet),
            answer_size,
            max_in_flight,
            counts: Arc::clone(&counts[number]),
            // `listen` asks once for each worker.
            recorder: recorder.unwrap_or_else(|| unreachable!("worker {number} was made twice")),
            clock: Box::new(clock::now),
        };
        Rc::new(Street(Worker::new(Arc::clone(&shared), outfit)))
    }
}

fn listen_config(config: &Config, workers: usize, descriptors: usize) -> ListenConfig {
    let listen = &config.listen;
    ListenConfig {
        dns: listen.dns.clone(),
        workers,
        tcp_idle_timeout: listen.tcp_idle_timeout,
        tcp_message_timeout: listen.tcp_message_timeout,
        tcp_clients: descriptor::for_tcp(listen.tcp_clients, descriptors),
        tcp_per_client: listen.tcp_per_client,
        tcp_pipeline: listen.tcp_pipeline,
        max_in_flight: listen.max_in_flight,
        stop_within: STOP_WITHIN,
    }
}

/// Queries that may wait, and TCP connections that may be open, of all workers.
fn limits(config: &Config, workers: usize, descriptors: usize) -> (u64, u64) {
    let listen = listen_config(config, workers, descriptors);
    ((listen.max_in_flight * workers) as u64, listen.tcp_clients as u64)
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Half of what systemd waits, as sd_watchdog_enabled(3) advises; without a watchdog, a look at the workers now and then.
fn watchdog_period() -> Duration {
    sd_notify::watchdog_enabled()
        .map_or(Duration::from_secs(10), |period| period / 2)
        .max(Duration::from_secs(1))
}

pub(super) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}
