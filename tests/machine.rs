//! The machine misbehaves under the server: no descriptors, no disk, a pipe that nobody reads, a kill, a clock that jumps,
//! a node that dies, an upstream that comes and goes. The built program, real sockets; figures are printed beside each.
//!
//! What wants root (a disk of its own, network namespaces) is counted as ignored without it and the reason is said; with
//! CI=true it fails. `KAKEHASHI_FLAP_SECONDS=600` makes the last case the ten minutes that it stands for.
#![allow(clippy::unwrap_used)]

#[path = "machine/address.rs"]
mod address;
#[path = "life/client.rs"]
#[allow(dead_code)] // its own tests use more of it; so below
mod client;
#[path = "machine/clock.rs"]
mod clock;
#[path = "machine/descriptor.rs"]
mod descriptor;
#[path = "machine/flap.rs"]
mod flap;
#[path = "machine/kill.rs"]
mod kill;
#[path = "machine/load.rs"]
mod load;
#[path = "machine/log.rs"]
mod log;
#[path = "machine/narrow.rs"]
mod narrow;
#[path = "lab/net.rs"]
#[allow(dead_code)]
mod net;
#[path = "machine/node.rs"]
mod node;
#[path = "lab/port.rs"]
mod port;
#[path = "life/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "machine/upstream.rs"]
mod upstream;
#[path = "lab/wait.rs"]
#[allow(dead_code)]
mod wait;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a case needs of the machine that tests it.
#[derive(Clone, Copy)]
enum Wants {
    Nothing,
    Root,
}

const CASES: [(&str, Wants, fn()); 11] = [
    (
        "sixty_four_descriptors_and_two_hundred_tcp_clients_leave_udp_whole",
        Wants::Nothing,
        descriptor::scarce,
    ),
    ("a_full_disk_under_the_log_loses_no_answer", Wants::Root, log::full_disk),
    ("a_log_pipe_that_nobody_reads_loses_no_answer", Wants::Nothing, log::unread_pipe),
    ("killed_and_started_again_it_answers_at_once", Wants::Nothing, kill::killed),
    ("a_clock_that_jumps_a_day_moves_no_ttl", Wants::Nothing, clock::jumps),
    ("of_two_nodes_one_is_killed_and_a_stub_resolver_misses_nothing", Wants::Root, node::killed),
    ("of_two_nodes_one_falls_silent_and_a_stub_resolver_misses_nothing", Wants::Root, node::unplugged),
    ("an_address_that_goes_away_costs_no_answer", Wants::Root, address::goes),
    ("an_interface_narrower_than_a_reply_costs_no_answer", Wants::Root, narrow::interface),
    ("an_upstream_that_comes_and_goes_costs_no_answer_and_no_memory", Wants::Nothing, flap::flapping),
    ("an_upstream_that_is_alone_and_comes_back_is_used_again_at_once", Wants::Nothing, flap::alone),
];

fn main() -> ExitCode {
    // The runner repeats the message; all that is wanted here is the place.
    std::panic::set_hook(Box::new(|info| {
        info.location().inspect(|place| eprintln!("    panicked at {place}"));
    }));
    let mut arguments = Arguments::from_args();
    // One after the other: the figures are of the case alone.
    arguments.test_threads = Some(1);
    let trials = CASES.iter().map(|(name, wants, run)| trial(name, *wants, *run)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &'static str, wants: Wants, run: fn()) -> Trial {
    let lack = match wants {
        Wants::Nothing => Ok(()),
        Wants::Root => net::permitted(),
    };
    let Err(reason) = lack else {
        return Trial::test(name, move || {
            run();
            Ok(())
        });
    };
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        return Trial::test(name, move || Err(Failed::from(format!("cannot run here: {reason}"))));
    }
    eprintln!("NOT RUN: {name}: {reason}");
    Trial::test(name, || Ok(())).with_ignored_flag(true)
}
