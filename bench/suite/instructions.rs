//! Instructions of user space for each answer, by callgrind: the same from run to run, on whatever machine, however busy.
//!
//! Two runs that differ only in how many queries are asked; the difference is what the queries took.

use std::fs;
use std::io;
use std::path::Path;

use super::load::Until;
use super::ours::Shape;
use super::peer::Server;
use super::process::{number_after, on_path};
use super::results::Count;
use super::scenario::Scenario;
use super::stand::Stand;

const SCENARIOS: [Scenario; 4] = [Scenario::Hot, Scenario::Trickle, Scenario::Auth, Scenario::Miss];
/// Queries of the shorter and of the longer run.
const QUERIES: [u64; 2] = [10_000, 40_000];

/// Counts for our server. Without valgrind, this is said and nothing counted.
pub fn measure(stand: &mut Stand, said: impl Fn(&Count)) -> io::Result<Vec<Count>> {
    let mut counts = Vec::new();
    if !on_path("valgrind") {
        println!("valgrind is not installed: instructions are not counted");
        return Ok(counts);
    }
    let folder = std::env::current_dir()?.join("target/bench");
    fs::create_dir_all(&folder)?;
    for scenario in SCENARIOS {
        let profile = folder.join(format!("callgrind.{}", scenario.name()));
        let short =
            run(stand, scenario, QUERIES[0], &folder.join(format!("callgrind.{}.short", scenario.name())))?;
        let long = run(stand, scenario, QUERIES[1], &profile)?;
        let count = Count {
            what: "instructions".to_owned(),
            scenario: scenario.name().to_owned(),
            server: Server::Kakehashi.name().to_owned(),
            each: (long.0 - short.0) / (long.1 - short.1).max(1.0),
            detail: format!("`callgrind_annotate target/bench/callgrind.{}`", scenario.name()),
        };
        said(&count);
        counts.push(count);
    }
    Ok(counts)
}

/// Instructions of a whole run of the server, and how many queries of the load it answered.
fn run(stand: &mut Stand, scenario: Scenario, queries: u64, profile: &Path) -> io::Result<(f64, f64)> {
    let role = scenario.role();
    let mut launch = Shape::of(role).launch();
    let callgrind = ["valgrind", "--tool=callgrind", "--quiet"].map(str::to_owned);
    let output = format!("--callgrind-out-file={}", profile.display());
    launch.command.splice(0..0, callgrind.into_iter().chain([output]));
    let answered = {
        let mut running = stand.launch(&launch, role.domain())?;
        role.warm(&mut running)?;
        scenario.load(&running, scenario.pace(), Until::Sent(queries))?.answered
    };
    Ok((total(profile)?, answered as f64))
}

fn total(profile: &Path) -> io::Result<f64> {
    match number_after(&fs::read_to_string(profile)?, "totals:") {
        0 => Err(io::Error::other("callgrind has written no total")),
        total => Ok(total as f64),
    }
}
