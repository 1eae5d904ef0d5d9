//! What the endpoint can say, and the document behind `/api/status`. Field names are an interface: scripts read them.

use serde::Serialize;

use super::dashboard::Glance;
use super::dashboard::question::Question;
use crate::detect::Alert;
use crate::observe::registry::Format;
use crate::observe::sketch::Look;
use crate::pipeline::explain::Explanation;

/// Who knows the answers.
pub trait Status: Send + Sync {
    /// The metrics.
    fn metrics(&self, format: Format) -> String;
    /// Whether queries can be answered; if not, why not, one reason a line.
    fn ready(&self) -> Result<(), Vec<String>>;
    /// The state of everything.
    fn status(&self) -> StatusDocument;
    /// The numbers behind the dashboard, read once a second while somebody looks.
    fn glance(&self) -> Glance;
    /// Somebody looks: what is asked most is counted until the guard is dropped.
    fn look(&self) -> Look;
    /// What a client would be answered.
    fn explain(&self, question: &Question) -> Explanation;
}

/// The state of everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StatusDocument {
    /// This program's version.
    pub version: String,
    /// The node's name.
    pub node: String,
    /// Since the start.
    pub uptime_seconds: u64,
    /// UDP workers.
    pub workers: usize,
    /// The configuration in force.
    pub configuration: ConfigurationStatus,
    /// Every view.
    pub views: Vec<ViewStatus>,
    /// Every route, in the order of the configuration.
    pub routes: Vec<RouteStatus>,
    /// Every zone.
    pub zones: Vec<ZoneStatus>,
    /// Every upstream group.
    pub upstreams: Vec<UpstreamStatus>,
    /// Both caches.
    pub caches: Vec<CacheStatus>,
    /// What the detectors told, the latest first, a hundred at most.
    pub alerts: Vec<Alert>,
    /// What limits kept from clients.
    pub limits: Vec<LimitStatus>,
}

/// Something odd in what clients ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AlertStatus {
    /// What kind, as one word: the detector's name.
    pub kind: String,
    /// Whom or what it is about: a client, a domain.
    pub subject: String,
    /// What was seen, in a sentence.
    pub evidence: String,
    /// When, RFC 3339.
    pub time: String,
}

/// What a limit kept from clients.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LimitStatus {
    /// Of what: `queries`, `responses`, `in-flight`, `pulse`, `unknown-clients`.
    pub limit: String,
    /// What was done: `truncated`, `dropped`, `refused`, `held-back`.
    pub action: String,
    /// How often.
    pub count: u64,
}

/// The configuration in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConfigurationStatus {
    /// The main file.
    pub file: String,
    /// When it was loaded, RFC 3339.
    pub loaded: String,
    /// The last reload, if there was one.
    pub last_reload: Option<ReloadStatus>,
    /// What is in force until it is confirmed, and else taken back.
    pub on_trial: Option<TrialStatus>,
    /// How the last trial ended.
    pub last_trial: Option<String>,
}

/// A configuration that waits to be confirmed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrialStatus {
    /// Its main file.
    pub file: String,
    /// For how much longer it stays without confirmation.
    pub seconds: u64,
}

/// A reload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReloadStatus {
    /// What came of it.
    pub result: ReloadResult,
    /// When, RFC 3339.
    pub time: String,
    /// Why it failed; nothing when it did not.
    pub reasons: Vec<String>,
}

/// What came of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadResult {
    /// It took effect.
    Success,
    /// The configuration before it is still in force.
    Failure,
}

/// A view.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ViewStatus {
    /// Its name.
    pub name: String,
    /// The networks that share it.
    pub networks: Vec<String>,
    /// The labels of its routes, in the order of their matching.
    pub routes: Vec<String>,
}

/// A route.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RouteStatus {
    /// Its label, as in logs and metrics.
    pub label: String,
    /// Its domain.
    pub domain: String,
    /// `zone`, `forward`, `recurse`, `refuse`.
    pub kind: String,
    /// The zone's label or the upstream's name; nothing for the others.
    pub target: Option<String>,
    /// Groups and networks.
    pub visible_to: Vec<String>,
    /// Queries that it answered.
    pub queries: u64,
}

/// A zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ZoneStatus {
    /// Its label.
    pub name: String,
    /// Its apex.
    pub origin: String,
    /// Its SOA's serial.
    pub serial: u32,
    /// How many records it has.
    pub records: u64,
}

/// An upstream group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct UpstreamStatus {
    /// Its name.
    pub name: String,
    /// Its servers, backups behind the others.
    pub servers: Vec<ServerStatus>,
    /// Questions that wait for it.
    pub in_flight: u32,
    /// Questions that it was not asked: its budget was used up, or their domain is in quarantine.
    pub not_asked: u64,
    /// Forwarding loops that were found.
    pub loops: u64,
    /// Domains that it is not asked for now, as it sends their questions back to us.
    pub quarantined: Vec<QuarantineStatus>,
}

/// A domain that an upstream is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct QuarantineStatus {
    /// The domain.
    pub domain: String,
    /// For how much longer.
    pub seconds: u64,
}

/// An upstream server.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ServerStatus {
    /// Its address.
    pub address: String,
    /// `up`, `down`, `unknown`.
    pub state: String,
    /// Whether it serves only when no other is up.
    pub backup: bool,
    /// Its smoothed time to answer, once known.
    pub latency_ms: Option<f64>,
    /// Queries sent, health checks included.
    pub queries: u64,
    /// Of these, the ones without a usable answer.
    pub failures: u64,
    /// What it does not take, so that it is spared it for a while: `edns`, `random-case`, `cookies`.
    pub spared: Vec<String>,
}

/// A cache.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CacheStatus {
    /// `answer` or `response`.
    pub name: String,
    /// Entries now.
    pub entries: u64,
    /// Octets now.
    pub bytes: u64,
    /// Octets at most.
    pub capacity_bytes: u64,
    /// Questions that it answered.
    pub hits: u64,
    /// Questions that it did not.
    pub misses: u64,
}
