//! DNS cookies (RFC 7873, RFC 9018) on the street.

use kakehashi::query::Transport;
use kakehashi::wire::{flag, rcode};

use crate::limit::LIMITED;
use crate::world::{EXTERNAL, Query, Reply, World};

const CLIENT: [u8; 8] = *b"01234567";
const NAME: &str = "www.technova.com";

fn option(value: &[u8]) -> Vec<u8> {
    [&[0, 10, 0, value.len() as u8], value].concat()
}

/// The cookie of a reply.
fn cookie(reply: &Reply) -> Option<Vec<u8>> {
    let at =
        reply.bytes.windows(12).position(|octets| octets[..4] == [0, 10, 0, 24] && octets[4..] == CLIENT)?;
    Some(reply.bytes[at + 4..at + 28].to_vec())
}

fn shown<'q>(client: &'q str, options: &'q [u8]) -> Query<'q> {
    Query { options, ..Query::a(client, NAME) }
}

#[test]
fn who_sends_a_cookie_gets_one_and_it_is_kept_for_nobody_else() {
    let world = World::new(LIMITED, &[]);
    let new = option(&CLIENT);
    let mut given = Vec::new();
    // Built, from the cache, and between others who send none.
    for client in [EXTERNAL, EXTERNAL, "203.0.113.99"] {
        let reply = world.ask(&shown(client, &new));
        assert_eq!(reply.text(), "NOERROR: A 192.0.2.1");
        given.push(cookie(&reply).unwrap());
        let plain = world.a(EXTERNAL, NAME);
        assert_eq!((plain.text().as_str(), cookie(&plain)), ("NOERROR: A 192.0.2.1", None));
    }
    assert_eq!(given[0], given[1]);
    assert_ne!(given[0], given[2], "another address has another cookie");
    let back = world.ask(&shown(EXTERNAL, &option(&given[0])));
    assert_eq!(cookie(&back).unwrap(), given[0], "a fresh one is good for another while");
}

#[test]
fn every_kind_of_reply_carries_the_cookie() {
    let world = World::new(LIMITED, &[]);
    let new = option(&CLIENT);
    let query = shown(EXTERNAL, &new);
    let queries = [
        (Query { name: "nothing.technova.com", ..query.clone() }, "NXDOMAIN"),
        (Query { name: "elsewhere.example", ..query.clone() }, "REFUSED"),
        (Query { class: 4, ..query.clone() }, "REFUSED"),
        (Query { edns_flags: 1 << 16, ..query.clone() }, "BADVERS"),
        (
            Query { name: "id.server", qtype: kakehashi::wire::RType::TXT, class: 3, ..query.clone() },
            "NOERROR",
        ),
        (Query { transport: Transport::Tcp, ..query.clone() }, "NOERROR"),
        (Query { client: "100.64.0.1", ..query.clone() }, "REFUSED"),
    ];
    for (query, code) in queries {
        let reply = world.ask(&query);
        assert_eq!(rcode::text(reply.message.rcode), code);
        assert!(cookie(&reply).is_some(), "{code}");
    }
}

#[test]
fn a_cookie_of_a_length_that_none_has_is_a_format_error() {
    let world = World::new(LIMITED, &[]);
    for length in [0, 1, 7, 9, 15, 41] {
        let bad = option(&vec![7; length]);
        assert_eq!(world.ask(&shown(EXTERNAL, &bad)).text(), "FORMERR", "{length} octets");
    }
    for length in [8, 16, 24, 40] {
        let good = option(&[&CLIENT[..], &vec![7; length - 8]].concat());
        let reply = world.ask(&shown(EXTERNAL, &good));
        assert_eq!((reply.text().as_str(), cookie(&reply).is_some()), ("NOERROR: A 192.0.2.1", true));
    }
}

#[test]
fn a_question_for_nothing_but_a_cookie_is_answered() {
    let world = World::new(LIMITED, &[]);
    let ask = |value: &[u8]| {
        let option = option(value);
        let header = [0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0];
        let packet = [&header[..], &[option.len() as u8], &option].concat();
        world.send(&packet, &Query::a(EXTERNAL, NAME).path()).unwrap()
    };
    let first = ask(&CLIENT);
    assert_eq!((first.text().as_str(), first.bytes.len()), ("NOERROR", 12 + 11 + 28));
    assert_eq!(ask(&cookie(&first).unwrap()).text(), "NOERROR");
    let wrong = ask(&[&CLIENT[..], &[1; 16]].concat());
    assert_eq!((wrong.text().as_str(), cookie(&wrong).is_some()), ("BADCOOKIE", true));
}

