//! DNS cookies towards upstreams (RFC 7873 §5): shown to servers, learned from them, demanded once they are known.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use kakehashi::exchange::Exchange;
use kakehashi::query::{Path, Transport};
use kakehashi::server::testing::street;
use kakehashi::upstream::{Answered, Cookies, Group, Spec};
use kakehashi::wire::message::Message;
use kakehashi::wire::rcode;

use crate::bind::Bind;
use crate::group::{ask, at, group, hasty, question, run, spec, who};
use crate::stand_in::{Answer, Asked, StandIn, Via};

/// What a server of the tests gives: our part and its own.
fn given(asked: &Asked, own: &[u8]) -> Option<Vec<u8>> {
    let (client, _) = asked.cookie()?;
    Some([&client[..], own].concat())
}

/// The answer with this cookie.
fn with(asked: &Asked, cookie: Option<Vec<u8>>) -> Vec<u8> {
    Answer { cookie, ..asked.answer() }.address(1)
}

/// A server that gives its cookie, and says BADCOOKIE to who does not show it.
fn demanding(own: impl Fn() -> Vec<u8> + Send + 'static) -> StandIn {
    StandIn::replying(move |asked| {
        let cookie = given(asked, &own());
        match asked.cookie() {
            Some((_, shown)) if shown != own() => {
                Answer { cookie, rcode: rcode::BADCOOKIE, ..asked.answer() }.bytes()
            }
            _ => with(asked, cookie),
        }
    })
}

fn ask_at(group: &Group, seconds: u64) -> Answered {
    run(group.ask(&question(), &Exchange::new(), at(seconds))).unwrap()
}

/// What each query showed of the server's; nothing for those without a cookie.
fn shown(server: &StandIn) -> Vec<Option<Vec<u8>>> {
    server.asked().iter().map(|asked| Some(asked.cookie()?.1)).collect()
}

fn fallbacks(group: &Group) -> (u64, u64) {
    let tally = group.status(at(1)).servers[0].counts.tally;
    (tally.cookie_fallbacks, tally.tcp_fallbacks)
}

#[test]
fn bind_that_demands_its_cookie_is_asked_once_more_and_then_answers_at_once() {
    let Some(bind) = Bind::start("require-server-cookie yes;") else { return };
    let group = group(&[bind.address]);
    for _ in 0..5 {
        assert_eq!(who(&ask(&group).unwrap().response), 1);
        assert_eq!(fallbacks(&group), (1, 0));
    }
    let without = Group::new(Spec { cookies: Cookies::Off, ..spec(&[bind.address]) }, None);
    assert_eq!(who(&ask(&without).unwrap().response), 1);
    assert_eq!(fallbacks(&without), (0, 0));
}

#[test]
fn bind_without_cookies_answers_as_ever() {
    let Some(bind) = Bind::start("answer-cookie no;") else { return };
    let group = group(&[bind.address]);
    for _ in 0..3 {
        assert_eq!(who(&ask(&group).unwrap().response), 1);
    }
    assert_eq!(fallbacks(&group), (0, 0));
}

#[test]
fn what_a_server_gave_is_shown_to_it_from_then_on() {
    let server = StandIn::replying(|asked| with(asked, given(asked, b"octets16octets16")));
    let group = group(&[server.address]);
    for _ in 0..3 {
        assert_eq!(who(&ask(&group).unwrap().response), 1);
    }
    let known = Some(b"octets16octets16".to_vec());
    assert_eq!(shown(&server), [Some(vec![]), known.clone(), known]);
    let parts: Vec<_> = server.asked().iter().map(|asked| asked.cookie().unwrap().0).collect();
    assert!(parts.iter().all(|part| *part == parts[0] && *part != [0; 8]));
    assert_eq!(fallbacks(&group), (0, 0));
}

#[test]
fn a_server_that_changes_its_cookie_gets_the_new_one_at_once() {
    let own = Arc::new(Mutex::new(vec![1; 8]));
    let theirs = own.clone();
    let server = demanding(move || theirs.lock().unwrap().clone());
    let group = group(&[server.address]);
    ask(&group).unwrap();
    *own.lock().unwrap() = vec![2; 32];
    assert_eq!(who(&ask(&group).unwrap().response), 1);
    assert_eq!(shown(&server), [Some(vec![]), Some(vec![1; 8]), Some(vec![1; 8]), Some(vec![2; 32])]);
    assert_eq!(fallbacks(&group), (2, 0));
}

