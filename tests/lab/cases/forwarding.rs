//! Forwarding and its cache, as the upstreams' own query logs see it.

use std::time::Duration;

use crate::peers::Peer;
use crate::wait;
use crate::world::{Lab, address};

use super::shared;

const CLIENT: &str = "10.0.30.100";
/// In this time a TTL has gone down by one, whatever the moment it was first looked at.
const A_TICK: Duration = Duration::from_secs(3);

/// The promise of technova.md section 4.1: spread round robin over the healthy ones, from the outbound address.
pub fn queries_are_shared_round_robin() {
    const QUERIES: usize = 400;
    let lab = shared();
    for number in 0..QUERIES {
        let reply = lab.ask(CLIENT, &format!("share{number}.load.technova.local"), "A");
        assert_eq!(reply.answers(), ["A 192.168.10.60"]);
    }
    let mut shares = [0_usize; 3];
    for (share, dc) in shares.iter_mut().zip(&lab.site.dcs) {
        for asked in dc.asked().iter().filter(|asked| asked.name.starts_with("share")) {
            assert_eq!(
                asked.source,
                address("10.150.20.20"),
                "queries leave from the outbound endpoint's address"
            );
            *share += 1;
        }
    }
    assert_eq!(shares[2], 0, "the backup is not asked while a primary is healthy");
    assert!(shares[0] + shares[1] >= QUERIES, "every query was new: {shares:?}");
    let share = shares[0] as f64 / (shares[0] + shares[1]) as f64;
    assert!((0.45..=0.55).contains(&share), "round robin is 50 ± 5 %: {shares:?}");
}

/// A TTL of a day is cut to 300 s, given anew with every response, and the controllers are asked once.
pub fn a_cached_answer_is_asked_once_and_counts_down() {
    let lab = shared();
    let name = "longlived.technova.local";
    counts_down(&lab, name, 300);
    let asked: usize = lab.site.dcs.iter().map(|dc| dc.asked_below(name)).sum();
    assert_eq!(asked, 1, "the controllers were asked for {name} once");
}

/// A zone whose SOA record says an hour: negative answers are kept 60 s at most.
pub fn a_cached_negative_answer_counts_down_from_60() {
    let lab = shared();
    let name = "counted.never.technova.local";
    counts_down(&lab, name, 60);
    let asked: usize = lab.site.dcs.iter().map(|dc| dc.asked_below(name)).sum();
    assert_eq!(asked, 1, "the controllers were asked for {name} once");
}

fn counts_down(lab: &Lab, name: &str, cap: u32) {
    let ttl = |rtype| lab.ask(CLIENT, name, rtype).ttls().into_iter().max().unwrap();
    let first = ttl("A");
    assert!(first <= cap && first + 30 > cap, "{name} begins with {first} s, the cap is {cap} s");
    let mut last = first;
    wait::until(&format!("the TTL of {name} goes down from {first}"), A_TICK, || {
        let now = ttl("A");
        assert!(now <= last, "a TTL never goes up: {last} s, then {now} s");
        last = now;
        (now < first).then_some(())
    });
    assert!(ttl("A+tcp") <= last, "over TCP the same");
}

pub fn do_and_cd_reach_the_upstream() {
    let lab = shared();
    lab.ask(CLIENT, "do.wild.example.com", "A+do");
    lab.ask(CLIENT, "cd.wild.example.com", "A+do+cd");
    lab.ask(CLIENT, "plain.wild.example.com", "A");
    let asked = lab.site.amazon.asked();
    let flags = |name: &str| {
        let of: Vec<&str> = asked.iter().filter(|a| a.name == name).map(|a| a.flags.as_str()).collect();
        assert!(!of.is_empty(), "{name} was not asked upstream");
        of.join(" ")
    };
    assert!(flags("do.wild.example.com").contains('D'), "DO: {}", flags("do.wild.example.com"));
    assert!(flags("cd.wild.example.com").contains('C'), "CD: {}", flags("cd.wild.example.com"));
    let plain = flags("plain.wild.example.com");
    assert!(!plain.contains('D') && !plain.contains('C'), "neither: {plain}");
    assert!(plain.starts_with('+') && plain.contains("E(0)"), "recursion desired, with EDNS: {plain}");
}

/// RFC 6761, 6303, 7686, 8375: these names leak to nobody.
pub fn special_use_names_reach_no_upstream() {
    let lab = shared();
    let names =
        ["leak.invalid", "leak.onion", "leak.localhost", "leak.home.arpa", "9.9.254.169.in-addr.arpa"];
    for name in names {
        lab.ask(CLIENT, name, "A");
        lab.ask("192.168.50.5", name, "A");
    }
    let everyone = lab.site.dcs.iter().chain([&lab.site.amazon]);
    let leaked: Vec<String> = everyone
        .flat_map(Peer::asked)
        .map(|asked| asked.name)
        .filter(|name| names.contains(&name.as_str()))
        .collect();
    assert!(leaked.is_empty(), "asked upstream: {leaked:?}");
}
