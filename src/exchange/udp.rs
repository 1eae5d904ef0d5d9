//! Queries over UDP: who waits for what, and the one reader that hands out what arrives.
//!
//! All sockets of a worker stand in one epoll set, which its runtime watches as one descriptor: a batch of responses is
//! one wake-up, however many ports it came to. Each response costs one recvfrom.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::accept::{Mismatch, accept_datagram};
use super::ear::Ear;
use super::flips::Flips;
use super::lane::{Ended, Landed, Landing, Silent};
use super::port::{self, Leave, Ports};
use super::{ExchangeError, Query, Reply, Try};
use crate::wire::message::Message;

/// How many datagrams of the server's address that are not the response we put up with. A forger needs tens of
/// thousands; a confused server or a late duplicate, a few.
const MOST_IGNORED: u32 = 200;
/// Datagrams read from one port before the others have their turn.
pub(super) const ROUNDS: usize = 64;
/// Ports looked at in one system call, and others have their turn: who waits is told while what came is still near.
pub(super) const EVENTS: usize = 128;
/// How late the end of a wait may be noticed.
const TICK: Duration = Duration::from_millis(10);

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A worker's UDP, from its first query on.
pub(super) struct Line {
    desk: Arc<Desk>,
    reader: JoinHandle<()>,
}

/// What queries and the reader share.
pub(super) struct Desk {
    /// Its number among all of this process.
    pub(super) serial: u64,
    pub(super) epoll: Epoll,
    // One thread uses it, so the lock is never waited for; it is there so that a future which asks may move.
    state: Mutex<State>,
    /// Somebody waits again.
    pub(super) begun: Notify,
    /// There is something to take from the lane.
    landed: Arc<Notify>,
}

pub(super) struct State {
    pub(super) ports: Ports,
    pub(super) waits: Vec<Option<Wait>>,
    pub(super) free: Vec<u32>,
    pub(super) datagram: Box<[u8]>,
    /// What it says.
    message: Message,
    /// The query that is being sent.
    pub(super) query: Vec<u8>,
    /// Queries of the lane are kept back, to leave together.
    pub(super) gathering: bool,
    pub(super) leaving: Vec<u32>,
    pub(super) ear: Arc<Ear>,
    /// Of queries of the lane.
    pub(super) landed: VecDeque<Landed>,
}

/// A query that was sent.
pub(super) struct Wait {
    pub(super) server: SocketAddr,
    pub(super) query: Query,
    pub(super) flips: Flips,
    pub(super) id: u16,
    pub(super) port: port::Key,
    pub(super) sent: Instant,
    pub(super) deadline: Instant,
    pub(super) ignored: u32,
    pub(super) party: Party,
    /// How it ended, where a task is to hear of it.
    pub(super) outcome: Option<Box<(Result<Message, ExchangeError>, Instant)>>,
}

/// Who is to be told.
pub(super) enum Party {
    /// The task that waits.
    Task(Option<Waker>),
    /// Whoever takes from the lane what has this token; also when nothing has come until `due`.
    Lane { token: u64, due: Instant },
}

impl Wait {
    /// Whether it has ended, and so has left its port.
    pub(super) fn is_settled(&self) -> bool {
        self.port == port::NONE
    }
}

impl Line {
    /// Begins to read, on the runtime of the caller.
    pub(super) fn open(landed: Arc<Notify>, ear: Arc<Ear>) -> io::Result<Line> {
        let state = State {
            ports: Ports::new(),
            waits: Vec::new(),
            free: Vec::new(),
            datagram: vec![0; 1 << 16].into(),
            message: Message::default(),
            query: Vec::new(),
            gathering: false,
            leaving: Vec::new(),
            ear,
            landed: VecDeque::new(),
        };
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let desk = Arc::new(Desk { serial, epoll, state: Mutex::new(state), begun: Notify::new(), landed });
        // Its successor differs by `unsafe` alone, for what does not own its descriptor; this does.
        #[allow(deprecated)]
        let watched = AsyncFd::with_interest(Watched(Arc::clone(&desk)), Interest::READABLE)?;
        let reader = tokio::spawn(read(watched));
        Ok(Line { desk, reader })
    }

    /// Whether its runtime is still there.
    pub(super) fn is_open(&self) -> bool {
        !self.reader.is_finished()
    }

