//! Outbound: one question to one server, one response back. Whom to ask, and what to do when it fails, is decided above.
//!
//! An [`Exchange`] belongs to one worker. UDP queries leave from a port and carry an ID that we drew ourselves, and only a
//! datagram that matches them in every respect ends the wait. TCP is ours too, as a response's bytes are kept as they
//! came: types, order and extended errors that no library knows yet reach the client.

pub mod accept;
pub mod ask;
pub mod clock;
mod departure;
mod ear;
pub mod entropy;
pub mod fleet;
mod flips;
pub mod lane;
mod port;
pub mod query;
mod report;
mod tcp;
mod udp;

pub use accept::Mismatch;
pub use ask::Ask;
pub use clock::Clock;
pub use departure::Gathering;
pub use fleet::{Fleet, Sighting};
pub use lane::{Ended, Landed, Landing, Late};
pub use query::{Case, Demand, Dialect, Query};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::query::{Now, Passage};
use crate::wire::message::Message;
use ear::Ear;
use entropy::Entropy;
use udp::{Desk, Line};

/// One worker's way out.
pub struct Exchange {
    // One thread uses them, so the locks are never waited for; they are there so that a future which asks may move.
    entropy: Mutex<Entropy>,
    /// The first line, which is the only one unless its runtime ends: found without a lock, as each query looks for it twice.
    line: OnceLock<Line>,
    later: Mutex<Option<Line>>,
    /// There is something to take from the lane.
    landed: Arc<Notify>,
    fleet: Fleet,
    ear: Arc<Ear>,
}

/// Whither a query goes, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// Whom to ask.
    pub server: SocketAddr,
    /// The address to ask from, where routing shall not choose it.
    pub source: Option<IpAddr>,
    /// When to give up.
    pub deadline: Instant,
}

/// One query on its way to one server.
#[derive(Debug, Clone, Copy)]
pub struct Try<'a> {
    /// Whither.
    pub way: Way,
    /// What to ask.
    pub query: &'a Query,
    /// Counts the datagrams that came meanwhile and were not the response.
    pub ignored: &'a AtomicU64,
}

/// A response that matches its query.
#[derive(Debug)]
pub struct Reply {
    /// What it says. With TC set its sections are empty, whatever part of them was sent.
    pub message: Message,
    /// How long it took.
    pub rtt: Duration,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// Nothing that matches came before the deadline.
    #[error("no response in time")]
    Timeout,
    /// The network or the server's host turned the query away.
    #[error("unreachable: {0}")]
    Unreachable(io::ErrorKind),
    /// We could not send: no file descriptor, no such source address, no randomness. Says nothing about the server.
    #[error("cannot send: {0}")]
    Local(io::ErrorKind),
    /// So much came that was not the response that somebody may be guessing: UDP is not to be trusted for this one.
    #[error("flooded with datagrams that are not the response")]
    Flooded,
    /// A response that agrees in all but the case of the QNAME: the server does not keep it, or somebody guessed the rest.
    #[error("the QNAME came back in another case")]
    Case,
    /// A response that agrees in all but that it lacks the cookie which this server returns: it does so no longer, or not
    /// on all its machines, or somebody guessed the rest.
    #[error("the cookie is missing")]
    NoCookie,
    /// What came over the stream is not the response.
    #[error("not the response: {0}")]
    Garbage(Mismatch),
}

impl Exchange {
    /// A way out of its own.
    pub fn new() -> Exchange {
        Exchange::of(&Fleet::default())
    }

    /// Keeps what passes, from now on, while this is set; to be called before the first query.
    pub fn hear_while(&mut self, wanted: Arc<AtomicBool>) {
        self.ear = Arc::new(Ear::new(wanted));
    }

    /// Whether anything has passed that is to be told.
    pub fn has_heard(&self) -> bool {
        self.ear.has_heard()
    }

    /// Tells what has passed since it was last asked, and gives how much more did for which there was no room.
    pub fn tell(&self, now: Now, each: impl FnMut(&Passage<'_>)) -> u64 {
        self.ear.tell(now, each)
    }

    /// Asks over UDP. Waits until the matching response is there, whatever else arrives; dropping it ends the wait.
    pub async fn udp(&self, attempt: &Try<'_>) -> Result<Reply, ExchangeError> {
        udp::exchange(self.with_desk(Arc::clone)?, attempt).await
    }

    /// Asks over TCP, on a connection for this query alone (RFC 7766).
    pub async fn tcp(&self, attempt: &Try<'_>) -> Result<Reply, ExchangeError> {
        tcp::exchange(self, attempt).await
    }

    /// Where UDP queries are sent from; begun with the first of them, and again on another runtime.
    fn with_desk<T>(&self, act: impl FnOnce(&Arc<Desk>) -> T) -> Result<T, ExchangeError> {
        if let Some(line) = self.line.get().filter(|line| line.is_open()) {
            return Ok(act(line.desk()));
        }
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let line = match (later.take().filter(Line::is_open), self.line.get()) {
            (Some(line), _) => later.insert(line),
            (None, Some(first)) => {
                let line = self.begin()?;
                line.desk().inherit(first.desk().abandon());
                later.insert(line)
            }
            (None, None) => {
                let begun = self.begin()?;
                self.line.get_or_init(|| begun)
            }
        };
        Ok(act(line.desk()))
    }

    fn begin(&self) -> Result<Line, ExchangeError> {
        let line = Line::open(Arc::clone(&self.landed), Arc::clone(&self.ear))
            .map_err(|error| ExchangeError::Local(error.kind()))?;
        self.fleet.join(line.desk());
        Ok(line)
    }

    fn with_open_desk<T>(&self, act: impl FnOnce(&Arc<Desk>) -> T) -> Option<T> {
        let first = self.line.get()?;
        if first.is_open() {
            return Some(act(first.desk()));
        }
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        Some(act(later.as_ref().unwrap_or(first).desk()))
    }

    fn draw_id(&self) -> Result<u16, ExchangeError> {
        let mut entropy = self.entropy.lock().unwrap_or_else(PoisonError::into_inner);
        entropy.id().map_err(|_| ExchangeError::Local(io::ErrorKind::Other))
    }
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange::new()
    }
}
