//! SIGHUP takes the new configuration and zones whole, or leaves the old ones serving.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::load::{Load, failed};
use crate::server;
use crate::wait;
use crate::world::Lab;

const CLIENT: &str = "10.0.30.100";
const DEADLINE: Duration = Duration::from_secs(10);
const PLANNING: &str = "planning.manufacturing.technova.internal";
/// The shared master file of the manufacturing services; technova.internal and manufacturing.technova.local include it.
const SERVICES: &str = "zones/services/manufacturing.inc";

pub fn a_changed_zone_is_served_after_sighup() {
    let lab = Lab::build();
    assert_eq!(planning(&lab), ["A 10.0.30.100"]);
    let kept = "kept.cached.technova.local";
    lab.ask(CLIENT, kept, "A");
    let load = Load::start(&lab.site.network, CLIENT, "load.technova.local");
    load.await_answers(50);

    server::replace(&lab.server.file(SERVICES), "10.0.30.100", "10.0.30.199");
    lab.server.signal(Signal::SIGHUP);
    wait::until("the changed address is served", DEADLINE, || {
        (planning(&lab) == ["A 10.0.30.199"]).then_some(())
    });
    let also = lab.ask(CLIENT, "planning.manufacturing.technova.local", "A").answers();
    assert_eq!(also, ["A 10.0.30.199"], "both zones changed at the same moment");
    let reverse = lab.ask(CLIENT, "199.30.0.10.in-addr.arpa", "PTR").answers();
    assert_eq!(reverse, [format!("PTR {PLANNING}.")], "the reverse names are made anew");

    lab.ask(CLIENT, kept, "A");
    let asked: usize = lab.site.dcs.iter().map(|dc| dc.asked_below(kept)).sum();
    assert_eq!(asked, 1, "a reload keeps the cache of what did not change");
    load.await_answers(50);
    assert_eq!(failed(&load.finish()), Vec::<String>::new(), "a reload loses no query");
}

pub fn a_broken_reload_leaves_the_old_one_serving() {
    let lab = Lab::build();
    for (file, old, broken) in [
        (SERVICES, "IN A   10.0.30.101", "IN A   10.0.30.1O1"),
        ("conf/rules.toml", "forward = \"onprem-dc\"", "forward = \"onprem-cd\""),
        ("conf/kakehashi.toml", "[cache]", "[cahce]"),
    ] {
        let path = lab.server.file(file);
        let good = std::fs::read_to_string(&path).unwrap();
        // With a good change beside the bad one: nothing of a broken reload may come through.
        let change = lab.server.file("zones/portal.technova.com.zone");
        server::replace(&change, "10.100.10.200", "10.100.10.201");
        server::replace(&path, old, broken);

        let failures = reloads(&lab, "failure");
        lab.server.signal(Signal::SIGHUP);
        lab.await_metrics(&format!("the reload with {broken} is counted as failed"), DEADLINE, |metrics| {
            metrics.sum("kakehashi_reloads_total", &[("result", "failure")]) > failures
        });
        assert_eq!(planning(&lab), ["A 10.0.30.100"], "the old zones go on");
        let portal = lab.ask(CLIENT, "portal.technova.com", "A").answers();
        assert_eq!(portal, ["A 10.100.10.200"], "all or nothing");
        let user = lab.ask(CLIENT, "user.technova.local", "A").answers();
        assert_eq!(user, ["A 192.168.10.10"], "the old rules go on");
        let word = file.rsplit('/').next().unwrap();
        assert!(lab.server.said().contains(word), "the log names {word}:\n{}", lab.server.said());

        std::fs::write(&path, good).unwrap();
        server::replace(&change, "10.100.10.201", "10.100.10.200");
    }
    let successes = reloads(&lab, "success");
    lab.server.signal(Signal::SIGHUP);
    lab.await_metrics("the repaired configuration is loaded", DEADLINE, |metrics| {
        metrics.sum("kakehashi_reloads_total", &[("result", "success")]) > successes
    });
    assert_eq!(planning(&lab), ["A 10.0.30.100"]);
}

fn planning(lab: &Lab) -> Vec<String> {
    lab.ask(CLIENT, PLANNING, "A").answers()
}

fn reloads(lab: &Lab, result: &str) -> f64 {
    lab.metrics().sum("kakehashi_reloads_total", &[("result", result)])
}
