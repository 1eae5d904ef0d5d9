//! The end of the server's life: what was accepted is answered, and nothing is lost from the log.

use nix::sys::signal::Signal;

use crate::load::{Load, failed};
use crate::wait;
use crate::world::Lab;

use std::time::Duration;

pub fn sigterm_answers_what_was_accepted_and_exits_0() {
    const QUERIES: usize = 200;
    let mut lab = Lab::build();
    let load = Load::start(&lab.site.network, "10.0.30.100", "load.technova.local");
    load.await_answers(QUERIES);
    let outcomes = load.finish();
    assert_eq!(failed(&outcomes), Vec::<String>::new());
    for name in ["planning.manufacturing.technova.internal", "www.example.com", "nothere.technova.internal"] {
        lab.ask("10.1.30.100", name, "A");
        lab.ask("192.168.50.5", name, "A+tcp");
    }
    let status = lab.server.terminate();
    assert!(status.success(), "after SIGTERM: {status}; it said:\n{}", lab.server.said());
    let lines = lab.server.query_log();
    assert_eq!(
        lines.len(),
        outcomes.len() + 6,
        "the log is whole when the server has ended: a line for each query"
    );
    restart_finds_the_port_free(lab);
}

/// A service manager starts the next one at once; the socket of the last must not be in its way.
fn restart_finds_the_port_free(mut lab: Lab) {
    lab.server = lab.server.again(&lab.site.network);
    let reply = lab.ask("10.0.30.100", "planning.manufacturing.technova.internal", "A");
    assert_eq!(reply.answers(), ["A 10.0.30.100"]);
    lab.server.signal(Signal::SIGINT);
    wait::until("SIGINT ends the server too", Duration::from_secs(10), || lab.server.ended());
}
