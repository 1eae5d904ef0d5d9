//! TCP (RFC 7766): messages in any pieces, answers as they finish.

use std::io::Write;
use std::net::Shutdown;
use std::thread;

use kakehashi::listen::ListenConfig;
use kakehashi::listen::stats::Closed;

use super::{Server, ask, framed, is_closed, loopback, query, read};

#[test]
fn answers_of_one_connection_come_as_they_finish() {
    let server = Server::start(&loopback());
    let mut stream = server.tcp();
    stream.write_all(&[framed(1, ask::GATED), framed(2, ask::NOW), framed(3, ask::LATER)].concat()).unwrap();
    assert_eq!([read(&mut stream), read(&mut stream)], [(2, 0), (3, 0)]);
    server.gate.add_permits(1);
    assert_eq!(read(&mut stream), (1, 0));
    server.stop();
}

#[test]
fn a_connection_has_so_many_queries_in_flight_and_the_rest_waits() {
    let server = Server::start(&ListenConfig { tcp_pipeline: 4, ..loopback() });
    let mut stream = server.tcp();
    let queries: Vec<u8> = (0..200).flat_map(|id| framed(id, ask::GATED)).collect();
    stream.write_all(&queries).unwrap();
    server.until("the pipeline is full", |server| server.sum(|stats| stats.in_flight.get()) == 4);
    assert_eq!(server.sum(|stats| stats.tcp_in.get()), 4);
    server.gate.add_permits(200);
    let mut ids: Vec<u16> = (0..200).map(|_| read(&mut stream).0).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).collect::<Vec<_>>());
    server.stop();
}

#[test]
fn a_message_may_come_octet_by_octet_and_many_in_one() {
    let server = Server::start(&loopback());
    let mut stream = server.tcp();
    stream.set_nodelay(true).unwrap();
    for octet in [framed(1, ask::NOW), framed(2, ask::LATER)].concat() {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!([read(&mut stream), read(&mut stream)], [(1, 0), (2, 0)]);
    let long = [&16_000_u16.to_be_bytes()[..], &query(3, ask::NOW), &vec![0; 16_000 - 17]].concat();
    stream.write_all(&[long, framed(4, ask::NOW)].concat()).unwrap();
    assert_eq!([read(&mut stream), read(&mut stream)], [(3, 0), (4, 0)]);
    server.stop();
}

#[test]
fn a_client_that_does_not_read_is_not_read_either_and_loses_nothing() {
    const COUNT: u16 = 1500;
    let server = Server::start(&loopback());
    let mut stream = server.tcp();
    // 24 MB of replies: more than the kernel's buffers of both sides hold.
    let mut writer = stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        for id in 0..COUNT {
            let message =
                [&16_000_u16.to_be_bytes()[..], &query(id, ask::NOW), &vec![0; 16_000 - 17]].concat();
            writer.write_all(&message).unwrap();
        }
    });
    for id in 0..COUNT {
        assert_eq!(read(&mut stream), (id, 0));
    }
    sending.join().unwrap();
    server.stop();
}

#[test]
fn who_has_said_all_still_gets_the_answers() {
    let server = Server::start(&loopback());
    let mut stream = server.tcp();
    stream.write_all(&[framed(1, ask::GATED), framed(2, ask::NOW)].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(&mut stream), (2, 0));
    server.gate.add_permits(1);
    assert_eq!(read(&mut stream), (1, 0));
    is_closed(&mut stream);
    server.until("it is counted", |server| server.sum(|stats| stats.closed(Closed::Client).get()) == 1);
    server.stop();
}

#[test]
fn what_is_no_dns_message_ends_the_connection() {
    let server = Server::start(&loopback());
    for garbage in [vec![0, 0], vec![0, 5, 1, 2, 3, 4, 5], framed(1, ask::SILENCE)] {
        let mut stream = server.tcp();
        stream.write_all(&garbage).unwrap();
        is_closed(&mut stream);
    }
    server.until("they are counted", |server| server.sum(|stats| stats.closed(Closed::Garbage).get()) == 3);
    server.stop();
}

#[test]
fn a_panic_costs_its_connection_and_is_counted_once() {
    let server = Server::start(&loopback());
    let mut other = server.tcp();
    for (panics, how) in [(1, ask::PANIC), (2, ask::EARLY_PANIC)] {
        let mut stream = server.tcp();
        stream.write_all(&[framed(1, ask::GATED), framed(2, ask::GATED), framed(3, how)].concat()).unwrap();
        is_closed(&mut stream);
        server.until("it is over", |server| server.sum(|stats| stats.tcp_open.get()) == 1);
        assert_eq!(server.sum(|stats| stats.closed(Closed::Broken).get()), panics);
        server.gate.add_permits(2);
        server.until("what it asked is over", |server| server.sum(|stats| stats.in_flight.get()) == 0);
        other.write_all(&framed(4, ask::NOW)).unwrap();
        assert_eq!(read(&mut other), (4, 0), "on a connection that was open");
        assert_eq!(server.sum(|stats| stats.panics.get()), panics);
    }
    server.stop();
}

#[test]
fn a_panic_of_a_query_that_takes_time_costs_that_query_alone() {
    let server = Server::start(&loopback());
    let mut stream = server.tcp();
    stream.write_all(&[framed(1, ask::LATE_PANIC), framed(2, ask::LATER)].concat()).unwrap();
    assert_eq!(read(&mut stream), (2, 0));
    server.until("both are over", |server| server.sum(|stats| stats.in_flight.get()) == 0);
    assert_eq!(server.sum(|stats| stats.panics.get()), 1);
    server.stop();
}
