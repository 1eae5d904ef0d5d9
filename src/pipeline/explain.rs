//! The street without a packet: what would be decided for one client and one question, and why.
//!
//! It makes the same calls as `step` does up to the point where a source outside would be asked.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::Snapshot;
use crate::policy::{self, Decision};
use crate::query::{Failure, Now, Owns, Response, Verdict};
use crate::route::table::RouteSpec;
use crate::route::{Candidate, FallThrough, Target, Visible};
use crate::upstream::{Balance, Group, Role};
use crate::wire::present::RData;
use crate::wire::rcode;
use crate::wire::{Name, RType};

/// The same bound as on the street.
const MAX_CHAIN: usize = 11;

/// What a client would be answered, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The client's address.
    pub client: IpAddr,
    /// The most specific network that holds it.
    pub network: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// Its view.
    pub view: Option<String>,
    /// The question.
    pub name: String,
    /// Its type.
    pub qtype: String,
    /// One for each name of the CNAME chain.
    pub hops: Vec<Hop>,
    /// What comes of it.
    pub outcome: String,
}

/// One name of a chain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hop {
    /// The name.
    pub name: String,
    /// The routes whose domain covers it, in the order in which they are asked.
    pub routes: Vec<RouteLine>,
    /// The records that a zone of ours gives.
    pub records: Vec<String>,
}

/// One route, and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RouteLine {
    /// Its label.
    pub route: String,
    /// Its domain.
    pub domain: String,
    /// Its target.
    pub target: String,
    /// Whether its domain is asked: won, passed, lost, unseen.
    pub fate: Fate,
    /// Why.
    pub why: String,
    /// How its source would be asked; nothing where none is, or where it is here.
    pub outside: Option<Outside>,
}

/// A source outside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outside {
    /// The upstream servers in the order in which a server that has just started asks them; none for recursion.
    pub servers: Vec<ServerLine>,
    /// How they take turns; nothing for recursion.
    pub balance: Option<&'static str>,
    /// How long one of them may take before the next is asked, in milliseconds.
    pub try_timeout_ms: Option<u64>,
    /// How long all of them may take, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// How long a positive answer is kept at most, in seconds.
    pub max_ttl: u64,
    /// The same of a negative one.
    pub max_negative_ttl: u64,
    /// How long a failure is remembered, in seconds.
    pub failure_ttl: u64,
}

/// What became of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It answers.
    Won,
    /// It was asked, had no such name and fell through.
    Passed,
    /// A route before it answered.
    Lost,
    /// The client's view does not see it.
    Unseen,
    /// It may be asked, if the source of the route before it has no such name.
    Possible,
}

/// One upstream server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServerLine {
    /// Its address.
    pub address: SocketAddr,
    /// Primary or backup.
    pub role: String,
}

/// Explains one question of one client.
pub fn explain(snapshot: &Snapshot, client: IpAddr, name: &Name, qtype: RType, now: Now) -> Explanation {
    let mut explanation = Explanation {
        client,
        network: None,
        groups: Vec::new(),
        view: None,
        name: name.to_string(),
        qtype: qtype.to_string(),
        hops: Vec::new(),
        outcome: String::new(),
    };
    let Some(known) = snapshot.table.client(client) else {
        explanation.outcome = refusal(Failure::NoNetwork);
        return explanation;
    };
    let network = &snapshot.directory.networks[known.network as usize];
    explanation.network = Some(network.name.clone());
    explanation.groups.clone_from(&network.groups);
    explanation.view = Some(snapshot.table.view(known.view).name.clone());
    if let Decision::Refuse(failure) = policy::judge_type(qtype) {
        explanation.outcome = refusal(failure);
        return explanation;
    }
    let mut names = vec![name.clone()];
    let mut before = Vec::new();
    for nth in 0..=MAX_CHAIN {
        let (hop, next) = hop(snapshot, known.view, &names[nth], qtype, now, &mut before);
        explanation.hops.push(hop);
        explanation.outcome = match next {
            Next::Chain(target) if names.contains(&target) => refusal(Failure::ChainTooLong),
            Next::Chain(target) => {
                names.push(target);
                continue;
            }
            Next::Refused(_) if nth > 0 => {
                "NOERROR with the CNAMEs alone: this view has no answer for the last target".into()
            }
            Next::Refused(failure) => refusal(failure),
            Next::End(outcome) => {
                before.push(outcome);
                before.join("; where that has no such name, ")
            }
        };
        return explanation;
    }
    explanation.outcome = refusal(Failure::ChainTooLong);
    explanation
}

