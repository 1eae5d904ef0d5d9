//! TCP: what a client may not do to us, or to the others.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use kakehashi::listen::ListenConfig;
use kakehashi::listen::stats::Closed;

use super::{Server, ask, framed, is_closed, loopback, query, read};

#[test]
fn silent_and_trickling_connections_are_closed_and_those_that_wait_for_us_are_not() {
    let server = Server::start(&ListenConfig { tcp_idle_timeout: Duration::from_millis(300), ..loopback() });
    let mut waiting = server.tcp();
    waiting.write_all(&framed(1, ask::GATED)).unwrap();
    let mut silent = server.tcp();
    let mut trickling = server.tcp();
    // An octet now and then would keep alive whoever counts octets. This one looks for an answer after each.
    trickling.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut octets = 0;
    while trickling.write_all(&[2]).is_ok() && !has_ended(&mut trickling) {
        octets += 1;
    }
    assert!(octets < 300, "a message of 514 octets never came to its end");
    is_closed(&mut silent);
    server.gate.add_permits(1);
    assert_eq!(read(&mut waiting), (1, 0));
    is_closed(&mut waiting);
    server.until("they are counted", |server| server.sum(|stats| stats.closed(Closed::Idle).get()) == 3);
    server.stop();
}

#[test]
fn a_connection_that_asked_before_may_be_silent_longer_than_one_that_never_did() {
    let (short, long) = (Duration::from_millis(200), Duration::from_secs(60));
    let server =
        Server::start(&ListenConfig { tcp_message_timeout: short, tcp_idle_timeout: long, ..loopback() });
    let mut asked = server.tcp();
    asked.write_all(&framed(1, ask::NOW)).unwrap();
    assert_eq!(read(&mut asked), (1, 0));
    let mut silent = server.tcp();
    is_closed(&mut silent);
    // Half a message, of one that was heard before: it has no longer than the first.
    let mut halting = server.tcp();
    halting.write_all(&[&framed(2, ask::NOW)[..], &[0, 17, 0]].concat()).unwrap();
    assert_eq!(read(&mut halting), (2, 0));
    is_closed(&mut halting);
    server.until("they are counted", |server| server.sum(|stats| stats.closed(Closed::Idle).get()) == 2);
    asked.write_all(&framed(3, ask::NOW)).unwrap();
    assert_eq!(read(&mut asked), (3, 0));
    server.stop();
}

#[test]
fn what_waits_for_room_in_the_pipeline_is_not_late() {
    let server = Server::start(&ListenConfig {
        tcp_message_timeout: Duration::from_millis(200),
        tcp_pipeline: 1,
        ..loopback()
    });
    let (mut patient, mut silent) = (server.tcp(), server.tcp());
    patient.write_all(&[framed(1, ask::GATED), framed(2, ask::NOW)].concat()).unwrap();
    // The other's time is over, so is that of a message that would have been coming all the while.
    is_closed(&mut silent);
    server.gate.add_permits(1);
    assert_eq!([read(&mut patient), read(&mut patient)], [(1, 0), (2, 0)]);
    server.stop();
}

#[test]
fn six_hundred_silent_connections_keep_out_nobody_whoever_they_belong_to() {
    for each in [100, 1000] {
        let config = ListenConfig { tcp_clients: 200, tcp_per_client: each, workers: 2, ..loopback() };
        let server = Server::start(&config);
        let mut used = server.tcp();
        used.write_all(&framed(1, ask::NOW)).unwrap();
        assert_eq!(read(&mut used), (1, 0));
        let silent: Vec<TcpStream> = (0..600).map(|_| server.tcp()).collect();
        for id in 0..20 {
            let mut newest = server.tcp();
            newest.write_all(&framed(id, ask::LATER)).unwrap();
            assert_eq!(read(&mut newest), (id, 0));
        }
        used.write_all(&framed(2, ask::NOW)).unwrap();
        assert_eq!(read(&mut used), (2, 0), "who asked before is not sent away for who never did");
        drop(silent);
        server.stop();
    }
}

#[test]
fn a_client_that_never_reads_is_closed() {
    let server =
        Server::start(&ListenConfig { tcp_message_timeout: Duration::from_millis(300), ..loopback() });
    let mut stream = server.tcp();
    let message = [&60_000_u16.to_be_bytes()[..], &query(1, ask::NOW), &vec![0; 60_000 - 17]].concat();
    while stream.write_all(&message).is_ok() {}
    server.until("it is counted", |server| server.sum(|stats| stats.closed(Closed::Stalled).get()) == 1);
    server.stop();
}

#[test]
fn an_address_has_so_many_connections_and_another_is_not_the_poorer() {
    let server = Server::start(&ListenConfig { tcp_per_client: 3, workers: 2, ..loopback() });
    let mut held: Vec<TcpStream> = (0..3).map(|_| server.tcp()).collect();
    for (id, stream) in (0..).zip(&mut held) {
        stream.write_all(&framed(id, ask::GATED)).unwrap();
    }
    server.until("all three wait", |server| server.sum(|stats| stats.in_flight.get()) == 3);
    is_closed(&mut server.tcp());
    assert_eq!(server.sum(|stats| stats.closed(Closed::ClientFull).get()), 1);
    assert_eq!(server.sum(|stats| stats.tcp_open.get()), 3);

    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    other.bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
    other.connect(&server.address().into()).unwrap();
    let mut other = TcpStream::from(other);
    other.write_all(&framed(9, ask::NOW)).unwrap();
    assert_eq!(read(&mut other), (9, 0));

    server.gate.add_permits(3);
    for (id, stream) in (0..).zip(&mut held) {
        assert_eq!(read(stream), (id, 0));
    }
    // All three are idle now: the longest idle of this client makes room, and the other client's stays.
    let mut again = server.tcp();
    again.write_all(&framed(4, ask::NOW)).unwrap();
    assert_eq!(read(&mut again), (4, 0));
    server.until("one was sent away", |server| server.sum(|stats| stats.closed(Closed::Evicted).get()) == 1);
    other.write_all(&framed(10, ask::NOW)).unwrap();
    assert_eq!(read(&mut other), (10, 0));
    server.stop();
}

#[test]
fn when_all_places_are_taken_the_longest_idle_makes_room_but_none_that_waits_for_an_answer() {
    let server = Server::start(&ListenConfig { tcp_clients: 2, ..loopback() });
    let (mut first, mut second) = (server.tcp(), server.tcp());
    for stream in [&mut first, &mut second] {
        stream.write_all(&framed(1, ask::NOW)).unwrap();
        assert_eq!(read(stream), (1, 0));
    }
    let mut third = server.tcp();
    third.write_all(&framed(3, ask::GATED)).unwrap();
    is_closed(&mut first);
    server.until("it is counted", |server| server.sum(|stats| stats.closed(Closed::Evicted).get()) == 1);
    second.write_all(&framed(2, ask::GATED)).unwrap();
    server.until("both wait", |server| server.sum(|stats| stats.in_flight.get()) == 2);
    is_closed(&mut server.tcp());
    assert_eq!(server.sum(|stats| stats.closed(Closed::Full).get()), 1);
    server.gate.add_permits(2);
    assert_eq!((read(&mut second), read(&mut third)), ((2, 0), (3, 0)));
    server.stop();
}

/// Whether the server has closed; it has nothing to say.
fn has_ended(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}
