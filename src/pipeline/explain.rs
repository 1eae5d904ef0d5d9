//! The street without a packet: what would be decided for one client and one question, and why.
//!
//! It makes the same calls as `step` does up to the point where a source outside would be asked.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::Snapshot;
use crate::policy::{self, Decision};
use crate::query::{Failure, Now, Owns, Response, Verdict};
use crate::route::{Candidate, FallThrough, Target, Visible};
use crate::upstream::Role;
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
    /// The upstream servers in the order in which they would be asked now.
    pub upstream: Vec<ServerLine>,
    /// How long the answer may be kept at most, in seconds: positive, negative, failure.
    pub ttl_caps: Option<[u64; 3]>,
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
    for nth in 0..=MAX_CHAIN {
        let (hop, next) = hop(snapshot, known.view, &names[nth], qtype, now);
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
            Next::End(outcome) => outcome,
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

fn hop(snapshot: &Snapshot, view: u32, name: &Name, qtype: RType, now: Now) -> (Hop, Next) {
    let mut hop = Hop {
        name: name.to_string(),
        routes: Vec::new(),
        records: Vec::new(),
        upstream: Vec::new(),
        ttl_caps: None,
    };
    let mut next: Option<Next> = None;
    let mut open = Open::ToAll;
    let mut exists = Exists::Nowhere;
    let candidates = snapshot.table.all_candidates(view, name.as_ref());
    for (nth, candidate) in candidates.iter().enumerate() {
        let spec = snapshot.table.route(candidate.route);
        let (fate, why) = if !candidate.seen {
            (Fate::Unseen, format!("visible to {} only", audience(&spec.visible)))
        } else if open == Open::ToNone {
            (Fate::Lost, "a route before it answers".into())
        } else if open == Open::Outside && !spec.target.leads_outside() {
            (Fate::Lost, "below a zone cut only those are asked that lead outside".into())
        } else {
            let asked = ask(snapshot, spec.target, name, qtype, now, &mut hop);
            let passes = spec.fall_through == FallThrough::Yes;
            match asked {
                Asked::Said(_, verdict @ (Verdict::NxDomain | Verdict::NoData(Owns::Structure))) => {
                    if verdict != Verdict::NxDomain {
                        exists = Exists::Somewhere;
                    }
                    next = Some(Next::End(match exists {
                        Exists::Nowhere => "NXDOMAIN (no route has the name)".into(),
                        Exists::Somewhere => {
                            "NOERROR, no data (the name is there for what is below it)".into()
                        }
                    }));
                    if passes {
                        (Fate::Passed, "has no such name and falls through".into())
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
                Asked::Outside(why) => {
                    open = if passes { open } else { Open::ToNone };
                    hop.ttl_caps = Some(
                        [spec.caps.max_ttl, spec.caps.max_negative_ttl, spec.caps.failure_ttl]
                            .map(|cap| cap.as_secs()),
                    );
                    next = Some(Next::End(format!("what {} says", target(snapshot, spec.target))));
                    (if passes { Fate::Possible } else { Fate::Won }, why)
                }
                Asked::Refused => {
                    open = Open::ToNone;
                    next = Some(Next::Refused(Failure::RefusedByRule));
                    (Fate::Won, "refused by rule".into())
                }
            }
        };
        hop.routes.push(RouteLine {
            route: spec.label.clone(),
            domain: spec.domain.to_string(),
            target: target(snapshot, spec.target),
            fate,
            why,
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
    Outside(String),
    Refused,
}

fn ask(snapshot: &Snapshot, target: Target, name: &Name, qtype: RType, now: Now, hop: &mut Hop) -> Asked {
    match target {
        Target::Zone(zone) => {
            let (response, verdict) = snapshot.zones[zone as usize].zone().lookup(name.as_ref(), qtype);
            Asked::Said(response, verdict)
        }
        Target::Forward(_) | Target::Recurse if qtype == RType::ANY => {
            Asked::Said(Response::default(), Verdict::Answer)
        }
        Target::Forward(group) => {
            let group = &snapshot.groups[group as usize];
            let line = |at: usize| {
                let server = &group.servers()[at];
                let role = match server.role() {
                    Role::Primary => "primary",
                    Role::Backup => "backup",
                };
                ServerLine { address: server.address(), role: role.into() }
            };
            hop.upstream.extend(group.preview(now).into_iter().map(line));
            Asked::Outside(format!("forwarded to {}", group.name()))
        }
        Target::Recurse => Asked::Outside("asked from the root down".into()),
        Target::Refuse => Asked::Refused,
    }
}

fn said(response: &Response, verdict: Verdict) -> (String, Next) {
    let code = rcode::text(response.rcode);
    match verdict {
        Verdict::Alias(target) => (format!("an alias of {target}"), Next::Chain(target)),
        Verdict::Answer => {
            ("has the records".into(), Next::End(format!("{code}, {} records", response.answer.len())))
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
        Target::Zone(zone) => format!("zone (serial {})", snapshot.zones[zone as usize].zone().serial()),
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
