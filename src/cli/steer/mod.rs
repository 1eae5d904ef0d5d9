//! The commands for a running server: given by its control socket, what comes back shown for people or as it came.

mod call;
mod install;
mod screen;
mod top;

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use self::call::call;
pub(super) use self::call::call_within;
use super::{Done, say, tell};
use crate::control::Command;

/// Where the server takes commands.
#[derive(Args)]
pub(super) struct Place {
    /// The control socket of the server.
    #[arg(long, value_name = "FILE", default_value = "/run/kakehashi/control.sock")]
    socket: PathBuf,
}

/// What a running server can be told.
#[derive(Subcommand)]
pub(super) enum Order {
    /// Say what a running server does: all good, or what is wrong.
    Status {
        #[command(flatten)]
        place: Place,
        /// Everything, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have a running server read its configuration and zones again.
    ///
    /// As SIGHUP does. Whether it took effect, `status` and the log say.
    Reload {
        #[command(flatten)]
        place: Place,
    },
    /// Have a running server forget what it has cached.
    ///
    /// The next question for it goes to its source. Names are those that were asked: what is reached through a CNAME is
    /// kept under the alias.
    #[command(after_long_help = "Examples:\n  \
        kakehashi flush api.technova.com\n  \
        kakehashi flush technova.local --subtree --view 'vpc+manufacturing'\n  \
        kakehashi flush --all")]
    Flush {
        #[command(flatten)]
        place: Place,
        /// The name.
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// And all names below it.
        #[arg(long, requires = "name")]
        subtree: bool,
        /// Only what this view is answered; `status --json` lists views.
        #[arg(long)]
        view: Option<String>,
        /// Every name.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Ask a running server as a client would, and say what became of it.
    ///
    /// The question goes through the server as that client's: its network, view, routes, caches and upstreams. It is in no
    /// log and counted nowhere.
    #[command(after_long_help = "Example:\n  kakehashi trace 10.0.30.100 dc01.technova.local A")]
    Trace {
        #[command(flatten)]
        place: Place,
        /// The client's address.
        client: IpAddr,
        /// The name that it asks for.
        name: String,
        /// The type that it asks for.
        #[arg(default_value = "A")]
        qtype: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a configuration in force that is taken back by itself unless it is confirmed.
    ///
    /// It is checked first, and replaces the one in force at once and whole. The one of before comes back when the time is
    /// over, on `apply --cancel`, and as soon as SERVFAIL or NXDOMAIN rise in a view by more than `[apply]` allows. Nothing
    /// is written until `confirm`: a server that is killed before starts with the old one. So an apply is refused while the
    /// file that a start reads, or one that it names, is not as it was loaded: change a copy.
    #[command(after_long_help = "Example:\n  \
        kakehashi apply --confirm 5m /etc/kakehashi/conf/kakehashi.new.toml\n  \
        kakehashi confirm")]
    Apply {
        #[command(flatten)]
        place: Place,
        /// For how long it stays without confirmation: 30s, 5m.
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "5m")]
        confirm: Duration,
        /// The main file of the configuration.
        #[arg(required_unless_present = "cancel")]
        file: Option<PathBuf>,
        /// Take back what was applied.
        #[arg(long, conflicts_with = "file")]
        cancel: bool,
    },
    /// Keep the configuration that was applied.
    ///
    /// The file that the server was started with is changed in one step, so that a restart reads what was applied: where
    /// the applied file stands in the same folder, a copy of it takes its place, or a symbolic link is turned to it; from
    /// elsewhere it becomes a line that includes the applied file, whose folder is to be kept then. What was there is kept
    /// as FILE.before.
    Confirm {
        #[command(flatten)]
        place: Place,
    },
    /// Show a running server live: queries, hit ratio, latency, routes, upstreams. q quits.
    Top {
        #[command(flatten)]
        place: Place,
        /// Show it once, as plain text, and end.
        #[arg(long)]
        once: bool,
    },
    /// Have a running server say more or less in its log.
    #[command(after_long_help = "Examples:\n  kakehashi log-level debug\n  \
        kakehashi log-level info,kakehashi::upstream=debug")]
    LogLevel {
        #[command(flatten)]
        place: Place,
        /// error, warn, info, debug, trace; or as RUST_LOG has it.
        level: String,
    },
}

impl Order {
    fn place(&self) -> &Place {
        match self {
            Order::Status { place, .. }
            | Order::Reload { place }
            | Order::Flush { place, .. }
            | Order::Trace { place, .. }
            | Order::Apply { place, .. }
            | Order::Confirm { place }
            | Order::Top { place, .. }
            | Order::LogLevel { place, .. } => place,
        }
    }
}

/// Gives an order.
pub(super) fn run(order: Order) -> Done {
    let socket = &order.place().socket.clone();
    let give = |command: &Command| call(socket, command).map_err(tell);
    match order {
        Order::Status { json, .. } => {
            let status = give(&Command::Status {})?;
            say(&if json { pretty(&status) } else { status_text(&status) });
        }
        Order::Reload { .. } => {
            give(&Command::Reload {})?;
            say("a reload is ordered; the log and `kakehashi status` say what came of it\n");
        }
        Order::Flush { name, subtree, view, .. } => {
            let gone = give(&Command::Flush { name, subtree, view })?;
            say(&format!(
                "forgotten: {} of what sources said, {} finished answers\n",
                gone["responses"], gone["answers"]
            ));
        }
        Order::Trace { client, name, qtype, json, .. } => {
            let traced = give(&Command::Trace { client, name, qtype })?;
            say(&if json { pretty(&traced) } else { trace_text(&traced) });
        }
        Order::Apply { confirm, file: Some(file), .. } => {
            let file = absolute(&file)?;
            let applied = give(&Command::Apply { file, confirm_within: confirm.as_secs() })?;
            say(&format!(
                "{} is in force; without `kakehashi confirm` it is taken back in {} s\n",
                text(&applied["applied"]),
                applied["confirm_within"]
            ));
        }
        Order::Apply { file: None, .. } => {
            give(&Command::Cancel {})?;
            say("taken back: the configuration of before is in force\n");
        }
        Order::Confirm { .. } => say(&install::confirm(socket)?),
        Order::Top { once, .. } => {
            return top::run(socket, if once { top::Mode::Once } else { top::Mode::Live });
        }
        Order::LogLevel { level, .. } => {
            give(&Command::LogLevel { level: level.clone() })?;
            say(&format!("the log says {level} now\n"));
        }
    }
    Ok(())
}

fn absolute(file: &Path) -> Result<PathBuf, super::Told> {
    std::path::absolute(file).map_err(|fault| tell(format!("{}: {fault}", file.display())))
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn status_text(status: &Value) -> String {
    let mut out = String::new();
    let wrong: Vec<&str> = texts(&status["wrong"]).collect();
    let _ = match wrong.len() {
        0 => writeln!(out, "all good"),
        1 => writeln!(out, "wrong: {}", wrong[0]),
        _ => writeln!(out, "wrong:\n  {}", wrong.join("\n  ")),
    };
    let uptime = Duration::from_secs(status["uptime_seconds"].as_u64().unwrap_or(0));
    let _ = writeln!(
        out,
        "node {}, version {}, up {}, {} workers",
        text(&status["node"]),
        text(&status["version"]),
        humantime::format_duration(uptime),
        status["workers"]
    );
    let configuration = &status["configuration"];
    let _ = writeln!(
        out,
        "configuration {}, loaded {}",
        text(&configuration["file"]),
        text(&configuration["loaded"])
    );
    if let Some(file) = configuration["on_trial"]["file"].as_str() {
        let left = &configuration["on_trial"]["seconds"];
        let _ = writeln!(out, "on trial: {file}, taken back in {left} s unless confirmed");
    }
    if let Some(ended) = configuration["last_trial"].as_str() {
        let _ = writeln!(out, "last trial: {ended}");
    }
    let count = |what: &str| status[what].as_array().map_or(0, Vec::len);
    let _ = writeln!(out, "{} views, {} routes, {} zones", count("views"), count("routes"), count("zones"));
    for upstream in status["upstreams"].as_array().into_iter().flatten() {
        let servers = upstream["servers"].as_array().into_iter().flatten();
        let servers = servers.map(|one| format!("{} {}", text(&one["address"]), text(&one["state"])));
        let _ =
            writeln!(out, "upstream {}: {}", text(&upstream["name"]), servers.collect::<Vec<_>>().join(", "));
    }
    out
}

fn trace_text(traced: &Value) -> String {
    let mut out = String::new();
    let steps = &traced["steps"];
    let _ = writeln!(out, "client    {}", text(&steps["client"]));
    for (label, key) in [("network", "network"), ("view", "view")] {
        let _ = writeln!(out, "{label:9} {}", steps[key].as_str().unwrap_or("none"));
    }
    for hop in steps["hops"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "{} {}", text(&hop["name"]), text(&steps["qtype"]));
        for route in hop["routes"].as_array().into_iter().flatten() {
            let fate = route["fate"].as_str().unwrap_or_default();
            let _ = writeln!(
                out,
                "  {fate:9} {}  {}  {}",
                text(&route["route"]),
                text(&route["target"]),
                text(&route["why"])
            );
        }
    }
    let event = &traced["event"];
    let _ = writeln!(
        out,
        "answer    {} from {}{}{} in {} µs",
        traced["rcode"].as_str().unwrap_or("none"),
        event["source"].as_str().unwrap_or("nowhere"),
        event["route"].as_str().map(|route| format!(", route {route}")).unwrap_or_default(),
        event["server"].as_str().map(|server| format!(", server {server}")).unwrap_or_default(),
        event["microseconds"]
    );
    for line in texts(&traced["answers"]).chain(texts(&traced["ede"])) {
        let _ = writeln!(out, "  {line}");
    }
    out
}

/// A status document with nothing in it, for what was never asked.
fn nothing() -> Value {
    json!({})
}
