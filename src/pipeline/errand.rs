//! What an operator wants of every worker: it does it on its own thread, and says what came of it.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::{Rc, Weak};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::{Admit, Worker};
use crate::cache::Forget;
use crate::query::{Directory, Event, Path, Transport};

/// The port of ours that a traced question comes to: none that a packet can come to.
pub(super) const TRACED: u16 = 0;
/// Errands that may wait for a worker; more come only when one does not turn any more.
const WAITING: usize = 16;

/// The workers' inboxes.
#[derive(Default)]
pub(super) struct Errands(Mutex<Vec<Inbox>>);

/// One worker's.
struct Inbox {
    door: SyncSender<Errand>,
    /// Wakes the worker, if it [listens](Mail::listen).
    bell: Arc<Notify>,
}

/// The worker's end of its inbox.
pub(super) struct Mail {
    /// What is to be done.
    pub errands: Receiver<Errand>,
    bell: Arc<Notify>,
    listens: Cell<bool>,
}

impl Mail {
    /// Has `look` called for its worker whenever the bell is rung, from now on. A worker looks with each batch and twice a
    /// second anyway; one that was asked a question listens, as whoever asks one has more.
    pub fn listen<W: 'static>(&self, own: Weak<W>, look: fn(&W)) {
        if self.listens.replace(true) {
            return;
        }
        let bell = Arc::clone(&self.bell);
        spawn_local(async move {
            loop {
                bell.notified().await;
                let Some(worker) = own.upgrade() else { return };
                look(&worker);
            }
        });
    }
}

/// One order to one worker.
#[derive(Clone)]
pub(super) enum Errand {
    /// Something is to be forgotten; it says how many entries went.
    Forget(Arc<Forget>, Sender<u64>),
    /// A question is to be asked.
    Trace(Trace),
}

/// A question to be asked as a client would.
#[derive(Clone)]
pub(super) struct Trace {
    /// The query.
    pub packet: Box<[u8]>,
    /// Whose it is.
    pub client: IpAddr,
    /// Where what became of it goes.
    pub done: Sender<Traced>,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct Traced {
    /// The reply; `None`: there is none.
    pub reply: Option<Vec<u8>>,
    /// Its event.
    pub event: Option<TracedEvent>,
}

/// An event in words.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TracedEvent {
    /// The client's network.
    pub network: Option<String>,
    /// The client's view.
    pub view: Option<String>,
    /// The route that answered.
    pub route: Option<String>,
    /// The upstream server that answered, now or when the answer was cached.
    pub server: Option<String>,
    /// Where the answer came from.
    pub source: &'static str,
    /// RCODE.
    pub rcode: u16,
    /// The first extended error.
    pub ede: Option<u16>,
    /// From arrival to answer.
    pub microseconds: u32,
}

impl TracedEvent {
    /// Of an event, whose numbers are positions in `names`.
    pub(super) fn of(event: &Event<'_>, names: &Directory) -> TracedEvent {
        let text = |list: &[String], number: Option<u32>| list.get(number? as usize).cloned();
        let server = |number: u32| names.servers.get(number as usize);
        TracedEvent {
            network: event.network.and_then(|n| Some(names.networks.get(n as usize)?.name.clone())),
            view: text(&names.views, event.view),
            route: text(&names.routes, event.route),
            server: event.server.and_then(server).map(|s| format!("{} ({})", s.address, s.upstream)),
            source: event.source.text(),
            rcode: event.rcode,
            ede: event.ede,
            microseconds: event.duration_micros,
        }
    }
}

/// What the workers will say.
pub struct Receipt {
    workers: usize,
    done: Receiver<u64>,
}

impl Errands {
    /// The inbox of one more worker.
    pub fn enlist(&self) -> Mail {
        let (door, errands) = sync_channel(WAITING);
        let bell = Arc::<Notify>::default();
        let inbox = Inbox { door, bell: Arc::clone(&bell) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(inbox);
        Mail { errands, bell, listens: Cell::new(false) }
    }

    /// Gives an order to every worker that there is.
    pub fn send(&self, order: Forget) -> Receipt {
        let (done, said) = channel();
        let errand = Errand::Forget(Arc::new(order), done);
        let mut inboxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that has ended has no cache any more; one whose inbox is full is waited for in vain, and that is said.
        inboxes.retain(|inbox| {
            !matches!(inbox.door.try_send(errand.clone()), Err(TrySendError::Disconnected(_)))
        });
        Receipt { workers: inboxes.len(), done: said }
    }

    /// Has one worker ask a question. The bell to ring once the workers can tell that there is something.
    pub fn ask(&self, packet: Box<[u8]>, client: IpAddr) -> (Receiver<Traced>, Option<Arc<Notify>>) {
        let (done, said) = channel();
        let errand = Errand::Trace(Trace { packet, client, done });
        let inboxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The first that takes it; where none does, whoever waits is told at once.
        let taken = inboxes.iter().find(|inbox| inbox.door.try_send(errand.clone()).is_ok());
        (said, taken.map(|inbox| Arc::clone(&inbox.bell)))
    }
}

impl Receipt {
    /// Waits for the workers, for each no longer than `patience`: how many entries went, and how many workers did not
    /// answer.
    pub fn wait(self, patience: Duration) -> (u64, usize) {
        let mut entries = 0;
        for said in 0..self.workers {
            match self.done.recv_timeout(patience) {
                Ok(more) => entries += more,
                Err(_) => return (entries, self.workers - said),
            }
        }
        (entries, 0)
    }
}

impl Worker {
    /// Asks a question as its client would, and tells what became of it. It is in no log and counted nowhere.
    pub(super) async fn trace(self: Rc<Self>, trace: Trace) {
        let Trace { packet, client, done } = trace;
        let path = Path {
            client: (client, 1).into(),
            local: (Ipv4Addr::UNSPECIFIED, TRACED).into(),
            transport: Transport::Tcp,
        };
        let (now, mut out) = (self.now(), Vec::with_capacity(512));
        let reply = match self.admit(&packet, &path, now, &mut out) {
            Admit::Reply => Some(out),
            Admit::Drop => None,
            Admit::Resolve => Rc::clone(&self).resolve(packet, path, now).await,
        };
        let _ = done.send(Traced { reply, event: self.traced.take() });
    }
}
