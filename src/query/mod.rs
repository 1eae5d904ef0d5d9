//! What a query is while it walks the street: who asked, when, what was found, what happened.
//!
//! Plain values that every later room passes on; nothing here decides anything.

pub mod directory;
pub mod event;
pub mod failure;
pub mod response;
pub mod sighting;

pub use directory::Directory;
pub use event::{Event, Source};
pub use failure::Failure;
pub use response::{Order, Owns, Response, Verdict};
pub use sighting::{Onlooker, Passage, Sighting, Wants};

use std::net::SocketAddr;
use std::time::Duration;

/// A moment, read once at an edge and passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the process began; never goes back. All TTLs and timeouts use it, so a clock that jumps moves none.
    pub monotonic: Duration,
    /// Microseconds since 1970-01-01T00:00:00Z, for logs only.
    pub unix_micros: u64,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A stream with two-octet lengths (RFC 7766).
    Tcp,
}

impl Transport {
    /// Every transport, in the order of their numbers.
    pub const ALL: [Transport; 2] = [Transport::Udp, Transport::Tcp];

    /// As logs and labels write it.
    pub fn text(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// Where a query came from and where it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The client's address and port.
    pub client: SocketAddr,
    /// Our address and port that it asked.
    pub local: SocketAddr,
    /// How.
    pub transport: Transport,
}
