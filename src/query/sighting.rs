//! An event at its second look: what the log thread reads back, and whoever looks on there.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Directory, Source, Transport};

/// What happened to one query, as the log thread sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// When it arrived, in microseconds since 1970-01-01T00:00:00Z.
    pub unix_micros: u64,
    /// From arrival to answer, in microseconds.
    pub duration_micros: u32,
    /// Who asked.
    pub client: IpAddr,
    /// From which port.
    pub port: u16,
    /// Our address and port that was asked.
    pub local: SocketAddr,
    /// How.
    pub transport: Transport,
    /// The client's network, a position in the directory.
    pub network: Option<u32>,
    /// The client's view.
    pub view: Option<u32>,
    /// The route that answered.
    pub route: Option<u32>,
    /// The upstream server that answered, now or when the answer was cached.
    pub server: Option<u32>,
    /// Where the answer came from.
    pub source: Source,
    /// RCODE, EDNS's bits included.
    pub rcode: u16,
    /// The query's DO bit.
    pub dnssec_ok: bool,
    /// The query's CD bit.
    pub checking_disabled: bool,
    /// The first extended error's code.
    pub ede: Option<u16>,
    /// The query as it came; empty while no onlooker [wants queries](Wants::queries).
    pub query: &'a [u8],
    /// The response as it was sent, its question included.
    pub response: &'a [u8],
}

/// One message between us and an upstream server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage<'a> {
    /// Whom we asked.
    pub server: SocketAddr,
    /// Our end. Its address is unspecified where the kernel chose it for each datagram.
    pub local: SocketAddr,
    /// How.
    pub transport: Transport,
    /// When the query was sent, in microseconds since 1970-01-01T00:00:00Z.
    pub sent_micros: u64,
    /// How long the response took, in microseconds; `None`: this is the query.
    pub answered_after: Option<u32>,
    /// The message as it passed.
    pub octets: &'a [u8],
}

/// What an onlooker wants recorded beside the events. Each costs the workers a copy, so it is done on request only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// The octets of queries, in [`Sighting::query`].
    pub queries: bool,
    /// What passes between us and upstream servers.
    pub passages: bool,
}

impl Wants {
    /// What either of two wants.
    pub fn or(self, other: Wants) -> Wants {
        Wants { queries: self.queries || other.queries, passages: self.passages || other.passages }
    }
}

/// Whoever sees every event on the log thread: detectors, sketches, other formats of the log. It must never wait: what
/// takes time goes to a thread of its own.
pub trait Onlooker: Send {
    /// Whether it wants events now. Asked at the start, after a reload and between rounds; while neither the log nor an
    /// onlooker wants any, workers record nothing.
    fn is_wanted(&self) -> bool;

    /// What it wants beside; asked when [`is_wanted`](Self::is_wanted) is.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// A directory that events will come with: what is computed from it is computed here, once.
    fn learn(&mut self, _names: &Arc<Directory>) {}

    /// One event, whose numbers are positions in `names`. Another worker's events may come with another directory.
    fn see(&mut self, seen: &Sighting<'_>, names: &Directory);

    /// One message between us and an upstream server.
    fn overhear(&mut self, _passage: &Passage<'_>) {}

    /// After each round, at least once in a second or so, also when nothing came. `unix` is the time since 1970.
    fn rest(&mut self, unix: Duration);
}
