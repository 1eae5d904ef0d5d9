//! What the street allocates for one query: on a cached answer nothing at all, with the query log off or on; elsewhere
//! as little as is stated here, so that more is seen at once.
//!
//! Counted on the worker's own thread, so the log thread and other tests are not in it.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect)] // a failed unwrap is a failed test

#[path = "lab/port.rs"]
mod port;
#[allow(dead_code)] // shared with the street's own tests, which use more of it
#[path = "pipeline/stand_in.rs"]
mod stand_in;
#[allow(dead_code)]
#[path = "lab/wait.rs"]
mod wait;
#[allow(dead_code)]
#[path = "pipeline/world.rs"]
mod world;

use std::time::Duration;

use kakehashi::observe::log::{Rotation, Target};
use kakehashi::pipeline::Admit;
use kakehashi::wire::{RType, edns};

use stand_in::StandIn;
use world::{EXTERNAL, ONPREM, Query, VPC, World};

/// How often each query is asked while allocations are counted; few enough for the test's log lane.
const TIMES: usize = 8;

/// Names of an upstream and of two zones, seen by three kinds of clients.
const CONFIGURATION: &str = r#"
    [[rule]]
    domain = "corp.test"
    forward = "up0"
    visible-to = ["vpc", "onprem"]
    [[zone]]
    domain = "lan.test"
    file = "lan.zone"
    visible-to = ["vpc", "onprem", "external"]
    file: lan.zone
    www A 192.0.2.1
    www AAAA 2001:db8::1
    many A 192.0.2.1
    many A 192.0.2.2
    many A 192.0.2.3
    *.new A 192.0.2.4
    inside CNAME www
    across CNAME www.corp.test.
    end
"#;

const UPSTREAM: &str = "
    www.corp.test 300 A 10.0.0.1
    www.corp.test 300 AAAA 2001:db8::2
    many.corp.test 300 A 10.0.0.1
    many.corp.test 300 A 10.0.0.2
    alias.corp.test 300 CNAME next.corp.test
    next.corp.test 300 CNAME www.corp.test
    _ldap._tcp.corp.test 300 SRV 389 www.corp.test
";

/// What is asked: positive, negative and aliased answers of both kinds of source.
const ASKED: [(&str, RType); 12] = [
    ("www.corp.test", RType::A),
    ("www.corp.test", RType::AAAA),
    ("many.corp.test", RType::A),
    ("alias.corp.test", RType::A),
    ("_ldap._tcp.corp.test", RType::SRV),
    ("www.corp.test", RType::MX),
    ("missing.corp.test", RType::A),
    ("www.lan.test", RType::A),
    ("www.lan.test", RType::AAAA),
    ("many.lan.test", RType::A),
    ("inside.lan.test", RType::A),
    ("across.lan.test", RType::A),
];

#[test]
fn a_cached_answer_is_given_without_allocating() {
    let upstream = StandIn::start(UPSTREAM);
    let world = World::new(CONFIGURATION, &[&upstream]);
    let queries = everything_cached(&world);
    assert_nothing_is_allocated(&world, &queries);
}

#[test]
fn nor_does_the_query_log_allocate_on_the_worker_and_every_line_is_written() {
    let upstream = StandIn::start(UPSTREAM);
    let world = World::new(CONFIGURATION, &[&upstream]);
    let queries = everything_cached(&world);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let target = Target::File { path: path.clone(), rotation: Rotation::default() };
    world.street.log.control().redirect(&target).unwrap();
    assert_nothing_is_allocated(&world, &queries);
    let answered = (TIMES * queries.len()) as u64;
    assert_eq!(world.street.log.shutdown(Duration::from_secs(10)).lines, answered);
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count() as u64, answered);
}

#[test]
fn a_look_ahead_at_a_batch_allocates_nothing_and_the_batch_is_answered() {
    let upstream = StandIn::start(UPSTREAM);
    let world = World::new(CONFIGURATION, &[&upstream]);
    // So many that they are not all near.
    let names: Vec<String> = (0..2_000).map(|n| format!("n{n}.new.lan.test")).collect();
    names.iter().for_each(|name| _ = world.ask(&Query::a(VPC, name)));
    let hits = || world.street.counts.get().hits;
    world.street.worker.batch_done();
    let before = hits();
    for batch in names.chunks(64) {
        let queries: Vec<_> = batch.iter().map(|name| Query::a(VPC, name)).collect();
        let asked: Vec<_> = queries.iter().map(|query| (query.bytes(), query.path())).collect();
        let ahead = || asked.iter().map(|(packet, path)| (&packet[..], path.client.ip()));
        let mut found = 0;
        let worker = &world.street.worker;
        let counted = allocation_counter::measure(|| {
            worker.foresee(ahead());
            found = worker.approach();
        });
        assert_eq!((counted.count_total, found), (0, batch.len()));
        queries.iter().for_each(|query| _ = world.ask(query));
    }
    world.street.worker.batch_done();
    assert_eq!(hits() - before, names.len() as u64);
}