enum Next {
    Chain(Name),
    Refused(Failure),
    End(String),
}

/// `before` gathers what is said by sources outside that may pass the question on.
fn hop(
    snapshot: &Snapshot,
    view: u32,
    name: &Name,
    qtype: RType,
    now: Now,
    before: &mut Vec<String>,
) -> (Hop, Next) {
    let mut hop = Hop { name: name.to_string(), routes: Vec::new(), records: Vec::new() };
    let mut next: Option<Next> = None;
    let mut open = Open::ToAll;
    let mut exists = Exists::Nowhere;
    let candidates = snapshot.table.all_candidates(view, name.as_ref());
    for (nth, candidate) in candidates.iter().enumerate() {
        let spec = snapshot.table.route(candidate.route);
        let mut outside = None;
        let (fate, why) = if !candidate.seen {
            (Fate::Unseen, format!("visible to {} only", audience(&spec.visible)))
        } else if open == Open::ToNone {
            (Fate::Lost, "a route before it answers".into())
        } else if open == Open::Outside && !spec.target.leads_outside() {
            (Fate::Lost, "below a zone cut only those are asked that lead outside".into())
        } else {
            let passes = spec.fall_through == FallThrough::Yes;
            match ask(snapshot, spec, name, qtype, now) {
                Asked::Said(_, verdict @ (Verdict::NxDomain | Verdict::NoData(Owns::Structure))) => {
                    if verdict != Verdict::NxDomain {
                        exists = Exists::Somewhere;
                    }
                    next = Some(Next::End(match exists {
                        Exists::Nowhere => "NXDOMAIN: no route has the name".into(),
                        Exists::Somewhere => {
                            "NOERROR, no data: the name is there for what is below it".into()
                        }
                    }));
                    if passes {
                        (Fate::Passed, "has no such name, and falls through".into())
                    } else {
                        open = Open::ToNone;
                        (Fate::Won, "has no such name".into())
                    }
                }
                Asked::Said(_, Verdict::Referral) if goes_outside(snapshot, &candidates[nth + 1..]) => {
                    open = Open::Outside;
                    (Fate::Passed, "delegates the name, which is asked for outside".into())
                }
                Asked::Said(response, verdict) => {
                    open = Open::ToNone;
                    hop.records = records(&response);
                    let (why, ended) = said(&response, verdict);
                    next = Some(ended);
                    (Fate::Won, why)
                }
                Asked::Outside(line, says) => {
                    outside = Some(line);
                    if passes {
                        before.push(says);
                        next = Some(Next::End("NXDOMAIN or no data, as they say".into()));
                        (Fate::Possible, "is asked, and falls through where it has no such name".into())
                    } else {
                        open = Open::ToNone;
                        next = Some(Next::End(says));
                        (Fate::Won, "is asked".into())
                    }
                }
                Asked::Refused => {
                    open = Open::ToNone;
                    next = Some(Next::Refused(Failure::RefusedByRule));
                    (Fate::Won, "refuses".into())
                }
            }
        };
        hop.routes.push(RouteLine {
            route: spec.label.clone(),
            domain: spec.domain.to_string(),
            target: target(snapshot, spec.target),
            fate,
            why,
            outside,
        });
    }
    (hop, next.unwrap_or(Next::Refused(Failure::NoRoute)))
}

/// Which routes are still asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    ToAll,
    /// Those only that lead outside: a zone of ours has delegated the name.
    Outside,
    ToNone,
}

/// Whether some layer so far had the name, be it for what is below it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exists {
    Nowhere,
    Somewhere,
}

/// As on the street: a refusal is not stepped over.
fn goes_outside(snapshot: &Snapshot, more: &[Candidate]) -> bool {
    more.iter()
        .filter(|candidate| candidate.seen)
        .map(|candidate| snapshot.table.route(candidate.route).target)
        .find(|target| !matches!(target, Target::Zone(_)))
        .is_some_and(Target::leads_outside)
}

