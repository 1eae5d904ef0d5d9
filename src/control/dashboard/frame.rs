//! What a viewer gets once a second, as JSON. Every list is bounded, so a frame is, too.

use serde::Serialize;

use crate::control::status::{AlertStatus, CacheStatus, ReloadStatus};

/// The state of a second. Rates are per second; times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Frame {
    /// When.
    pub time: f64,
    /// This program's version.
    pub version: String,
    /// The node's name.
    pub node: String,
    /// Since the start.
    pub uptime_seconds: u64,
    /// UDP workers.
    pub workers: usize,
    /// `good`, `warning`, `bad`: the worst of the concerns.
    pub state: Level,
    /// What is wrong, the worst first.
    pub concerns: Vec<Concern>,
    /// How many more there are.
    pub concerns_left: usize,
    /// Upstream servers: all, and those that are not down.
    pub servers: (usize, usize),
    /// Zones, and the records in them.
    pub zones: (usize, u64),
    /// This second's point of the charts.
    pub point: Option<Point>,
    /// Times to answer of the last seconds: all, from here, from outside.
    pub latency: Vec<Latency>,
    /// Where answers came from in the last seconds.
    pub sources: Vec<Part>,
    /// Response codes of the last seconds.
    pub rcodes: Vec<Part>,
    /// Views by traffic.
    pub views: Vec<View>,
    /// How many more there are.
    pub views_left: usize,
    /// Routes by traffic.
    pub routes: Vec<Route>,
    /// How many more there are.
    pub routes_left: usize,
    /// Upstream groups.
    pub upstreams: Vec<Upstream>,
    /// How many more there are.
    pub upstreams_left: usize,
    /// Both caches.
    pub caches: Vec<CacheStatus>,
    /// Queries that wait for their source.
    pub in_flight: u64,
    /// Open TCP connections of clients.
    pub tcp_connections: u64,
    /// What is asked most.
    pub tops: Tops,
    /// The configuration in force, and since when.
    pub configuration: (String, String),
    /// The last reloads, newest first.
    pub reloads: Vec<ReloadStatus>,
    /// What the detectors found, newest first.
    pub alerts: Vec<AlertStatus>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is wrong.
    #[default]
    Good,
    /// Clients are answered, but something wants to be looked at.
    Warning,
    /// Clients are not answered as they should be.
    Bad,
}

/// Something that is wrong. The page has the words; here is what they are about.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Concern {
    /// What, as one word that the page knows.
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// What it is about: an upstream, a reason.
    pub subject: String,
    /// And what of it: a server, a domain.
    pub object: String,
    /// How much.
    pub number: f64,
    /// Since when, where that is known.
    pub since: Option<f64>,
}

/// A second of the charts: time, queries a second, the part of them that caches answered, the part that failed with
/// SERVFAIL, the 95th percentile of the time to answer in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point(pub f64, pub f64, pub Option<f64>, pub Option<f64>, pub Option<f64>);

/// Times to answer, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// `all`, `here` (caches, zones, the server itself), `outside` (upstreams, recursion).
    pub of: &'static str,
    /// Queries a second.
    pub rate: f64,
    /// Half of the answers take no longer,
    pub p50: Option<f64>,
    /// of a hundred, 95,
    pub p95: Option<f64>,
    /// and 99.
    pub p99: Option<f64>,
}

/// A part of all queries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Which.
    pub name: &'static str,
    /// Queries a second.
    pub rate: f64,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// How many networks share it.
    pub networks: usize,
    /// Queries a second.
    pub rate: f64,
    /// Queries since the start.
    pub queries: u64,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Route {
    /// Its label.
    pub label: String,
    /// Its domain.
    pub domain: String,
    /// `zone`, `forward`, `recurse`, `refuse`.
    pub kind: &'static str,
    /// The upstream's name.
    pub target: Option<String>,
    /// Queries a second.
    pub rate: f64,
    /// Queries since the start.
    pub queries: u64,
}

/// An upstream group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Questions that wait for it.
    pub in_flight: u32,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// An upstream server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Server {
    /// Its address.
    pub address: String,
    /// `up`, `suspect`, `down`.
    pub state: &'static str,
    /// Whether it serves only when no other is up.
    pub backup: bool,
    /// Its smoothed time to answer, once known.
    pub latency_ms: Option<f64>,
    /// Queries a second.
    pub rate: f64,
    /// Of these, the ones without a usable answer.
    pub failing: f64,
    /// When it went down (`false`) and came back (`true`), oldest first.
    pub changes: Vec<(f64, bool)>,
    /// How often it went down in the last hour.
    pub flaps: usize,
}

/// What is asked most.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tops {
    /// The time that it covers.
    pub seconds: u64,
    /// Queries in that time.
    pub queries: u64,
    /// Names.
    pub names: Vec<Top>,
    /// Names that were answered with an error.
    pub failing: Vec<Top>,
    /// Clients.
    pub clients: Vec<Top>,
}

/// One of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Top {
    /// The name or the address.
    pub what: String,
    /// How often, at most.
    pub count: u64,
    /// By how much that may be too high.
    pub over: u64,
}
