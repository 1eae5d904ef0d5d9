//! Upstreams that lie, refuse, fall silent, or run in circles.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use crate::cases::family;
use crate::load::{Load, ever_new};
use crate::misbehaviour::{IGNORED, TARDY};
use crate::peer::{Mood, Upstream, Via};
use crate::port;
use crate::report::{at_most, row, share, span, within};
use crate::world::{CLIENT, World, ask, forward, forward_with, said, said_or_silence};
use crate::{PATIENCE, wait};

family! { upstream:
    what_is_no_answer_is_waited_past;
    records_outside_the_domain_are_neither_relayed_nor_cached;
    an_alias_out_of_the_domain_is_routed_by_us;
    after_servfail_or_refused_the_next_is_asked_at_once;
    while_a_failure_is_cached_nobody_is_asked;
    a_black_hole_is_given_up_in_time;
    a_dead_first_server_costs_one_query;
    after_an_outage_the_first_good_answer_comes_at_once;
    what_is_truncated_is_asked_again_over_tcp;
    a_lost_datagram_is_asked_again;
    who_answers_formerr_to_edns_is_asked_without;
    who_answers_badvers_is_asked_without;
    who_folds_the_case_is_asked_without_it;
    sixty_kilobytes_of_names_cost_little;
    a_loop_of_aliases_is_broken;
    a_long_chain_of_aliases_is_cut;
    nothing_below_a_cached_nxdomain_hides_a_more_specific_rule;
    a_query_that_comes_back_is_broken;
    ports_and_ids_are_spread;
}

const RIGHT: &str = "A 10.0.0.1";
/// What an ordinary question may take beyond the answer's own delay.
const MARGIN: Duration = Duration::from_millis(10);

fn world(upstream: &Upstream) -> World {
    World::new(&forward("bad", &[upstream.address], &["bad.test"]))
}

fn what_is_no_answer_is_waited_past() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let (mut slowest, mut wrong) = (Duration::ZERO, Vec::new());
    for how in IGNORED {
        let name = format!("{how}.bad.test");
        let (reply, took) = world.ask_from(CLIENT, &name, "A");
        let first = said_or_silence(&reply);
        let then = said_or_silence(&world.ask_from(CLIENT, &name, "A").0);
        let asked = upstream.count(how);
        slowest = slowest.max(took);
        if (&first[..], &then[..], asked) != (RIGHT, RIGHT, 1) {
            wrong.push(format!("{how}: {first} after {}, then {then}; {asked} queries", span(took)));
        }
    }
    let passed = IGNORED.len() - wrong.len();
    row(
        "wrong ID, question, type, port, address, QR, opcode; no question, 11 octets, bad pointers, counts, lengths",
        format!("{0} of {0}: the right answer, one query, nothing cached of the wrong", IGNORED.len()),
        format!("{passed} of {}", IGNORED.len()),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    within("the right answer, which comes 150 ms after a wrong one", TARDY + MARGIN, slowest);
}

/// What else the server forwards, to somebody honest.
fn with_a_bank(upstream: &Upstream, bank: &Upstream) -> World {
    let tables = [
        forward("bad", &[upstream.address], &["bad.test"]),
        forward("bank", &[bank.address], &["bank.test"]),
    ];
    World::new(&tables.concat())
}

fn records_outside_the_domain_are_neither_relayed_nor_cached() {
    let (upstream, bank) = (Upstream::start(), Upstream::start());
    let world = with_a_bank(&upstream, &bank);
    let mut relayed = Vec::new();
    for place in ["outside-answer", "outside-authority", "outside-additional"] {
        let (reply, _) = world.ask(&format!("{place}.bad.test"), "A");
        assert_eq!(said(&reply), RIGHT, "{place}");
        let message = &reply.message;
        let sections = [&message.answers, &message.authorities, &message.additionals];
        let records = sections.into_iter().flatten();
        relayed.extend(records.filter(|r| r.name.to_string().contains("bank")).map(ToString::to_string));
    }
    assert_eq!(world.says("www.bank.test").0, RIGHT, "the bank's address is the bank's to tell");
    assert_eq!(bank.count("www.bank.test"), 1, "and nobody else's word was kept");
    at_most("records outside the forwarded domain that are relayed", 0, relayed.len());
}

