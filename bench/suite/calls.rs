//! System calls for each answer, by kind: strace counts them while a server works under load.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::load::Until;
use super::peer::Server;
use super::process::{Process, number_after, on_path};
use super::results::Count;
use super::scenario::Scenario;
use super::stand::{OTHER_CORE, Running, Stand};

const SCENARIOS: [Scenario; 4] = [Scenario::Hot, Scenario::Miss, Scenario::Trickle, Scenario::LogHot];
/// How many kinds are named at most, and how often at least one is used that is.
const NAMED: usize = 6;
const RARE: f64 = 0.001;

/// Counts for every server that has the role. Without strace, or where it may not look, this is said and nothing counted.
pub fn measure(
    stand: &mut Stand,
    servers: &[Server],
    length: Duration,
    said: impl Fn(&Count),
) -> io::Result<Vec<Count>> {
    let mut counts = Vec::new();
    if !on_path("strace") {
        println!("strace is not installed: system calls are not counted");
        return Ok(counts);
    }
    for server in servers {
        for scenario in SCENARIOS.into_iter().filter(|scenario| scenario.fits(*server)) {
            let role = scenario.role();
            let Some(launch) = server.launch(role) else { continue };
            let mut running = stand.launch(&launch, role.domain())?;
            role.warm(&mut running)?;
            match count(&running, *server, scenario, length) {
                Ok(count) => {
                    said(&count);
                    counts.push(count);
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    println!("system calls are not counted: {error}");
                    return Ok(counts);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(counts)
}

fn count(running: &Running, server: Server, scenario: Scenario, length: Duration) -> io::Result<Count> {
    let summary = running.folder.join("strace.summary");
    let mut strace = attach(running, &summary)?;
    let answered =
        scenario.load(running, scenario.pace_when_slowed(), Until::Elapsed(length))?.answered.max(1) as f64;
    strace.signal(Signal::SIGINT);
    strace.wait()?;
    let kinds = kinds(&fs::read_to_string(&summary)?);
    let each = |calls: u64| calls as f64 / answered;
    let named = kinds.iter().map(|(name, calls)| (name, each(*calls))).filter(|(_, each)| *each >= RARE);
    let named: Vec<String> = named.take(NAMED).map(|(name, each)| format!("{name} {each:.3}")).collect();
    Ok(Count {
        what: "system calls".to_owned(),
        scenario: scenario.name().to_owned(),
        server: server.name().to_owned(),
        each: each(kinds.iter().map(|(_, calls)| calls).sum()),
        detail: named.join(", "),
    })
}

/// Starts strace on all threads of a server, and waits until it holds them.
fn attach(running: &Running, summary: &Path) -> io::Result<Process> {
    let family = running.process.family();
    let mut command: Vec<String> = ["strace", "-c", "-f", "-qq", "-o"].map(str::to_owned).to_vec();
    command.push(summary.display().to_string());
    for process in &family {
        command.extend(["-p".to_owned(), process.to_string()]);
    }
    let mut strace =
        Process::start(OTHER_CORE, &command, &running.folder, &running.folder.join("strace.output"))?;
    let begin = Instant::now();
    while !family.iter().all(|process| is_traced(*process)) {
        if strace.has_ended() || begin.elapsed() > Duration::from_secs(5) {
            let said = fs::read_to_string(running.folder.join("strace.output"))?;
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("strace: {said}")));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(strace)
}

fn is_traced(process: u32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return true };
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        number_after(&status, "TracerPid:") != 0
    })
}

/// The table of `strace -c`: calls by name, the most frequent first.
fn kinds(summary: &str) -> Vec<(String, u64)> {
    // % time, seconds, usecs/call, calls, errors (may be empty), syscall
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (first, name) = (words.first()?, words.last()?);
        first.parse::<f64>().ok()?;
        Some(((*name).to_owned(), words.get(3)?.parse().ok()?))
    };
    let mut kinds: Vec<(String, u64)> =
        summary.lines().filter_map(row).filter(|(name, _)| name != "total").collect();
    kinds.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    kinds
}
