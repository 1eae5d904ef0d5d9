//! What a configuration decides on a question: the part of an explanation that a client could notice.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use super::log::Question;
use crate::cli::{Told, check};
use crate::config;
use crate::listen::clock;
use crate::pipeline::Snapshot;
use crate::pipeline::explain::{Explanation, Fate, Outside, explain};
use crate::server::build::{Inventory, build};

/// A configuration that questions are put to.
pub(super) struct Judge {
    snapshot: Snapshot,
}

/// A decision; labels of views and the like may differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The route that answers, or `none`.
    pub route: String,
    /// All of it, in words.
    pub told: String,
}

impl Judge {
    pub(super) fn of(file: &Path) -> Result<Judge, Told> {
        let loaded = config::load(file).map_err(|faults| check::show(&faults))?;
        let built = build(&loaded.config, &Inventory::default()).map_err(|faults| check::show(&faults))?;
        Ok(Judge { snapshot: built.snapshot })
    }

    /// The network that holds a client, by number.
    pub(super) fn network(&self, client: IpAddr) -> Option<u32> {
        self.snapshot.table.client(client).map(|client| client.network)
    }

    pub(super) fn network_name(&self, client: IpAddr) -> Option<String> {
        let network = self.network(client)?;
        Some(self.snapshot.directory.networks.get(network as usize)?.name.clone())
    }

    pub(super) fn decide<N, R>(&self, question: &Question<N, R>) -> Decision {
        // At one moment, so that nothing but the configurations differs.
        let now = clock::now();
        decision(&explain(&self.snapshot, question.client, &question.name, question.qtype, now))
    }
}

fn decision(explanation: &Explanation) -> Decision {
    let mut told = String::new();
    let mut route = "none".to_owned();
    for hop in &explanation.hops {
        let asked = hop.routes.iter().filter(|one| !matches!(one.fate, Fate::Lost | Fate::Unseen));
        for one in asked {
            let fate = if one.fate == Fate::Passed { "passes on: " } else { "" };
            // A zone's serial says nothing about this name.
            let target = one.target.split(", serial").next().unwrap_or_default();
            let _ = write!(told, "{fate}{} ({target}", one.domain);
            one.outside.iter().for_each(|outside| write_outside(&mut told, outside));
            told.push_str("); ");
            if one.fate != Fate::Passed && route == "none" {
                route.clone_from(&one.route);
            }
        }
        if !hop.records.is_empty() {
            let _ = write!(told, "{}; ", hop.records.join(", "));
        }
    }
    told.push_str(&explanation.outcome);
    Decision { route, told }
}

fn write_outside(told: &mut String, outside: &Outside) {
    let servers: Vec<String> =
        outside.servers.iter().map(|server| format!("{} {}", server.role, server.address)).collect();
    if !servers.is_empty() {
        let _ = write!(told, ": {}", servers.join(", "));
    }
    let Outside { max_ttl, max_negative_ttl, failure_ttl, .. } = outside;
    let _ = write!(told, ", kept {max_ttl}/{max_negative_ttl}/{failure_ttl} s");
}
