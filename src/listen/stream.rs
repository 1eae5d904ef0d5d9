//! One TCP connection (RFC 7766): queries as they come, replies as they finish, several in one write.
//!
//! A connection costs little when it is silent, and cannot be made to cost much: at most `tcp_pipeline` queries of it are
//! unanswered, it is not read while it does not take its replies, and no message, in or out, may take longer than the
//! message timeout from its first octet to its last; the first query, from the moment of the connection.

use std::cell::{Cell, RefCell};
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use super::seats::{Heard, Lost, Seat};
use super::stats::Closed;
use super::worker::{Fate, Flight, Worker};
use super::{Service, clock};
use crate::query::{Now, Path};
use crate::wire::HEADER;

/// Octets read at once.
const CHUNK: usize = 4096;
/// Octets of replies that may wait before no further query is looked at; and what a silent connection keeps of its buffers.
const UNSENT: usize = 64 << 10;

/// What a connection shares with its queries in flight and with its worker.
pub(super) struct Link {
    /// Replies with their lengths, to be written next.
    ready: RefCell<Vec<u8>>,
    in_flight: Cell<usize>,
    wake: Arc<Notify>,
    order: Cell<Order>,
    /// Nothing in flight, nothing to be written.
    idle: Cell<bool>,
    /// When it began, last sent a whole message, or had its last reply.
    alive: Cell<Instant>,
    heard: Cell<Heard>,
    seat: Seat,
}

/// What the worker wants of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Serve,
    /// Answer what has come, then end.
    Finish,
}

impl Link {
    /// A connection on its seat, which rings this bell when another takes it.
    pub fn new(seat: Seat, wake: Arc<Notify>, now: Instant) -> Link {
        Link {
            ready: RefCell::default(),
            in_flight: Cell::new(0),
            wake,
            order: Cell::new(Order::Serve),
            idle: Cell::new(true),
            alive: Cell::new(now),
            heard: Cell::new(Heard::Never),
            seat,
        }
    }

    /// Answer what has come, then end.
    pub fn finish(&self) {
        self.order.set(Order::Finish);
        let _ = self.seat.work();
        self.wake.notify_one();
    }

    /// A whole message has come: until it is answered the seat is nobody else's.
    fn hear(&self, now: Instant) -> Result<(), Lost> {
        self.alive.set(now);
        self.heard.set(Heard::Once);
        if self.idle.replace(false) { self.seat.work() } else { Ok(()) }
    }

    /// All is answered and written.
    fn rest(&self, now: Instant) {
        self.alive.set(now);
        self.idle.set(true);
        // Who lost his seat sees it when he next looks.
        let _ = self.seat.rest(now, self.heard.get());
    }

    fn push(&self, reply: &[u8]) {
        // A reply that has no length cannot be sent; the service keeps to 65,535 octets.
        if let Ok(length) = u16::try_from(reply.len()) {
            let mut ready = self.ready.borrow_mut();
            ready.extend_from_slice(&length.to_be_bytes());
            ready.extend_from_slice(reply);
        }
    }
}

/// A query of this connection in flight, until dropped.
struct Pending<S: Service> {
    link: Rc<Link>,
    _flight: Flight<S>,
}

impl<S: Service> Pending<S> {
    fn new(link: &Rc<Link>, flight: Flight<S>) -> Pending<S> {
        link.in_flight.set(link.in_flight.get() + 1);
        Pending { link: link.clone(), _flight: flight }
    }
}

impl<S: Service> Drop for Pending<S> {
    fn drop(&mut self) {
        self.link.in_flight.set(self.link.in_flight.get() - 1);
        self.link.wake.notify_one();
    }
}

/// Serves a connection to its end; says why it ended.
pub(super) async fn serve<S: Service>(
    worker: &Rc<Worker<S>>,
    mut stream: TcpStream,
    path: Path,
    link: &Rc<Link>,
) -> Closed {
    // Replies are written when they are ready, as one; waiting for more gains nothing.
    let _ = stream.set_nodelay(true);
    let mut talk = Talk {
        worker,
        link,
        path,
        incoming: Vec::new(),
        writing: Vec::new(),
        written: 0,
        write_began: Instant::now(),
        arriving: Some(link.alive.get()),
        ended: None,
    };
    let (mut from, mut to) = stream.split();
    let mut timer = pin!(sleep_until(talk.deadline()));
    loop {
        match link.order.get() {
            Order::Serve => {}
            Order::Finish => talk.last_words(&from),
        }
        talk.take_messages();
        if link.seat.is_lost() {
            if link.heard.get() == Heard::Never {
                // A crowd of silent connections shall not leave as many in TIME-WAIT: with a reset, nothing is kept.
                let _ = from.as_ref().set_zero_linger();
            }
            return Closed::Evicted;
        }
        talk.gather();
        if let Some(reason) = talk.is_over() {
            return reason;
        }
        let wants_more = talk.wants_more();
        if let Some(until) = talk.arrival_ends()
            && until < timer.deadline()
        {
            timer.as_mut().reset(until);
        }
        tokio::select! {
            biased;
            result = to.write(&talk.writing[talk.written..]), if talk.is_writing() => match result {
                Ok(count) if count > 0 => talk.wrote(count),
                _ => return Closed::Broken,
            },
            result = from.read_buf(&mut talk.incoming), if wants_more => match result {
                Ok(0) => talk.ended = Some(Closed::Client),
                Ok(_) => {}
                Err(_) => return Closed::Broken,
            },
            () = link.wake.notified() => {}
            () = &mut timer => {
                if let Some(reason) = talk.overdue() {
                    return reason;
                }
                timer.as_mut().reset(talk.deadline());
            }
        }
    }
}

