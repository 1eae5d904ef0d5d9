//! Measures Kakehashi beside its peers: starts each server on one core, loads it from the other, reads what that cost from
//! /proc, and prints and saves the table. `bench/run` builds it and runs it in a network namespace of its own.

#[path = "../datagram.rs"]
mod datagram;
#[path = "../results.rs"]
mod results;

mod calls;
mod curve;
mod goal;
mod histogram;
mod instructions;
mod load;
mod ours;
mod peer;
mod process;
mod question;
mod reload;
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
use peer::{OTHER, Role, Server};
use results::{Count, Results};
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
    /// Another build of kakehashi, measured in turns with this one.
    #[arg(long)]
    against: Option<PathBuf>,
    /// Nothing but this.
    #[arg(long)]
    just: Option<Just>,
    /// Where to save the table: this and `.md`, this and `.json`.
    #[arg(long)]
    save: Option<PathBuf>,
}

/// What can be measured alone.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Just {
    /// System calls for each answer, by strace.
    Calls,
    /// Instructions for each answer, by callgrind.
    Instructions,
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
    let seconds = arguments.seconds.unwrap_or(if arguments.quick { 1.0 } else { 4.0 });
    let length = Duration::from_secs_f64(seconds);
    if let Some(other) = &arguments.against {
        let _ = OTHER.set(other.canonicalize()?);
    }
    let servers = wanted_servers(arguments);
    let mut results = Results { about: about(&servers, rounds, seconds), ..Results::default() };
    let mut stand = Stand::open()?;
    if arguments.just.is_none() {
        for round in 1..=rounds {
            println!("round {round} of {rounds}");
            measure_loads(arguments, &mut stand, &servers, length, &mut results)?;
        }
        measure_sizes(arguments, &mut stand, &servers, (rounds, length), &mut results)?;
    }
    count(arguments, &mut stand, &servers, length, &mut results)?;
    save(arguments, &results)
}

/// Every load of every server once; the servers take turns. All of them run at once, so that what is compared is measured
/// within seconds.
fn measure_loads(
    arguments: &Arguments,
    stand: &mut Stand,
    servers: &[Server],
    length: Duration,
    results: &mut Results,
) -> io::Result<()> {
    let wanted = |scenario: &Scenario| named(&arguments.only, scenario.name());
    let scenarios: Vec<Scenario> = Scenario::ALL.into_iter().filter(wanted).collect();
    let mut running = Vec::new();
    for role in [Role::Forwarder, Role::Logger, Role::Views, Role::Large, Role::Authority] {
        for server in servers {
            let fits = |scenario: &Scenario| scenario.role() == role && scenario.fits(*server);
            let is_wanted = scenarios.iter().any(fits);
            let Some(launch) = server.launch(role).filter(|_| is_wanted) else { continue };
            let mut started = match stand.launch(&launch, role.domain()) {
                Ok(started) => started,
                // Another version of a peer may not know our configuration of it.
                Err(error) if server.program().is_some() => {
                    println!("{} does not start as {role:?}, and is left out: {error}", server.name());
                    continue;
                }
                Err(error) => return Err(error),
            };
            role.warm(&mut started)?;
            running.push((role, *server, started));
        }
    }
    let is_of =
        |scenario: &Scenario, role: Role, server: Server| scenario.role() == role && scenario.fits(server);
    for (nth, scenario) in scenarios.iter().enumerate() {
        // Whoever has nothing more to do need not share the core with the rest.
        running.retain(|(role, server, _)| {
            scenarios[nth..].iter().any(|scenario| is_of(scenario, *role, *server))
        });
        for (_, server, started) in running.iter().filter(|(role, server, _)| is_of(scenario, *role, *server))
        {
            let figure = scenario::measure(started, server.name(), *scenario, length)?;
            println!("{}", report::line(&figure));
            results.figures.push(figure);
        }
    }
    Ok(())
}

/// Idle memory, and the cost curves.
fn measure_sizes(
    arguments: &Arguments,
    stand: &mut Stand,
    servers: &[Server],
    (rounds, length): (u32, Duration),
    results: &mut Results,
) -> io::Result<()> {
    for server in servers {
        if let Some(point) = curve::idle(stand, *server)? {
            println!("{}", report::point(&point));
            results.points.push(point);
        }
    }
    if !arguments.no_curves {
        let (detail, longest) = if arguments.quick { (Detail::Ends, 500) } else { (Detail::Full, 2_500) };
        let each = (rounds, length.min(Duration::from_millis(longest)));
        let points = curve::measure(stand, each, detail, |point| println!("{}", report::point(point)))?;
        results.points.extend(points);
    }
    Ok(())
}

/// System calls and instructions, where they are wanted.
fn count(
    arguments: &Arguments,
    stand: &mut Stand,
    servers: &[Server],
    length: Duration,
    results: &mut Results,
) -> io::Result<()> {
    let everything = !arguments.quick && !arguments.no_curves && arguments.only.is_empty();
    let wanted = |what: Just| arguments.just.map_or(everything, |just| just == what);
    let said = |count: &Count| println!("{}", report::count(count));
    if wanted(Just::Calls) {
        let nearest = [Server::EchoEpoll, Server::Kakehashi, Server::Dnsdist, Server::Unbound];
        let servers: Vec<Server> = servers
            .iter()
            .copied()
            .filter(|server| !arguments.servers.is_empty() || nearest.contains(server))
            .collect();
        let length = length.min(Duration::from_secs(2));
        results.counts.extend(calls::measure(stand, &servers, length, said)?);
    }
    if wanted(Just::Instructions) {
        results.counts.extend(instructions::measure(stand, said)?);
    }
    Ok(())
}

fn save(arguments: &Arguments, results: &Results) -> io::Result<()> {
    let usual = match arguments.just {
        Some(Just::Calls) => "target/bench/calls",
        Some(Just::Instructions) => "target/bench/instructions",
        None if arguments.quick => "target/bench/quick",
        None => "bench/results/last",
    };
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
        .filter(|server| match server {
            Server::Other => arguments.against.is_some(),
            _ => named(&arguments.servers, server.name()),
        })
        .filter(|server| !(arguments.quick && arguments.servers.is_empty() && slow.contains(server)))
        .filter(|server| {
            let there = server.is_installed();
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
