//! What the upstream says of its domain reaches the client as it was said, and nothing else does.

use std::net::{Ipv4Addr, SocketAddr};

use kakehashi::upstream::{Ask, Group, Spec};
use kakehashi::wire::request::Parsed;
use kakehashi::wire::{Ede, Name, RType, Request, flag, rcode};

use crate::group::{ask_for, at, group, question, spec};
use crate::stand_in::StandIn;

const QNAME: &str = "user.technova.local";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn do_cd_and_ad_are_asked_as_the_client_asked() {
    let server = StandIn::replying(|asked| asked.address(1));
    let group = group(&[server.address]);
    let flags = |nth: usize| {
        let asked = server.asked()[nth].clone();
        let Parsed::Query(request) = Request::parse(&asked.bytes) else { panic!("a query") };
        (request.dnssec_ok(), request.flags & flag::CD != 0, request.flags & flag::AD != 0)
    };
    let plain = question();
    for (nth, ask) in [
        plain.clone(),
        Ask { dnssec_ok: true, ..plain.clone() },
        Ask { checking_disabled: true, ..plain.clone() },
        Ask { authentic_wanted: true, ..plain },
    ]
    .into_iter()
    .enumerate()
    {
        ask_for(&group, &ask).unwrap();
        assert_eq!(flags(nth), (ask.dnssec_ok, ask.checking_disabled, ask.authentic_wanted));
    }
}

#[test]
fn order_unknown_types_ad_and_extended_errors_come_through() {
    let unknown = RType(65_399);
    let server = StandIn::replying(move |asked| {
        let mut answer = asked.answer();
        answer.flags |= flag::AD;
        answer.ede = vec![Ede::new(4, "forged answer"), Ede::new(49_152, "private")];
        [3, 1, 2].into_iter().fold(answer, |answer, n| answer.record(QNAME, unknown, &[n; 5])).bytes()
    });
    let ask = Ask { qtype: unknown, ..question() };
    let response = ask_for(&group(&[server.address]), &ask).unwrap().response;
    let data: Vec<u8> = response.answer.iter().map(|record| record.rdata[0]).collect();
    assert_eq!(data, [3, 1, 2]);
    assert!(response.authentic && !response.authoritative);
    let codes: Vec<u16> = response.ede.iter().map(|ede| ede.code).collect();
    assert_eq!(codes, [4, 49_152]);
}

#[test]
fn other_rcodes_come_through() {
    for code in [rcode::NXDOMAIN, 6, 9, 22] {
        let server = StandIn::replying(move |asked| asked.code(code));
        assert_eq!(ask_for(&group(&[server.address]), &question()).unwrap().response.rcode, code);
    }
}

#[test]
fn sixty_services_come_whole_over_tcp() {
    let server = StandIn::replying(|asked| {
        let mut answer = asked.answer();
        if asked.via == crate::stand_in::Via::Udp {
            answer.flags |= flag::TC;
            return answer.bytes();
        }
        let target = name("dc01.technova.local");
        let services = (0..60u8).map(|n| [&[0, 0, 0, n, 1, 133][..], target.wire()].concat());
        services.fold(answer, |answer, rdata| answer.record(QNAME, RType::SRV, &rdata)).bytes()
    });
    let ask = Ask { qtype: RType::SRV, ..question() };
    let answered = ask_for(&group(&[server.address]), &ask).unwrap();
    assert_eq!((answered.response.answer.len(), answered.tcp), (60, true));
}

#[test]
fn an_alias_out_of_the_domain_comes_alone() {
    let server = StandIn::replying(|asked| {
        let target = name("d1.cloudfront.net");
        asked
            .answer()
            .record("www.bank.example", RType::A, &[6, 6, 6, 6])
            .record(QNAME, RType::CNAME, target.wire())
            .record("d1.cloudfront.net", RType::A, &[6, 6, 6, 6])
            .bytes()
    });
    let response = ask_for(&group(&[server.address]), &question()).unwrap().response;
    let kept: Vec<RType> = response.answer.iter().map(|record| record.rtype).collect();
    assert_eq!(kept, [RType::CNAME]);
}

#[test]
fn queries_leave_from_the_address_that_is_configured() {
    let server = StandIn::replying(|asked| {
        let mut answer = asked.answer();
        if asked.via == crate::stand_in::Via::Udp {
            answer.flags |= flag::TC;
            return answer.bytes();
        }
        asked.address(1)
    });
    let source = Ipv4Addr::new(127, 0, 0, 20);
    let group = Group::new(Spec { source_v4: Some(source), ..spec(&[server.address]) }, None);
    ask_for(&group, &question()).unwrap();
    let sources: Vec<_> = server.asked().iter().map(|asked| asked.from.ip()).collect();
    assert_eq!(sources, [source, source]);
}

#[test]
fn a_source_address_that_is_not_ours_is_our_fault_and_not_the_servers() {
    let server = StandIn::replying(|asked| asked.address(1));
    let source = Some(Ipv4Addr::new(192, 0, 2, 1));
    let group = Group::new(Spec { source_v4: source, ..spec(&[server.address]) }, None);
    ask_for(&group, &question()).unwrap_err();
    let status = &group.status(at(1)).servers[0];
    assert_eq!((status.counts.tally.local_errors, status.counts.tally.unreachable), (1, 0));
    assert_eq!(status.health.state, kakehashi::health::State::Up);
}

#[test]
fn servers_may_have_ipv6_addresses() {
    let Ok(socket) = std::net::UdpSocket::bind("[::1]:0") else { return };
    let address: SocketAddr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        buffer[2] |= 0x80;
        socket.send_to(&buffer[..length], from).unwrap();
    });
    assert!(ask_for(&group(&[address]), &question()).unwrap().response.answer.is_empty());
}