struct Talk<'w, S: Service> {
    worker: &'w Rc<Worker<S>>,
    link: &'w Rc<Link>,
    path: Path,
    /// Read, not yet taken.
    incoming: Vec<u8>,
    /// Being written; `written` octets of it are.
    writing: Vec<u8>,
    written: usize,
    write_began: Instant,
    /// Since when the message that is to come next is coming. The first is awaited from the start.
    arriving: Option<Instant>,
    /// Why no more is read.
    ended: Option<Closed>,
}

impl<S: Service> Talk<'_, S> {
    /// Takes whole messages out of what was read, as many as there is room for.
    fn take_messages(&mut self) {
        let (mut at, mut now) = (0, None);
        while self.has_room() {
            let rest = &self.incoming[at..];
            let Some(length) = rest.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)))
            else {
                break;
            };
            if length < HEADER {
                self.give_up();
                return;
            }
            let Some(message) = rest.get(2..2 + length) else { break };
            if self.link.hear(Instant::now()).is_err() {
                return;
            }
            at += 2 + length;
            self.worker.stats.tcp_in.add(1);
            if self.answer(message, *now.get_or_insert_with(clock::now)) == Worth::Nothing {
                self.give_up();
                return;
            }
        }
        self.incoming.drain(..at);
        self.time_arrival(at);
    }

    /// Notes since when the next message is coming, `taken` octets of whole ones having been taken out before it. What
    /// waits for us is not late.
    fn time_arrival(&mut self, taken: usize) {
        let awaited = self.arriving.is_some() && taken == 0;
        if !self.has_room() {
            self.arriving = None;
        } else if !awaited {
            self.arriving = (!self.incoming.is_empty()).then(Instant::now);
        }
    }

    fn answer(&self, message: &[u8], now: Now) -> Worth {
        let mut out = self.worker.scratch.take();
        out.clear();
        let worth = match self.worker.decide(message, &self.path, now, &mut out) {
            Fate::Reply => {
                self.worker.stats.tcp_out.add(1);
                self.link.push(&out);
                Worth::Reply
            }
            Fate::Silence => Worth::Nothing,
            Fate::Resolve(flight) => {
                self.resolve(message, now, flight);
                Worth::Reply
            }
        };
        self.worker.scratch.set(out);
        worth
    }

    fn resolve(&self, message: &[u8], now: Now, flight: Flight<S>) {
        let answer = self.worker.service.clone().resolve(message.into(), self.path, now);
        let pending = Pending::new(self.link, flight);
        let stats = self.worker.stats.clone();
        spawn_local(async move {
            if let Some(reply) = answer.await {
                stats.tcp_out.add(1);
                pending.link.push(&reply);
            }
            drop(pending);
        });
    }

    /// What comes is not DNS: nothing more of it is looked at.
    fn give_up(&mut self) {
        self.incoming = Vec::new();
        self.ended = Some(Closed::Garbage);
    }

    /// Reads what the kernel holds already, then no more.
    fn last_words(&mut self, from: &ReadHalf<'_>) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(Closed::Stop);
        while self.incoming.len() < UNSENT {
            self.incoming.reserve(CHUNK);
            match from.try_read_buf(&mut self.incoming) {
                Ok(count) if count > 0 => {}
                _ => return,
            }
        }
    }

    /// Takes over what is ready, once what was has been written.
    fn gather(&mut self) {
        if !self.is_writing() {
            self.writing.clear();
            self.written = 0;
            mem::swap(&mut self.writing, &mut self.link.ready.borrow_mut());
            self.write_began = Instant::now();
        }
        let idle = self.link.in_flight.get() == 0 && !self.is_writing();
        if idle && !self.link.idle.get() {
            self.link.rest(Instant::now());
            self.writing.shrink_to(UNSENT);
            self.link.ready.borrow_mut().shrink_to(UNSENT);
        }
    }

    fn is_writing(&self) -> bool {
        self.written < self.writing.len()
    }

    fn wrote(&mut self, count: usize) {
        self.written += count;
        if !self.is_writing() {
            self.worker.service.batch_done();
        }
    }

    /// Whether to read on; makes room if so.
    fn wants_more(&mut self) -> bool {
        if self.ended.is_some() || !self.has_room() {
            return false;
        }
        self.incoming.reserve(CHUNK);
        true
    }

    fn has_room(&self) -> bool {
        self.link.in_flight.get() < self.worker.config.tcp_pipeline.max(1)
            && self.link.ready.borrow().len() < UNSENT
    }

    fn is_over(&self) -> Option<Closed> {
        self.ended.filter(|_| self.link.idle.get())
    }

    fn overdue(&self) -> Option<Closed> {
        if Instant::now() < self.deadline() {
            return None;
        }
        Some(if self.is_writing() { Closed::Stalled } else { Closed::Idle })
    }

    /// When it will have been too long. While an answer is being sought and nothing arrives, that is always later.
    fn deadline(&self) -> Instant {
        let config = &self.worker.config;
        let quiet = if self.is_writing() {
            self.write_began + config.tcp_message_timeout
        } else if self.link.idle.get() {
            self.link.alive.get() + config.tcp_idle_timeout
        } else {
            Instant::now() + config.tcp_idle_timeout
        };
        self.arrival_ends().map_or(quiet, |ends| ends.min(quiet))
    }

    /// When the message that is coming must be there.
    fn arrival_ends(&self) -> Option<Instant> {
        self.arriving.map(|since| since + self.worker.config.tcp_message_timeout)
    }
}

/// What a message deserves.
#[derive(PartialEq, Eq)]
enum Worth {
    Reply,
    Nothing,
}
