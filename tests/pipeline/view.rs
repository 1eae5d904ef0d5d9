//! Who sees what: unknown clients, views, special-use names, RD, and what stays where it is.

use kakehashi::pipeline::explain::explain;
use kakehashi::query::Transport;
use kakehashi::wire::{RType, flag};

use crate::stand_in::StandIn;
use crate::world::{EXTERNAL, ONPREM, Query, VPC, World};

const ROOT: &str = "[[rule]]\ndomain = \".\"\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n";

#[test]
fn a_client_in_no_network_is_refused_and_nobody_is_asked() {
    let upstream = StandIn::start("www.example.com 60 A 198.51.100.1");
    let world = World::new(ROOT, &[&upstream]);
    world.a(VPC, "www.example.com");
    upstream.asked();
    for client in ["198.51.100.250", "2001:db8::1"] {
        let reply = world.a(client, "www.example.com");
        assert_eq!((reply.text(), reply.ede()), ("REFUSED".into(), vec![18]));
        assert!(!reply.has(flag::RA));
    }
    assert!(upstream.asked().is_empty());
}

#[test]
fn a_client_is_known_by_ipv6_and_by_ipv4_in_ipv6_clothing() {
    let upstream = StandIn::start("www.example.com 60 A 198.51.100.1");
    let world = World::new(ROOT, &[&upstream]);
    for client in ["fd00:30::1", "::ffff:10.0.30.100"] {
        assert_eq!(world.a(client, "www.example.com").text(), "NOERROR: A 198.51.100.1");
    }
}

#[test]
fn a_view_without_a_route_for_the_name_is_refused() {
    let upstream = StandIn::start("");
    let world = World::new(ROOT, &[&upstream]);
    let reply = world.a(EXTERNAL, "www.example.com");
    assert_eq!((reply.text(), reply.ede(), reply.has(flag::RA)), ("REFUSED".into(), vec![20], false));
}

#[test]
fn special_use_names_never_reach_an_upstream_though_the_root_is_forwarded() {
    let upstream = StandIn::start("");
    let world = World::new(ROOT, &[&upstream]);
    assert_eq!(world.a(VPC, "localhost").text(), "NOERROR: A 127.0.0.1");
    assert_eq!(world.a(VPC, "printer.home.arpa").text(), "NXDOMAIN");
    assert_eq!(world.a(VPC, "hidden.onion").text(), "NXDOMAIN");
    assert_eq!(world.a(VPC, "a.b.invalid").text(), "NXDOMAIN");
    for name in
        ["7.7.168.192.in-addr.arpa", "1.0.0.10.in-addr.arpa", "1.2.31.172.in-addr.arpa", "d.f.ip6.arpa"]
    {
        let reply = world.ask(&Query { qtype: RType::PTR, ..Query::a(VPC, name) });
        assert!(reply.message.answer.is_empty() && reply.has(flag::AA), "{name}");
    }
    assert!(upstream.asked().is_empty());
}

#[test]
fn who_claims_a_special_use_name_gets_it() {
    let upstream = StandIn::start("7.7.168.192.in-addr.arpa 60 PTR host.technova.local");
    let rule = "[[rule]]\nreverse-of = [\"192.168.0.0/16\"]\nforward = \"up0\"\nvisible-to = [\"vpc\"]\n";
    let world = World::new(rule, &[&upstream]);
    let query = Query { qtype: RType::PTR, ..Query::a(VPC, "7.7.168.192.in-addr.arpa") };
    assert_eq!(world.ask(&query).text(), "NOERROR: PTR host.technova.local.");
}

#[test]
fn without_recursion_desired_only_our_own_zones_speak() {
    let upstream = StandIn::start("www.example.com 60 A 198.51.100.1");
    let world = World::new(ROOT, &[&upstream]);
    world.a(VPC, "www.example.com");
    upstream.asked();
    let reply = world.ask(&Query { flags: 0, ..Query::a(VPC, "www.example.com") });
    assert_eq!((reply.text(), reply.ede()), ("REFUSED".into(), vec![20]), "caches are not for snooping");
    assert!(!reply.has(flag::RD) && reply.has(flag::RA));
    assert!(upstream.asked().is_empty());
}

