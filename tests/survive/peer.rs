//! An upstream that does what the name asked for says (`misbehaviour.rs`), over UDP and TCP on one loopback port, and
//! remembers what it was asked.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::misbehaviour::{self, By, Later};
use crate::port;

/// How many queries are remembered.
const REMEMBERED: usize = 50_000;
/// How often a thread looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Udp,
    Tcp,
}

/// What the whole server does, whatever it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// As the name says.
    Scripted,
    /// Nothing is answered.
    Silent,
    /// SERVFAIL to everything.
    Failing,
    /// REFUSED to everything.
    Refusing,
    /// FORMERR without OPT to whatever has one.
    NoEdns,
    /// BADVERS to whatever has an OPT.
    BadVersion,
    /// The question comes back in lower case.
    Folding,
    /// Answers are kept until the mood changes.
    Holding,
    /// The right answer, whatever the name says.
    Honest,
}

const MOODS: [Mood; 9] = [
    Mood::Scripted,
    Mood::Silent,
    Mood::Failing,
    Mood::Refusing,
    Mood::NoEdns,
    Mood::BadVersion,
    Mood::Folding,
    Mood::Holding,
    Mood::Honest,
];

/// A query that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The message.
    pub bytes: Vec<u8>,
    /// QNAME in lower case, without the last dot.
    pub name: String,
    /// QTYPE.
    pub qtype: u16,
    /// How it came.
    pub via: Via,
    /// Whence.
    pub from: SocketAddr,
    /// When.
    pub at: Instant,
}

/// A running upstream; it ends when it is dropped.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    udp: UdpSocket,
    other_port: UdpSocket,
    other_address: UdpSocket,
    mood: AtomicU8,
    stop: AtomicBool,
    asked: Mutex<Vec<Asked>>,
    only: OnceLock<&'static str>,
    back_to: OnceLock<SocketAddr>,
    timer: Mutex<Sender<(Instant, Delayed)>>,
}

/// A datagram for later.
type Delayed = (By, SocketAddr, Vec<u8>);

impl Upstream {
    /// Begins to serve on 127.0.0.1.
    pub fn start() -> Upstream {
        let (udp, tcp) = port::both();
        let address = udp.local_addr().unwrap();
        udp.set_read_timeout(Some(LOOK)).unwrap();
        let _ = socket2::SockRef::from(&udp).set_recv_buffer_size(4 << 20);
        let (timer, timed) = channel();
        let stranger = |ip: Ipv4Addr, port| UdpSocket::bind((ip, port)).unwrap();
        let shared = Arc::new(Shared {
            udp,
            other_port: stranger(Ipv4Addr::LOCALHOST, 0),
            other_address: stranger(Ipv4Addr::new(127, 66, 66, 66), address.port()),
            mood: AtomicU8::new(0),
            stop: AtomicBool::new(false),
            asked: Mutex::default(),
            only: OnceLock::new(),
            back_to: OnceLock::new(),
            timer: Mutex::new(timer),
        });
        let own = shared.clone();
        std::thread::spawn(move || own.serve_udp());
        let own = shared.clone();
        std::thread::spawn(move || own.serve_tcp(&tcp));
        let own = shared.clone();
        std::thread::spawn(move || own.send_later(&timed));
        Upstream { address, shared }
    }

    /// What it does from now on.
    pub fn be(&self, mood: Mood) {
        self.shared.mood.store(mood as u8, Ordering::Relaxed);
    }

    /// The server that names with `back-to-us` are forwarded to.
    pub fn forward_back_to(&self, server: SocketAddr) {
        self.shared.back_to.set(server).unwrap();
    }

    /// From now on it remembers only queries for names that have these words, however many others come between.
    pub fn remember_only(&self, words: &'static str) {
        self.shared.only.set(words).unwrap();
    }