    pub(super) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Sends a query and waits.
pub(super) async fn exchange(desk: Arc<Desk>, attempt: &Try<'_>) -> Result<Reply, ExchangeError> {
    let slot = desk.send(attempt.way, attempt.query.clone(), Instant::now(), Party::Task(None))?;
    Waiting { desk, slot, ignored: Some(attempt.ignored) }.await
}

/// Ready when the response is there or will not come. Dropped earlier it ends the wait.
pub(super) struct Waiting<'a> {
    pub(super) desk: Arc<Desk>,
    pub(super) slot: u32,
    pub(super) ignored: Option<&'a AtomicU64>,
}

impl Future for Waiting<'_> {
    type Output = Result<Reply, ExchangeError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.desk.lock();
        let Some(wait) = &mut state.waits[self.slot as usize] else { return Poll::Pending };
        if let Some((message, arrived)) = wait.outcome.take().map(|outcome| *outcome) {
            return Poll::Ready(message.map(|message| Reply { message, rtt: arrived - wait.sent }));
        }
        match &mut wait.party {
            Party::Task(Some(waker)) => waker.clone_from(context.waker()),
            other => *other = Party::Task(Some(context.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        let Some(wait) = state.waits[self.slot as usize].take() else { return };
        // If it had ended, it has left its port.
        state.ports.leave(wait.port, self.slot, Leave::Unheard);
        state.free.push(self.slot);
        if let Some(ignored) = self.ignored
            && wait.ignored > 0
        {
            ignored.fetch_add(wait.ignored.into(), Ordering::Relaxed);
        }
    }
}

impl Desk {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out what has arrived; says whether that was all.
    fn drain(&self) -> bool {
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        let now = Instant::now();
        let mut state = self.lock();
        for event in &events[..count] {
            let key = event.data() as port::Key;
            if event.events().contains(EpollFlags::EPOLLERR) {
                state.read_errors(key, now);
            }
            state.read_port(key, &self.epoll, now);
        }
        self.tell_of_landed(&state);
        count < EVENTS
    }

    pub(super) fn tell_of_landed(&self, state: &State) {
        if !state.landed.is_empty() {
            self.landed.notify_one();
        }
    }

    /// Gives back what it has, as nobody reads here any more: every wait ends, tasks hear of it here, and what there is to be
    /// told of the lane is for the next line to tell.
    pub(super) fn abandon(&self) -> VecDeque<Landed> {
        let (mut state, now) = (self.lock(), Instant::now());
        for slot in 0..state.waits.len() as u32 {
            state.settle(slot, Err(ExchangeError::Local(io::ErrorKind::NotConnected)), now);
        }
        state.ports = Ports::new();
        state.leaving.clear();
        std::mem::take(&mut state.landed)
    }

    /// Takes over what an earlier line had to tell.
    pub(super) fn inherit(&self, landed: VecDeque<Landed>) {
        let mut state = self.lock();
        state.landed.extend(landed);
        self.tell_of_landed(&state);
    }

    /// Ends the waits whose time is over; says whether any is left.
    fn expire(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        for slot in 0..state.waits.len() {
            let Some(wait) = &mut state.waits[slot] else { continue };
            match wait.party {
                _ if wait.outcome.is_some() => {}
                // First of all that nothing came: whoever is to be asked now may still answer in time.
                Party::Lane { token, due } if due <= now => {
                    wait.party = Party::Task(None);
                    state.landed.push_back(Landed {
                        token,
                        landing: Landing::Silent(Silent { slot: slot as u32, line: self.serial }),
                    });
                }
                _ if wait.deadline <= now => state.settle(slot as u32, Err(ExchangeError::Timeout), now),
                _ => {}
            }
        }
        self.tell_of_landed(&state);
        state.free.len() < state.waits.len()
    }
}

impl State {
    pub(super) fn enter(&mut self, wait: Wait) -> u32 {
        let key = wait.port;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.waits.push(None);
            self.waits.len() as u32 - 1
        });
        self.waits[slot as usize] = Some(wait);
        if let Some(port) = self.ports.get_mut(key) {
            port.waits.push(slot);
        }
        slot
    }

    pub(super) fn settle(&mut self, slot: u32, outcome: Result<Message, ExchangeError>, now: Instant) {
        let Some(wait) = self.waits[slot as usize].as_mut().filter(|wait| !wait.is_settled()) else { return };
        let is_silence = matches!(outcome, Err(ExchangeError::Timeout));
        let how = if is_silence { Leave::Unheard } else { Leave::Heard };
        let key = std::mem::replace(&mut wait.port, port::NONE);
        match &mut wait.party {
            Party::Task(waker) => {
                wait.outcome = Some(Box::new((outcome, now)));
                waker.take().into_iter().for_each(Waker::wake);
            }
            Party::Lane { token, .. } => {
                let ended = Ended { sent: wait.sent, at: now, ignored: wait.ignored, outcome };
                self.landed.push_back(Landed { token: *token, landing: Landing::Ended(ended) });
                self.waits[slot as usize] = None;
                self.free.push(slot);
            }
        }
        self.ports.leave(key, slot, how);
    }

    /// Reads a port for as long as somebody waits there: that there is nothing more would cost a call to be told. But
    /// where something came that nobody waited for, all is read, as more of it would fill the buffer, and then the port is
    /// deaf. What is left behind the last response is reported again by the next look at the set. By edges it would not be
    /// (MISS 0.986 of its time), and whoever fills the buffer in that moment would have closed the port's ears.
    fn read_port(&mut self, key: port::Key, epoll: &Epoll, now: Instant) {
        let mut is_odd = self.ports.get_mut(key).is_some_and(|port| port.waits.is_empty());
        for _ in 0..ROUNDS {
            let Some(port) = self.ports.get_mut(key) else { return };
            if port.waits.is_empty() && !is_odd {
                return;
            }
            match port.receive(&mut self.datagram) {
                Ok((length, from)) => is_odd |= !self.hand_out(key, length, from, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An error that was reported once is gone.
                Err(_) => {}
            }
        }
        // The runtime watches the set by edges: touching the entry makes one for what is left.
        if let Some(port) = self.ports.get_mut(key) {
            _ = epoll.modify(&port.socket, &mut EpollEvent::new(EpollFlags::EPOLLIN, key.into()));
        }
    }

    /// Says whether somebody waited for it.
    fn hand_out(&mut self, key: port::Key, length: usize, from: SocketAddr, now: Instant) -> bool {
        self.ear.hold(&self.datagram[..length]);
        let mut nth = 0;
        while let Some(&slot) = self.ports.get_mut(key).and_then(|port| port.waits.get(nth)) {
            nth += 1;
            let Some(wait) = &self.waits[slot as usize] else { continue };
            if !is_same(wait.server, from) {
                continue;
            }
            let datagram = &mut self.datagram[..length];
            match accept_datagram(&wait.query, &wait.flips, wait.id, datagram, &mut self.message) {
                Ok(()) => {
                    let message = std::mem::take(&mut self.message);
                    self.settle_heard(slot, message, now);
                }
                Err(Mismatch::Case) => self.settle(slot, Err(ExchangeError::Case), now),
                Err(Mismatch::NoCookie) => self.settle(slot, Err(ExchangeError::NoCookie), now),
                Err(_) => continue,
            }
            return true;
        }
        let waits = self.ports.get_mut(key).map(|port| port.waits.clone());
        for slot in waits.into_iter().flatten() {
            let Some(wait) = &mut self.waits[slot as usize] else { continue };
            wait.ignored += 1;
            // Whoever cannot send from the server's address cannot be believed by chance either.
            if is_same(wait.server, from) && wait.ignored >= MOST_IGNORED {
                self.settle(slot, Err(ExchangeError::Flooded), now);
            }
        }
        false
    }
}

/// Flow labels and scopes are no part of who speaks.
pub(super) fn is_same(server: SocketAddr, from: SocketAddr) -> bool {
    server.port() == from.port() && server.ip() == from.ip()
}

struct Watched(Arc<Desk>);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.epoll.0.as_raw_fd()
    }
}

/// The reader. While nobody waits, no clock ticks.
async fn read(watched: AsyncFd<Watched>) {
    let desk = Arc::clone(&watched.get_ref().0);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waited_for = false;
    loop {
        tokio::select! {
            // The clock first: under load there is always something to read, and who waits for one that is silent would wait
            // for as long as another answers fast.
            biased;
            _ = tick.tick(), if waited_for => waited_for = desk.expire(),
            () = desk.begun.notified(), if !waited_for => waited_for = true,
            ready = watched.readable() => {
                let Ok(mut ready) = ready else { return };
                if desk.drain() {
                    // What comes after sets the readiness again.
                    ready.clear_ready();
                } else {
                    yield_now().await;
                }
            }
        }
    }
}
