//! CNAME chains: each name is routed again in the same client's view, at most eleven times.

use kakehashi::wire::{RType, flag};

use crate::stand_in::StandIn;
use crate::world::{EXTERNAL, Query, VPC, World};

/// A zone of `count` aliases in a row, the last of which leads to an address.
fn row_of_aliases(count: usize) -> String {
    let mut text = String::from("file: chain.zone\n");
    for n in 0..count {
        text += &format!("c{n} CNAME c{}\n", n + 1);
    }
    text += &format!("c{count} A 10.0.0.1\nself CNAME self\nping CNAME pong\npong CNAME ping\nend\n");
    text + "[[zone]]\ndomain = \"test.internal\"\nfile = \"chain.zone\"\nvisible-to = [\"any\"]\n"
}

#[test]
fn eleven_aliases_are_followed_and_twelve_are_too_many() {
    let eleven = World::new(&row_of_aliases(11), &[]).a(VPC, "c0.test.internal");
    assert_eq!((eleven.message.rcode, eleven.message.answer.len()), (0, 12));
    let twelve = World::new(&row_of_aliases(12), &[]).a(VPC, "c0.test.internal");
    assert_eq!((twelve.text(), twelve.ede()), ("SERVFAIL".into(), vec![0]));
}

#[test]
fn an_alias_of_itself_and_a_pair_of_aliases_end_in_servfail() {
    let world = World::new(&row_of_aliases(1), &[]);
    assert_eq!(world.a(VPC, "self.test.internal").text(), "SERVFAIL");
    assert_eq!(world.a(VPC, "ping.test.internal").text(), "SERVFAIL");
    let alias = Query { qtype: RType::CNAME, ..Query::a(VPC, "ping.test.internal") };
    assert_eq!(world.ask(&alias).text(), "NOERROR: CNAME pong.test.internal.", "asked for, it is the answer");
}

const CROSSING: &str = r#"
file: internal.zone
app CNAME app.corp.test.
db A 10.0.31.100
out CNAME www.example.net.
end
[[zone]]
domain = "test.internal"
file = "internal.zone"
visible-to = ["any"]
[[rule]]
domain = "corp.test"
forward = "up0"
visible-to = ["vpc"]
"#;

#[test]
fn a_chain_goes_from_a_zone_to_an_upstream_and_back_into_the_zone() {
    // What the upstream says of our own zone's name is not believed.
    let corp = StandIn::start("app.corp.test 60 CNAME db.test.internal\ndb.test.internal 60 A 6.6.6.6");
    let world = World::new(CROSSING, &[&corp]);
    let reply = world.a(VPC, "app.test.internal");
    assert_eq!(reply.text(), "NOERROR: CNAME app.corp.test.; CNAME db.test.internal.; A 10.0.31.100");
    assert!(reply.has(flag::AA), "the first name is ours");
    assert!(!world.a(VPC, "app.corp.test").has(flag::AA));
}

#[test]
fn an_alias_out_of_the_view_ends_with_noerror_and_what_is_known() {
    let corp = StandIn::start("");
    let world = World::new(CROSSING, &[&corp]);
    for name in ["app.test.internal", "out.test.internal"] {
        let reply = world.a(EXTERNAL, name);
        assert!(reply.text().starts_with("NOERROR: CNAME ") && reply.message.answer.len() == 1);
        assert!(reply.has(flag::AA) && !reply.has(flag::RA));
    }
    assert!(corp.asked().is_empty());
}

#[test]
fn who_wants_no_recursion_gets_the_chain_as_far_as_it_is_ours() {
    let corp = StandIn::start("app.corp.test 60 A 198.51.100.1");
    let world = World::new(CROSSING, &[&corp]);
    assert_eq!(world.a(VPC, "app.test.internal").text(), "NOERROR: CNAME app.corp.test.; A 198.51.100.1");
    corp.asked();
    let reply = world.ask(&Query { flags: 0, ..Query::a(VPC, "app.test.internal") });
    assert_eq!(reply.text(), "NOERROR: CNAME app.corp.test.", "nothing of the caches is told");
    assert!(corp.asked().is_empty());
}

#[test]
fn an_alias_to_a_name_that_does_not_exist_is_nxdomain_with_the_chain() {
    let corp = StandIn::start("");
    let world = World::new(CROSSING, &[&corp]);
    let reply = world.a(VPC, "app.test.internal");
    assert_eq!(reply.text(), "NXDOMAIN: CNAME app.corp.test.");
    assert_eq!(reply.message.authority.iter().next().unwrap().rtype, RType::SOA);
}

const FORWARDED: &str = "[[rule]]\ndomain = \".\"\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n";

#[test]
fn a_loop_behind_an_upstream_costs_few_queries_and_ends_in_servfail() {
    let upstream = StandIn::start("a.test1 60 CNAME b.test1\nb.test1 60 CNAME a.test1");
    let world = World::new(FORWARDED, &[&upstream]);
    assert_eq!(world.a(VPC, "a.test1").text(), "SERVFAIL");
    assert!(upstream.asked().len() <= 12);
}

#[test]
fn a_dname_of_ours_leads_on_with_its_alias() {
    let configuration = r#"
file: old.zone
old DNAME new.test.internal.
host.new A 10.0.0.9
end
[[zone]]
domain = "test.internal"
file = "old.zone"
visible-to = ["any"]
"#;
    let reply = World::new(configuration, &[]).a(VPC, "host.old.test.internal");
    assert_eq!(reply.text(), "NOERROR: DNAME new.test.internal.; CNAME host.new.test.internal.; A 10.0.0.9");
}
