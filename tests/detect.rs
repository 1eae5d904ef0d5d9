//! Anomalies: an ordinary day is told nothing of, infected clients are found soon, and what is found arrives where the
//! operator wants it.
#![allow(clippy::unwrap_used)]

#[path = "life/client.rs"]
#[allow(dead_code)] // the tests of the server's life use more of it
mod client;
#[path = "detect/day.rs"]
mod day;
#[path = "detect/families.rs"]
mod families;
#[path = "life/process.rs"]
#[allow(dead_code)] // likewise
mod process;
#[path = "detect/rng.rs"]
mod rng;
#[path = "detect/scene.rs"]
mod scene;
#[path = "detect/secure.rs"]
mod secure;
#[path = "detect/shown.rs"]
mod shown;
#[path = "detect/told.rs"]
mod told;
#[path = "detect/tunnels.rs"]
mod tunnels;
#[path = "dashboard/viewer.rs"]
mod viewer;
#[path = "lab/wait.rs"]
#[allow(dead_code)] // likewise
mod wait;
#[path = "detect/words.rs"]
mod words;

use std::path::Path;
use std::time::Duration;

use day::{Day, NETWORKS, drawn};
use families::FAMILIES;
use kakehashi::config::Target;
use kakehashi::detect::{Detector, Finding, Kind, Settings};
use kakehashi::wire::{NameRef, RType};
use rng::Rng;
use scene::{Query, detector, directory};
use tunnels::TUNNELS;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const BEGIN: u64 = 1_793_600_000_000_000;
/// Infected clients of each family, and queries within which they must be found.
const CLIENTS: usize = 20;
const WITHIN: usize = 100;

/// Shows queries to detectors; gives what they find.
fn found(queries: impl Iterator<Item = Query>) -> Vec<Finding> {
    let (mut detector, names, mut wire) = (detector(), directory(NETWORKS), Vec::new());
    queries.for_each(|query| query.show(&mut wire, &mut |seen| detector.see(seen, &names)));
    detector.take()
}

/// How many of the infected clients are found.
fn clients_found(kind: Kind, mut ask: impl FnMut(&mut Rng, usize, u64) -> Query) -> usize {
    let mut rng = Rng::new(11);
    let infected = |client: &usize| {
        let seed = 700 + *client as u64;
        let queries: Vec<Query> = (0..WITHIN).map(|n| ask(&mut rng, n, seed)).collect();
        found(queries.into_iter()).iter().any(|finding| finding.kind == kind)
    };
    (0..CLIENTS).filter(infected).count()
}

#[test]
fn at_most_one_finding_in_a_million_queries_of_an_ordinary_day_is_false() {
    let (mut detector, names, mut wire) = (detector(), directory(NETWORKS), Vec::new());
    let mut told = Vec::new();
    let played = Day::new(2).play(0.25, |query| {
        query.show(&mut wire, &mut |seen| detector.see(seen, &names));
        told.extend(detector.take());
    });
    assert!(played > 2_500_000, "{played} queries");
    assert!(told.len() as u64 <= played / 1_000_000, "{} in {played} queries: {told:#?}", told.len());
}

#[test]
fn clients_that_ask_for_generated_names_are_found_within_a_hundred_queries_also_of_families_never_seen() {
    let ordinary: Vec<&str> =
        include_str!("detect/domains.txt").lines().filter(|line| !line.starts_with('#')).collect();
    for family in FAMILIES {
        let found = clients_found(Kind::GeneratedNames, |rng, n, seed| {
            let micros = BEGIN + n as u64 * 2_000_000;
            if rng.chance(0.4) {
                return Query::new(micros, 3, 66, format!("www.{}", rng.pick(&ordinary)));
            }
            let query = Query::new(micros, 3, 66, family.name_of(seed, n));
            if rng.chance(0.95) { query.missing() } else { query }
        });
        let known = if family.trained { "trained" } else { "held out" };
        assert!(found * 100 >= CLIENTS * 95, "{} ({known}): {found} of {CLIENTS}", family.name);
    }
}

#[test]
fn clients_that_move_data_through_names_are_found_within_a_hundred_queries() {
    for tunnel in TUNNELS {
        let found = clients_found(Kind::Tunnel, |rng, n, seed| Query {
            micros: BEGIN + n as u64 * tunnel.pace * 1_000,
            ..tunnel.query(rng, &format!("t.carrier{seed}.com"))
        });
        assert!(found * 100 >= CLIENTS * 95, "{}: {found} of {CLIENTS}", tunnel.name);
    }
}

#[test]
fn every_name_of_the_shipped_zones_may_be_asked_for_by_one_client_as_fast_as_it_likes() {
    let loaded = kakehashi::config::load(Path::new("conf/kakehashi.toml")).unwrap();
    let mut names = Vec::new();
    for route in &loaded.config.routes {
        let Target::Zone { file, .. } = &route.target else { continue };
        let zone = kakehashi::zone::load(&route.domain.parse().unwrap(), file).unwrap().zone;
        for record in zone.iter().flat_map(|rrset| rrset.records().collect::<Vec<_>>()) {
            names.push(record.owner.to_string().replace('*', "x4q9zt"));
            // What an alias points to is asked for next.
            if record.rtype == RType::CNAME {
                names.push(NameRef::parse(record.rdata, 0).unwrap().to_string());
            }
        }
    }
    assert!(names.len() > 200, "{} names", names.len());
    assert!(loaded.config.detect.enabled, "the shipped configuration looks");
    for rcode in [0, 2, 3] {
        let mut detector = Detector::new(Settings::of(&loaded.config, "test"));
        let (directory, mut wire) = (directory(NETWORKS), Vec::new());
        for n in 0..names.len() * 20 {
            // As fast as it likes, but no storm.
            let query = Query::new(BEGIN + n as u64 * 300_000, 3, 67, names[n % names.len()].clone());
            Query { rcode, ..query }.show(&mut wire, &mut |seen| detector.see(seen, &directory));
        }
        let told = detector.take();
        assert!(told.is_empty(), "{told:#?}");
    }
}

#[test]
fn names_that_programs_draw_for_aws_and_active_directory_are_no_finding() {
    let mut rng = Rng::new(6);
    let mut names: Vec<(String, u16)> = (0..4_000).map(|n| (drawn(n, &mut rng), 1)).collect();
    for _ in 0..500 {
        let guid = [8, 4, 4, 4, 12].map(|length| rng.text("0123456789abcdef", length)).join("-");
        names.push((format!("_ldap._tcp.{guid}.domains._msdcs.technova.local"), 33));
        names.push((format!("{guid}._msdcs.technova.local"), 5));
        names.push((
            format!("{}.ip6.arpa", rng.text("0123456789abcdef", 32).replace("", ".").trim_matches('.')),
            12,
        ));
        names.push((format!("e{}.dsca.akamaiedge.net", rng.below(90_000)), 1));
        names.push((format!("{}.telemetry.microsoft.com", rng.text("0123456789abcdef", 32)), 16));
    }
    for rcode in [0, 3] {
        let asked = names.iter().enumerate().map(|(n, (name, qtype))| {
            let query = Query::new(BEGIN + n as u64 * 250_000, 3, 68, name.clone()).of_type(*qtype);
            Query { rcode, ..query }
        });
        let told = found(asked);
        assert!(told.is_empty(), "{told:#?}");
    }
}
