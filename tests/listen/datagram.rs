//! UDP: each datagram is answered once, from the address that was asked, and waits for no other.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use kakehashi::listen::ListenConfig;

use super::{Server, ask, config, framed, loopback, query, read, receive, udp_to};

#[test]
fn on_a_wildcard_address_the_reply_leaves_from_the_address_that_was_asked() {
    let server = Server::start(&config("0.0.0.0:0"));
    let port = server.address().port();
    for host in [1, 2, 77] {
        // A connected socket takes datagrams from its peer's address only.
        let client = udp_to((Ipv4Addr::new(127, 0, 0, host), port).into());
        for (id, ask) in [(1, ask::NOW), (2, ask::LATER)] {
            client.send(&query(id, ask)).unwrap();
            assert_eq!(receive(&client), (id, 0));
        }
    }
    server.stop();

    let server = Server::start(&config("[::]:0"));
    let client = udp_to((IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), server.address().port()).into());
    client.send(&query(3, ask::NOW)).unwrap();
    assert_eq!(receive(&client), (3, 0));
    server.stop();
}

#[test]
fn an_ipv6_wildcard_leaves_ipv4_to_the_ipv4_socket() {
    let server = Server::start(&config("[::]:0"));
    let client = udp_to((Ipv4Addr::LOCALHOST, server.address().port()).into());
    client.send(&query(1, ask::NOW)).unwrap();
    assert_eq!(client.recv(&mut [0; 64]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.stop();
}

/// After 64 full batches in a row the reader no longer waits to be woken; it must again when the load is over.
#[test]
fn a_socket_that_was_under_load_is_heard_when_one_query_comes() {
    const LOAD: u64 = 6_000;
    let server = Server::start(&loopback());
    let client = server.udp();
    for round in 1..=3 {
        client.send(&query(0, ask::STALL)).unwrap();
        for _ in 0..LOAD {
            client.send(&query(0, ask::SILENCE)).unwrap();
        }
        server.gate.add_permits(1);
        let all = u64::from(round) * (LOAD + 2) - 1;
        server.until("all is read", |server| server.sum(|stats| stats.datagrams_in.get()) == all);
        client.send(&query(round, ask::NOW)).unwrap();
        assert_eq!(receive(&client), (round, 0));
    }
    server.stop();
}

#[test]
fn ten_thousand_datagrams_in_bursts_are_answered_exactly_once() {
    const CLIENTS: u16 = 10;
    const EACH: u16 = 1000;
    const BURST: u16 = 100;
    let server = Server::start(&ListenConfig { workers: 2, ..loopback() });
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let socket = server.udp();
            scope.spawn(move || {
                let mut seen = vec![0_u8; usize::from(EACH)];
                for burst in (0..EACH).step_by(usize::from(BURST)) {
                    for id in burst..burst + BURST {
                        let how = if (id + client) % 7 == 0 { ask::LATER } else { ask::NOW };
                        socket.send(&query(id, how)).unwrap();
                    }
                    for _ in 0..BURST {
                        let (id, rcode) = receive(&socket);
                        assert_eq!(rcode, 0);
                        seen[usize::from(id)] += 1;
                    }
                }
                assert!(seen.iter().all(|count| *count == 1));
            });
        }
    });
    let all = u64::from(CLIENTS * EACH);
    assert_eq!(server.sum(|stats| stats.datagrams_in.get()), all);
    server.until("every reply is counted", |server| server.sum(|stats| stats.datagrams_out.get()) == all);
    assert!(server.sum(|stats| stats.batches.get()) < all, "no system call ever read two");
    assert_eq!(server.sum(|stats| stats.in_flight.get()), 0);
    server.stop();
}

#[test]
fn workers_share_the_load() {
    let server = Server::start(&ListenConfig { workers: 2, ..loopback() });
    // The kernel spreads clients by a hash of their ports; of 64 not all fall to one side.
    for id in 0..64 {
        let client = server.udp();
        client.send(&query(id, ask::NOW)).unwrap();
        assert_eq!(receive(&client), (id, 0));
    }
    assert!(server.listening.stats().iter().all(|stats| stats.datagrams_in.get() > 0));
    server.stop();
}

#[test]
fn a_slow_answer_holds_up_no_other_datagram() {
    let server = Server::start(&loopback());
    let client = server.udp();
    client.send(&query(1, ask::GATED)).unwrap();
    client.send(&query(2, ask::NOW)).unwrap();
    client.send(&query(3, ask::LATER)).unwrap();
    assert_eq!([receive(&client), receive(&client)], [(2, 0), (3, 0)]);
    server.gate.add_permits(1);
    assert_eq!(receive(&client), (1, 0));
    server.stop();
}