#[test]
fn a_server_that_no_cookie_pleases_is_asked_over_tcp() {
    let turn = Mutex::new(0_u8);
    let server = StandIn::replying(move |asked| {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        let cookie = given(asked, &[*turn; 8]);
        match asked.via {
            Via::Udp => Answer { cookie, rcode: rcode::BADCOOKIE, ..asked.answer() }.bytes(),
            Via::Tcp => with(asked, cookie),
        }
    });
    let group = group(&[server.address]);
    let answered = ask(&group).unwrap();
    assert_eq!((who(&answered.response), answered.tcp), (1, true));
    let via: Vec<Via> = server.asked().iter().map(|asked| asked.via).collect();
    assert_eq!(via, [Via::Udp, Via::Udp, Via::Tcp]);
}

#[test]
fn badcookie_without_a_cookie_is_asked_over_tcp_and_a_server_that_says_it_there_too_has_failed() {
    let server = StandIn::replying(|asked| asked.code(rcode::BADCOOKIE));
    let failed = ask(&group(&[server.address])).unwrap_err();
    assert_eq!(failed.rcode, Some(rcode::BADCOOKIE));
    let via: Vec<Via> = server.asked().iter().map(|asked| asked.via).collect();
    assert_eq!(via, [Via::Udp, Via::Tcp]);
}

#[test]
fn anothers_cookie_and_a_malformed_one_are_waited_past() {
    for wrong in [&[7; 16][..], &[7; 7], &[7; 12], &[7; 41]] {
        let server = StandIn::new(move |asked| {
            let good = with(asked, given(asked, &[9; 16]));
            let forged = Answer { cookie: Some(wrong.to_vec()), ..asked.answer() }.address(66);
            if asked.nth < 2 { vec![forged, good] } else { vec![good] }
        });
        let group = group(&[server.address]);
        let first = ask(&group).unwrap();
        assert_eq!((who(&first.response), first.tcp), (1, false));
        // Of a server that is known what does not prove itself is asked for where it cannot be forged.
        let second = ask(&group).unwrap();
        assert_eq!((who(&second.response), second.tcp), (1, wrong.len() == 16));
    }
}

#[test]
fn a_known_server_that_garbles_all_its_cookies_is_asked_without() {
    let garbles = Arc::new(AtomicBool::new(false));
    let does = garbles.clone();
    let server = StandIn::replying(move |asked| {
        let cookie =
            given(asked, &[9; 16]).map(|cookie| if does.load(Relaxed) { vec![7; 24] } else { cookie });
        with(asked, cookie)
    });
    let group = group(&[server.address]);
    ask_at(&group, 1);
    garbles.store(true, Relaxed);
    let tcp: Vec<bool> = [2, 3, 4, 601].map(|seconds| ask_at(&group, seconds).tcp).into();
    assert_eq!(tcp, [true, false, false, false]);
    assert_eq!(fallbacks(&group), (2, 2));
    assert_eq!(group.status(at(5)).servers[0].spared, ["cookies"]);
    let cookies: Vec<bool> = server.asked().iter().map(|asked| asked.cookie().is_some()).collect();
    // Known, garbled over UDP, garbled over TCP, TCP without, and without from then on.
    assert_eq!(cookies, [true, true, true, false, false, false, false]);
    garbles.store(false, Relaxed);
    assert!(!ask_at(&group, 603).tcp, "later it is tried again");
    assert!(server.asked().last().unwrap().cookie().is_some());
    assert_eq!(group.status(at(603)).servers[0].spared, [] as [&str; 0]);
}

/// A forwarder that keeps OPT records with what it caches does so; over TCP it asks anew.
#[test]
fn a_known_server_that_returns_others_cookies_over_udp_alone_is_asked_without() {
    let server = StandIn::replying(|asked| match asked.via {
        Via::Udp if asked.nth > 0 && asked.cookie().is_some() => with(asked, Some(vec![7; 24])),
        _ => with(asked, given(asked, &[9; 16])),
    });
    let group = hasty(&[server.address]);
    for _ in 0..5 {
        assert_eq!(who(&ask(&group).unwrap().response), 1);
    }
    // Known; not ours, so over TCP; not ours again and so as good as silent; without from then on.
    let how: Vec<(Via, bool)> =
        server.asked().iter().map(|asked| (asked.via, asked.cookie().is_some())).collect();
    assert_eq!(how[..4], [(Via::Udp, true), (Via::Udp, true), (Via::Tcp, true), (Via::Udp, true)]);
    assert!(how[4..].iter().all(|how| *how == (Via::Udp, false)) && how.len() == 7, "{how:?}");
}

#[test]
fn from_a_server_that_gives_cookies_an_answer_without_is_not_believed() {
    let server = StandIn::new(|asked| {
        let good = with(asked, given(asked, &[9; 16]));
        let forged = Answer { cookie: None, ..asked.answer() }.address(66);
        if asked.nth == 1 { vec![forged] } else { vec![good] }
    });
    let group = group(&[server.address]);
    ask(&group).unwrap();
    let answered = ask(&group).unwrap();
    assert_eq!((who(&answered.response), answered.tcp), (1, true));
    assert_eq!(fallbacks(&group), (1, 1));
}

