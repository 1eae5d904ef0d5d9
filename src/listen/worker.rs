//! One worker: a thread, its event loop, its sockets, its service. What is in flight is counted here, and the stop is
//! walked through here.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet, spawn_local};
use tokio::time::{Instant, timeout_at};

use super::accept::{Connections, Door};
use super::lane::{self, Lane};
use super::seats::Seats;
use super::socket::Ends;
use super::udp::Udp;
use super::{Admit, ListenConfig, Service, Stats, clock};
use crate::query::{Now, Path};

/// What a worker is started with.
pub(super) struct Plan {
    pub ends: Ends,
    pub config: ListenConfig,
    pub seats: Arc<Seats>,
    pub stats: Arc<Stats>,
    pub stop: watch::Receiver<()>,
    pub pulse: watch::Receiver<()>,
}

/// What the tasks of one worker share.
pub(super) struct Worker<S: Service> {
    pub service: Rc<S>,
    pub config: ListenConfig,
    pub seats: Arc<Seats>,
    pub stats: Arc<Stats>,
    pub connections: Connections,
    /// Queries that wait in the service.
    pub lane: Lane<S>,
    /// Where a stream's reply is written before its length is known.
    pub scratch: Cell<Vec<u8>>,
    in_flight: Cell<usize>,
    /// What runs now has its panics counted, whatever else they end.
    is_watched: Cell<bool>,
    /// Something ended: a resolution or a connection. Told only while the stop waits for it.
    settled: Notify,
    is_settling: Cell<bool>,
}

/// What becomes of a query.
pub(super) enum Fate<S: Service> {
    /// The reply is written.
    Reply,
    /// Nothing is to be sent.
    Silence,
    /// It is to be resolved.
    Resolve(Flight<S>),
}

/// One resolution in flight, until dropped.
pub(super) struct Flight<S: Service>(Rc<Worker<S>>);

/// Runs a worker until it is told to stop. Says through `ready` whether it could begin.
pub(super) fn run<S: Service>(
    plan: Plan,
    make: impl FnOnce() -> Rc<S>,
    ready: &mpsc::Sender<io::Result<()>>,
) {
    clock::now();
    let begun = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let outcome = begun.and_then(|runtime| {
        runtime.block_on(async {
            let mut sockets = Sockets::open(plan, make)?;
            let _ = ready.send(Ok(()));
            sockets.work().await;
            Ok(())
        })
    });
    if let Err(error) = outcome {
        let _ = ready.send(Err(error));
    }
}

struct Sockets<S: Service> {
    worker: Rc<Worker<S>>,
    udp: Vec<Rc<Udp<S>>>,
    doors: Vec<Rc<Door<S>>>,
    stop: watch::Receiver<()>,
    pulse: watch::Receiver<()>,
}

impl<S: Service> Sockets<S> {
    fn open(plan: Plan, make: impl FnOnce() -> Rc<S>) -> io::Result<Sockets<S>> {
        let Plan { ends, config, seats, stats, stop, pulse } = plan;
        let worker = Rc::new(Worker {
            service: make(),
            config,
            seats,
            stats,
            connections: Connections::default(),
            lane: Lane::new(),
            scratch: Cell::default(),
            in_flight: Cell::new(0),
            is_watched: Cell::new(false),
            settled: Notify::new(),
            is_settling: Cell::new(false),
        });
        let waiting = worker.clone();
        worker.keep_running(move || lane::run(waiting.clone()));
        let udp = ends.udp.into_iter().map(|(socket, origin)| Udp::open(&worker, socket, origin));
        let doors = ends.tcp.into_iter().map(|(listener, _)| Door::open(&worker, listener));
        Ok(Sockets {
            udp: udp.collect::<io::Result<_>>()?,
            doors: doors.collect::<io::Result<_>>()?,
            worker,
            stop,
            pulse,
        })
    }

    async fn work(&mut self) {
        loop {
            tokio::select! {
                // An error means that whoever could have told us is gone.
                _ = self.stop.changed() => break,
                Ok(()) = self.pulse.changed() => {
                    self.worker.stats.heartbeat.add(1);
                    self.worker.service.batch_done();
                }
            }
        }
        self.finish(Instant::now() + self.worker.config.stop_within).await;
    }

