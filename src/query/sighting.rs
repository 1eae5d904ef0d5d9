//! An event at its second look: what the log thread reads back, and whoever looks on there.

use std::net::IpAddr;
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
    /// The response as it was sent, its question included.
    pub response: &'a [u8],
}

/// Whoever sees every event on the log thread: detectors, sketches, other formats of the log. It must never wait: what
/// takes time goes to a thread of its own.
pub trait Onlooker: Send {
    /// Whether it wants events now. Asked at the start, after a reload and between rounds; while neither the log nor an
    /// onlooker wants any, workers record nothing.
    fn is_wanted(&self) -> bool;

    /// One event, whose numbers are positions in `names`. Another worker's events may come with another directory.
    fn see(&mut self, seen: &Sighting<'_>, names: &Directory);

    /// After each round, at least once in a second or so, also when nothing came. `unix` is the time since 1970.
    fn rest(&mut self, unix: Duration);
}
