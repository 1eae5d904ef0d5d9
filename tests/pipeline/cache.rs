//! What is kept, for how long, and for whom; time is turned by hand.

use std::rc::Rc;

use futures_util::future::join_all;
use kakehashi::pipeline::Admit;
use kakehashi::query::Transport;
use kakehashi::wire::{NameRef, RType, flag};

use crate::stand_in::StandIn;
use crate::world::{ONPREM, Query, Reply, VPC, World};

const RULE: &str = "[[rule]]\ndomain = \".\"\nforward = \"up0\"\nvisible-to = [\"vpc\", \"onprem\"]\n";

#[test]
fn a_day_is_cut_to_300_seconds_a_negative_to_60_and_both_count_down() {
    let upstream = StandIn::start("day.test1 86400 A 192.0.2.1\nshort.test1 20 A 192.0.2.2");
    let world = World::new(RULE, &[&upstream]);
    assert_eq!(world.a(VPC, "day.test1").ttls().into_iter().collect::<Vec<_>>(), [300]);
    assert_eq!(world.a(VPC, "short.test1").ttls().into_iter().collect::<Vec<_>>(), [20]);
    assert_eq!(world.a(VPC, "no.test1").ttls().into_iter().collect::<Vec<_>>(), [60]);
    world.turn_clock(59.0);
    assert_eq!(world.a(VPC, "day.test1").ttls().into_iter().collect::<Vec<_>>(), [241]);
    assert_eq!(world.a(VPC, "no.test1").ttls().into_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(upstream.asked(), ["day.test1. A", "short.test1. A", "no.test1. A"]);
    world.turn_clock(1.0);
    world.a(VPC, "no.test1");
    assert_eq!(upstream.asked(), ["no.test1. A"], "its time is over");
    world.turn_clock(240.0);
    assert_eq!(world.a(VPC, "day.test1").ttls().into_iter().collect::<Vec<_>>(), [300]);
    assert_eq!(upstream.asked(), ["day.test1. A"]);
}

#[test]
fn no_ttl_goes_up_or_lasts_longer_on_its_way_through_two_caches() {
    let upstream = StandIn::start("www.test1 10 A 192.0.2.1");
    // What ends soon would be fetched anew.
    let quiet = format!("[cache]\nprefetch = false\n{RULE}");
    let mut world = World::new(&quiet, &[&upstream]);
    world.a(VPC, "www.test1");
    // A reload empties the answer cache, so the next answer is made from the response cache, in mid-second.
    world.turn_clock(4.6);
    world.reload(&quiet, &[&upstream]);
    assert_eq!(world.a(VPC, "www.test1").ttls().into_iter().collect::<Vec<_>>(), [6]);
    world.turn_clock(0.5);
    assert_eq!(world.a(VPC, "www.test1").ttls().into_iter().collect::<Vec<_>>(), [5]);
    world.turn_clock(4.8);
    assert_eq!(world.a(VPC, "www.test1").ttls().into_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(upstream.asked().len(), 1);
    world.turn_clock(0.1);
    world.a(VPC, "www.test1");
    assert_eq!(upstream.asked().len(), 1);
}

#[test]
fn a_negative_holds_by_its_soa_and_without_one_only_as_long_as_a_failure() {
    let upstream = StandIn::start("soa 7\nlame.test1 LAME\n");
    let world = World::new(RULE, &[&upstream]);
    assert_eq!(world.a(VPC, "no.test1").ttls().into_iter().collect::<Vec<_>>(), [7]);
    assert_eq!(world.a(VPC, "lame.test1").text(), "NOERROR");
    assert_eq!(world.a(VPC, "lame.test1").text(), "NOERROR");
    assert_eq!(upstream.asked(), ["no.test1. A", "lame.test1. A"]);
    world.turn_clock(2.0);
    world.a(VPC, "lame.test1");
    world.a(VPC, "no.test1");
    assert_eq!(upstream.asked(), ["lame.test1. A"], "an NS record is no promise for how long");
}

#[test]
fn a_rule_may_keep_less_than_the_rest() {
    let upstream = StandIn::start("day.test1 86400 A 192.0.2.1");
    let rule = RULE.to_owned()
        + "[rule.cache]\nmax-ttl = \"30s\"\nmax-negative-ttl = \"5s\"\nfailure-ttl = \"4s\"\n";
    let world = World::new(&rule, &[&upstream]);
    assert_eq!(world.a(VPC, "day.test1").ttls().into_iter().collect::<Vec<_>>(), [30]);
    assert_eq!(world.a(VPC, "no.test1").ttls().into_iter().collect::<Vec<_>>(), [5]);
    let any = world.ask(&Query { qtype: RType::ANY, ..Query::a(VPC, "day.test1") });
    assert_eq!(any.ttls().into_iter().collect::<Vec<_>>(), [30]);
}

#[test]
fn a_failure_is_remembered_for_two_seconds_and_says_so() {
    let upstream = StandIn::start("bad.test1 CODE 2\ndead.test1 SILENT");
    let world = World::new(RULE, &[&upstream]);
    assert_eq!(world.a(VPC, "dead.test1").text(), "SERVFAIL");
    let first = world.a(VPC, "bad.test1");
    assert_eq!((first.text(), first.ede().contains(&13)), ("SERVFAIL".into(), false));
    upstream.asked();
    for client in [VPC, ONPREM] {
        let again = world.a(client, "bad.test1");
        assert_eq!((again.text(), again.ede().contains(&13)), ("SERVFAIL".into(), true));
    }
    assert!(upstream.asked().is_empty());
    world.turn_clock(2.0);
    world.a(VPC, "bad.test1");
    assert!(!upstream.asked().is_empty());
}

#[test]
fn an_answer_of_ttl_zero_is_asked_for_each_time() {
    let upstream = StandIn::start("now.test1 0 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    for _ in 0..3 {
        assert_eq!(world.a(VPC, "now.test1").ttls().into_iter().collect::<Vec<_>>(), [0]);
    }
    assert_eq!(upstream.asked().len(), 3);
}

#[test]
fn five_hundred_clients_with_the_same_new_question_cost_one_query_and_get_five_hundred_answers() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1\nzero.test1 0 A 192.0.2.2");
    let world = World::new(RULE, &[&upstream]);
    for name in ["www.test1", "zero.test1"] {
        let (query, now) = (Query::a(VPC, name), world.now());
        let (packet, path) = (query.bytes(), query.path());
        let all = (0..500).map(|_| {
            let mut out = Vec::new();
            assert_eq!(world.street.worker.admit(&packet, &path, now, &mut out), Admit::Resolve);
            Rc::clone(&world.street.worker).resolve(packet.clone().into(), path, now)
        });
        let replies = world.street.block_on(join_all(all));
        assert!(replies.into_iter().all(|reply| Reply::read(reply.unwrap()).message.answer.len() == 1));
        assert_eq!(upstream.asked().len(), 1);
    }
}

#[test]
fn what_changes_an_answer_is_kept_apart() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    let plain = Query { edns: None, ..Query::a(VPC, "www.test1") };
    let with_do = Query { edns_flags: 0x8000, ..Query::a(VPC, "www.test1") };
    let checking_disabled = Query { flags: flag::RD | flag::CD, ..Query::a(VPC, "www.test1") };
    for _ in 0..2 {
        assert!(!world.ask(&plain).message.edns);
        assert!(world.a(VPC, "www.test1").message.edns);
        let reply = world.ask(&with_do);
        assert_eq!(reply.bytes[reply.bytes.len() - 4..][..2], [0x80, 0], "DO comes back (RFC 3225)");
        assert!(world.ask(&checking_disabled).has(flag::CD));
        assert!(!world.a(VPC, "www.test1").has(flag::CD));
    }
    assert_eq!(upstream.asked().len(), 3, "with DO, with CD, with neither");
}

