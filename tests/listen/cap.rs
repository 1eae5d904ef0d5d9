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
fn a_client_that_never_reads_is_closed() {
    let server = Server::start(&ListenConfig { tcp_idle_timeout: Duration::from_millis(300), ..loopback() });
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
        stream.write_all(&framed(id, ask::NOW)).unwrap();
        assert_eq!(read(stream), (id, 0));
    }
    is_closed(&mut server.tcp());
    assert_eq!(server.sum(|stats| stats.closed(Closed::ClientFull).get()), 1);
    assert_eq!(server.sum(|stats| stats.tcp_open.get()), 3);

    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    other.bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
    other.connect(&server.address().into()).unwrap();
    let mut other = TcpStream::from(other);
    other.write_all(&framed(9, ask::NOW)).unwrap();
    assert_eq!(read(&mut other), (9, 0));

    held.pop();
    server.until("the place is free", |server| server.sum(|stats| stats.tcp_open.get()) == 3);
    let mut again = server.tcp();
    again.write_all(&framed(4, ask::NOW)).unwrap();
    assert_eq!(read(&mut again), (4, 0));
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
