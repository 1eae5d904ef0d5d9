//! RFC 4592: the example zone of §2.2.1 with every query that the RFC asks of it, and wildcards beyond it.

use kakehashi::query::{Order, Owns, Verdict};
use kakehashi::wire::{RType, rcode};
use kakehashi::zone::Zone;

use crate::{ask, lines, name, zone, zone_with};

fn example() -> Zone {
    zone(
        "example",
        r#"$ORIGIN example.
example.                 3600 IN  SOA   ns.example.com. hostmaster.example.com. 1 7200 900 1209600 300
example.                 3600     NS    ns.example.com.
example.                 3600     NS    ns.example.net.
*.example.               3600     TXT   "this is a wildcard"
*.example.               3600     MX    10 host1.example.
sub.*.example.           3600     TXT   "this is not a wildcard"
host1.example.           3600     A     192.0.2.1
_ssh._tcp.host1.example. 3600     SRV   0 0 22 host1.example.
_ssh._tcp.host2.example. 3600     SRV   0 0 22 host1.example.
subdel.example.          3600     NS    ns.example.com.
subdel.example.          3600     NS    ns.example.net.
"#,
    )
}

#[test]
fn host3_mx_is_synthesized_from_the_wildcard() {
    let (response, verdict) = ask(&example(), "host3.example", RType::MX);
    assert_eq!(verdict, Verdict::Answer);
    assert_eq!(lines(&response.answer), ["host3.example. 3600 MX host1.example."]);
    assert_eq!(lines(&response.additional), ["host1.example. 3600 A 192.0.2.1"]);
    assert!(response.authoritative);
}

#[test]
fn host3_a_is_no_data_because_the_wildcard_has_no_address() {
    let (response, verdict) = ask(&example(), "host3.example", RType::A);
    assert_eq!(verdict, Verdict::NoData(Owns::Records));
    assert_eq!(response.rcode, rcode::NOERROR);
    assert_eq!(lines(&response.authority), ["example. 300 SOA …"]);
}

#[test]
fn foo_bar_txt_is_synthesized_because_bar_does_not_exist() {
    let (response, verdict) = ask(&example(), "foo.bar.example", RType::TXT);
    assert_eq!(verdict, Verdict::Answer);
    assert_eq!(lines(&response.answer), ["foo.bar.example. 3600 TXT this is a wildcard"]);
}

#[test]
fn host1_mx_is_not_synthesized_because_host1_exists() {
    assert_eq!(ask(&example(), "host1.example", RType::MX).1, Verdict::NoData(Owns::Records));
}

#[test]
fn sub_wildcard_mx_is_not_synthesized_because_the_name_exists() {
    assert_eq!(ask(&example(), "sub.*.example", RType::MX).1, Verdict::NoData(Owns::Records));
}

#[test]
fn telnet_srv_is_not_synthesized_because_tcp_host1_exists() {
    let (response, verdict) = ask(&example(), "_telnet._tcp.host1.example", RType::SRV);
    assert_eq!((verdict, response.rcode), (Verdict::NxDomain, rcode::NXDOMAIN));
    assert_eq!(lines(&response.authority), ["example. 300 SOA …"]);
}

#[test]
fn host_subdel_a_is_a_referral_because_subdel_is_a_zone_cut() {
    let (response, verdict) = ask(&example(), "host.subdel.example", RType::A);
    assert_eq!((verdict, response.authoritative), (Verdict::Referral, false));
    assert_eq!(
        lines(&response.authority),
        ["subdel.example. 3600 NS ns.example.com.", "subdel.example. 3600 NS ns.example.net."]
    );
}

#[test]
fn ghost_wildcard_mx_is_not_synthesized_because_the_wildcard_name_exists() {
    assert_eq!(ask(&example(), "ghost.*.example", RType::MX).1, Verdict::NxDomain);
}

#[test]
fn an_empty_non_terminal_blocks_the_wildcard_and_is_no_data() {
    // RFC 4592 §2.2.2, §4.9: _tcp.host2.example owns nothing, yet it exists, and so does host2.example.
    for qname in ["_tcp.host2.example", "host2.example"] {
        assert_eq!(ask(&example(), qname, RType::TXT).1, Verdict::NoData(Owns::Structure), "{qname}");
    }
    assert_eq!(ask(&example(), "other.host2.example", RType::TXT).1, Verdict::NxDomain);
}

#[test]
fn the_wildcard_name_itself_can_be_asked() {
    let (response, verdict) = ask(&example(), "*.example", RType::TXT);
    assert_eq!(verdict, Verdict::Answer);
    assert_eq!(lines(&response.answer), ["*.example. 3600 TXT this is a wildcard"]);
}

#[test]
fn a_synthesized_owner_has_the_letter_case_of_the_query() {
    let response = ask(&example(), "HoSt3.eXample", RType::TXT).0;
    assert_eq!(response.answer.iter().next().unwrap().owner.wire(), name("HoSt3.eXample").wire());
    assert_eq!(response.order, Order::Rotate);
}

#[test]
fn a_wildcard_that_only_has_names_below_it_is_no_data() {
    // RFC 4592 §3.3.1: the source of synthesis exists, though it owns nothing.
    let zone = zone_with("technova.internal", "a.*.shop A 10.1.30.100\n");
    assert_eq!(ask(&zone, "order.shop.technova.internal", RType::A).1, Verdict::NoData(Owns::Structure));
}

#[test]
fn a_wildcard_alias_is_an_alias_of_every_name_below() {
    // RFC 4592 §4.3
    let zone = zone_with("technova.internal", "*.dkr CNAME registry.technova.com.\n");
    let (response, verdict) = ask(&zone, "123456789012.dkr.technova.internal", RType::AAAA);
    assert_eq!(verdict, Verdict::Alias(name("registry.technova.com")));
    assert_eq!(
        lines(&response.answer),
        ["123456789012.dkr.technova.internal. 300 CNAME registry.technova.com."]
    );
    assert_eq!(ask(&zone, "a.b.dkr.technova.internal", RType::CNAME).1, Verdict::Answer);
    assert_eq!(ask(&zone, "dkr.technova.internal", RType::A).1, Verdict::NoData(Owns::Structure));
}

#[test]
fn only_the_wildcard_of_the_closest_encloser_counts() {
    let zone = zone_with("technova.internal", "* A 10.0.0.1\nshop A 10.0.0.2\n");
    assert_eq!(ask(&zone, "x.y.technova.internal", RType::A).1, Verdict::Answer);
    assert_eq!(ask(&zone, "x.shop.technova.internal", RType::A).1, Verdict::NxDomain);
}
