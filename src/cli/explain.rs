//! `explain`: what a client would be answered, and why.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use super::{Done, say, tell};
use crate::config;
use crate::listen::clock;
use crate::pipeline::explain::{Explanation, Fate, Hop, Outside, RouteLine, explain};
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
    let _ = writeln!(out, "client    {}", explanation.client);
    match &explanation.network {
        Some(network) if explanation.groups.is_empty() => {
            let _ = writeln!(out, "network   {network}");
        }
        Some(network) => {
            let _ = writeln!(out, "network   {network} ({})", explanation.groups.join(", "));
        }
        None => out.push_str("network   none\n"),
    }
    if let Some(view) = &explanation.view {
        let _ = writeln!(out, "view      {view}");
    }
    if explanation.hops.is_empty() {
        let _ = writeln!(out, "\n{} {}", explanation.name, explanation.qtype);
    }
    for (nth, hop) in explanation.hops.iter().enumerate() {
        let then = if nth == 0 { "" } else { "then " };
        let _ = writeln!(out, "\n{then}{} {}", hop.name, explanation.qtype);
        write_hop(&mut out, hop);
    }
    let _ = writeln!(out, "\nanswer    {}", explanation.outcome);
    let fates: Vec<Fate> = explanation.hops.iter().flat_map(|hop| &hop.routes).map(|r| r.fate).collect();
    let legend: Vec<&str> =
        LEGEND.iter().filter(|(fate, ..)| fates.contains(fate)).map(|row| row.2).collect();
    if !legend.is_empty() {
        let _ = writeln!(out, "\n{}", legend.join("   "));
    }
    out
}

/// Each fate's mark, and the mark with its meaning. Routes that are not seen are listed apart.
const LEGEND: [(Fate, &str, &str); 4] = [
    (Fate::Won, "*", "* answers"),
    (Fate::Passed, "v", "v has no such name, the next is asked"),
    (Fate::Possible, "?", "? asked, may pass on to the next"),
    (Fate::Lost, "-", "- not reached"),
];

fn write_hop(out: &mut String, hop: &Hop) {
    let (unseen, seen): (Vec<_>, Vec<_>) = hop.routes.iter().partition(|route| route.fate == Fate::Unseen);
    let rows: Vec<[&str; 3]> =
        seen.iter().map(|route| [&route.domain[..], label(route), &route.target[..]]).collect();
    let widths = [0, 1, 2].map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    for (route, row) in seen.iter().zip(&rows) {
        let mark = LEGEND.iter().find(|(fate, ..)| *fate == route.fate).map_or(" ", |(_, mark, _)| mark);
        let _ = write!(out, "  {mark} ");
        for (cell, width) in row.iter().zip(widths).filter(|(_, width)| *width > 0) {
            let _ = write!(out, " {cell:width$} ");
        }
        let _ = writeln!(out, " {}", route.why);
        if let Some(outside) = &route.outside {
            write_outside(out, outside, &route.route);
        }
        if route.fate == Fate::Won {
            for record in &hop.records {
                let _ = writeln!(out, "         {record}");
            }
        }
    }
    if seen.is_empty() {
        out.push_str("     no route that this network sees\n");
    }
    if !unseen.is_empty() {
        let names: Vec<String> = unseen.iter().map(|r| format!("{} ({})", r.route, r.why)).collect();
        let _ = writeln!(out, "     not seen: {}", names.join(", "));
    }
}

fn write_outside(out: &mut String, outside: &Outside, route: &str) {
    let servers = |role: &str| {
        let of_role = outside.servers.iter().filter(|server| server.role == role);
        of_role.map(|server| server.address.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (primaries, backups) = (servers("primary"), servers("backup"));
    if !primaries.is_empty() {
        let balance = outside.balance.filter(|_| primaries.contains(','));
        let balance = balance.map(|balance| format!(" ({balance})")).unwrap_or_default();
        let backups = if backups.is_empty() { backups } else { format!("; backup {backups}") };
        let _ = writeln!(out, "         asks   {primaries}{balance}{backups}");
    }
    if let (Some(each), Some(all)) = (outside.try_timeout_ms, outside.deadline_ms) {
        let _ = writeln!(out, "         waits  {each} ms for a server, {all} ms in all");
    }
    let Outside { max_ttl, max_negative_ttl, failure_ttl, .. } = outside;
    let _ = writeln!(
        out,
        "         keeps  {max_ttl} s at most, a negative answer {max_negative_ttl} s, a failure {failure_ttl} s, as what route {route} said"
    );
}

/// A route that nobody named has its domain's name: that is said already.
fn label(route: &RouteLine) -> &str {
    let domain = &route.domain;
    let plain = route.route == *domain || route.route == domain.trim_end_matches('.');
    if plain { "" } else { &route.route }
}