enum Asked {
    Said(Response, Verdict),
    /// How it is asked, and what comes of it.
    Outside(Outside, String),
    Refused,
}

fn ask(snapshot: &Snapshot, spec: &RouteSpec, name: &Name, qtype: RType, now: Now) -> Asked {
    let outside = |group: Option<&Group>| Outside {
        servers: group.map(|group| order(group, now)).unwrap_or_default(),
        balance: group.map(|group| match group.spec().balance {
            Balance::RoundRobin => "round-robin",
            Balance::Fastest => "fastest",
            Balance::Ordered => "ordered",
        }),
        try_timeout_ms: group.map(|group| group.spec().try_timeout.as_millis() as u64),
        deadline_ms: group.map(|group| group.spec().deadline.as_millis() as u64),
        max_ttl: spec.caps.max_ttl.as_secs(),
        max_negative_ttl: spec.caps.max_negative_ttl.as_secs(),
        failure_ttl: spec.caps.failure_ttl.as_secs(),
    };
    match spec.target {
        Target::Zone(zone) => {
            let (response, verdict) = snapshot.zones[zone as usize].zone().lookup(name.as_ref(), qtype);
            Asked::Said(response, verdict)
        }
        Target::Forward(_) | Target::Recurse if qtype == RType::ANY => {
            Asked::Said(Response::default(), Verdict::Answer)
        }
        Target::Forward(group) => {
            let group = &snapshot.groups[group as usize];
            Asked::Outside(outside(Some(group)), format!("what the servers of {} say", group.name()))
        }
        Target::Recurse => {
            Asked::Outside(outside(None), "what the servers from the root down say".to_owned())
        }
        Target::Refuse => Asked::Refused,
    }
}

fn order(group: &Group, now: Now) -> Vec<ServerLine> {
    let line = |at: usize| {
        let server = &group.servers()[at];
        let role = match server.role() {
            Role::Primary => "primary",
            Role::Backup => "backup",
        };
        ServerLine { address: server.address(), role: role.into() }
    };
    group.preview(now).into_iter().map(line).collect()
}

fn said(response: &Response, verdict: Verdict) -> (String, Next) {
    let code = rcode::text(response.rcode);
    match verdict {
        Verdict::Alias(target) => (format!("an alias of {target}"), Next::Chain(target)),
        Verdict::Answer => {
            let records = match response.answer.len() {
                1 => "1 record".to_owned(),
                many => format!("{many} records"),
            };
            ("has the records".into(), Next::End(format!("{code}, {records}")))
        }
        Verdict::NoData(_) => ("has the name, not the type".into(), Next::End(format!("{code}, no data"))),
        Verdict::NxDomain => ("has no such name".into(), Next::End(code.into())),
        Verdict::Referral => ("delegates the name".into(), Next::End("a referral".into())),
        Verdict::Error(_) => (code.into(), Next::End(code.into())),
    }
}

fn records(response: &Response) -> Vec<String> {
    let line = |record: crate::wire::RecordRef<'_>| {
        let rdata = RData { rtype: record.rtype, octets: record.rdata };
        format!("{} {} {} {rdata}", record.owner, record.ttl, record.rtype)
    };
    let shown = if response.answer.is_empty() { &response.authority } else { &response.answer };
    shown.iter().map(line).collect()
}

fn target(snapshot: &Snapshot, target: Target) -> String {
    match target {
        Target::Zone(zone) => format!("zone, serial {}", snapshot.zones[zone as usize].zone().serial()),
        Target::Forward(group) => format!("forward to {}", snapshot.groups[group as usize].name()),
        Target::Recurse => "recurse".into(),
        Target::Refuse => "refuse".into(),
    }
}

fn audience(visible: &Visible) -> String {
    match visible {
        Visible::Everyone => "everyone".into(),
        Visible::To(labels) => labels.join(", "),
        Visible::WhereForwarded => "views that lead outside".into(),
    }
}

fn refusal(failure: Failure) -> String {
    format!("{}: {failure}", rcode::text(failure.rcode()))
}
