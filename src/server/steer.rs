//! What the control socket can be told, done.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::life::Fault;
use super::operator::set_level;
use super::reload::{Kept, Order, Reloading};
use super::status::Show;
use crate::cache::{Extent, Forget, In};
use crate::config::{Control, ControlSocket};
use crate::control::{Command, Outcome, Status, Steering, TRACE_PATIENCE, socket};
use crate::exchange::{Ask, Dialect, Query};
use crate::listen::clock;
use crate::pipeline::Shared;
use crate::pipeline::explain::explain;
use crate::wire::message::Message;
use crate::wire::present::RData;
use crate::wire::{Name, RType, RecordRef, rcode};

/// How long a worker may take to do what it is told; it looks every 400 ms when nothing comes.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a configuration may wait to be confirmed, in seconds.
const LONGEST_TRIAL: u64 = 24 * 3600;

/// Opens the socket, if there is to be one.
pub(super) fn start(
    control: &Control,
    show: Arc<Show>,
    shared: &Arc<Shared>,
    reloading: Reloading,
) -> Result<Option<socket::Running>, Fault> {
    let Some(path) = place(control) else { return Ok(None) };
    let group = control.group.as_deref().map(number_of).transpose();
    let steer = Arc::new(Steer { show, shared: Arc::clone(shared), reloading, tracing: Mutex::default() });
    let running = group.and_then(|group| socket::start(&path, group, steer));
    let running = running.map_err(|fault| Fault::Socket { path: path.clone(), fault })?;
    tracing::info!("taking commands on {}", path.display());
    Ok(Some(running))
}

/// Where commands are taken, if they are.
pub(super) fn place(control: &Control) -> Option<PathBuf> {
    match &control.socket {
        ControlSocket::Off => None,
        ControlSocket::At(path) => Some(path.clone()),
        ControlSocket::RuntimeDirectory => {
            Some(PathBuf::from(std::env::var_os("RUNTIME_DIRECTORY")?).join("control.sock"))
        }
    }
}

/// A group's number.
fn number_of(group: &str) -> std::io::Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    match nix::unistd::Group::from_name(group)? {
        Some(group) => Ok(group.gid.as_raw()),
        None => Err(std::io::Error::new(std::io::ErrorKind::NotFound, format!("there is no group {group}"))),
    }
}

struct Steer {
    show: Arc<Show>,
    shared: Arc<Shared>,
    reloading: Reloading,
    /// One question at a time is traced.
    tracing: Mutex<()>,
}

impl Steering for Steer {
    fn obey(&self, command: Command) -> Outcome {
        match command {
            Command::Status {} => self.status(),
            Command::Reload {} => {
                self.reloading.order();
                Ok(json!({ "ordered": "reload" }))
            }
            Command::Flush { name, subtree, view } => {
                let extent = match name.map(|name| (name.parse::<Name>(), name)) {
                    None => Extent::All,
                    Some((Err(fault), name)) => return Err(format!("{name}: {fault}")),
                    Some((Ok(name), _)) if subtree => Extent::Subtree(name),
                    Some((Ok(name), _)) => Extent::Name(name),
                };
                self.flush(extent, view.as_deref())
            }
            Command::Trace { client, name, qtype } => self.trace(client, &name, &qtype),
            Command::Apply { file, confirm_within } => {
                if !(1..=LONGEST_TRIAL).contains(&confirm_within) {
                    return Err(format!("a trial lasts 1 to {LONGEST_TRIAL} s"));
                }
                let within = Duration::from_secs(confirm_within);
                self.reloading.ask(|done| Order::Apply(file, within, done))
            }
            Command::Confirm { installed } => {
                let kept = if installed { Kept::InPlace } else { Kept::AtItsPath };
                self.reloading.ask(|done| Order::Confirm(kept, done))
            }
            Command::Cancel {} => self.reloading.ask(Order::Cancel),
            Command::LogLevel { level } => {
                set_level(&level).map_err(|fault| fault.to_string())?;
                Ok(json!({ "level": level }))
            }
        }
    }
}

