//! The differences that were found: grouped, judged by what is allowed, told and saved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use super::whom::Whom;
use crate::cli::{Told, tell};

/// Examples of a group.
const EXAMPLES: usize = 3;

/// One thing that may change.
#[derive(Debug, Clone)]
pub(super) struct Allowance {
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

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Findings {
    #[serde(flatten)]
    read: Read,
    /// Queries of whom an answer would change, and of these the ones that no `--allow` covers.
    affected: u64,
    unallowed: u64,
    groups: Vec<Group>,
    #[serde(flatten)]
    live: Option<Live>,
}

/// What the log had.
#[derive(Debug, Serialize)]
pub(super) struct Read {
    /// Queries, those that a sampled line stands for included.
    pub queries: u64,
    /// Different questions: by network, name and type.
    pub questions: u64,
    /// Lines that are no query.
    pub unreadable: u64,
}

/// What is to be known of servers that were asked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Live {
    pub old_server: Whom,
    pub new_server: Whom,
    /// The address that each network's questions were asked from; none: the host's own. Empty where they were asked as
    /// the log's clients.
    pub sources: BTreeMap<String, Option<IpAddr>>,
    /// Questions whose answers vary: the servers agreed when they were asked again.
    pub varying: u64,
    /// Questions that neither server answered, and the queries of the log that asked them: nothing is known of these.
    pub unanswered_questions: u64,
    pub unanswered: u64,
}

/// Differences of one network between the same two routes.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Group {
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
pub(super) struct Example {
    pub client: IpAddr,
    pub name: String,
    #[serde(rename = "type")]
    pub qtype: String,
    pub old: String,
    pub new: String,
}

/// Where a difference is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub network: String,
    pub old_route: String,
    pub new_route: String,
}

/// Differences, as they come.
#[derive(Default)]
pub(super) struct Differences(BTreeMap<Place, Group>);

impl Differences {
    pub(super) fn add(&mut self, place: Place, queries: u64, example: Example) {
        let group = self.0.entry(place).or_default();
        group.queries += queries;
        group.questions += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.push(example);
        }
    }

    /// All of them, the most queries first.
    pub(super) fn judge(self, read: Read, allow: &[Allowance], live: Option<Live>) -> Findings {
        let named = |(place, group)| {
            let Place { network, old_route, new_route } = place;
            Group { network, old_route, new_route, ..group }
        };
        let mut groups: Vec<Group> = self.0.into_iter().map(named).collect();
        for group in &mut groups {
            group.allowed = allow.iter().any(|allowance| allowance.covers(group));
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.queries));
        let of = |wanted: fn(&&Group) -> bool| groups.iter().filter(wanted).map(|group| group.queries).sum();
        let (affected, unallowed) = (of(|_| true), of(|group| !group.allowed));
        Findings { read, affected, unallowed, groups, live }
    }
}

impl Findings {
    /// Whether nothing stands against the change, and everything was compared.
    pub(super) fn is_well(&self) -> bool {
        self.unallowed == 0 && self.live.as_ref().is_none_or(|live| live.unanswered_questions == 0)
    }

    pub(super) fn save(&self, file: &Path) -> Result<(), Told> {
        let document = serde_json::to_string_pretty(self).map_err(tell)? + "\n";
        std::fs::write(file, document).map_err(|fault| tell(format!("{}: {fault}", file.display())))
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let Findings { read: Read { queries, questions, unreadable }, affected, unallowed, groups, live } =
            self;
        let _ = writeln!(
            out,
            "{queries} queries, {questions} different questions; {unreadable} lines could not be read"
        );
        live.iter().for_each(|live| live.write(&mut out));
        let networks: BTreeSet<&str> = groups.iter().map(|group| group.network.as_str()).collect();
        let done = if live.is_some() { "answered" } else { "decided" };
        let _ = match affected {
            0 => writeln!(out, "nothing changes"),
            _ => writeln!(
                out,
                "{affected} queries of {} networks would be {done} otherwise, {unallowed} of them not allowed",
                networks.len()
            ),
        };
        groups.iter().for_each(|group| group.write(&mut out));
        out
    }
}

impl Live {
    fn write(&self, out: &mut String) {
        let Live { old_server, new_server, sources, varying, unanswered_questions, unanswered } = self;
        let whose = if matches!(old_server, Whom::Control(_)) { " as the clients of the log" } else { "" };
        let _ = writeln!(out, "asked {old_server} and {new_server}{whose}");
        let own = sources.iter().filter(|(_, source)| source.is_none()).map(|(network, _)| network.as_str());
        let own: Vec<&str> = own.collect();
        if !own.is_empty() {
            let _ = writeln!(
                out,
                "asked from this host's own address, so in the view of that: networks {}",
                own.join(", ")
            );
        }
        if *varying > 0 {
            let _ =
                writeln!(out, "{varying} questions have answers that vary; asked again, both gave the same");
        }
        if *unanswered_questions > 0 {
            let _ = writeln!(
                out,
                "{unanswered_questions} questions ({unanswered} queries) were answered by neither server: not compared"
            );
        }
    }
}

impl Group {
    fn write(&self, out: &mut String) {
        let Group { network, old_route, new_route, queries, questions, allowed, examples } = self;
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
}