#[test]
fn what_is_beyond_the_bound_in_flight_is_refused_and_counted() {
    let server = Server::start(&ListenConfig { max_in_flight: 2, ..loopback() });
    let client = server.udp();
    for id in 1..=3 {
        client.send(&query(id, ask::GATED)).unwrap();
    }
    assert_eq!(receive(&client), (3, 5));
    assert_eq!(server.sum(|stats| stats.overloaded.get()), 1);
    assert_eq!(server.sum(|stats| stats.in_flight.get()), 2);
    let mut stream = server.tcp();
    stream.write_all(&framed(4, ask::LATER)).unwrap();
    assert_eq!(read(&mut stream), (4, 5), "the bound is one for UDP and TCP");
    server.gate.add_permits(2);
    assert_eq!([receive(&client), receive(&client)], [(1, 0), (2, 0)]);
    server.stop();
}

#[test]
fn a_panic_costs_its_batch_and_not_the_socket() {
    let server = Server::start(&loopback());
    let client = server.udp();
    for (id, how) in [(1, ask::PANIC), (2, ask::LATE_PANIC)] {
        client.send(&query(id, how)).unwrap();
        server
            .until("the panic is counted", |server| server.sum(|stats| stats.panics.get()) == u64::from(id));
        client.send(&query(7, ask::NOW)).unwrap();
        assert_eq!(receive(&client), (7, 0));
    }
    assert_eq!(server.sum(|stats| stats.in_flight.get()), 0);
    server.stop();
}

#[test]
fn a_panic_gives_back_the_seat_of_who_waited_in_the_lane() {
    let server = Server::start(&ListenConfig { max_in_flight: 1, ..loopback() });
    let client = server.udp();
    for (panics, how) in [(1, ask::LANE_PANIC), (2, ask::LANDING_PANIC), (3, ask::LANE_PANIC)] {
        client.send(&query(1, how)).unwrap();
        server.until("the panic is counted", |server| server.sum(|stats| stats.panics.get()) >= panics);
        server.until("the seat is free", |server| server.sum(|stats| stats.in_flight.get()) == 0);
        // There is one seat: while it is taken all others are refused.
        client.send(&query(7, ask::LANE)).unwrap();
        assert_eq!(receive(&client), (7, 0));
        server.until("this one too", |server| server.sum(|stats| stats.in_flight.get()) == 0);
        assert_eq!(server.sum(|stats| stats.panics.get()), panics, "each is counted once");
    }
    server.stop();
}

#[test]
fn a_panic_is_counted_once_whatever_else_it_ends() {
    let server = Server::start(&loopback());
    let client = server.udp();
    // They land together, so replies are on their way while one panics.
    for _ in 0..20 {
        for id in 1..=8 {
            client.send(&query(id, ask::LANE)).unwrap();
        }
        client.send(&query(9, ask::LANDING_PANIC)).unwrap();
    }
    client.send(&query(10, ask::LATE_PANIC)).unwrap();
    server.until("all are over", |server| {
        server.sum(|stats| stats.datagrams_in.get()) == 181 && server.sum(|stats| stats.in_flight.get()) == 0
    });
    server.until("all are counted", |server| server.sum(|stats| stats.panics.get()) >= 21);
    assert_eq!(server.sum(|stats| stats.panics.get()), 21);
    server.stop();
}

#[test]
fn a_panic_ahead_of_its_turn_costs_nobody_an_answer() {
    let server = Server::start(&loopback());
    let client = server.udp();
    let mut arrived = 0;
    for panics in [ask::AHEAD_PANIC, ask::APPROACH_PANIC] {
        client.send(&query(100, panics)).unwrap();
        assert_eq!(receive(&client).0, 100, "one that comes alone");
        // What comes while the worker is held up is one batch.
        client.send(&query(0, ask::STALL)).unwrap();
        arrived += 2;
        server.until("it is held up", |server| server.sum(|stats| stats.datagrams_in.get()) == arrived);
        for id in 1..=20 {
            client.send(&query(id, if id == 10 { panics } else { ask::NOW })).unwrap();
        }
        arrived += 20;
        server.gate.add_permits(1);
        let mut ids: Vec<u16> = (0..20).map(|_| receive(&client).0).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    }
    server.stop();
}

#[test]
fn what_deserves_silence_gets_it() {
    let server = Server::start(&loopback());
    let client = server.udp();
    client.send(&query(1, ask::SILENCE)).unwrap();
    client.send(&[]).unwrap();
    client.send(&[b'n'; 5000]).unwrap();
    client.send(&query(2, ask::NOW)).unwrap();
    assert_eq!(receive(&client), (2, 0));
    assert_eq!(server.sum(|stats| stats.silent.get()), 2);
    assert_eq!(server.sum(|stats| stats.unusable.get()), 1, "too long to be a query");
    server.stop();
}
