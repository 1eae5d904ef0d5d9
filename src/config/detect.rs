//! `[detect]` as the rest of the server knows it.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// `[detect]`: a threshold of 0 turns its detector off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detect {
    /// Whether anything is looked for.
    pub enabled: bool,
    /// Unresolvable domains that a client must ask for at least before its names are called generated.
    pub dga: u32,
    /// Different names below one domain that a client must ask for at least before they are called a tunnel.
    pub tunnel: u32,
    /// New names that do not exist, a client and second, over a minute; 0: any number.
    pub nxdomain: u32,
    /// Failures, a client and second, over a minute; 0: any number.
    pub servfail: u32,
    /// So many times what is usual is a sudden change.
    pub change: u32,
    /// Queries, a client and second, over a minute, below which nothing is a sudden change; ten times that for an
    /// account. 0: nothing is a sudden change.
    pub change_queries: u32,
    /// Regular intervals in a row that make a beacon.
    pub beacon: u32,
    /// How long the same is not told again.
    pub cooldown: Duration,
    /// Domains whose names say nothing.
    pub allow_domains: Vec<String>,
    /// Clients of whom nothing is told.
    pub allow_clients: Vec<IpNet>,
    /// Where alerts are written, one JSON line each; `None`: to the server's own log only.
    pub file: Option<PathBuf>,
    /// Where alerts are posted.
    pub webhook: Option<String>,
}

impl Default for Detect {
    fn default() -> Detect {
        Detect {
            enabled: false,
            dga: 6,
            tunnel: 40,
            nxdomain: 5,
            servfail: 5,
            change: 10,
            change_queries: 50,
            beacon: 30,
            cooldown: Duration::from_secs(3_600),
            allow_domains: Vec::new(),
            allow_clients: Vec::new(),
            file: None,
            webhook: None,
        }
    }
}