/// The bounds are what was counted when they were written: whoever allocates more should know it, and why.
#[test]
fn an_answer_from_a_zone_and_a_refusal_allocate_little() {
    let upstream = StandIn::start(UPSTREAM);
    let world = World::new(CONFIGURATION, &[&upstream]);
    // That there is no such name is found in the zone each time; what exists is found there once and then kept.
    let cases = [
        ("a zone's NXDOMAIN", "missing.lan.test", VPC, 3),
        ("a name that the client sees no route for", "www.corp.test", EXTERNAL, 4),
        ("a client in no network", "www.lan.test", "198.51.100.1", 2),
    ];
    for (what, name, client, most) in cases {
        let query = Query { edns: None, ..Query::a(client, name) };
        world.ask(&query);
        assert_at_most(most, what, allocations(&world, &vec![query; TIMES]));
    }
    let names: Vec<String> = (0..TIMES).map(|n| format!("n{n}.new.lan.test")).collect();
    let queries: Vec<Query<'_>> = names.iter().map(|name| Query::a(VPC, name)).collect();
    assert_at_most(7, "a zone's answer that is kept", allocations(&world, &queries));
}

#[test]
fn to_take_over_a_configuration_costs_a_worker_the_same_whatever_its_size() {
    let upstream = StandIn::start(UPSTREAM);
    let takeover = |routes: usize| {
        let mut world = World::new(CONFIGURATION, &[&upstream]);
        // Enough answers that neither reload ends with all of them freed.
        for n in 0..1_000 + routes {
            let name = format!("n{n}.new.lan.test");
            world.ask(&Query { edns: None, ..Query::a(VPC, &name) });
        }
        let rules: String = (0..routes)
            .map(|n| {
                format!(
                    "[[rule]]\ndomain = \"r{n}.test\"\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n\
                     [[network]]\nname = \"n{n}\"\ncidr = [\"10.99.{}.{}/32\"]\n",
                    n / 256,
                    n % 256
                )
            })
            .collect();
        // Once with the large one as what comes, once as what goes; each time what is left is put away afterwards.
        [&format!("{CONFIGURATION}{rules}"), CONFIGURATION].map(|text| {
            world.reload(text, &[&upstream]);
            let counted = allocation_counter::measure(|| world.street.worker.batch_done());
            let freed = counted.count_total.cast_signed() - counted.count_current;
            let bytes = counted.bytes_total;
            // The log thread may hold the names for as long as it sleeps.
            wait::until("all of it to be put away", Duration::from_secs(10), || {
                (world.street.metrics.tidy() + world.street.shared.free_retired() == 0).then_some(())
            });
            (counted.count_total, freed, bytes)
        })
    };
    let few = takeover(10);
    println!("allocated, freed, bytes: {few:?}");
    assert_eq!(takeover(2_000), few);
}

/// Every name from every kind of client with every kind of EDNS; each has been asked before and is answered from the
/// worker's own cache.
fn everything_cached(world: &World) -> Vec<Query<'static>> {
    let mut queries = Vec::new();
    for client in [VPC, "fd00:30::7", ONPREM] {
        for (name, qtype) in ASKED {
            let plain = Query { qtype, edns: None, ..Query::a(client, name) };
            let extended = Query { edns: Some(1232), ..plain.clone() };
            let dnssec_ok = Query { edns_flags: u32::from(edns::DO), ..extended.clone() };
            queries.extend([plain, extended, dnssec_ok]);
        }
    }
    for query in &queries {
        world.ask(query);
    }
    queries
}

fn assert_nothing_is_allocated(world: &World, queries: &[Query<'_>]) {
    let hits = || world.street.counts.get().hits;
    world.street.worker.batch_done();
    let before = hits();
    let mut allocating = Vec::new();
    for query in queries {
        let count = allocations(world, &vec![query.clone(); TIMES]);
        if count > 0 {
            let Query { client, name, qtype, .. } = query;
            allocating.push(format!("{client} {name} {qtype}: {count} in {TIMES} queries"));
        }
    }
    assert_eq!(hits() - before, (TIMES * queries.len()) as u64, "not all of them were cached");
    assert!(allocating.is_empty(), "{}", allocating.join("\n"));
}

/// How often the worker's thread allocates while these are answered, each in a batch of its own.
fn allocations(world: &World, queries: &[Query<'_>]) -> u64 {
    // As the server has it: room for the largest reply, made once.
    let mut out = Vec::with_capacity(1 << 16);
    let asked: Vec<_> = queries.iter().map(|query| (query.bytes(), query.path())).collect();
    let now = world.now();
    let counted = allocation_counter::measure(|| {
        for (packet, path) in &asked {
            out.clear();
            assert_eq!(world.street.worker.admit(packet, path, now, &mut out), Admit::Reply);
            world.street.worker.batch_done();
        }
    });
    counted.count_total
}

fn assert_at_most(most: usize, what: &str, count: u64) {
    println!("{what}: {:.1} allocations a query", count as f64 / TIMES as f64);
    assert!(count <= (most * TIMES) as u64, "{what}: {count} allocations in {TIMES} queries");
}
