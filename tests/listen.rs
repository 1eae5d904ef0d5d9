//! Listening, on real sockets: what goes in comes out once, from the right address, and nobody waits for anybody else.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use kakehashi::listen::stats::Closed;
use kakehashi::listen::{Admit, ListenConfig, Listening, Service, Stats, start};
use kakehashi::query::{Now, Path};
use tokio::sync::Semaphore;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the thirteenth octet of a query asks of the echo.
mod ask {
    pub const NOW: u8 = b'n';
    pub const LATER: u8 = b'l';
    /// When the gate lets it through.
    pub const GATED: u8 = b'g';
    pub const SILENCE: u8 = b's';
    pub const PANIC: u8 = b'p';
    pub const LATE_PANIC: u8 = b'q';
}

/// Sends back what it gets, with QR set; what it refuses has RCODE 5.
struct Echo {
    gate: Arc<Semaphore>,
}

impl Service for Echo {
    fn admit(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) -> Admit {
        match packet.get(12) {
            Some(&ask::NOW) => {
                out.extend_from_slice(packet);
                out[2] |= 0x80;
                Admit::Reply
            }
            Some(&ask::PANIC) => panic!("as asked"),
            Some(&(ask::LATER | ask::GATED | ask::LATE_PANIC)) => Admit::Resolve,
            _ => Admit::Drop,
        }
    }

    async fn resolve(self: Rc<Self>, packet: Box<[u8]>, _: Path, _: Now) -> Option<Vec<u8>> {
        match packet[12] {
            ask::GATED => self.gate.acquire().await.unwrap().forget(),
            ask::LATE_PANIC => panic!("as asked"),
            _ => tokio::task::yield_now().await,
        }
        let mut reply = packet.into_vec();
        reply[2] |= 0x80;
        Some(reply)
    }

    fn overloaded(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) {
        out.extend_from_slice(packet);
        out[2] |= 0x80;
        out[3] = 5;
    }

    fn batch_done(&self) {}
}

struct Server {
    listening: Listening,
    gate: Arc<Semaphore>,
}

impl Server {
    fn start(config: &ListenConfig) -> Server {
        let gate = Arc::new(Semaphore::new(0));
        let shared = gate.clone();
        let make = move |_| Rc::new(Echo { gate: shared.clone() });
        Server { listening: start(config, Vec::new(), make).unwrap(), gate }
    }

    fn address(&self) -> SocketAddr {
        self.listening.addresses()[0]
    }

    fn udp(&self) -> UdpSocket {
        udp_to(self.address())
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn sum(&self, count: impl Fn(&Stats) -> u64) -> u64 {
        self.listening.stats().iter().map(|stats| count(stats)).sum()
    }

    /// Waits until the workers have come to this.
    fn until(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        let begun = std::time::Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            thread::yield_now();
        }
    }

    fn stop(self) {
        self.listening.stop();
        self.listening.join().unwrap();
    }
}

fn config(address: &str) -> ListenConfig {
    ListenConfig { dns: vec![address.parse().unwrap()], workers: 1, ..ListenConfig::default() }
}

fn loopback() -> ListenConfig {
    config("127.0.0.1:0")
}

fn udp_to(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn query(id: u16, ask: u8) -> Vec<u8> {
    let mut packet = vec![0; 17];
    packet[..2].copy_from_slice(&id.to_be_bytes());
    packet[12] = ask;
    packet
}

fn framed(id: u16, ask: u8) -> Vec<u8> {
    let packet = query(id, ask);
    [&(packet.len() as u16).to_be_bytes()[..], &packet].concat()
}

/// The ID and the RCODE of a reply.
fn read_reply(packet: &[u8]) -> (u16, u8) {
    assert_eq!(packet[2] & 0x80, 0x80, "a response");
    (u16::from_be_bytes([packet[0], packet[1]]), packet[3] & 0xF)
}

fn receive(socket: &UdpSocket) -> (u16, u8) {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    read_reply(&buffer[..length])
}

fn read(stream: &mut TcpStream) -> (u16, u8) {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut packet).unwrap();
    read_reply(&packet)
}

/// Waits for the server to close; anything that it says before is a failure.
fn is_closed(stream: &mut TcpStream) {
    match stream.read(&mut [0; 512]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

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
fn silent_and_trickling_connections_are_closed_and_those_that_wait_for_us_are_not() {
    let server = Server::start(&ListenConfig { tcp_idle_timeout: Duration::from_millis(300), ..loopback() });
    let mut waiting = server.tcp();
    waiting.write_all(&framed(1, ask::GATED)).unwrap();
    let mut silent = server.tcp();
    let mut trickling = server.tcp();
    let mut trickle = trickling.try_clone().unwrap();
    // An octet now and then would keep alive whoever counts octets.
    let trickler = thread::spawn(move || {
        let mut sent = 0;
        while trickle.write_all(&[2]).is_ok() {
            sent += 1;
            thread::sleep(Duration::from_millis(20));
        }
        sent
    });
    is_closed(&mut silent);
    is_closed(&mut trickling);
    assert!(trickler.join().unwrap() < 300, "a message of 514 octets never came to its end");
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
    let manager = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = manager.local_addr().unwrap();
    let serve = || {
        let gate = Arc::new(Semaphore::new(0));
        let config = ListenConfig { workers: 2, ..config(&address.to_string()) };
        let make = move |_| Rc::new(Echo { gate: gate.clone() });
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