#[test]
fn a_good_cookie_lifts_the_limit_and_without_one_it_is_what_is_said_beyond_it() {
    let world = World::new(LIMITED, &[]);
    for client in ["198.51.100.7", "192.0.2.9"] {
        let new = option(&CLIENT);
        let good = option(&cookie(&world.ask(&shown(client, &new))).unwrap());
        for _ in 0..100 {
            let flood = Query::a(client, NAME);
            world.send(&flood.bytes(), &flood.path());
        }
        let answered = (0..100).filter(|_| world.ask(&shown(client, &good)).text() == "NOERROR: A 192.0.2.1");
        assert_eq!(answered.count(), 100);
    }
    let forged = option(&[&CLIENT[..], &[1; 16]].concat());
    for value in [option(&CLIENT), forged] {
        let query = shown("198.51.100.7", &value);
        let replies: Vec<Reply> = (0..20).filter_map(|_| world.send(&query.bytes(), &query.path())).collect();
        assert_eq!(replies.len(), 10, "every second one");
        for reply in replies {
            assert_eq!((reply.text().as_str(), reply.has(flag::TC)), ("BADCOOKIE", false));
            assert!(
                reply.bytes.len() <= query.bytes().len() + 16,
                "the question, and our half of the cookie"
            );
            let good = option(&cookie(&reply).unwrap());
            assert_eq!(world.ask(&shown("198.51.100.7", &good)).text(), "NOERROR: A 192.0.2.1");
        }
    }
}

#[test]
fn two_nodes_with_one_secret_know_each_others_cookies_and_a_rollover_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets");
    let (old, new) = ("000102030405060708090a0b0c0d0e0f\n", "e5e973e5a6b2a43f48e7dc849e37bfcf\n");
    let config = format!("[clients]\ncookie-secrets = \"{}\"\n{LIMITED}", file.display());
    std::fs::write(&file, format!("# the first makes cookies\n{old}\n")).unwrap();
    let mut nodes = [World::new(&config, &[]), World::new(&config, &[])];
    let first = option(&cookie(&nodes[0].ask(&shown(EXTERNAL, &option(&CLIENT)))).unwrap());
    let asks = |node: &World, value: &[u8]| cookie(&node.ask(&shown(EXTERNAL, value))).unwrap();
    assert_eq!(option(&asks(&nodes[1], &first)), first, "what is good is given back");
    // RFC 9018 §5: known everywhere, then in use, then the old one goes.
    for (secrets, keeps) in [([old, new], true), ([new, old], false)] {
        std::fs::write(&file, secrets.concat()).unwrap();
        nodes.iter_mut().for_each(|node| node.reload(&config, &[]));
        for node in &nodes {
            assert_eq!(option(&asks(node, &first)) == first, keeps);
        }
    }
    let second = option(&asks(&nodes[0], &first));
    std::fs::write(&file, new).unwrap();
    nodes.iter_mut().for_each(|node| node.reload(&config, &[]));
    assert_eq!(option(&asks(&nodes[1], &second)), second);
    assert_ne!(option(&asks(&nodes[1], &first)), first);
}

#[test]
fn a_cookie_drawn_at_start_outlives_a_reload() {
    let mut world = World::new(LIMITED, &[]);
    let first = cookie(&world.ask(&shown(EXTERNAL, &option(&CLIENT)))).unwrap();
    world.reload(LIMITED, &[]);
    assert_eq!(cookie(&world.ask(&shown(EXTERNAL, &option(&first)))).unwrap(), first);
}

#[test]
fn with_its_cookie_a_reply_is_no_larger_than_the_client_can_take() {
    let names: String = (0..60).map(|n| format!("many A 192.0.2.{n}\n")).collect();
    let world = World::new(&LIMITED.replace("www A 192.0.2.1\n", &names), &[]);
    let new = option(&CLIENT);
    for edns in [512, 900, 1000, 1020, 1040, 1060, 1232] {
        let query = Query { edns: Some(edns), name: "many.technova.com", ..shown(EXTERNAL, &new) };
        // The second comes from the cache, if the first was whole.
        let [built, kept] = [world.ask(&query), world.ask(&query)];
        for reply in [&built, &kept] {
            assert!(reply.bytes.len() <= usize::from(edns), "{} octets where {edns} fit", reply.bytes.len());
            assert!(cookie(reply).is_some());
        }
        assert_eq!(built.has(flag::TC), kept.has(flag::TC));
        assert_eq!(built.has(flag::TC), edns < 12 + 22 + 60 * 16 + 11 + 28, "{edns}");
    }
}
