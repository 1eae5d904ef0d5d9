//! Answers as RFC 1034 §4.3.2, 2308, 6672, 8482 and 9471 want them from an authoritative server.

use kakehashi::query::{Order, Owns, Verdict};
use kakehashi::wire::{RType, rcode};
use kakehashi::zone::Zone;

use crate::{ask, lines, name, zone_with};

fn technova() -> Zone {
    zone_with(
        "technova.internal",
        "portal          A     10.100.10.200
                         TXT   \"the portal, seen by VPCs and on-prem, in a text that is long\"
         resolver.network A    10.150.20.10
         resolver.network A    10.150.20.11
         planning.manufacturing 60 A   10.0.30.100
         planning.manufacturing 60 SRV 0 0 9090 planning.manufacturing
         planning.manufacturing 60 SRV 0 1 9090 PLANNING.manufacturing
         elsewhere       SRV   0 0 443 portal.technova.com.
         nowhere         SRV   0 0 0 .
         web             HTTPS 1 . alpn=h2
         web             A     10.100.10.201
         www             CNAME portal
         out             CNAME portal.technova.com.
         old             DNAME technova.com.
         shop            NS    ns.shop
         shop            NS    ns
         shop            NS    ns.technova.com.
         shop            DS    60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A
         ns.shop         A     10.1.30.1
         ns.shop         AAAA  2001:db8::1
         mail            MX    10 ns.shop
"
        .replace("\n         ", "\n")
        .as_str(),
    )
}

#[test]
fn a_name_that_has_the_type_is_answered_with_authority() {
    let (response, verdict) = ask(&technova(), "Portal.TechNova.internal", RType::A);
    assert_eq!((verdict, response.rcode), (Verdict::Answer, rcode::NOERROR));
    assert!(response.authoritative && response.authority.is_empty());
    assert_eq!(lines(&response.answer), ["Portal.TechNova.internal. 300 A 10.100.10.200"]);
}

#[test]
fn several_addresses_may_rotate() {
    let response = ask(&technova(), "resolver.network.technova.internal", RType::A).0;
    assert_eq!((response.answer.len(), response.order), (2, Order::Rotate));
}

#[test]
fn a_service_brings_the_address_of_its_target_once() {
    let response = ask(&technova(), "planning.manufacturing.technova.internal", RType::SRV).0;
    assert_eq!(response.answer.len(), 2);
    assert_eq!(lines(&response.additional), ["planning.manufacturing.technova.internal. 60 A 10.0.30.100"]);
    for qname in ["elsewhere.technova.internal", "nowhere.technova.internal"] {
        assert!(ask(&technova(), qname, RType::SRV).0.additional.is_empty(), "{qname}");
    }
}

#[test]
fn a_service_binding_to_itself_brings_its_own_address() {
    let response = ask(&technova(), "web.technova.internal", RType::HTTPS).0;
    assert_eq!(lines(&response.additional), ["web.technova.internal. 300 A 10.100.10.201"]);
}

#[test]
fn the_apex_has_its_own_servers_with_addresses() {
    let (response, verdict) = ask(&technova(), "technova.internal", RType::NS);
    assert_eq!((verdict, response.authoritative), (Verdict::Answer, true));
    assert_eq!(lines(&response.answer), ["technova.internal. 300 NS ns.technova.internal."]);
    assert_eq!(lines(&response.additional), ["ns.technova.internal. 300 A 10.150.20.10"]);
}

#[test]
fn no_data_carries_the_soa_for_the_time_of_its_minimum() {
    // RFC 2308 §2.2, §3
    let (response, verdict) = ask(&technova(), "portal.technova.internal", RType::AAAA);
    assert_eq!((verdict, response.rcode), (Verdict::NoData(Owns::Records), rcode::NOERROR));
    assert!(response.authoritative && response.answer.is_empty());
    assert_eq!(lines(&response.authority), ["technova.internal. 60 SOA …"]);
    assert_eq!(response.negative_ttl(), Some(60));
}

#[test]
fn a_soa_that_lives_shorter_than_its_minimum_limits_the_negative_answer() {
    // RFC 2308 §5
    let zone = crate::zone("technova.internal", "@ 30 SOA ns.a. hm.a. 7 7200 900 1209600 60\n@ NS ns.a.\n");
    assert_eq!(
        lines(&ask(&zone, "x.technova.internal", RType::A).0.authority),
        ["technova.internal. 30 SOA …"]
    );
    assert_eq!(lines(&ask(&zone, "technova.internal", RType::SOA).0.answer), ["technova.internal. 30 SOA …"]);
}

