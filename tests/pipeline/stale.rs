//! Beyond a TTL and before its end: what stands in when a source fails (RFC 8767), and what is fetched before it is missed.

use kakehashi::query::Transport;
use kakehashi::wire::RType;

use crate::stand_in::StandIn;
use crate::world::{Query, Reply, VPC, World};

const RULE: &str = "[[rule]]\ndomain = \".\"\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n";
const SERVFAIL: &str = "www.test1 CODE 2\nno.test1 CODE 2\nnew.test1 CODE 2";

fn told(reply: &Reply) -> (String, Vec<u32>, Vec<u16>) {
    (reply.text(), reply.ttls().into_iter().collect(), reply.ede())
}

fn answer(address: &str, ttl: u32, ede: &[u16]) -> (String, Vec<u32>, Vec<u16>) {
    (format!("NOERROR: A {address}"), vec![ttl], ede.to_vec())
}

#[test]
fn an_answer_stands_in_for_thirty_seconds_while_its_source_fails_and_says_so() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.1", 60, &[]));
    assert_eq!(world.a(VPC, "no.test1").text(), "NXDOMAIN");
    upstream.rewrite(SERVFAIL);
    world.turn_clock(61.0);
    upstream.asked();
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.1", 30, &[3]));
    let no = world.a(VPC, "no.test1");
    assert_eq!((no.text().as_str(), no.ede()), ("NXDOMAIN", vec![19]));
    assert_eq!(world.a(VPC, "new.test1").text(), "SERVFAIL", "of this nothing was ever known");
    assert_eq!(upstream.asked().len(), 3);
    // The source is left in peace for the time of a failure.
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.1", 30, &[3]));
    assert!(upstream.asked().is_empty());
}

#[test]
fn the_source_is_asked_again_and_its_new_answer_given() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    world.a(VPC, "www.test1");
    upstream.rewrite(SERVFAIL);
    world.turn_clock(61.0);
    world.a(VPC, "www.test1");
    world.a(VPC, "www.test1");
    upstream.rewrite("www.test1 60 A 192.0.2.2");
    world.turn_clock(2.0);
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.2", 60, &[]));
}

#[test]
fn an_answer_stands_in_no_longer_than_it_may() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let configuration = format!("[cache]\nserve-stale = \"10m\"\n{RULE}");
    let world = World::new(&configuration, &[&upstream]);
    world.a(VPC, "www.test1");
    upstream.rewrite(SERVFAIL);
    world.turn_clock(60.0 + 599.0);
    assert_eq!(world.a(VPC, "www.test1").ede(), [3]);
    world.turn_clock(3.0);
    assert_eq!(world.a(VPC, "www.test1").text(), "SERVFAIL");
}

#[test]
fn serve_stale_can_be_off() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(&format!("[cache]\nserve-stale = \"off\"\n{RULE}"), &[&upstream]);
    world.a(VPC, "www.test1");
    upstream.rewrite(SERVFAIL);
    world.turn_clock(61.0);
    assert_eq!(world.a(VPC, "www.test1").text(), "SERVFAIL");
}

#[test]
fn with_no_patience_the_stale_answer_comes_first_and_the_fresh_one_is_fetched_for_the_next() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1\nwww.test1 60 AAAA 2001:db8::1");
    let world = World::new(&format!("[cache]\nstale-after = \"0s\"\n{RULE}"), &[&upstream]);
    let aaaa = Query { qtype: RType::AAAA, ..Query::a(VPC, "www.test1") };
    world.a(VPC, "www.test1");
    world.ask(&aaaa);
    upstream.rewrite("www.test1 60 A 192.0.2.2\nwww.test1 60 AAAA 2001:db8::2");
    world.turn_clock(61.0);
    upstream.asked();
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.1", 30, &[3]));
    assert_eq!(world.ask(&aaaa).text(), "NOERROR: AAAA 2001:db8::1");
    world.street.settle();
    assert_eq!(upstream.asked(), ["www.test1. A", "www.test1. AAAA"]);
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.2", 60, &[]));
    assert_eq!(world.ask(&aaaa).text(), "NOERROR: AAAA 2001:db8::2");
    assert!(upstream.asked().is_empty());
}

