//! What other rooms know about themselves, as plain values: the server reads them when a page is asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::histogram::HistogramSum;

/// Everything that is not counted here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// The workers' answer caches, summed.
    pub answer_cache: CacheReading,
    /// The shared response cache.
    pub response_cache: CacheReading,
    /// Every server of every upstream group.
    pub upstreams: Vec<UpstreamReading>,
    /// Every upstream group.
    pub groups: Vec<GroupReading>,
    /// Every zone.
    pub zones: Vec<ZoneReading>,
    /// Reloads.
    pub reloads: ReloadReading,
    /// The query log.
    pub log: LogReading,
    /// What the detectors found.
    pub alerts: AlertReading,
    /// Every output of dnstap.
    pub taps: Vec<TapReading>,
    /// What passed between us and upstream servers and found no room on its way to dnstap.
    pub passages_missed: u64,
    /// What is going on now.
    pub load: LoadReading,
    /// What clients were denied.
    pub clients: ClientReading,
}

/// One output of dnstap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TapReading {
    /// Where it goes, as the configuration writes it.
    pub to: String,
    /// Frames sent.
    pub sent: u64,
    /// Frames that were not.
    pub dropped: u64,
    /// Whether its reader is there, or its file open.
    pub connected: bool,
}

/// One cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheReading {
    /// Questions it answered.
    pub hits: u64,
    /// Questions it did not.
    pub misses: u64,
    /// Entries thrown out for room.
    pub evictions: u64,
    /// Entries now.
    pub entries: u64,
    /// Octets now.
    pub bytes: u64,
    /// Octets at most.
    pub capacity: u64,
}

/// One server of an upstream group.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamReading {
    /// The group's name.
    pub upstream: String,
    /// The server's address.
    pub server: SocketAddr,
    /// Whether its health check holds it for up.
    pub up: bool,
    /// Queries sent, retries and health checks included.
    pub queries: u64,
    /// Queries without a usable answer, by reason: a small set of words, `timeout`, `servfail` …
    pub failures: BTreeMap<&'static str, u64>,
    /// Responses, by response code.
    pub responses: BTreeMap<&'static str, u64>,
    /// Its smoothed time to answer, once known.
    pub latency: Option<Duration>,
    /// Its times to answer.
    pub times: TimesReading,
    /// How often it went down.
    pub falls: u64,
    /// Health checks sent.
    pub probes: u64,
    /// When it last went down or came back.
    pub changed: Option<SystemTime>,
    /// Truncated answers that were asked for again over TCP.
    pub tcp_fallbacks: u64,
    /// Queries that were sent again as it changes the case of names.
    pub case_fallbacks: u64,
    /// Queries that were sent again as it fails on EDNS.
    pub plain_fallbacks: u64,
    /// Datagrams that were no answer to any query of ours.
    pub ignored_datagrams: u64,
}

/// Times in buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimesReading {
    /// The upper bounds of all buckets but the last, in microseconds.
    pub bounds: &'static [u32],
    /// Counts, each bucket without those below it, and the sum in microseconds.
    pub counts: HistogramSum,
}

/// One upstream group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupReading {
    /// Its name.
    pub upstream: String,
    /// Questions that wait for it.
    pub in_flight: u64,
    /// How many may.
    pub max_in_flight: u64,
    /// How many queries a second it may be sent; shared by all that draw on one limit.
    pub max_rate: Option<u64>,
    /// What became of the questions to it.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Queries that its budget did not allow, by what was lacking: `rate`, `in-flight`, `domain-share`.
    pub withheld: BTreeMap<&'static str, u64>,
    /// Forwarding loops that were found.
    pub loops: u64,
    /// Domains that it is not asked for now.
    pub quarantined: u64,
}

/// One zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneReading {
    /// Its label.
    pub zone: String,
    /// Its SOA's serial.
    pub serial: u32,
    /// How many records it has.
    pub records: u64,
}

/// Reloads since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReloadReading {
    /// Those that took effect.
    pub succeeded: u64,
    /// Those that left the old configuration in force.
    pub failed: u64,
    /// Whether the last one failed, so that what is in force is not what is written.
    pub last_failed: bool,
    /// When the configuration in force was loaded.
    pub last_success: Option<SystemTime>,
}

/// The query log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogReading {
    /// Lines written.
    pub lines: u64,
    /// Lines dropped as a worker's queue was full.
    pub queue_full: u64,
    /// Lines lost as they could not be written.
    pub write_failed: u64,
}

/// What the detectors found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertReading {
    /// Alerts told, by kind.
    pub told: Vec<(&'static str, u64)>,
    /// Repeats, and alerts beyond what a minute may have.
    pub suppressed: u64,
    /// Alerts that did not reach the file or the webhook.
    pub undelivered: u64,
}

/// What is going on now, and what was too much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReading {
    /// Open TCP connections.
    pub tcp_connections: u64,
    /// How many may be.
    pub max_tcp_connections: u64,
    /// Queries that wait for their source.
    pub in_flight: u64,
    /// How many may, of all workers.
    pub max_in_flight: u64,
    /// Queries refused as too many were waiting.
    pub overload_refused: u64,
    /// Messages that got no reply.
    pub silent_drops: u64,
    /// Datagrams that can be no query.
    pub unusable_datagrams: u64,
    /// System calls on sockets that failed, by what they were for.
    pub socket_errors: BTreeMap<&'static str, u64>,
    /// Tasks that a bug of ours ended.
    pub panics: u64,
}

/// What clients were denied, and how their connections ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientReading {
    /// By limit and by what was done: `queries`, `truncated`.
    pub limited: Vec<((&'static str, &'static str), u64)>,
    /// TCP connections accepted.
    pub tcp_accepted: u64,
    /// TCP connections closed, by reason.
    pub tcp_closed: Vec<(&'static str, u64)>,
}