#[test]
fn a_name_that_does_not_exist_is_nxdomain_with_the_soa() {
    // RFC 2308 §2.1
    let (response, verdict) = ask(&technova(), "no.such.name.technova.internal", RType::A);
    assert_eq!((verdict, response.rcode), (Verdict::NxDomain, rcode::NXDOMAIN));
    assert!(response.authoritative);
    assert_eq!(lines(&response.authority), ["technova.internal. 60 SOA …"]);
}

#[test]
fn what_exists_only_for_the_sake_of_other_names_is_structure() {
    let zone = technova();
    for qname in ["network.technova.internal", "technova.internal"] {
        let (response, verdict) = ask(&zone, qname, RType::A);
        assert_eq!((verdict, response.rcode), (Verdict::NoData(Owns::Structure), rcode::NOERROR), "{qname}");
    }
    let apex_with_records = zone_with("portal.technova.com", "@ A 10.100.10.200\n");
    assert_eq!(ask(&apex_with_records, "portal.technova.com", RType::AAAA).1, Verdict::NoData(Owns::Records));
}

#[test]
fn an_alias_is_answered_alone_and_names_what_is_to_be_asked_next() {
    let (response, verdict) = ask(&technova(), "www.technova.internal", RType::A);
    assert_eq!(verdict, Verdict::Alias(name("portal.technova.internal")));
    assert_eq!(lines(&response.answer), ["www.technova.internal. 300 CNAME portal.technova.internal."]);
    assert_eq!(
        ask(&technova(), "out.technova.internal", RType::SRV).1,
        Verdict::Alias(name("portal.technova.com"))
    );
}

#[test]
fn an_alias_that_is_itself_asked_for_is_an_answer() {
    for qtype in [RType::CNAME, RType::ANY] {
        let (response, verdict) = ask(&technova(), "www.technova.internal", qtype);
        assert_eq!((verdict, response.answer.len()), (Verdict::Answer, 1));
    }
}

#[test]
fn any_is_one_rrset_and_not_the_largest() {
    // RFC 8482 §4.1
    let (response, verdict) = ask(&technova(), "portal.technova.internal", RType::ANY);
    assert_eq!(verdict, Verdict::Answer);
    assert_eq!(lines(&response.answer), ["portal.technova.internal. 300 A 10.100.10.200"]);
    assert_eq!(ask(&technova(), "network.technova.internal", RType::ANY).1, Verdict::NoData(Owns::Structure));
}

#[test]
fn at_and_below_a_zone_cut_the_answer_is_a_referral_with_glue() {
    // RFC 1034 §4.3.2 step 3b, RFC 9471 §3.1
    for (qname, qtype) in [
        ("shop.technova.internal", RType::A),
        ("shop.technova.internal", RType::NS),
        ("shop.technova.internal", RType::ANY),
        ("ns.shop.technova.internal", RType::A),
        ("order.shop.technova.internal", RType::DS),
    ] {
        let (response, verdict) = ask(&technova(), qname, qtype);
        assert_eq!(
            (verdict, response.authoritative, response.rcode),
            (Verdict::Referral, false, 0),
            "{qname} {qtype}"
        );
        assert!(response.answer.is_empty());
        assert_eq!(
            lines(&response.authority),
            [
                "shop.technova.internal. 300 NS ns.shop.technova.internal.",
                "shop.technova.internal. 300 NS ns.technova.internal.",
                "shop.technova.internal. 300 NS ns.technova.com.",
            ]
        );
        assert_eq!(
            lines(&response.additional),
            [
                "ns.shop.technova.internal. 300 A 10.1.30.1",
                "ns.shop.technova.internal. 300 AAAA 20010db8000000000000000000000001",
                "ns.technova.internal. 300 A 10.150.20.10",
            ]
        );
    }
}

#[test]
fn ds_of_a_zone_cut_is_the_parents_to_answer() {
    // RFC 4035 §3.1.4.1
    let (response, verdict) = ask(&technova(), "shop.technova.internal", RType::DS);
    assert_eq!((verdict, response.authoritative), (Verdict::Answer, true));
    let unsigned = zone_with("technova.internal", "shop NS ns\n");
    let (response, verdict) = ask(&unsigned, "shop.technova.internal", RType::DS);
    assert_eq!(verdict, Verdict::NoData(Owns::Records));
    assert_eq!(lines(&response.authority), ["technova.internal. 60 SOA …"]);
}

