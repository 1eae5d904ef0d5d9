//! Listening, on real sockets: what goes in comes out once, from the right address, and nobody waits for anybody else.
#![allow(clippy::unwrap_used)]

mod cap;
mod connection;
mod datagram;
mod life;
#[path = "../lab/port.rs"]
mod port;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kakehashi::listen::{Admit, Begin, Landing, ListenConfig, Listening, Service, Stats, start};
use kakehashi::query::{Now, Path};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the thirteenth octet of a query asks of the echo.
mod ask {
    pub const NOW: u8 = b'n';
    pub const LATER: u8 = b'l';
    /// When the gate lets it through.
    pub const GATED: u8 = b'g';
    pub const SILENCE: u8 = b's';
    /// Holds up the whole worker until the gate lets it through.
    pub const STALL: u8 = b'w';
    pub const PANIC: u8 = b'p';
    /// When it is seen ahead of its turn, and only then.
    pub const AHEAD_PANIC: u8 = b'f';
    /// When it is about to have its turn, and only then.
    pub const APPROACH_PANIC: u8 = b'h';
    pub const LATE_PANIC: u8 = b'q';
    /// Before there is anything to wait for.
    pub const EARLY_PANIC: u8 = b'e';
    /// In the lane: at once, at the beginning, and when it has landed.
    pub const LANE: u8 = b'a';
    pub const LANE_PANIC: u8 = b'b';
    pub const LANDING_PANIC: u8 = b'c';
}

/// Sends back what it gets, with QR set; what it refuses has RCODE 5.
struct Echo {
    gate: Arc<Semaphore>,
    /// What waits in the lane, by ticket; without what it asks, where a panic has ended it.
    lane: RefCell<VecDeque<(usize, Option<Vec<u8>>)>>,
    landed: Notify,
    /// One that was seen ahead wants a panic next.
    wants_panic: Cell<bool>,
}

impl Echo {
    fn new(gate: Arc<Semaphore>) -> Echo {
        Echo { gate, lane: RefCell::default(), landed: Notify::new(), wants_panic: Cell::default() }
    }
}

impl Service for Echo {
    fn admit(&self, packet: &[u8], _: &Path, _: Now, out: &mut Vec<u8>) -> Admit {
        match packet.get(12) {
            Some(&(ask::NOW | ask::AHEAD_PANIC | ask::APPROACH_PANIC)) => {
                out.extend_from_slice(packet);
                out[2] |= 0x80;
                Admit::Reply
            }
            Some(&ask::PANIC) => panic!("as asked"),
            Some(&ask::STALL) => {
                while self.gate.try_acquire().map(SemaphorePermit::forget).is_err() {
                    thread::yield_now();
                }
                Admit::Drop
            }
            Some(&(ask::LATER | ask::GATED | ask::LATE_PANIC | ask::EARLY_PANIC)) => Admit::Resolve,
            Some(&(ask::LANE | ask::LANE_PANIC | ask::LANDING_PANIC)) => Admit::Resolve,
            _ => Admit::Drop,
        }
    }

    fn foresee<'q>(&self, queries: impl Iterator<Item = (&'q [u8], IpAddr)>) {
        for (packet, _) in queries {
            assert_ne!(packet.get(12), Some(&ask::AHEAD_PANIC), "as asked");
            self.wants_panic.set(self.wants_panic.get() || packet.get(12) == Some(&ask::APPROACH_PANIC));
        }
    }

    fn approach(&self) {
        assert!(!self.wants_panic.take(), "as asked");
    }

    fn begin(&self, packet: &[u8], _: &Path, _: Now, ticket: usize) -> Begin {
        match packet[12] {
            ask::LANE_PANIC => panic!("as asked"),
            ask::LANE | ask::LANDING_PANIC => {
                self.lane.borrow_mut().push_back((ticket, Some(packet.to_vec())));
                self.landed.notify_one();
                Begin::Underway
            }
            _ => Begin::Task,
        }
    }

    async fn landed(&self) {
        self.landed.notified().await;
    }

    fn take_landed(self: Rc<Self>, out: &mut Vec<u8>) -> Option<(usize, Landing)> {
        let (ticket, packet) = self.lane.borrow_mut().pop_front()?;
        let Some(packet) = packet else { return Some((ticket, Landing::Silence)) };
        if packet[12] == ask::LANDING_PANIC {
            self.lane.borrow_mut().push_front((ticket, None));
            panic!("as asked");
        }
        out.extend_from_slice(&packet);
        out[2] |= 0x80;
        Some((ticket, Landing::Reply))
    }

    fn resolve(
        self: Rc<Self>,
        packet: Box<[u8]>,
        _: Path,
        _: Now,
    ) -> impl Future<Output = Option<Vec<u8>>> + 'static {
        assert_ne!(packet[12], ask::EARLY_PANIC, "as asked");
        async move {
            match packet[12] {
                ask::GATED => self.gate.acquire().await.unwrap().forget(),
                ask::LATE_PANIC => panic!("as asked"),
                _ => tokio::task::yield_now().await,
            }
            let mut reply = packet.into_vec();
            reply[2] |= 0x80;
            Some(reply)
        }
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
        let make = move |_| Rc::new(Echo::new(shared.clone()));
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
        let begun = Instant::now();
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
