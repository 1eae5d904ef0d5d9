//! Probes: what takes a server down and what brings it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use kakehashi::health::{Reason, Signal, State};
use kakehashi::upstream::{Check, Group, Spec};
use kakehashi::wire::rcode;

use crate::group::{at, group, run, spec};
use crate::stand_in::{StandIn, nobody};

/// Runs the group's probers until the first server is in `state`; hangs if it never is.
fn watch_until(group: &Group, state: State) {
    run(async {
        let probers: Vec<_> =
            group.probers().into_iter().map(|prober| tokio::spawn(prober.run(|| at(1)))).collect();
        while group.servers()[0].health().state() != state {
            tokio::task::yield_now().await;
        }
        for prober in probers {
            prober.abort();
        }
    });
}

#[test]
fn a_server_is_judged_by_what_it_says_and_comes_back_when_it_says_better() {
    let code = Arc::new(AtomicU16::new(rcode::SERVFAIL));
    let said = code.clone();
    let server = StandIn::replying(move |asked| asked.code(said.load(Ordering::Relaxed)));
    let group = group(&[server.address]);
    watch_until(&group, State::Down);
    let status = group.status().servers[0].health;
    assert_eq!((status.falls, status.probe_failures), (1, 3));
    code.store(rcode::NXDOMAIN, Ordering::Relaxed);
    watch_until(&group, State::Up);
    assert!(server.count() >= 5);
    assert!(server.asked().iter().all(|asked| !asked.has_edns()));
}

#[test]
fn a_server_that_nobody_listens_at_goes_down() {
    watch_until(&group(&[nobody()]), State::Down);
}

#[test]
fn a_failed_query_brings_the_next_probe_forward() {
    let server = StandIn::replying(|asked| asked.address(1));
    let check = Check::Query {
        qname: "technova.local".parse().unwrap(),
        qtype: kakehashi::wire::RType::SOA,
        interval: Duration::from_secs(3600),
        fall: 3,
        rise: 2,
    };
    let group = Group::new(Spec { check, ..spec(&[server.address]) }, None);
    run(async {
        for prober in group.probers() {
            tokio::spawn(prober.run(|| at(1)));
        }
        while server.count() < 1 {
            tokio::task::yield_now().await;
        }
        let health = group.servers()[0].health();
        health.note(Signal::QueryFailed(Reason::Timeout), at(1));
        // The next probe in an hour would be too late for this test.
        while server.count() < 2 || health.state() != State::Up {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn without_a_check_nothing_is_probed() {
    let group = Group::new(Spec { check: Check::Off, ..spec(&[nobody()]) }, None);
    assert!(group.probers().is_empty());
}

#[test]
fn whoever_asks_may_be_moved_between_threads() {
    fn may_move<T: Send>(_: &T) {}
    let (group, exchange) = (group(&[nobody()]), kakehashi::exchange::Exchange::new());
    let recursor = kakehashi::recurse::Recursor::new().unwrap();
    let question = crate::group::question();
    may_move(&group.ask(&question, &exchange, at(1)));
    may_move(&recursor.ask(&question));
}