impl Steer {
    fn status(&self) -> Outcome {
        let ready = self.show.ready();
        let mut document = serde_json::to_value(self.show.status()).map_err(|fault| fault.to_string())?;
        // Who reads it may stand elsewhere.
        let file = document["configuration"]["file"].as_str().and_then(|file| std::path::absolute(file).ok());
        document["configuration"]["file"] = json!(file);
        document["ready"] = json!(ready.is_ok());
        let mut wrong = ready.err().unwrap_or_default();
        wrong.extend(wrong_in(&document));
        document["wrong"] = json!(wrong);
        Ok(document)
    }

    fn flush(&self, extent: Extent, view: Option<&str>) -> Outcome {
        let within = match view {
            None => In::All,
            Some(view) => {
                let snapshot = self.shared.snapshot();
                let table = &snapshot.table;
                let number = table.views().iter().zip(0..).find(|(one, _)| one.name == view).map(|(_, n)| n);
                let number = number.ok_or_else(|| format!("there is no view {view}; status lists them"))?;
                In::View { number, routes: table.routes_of(number).map(|route| route.uid).collect() }
            }
        };
        let order = Forget { extent, within };
        let responses = self.shared.responses.forget(&order);
        let (answers, silent) = self.shared.forget_answers(order).wait(PATIENCE);
        if silent > 0 {
            return Err(format!("{silent} workers did not do it within {} s", PATIENCE.as_secs()));
        }
        Ok(json!({ "responses": responses, "answers": answers }))
    }

    fn trace(&self, client: IpAddr, name: &str, qtype: &str) -> Outcome {
        let qname: Name = name.parse().map_err(|fault| format!("{name}: {fault}"))?;
        let rtype: RType = qtype.parse().map_err(|()| format!("{qtype} is no record type"))?;
        let _turn = self.tracing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.shared.snapshot().clone();
        let steps = explain(&snapshot, client, &qname, rtype, clock::now());
        let query = Query::new(&Ask::new(qname, rtype), Dialect::Edns).with_id(1);
        let traced = self.shared.trace(query.into(), client).recv_timeout(TRACE_PATIENCE);
        let traced = traced.map_err(|_| "no worker answered it in time")?;
        let message = traced.reply.as_ref().and_then(|reply| Message::parse(reply).ok());
        let answers = |message: &Message| message.answer.iter().map(line).collect::<Vec<_>>();
        Ok(json!({
            "steps": steps,
            "event": traced.event,
            "rcode": message.as_ref().map(|message| rcode::text(message.rcode)),
            "answers": message.as_ref().map(answers).unwrap_or_default(),
            "ede": message.iter().flat_map(|message| &message.ede).map(|ede| &ede.text).collect::<Vec<_>>(),
        }))
    }
}

fn line(record: RecordRef<'_>) -> String {
    let rdata = RData { rtype: record.rtype, octets: record.rdata };
    format!("{} {} {} {rdata}", record.owner, record.ttl, record.rtype)
}

/// What is not as it should be, in words.
fn wrong_in(document: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut wrong = Vec::new();
    for upstream in list(&document["upstreams"]) {
        let (name, servers) = (text(&upstream["name"]), list(&upstream["servers"]));
        let down: Vec<String> =
            servers.iter().filter(|one| one["state"] == "down").map(|one| text(&one["address"])).collect();
        match down.len() {
            0 => {}
            some if some == servers.len() => wrong.push(format!("upstream {name}: no server answers")),
            _ => wrong.push(format!("upstream {name}: down: {}", down.join(", "))),
        }
        for one in list(&upstream["quarantined"]) {
            let domain = text(&one["domain"]);
            wrong.push(format!("upstream {name}: not asked for {domain}, whose questions it sends back"));
        }
    }
    let last = &document["configuration"]["last_reload"];
    if last["result"] == "failure" {
        let reasons: Vec<String> = list(&last["reasons"]).iter().map(text).collect();
        wrong.push(format!("the last reload failed: {}", reasons.join("; ")));
    }
    wrong
}
