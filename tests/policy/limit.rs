//! Rates: of queries, and of answers that are the same.

use kakehashi::query::Transport;
use kakehashi::wire::{RType, flag};

use crate::world::{EXTERNAL, Query, World};

/// Networks with limits, and a zone with some names.
pub const LIMITED: &str = r#"
file: t.zone
www A 192.0.2.1
a1 A 192.0.2.1
a2 A 192.0.2.1
*.wild TXT wild
end
[[zone]]
domain = "technova.com"
file = "t.zone"
visible-to = "any"
[[network]]
name = "few-queries"
cidr = ["198.51.100.0/24", "198.51.101.0/24", "2001:db8::/32"]
limit = { queries = "10/s", responses = "off" }
[[network]]
name = "few-responses"
cidr = ["192.0.2.0/24"]
limit = { queries = "off", responses = "5/s" }
"#;

/// What a client got: whole answers, truncated ones, silence.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Got {
    pub whole: usize,
    pub cut: usize,
    pub nothing: usize,
}

pub fn ask(world: &World, queries: impl Iterator<Item = Query<'static>>) -> Got {
    let mut got = Got::default();
    for query in queries {
        match world.send(&query.bytes(), &query.path()) {
            None => got.nothing += 1,
            Some(reply) if reply.has(flag::TC) => {
                assert!(reply.message.answer.is_empty());
                assert!(reply.bytes.len() <= query.bytes().len(), "no larger than what asked for it");
                got.cut += 1;
            }
            Some(_) => got.whole += 1,
        }
    }
    got
}

fn of(client: &'static str, count: usize) -> impl Iterator<Item = Query<'static>> {
    std::iter::repeat_n(Query::a(client, "www.technova.com"), count)
}

#[test]
fn beyond_its_rate_a_prefix_gets_every_second_answer_truncated_and_else_nothing() {
    let world = World::new(LIMITED, &[]);
    assert_eq!(ask(&world, of("198.51.100.7", 30)), Got { whole: 10, cut: 10, nothing: 10 });
    assert_eq!(ask(&world, of("198.51.100.200", 2)).whole, 0, "its neighbour is of the same prefix");
    assert_eq!(ask(&world, of("198.51.101.7", 10)).whole, 10, "the next prefix of that network is not");
    world.turn_clock(0.5);
    assert_eq!(ask(&world, of("198.51.100.7", 30)).whole, 5);
    world.turn_clock(60.0);
    assert_eq!(ask(&world, of("198.51.100.7", 30)).whole, 10, "what was not asked for is not saved for ever");
    assert_eq!(ask(&world, of(EXTERNAL, 1000)).whole, 1000, "a network without limit has none");
    assert_eq!(ask(&world, of("2001:db8:0:100::1", 20)).whole, 10);
    assert_eq!(ask(&world, of("2001:db8:0:1ff::1", 20)).whole, 0, "/56");
}

#[test]
fn tcp_is_not_limited_since_nobody_forges_his_address_there() {
    let world = World::new(LIMITED, &[]);
    ask(&world, of("198.51.100.7", 100));
    let by_tcp = of("198.51.100.7", 100).map(|query| Query { transport: Transport::Tcp, ..query });
    assert_eq!(ask(&world, by_tcp).whole, 100);
}

#[test]
fn the_same_answer_goes_to_a_prefix_so_often_and_other_answers_go_on() {
    let world = World::new(LIMITED, &[]);
    let flood = ask(&world, of("192.0.2.9", 1000));
    assert_eq!((flood.whole, flood.cut + flood.nothing), (5, 995));
    assert!(flood.cut.abs_diff(flood.nothing) <= 1);
    let named = |name| std::iter::repeat_n(Query::a("192.0.2.9", name), 3);
    assert_eq!(ask(&world, named("a1.technova.com").chain(named("A2.technova.com"))).whole, 6);
    let by_type = (0..3).map(|_| Query { qtype: RType::TXT, ..Query::a("192.0.2.9", "www.technova.com") });
    assert_eq!(ask(&world, by_type).whole, 3, "NODATA is another answer");
    world.turn_clock(1.0);
    assert_eq!(ask(&world, of("192.0.2.9", 10)).whole, 5);
}

#[test]
fn names_that_do_not_exist_are_one_answer_however_many_they_are() {
    let names = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10"];
    let names: Vec<String> = names.iter().map(|name| format!("{name}.technova.com")).collect();
    let world = World::new(LIMITED, &[]);
    let whole = |client: &str| {
        let reply = |name: &String| {
            let query = Query::a(client, name);
            world.send(&query.bytes(), &query.path()).is_some_and(|reply| !reply.has(flag::TC))
        };
        names.iter().filter(|name| reply(name)).count()
    };
    assert_eq!(whole("192.0.2.9"), 5);
    assert_eq!(whole(EXTERNAL), 10);
}

#[test]
fn a_reload_neither_forgives_nor_forgets() {
    let mut world = World::new(LIMITED, &[]);
    ask(&world, of("198.51.100.7", 10));
    world.reload(LIMITED, &[]);
    assert_eq!(ask(&world, of("198.51.100.7", 10)).whole, 0);
    world.reload(&LIMITED.replace("10/s", "1000/s"), &[]);
    world.turn_clock(0.1);
    assert_eq!(ask(&world, of("198.51.100.7", 100)).whole, 100, "the new rate holds at once");
}

#[test]
fn a_client_in_no_network_is_refused_twenty_times_a_second_or_met_with_silence() {
    let world = World::new(LIMITED, &[]);
    let stranger = Query { edns: None, ..Query::a("100.64.0.1", "www.technova.com") };
    assert_eq!(world.ask(&stranger).text(), "REFUSED");
    let flood = ask(&world, std::iter::repeat_n(stranger.clone(), 500));
    assert_eq!(flood.whole, 19, "he may have forged the address, and who has it wants none of this");
    let odd = Query { flags: 0x2800, ..stranger.clone() };
    let silent = World::new(&format!("[clients]\nunknown = \"drop\"\n{LIMITED}"), &[]);
    for query in [&stranger, &odd] {
        assert!(silent.send(&query.bytes(), &query.path()).is_none());
    }
    assert_eq!(silent.a(EXTERNAL, "www.technova.com").text(), "NOERROR: A 192.0.2.1");
}
