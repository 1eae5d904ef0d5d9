//! What the detectors go by: the operator's thresholds, and the domains that are our own.

use crate::config::{self, Config};
use crate::wire::Name;

/// Thresholds, where alerts go, and what is exempt.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[detect]`.
    pub detect: config::Detect,
    /// Domains whose names say nothing: those of zones and rules, and those that are allowed.
    pub exempt: Vec<Name>,
    /// This server.
    pub node: String,
}

impl Settings {
    /// Those of a configuration, on a node.
    pub fn of(config: &Config, node: &str) -> Settings {
        let routes = config.routes.iter().map(|route| &route.domain);
        let names = routes.chain(&config.detect.allow_domains).filter_map(|text| text.parse::<Name>().ok());
        let exempt = names.filter(|name| !name.as_ref().is_root()).collect();
        Settings { detect: config.detect.clone(), exempt, node: node.to_owned() }
    }
}