/// Two views that share a rule, one of which has a private zone that the shared answers lead into.
const SHARED: &str = r#"
file: private.zone
db A 10.0.31.100
end
[[zone]]
domain = "private.test1"
file = "private.zone"
visible-to = ["vpc"]
[[rule]]
domain = "test1"
forward = "up0"
visible-to = ["vpc", "onprem"]
"#;

#[test]
fn what_one_view_made_of_a_shared_response_is_not_shown_to_another() {
    let upstream = StandIn::start("www.test1 60 CNAME db.private.test1\ndb.private.test1 60 A 198.51.100.1");
    let world = World::new(SHARED, &[&upstream]);
    let (private, public) = (
        "NOERROR: CNAME db.private.test1.; A 10.0.31.100",
        "NOERROR: CNAME db.private.test1.; A 198.51.100.1",
    );
    for _ in 0..2 {
        assert_eq!(world.a(VPC, "www.test1").text(), private);
        assert_eq!(world.a(ONPREM, "www.test1").text(), public);
    }
    assert_eq!(upstream.asked(), ["www.test1. A"], "the views share what was fetched");
}

#[test]
fn addresses_that_come_along_are_those_that_the_view_would_get() {
    let configuration = r#"
file: outer.zone
_x._tcp SRV 0 0 1 db.private
db.private A 198.51.100.1
end
file: private.zone
db A 10.0.31.100
end
[[zone]]
domain = "test1"
file = "outer.zone"
visible-to = ["vpc", "onprem"]
[[zone]]
domain = "private.test1"
file = "private.zone"
visible-to = ["vpc"]
"#;
    let world = World::new(configuration, &[]);
    let ask = |client| world.ask(&Query { qtype: RType::SRV, ..Query::a(client, "_x._tcp.test1") });
    assert_eq!(ask(ONPREM).message.additional.len(), 1);
    assert!(ask(VPC).message.additional.is_empty(), "in this view that name is another route's");
}

#[test]
fn explain_says_what_the_street_does() {
    let configuration = r#"
file: t.zone
app CNAME app.refused.test1.
loop CNAME loop
x.empty A 10.0.0.1
out CNAME www.example.com.
cut NS ns.example.com.
end
file: under.zone
end
[[zone]]
domain = "sub.test.internal"
file = "under.zone"
visible-to = ["any"]
fall-through = true
[[zone]]
domain = "test.internal"
file = "t.zone"
visible-to = ["any"]
[[rule]]
domain = "refused.test1"
refuse = true
visible-to = ["any"]
[[rule]]
domain = "."
forward = "up0"
visible-to = ["vpc"]
"#;
    let upstream = StandIn::start("");
    let world = World::new(configuration, &[&upstream]);
    let ask = |client: &str, name: &str, qtype: RType| {
        let snapshot = world.street.shared.snapshot();
        let name: kakehashi::wire::Name = name.parse().unwrap();
        explain(&snapshot, client.parse().unwrap(), &name, qtype, world.now()).outcome
    };
    for client in [VPC, EXTERNAL, "198.51.100.250"] {
        for name in
            ["app", "loop", "empty", "x.empty", "out", "cut", "a.cut", "sub", "a.sub", "no", "no.empty"]
                .map(|name| format!("{name}.test.internal"))
                .iter()
                .map(String::as_str)
                .chain(["refused.test1", "www.example.com", "localhost"])
        {
            for qtype in [RType::A, RType::ANY, RType::AXFR, RType(250)] {
                let outcome = ask(client, name, qtype);
                // Over TCP, where strangers are refused as often as they ask.
                let query = Query { qtype, transport: Transport::Tcp, ..Query::a(client, name) };
                let code = world.ask(&query).text();
                let code = code.split(':').next().unwrap();
                let known = outcome.starts_with("what ") || outcome.starts_with("a referral");
                assert!(known || outcome.starts_with(code), "{client} {name} {qtype}: {outcome}, but {code}");
            }
        }
    }
}