fn an_alias_out_of_the_domain_is_routed_by_us() {
    let (upstream, bank) = (Upstream::start(), Upstream::start());
    let world = with_a_bank(&upstream, &bank);
    let (reply, _) = world.ask("alias-out.bad.test", "A");
    assert_eq!(reply.answers(), ["CNAME www.bank.test.", RIGHT]);
    assert_eq!(world.says("www.bank.test").0, RIGHT);
    let asked = bank.count("www.bank.test");
    row(
        "CNAME out of the domain, with a forged address behind it",
        "target routed by us",
        format!("bank asked {asked}×"),
    );
    assert_eq!(asked, 1);
}

fn after_servfail_or_refused_the_next_is_asked_at_once() {
    for (mood, code) in [(Mood::Failing, "SERVFAIL"), (Mood::Refusing, "REFUSED")] {
        let (bad, good) = (Upstream::start(), Upstream::start());
        bad.be(mood);
        let keys = "balance = \"ordered\"\nhealth-check = \"off\"";
        let world = World::new(&forward_with("bad", &[bad.address, good.address], &["bad.test"], keys));
        let (answer, took) = world.says("a.bad.test");
        assert_eq!((&answer[..], bad.count("a.bad"), good.count("a.bad")), (RIGHT, 1, 1));
        within(&format!("first of two answers {code}"), Duration::from_millis(5), took);
    }
}

fn while_a_failure_is_cached_nobody_is_asked() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let clients = 20;
    let answers: Vec<String> = std::thread::scope(|scope| {
        let dns = world.dns();
        let ask_as = |nth: u8| {
            let from = Ipv4Addr::new(127, 1, nth, 1).into();
            scope.spawn(move || said_or_silence(&ask(dns, from, "servfail.bad.test", "A").0))
        };
        let asking: Vec<_> = (0..clients).map(ask_as).collect();
        asking.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(answers, vec!["ServFail".to_owned(); usize::from(clients)]);
    at_most(
        "upstream queries when all it says is SERVFAIL and 20 clients ask",
        1,
        upstream.count("servfail"),
    );
}

fn a_black_hole_is_given_up_in_time() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let (answer, took) = world.says("black-hole.bad.test");
    assert_eq!(answer, "ServFail");
    within("black hole, one server", Duration::from_millis(1600), took);
    let (answer, took) = world.says("black-hole.bad.test");
    assert_eq!(answer, "ServFail");
    within("black hole, asked again", Duration::from_millis(5), took);
    at_most("tries for one question", 3, upstream.count("black-hole"));
}

fn a_dead_first_server_costs_one_query() {
    let good = Upstream::start();
    let silent = Upstream::start();
    silent.be(Mood::Silent);
    for (who, dead) in [("silent", silent.address), ("port closed", port::free())] {
        let keys = "balance = \"ordered\"";
        let world = World::new(&forward_with("bad", &[dead, good.address], &["bad.test"], keys));
        let (answer, took) = world.says("first.bad.test");
        assert_eq!(answer, RIGHT);
        // The try's own time, and the answer of the second.
        within(&format!("first of two servers dead ({who}), first query"), Duration::from_millis(400), took);
        let later: Vec<Duration> = (0..20).map(|nth| world.says(&format!("later{nth}.bad.test")).1).collect();
        let slowest = *later.iter().max().unwrap();
        within(
            &format!("first of two servers dead ({who}), later queries"),
            Duration::from_millis(5),
            slowest,
        );
    }
}

fn after_an_outage_the_first_good_answer_comes_at_once() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let load = Load::start(CLIENT, world.dns(), 200, ever_new("bad.test"));
    wait::until("the load is answered", PATIENCE, || (load.answered() > 100).then_some(()));
    upstream.be(Mood::Silent);
    wait::beat(Instant::now() + Duration::from_secs(8));
    let returned = Instant::now();
    upstream.be(Mood::Scripted);
    wait::beat(returned + Duration::from_secs(2));
    let outcome = load.finish();
    let first = outcome.good_at.iter().find(|at| **at > returned).map(|at| *at - returned);
    within("8 s outage under load: first good answer after it", Duration::from_millis(300), first.unwrap());
    // What is asked after the first second is all answered.
    let settled = outcome.good_at.iter().filter(|at| **at > returned + Duration::from_secs(1)).count();
    share("good answers in the second after", 0.9, (settled as f64 / 200.0).min(1.0));
}

