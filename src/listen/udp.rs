//! One UDP socket of one worker: a batch in, the answers that are at hand out, the rest resolved and sent as they finish.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local, yield_now};
use tokio::time::sleep;

use super::batch::{Datagram, Inbox, Local, Outbox, Received, Rest, watch};
use super::lane::Seat;
use super::socket::{Origin, close_door};
use super::worker::{Fate, Flight, Worker};
use super::{Begin, Service, clock};
use crate::query::{Now, Path};

/// Batches before other tasks of the worker have their turn: about a millisecond's work.
const ROUNDS: usize = 4;
/// So many batches of which each left something in the socket, one after the other, are a load that will not end soon.
const BUSY: usize = 64;
/// Batches read at a stop: from a socket of ours all that its buffer can hold, from a shared one not for ever.
const LAST_ROUNDS: usize = 1024;
const LAST_ROUNDS_SHARED: usize = 16;
/// How long replies wait for room in the send buffer, and how often that is looked at.
const ROOM_TRIES: usize = 100;
const ROOM_WAIT: Duration = Duration::from_millis(1);
/// After a read that failed.
const ERROR_WAIT: Duration = Duration::from_millis(10);

pub(super) struct Udp<S: Service> {
    worker: Rc<Worker<S>>,
    socket: Rc<UdpSocket>,
    origin: Origin,
    inbox: RefCell<Inbox>,
    /// Replies of the batch at hand.
    replies: RefCell<Outbox>,
    /// Replies that took time: at most as many as may be in flight, since each is until it has left.
    resolved: RefCell<VecDeque<Resolved<S>>>,
    late: RefCell<Outbox>,
    /// Replies to queries that waited in the service.
    landed: RefCell<Outbox>,
    wake: Notify,
    reader: Cell<Option<AbortHandle>>,
}

struct Resolved<S: Service> {
    path: Path,
    reply: Vec<u8>,
    _flight: Flight<S>,
}

impl<S: Service> Udp<S> {
    /// Begins to serve a socket.
    pub fn open(worker: &Rc<Worker<S>>, socket: UdpSocket, origin: Origin) -> io::Result<Rc<Udp<S>>> {
        let (local, socket) = (Local { bound: socket.local_addr()? }, Rc::new(socket));
        // Tried before anybody relies on it.
        watch(socket.clone())?;
        let udp = Rc::new(Udp {
            worker: worker.clone(),
            socket,
            origin,
            inbox: RefCell::new(Inbox::new(local)),
            replies: RefCell::new(Outbox::new(local)),
            resolved: RefCell::default(),
            late: RefCell::new(Outbox::new(local)),
            landed: RefCell::new(Outbox::new(local)),
            wake: Notify::new(),
            reader: Cell::new(None),
        });
        let (reader, flusher) = (udp.clone(), udp.clone());
        udp.reader.set(Some(worker.keep_running(move || reader.clone().read())));
        worker.keep_running(move || flusher.clone().flush());
        Ok(udp)
    }

    /// Reads for ever: woken by the kernel where little comes, without asking it under load.
    async fn read(self: Rc<Self>) {
        // What a panic has left: its room is needed.
        self.send(&self.replies).await;
        loop {
            match watch(self.socket.clone()) {
                Ok(watched) => self.read_when_woken(&watched).await,
                Err(_) => self.pause_after_error().await,
            }
            self.read_while_busy().await;
        }
    }

    /// Reads what is reported, until there is always more than one batch.
    async fn read_when_woken(self: &Rc<Self>, watched: &AsyncFd<Rc<UdpSocket>>) {
        let mut full = 0;
        while full < BUSY {
            // Polled: `readable` enters a list of waiters and leaves it again, for each query where they come one by one.
            let Ok(mut ready) = poll_fn(|context| watched.poll_read_ready(context)).await else { return };
            for round in 1.. {
                match self.take_batch() {
                    Ok(rest) => {
                        self.reply().await;
                        if rest == Rest::Nothing {
                            full = 0;
                            // What comes after sets the readiness again.
                            ready.clear_ready();
                            break;
                        }
                        full += 1;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        full = 0;
                        ready.clear_ready();
                        break;
                    }
                    Err(_) => self.pause_after_error().await,
                }
                if round == ROUNDS {
                    yield_now().await;
                    break;
                }
            }
        }
    }