#[test]
fn a_server_that_gives_cookies_no_longer_costs_one_question_over_tcp() {
    let gives = Arc::new(AtomicBool::new(true));
    let does = gives.clone();
    let server =
        StandIn::replying(move |asked| with(asked, given(asked, &[9; 16]).filter(|_| does.load(Relaxed))));
    let group = group(&[server.address]);
    ask_at(&group, 1);
    gives.store(false, Relaxed);
    let tcp: Vec<bool> = [2, 3, 4, 700, 1400].map(|seconds| ask_at(&group, seconds).tcp).into();
    assert_eq!(tcp, [true, false, false, false, false]);
    gives.store(true, Relaxed);
    ask_at(&group, 1401);
    gives.store(false, Relaxed);
    assert!(ask_at(&group, 1402).tcp, "it is known again");
}

#[test]
fn where_not_all_machines_behind_an_address_know_cookies_tcp_is_asked_once_in_ten_minutes() {
    let server =
        StandIn::replying(|asked| with(asked, given(asked, &[9; 16]).filter(|_| asked.nth % 2 == 0)));
    let group = group(&[server.address]);
    // The second is answered without, then over TCP with.
    let tcp: Vec<bool> = (0..12).map(|nth| ask_at(&group, 10 + 20 * nth).tcp).collect();
    assert_eq!(tcp.iter().filter(|tcp| **tcp).count(), 1, "{tcp:?}");
}

#[test]
fn a_server_that_fails_on_the_option_is_asked_without_and_keeps_edns() {
    let server = StandIn::replying(|asked| match asked.cookie() {
        Some(_) => asked.code(rcode::FORMERR),
        None => asked.address(1),
    });
    let group = group(&[server.address]);
    for seconds in [0, 300, 700] {
        assert_eq!(who(&ask_at(&group, seconds).response), 1);
    }
    let cookies: Vec<bool> = server.asked().iter().map(|asked| asked.cookie().is_some()).collect();
    assert_eq!(cookies, [true, false, false, true, false]);
    assert!(server.asked().iter().all(Asked::has_edns));
    assert_eq!(group.status(at(701)).servers[0].spared, ["cookies"]);
}

#[test]
fn where_what_carries_a_cookie_is_lost_the_next_try_carries_none() {
    let server = StandIn::new(|asked| match asked.cookie() {
        Some(_) => vec![],
        None => vec![asked.address(1)],
    });
    let group = hasty(&[server.address]);
    assert_eq!(who(&ask(&group).unwrap().response), 1);
    assert_eq!(who(&ask(&group).unwrap().response), 1);
    let cookies: Vec<bool> = server.asked().iter().map(|asked| asked.cookie().is_some()).collect();
    assert_eq!(cookies, [true, false, false]);
}

#[test]
fn switched_off_no_cookie_is_sent() {
    let server = StandIn::replying(|asked| asked.address(1));
    ask(&Group::new(Spec { cookies: Cookies::Off, ..spec(&[server.address]) }, None)).unwrap();
    assert_eq!(shown(&server), [None]);
}

#[test]
fn what_is_between_us_and_the_upstream_does_not_reach_the_client() {
    let server = StandIn::replying(|asked| with(asked, given(asked, b"octets16octets16")));
    let text = format!(
        "[[network]]\nname = \"all\"\ncidr = [\"0.0.0.0/0\"]\n\
         [[upstream]]\nname = \"dc\"\nservers = [\"{}\"]\n\
         [[rule]]\ndomain = \"technova.local\"\nforward = \"dc\"\nvisible-to = [\"all\"]\n",
        server.address
    );
    let street = street(&text, std::path::Path::new(""));
    let path = Path {
        client: "192.0.2.1:4000".parse().unwrap(),
        local: "127.0.0.1:53".parse().unwrap(),
        transport: Transport::Udp,
    };
    let name = question().qname;
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let query = [&[0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1], name.wire(), &[0, 1, 0, 1], &opt].concat();
    // From the upstream, then from the cache.
    for _ in 0..2 {
        let reply = street.send(&query, &path, kakehashi::listen::clock::now()).unwrap();
        let message = Message::parse(&reply).unwrap();
        assert!(message.edns && message.answer.iter().count() == 1 && message.cookie.is_none());
        assert!(!reply.windows(8).any(|octets| octets == b"octets16"));
    }
    assert_eq!(shown(&server), [Some(vec![])]);
}
