//! One look at the server, as plain numbers: what [`live`](super::live) compares with the look of a second before.

use std::time::Duration;

use crate::control::status::{AlertStatus, CacheStatus, ConfigurationStatus, ReloadStatus};
use crate::observe::metrics::Sums;
use crate::observe::readings::{LoadReading, LogReading};
use crate::observe::sketch::Tops;
use crate::query::Now;

/// One look at the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    /// When.
    pub now: Now,
    /// This program's version.
    pub version: &'static str,
    /// The node's name.
    pub node: String,
    /// Since the start.
    pub uptime: Duration,
    /// UDP workers.
    pub workers: usize,
    /// Why queries cannot be answered; nothing when they can.
    pub unready: Vec<String>,
    /// What the workers counted.
    pub sums: Sums,
    /// Every view.
    pub views: Vec<ViewGlance>,
    /// Every route.
    pub routes: Vec<RouteGlance>,
    /// Zones, and the records in them.
    pub zones: (usize, u64),
    /// Every upstream group.
    pub groups: Vec<GroupGlance>,
    /// Both caches.
    pub caches: Vec<CacheStatus>,
    /// The query log.
    pub log: LogReading,
    /// What is going on.
    pub load: LoadReading,
    /// The configuration in force.
    pub configuration: ConfigurationStatus,
    /// The last reloads, newest first.
    pub reloads: Vec<ReloadStatus>,
    /// What the detectors found.
    pub alerts: Vec<AlertStatus>,
    /// What is asked most.
    pub tops: Tops,
}

/// A view.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ViewGlance {
    /// Its name.
    pub name: String,
    /// How many networks share it.
    pub networks: usize,
    /// Queries of their clients.
    pub queries: u64,
}

/// A route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteGlance {
    /// Its label.
    pub label: String,
    /// Its domain.
    pub domain: String,
    /// `zone`, `forward`, `recurse`, `refuse`.
    pub kind: &'static str,
    /// The upstream's name.
    pub target: Option<String>,
    /// Queries that it answered.
    pub queries: u64,
}

/// An upstream group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupGlance {
    /// Its name.
    pub name: String,
    /// Questions that wait for it.
    pub in_flight: u32,
    /// Domains that it is not asked for now, and for how many more seconds.
    pub quarantined: Vec<(String, u64)>,
    /// Its servers.
    pub servers: Vec<ServerGlance>,
}

/// An upstream server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerGlance {
    /// Its address.
    pub address: String,
    /// `up`, `suspect`, `down`.
    pub state: &'static str,
    /// Whether it serves only when no other is up.
    pub backup: bool,
    /// Its smoothed time to answer, once known.
    pub latency_ms: Option<f64>,
    /// Queries sent, health checks included.
    pub queries: u64,
    /// Of these, the ones without a usable answer.
    pub failures: u64,
    /// When it went down (`false`) and came back (`true`), in microseconds since 1970, oldest first.
    pub changes: Vec<(u64, bool)>,
}
