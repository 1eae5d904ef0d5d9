//! Ports on real sockets.
#![allow(clippy::unwrap_used)]
use std::collections::{HashMap, HashSet};

use nix::sys::epoll::EpollCreateFlags;

use super::*;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SERVER: SocketAddr = SocketAddr::new(SOURCE, 53);
/// Few, as a test needs no more descriptors than it has.
const FEW: usize = 20;
const SOON: Duration = Duration::from_millis(1);

struct Bench {
    ports: Ports,
    epoll: Epoll,
    begin: Instant,
}

impl Bench {
    fn new() -> Bench {
        let ports = Ports { most: FEW, uses: USES, retired: FEW / 2, ..Ports::new() };
        Bench { ports, epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap(), begin: Instant::now() }
    }

    /// A query leaves, and waits as `slot`.
    fn send(&mut self, after: Duration, slot: u32) -> Key {
        self.send_to(SERVER, after, slot)
    }

    fn send_to(&mut self, server: SocketAddr, after: Duration, slot: u32) -> Key {
        let key = self.ports.pick(SOURCE, server, &self.epoll, self.begin + after).unwrap();
        self.ports.get_mut(key).unwrap().waits.push(slot);
        key
    }

    fn number(&mut self, key: Key) -> u16 {
        self.ports.get_mut(key).unwrap().socket.local_addr().unwrap().port()
    }

    /// How old the port was when this time had passed.
    fn age(&mut self, key: Key, after: Duration) -> Duration {
        self.begin + after + LIFE - self.ports.get_mut(key).unwrap().ends
    }

    fn open(&self) -> usize {
        self.ports.open.iter().flatten().count()
    }
}

#[test]
fn a_port_whose_time_is_over_gets_no_query_though_somebody_waits_there() {
    let mut bench = Bench::new();
    let waiting: Vec<Key> = (0..FEW as u32).map(|slot| bench.send(Duration::ZERO, slot)).collect();
    // So few that none of the new ones is among those that rested longest.
    let few = FEW - CHOICE;
    let later: Vec<Key> = (0..few as u32).map(|slot| bench.send(2 * LIFE, 100 + slot)).collect();
    assert!(later.into_iter().all(|key| bench.age(key, 2 * LIFE).is_zero()));
    assert_eq!(bench.open(), FEW + few);
    for (key, slot) in waiting.into_iter().zip(0..) {
        bench.ports.leave(key, slot, Leave::Heard);
    }
    assert_eq!(bench.open(), FEW);
}

#[test]
fn half_as_many_are_retired_as_serve_and_no_more() {
    let mut bench = Bench::new();
    for slot in 0..10 * FEW as u32 {
        bench.send(LIFE * 2 * (slot / FEW as u32), slot);
    }
    assert_eq!(bench.open(), FEW / 2 * 3);
}

#[test]
fn a_port_where_one_waited_in_vain_is_not_taken_again() {
    let mut bench = Bench::new();
    let keys: Vec<Key> = (0..FEW as u32).map(|slot| bench.send(Duration::ZERO, slot)).collect();
    for (key, slot) in keys.into_iter().zip(0..) {
        bench.ports.leave(key, slot, Leave::Unheard);
    }
    let next: Vec<Key> = (0..FEW as u32).map(|slot| bench.send(SOON, slot)).collect();
    assert!(next.into_iter().all(|key| bench.age(key, SOON).is_zero()));
    assert_eq!(bench.open(), FEW);
}

#[test]
fn a_port_serves_again_while_its_time_lasts() {
    let mut bench = Bench::new();
    let mut numbers = HashSet::new();
    for slot in 0..USES * FEW as u32 / 2 {
        let key = bench.send(Duration::ZERO, slot);
        numbers.insert(bench.number(key));
        bench.ports.leave(key, slot, Leave::Heard);
    }
    assert_eq!(numbers.len(), FEW);
}

/// Two servers on loopback.
fn servers() -> [UdpSocket; 2] {
    [(); 2].map(|()| {
        let server = UdpSocket::bind((SOURCE, 0)).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        server
    })
}

/// Sends a query to a server; gives what the server heard, and from where.
fn ask(bench: &mut Bench, key: Key, server: &UdpSocket, query: &[u8]) -> SocketAddr {
    let to = server.local_addr().unwrap();
    bench.ports.get_mut(key).unwrap().send(query, to).unwrap();
    let mut heard = [0; 64];
    let (length, from) = server.recv_from(&mut heard).unwrap();
    assert_eq!(&heard[..length], query);
    from
}

/// What the port hears next, and from whom.
fn hear(bench: &mut Bench, key: Key) -> (Vec<u8>, SocketAddr) {
    let mut heard = vec![0; 64];
    let (length, from) = bench.ports.get_mut(key).unwrap().receive(&mut heard).unwrap();
    heard.truncate(length);
    (heard, from)
}

