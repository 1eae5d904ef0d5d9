//! A load at a steady rate from one client's address: a query at its moment, whatever became of those before. So what others
//! do to this client shows, in what is lost and in how long it takes.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::misbehaviour::wire;
use crate::net::Network;
use crate::wait;

/// How long the last responses are waited for.
const LATE: Duration = Duration::from_secs(3);
/// Queries that may be under way: one ID each.
const IDS: usize = 1 << 16;

/// What is asked: the name of the nth query.
pub type Names = Box<dyn Fn(usize) -> String + Send>;

/// A load that runs until it is finished or has sent all.
pub struct Load {
    stop: Stop,
    answered: Arc<AtomicUsize>,
    sender: JoinHandle<usize>,
    receiver: JoinHandle<Outcome>,
}

/// Ends the sender when it is dropped, so that a failing test does not leave it running.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What became of the queries.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Queries sent.
    pub sent: usize,
    /// Answered NOERROR with records.
    pub good: usize,
    /// Answered NXDOMAIN.
    pub absent: usize,
    /// Answered otherwise.
    pub other: usize,
    /// Octets of all answers.
    pub octets: usize,
    /// How long each answer took, the quickest first.
    pub took: Vec<Duration>,
    /// When good answers came.
    pub good_at: Vec<Instant>,
}

impl Outcome {
    /// The share of queries with a good answer.
    pub fn share(&self) -> f64 {
        self.good as f64 / self.sent.max(1) as f64
    }

    /// What this share of the answers did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let nth = (self.took.len() as f64 * share) as usize;
        self.took.get(nth.min(self.took.len().saturating_sub(1))).copied().unwrap_or(LATE)
    }

    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    /// Takes in what another time of the same load gave.
    pub fn add(&mut self, other: Outcome) {
        let Outcome { sent, good, absent, other, octets, took, good_at } = other;
        self.sent += sent;
        self.good += good;
        self.absent += absent;
        self.other += other;
        self.octets += octets;
        self.took.extend(took);
        self.took.sort_unstable();
        self.good_at.extend(good_at);
    }
}

impl Load {
    /// Starts to ask for addresses, so many times a second.
    pub fn start(source: IpAddr, server: SocketAddr, rate: usize, names: Names) -> Load {
        let socket = Network.udp(source, server).unwrap();
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let receiving = socket.try_clone().unwrap();
        // How many were sent, once it is known.
        let (stop, all) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(usize::MAX)));
        let answered = Arc::new(AtomicUsize::new(0));
        let sent_at: Arc<Vec<AtomicU64>> = Arc::new((0..IDS).map(|_| AtomicU64::new(0)).collect());
        let epoch = Instant::now();
        let sender = {
            let (stop, all, sent_at) = (stop.clone(), all.clone(), sent_at.clone());
            std::thread::spawn(move || {
                let sent = send(&socket, rate, &names, epoch, &sent_at, &stop);
                all.store(sent, Ordering::Relaxed);
                sent
            })
        };
        let receiver = {
            let answered = answered.clone();
            std::thread::spawn(move || receive(&receiving, epoch, &sent_at, &answered, &all))
        };
        Load { stop: Stop(stop), answered, sender, receiver }
    }

    /// How many answers came so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends it, waits for the last responses and says what became of all.
    pub fn finish(self) -> Outcome {
        drop(self.stop);
        let sent = self.sender.join().unwrap();
        let mut outcome = self.receiver.join().unwrap();
        outcome.sent = sent;
        outcome.took.sort_unstable();
        outcome
    }

    /// Runs it for a time.
    pub fn run(source: IpAddr, server: SocketAddr, rate: usize, time: Duration, names: Names) -> Outcome {
        let load = Load::start(source, server, rate, names);
        wait::beat(Instant::now() + time);
        load.finish()
    }
}

/// One of so many names below a domain, in turn.
pub fn some(count: usize, domain: &'static str) -> Names {
    Box::new(move |nth| format!("hot{}.{domain}", nth % count))
}

/// Each name once.
pub fn ever_new(domain: &'static str) -> Names {
    Box::new(move |nth| format!("n{nth}.{domain}"))
}

/// A query for addresses, RD set, without EDNS.
pub fn query(id: u16, name: &str) -> Vec<u8> {
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet[..2].copy_from_slice(&id.to_be_bytes());
    packet.extend(wire(name));
    packet.extend([0, 1, 0, 1]);
    packet
}

fn send(
    socket: &UdpSocket,
    rate: usize,
    names: &Names,
    epoch: Instant,
    sent_at: &[AtomicU64],
    stop: &AtomicBool,
) -> usize {
    let mut nth = 0;
    while !stop.load(Ordering::Relaxed) {
        wait::beat(epoch + Duration::from_secs_f64(nth as f64 / rate as f64));
        // After a pause of the machine what is due goes at once.
        let due = (epoch.elapsed().as_secs_f64() * rate as f64) as usize + 1;
        for number in nth..due {
            let packet = query(number as u16, &names(number));
            sent_at[number % IDS].store(epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
            let _ = socket.send(&packet);
        }
        nth = due.max(nth);
    }
    nth
}

fn receive(
    socket: &UdpSocket,
    epoch: Instant,
    sent_at: &[AtomicU64],
    answered: &AtomicUsize,
    all: &AtomicUsize,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut buffer = [0; 4096];
    let mut last = None;
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    loop {
        let Ok(length) = socket.recv(&mut buffer) else {
            let sent = all.load(Ordering::Relaxed);
            let over = sent < usize::MAX && last.get_or_insert_with(Instant::now).elapsed() > LATE;
            if over || outcome.took.len() >= sent {
                return outcome;
            }
            continue;
        };
        let now = epoch.elapsed();
        let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
        let sent = Duration::from_nanos(sent_at[id].swap(0, Ordering::Relaxed));
        if length < 12 || sent.is_zero() {
            // Answered twice, or never asked.
            outcome.other += 1;
            continue;
        }
        outcome.took.push(now.saturating_sub(sent));
        outcome.octets += length;
        match (buffer[3] & 0xF, buffer[7]) {
            (0, 1..) => {
                outcome.good += 1;
                outcome.good_at.push(Instant::now());
            }
            (3, _) => outcome.absent += 1,
            _ => outcome.other += 1,
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}