    /// Answers what the kernel has accepted for us, and then whatever is in flight.
    async fn finish(&mut self, deadline: Instant) {
        for udp in &self.udp {
            udp.close().await;
        }
        for door in self.doors.drain(..) {
            door.close().await;
        }
        self.worker.connections.finish();
        let _ = timeout_at(deadline, self.worker.settle()).await;
        for udp in &self.udp {
            // What slipped in while the door closed.
            udp.drain().await;
        }
        let _ = timeout_at(deadline, self.worker.settle()).await;
        self.worker.service.batch_done();
    }
}

impl<S: Service> Worker<S> {
    /// Asks the service, and bounds what is in flight. `out` must be empty.
    pub fn decide(self: &Rc<Self>, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> Fate<S> {
        match self.service.admit(packet, path, now, out) {
            Admit::Reply => return Fate::Reply,
            Admit::Drop => {}
            Admit::Resolve if self.in_flight.get() < self.config.max_in_flight => {
                return Fate::Resolve(self.take_off());
            }
            Admit::Resolve => {
                self.stats.overloaded.add(1);
                out.clear();
                self.service.overloaded(packet, path, now, out);
                if !out.is_empty() {
                    return Fate::Reply;
                }
            }
        }
        self.stats.silent.add(1);
        Fate::Silence
    }

    fn take_off(self: &Rc<Self>) -> Flight<S> {
        self.set_in_flight(self.in_flight.get() + 1);
        Flight(self.clone())
    }

    fn set_in_flight(&self, count: usize) {
        self.in_flight.set(count);
        self.stats.in_flight.set(count as u64);
    }

    /// Runs what `make` makes; after a panic, which is a bug of ours, makes it again: one bad message must not deafen
    /// the worker.
    pub fn keep_running<F>(self: &Rc<Self>, make: impl Fn() -> F + 'static) -> AbortHandle
    where
        F: Future<Output = ()> + 'static,
    {
        let worker = self.clone();
        let keeper = spawn_local(async move {
            // A set ends its task when it is dropped, so ending this task ends the other.
            let mut running = JoinSet::new();
            running.spawn_local(watched(worker.clone(), make()));
            while let Some(Err(error)) = running.join_next().await {
                if error.is_panic() {
                    running.spawn_local(watched(worker.clone(), make()));
                }
            }
        });
        keeper.abort_handle()
    }

    /// A connection has ended.
    pub fn one_less(&self) {
        self.stats.tcp_open.set(self.connections.len() as u64);
        self.tell_settled();
    }

    fn tell_settled(&self) {
        if self.is_settling.get() {
            self.settled.notify_one();
        }
    }

    /// Waits until nothing is in flight and no connection is open.
    async fn settle(&self) {
        self.is_settling.set(true);
        while self.in_flight.get() > 0 || self.connections.len() > 0 {
            self.settled.notified().await;
        }
    }
}

/// A task whose panics are counted: once each, though queries in flight end with them.
pub(super) fn watched<S: Service>(
    worker: Rc<Worker<S>>,
    task: impl Future<Output = ()>,
) -> impl Future<Output = ()> {
    // Boxed: an async block would hold what it runs twice.
    let mut task = Box::pin(task);
    poll_fn(move |context| {
        worker.is_watched.set(true);
        let _watch = Watch(&worker);
        task.as_mut().poll(context)
    })
}

/// As long as a task that is watched has its turn.
struct Watch<'a, S: Service>(&'a Worker<S>);

impl<S: Service> Drop for Watch<'_, S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stats.panics.add(1);
        }
        self.0.is_watched.set(false);
    }
}

impl<S: Service> Drop for Flight<S> {
    fn drop(&mut self) {
        // One whose own task panics: nobody else would tell.
        if std::thread::panicking() && !self.0.is_watched.get() {
            self.0.stats.panics.add(1);
        }
        self.0.set_in_flight(self.0.in_flight.get() - 1);
        self.0.tell_settled();
    }
}