#[test]
fn each_client_gets_the_name_in_the_case_it_asked() {
    let upstream = StandIn::start("www.test1 60 A 192.0.2.1");
    let world = World::new(RULE, &[&upstream]);
    for name in ["wWw.TEST1", "www.test1", "WWW.tesT1"] {
        let reply = world.a(VPC, name);
        let echoed = NameRef::parse(&reply.bytes, 12).unwrap().to_string();
        assert_eq!(echoed, format!("{name}."));
        assert_eq!(reply.message.answer.iter().next().unwrap().owner.to_string(), echoed);
    }
    assert_eq!(upstream.asked().len(), 1);
}

#[test]
fn an_answer_over_tcp_is_kept_and_still_too_large_for_a_small_datagram() {
    let script: String = (0..60).map(|n| format!("big.test1 60 SRV {n} host{n}.test1\n")).collect();
    let upstream = StandIn::start(&script);
    let world = World::new(RULE, &[&upstream]);
    let over = |transport, edns| Query { qtype: RType::SRV, transport, edns, ..Query::a(VPC, "big.test1") };
    for _ in 0..2 {
        let whole = world.ask(&over(Transport::Tcp, None));
        assert_eq!((whole.message.answer.len(), whole.has(flag::TC)), (60, false));
        for edns in [None, Some(0), Some(511), Some(512), Some(1232), Some(65535)] {
            let cut = world.ask(&over(Transport::Udp, edns));
            assert!(cut.has(flag::TC) && cut.message.answer.is_empty());
            assert!(cut.bytes.len() <= edns.map_or(512, |size| usize::from(size).clamp(512, 1232)));
        }
    }
    assert_eq!(upstream.asked().len(), 2, "UDP, and TCP after it was cut");
}

const ZONE: &str = r#"
file: t.zone
few A 10.0.0.1
few A 10.0.0.2
few A 10.0.0.3
alias CNAME few
end
[[zone]]
domain = "test.internal"
file = "t.zone"
visible-to = ["any"]
"#;

#[test]
fn addresses_take_turns_behind_their_aliases_too_from_the_first_answer_on() {
    let world = World::new(ZONE, &[]);
    for name in ["few.test.internal", "alias.test.internal"] {
        let firsts: Vec<u8> = (0..7)
            .map(|_| {
                let reply = world.a(VPC, name);
                let addresses: Vec<u8> =
                    reply.message.answer.iter().filter(|r| r.rtype == RType::A).map(|r| r.rdata[3]).collect();
                let mut sorted = addresses.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, [1, 2, 3]);
                addresses[0]
            })
            .collect();
        assert!(firsts.windows(2).all(|pair| pair[1] == pair[0] % 3 + 1), "{firsts:?}");
    }
}

#[test]
fn records_of_our_zones_keep_their_ttl() {
    let world = World::new(ZONE, &[]);
    for _ in 0..3 {
        assert_eq!(world.a(VPC, "few.test.internal").ttls().into_iter().collect::<Vec<_>>(), [60]);
        world.turn_clock(50.0);
    }
}
