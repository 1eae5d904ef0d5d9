//! What the cache is for when upstreams fail: stale answers, hot names that never expire, budgets kept.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;

use crate::cases::family;
use crate::load::{Load, ever_new, some};
use crate::peer::{Mood, Upstream};
use crate::report::{at_most, row, share, span, within};
use crate::wait;
use crate::world::{World, forward, forward_with, said};

family! { cache:
    what_has_expired_stands_in_for_what_cannot_be_had;
    a_failure_evicts_no_answer;
    a_hot_name_never_waits_for_its_upstream;
    an_upstream_is_asked_no_more_than_its_budget;
}

const RIGHT: &str = "A 10.0.0.1";
const STALE: u16 = 3;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 11, 0, 1));

fn world(upstream: &Upstream) -> World {
    World::new(&forward("live", &[upstream.address], &["live.test"]))
}

/// Lets an answer with a TTL of 1 expire.
fn expire() {
    wait::beat(Instant::now() + Duration::from_millis(2100));
}

fn what_has_expired_stands_in_for_what_cannot_be_had() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    for (mood, how) in [(Mood::Silent, "silent"), (Mood::Failing, "says SERVFAIL")] {
        let name = format!("{}.ttl-1.live.test", if mood == Mood::Silent { "a" } else { "b" });
        assert_eq!(world.says(&name).0, RIGHT);
        expire();
        upstream.be(mood);
        let (reply, took) = world.ask(&name, "A");
        upstream.be(Mood::Scripted);
        assert_eq!((&said(&reply)[..], reply.extended_errors()), (RIGHT, vec![STALE]), "upstream {how}");
        // RFC 8767 §4, §5: 30 s, and an answer before the client gives up.
        assert!(reply.ttls().iter().all(|ttl| *ttl <= 30), "{:?}", reply.ttls());
        within(&format!("upstream {how}: the stale answer, EDE 3"), Duration::from_millis(1800), took);
    }
    upstream.be(Mood::Silent);
    let (reply, _) = world.ask("never-seen.live.test", "A");
    assert_eq!(reply.rcode(), ResponseCode::ServFail, "what was never known has no stale answer");
}

fn a_failure_evicts_no_answer() {
    let upstream = Upstream::start();
    let world = world(&upstream);
    let name = "kept.ttl-1.live.test";
    assert_eq!(world.says(name).0, RIGHT);
    expire();
    upstream.be(Mood::Failing);
    let answers: Vec<String> = (0..5).map(|_| world.says(name).0).collect();
    row(
        "an upstream fails while its answer has expired: asked five times",
        "the answer, stale",
        answers.join("; "),
    );
    assert_eq!(answers, vec![RIGHT; 5]);
    upstream.be(Mood::Scripted);
    // RFC 8767 §5: a failure is remembered for a while, and then it is asked again.
    wait::until("a fresh answer", crate::PATIENCE, || {
        let (reply, _) = world.ask(name, "A");
        (said(&reply) == RIGHT && reply.extended_errors().is_empty()).then_some(())
    });
}

fn a_hot_name_never_waits_for_its_upstream() {
    const TTL: usize = 5;
    let upstream = Upstream::start();
    let world = world(&upstream);
    let name = "hot.late-ttl-5.live.test";
    assert_eq!(world.says(name).0, RIGHT);
    let load = Load::run(
        CLIENT,
        world.dns(),
        200,
        Duration::from_secs(3 * TTL as u64),
        Box::new(|_| name.to_owned()),
    );
    let asked = upstream.count("hot.late");
    row("a name with a TTL of 5 s, asked 200 times a second for 15 s: upstream queries", "3 to 5", asked);
    assert!((3..=5).contains(&asked), "{asked}");
    share("its answers", 1.0, load.share());
    // Its upstream takes 200 ms.
    let slowest = load.quantile(1.0);
    row("the slowest of them; its upstream takes 200 ms", "< 100 ms", span(slowest));
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}

fn an_upstream_is_asked_no_more_than_its_budget() {
    const BUDGET: usize = 100;
    const SECONDS: usize = 3;
    let upstream = Upstream::start();
    let keys = format!("max-qps = {BUDGET}\nhealth-check = \"off\"");
    let world = World::new(&forward_with("live", &[upstream.address], &["live.test"], &keys));
    assert_eq!(world.says("hot0.live.test").0, RIGHT);
    let flood = Load::start(CLIENT, world.dns(), 1000, ever_new("live.test"));
    let time = Duration::from_secs(SECONDS as u64);
    let cached = Load::run(Ipv4Addr::new(127, 11, 1, 1).into(), world.dns(), 200, time, some(1, "live.test"));
    let asked = upstream.count("live.test");
    let flood = flood.finish();
    // A second's worth may go at once.
    at_most(
        "1,000 new names a second to an upstream with max-qps = 100: it is asked in 3 s",
        BUDGET * (SECONDS + 1),
        asked,
    );
    share("cached names meanwhile", 1.0, cached.share());
    share("of the flood something is answered", 1.0, flood.took.len() as f64 / flood.sent as f64);
}
