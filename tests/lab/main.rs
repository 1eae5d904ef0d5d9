//! The lab: Kakehashi on the TechNova network, with BIND as the domain controllers and as AmazonProvidedDNS, in network
//! namespaces with the real addresses. It wants root, iproute2 and BIND.
//!
//! Where it cannot run, its tests are counted as ignored and the reason is said; with CI=true they fail instead.
//! `cargo test --test lab -- NAME` runs what has NAME in its name. The promises themselves are in `queries.txt`.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod cases;
mod client;
mod load;
mod metrics;
mod net;
mod peers;
mod process;
mod server;
mod table;
mod wait;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use cases::Case;

/// How many labs stand at a time: they wait more than they work.
const AT_A_TIME: usize = 3;

fn main() -> ExitCode {
    // The runner repeats the message; all that is wanted here is the place.
    std::panic::set_hook(Box::new(|info| {
        info.location().inspect(|place| eprintln!("    panicked at {place}"));
    }));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_A_TIME);
    let trials = cases::ALL.iter().map(trial).collect();
    if !arguments.list {
        net::sweep();
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    cases::close_shared();
    conclusion.exit_code()
}

/// A case as a trial of the runner: run, ignored with its reason said, or failing with it where nothing may be left out.
fn trial(case: &'static Case) -> Trial {
    let Err(reason) = net::permitted().and_then(|()| peers::installed(case.programs)) else {
        return Trial::test(case.name, || {
            (case.run)();
            Ok(())
        });
    };
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        return Trial::test(case.name, move || Err(Failed::from(format!("cannot run here: {reason}"))));
    }
    eprintln!("LAB TEST NOT RUN: {}: {reason}", case.name);
    Trial::test(case.name, || Ok(())).with_ignored_flag(true)
}
