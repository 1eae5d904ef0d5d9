//! What a question's walk leaves out where its outcome is plain changes no octet of any reply: each question is asked by
//! the short way and by the whole walk, when it is new, when it is cached, and when that has aged.
//!
//! Where a stale answer may be given at once the walk is whole. Nothing is stale here when it is asked for, so that is all
//! that it changes.

use kakehashi::wire::edns::DO;
use kakehashi::wire::{RType, flag};
use proptest::prelude::*;

use crate::stand_in::StandIn;
use crate::world::{EXTERNAL, ONPREM, Query, VPC, World};

/// Zones that fall through or end the search, rules for all and for some, one that is refused: in front of what an upstream
/// says, behind it, below it.
const LAYERS: &str = r#"
file: overlay.zone
here A 10.0.0.1
alias CNAME a0.layered.test.
end
[[zone]]
domain = "layered.test"
file = "overlay.zone"
fall-through = true
visible-to = ["vpc"]
[[rule]]
domain = "test"
forward = "up0"
visible-to = ["vpc", "onprem"]
[[rule]]
domain = "secret.test"
refuse = true
visible-to = ["onprem"]
[[rule]]
domain = "other.test"
forward = "up1"
visible-to = ["vpc"]
"#;

/// The names that are asked, and that aliases lead to.
const NAMES: [&str; 8] = [
    "a0.test",
    "A1.Test",
    "a0.layered.test",
    "here.layered.test",
    "alias.layered.test",
    "a.secret.test",
    "a0.other.test",
    "nobody.example",
];

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&NAMES[..])
}

/// A line of what an upstream says.
fn line() -> impl Strategy<Value = String> {
    let ttl = prop::sample::select(vec![0, 5, 60, 100_000]);
    prop_oneof![
        6 => (name(), ttl.clone(), 0..9_u8).prop_map(|(name, ttl, n)| format!("{name} {ttl} A 198.51.100.{n}")),
        2 => (name(), ttl.clone(), 0..9_u8).prop_map(|(name, ttl, n)| format!("{name} {ttl} AAAA 2001:db8::{n}")),
        3 => (name(), ttl, name()).prop_map(|(name, ttl, to)| format!("{name} {ttl} CNAME {to}")),
        1 => (name(), prop::sample::select(vec![0, 2, 3, 5])).prop_map(|(name, code)| format!("{name} CODE {code}")),
        1 => name().prop_map(|name| format!("{name} LAME")),
        1 => (name(), 1..3).prop_map(|(name, count)| format!("{name} EDE {count} 9")),
    ]
}

fn question() -> impl Strategy<Value = Query<'static>> {
    let client = prop::sample::select(vec![VPC, VPC, VPC, ONPREM, EXTERNAL]);
    let qtype =
        prop::sample::select(vec![RType::A, RType::A, RType::AAAA, RType::CNAME, RType::DS, RType::ANY]);
    let flags = prop::sample::select(vec![flag::RD, flag::RD, flag::RD | flag::CD, flag::RD | flag::AD, 0]);
    let edns = prop::sample::select(vec![None, Some(1232)]);
    (client, name(), qtype, flags, edns, prop::sample::select(vec![0, DO])).prop_map(
        |(client, name, qtype, flags, edns, bits)| Query {
            qtype,
            flags,
            edns,
            edns_flags: u32::from(bits),
            ..Query::a(client, name)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn the_short_way_and_the_whole_walk_give_the_same_reply(
        script in prop::collection::vec(line(), 1..24),
        questions in prop::collection::vec(question(), 1..12),
    ) {
        let upstreams = [StandIn::start(&script.join("\n")), StandIn::start(&script.join("\n"))];
        let both = [&upstreams[0], &upstreams[1]];
        let [short, whole] = ["1s", "0s"].map(|stale_after| {
            let cache = format!("[cache]\nserve-stale = \"1s\"\nstale-after = \"{stale_after}\"\n");
            World::new(&(LAYERS.to_owned() + &cache), &both)
        });
        for aged in [0.0, 0.5, 4.0, 70.0] {
            short.turn_clock(aged);
            whole.turn_clock(aged);
            for query in &questions {
                let (one, other) = (short.ask(query), whole.ask(query));
                // What is fetched anew for nobody.
                short.street.settle();
                whole.street.settle();
                prop_assert_eq!(&one.message, &other.message, "{} {} {}", query.client, query.name, query.qtype);
                prop_assert_eq!(one.bytes, other.bytes);
            }
        }
    }
}