    /// Reads until there is nothing. A socket that is watched costs the kernel a look at its watchers for each reply that
    /// leaves the send buffer (`sock_wfree` in a profile: some two hundredths of a hit).
    async fn read_while_busy(self: &Rc<Self>) {
        for round in 1.. {
            match self.take_batch() {
                Ok(rest) => {
                    self.reply().await;
                    if rest == Rest::Nothing || round % ROUNDS == 0 {
                        yield_now().await;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pause_after_error().await,
            }
        }
    }

    async fn reply(&self) {
        self.send(&self.replies).await;
        self.worker.service.batch_done();
    }

    async fn pause_after_error(&self) {
        self.worker.stats.receive_errors.add(1);
        sleep(ERROR_WAIT).await;
    }

    /// Reads one batch and leaves in `replies` what can be answered at once.
    fn take_batch(self: &Rc<Self>) -> io::Result<Rest> {
        let mut inbox = self.inbox.borrow_mut();
        let mut replies = self.replies.borrow_mut();
        let foresee = |inbox: &Inbox| self.foresee(inbox.glimpse(0).into_iter());
        let Received { count, rest } = inbox.receive(self.socket.as_fd(), foresee)?;
        let now = clock::now();
        let stats = &self.worker.stats;
        stats.batches.add(1);
        stats.datagrams_in.add(count as u64);
        if count > 1 {
            self.foresee_batch(&inbox, count);
        }
        self.approach();
        let mut admit = || {
            for nth in 0..count {
                let Some(datagram) = inbox.datagram(nth) else {
                    stats.unusable.add(1);
                    continue;
                };
                // Always there: a batch of replies has as much room as a batch of queries.
                let Some(out) = replies.slot() else { break };
                match self.worker.decide(datagram.payload, &datagram.path, now, out) {
                    Fate::Reply => replies.commit(&datagram.path),
                    Fate::Silence => {}
                    Fate::Resolve(flight) => self.resolve(datagram, now, flight),
                }
            }
        };
        if count > 1 {
            self.worker.service.together(admit);
        } else {
            admit();
        }
        Ok(rest)
    }

    /// As [`Udp::foresee`], of many. Apart from where a query that comes alone goes by: what this needs of the stack is cold
    /// then.
    #[inline(never)]
    fn foresee_batch(&self, inbox: &Inbox, count: usize) {
        self.foresee((0..count).filter_map(|nth| inbox.glimpse(nth)));
    }

    /// Has the memory fetched that these will want.
    fn foresee<'q>(&self, queries: impl Iterator<Item = (&'q [u8], IpAddr)>) {
        // What panics here will do so in its own turn, and costs that query then; here it would cost the batch.
        let _ = catch_unwind(AssertUnwindSafe(|| self.worker.service.foresee(queries)));
    }

    /// Goes on with what was foreseen, if anything was.
    fn approach(&self) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.worker.service.approach()));
    }

    fn resolve(self: &Rc<Self>, datagram: Datagram<'_>, now: Now, flight: Flight<S>) {
        let Datagram { payload, path } = datagram;
        let (service, lane) = (&self.worker.service, &self.worker.lane);
        let seat = lane.take_seat(Seat { udp: self.clone(), path, flight });
        if service.begin(payload, &path, now, seat.ticket) == Begin::Task
            && let Some(Seat { flight, .. }) = lane.leave(seat.ticket)
        {
            // Boxed: a task moves what it runs several times, and this is some thousand octets.
            self.send_later(path, flight, Box::pin(service.clone().resolve(payload.into(), path, now)));
        }
    }

    /// Sends what `reply` gives.
    pub fn send_later<F>(self: &Rc<Self>, path: Path, flight: Flight<S>, reply: F)
    where
        F: Future<Output = Option<Vec<u8>>> + 'static,
    {
        let udp = self.clone();
        spawn_local(async move {
            if let Some(reply) = reply.await {
                udp.resolved.borrow_mut().push_back(Resolved { path, reply, _flight: flight });
                udp.wake.notify_one();
            }
        });
    }

    /// Adds a reply to those that [`Udp::send_landed`] sends. Says whether there was room.
    pub fn commit_landed(&self, reply: &[u8], path: &Path) -> bool {
        let mut landed = self.landed.borrow_mut();
        let Some(out) = landed.slot() else { return false };
        out.extend_from_slice(reply);
        landed.commit(path);
        true
    }

    /// Sends the replies to queries that waited in the service.
    pub async fn send_landed(&self) {
        self.send(&self.landed).await;
    }

    /// Sends what has been resolved. It is woken by the first reply and runs after all tasks that were ready with it, so
    /// what finishes together leaves together.
    async fn flush(self: Rc<Self>) {
        loop {
            self.wake.notified().await;
            while self.fill_late() {
                self.send(&self.late).await;
            }
            self.worker.service.batch_done();
        }
    }

    /// Says whether there is anything to send.
    fn fill_late(&self) -> bool {
        let (mut late, mut resolved) = (self.late.borrow_mut(), self.resolved.borrow_mut());
        while let Some(out) = late.slot() {
            let Some(next) = resolved.pop_front() else { break };
            out.extend_from_slice(&next.reply);
            late.commit(&next.path);
        }
        !late.is_empty()
    }

    /// Sends a batch of replies, waiting a while for room in the send buffer if need be.
    async fn send(&self, replies: &RefCell<Outbox>) {
        let stats = &self.worker.stats;
        for _ in 0..ROOM_TRIES {
            let outcome = replies.borrow_mut().send(self.socket.as_fd());
            stats.datagrams_out.add(outcome.sent);
            stats.send_errors.add(outcome.failed);
            if outcome.waiting == 0 {
                return;
            }
            sleep(ROOM_WAIT).await;
        }
        stats.send_stuck.add(replies.borrow_mut().clear() as u64);
    }

    /// Lets no more in, and answers what is in.
    pub async fn close(self: &Rc<Self>) {
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        if self.origin == Origin::Ours
            && let Err(error) = close_door(&self.socket)
        {
            tracing::warn!("queries may be lost at this stop: {error}");
        }
        self.drain().await;
    }

    /// Answers what is in the socket's buffer, and what a reader that was ended has left.
    pub async fn drain(self: &Rc<Self>) {
        let rounds = match self.origin {
            Origin::Ours => LAST_ROUNDS,
            Origin::Passed => LAST_ROUNDS_SHARED,
        };
        self.send(&self.replies).await;
        for _ in 0..rounds {
            let rest = match self.take_batch() {
                Ok(rest) => rest,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error for the peer that the closed door has: there may be more behind it.
                Err(_) => continue,
            };
            self.send(&self.replies).await;
            if rest == Rest::Nothing {
                break;
            }
        }
    }
}