fn what_is_truncated_is_asked_again_over_tcp() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let (answer, took) = world.says("truncated.bad.test");
    let ways: Vec<Via> = upstream.asked("truncated").iter().map(|asked| asked.via).collect();
    row("TC=1", "UDP, then TCP, the answer", format!("{ways:?} in {}", span(took)));
    assert_eq!((&answer[..], &ways[..]), (RIGHT, &[Via::Udp, Via::Tcp][..]));
}

fn a_lost_datagram_is_asked_again() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    assert_eq!(world.says("known.bad.test").0, RIGHT);
    upstream.be(Mood::Silent);
    let (answer, again) = std::thread::scope(|scope| {
        let dns = world.dns();
        let client = scope.spawn(move || said_or_silence(&ask(dns, CLIENT, "lost.bad.test", "A").0));
        wait::until("the query that is lost", PATIENCE, || (upstream.count("lost") > 0).then_some(()));
        upstream.be(Mood::Scripted);
        let answer = client.join().unwrap();
        let asked = upstream.asked("lost");
        (answer, asked[1].at - asked[0].at)
    });
    assert_eq!(answer, RIGHT);
    within("a lost datagram is asked again after", Duration::from_millis(400), again);
}

fn falls_back(mood: Mood, how: &str) {
    let upstream = Upstream::start();
    upstream.be(mood);
    let world = world(&upstream);
    let (answer, took) = world.says("first.bad.test");
    let (second, _) = world.says("second.bad.test");
    let edns = |name| upstream.asked(name).iter().map(|asked| asked.bytes[11]).collect::<Vec<u8>>();
    row(
        how,
        "with OPT, without; then without at once",
        format!("{:?} {:?}, {}", edns("first"), edns("second"), span(took)),
    );
    assert_eq!((&answer[..], &second[..]), (RIGHT, RIGHT));
    assert_eq!((edns("first"), edns("second")), (vec![1, 0], vec![0]));
}

fn who_answers_formerr_to_edns_is_asked_without() {
    falls_back(Mood::NoEdns, "FORMERR to EDNS: OPT records sent");
}

fn who_answers_badvers_is_asked_without() {
    falls_back(Mood::BadVersion, "BADVERS to EDNS: OPT records sent");
}

fn who_folds_the_case_is_asked_without_it() {
    let (upstream, name) = (Upstream::start(), "a-name-with-many-letters-to-be-mixed");
    upstream.be(Mood::Folding);
    let world = world(&upstream);
    let mixed = |name: &str| -> Vec<bool> {
        let asked = upstream.asked(name);
        // The name alone: a cookie behind it has octets of every kind.
        let qname =
            |bytes: &[u8]| bytes[12..].iter().copied().take_while(|octet| *octet != 0).collect::<Vec<_>>();
        asked.iter().map(|asked| qname(&asked.bytes).iter().any(u8::is_ascii_uppercase)).collect()
    };
    let (answer, took) = world.says(&format!("{name}.bad.test"));
    let (second, _) = world.says(&format!("second-{name}.bad.test"));
    let (first_asked, second_asked) = (mixed(&format!("{name}.bad")), mixed(&format!("second-{name}")));
    let first_asked = &first_asked[..first_asked.len() - second_asked.len()];
    row(
        "wrong case to a 0x20 query: queries in mixed case",
        "[true, false], then [false]",
        format!("{first_asked:?}, {second_asked:?}, {}", span(took)),
    );
    assert_eq!((&answer[..], &second[..]), (RIGHT, RIGHT));
    assert_eq!((first_asked, &second_asked[..]), (&[true, false][..], &[false][..]));
}

