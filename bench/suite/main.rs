//! Measures Kakehashi beside its peers: starts each server on one core, loads it from the other, reads what that cost from
//! /proc, and prints and saves the table. `bench/run` builds it and runs it in a network namespace of its own.

#[path = "../datagram.rs"]
mod datagram;
#[path = "../results.rs"]
mod results;

mod curve;
mod histogram;
mod load;
mod ours;
mod peer;
mod process;
mod question;
mod report;
mod scenario;
mod stand;
mod stream;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;

use curve::Detail;
use peer::{Role, Server};
use results::Results;
use scenario::Scenario;
use stand::Stand;

/// Measures Kakehashi beside its peers.
#[derive(Parser)]
struct Arguments {
    /// One short round with the nearest peers, in less than two minutes.
    #[arg(long)]
    quick: bool,
    /// Rounds; the servers take turns within each.
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of each load.
    #[arg(long)]
    seconds: Option<f64>,
    /// Only these loads, such as `HOT,MISS`; `none` for the curves alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these servers, such as `kakehashi,dnsdist`.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// No cost curves.
    #[arg(long)]
    no_curves: bool,
    /// Where to save the table: this and `.md`, this and `.json`.
    #[arg(long)]
    save: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 1 } else { 3 });
    let seconds = arguments.seconds.unwrap_or(if arguments.quick { 1.5 } else { 5.0 });
    let length = Duration::from_secs_f64(seconds);
    let servers = wanted_servers(arguments);
    let scenarios: Vec<Scenario> =
        Scenario::ALL.into_iter().filter(|scenario| named(&arguments.only, scenario.name())).collect();
    let mut results = Results { about: about(&servers, rounds, seconds), ..Results::default() };
    let mut stand = Stand::open()?;
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for role in [Role::Forwarder, Role::Logger, Role::Views, Role::Authority] {
            for server in &servers {
                let fits = |scenario: &&Scenario| scenario.role() == role && scenario.fits(*server);
                let loads: Vec<&Scenario> = scenarios.iter().filter(fits).collect();
                let Some(launch) = server.launch(role).filter(|_| !loads.is_empty()) else { continue };
                let mut running = stand.launch(&launch, role.domain())?;
                role.warm(&mut running)?;
                for scenario in loads {
                    let figure = scenario::measure(&running, server.name(), *scenario, length)?;
                    println!("{}", report::line(&figure));
                    results.figures.push(figure);
                }
            }
        }
    }
    if !arguments.no_curves {
        let detail = if arguments.quick { Detail::Ends } else { Detail::Full };
        let length = if arguments.quick { Duration::from_millis(700) } else { length };
        results.points =
            curve::measure(&mut stand, length, detail, |point| println!("{}", report::point(point)))?;
    }
    save(arguments, &results)
}

fn save(arguments: &Arguments, results: &Results) -> io::Result<()> {
    let usual = if arguments.quick { "target/bench/quick" } else { "bench/results/last" };
    let path = arguments.save.as_deref().unwrap_or(Path::new(usual));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let text = report::markdown(results);
    fs::write(path.with_extension("md"), &text)?;
    fs::write(path.with_extension("json"), serde_json::to_vec_pretty(results)?)?;
    println!("\n{text}\nsaved: {0}.md, {0}.json", path.display());
    Ok(())
}

fn wanted_servers(arguments: &Arguments) -> Vec<Server> {
    let slow = [Server::Named, Server::Kresd, Server::Recursor];
    Server::ALL
        .into_iter()
        .filter(|server| named(&arguments.servers, server.name()))
        .filter(|server| !(arguments.quick && arguments.servers.is_empty() && slow.contains(server)))
        .filter(|server| {
            let there = server.program().is_none_or(|(program, _)| on_path(program));
            if !there {
                println!("{} is not installed", server.name());
            }
            there
        })
        .collect()
}

/// Whether a list names this; an empty one names all. `HOT` is not `LOG HOT`, nor is `echo` `echo, epoll`.
fn named(list: &[String], name: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', ',', '-'], "");
    list.is_empty() || list.iter().any(|word| plain(word) == plain(name))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').any(|folder| Path::new(folder).join(program).exists())
}

/// Machine, kernel, versions.
fn about(servers: &[Server], rounds: u32, seconds: f64) -> Vec<String> {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok();
        let text = output.map(|out| [out.stdout, out.stderr].concat()).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().find(|line| !line.is_empty()).unwrap_or("?").trim().to_owned()
    };
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut models =
        processors.lines().filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let count = models.clone().count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = process::number_after(&memory, "MemTotal:") >> 20;
    let mut about = vec![
        format!("{}, {rounds} rounds of {seconds} s", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        format!("{count} × {}, {memory} GiB, {}", models.next().unwrap_or("?"), said("uname", &["-sr"])),
        format!(
            "Kakehashi {}, {}",
            env!("CARGO_PKG_VERSION"),
            said("git", &["describe", "--always", "--dirty"])
        ),
    ];
    for server in servers {
        if let Some((program, version)) = server.program() {
            about.push(format!("{}: {}", server.name(), said(program, &[version])));
        }
    }
    about
}
