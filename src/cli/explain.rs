//! `explain`: what a client would be answered, and why.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use super::{Done, say, tell};
use crate::config;
use crate::listen::clock;
use crate::pipeline::explain::{Explanation, Fate, explain};
use crate::server::build::{Inventory, build};
use crate::wire::{Name, RType};

/// How it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Explains one question.
pub(super) fn run(path: &Path, client: IpAddr, name: &Name, qtype: RType, form: Form) -> Done {
    let loaded = config::load(path).map_err(|faults| super::check::show(&faults))?;
    let built = build(&loaded.config, &Inventory::default()).map_err(|faults| super::check::show(&faults))?;
    let explanation = explain(&built.snapshot, client, name, qtype, clock::now());
    match form {
        Form::Json => say(&(serde_json::to_string_pretty(&explanation).map_err(tell)? + "\n")),
        Form::Text => say(&text(&explanation)),
    }
    Ok(())
}

fn text(explanation: &Explanation) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "client   {}", explanation.client);
    match &explanation.network {
        Some(network) => {
            let _ = writeln!(out, "network  {network}  [{}]", explanation.groups.join(", "));
        }
        None => out.push_str("network  none\n"),
    }
    if let Some(view) = &explanation.view {
        let _ = writeln!(out, "view     {view}");
    }
    let _ = writeln!(out, "asks     {} {}", explanation.name, explanation.qtype);
    for (nth, hop) in explanation.hops.iter().enumerate() {
        if nth > 0 {
            let _ = writeln!(out, "\nthen     {}", hop.name);
        }
        for route in &hop.routes {
            let mark = match route.fate {
                Fate::Won => "*",
                Fate::Passed => "v",
                Fate::Possible => "?",
                Fate::Lost => "-",
                Fate::Unseen => " ",
            };
            let label =
                if route.route == route.domain { String::new() } else { format!("  [{}]", route.route) };
            let _ = writeln!(out, "  {mark} {}{label}  {}: {}", route.domain, route.target, route.why);
        }
        for record in &hop.records {
            let _ = writeln!(out, "      {record}");
        }
        for server in &hop.upstream {
            let _ = writeln!(out, "      ask {} ({})", server.address, server.role);
        }
        if let Some([positive, negative, failure]) = hop.ttl_caps {
            let _ =
                writeln!(out, "      kept at most {positive} s, negative {negative} s, failure {failure} s");
        }
    }
    let _ = writeln!(out, "\nanswer   {}", explanation.outcome);
    out.push_str("\n* answers   v has no such name, the next is asked   ? asked, may fall through   - not reached   (blank) not seen\n");
    out
}