fn sixty_kilobytes_of_names_cost_little() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    world.ask("warm.bad.test", "MX+tcp");
    let before = world.cpu();
    let (reply, _) = world.ask("large.bad.test", "MX+tcp");
    let spent = world.cpu().saturating_sub(before);
    assert_eq!(reply.answers().len(), 240);
    row("octets of the answer made to be costly", "> 55000", reply.size);
    assert!(reply.size > 55_000, "{}", reply.size);
    within("its cost to the processor", Duration::from_millis(20), spent);
}

fn circle(name: &str, words: &str, what: &str) {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let (reply, took) = world.ask(name, "A");
    assert_eq!(reply.rcode(), ResponseCode::ServFail);
    at_most(&format!("{what}: upstream queries"), 12, upstream.count(words));
    within(&format!("{what}: SERVFAIL"), Duration::from_secs(1), took);
}

fn a_loop_of_aliases_is_broken() {
    circle("loop-a.bad.test", "loop-", "CNAME loop");
}

fn a_long_chain_of_aliases_is_cut() {
    circle("chain-0.bad.test", "chain-", "CNAME chain of 60");
}

fn nothing_below_a_cached_nxdomain_hides_a_more_specific_rule() {
    let (parent, child) = (Upstream::start(), Upstream::start());
    let tables = [
        forward("parent", &[parent.address], &["bad.test"]),
        forward("child", &[child.address], &["deep.nxdomain.bad.test"]),
    ];
    let world = World::new(&tables.concat());
    assert_eq!(world.says("nxdomain.bad.test").0, "NXDomain");
    assert_eq!(world.says("other.nxdomain.bad.test").0, "NXDomain");
    child.be(Mood::Honest);
    let (answer, _) = world.says("www.deep.nxdomain.bad.test");
    row("the parent's NXDOMAIN is cached, then a more specific rule's name", "the rule's answer", &answer);
    assert_eq!((&answer[..], child.count("www.deep"), parent.count("www.deep")), (RIGHT, 1, 0));
}

fn a_query_that_comes_back_is_broken() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    upstream.forward_back_to(world.dns());
    let (reply, took) = world.ask("a.back-to-us.bad.test", "A");
    assert_eq!(reply.rcode(), ResponseCode::ServFail);
    let packets = upstream.count("back-to-us");
    at_most("a DC forwards our query back to us: packets until it is broken", 20, packets);
    row(
        "what the client is told",
        "SERVFAIL + EDE",
        format!("SERVFAIL, EDE {:?}, {}", reply.extended_errors(), span(took)),
    );
    assert!(!reply.extended_errors().is_empty(), "the client learns why");
    let (reply, _) = world.ask("b.back-to-us.bad.test", "A");
    assert_eq!(reply.rcode(), ResponseCode::ServFail);
    at_most("packets for the next name, in quarantine", 0, upstream.count("b.back-to-us"));
    assert!(world.metric(&["loop"]) >= 1.0, "a metric counts it");
}

fn ports_and_ids_are_spread() {
    const QUERIES: usize = 1000;
    let upstream = Upstream::start();
    let world = world(&upstream);
    for nth in 0..QUERIES {
        assert_eq!(world.says(&format!("p{nth}.spread.bad.test")).0, RIGHT);
    }
    let asked = upstream.asked("spread");
    let ports: Vec<u16> = asked.iter().map(|asked| asked.from.port()).collect();
    let ids: Vec<u16> =
        asked.iter().map(|asked| u16::from_be_bytes([asked.bytes[0], asked.bytes[1]])).collect();
    let different = ports.iter().collect::<std::collections::HashSet<_>>().len();
    row("1,000 queries: different source ports", "≥ 980", different);
    row(
        "standard deviation of ports, of IDs",
        "≥ 17500, ≥ 18000",
        format!("{:.0}, {:.0}", deviation(&ports), deviation(&ids)),
    );
    // Of a thousand IDs at random, 18,000 is 3.4 standard errors below what is expected (18,918).
    assert!(different >= 980 && deviation(&ports) >= 17_500.0 && deviation(&ids) >= 18_000.0);
}

fn deviation(values: &[u16]) -> f64 {
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    (squares / values.len() as f64).sqrt()
}
