//! Fall-through: the next less specific route is asked where this one's source has no such name, and only there.

use kakehashi::wire::{RType, flag};

use crate::stand_in::StandIn;
use crate::world::{EXTERNAL, ONPREM, Query, VPC, World};

/// An overlay that falls through to public DNS, as portal.technova.com does.
const OVERLAY: &str = r#"
file: portal.zone
@ A 10.100.10.200
below.empty A 10.100.10.201
alias CNAME nothere
end
[[zone]]
domain = "portal.technova.com"
file = "portal.zone"
visible-to = ["vpc"]
fall-through = true
[[rule]]
domain = "."
forward = "up0"
visible-to = ["vpc"]
"#;

#[test]
fn a_name_that_the_overlay_lacks_is_looked_up_outside_and_one_that_it_has_is_not() {
    let public =
        StandIn::start("docs.portal.technova.com 60 A 198.51.100.1\nportal.technova.com 60 A 198.51.100.2");
    let world = World::new(OVERLAY, &[&public]);
    assert_eq!(world.a(VPC, "docs.portal.technova.com").text(), "NOERROR: A 198.51.100.1");
    assert_eq!(public.asked(), ["docs.portal.technova.com. A"]);
    assert_eq!(world.a(VPC, "portal.technova.com").text(), "NOERROR: A 10.100.10.200");
    let aaaa = Query { qtype: RType::AAAA, ..Query::a(VPC, "portal.technova.com") };
    assert_eq!(world.ask(&aaaa).text(), "NOERROR", "a name that has records is not looked up elsewhere");
    assert!(public.asked().is_empty());
}

#[test]
fn nxdomain_is_said_only_if_no_layer_has_the_name() {
    let public = StandIn::start("");
    let world = World::new(OVERLAY, &[&public]);
    assert_eq!(world.a(VPC, "nothere.portal.technova.com").text(), "NXDOMAIN");
    let merged = world.a(VPC, "empty.portal.technova.com");
    assert_eq!(merged.text(), "NOERROR", "the overlay has a name below it");
    assert_eq!(public.asked(), ["nothere.portal.technova.com. A", "empty.portal.technova.com. A"]);
    assert_eq!(merged.message.authority.len(), 1);
}

#[test]
fn an_empty_non_terminal_here_does_not_hide_the_records_that_the_name_has_outside() {
    let public = StandIn::start("empty.portal.technova.com 60 A 198.51.100.3");
    let world = World::new(OVERLAY, &[&public]);
    assert_eq!(world.a(VPC, "empty.portal.technova.com").text(), "NOERROR: A 198.51.100.3");
}

#[test]
fn an_alias_whose_target_the_overlay_lacks_is_followed_outside() {
    let public = StandIn::start("nothere.portal.technova.com 60 A 198.51.100.4");
    let world = World::new(OVERLAY, &[&public]);
    assert_eq!(
        world.a(VPC, "alias.portal.technova.com").text(),
        "NOERROR: CNAME nothere.portal.technova.com.; A 198.51.100.4"
    );
}

/// Two layers outside: the first falls through.
const TWO_UPSTREAMS: &str = r#"
[[rule]]
domain = "technova.com"
forward = "up0"
visible-to = ["vpc"]
fall-through = true
[[rule]]
domain = "."
forward = "up1"
visible-to = ["vpc"]
"#;

#[test]
fn a_forwarded_alias_exists_even_if_its_target_does_not() {
    let first = StandIn::start("a.technova.com 60 CNAME b.technova.com");
    let second = StandIn::start("a.technova.com 60 A 198.51.100.5\nb.technova.com 60 A 198.51.100.6");
    let world = World::new(TWO_UPSTREAMS, &[&first, &second]);
    // The first layer has `a`: only `b` falls through.
    assert_eq!(world.a(VPC, "a.technova.com").text(), "NOERROR: CNAME b.technova.com.; A 198.51.100.6");
}

