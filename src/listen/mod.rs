//! Where queries arrive and replies leave: UDP in batches, TCP as RFC 7766 wants it, one worker per core, nothing shared
//! but the caps on connections.
//!
//! What is answered is a [`Service`]'s business. This room reads sockets and clocks, bounds what is in flight, and counts.
//! [`socket`] makes the sockets, [`worker`] runs one thread, [`udp`] and [`stream`] carry messages, [`batch`] is the only
//! `unsafe` of the project.

pub mod address;
pub mod batch;
pub mod clock;
pub mod lane;
mod seats;
pub mod service;
pub mod socket;
pub mod stats;

mod accept;
mod fragment;
mod stream;
mod udp;
mod worker;

pub use service::{Admit, Begin, Landing, Service};
pub use socket::BindError;
pub use stats::Stats;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use seats::Seats;

/// Between two beats of the workers' hearts.
const BEAT: Duration = Duration::from_millis(400);

/// Where to listen, and how much to take on.
#[derive(Debug, Clone)]
pub struct ListenConfig {
    /// Addresses for UDP and TCP. Port 0 lets the kernel choose one for both.
    pub dns: Vec<SocketAddr>,
    /// Worker threads; at least one is started.
    pub workers: usize,
    /// How long a TCP connection may be silent between its queries.
    pub tcp_idle_timeout: Duration,
    /// How long one message may take to arrive or to be taken, and a new connection to its first query.
    pub tcp_message_timeout: Duration,
    /// TCP connections at once, all clients together. Never more than half of the process's file descriptors.
    pub tcp_clients: usize,
    /// TCP connections at once from one address.
    pub tcp_per_client: usize,
    /// Queries of one TCP connection that may be unanswered at once.
    pub tcp_pipeline: usize,
    /// Resolutions at once per worker; a query beyond is turned away and counted.
    pub max_in_flight: usize,
    /// How long a stop waits for what is in flight.
    pub stop_within: Duration,
}

impl Default for ListenConfig {
    fn default() -> ListenConfig {
        ListenConfig {
            dns: Vec::new(),
            workers: thread::available_parallelism().map_or(1, usize::from),
            tcp_idle_timeout: Duration::from_secs(10),
            tcp_message_timeout: Duration::from_secs(5),
            tcp_clients: 1000,
            tcp_per_client: 100,
            tcp_pipeline: 64,
            max_in_flight: 10_000,
            stop_within: Duration::from_secs(2),
        }
    }
}

/// Why listening could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A thread or its event loop could not be made.
    #[error("cannot start worker {worker}: {source}")]
    Worker {
        /// Its number.
        worker: usize,
        /// The system's reason.
        source: io::Error,
    },
    /// The thread that asks the workers for a sign of life could not be made.
    #[error("cannot start the workers' heartbeat: {0}")]
    Heart(io::Error),
}

/// A worker thread that did not end by itself.
#[derive(Debug, thiserror::Error)]
#[error("worker {0} panicked")]
pub struct WorkerPanicked(pub usize);

/// Workers that are running.
#[derive(Debug)]
pub struct Listening {
    addresses: Vec<SocketAddr>,
    stats: Vec<Arc<Stats>>,
    stop: watch::Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

/// Binds every address, then starts the workers. `passed` are sockets that the service manager holds open
/// ([`batch::inherit`]); they are preferred to making new ones. `make` builds each worker's service inside its thread,
/// within its runtime, given the worker's number.
pub fn start<S, F>(config: &ListenConfig, passed: Vec<OwnedFd>, make: F) -> Result<Listening, StartError>
where
    S: Service,
    F: Fn(usize) -> Rc<S> + Send + Clone + 'static,
{
    let workers = config.workers.max(1);
    let (addresses, ends) = socket::bind(&config.dns, workers, passed)?;
    let seats = Seats::new(config.tcp_clients.min(descriptors() / 2), config.tcp_per_client);
    let (stop, stopped) = watch::channel(());
    let pulse = heart().map_err(StartError::Heart)?;
    let mut listening = Listening { addresses, stats: Vec::new(), stop, threads: Vec::new() };
    let (ready, outcomes) = mpsc::channel();
    for (number, ends) in ends.into_iter().enumerate() {
        let stats = Arc::new(Stats::default());
        listening.stats.push(stats.clone());
        let plan = worker::Plan {
            ends,
            config: config.clone(),
            seats: seats.clone(),
            stats,
            stop: stopped.clone(),
            pulse: pulse.clone(),
        };
        let (make, ready) = (make.clone(), ready.clone());
        let started = thread::Builder::new()
            .name(format!("kkh-worker-{number}"))
            .spawn(move || worker::run(plan, || make(number), &ready));
        match started {
            Ok(thread) => listening.threads.push(thread),
            Err(source) => return Err(StartError::Worker { worker: number, source }),
        }
    }
    for worker in 0..workers {
        match outcomes.recv() {
            Ok(Ok(())) => {}
            Ok(Err(source)) => return Err(StartError::Worker { worker, source }),
            Err(_) => return Err(StartError::Worker { worker, source: io::Error::other("it panicked") }),
        }
    }
    Ok(listening)
}

/// Makes every worker show that it turns, for as long as there is one. A timer of each worker's own would give a time-out
/// to every one of its epoll_wait calls, which costs a worker that sleeps between two queries 5 % of its time.
fn heart() -> io::Result<watch::Receiver<()>> {
    let (beat, pulse) = watch::channel(());
    let beats = move || {
        while beat.send(()).is_ok() {
            thread::sleep(BEAT);
        }
    };
    thread::Builder::new().name("kkh-heart".to_owned()).spawn(beats)?;
    Ok(pulse)
}

/// How many file descriptors the process may have.
fn descriptors() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}

impl Listening {
    /// The addresses that are served, in the order of the configuration, with the ports that port 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What each worker counts.
    pub fn stats(&self) -> &[Arc<Stats>] {
        &self.stats
    }

    /// Tells the workers to answer what has been accepted and to end. Returns at once.
    pub fn stop(&self) {
        let _ = self.stop.send(());
    }

    /// Whether a worker has ended, be it told to or not.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Waits for every worker to end.
    pub fn join(self) -> Result<(), WorkerPanicked> {
        let outcomes: Vec<_> = self.threads.into_iter().map(JoinHandle::join).collect();
        match outcomes.iter().position(Result::is_err) {
            Some(worker) => Err(WorkerPanicked(worker)),
            None => Ok(()),
        }
    }
}
