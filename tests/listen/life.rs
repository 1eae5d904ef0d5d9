//! From the first datagram to the last: what is accepted is answered, also at a stop.

use std::io::{ErrorKind, Write};
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use kakehashi::listen::stats::Closed;
use kakehashi::listen::{ListenConfig, start};
use tokio::sync::Semaphore;

use super::{Echo, Server, ask, config, framed, is_closed, loopback, port, query, read, receive, udp_to};

#[test]
fn a_stop_answers_every_datagram_that_was_accepted() {
    for workers in [1, 2] {
        let server = Server::start(&ListenConfig { workers, ..loopback() });
        let clients: Vec<UdpSocket> = (0..20).map(|_| server.udp()).collect();
        for id in 0..50 {
            let how = if id % 2 == 0 { ask::NOW } else { ask::LATER };
            for client in &clients {
                client.send(&query(id, how)).unwrap();
            }
        }
        server.stop();
        for client in &clients {
            let mut ids: Vec<u16> = (0..50).map(|_| receive(client).0).collect();
            ids.sort_unstable();
            assert_eq!(ids, (0..50).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_stop_under_load_leaves_no_datagram_between_answer_and_refusal() {
    let server = Server::start(&ListenConfig { workers: 2, ..loopback() });
    let started = Arc::new(OnceLock::new());
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (client, started) = (server.udp(), started.clone());
            // One query at a time: each is answered, or refused by the kernel because nobody listens any more.
            thread::spawn(move || {
                for id in 0..=u16::MAX {
                    if client.send(&query(id, ask::NOW)).is_err() {
                        return id;
                    }
                    match client.recv(&mut [0; 64]) {
                        Ok(_) => _ = started.set(()),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                            return id;
                        }
                    }
                }
                u16::MAX
            })
        })
        .collect();
    server.until("the load is on", |_| started.get().is_some());
    server.stop();
    assert!(clients.into_iter().all(|client| client.join().unwrap() < u16::MAX));
}

#[test]
fn a_stop_waits_for_what_is_in_flight_and_then_closes() {
    let server = Server::start(&loopback());
    let (datagrams, mut stream, mut idle) = (server.udp(), server.tcp(), server.tcp());
    datagrams.send(&query(1, ask::GATED)).unwrap();
    stream.write_all(&framed(2, ask::GATED)).unwrap();
    server.until("both are in flight", |server| server.sum(|stats| stats.in_flight.get()) == 2);
    server.listening.stop();
    is_closed(&mut idle);
    assert!(!server.listening.is_finished());
    server.gate.add_permits(2);
    assert_eq!(receive(&datagrams), (1, 0));
    assert_eq!(read(&mut stream), (2, 0));
    is_closed(&mut stream);
    server.until("both are counted", |server| server.sum(|stats| stats.closed(Closed::Stop).get()) == 2);
    server.listening.join().unwrap();
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let server = Server::start(&ListenConfig { stop_within: Duration::from_millis(50), ..loopback() });
    let client = server.udp();
    client.send(&query(1, ask::GATED)).unwrap();
    server.until("it is in flight", |server| server.sum(|stats| stats.in_flight.get()) == 1);
    server.stop();
}

#[test]
fn a_passed_socket_outlives_us_with_what_it_holds() {
    // The manager has no socket for TCP: the server makes that one, twice.
    let address = port::free();
    let manager = UdpSocket::bind(address).unwrap();
    let serve = || {
        let gate = Arc::new(Semaphore::new(0));
        let config = ListenConfig { workers: 2, ..config(&address.to_string()) };
        let make = move |_| Rc::new(Echo::new(gate.clone()));
        start(&config, vec![manager.try_clone().unwrap().into()], make).unwrap()
    };
    let client = udp_to(address);
    let first = serve();
    assert_eq!(first.addresses(), [address]);
    client.send(&query(1, ask::NOW)).unwrap();
    assert_eq!(receive(&client), (1, 0));
    first.stop();
    first.join().unwrap();
    // Nobody serves now, and yet it is not lost.
    client.send(&query(2, ask::NOW)).unwrap();
    let second = serve();
    assert_eq!(receive(&client), (2, 0));
    second.stop();
    second.join().unwrap();
}

#[test]
fn the_heart_beats_while_nobody_asks() {
    let server = Server::start(&ListenConfig { workers: 2, ..loopback() });
    server.until("it beats", |server| server.listening.stats().iter().all(|stats| stats.heartbeat.get() > 1));
    server.stop();
}