/// Waits until nothing is asked outside.
fn settle(world: &World) {
    let flights = &world.street.shared.flights;
    world.street.block_on(async {
        while !flights.is_empty() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn who_has_waited_long_enough_gets_the_stale_answer_while_its_source_is_still_asked() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
        let world = World::new(&format!("[cache]\nstale-after = \"20ms\"\n{RULE}"), &[&upstream]);
        let query = Query { transport, ..Query::a(VPC, "www.test1") };
        world.ask(&query);
        upstream.rewrite("www.test1 SILENT");
        // On a machine that stands still for the time of all tries nothing is seen; then once more.
        let is_still_asked = (0..10).any(|_| {
            settle(&world);
            world.turn_clock(61.0);
            upstream.asked();
            let reply = match transport {
                Transport::Udp => world.ask(&query),
                // A stream's query does not go by the lane.
                Transport::Tcp => {
                    let worker = world.street.worker.clone();
                    let resolved = worker.resolve(query.bytes().into(), query.path(), world.now());
                    Reply::read(world.street.block_on(resolved).unwrap())
                }
            };
            assert_eq!(told(&reply), answer("192.0.2.1", 30, &[3]), "{transport:?}");
            !world.street.shared.flights.is_empty()
        });
        assert!(is_still_asked, "{transport:?}");
        settle(&world);
        assert!(upstream.asked().len() >= 2, "the tries went on");
    }
}

#[test]
fn what_comes_after_the_stale_answer_is_kept_for_the_next() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(&format!("[cache]\nstale-after = \"20ms\"\n{RULE}"), &[&upstream]);
    let query = Query { transport: Transport::Tcp, ..Query::a(VPC, "www.test1") };
    world.ask(&query);
    // Time enough to be silent once and to answer the next try; if a machine has not that, then once more.
    let is_kept = (0..10).any(|_| {
        upstream.rewrite("www.test1 SILENT");
        world.turn_clock(61.0);
        let resolved = world.street.worker.clone().resolve(query.bytes().into(), query.path(), world.now());
        let reply = Reply::read(world.street.block_on(resolved).unwrap());
        assert_eq!(reply.ede(), [3]);
        upstream.rewrite("www.test1 60 A 192.0.2.2");
        settle(&world);
        told(&world.ask(&query)) == answer("192.0.2.2", 60, &[])
    });
    assert!(is_kept);
}

#[test]
fn what_is_asked_in_its_last_tenth_is_fetched_before_it_ends() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    // Asked twice it is kept as it is sent; of what is asked once nothing is fetched.
    (0..3).for_each(|_| _ = world.a(VPC, "www.test1"));
    world.turn_clock(53.0);
    world.a(VPC, "www.test1");
    assert_eq!((world.street.worker.in_lane(), upstream.asked().len()), (0, 1));
    upstream.rewrite("www.test1 60 A 192.0.2.2");
    world.turn_clock(2.0);
    assert_eq!(world.a(VPC, "www.test1").text(), "NOERROR: A 192.0.2.1");
    world.a(VPC, "www.test1");
    world.street.settle();
    assert_eq!(upstream.asked(), ["www.test1. A"], "once, however often it is asked");
    world.turn_clock(6.0);
    assert_eq!(told(&world.a(VPC, "www.test1")), answer("192.0.2.2", 54, &[]));
    assert!(upstream.asked().is_empty());
}

#[test]
fn prefetching_can_be_off() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(&format!("[cache]\nprefetch = false\n{RULE}"), &[&upstream]);
    (0..3).for_each(|_| _ = world.a(VPC, "www.test1"));
    world.turn_clock(57.0);
    world.a(VPC, "www.test1");
    assert_eq!((world.street.worker.in_lane(), upstream.asked().len()), (0, 1));
}
