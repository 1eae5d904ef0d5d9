//! `replay`: what a change of the configuration would change for those who asked: each question of a query log is put to
//! both configurations, as `explain` does, and the differences are counted. No packet is sent.

mod decision;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::decision::{Decision, Judge};
use self::log::{Asked, read};
use super::{Done, Told, say, tell};

/// Examples of a group.
const EXAMPLES: usize = 3;

/// What is replayed, against what.
#[derive(clap::Args)]
pub(super) struct Order {
    /// Query logs: JSON lines, `-` for standard input.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    log: Vec<PathBuf>,
    /// The main file of the configuration in force.
    #[arg(long, value_name = "FILE")]
    old: PathBuf,
    /// The main file of the configuration to be judged.
    #[arg(long, value_name = "FILE")]
    new: PathBuf,
    /// What may change: NETWORK:ROUTE, where * is every one; a difference whose old or new route it names is allowed.
    #[arg(long, value_name = "NETWORK:ROUTE")]
    allow: Vec<Allowance>,
    /// Save the differences here, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One thing that may change.
#[derive(Debug, Clone)]
struct Allowance {
    network: String,
    route: String,
}

impl std::str::FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowance, String> {
        let (network, route) = text.split_once(':').ok_or("it is written NETWORK:ROUTE, * for every one")?;
        Ok(Allowance { network: network.into(), route: route.into() })
    }
}

impl Allowance {
    fn covers(&self, group: &Group) -> bool {
        let is = |wanted: &str, name: &str| wanted == "*" || wanted == name;
        is(&self.network, &group.network)
            && (is(&self.route, &group.old_route) || is(&self.route, &group.new_route))
    }
}

/// Differences of one network between the same two routes.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Group {
    network: String,
    old_route: String,
    new_route: String,
    /// Queries of the log that it affects.
    queries: u64,
    /// Different questions among them.
    questions: u64,
    allowed: bool,
    examples: Vec<Example>,
}

/// One question, and what becomes of it before and after.
#[derive(Debug, Serialize)]
struct Example {
    client: std::net::IpAddr,
    name: String,
    #[serde(rename = "type")]
    qtype: String,
    old: String,
    new: String,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Findings {
    /// Queries read, those that a sampled line stands for included.
    queries: u64,
    /// Different questions: by network, name and type.
    questions: u64,
    /// Lines that are no query.
    unreadable: u64,
    /// Queries of whom an answer would change, and of these the ones that no `--allow` covers.
    affected: u64,
    unallowed: u64,
    groups: Vec<Group>,
}

/// Replays.
pub(super) fn run(order: &Order) -> Done {
    let judges = [Judge::of(&order.old)?, Judge::of(&order.new)?];
    let asked = read(&order.log, |client| {
        // Both inventories: a client may be in another network after the change.
        let [old, new] = judges.each_ref().map(|judge| judge.network(client));
        (old, new)
    })
    .map_err(tell)?;
    let findings = compare(&asked, &judges, &order.allow);
    if let Some(file) = &order.json {
        save(file, &findings)?;
    }
    say(&text(&findings));
    if findings.unallowed > 0 { Err(Told) } else { Ok(()) }
}

fn compare(asked: &Asked, judges: &[Judge; 2], allow: &[Allowance]) -> Findings {
    let mut groups: BTreeMap<(String, String, String), Group> = BTreeMap::new();
    for question in asked.questions() {
        let [old, new]: [Decision; 2] = judges.each_ref().map(|judge| judge.decide(&question));
        if old == new {
            continue;
        }
        let network = judges[0].network_name(question.client).unwrap_or_else(|| "none".to_owned());
        let key = (network, old.route, new.route);
        let group = groups.entry(key).or_default();
        group.queries += question.count;
        group.questions += 1;
        if group.examples.len() < EXAMPLES {
            let (name, qtype) = (question.name.to_string(), question.qtype.to_string());
            group.examples.push(Example {
                client: question.client,
                name,
                qtype,
                old: old.told,
                new: new.told,
            });
        }
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|((network, old_route, new_route), group)| Group { network, old_route, new_route, ..group })
        .collect();
    for group in &mut groups {
        group.allowed = allow.iter().any(|allowance| allowance.covers(group));
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.queries));
    let of = |wanted: fn(&&Group) -> bool| groups.iter().filter(wanted).map(|group| group.queries).sum();
    Findings {
        queries: asked.queries,
        questions: asked.len() as u64,
        unreadable: asked.unreadable,
        affected: of(|_| true),
        unallowed: of(|group| !group.allowed),
        groups,
    }
}

fn save(file: &Path, findings: &Findings) -> Result<(), Told> {
    let document = serde_json::to_string_pretty(findings).map_err(tell)? + "\n";
    std::fs::write(file, document).map_err(|fault| tell(format!("{}: {fault}", file.display())))
}

fn text(findings: &Findings) -> String {
    let mut out = String::new();
    let Findings { queries, questions, unreadable, affected, unallowed, groups } = findings;
    let _ = writeln!(
        out,
        "{queries} queries, {questions} different questions; {unreadable} lines could not be read"
    );
    let networks: BTreeSet<&str> = groups.iter().map(|group| group.network.as_str()).collect();
    let _ = match affected {
        0 => writeln!(out, "nothing changes"),
        _ => writeln!(
            out,
            "{affected} queries of {} networks would be decided otherwise, {unallowed} of them not allowed",
            networks.len()
        ),
    };
    for group in groups {
        let Group { network, old_route, new_route, queries, questions, allowed, examples } = group;
        let mark = if *allowed { " (allowed)" } else { "" };
        let route = if old_route == new_route {
            format!("route {old_route}")
        } else {
            format!("route {old_route} -> {new_route}")
        };
        let _ = writeln!(out, "\nnetwork {network}, {route}: {queries} queries, {questions} questions{mark}");
        for Example { client, name, qtype, old, new } in examples {
            let _ = writeln!(out, "  {client} {name} {qtype}\n    - {old}\n    + {new}");
        }
    }
    out
}