#[test]
fn whoever_is_not_the_server_finds_the_port_closed() {
    let [server, stranger] = servers();
    let mut bench = Bench::new();
    let key = bench.send_to(server.local_addr().unwrap(), Duration::ZERO, 0);
    let from = ask(&mut bench, key, &server, b"query");
    stranger.connect(from).unwrap();
    stranger.send(b"forged").unwrap();
    assert_eq!(stranger.recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    server.send_to(b"answer", from).unwrap();
    assert_eq!(hear(&mut bench, key), (b"answer".to_vec(), server.local_addr().unwrap()));
}

#[test]
fn servers_that_are_asked_in_turns_keep_their_ports() {
    let servers = servers().map(|server| server.local_addr().unwrap());
    let mut bench = Bench::new();
    // Each of them has a choice.
    bench.ports.most = 2 * FEW;
    let mut asked = HashMap::new();
    for slot in 0..20 * FEW as u32 {
        let server = servers[slot as usize % 2];
        let key = bench.send_to(server, Duration::ZERO, slot);
        let before = asked.insert(bench.number(key), server);
        assert!(before.is_none_or(|before| before == server));
        bench.ports.leave(key, slot, Leave::Heard);
    }
    assert_eq!(asked.len(), 2 * FEW);
}

#[test]
fn a_server_that_is_seldom_asked_is_not_asked_from_the_same_port_again_and_again() {
    let [often, seldom] = servers().map(|server| server.local_addr().unwrap());
    let mut bench = Bench::new();
    bench.ports.most = 8 * FEW;
    let mut asked = Vec::new();
    for slot in 0..100 * 8 * FEW as u32 {
        let is_seldom = slot % (8 * FEW as u32) == 0;
        let key = bench.send_to(if is_seldom { seldom } else { often }, Duration::ZERO, slot);
        if is_seldom {
            asked.push(bench.number(key));
        }
        bench.ports.leave(key, slot, Leave::Heard);
    }
    assert!(asked.iter().collect::<HashSet<_>>().len() >= CHOICE);
    let again = asked.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(again < 30, "{again} of 100 queries left from the port of the one before");
}

#[test]
fn those_who_wait_for_one_server_keep_nobody_from_another() {
    let [first, second] = servers();
    let [to_first, to_second] = [&first, &second].map(|server| server.local_addr().unwrap());
    let mut bench = Bench::new();
    for slot in 0..2 * FEW as u32 {
        bench.send_to(to_first, Duration::ZERO, slot);
    }
    // None is free, and half as many as serve are retired.
    for slot in 100..110 {
        let key = bench.send_to(to_second, Duration::ZERO, slot);
        let from = ask(&mut bench, key, &second, b"query");
        second.send_to(b"answer", from).unwrap();
        assert_eq!(hear(&mut bench, key), (b"answer".to_vec(), to_second));
    }
}

#[test]
fn where_there_is_no_descriptor_a_port_serves_two_servers_and_once_it_is_left_the_second_alone() {
    let [first, second] = servers();
    let [to_first, to_second] = [&first, &second].map(|server| server.local_addr().unwrap());
    let mut bench = Bench::new();
    bench.ports.most = 1;
    let key = bench.send_to(to_first, Duration::ZERO, 0);
    let from = ask(&mut bench, key, &first, b"one");
    // As many are retired as may be.
    bench.ports.lanes[0].retired = 2;
    assert_eq!(bench.send_to(to_second, Duration::ZERO, 1), key);
    assert_eq!(ask(&mut bench, key, &second, b"two").port(), from.port());
    first.send_to(b"of the first", from).unwrap();
    second.send_to(b"of the second", from).unwrap();
    assert_eq!(hear(&mut bench, key), (b"of the first".to_vec(), to_first));
    assert_eq!(hear(&mut bench, key), (b"of the second".to_vec(), to_second));
    for slot in 0..2 {
        bench.ports.leave(key, slot, Leave::Heard);
    }
    assert_eq!(bench.send_to(to_second, Duration::ZERO, 2), key);
    assert_eq!(ask(&mut bench, key, &second, b"three").port(), from.port());
    first.connect(from).unwrap();
    first.send(b"late").unwrap();
    assert_eq!(first.recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_port_that_is_left_turns_to_another_server_also_over_ipv6() {
    let source = IpAddr::from([0_u16; 8]);
    let [first, second] = ["[::1]:0", "[::1]:0"].map(|at| UdpSocket::bind(at).unwrap());
    let mut bench = Bench::new();
    bench.ports.most = 1;
    let mut before = None;
    for (slot, server) in [&first, &second, &first].into_iter().enumerate() {
        let (to, slot) = (server.local_addr().unwrap(), slot as u32);
        let key = bench.ports.pick(source, to, &bench.epoll, bench.begin).unwrap();
        bench.ports.get_mut(key).unwrap().waits.push(slot);
        let from = ask(&mut bench, key, server, b"query");
        assert_eq!(*before.get_or_insert(from), from);
        server.send_to(b"answer", from).unwrap();
        assert_eq!(hear(&mut bench, key), (b"answer".to_vec(), to));
        bench.ports.leave(key, slot, Leave::Heard);
    }
}
