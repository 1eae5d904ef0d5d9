//! What the server must survive: the built program beside upstreams that misbehave and clients that mean harm.
//!
//! `cargo test --release --test survive` runs all, one after the other, since they measure; with `-- NAME` those that have
//! NAME in their name. Each ends with a line of its own, all with the table of what was wanted and what was measured.
//! Of a debug build nothing is to be measured: without that its cases are ignored, unless they are asked for.
//! A count, an order or an octet decides; a time decides only where it is far beyond what is wanted, or with
//! `SURVIVE_STRICT=1` as it stands in the table. `KAKEHASHI=PROGRAM` takes another program than the one just built.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod cache;
mod cases;
#[path = "../lab/client.rs"]
#[allow(dead_code)] // the lab asks in more ways
mod client;
mod flood;
mod http;
mod life;
mod load;
mod misbehaviour;
mod net;
mod odd;
mod packet;
mod peer;
#[path = "../lab/port.rs"]
mod port;
#[path = "../life/process.rs"]
#[allow(dead_code)] // life looks at more of it
mod process;
mod protocol;
mod report;
mod tcp;
mod upstream;
#[path = "../lab/wait.rs"]
mod wait;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

use cases::Case;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    // The runner repeats the message; all that is wanted here is the place.
    std::panic::set_hook(Box::new(|info| {
        info.location().inspect(|place| eprintln!("    panicked at {place}"));
    }));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let trials = cases::all().map(trial).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    report::print();
    conclusion.exit_code()
}

/// A case as a trial of the runner; of a debug build it is ignored, unless it is asked for (`--ignored`).
fn trial(case: &'static Case) -> Trial {
    let run = || {
        (case.run)();
        Ok(())
    };
    let is_unmeasurable = cfg!(debug_assertions) && std::env::var_os("KAKEHASHI").is_none();
    if is_unmeasurable {
        eprintln!("NOT RUN: {}: a debug build", case.name);
    }
    Trial::test(case.name, run).with_ignored_flag(is_unmeasurable)
}
