//! Probes: what takes a server down and what brings it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use kakehashi::health::{Reason, Signal, State};
use kakehashi::upstream::{Check, Group, Spec};
use kakehashi::wire::rcode;

use crate::group::{at, group, run, spec};
use crate::port;
use crate::stand_in::StandIn;
use crate::wait::until;

/// Runs the group's probers, on a thread of their own, until the test is over.
fn watch(group: &Group) {
    let probers = group.probers();
    std::thread::spawn(move || {
        run(async {
            for prober in probers {
                tokio::spawn(prober.run(|| at(1)));
            }
            std::future::pending::<()>().await;
        });
    });
}

fn wait_until(group: &Group, state: State) {
    let is_so = || (group.servers()[0].health().state() == state).then_some(());
    until(&format!("the server is {}", state.text()), Duration::from_secs(20), is_so);
}

#[test]
fn a_server_is_judged_by_what_it_says_and_comes_back_when_it_says_better() {
    let code = Arc::new(AtomicU16::new(rcode::SERVFAIL));
    let said = code.clone();
    let server = StandIn::replying(move |asked| asked.code(said.load(Ordering::Relaxed)));
    let group = group(&[server.address]);
    watch(&group);
    wait_until(&group, State::Down);
    let status = group.status(at(1)).servers[0].health;
    assert_eq!(status.falls, 1);
    assert!(status.probe_failures >= 3);
    code.store(rcode::NXDOMAIN, Ordering::Relaxed);
    wait_until(&group, State::Up);
    assert!(server.asked().iter().all(|asked| !asked.has_edns()));
}

#[test]
fn a_server_that_nobody_listens_at_goes_down() {
    let group = group(&[port::free()]);
    watch(&group);
    wait_until(&group, State::Down);
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
    watch(&group);
    server.wait_for(1);
    group.servers()[0].health().note(Signal::QueryFailed(Reason::Timeout), at(1));
    // The next probe in its turn would be an hour from now.
    server.wait_for(2);
    wait_until(&group, State::Up);
}

#[test]
fn without_a_check_nothing_is_probed() {
    let group = Group::new(Spec { check: Check::Off, ..spec(&[port::free()]) }, None);
    assert!(group.probers().is_empty());
}

#[test]
fn whoever_asks_may_be_moved_between_threads() {
    fn may_move<T: Send>(_: &T) {}
    let (group, exchange) = (group(&[port::free()]), kakehashi::exchange::Exchange::new());
    let recursor = kakehashi::recurse::Recursor::new().unwrap();
    let question = crate::group::question();
    may_move(&group.ask(&question, &exchange, at(1)));
    may_move(&recursor.ask(&question));
}