    /// The queries for names that have these words, in their order.
    pub fn asked(&self, words: &str) -> Vec<Asked> {
        let asked = self.shared.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.name.contains(words)).cloned().collect()
    }

    /// How many they are.
    pub fn count(&self, words: &str) -> usize {
        self.shared.asked.lock().unwrap().iter().filter(|asked| asked.name.contains(words)).count()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The accepting thread wakes up by being called.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn mood(&self) -> Mood {
        MOODS[usize::from(self.mood.load(Ordering::Relaxed))]
    }

    fn serve_udp(&self) {
        let mut buffer = [0; 4096];
        while !self.stopped() {
            let Ok((length, from)) = self.udp.recv_from(&mut buffer) else { continue };
            for Later { after, by, bytes } in self.replies(&buffer[..length], Via::Udp, from) {
                if after.is_zero() {
                    self.send((by, from, bytes));
                } else {
                    let _ = self.timer.lock().unwrap().send((Instant::now() + after, (by, from, bytes)));
                }
            }
        }
    }

    /// One thread a connection: there are few.
    fn serve_tcp(self: &Arc<Self>, tcp: &TcpListener) {
        while let Ok((stream, from)) = tcp.accept() {
            if self.stopped() {
                return;
            }
            let own = self.clone();
            std::thread::spawn(move || own.serve_stream(stream, from));
        }
    }

    fn serve_stream(&self, mut stream: TcpStream, from: SocketAddr) -> Option<()> {
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length).ok()?;
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).ok()?;
            for reply in self.replies(&query, Via::Tcp, from) {
                let length = u16::try_from(reply.bytes.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length[..], &reply.bytes].concat()).ok()?;
            }
        }
    }

    fn replies(&self, query: &[u8], via: Via, from: SocketAddr) -> Vec<Later> {
        let Some((name, qtype)) = misbehaviour::question(query) else { return Vec::new() };
        let asked = Asked { bytes: query.to_vec(), name, qtype, via, from, at: Instant::now() };
        if self.only.get().is_none_or(|words| asked.name.contains(words)) {
            let mut memory = self.asked.lock().unwrap();
            if memory.len() < REMEMBERED {
                memory.push(asked.clone());
            }
        }
        let mood = self.mood();
        if mood == Mood::Scripted && asked.name.contains("back-to-us") {
            self.pass_on(&asked);
            return Vec::new();
        }
        if mood == Mood::Holding {
            // Until the mood changes: held answers go with the timer's next look after that.
            let replies = misbehaviour::replies(&asked, Mood::Scripted);
            return replies.into_iter().map(|reply| Later { after: HELD, ..reply }).collect();
        }
        misbehaviour::replies(&asked, mood)
    }

    /// Forwards as a resolver would: from its own address, the same question under an ID of its own, without our OPT.
    fn pass_on(&self, asked: &Asked) {
        let Some(server) = self.back_to.get().copied() else { return };
        let (udp, asked) = (self.udp.try_clone().unwrap(), asked.clone());
        std::thread::spawn(move || {
            let own = UdpSocket::bind((udp.local_addr().unwrap().ip(), 0)).unwrap();
            own.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut query = misbehaviour::without_edns(&asked.bytes);
            query[0] ^= 0x5A;
            own.send_to(&query, server).ok()?;
            let mut buffer = [0; 4096];
            let length = own.recv(&mut buffer).ok()?;
            buffer[..2].copy_from_slice(&asked.bytes[..2]);
            udp.send_to(&buffer[..length], asked.from).ok()
        });
    }

    fn send_later(&self, timed: &Receiver<(Instant, Delayed)>) {
        let mut due: BinaryHeap<Reverse<(Instant, usize)>> = BinaryHeap::new();
        let mut waiting: Vec<Option<Delayed>> = Vec::new();
        while !self.stopped() {
            let now = Instant::now();
            let let_go = self.mood() != Mood::Holding;
            while let Some(Reverse((at, nth))) = due.peek().copied() {
                let held = at.saturating_duration_since(now) > LONGEST;
                if !(at <= now || held && let_go) {
                    break;
                }
                due.pop();
                waiting[nth].take().into_iter().for_each(|delayed| self.send(delayed));
            }
            if due.is_empty() {
                waiting.clear();
            }
            let next =
                due.peek().map_or(LOOK, |Reverse((at, _))| at.saturating_duration_since(now).min(LOOK));
            match timed.recv_timeout(next) {
                Ok((at, delayed)) => {
                    due.push(Reverse((at, waiting.len())));
                    waiting.push(Some(delayed));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn send(&self, (by, to, bytes): Delayed) {
        let socket = match by {
            By::Server => &self.udp,
            By::OtherPort => &self.other_port,
            By::OtherAddress => &self.other_address,
        };
        // Who asked may be gone.
        let _ = socket.send_to(&bytes, to);
    }
}

/// The longest that a script waits, and how far away what is held is put.
const LONGEST: Duration = Duration::from_secs(600);
const HELD: Duration = Duration::from_secs(3600);