#[test]
fn an_alias_to_nothing_below_an_empty_non_terminal_is_nxdomain_still() {
    let configuration = r#"
file: t.zone
x.a A 10.0.0.1
end
[[zone]]
domain = "technova.com"
file = "t.zone"
visible-to = ["vpc"]
fall-through = true
[[rule]]
domain = "."
forward = "up0"
visible-to = ["vpc"]
"#;
    let public = StandIn::start("a.technova.com 60 CNAME b.example.com");
    let world = World::new(configuration, &[&public]);
    assert_eq!(world.a(VPC, "a.technova.com").text(), "NXDOMAIN: CNAME b.example.com.");
}

#[test]
fn a_name_that_another_layer_may_have_is_not_denied_to_who_wants_no_recursion() {
    let public = StandIn::start("docs.portal.technova.com 60 A 198.51.100.1");
    let world = World::new(OVERLAY, &[&public]);
    let reply = world.ask(&Query { flags: 0, ..Query::a(VPC, "docs.portal.technova.com") });
    assert_eq!((reply.text(), reply.ede()), ("REFUSED".into(), vec![20]));
    assert!(public.asked().is_empty());
}

#[test]
fn a_refusal_of_the_next_layer_is_a_refusal() {
    let configuration = r#"
file: s.zone
here A 10.0.0.1
end
[[zone]]
domain = "service.technova.local"
file = "s.zone"
visible-to = ["vpc", "onprem"]
fall-through = true
[[rule]]
domain = "technova.local"
refuse = true
visible-to = ["onprem"]
"#;
    let world = World::new(configuration, &[]);
    assert_eq!(world.a(ONPREM, "here.service.technova.local").text(), "NOERROR: A 10.0.0.1");
    assert_eq!(world.a(ONPREM, "nothere.service.technova.local").text(), "REFUSED");
    assert_eq!(
        world.a(VPC, "nothere.service.technova.local").text(),
        "NXDOMAIN",
        "nothing is below it there"
    );
}

/// A zone that delegates, a refusal above it, the root outside.
const DELEGATION: &str = r#"
file: c.zone
aws NS ns1.aws
ns1.aws A 10.0.0.53
end
[[zone]]
domain = "technova.com"
file = "c.zone"
visible-to = ["any"]
[[rule]]
domain = "com"
refuse = true
visible-to = ["onprem"]
[[rule]]
domain = "."
forward = "up0"
visible-to = ["vpc", "onprem"]
"#;

#[test]
fn below_a_zone_cut_a_client_that_wants_recursion_gets_the_answer_and_others_a_referral() {
    let public = StandIn::start("x.aws.technova.com 60 A 198.51.100.7");
    let world = World::new(DELEGATION, &[&public]);
    assert_eq!(world.a(VPC, "x.aws.technova.com").text(), "NOERROR: A 198.51.100.7");
    for query in
        [Query { flags: 0, ..Query::a(VPC, "x.aws.technova.com") }, Query::a(EXTERNAL, "x.aws.technova.com")]
    {
        let reply = world.ask(&query);
        assert!(reply.message.answer.is_empty() && !reply.has(flag::AA));
        assert_eq!(reply.message.authority.iter().next().unwrap().rtype, RType::NS);
        assert_eq!(reply.message.additional.len(), 1, "its glue comes along");
    }
}

#[test]
fn a_refusal_between_a_zone_cut_and_the_outside_is_not_stepped_over() {
    let public = StandIn::start("x.aws.technova.com 60 A 198.51.100.7");
    let world = World::new(DELEGATION, &[&public]);
    assert_eq!(world.a(ONPREM, "x.com").text(), "REFUSED");
    let reply = world.a(ONPREM, "x.aws.technova.com");
    assert!(public.asked().is_empty(), "com is refused to it");
    assert_eq!(reply.message.authority.iter().next().unwrap().rtype, RType::NS, "what the zone itself knows");
}
