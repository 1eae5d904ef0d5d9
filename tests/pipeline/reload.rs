//! A reload keeps what is still right, and nothing else.

use std::rc::Rc;
use std::task::Poll;

use crate::stand_in::StandIn;
use crate::world::{EXTERNAL, ONPREM, Query, Reply, VPC, World};

fn rules(one: &str, two: &str) -> String {
    let rule = |domain: &str, rest: &str| format!("[[rule]]\ndomain = \"{domain}\"\n{rest}\n");
    rule("one.test1", one) + &rule("two.test1", two)
}

const TO_0: &str = "forward = \"up0\"\nvisible-to = [\"vpc\"]";
const TO_1: &str = "forward = \"up1\"\nvisible-to = [\"vpc\"]";

#[test]
fn only_the_route_whose_upstream_changed_is_asked_anew() {
    let before = StandIn::start("a.one.test1 60 A 192.0.2.1\na.two.test1 60 A 192.0.2.2");
    let after = StandIn::start("a.two.test1 60 A 192.0.2.3");
    let mut world = World::new(&rules(TO_0, TO_0), &[&before, &after]);
    world.a(VPC, "a.one.test1");
    world.a(VPC, "a.two.test1");
    before.asked();
    world.reload(&rules(TO_0, TO_1), &[&before, &after]);
    assert_eq!(world.a(VPC, "a.one.test1").text(), "NOERROR: A 192.0.2.1");
    assert_eq!(world.a(VPC, "a.two.test1").text(), "NOERROR: A 192.0.2.3");
    assert!(before.asked().is_empty());
    assert_eq!(after.asked(), ["a.two.test1. A"]);
}

#[test]
fn a_route_that_is_taken_from_a_view_is_gone_for_it_at_once_and_stays_for_the_others() {
    let upstream = StandIn::start("a.one.test1 60 A 192.0.2.1");
    let both = "forward = \"up0\"\nvisible-to = [\"vpc\", \"onprem\"]";
    let mut world = World::new(&rules(both, both), &[&upstream]);
    for client in [VPC, ONPREM] {
        assert_eq!(world.a(client, "a.one.test1").text(), "NOERROR: A 192.0.2.1");
    }
    let fewer = rules("forward = \"up0\"\nvisible-to = [\"onprem\"]", both);
    world.reload(&fewer, &[&upstream]);
    assert_eq!(world.a(VPC, "a.one.test1").text(), "REFUSED");
    assert_eq!(world.a(ONPREM, "a.one.test1").text(), "NOERROR: A 192.0.2.1");
    assert_eq!(upstream.asked().len(), 1);
}

fn zone(address: &str, visible: &str) -> String {
    format!(
        "file: t.zone\nwww A {address}\nend\n[[zone]]\ndomain = \"test.internal\"\nfile = \"t.zone\"\nvisible-to = [\"{visible}\"]\n"
    )
}

#[test]
fn a_changed_zone_is_served_from_the_next_query_on() {
    let mut world = World::new(&zone("10.0.0.1", "any"), &[]);
    assert_eq!(world.a(VPC, "www.test.internal").text(), "NOERROR: A 10.0.0.1");
    world.reload(&zone("10.0.0.2", "any"), &[]);
    assert_eq!(world.a(VPC, "www.test.internal").text(), "NOERROR: A 10.0.0.2");
    world.reload(&zone("10.0.0.2", "external"), &[]);
    assert_eq!(world.a(VPC, "www.test.internal").text(), "REFUSED");
    assert_eq!(world.a(EXTERNAL, "www.test.internal").text(), "NOERROR: A 10.0.0.2");
}

#[test]
fn a_query_in_flight_over_a_reload_is_answered_and_its_answer_is_not_kept_for_what_came_after() {
    let upstream = StandIn::start("a.one.test1 60 A 192.0.2.1");
    let after = "[[rule]]\ndomain = \"one.test1\"\nforward = \"up0\"\nvisible-to = [\"onprem\"]\n".to_owned()
        + &zone("10.0.0.1", "any");
    let mut world = World::new(&rules(TO_0, TO_0), &[&upstream]);
    let (query, now) = (Query::a(VPC, "a.one.test1"), world.now());
    let worker = Rc::clone(&world.street.worker);
    let mut answer = Box::pin(worker.resolve(query.bytes().into(), query.path(), now));
    // The question leaves; the reload comes before the answer.
    let sent = world.street.block_on(async {
        std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx).is_pending())).await
    });
    assert!(sent);
    world.reload(&after, &[&upstream]);
    assert_eq!(world.a(VPC, "www.test.internal").text(), "NOERROR: A 10.0.0.1");
    let reply = Reply::read(world.street.block_on(answer).unwrap());
    assert_eq!(reply.text(), "NOERROR: A 192.0.2.1", "it was asked while that was right");
    assert_eq!(world.a(VPC, "a.one.test1").text(), "REFUSED");
    assert_eq!(world.a(ONPREM, "a.one.test1").text(), "NOERROR: A 192.0.2.1");
    assert_eq!(upstream.asked().len(), 1);
}

#[test]
fn a_client_whose_network_a_reload_takes_away_gets_a_refusal_rather_than_silence() {
    let upstream = StandIn::start("a.one.test1 60 A 192.0.2.1");
    let world = World::new(&rules(TO_0, TO_0), &[&upstream]);
    // Nobody is in 10.99.0.0/16: as if it had been taken away between the two calls.
    let query = Query::a("10.99.0.1", "a.one.test1");
    let worker = Rc::clone(&world.street.worker);
    let reply = world.street.block_on(worker.resolve(query.bytes().into(), query.path(), world.now()));
    let reply = Reply::read(reply.unwrap());
    assert_eq!((reply.text(), reply.ede()), ("REFUSED".into(), vec![18]));
}