#[test]
fn the_topmost_zone_cut_counts() {
    let zone = zone_with("technova.internal", "shop NS ns\nns.shop A 10.0.0.1\nold.shop NS ns.shop\n");
    let response = ask(&zone, "x.old.shop.technova.internal", RType::A).0;
    assert_eq!(lines(&response.authority), ["shop.technova.internal. 300 NS ns.technova.internal."]);
}

#[test]
fn what_lies_below_a_zone_cut_goes_along_as_glue_only() {
    let response = ask(&technova(), "mail.technova.internal", RType::MX).0;
    assert!(response.additional.is_empty() && !response.answer.is_empty());
}

#[test]
fn a_dname_redirects_what_is_below_it() {
    // RFC 6672 §2.2, §3.1
    let (response, verdict) = ask(&technova(), "a.Portal.old.technova.internal", RType::A);
    assert_eq!(verdict, Verdict::Alias(name("a.portal.technova.com")));
    assert!(response.authoritative);
    assert_eq!(
        lines(&response.answer),
        [
            "old.technova.internal. 300 DNAME technova.com.",
            "a.Portal.old.technova.internal. 300 CNAME a.Portal.technova.com."
        ]
    );
}

#[test]
fn a_dname_does_not_redirect_its_owner() {
    // RFC 6672 §2.3
    assert_eq!(ask(&technova(), "old.technova.internal", RType::A).1, Verdict::NoData(Owns::Records));
    assert_eq!(ask(&technova(), "old.technova.internal", RType::DNAME).1, Verdict::Answer);
}

#[test]
fn the_synthesized_cname_answers_a_query_for_it() {
    let (response, verdict) = ask(&technova(), "a.old.technova.internal", RType::CNAME);
    assert_eq!((verdict, response.answer.len()), (Verdict::Answer, 2));
}

#[test]
fn a_redirection_to_too_long_a_name_is_yxdomain() {
    // RFC 6672 §2.2: the answer has the DNAME, and nothing synthesized.
    let (long, label) = (["x".repeat(62), "y".repeat(62), "z".repeat(62)].join("."), "l".repeat(60));
    let zone = zone_with("technova.internal", &format!("old DNAME {long}.\n"));
    let qname = format!("{label}.{label}.old.technova.internal");
    let (response, verdict) = ask(&zone, &qname, RType::A);
    assert_eq!((verdict, response.rcode), (Verdict::Error(6), 6));
    assert_eq!(lines(&response.answer), [format!("old.technova.internal. 300 DNAME {long}.")]);
    assert_eq!(ask(&zone, &format!("{}.old.technova.internal", "l".repeat(63)), RType::A).1.clone(), {
        Verdict::Alias(name(&format!("{}.{long}", "l".repeat(63))))
    });
}

#[test]
fn a_dname_to_the_root_takes_its_owner_away() {
    let zone = zone_with("technova.internal", "old DNAME .\n");
    assert_eq!(ask(&zone, "www.com.old.technova.internal", RType::A).1, Verdict::Alias(name("www.com")));
}

#[test]
fn a_dname_at_the_apex_redirects_the_whole_zone() {
    let text = "@ 60 SOA ns.a. hm.a. 7 7200 900 1209600 60\n@ 60 NS ns.a.\n@ 60 DNAME technova.internal.\n";
    let zone = crate::zone("technova.example", text);
    assert_eq!(
        ask(&zone, "portal.technova.example", RType::A).1,
        Verdict::Alias(name("portal.technova.internal"))
    );
    assert_eq!(ask(&zone, "technova.example", RType::SOA).1, Verdict::Answer);
}

#[test]
fn the_root_can_be_a_zone() {
    let zone = zone_with(".", "com NS ns.com\nns.com A 10.0.0.1\n* TXT \"any\"\n");
    assert_eq!(ask(&zone, ".", RType::SOA).1, Verdict::Answer);
    assert_eq!(ask(&zone, "technova.com", RType::A).1, Verdict::Referral);
    assert_eq!(ask(&zone, "technova.local", RType::TXT).1, Verdict::Answer);
}
