//! A steady load from one client: a query every few milliseconds, each with a name of its own, whatever becomes of the
//! earlier ones. So what a fault does to clients shows, and for how long.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

use super::client::PATIENCE;
use super::net::Network;
use super::server::PRIMARY;
use super::wait;
use super::world::address;

/// From one query to the next.
const BEAT: Duration = Duration::from_millis(5);
/// A query's number is its ID, so a load ends before they are used up.
const MOST: usize = 60_000;

/// A load that runs until [`Load::finish`].
pub struct Load {
    stop: Stop,
    answered: Arc<AtomicUsize>,
    started: Instant,
    sender: JoinHandle<Vec<Instant>>,
    receiver: JoinHandle<Vec<(usize, Instant, ResponseCode)>>,
}

/// Ends the sender when it is dropped, so that a failing test does not leave it running.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What became of one query.
pub struct Outcome {
    /// Its number, which is in its name: `q{number}.{domain}`.
    pub number: usize,
    /// When it was sent, since the load began.
    pub sent: Duration,
    /// The response code and how long it took; none if it was never answered.
    pub reply: Option<(ResponseCode, Duration)>,
}

impl Load {
    /// Starts asking for A records of `q{number}.{domain}`.
    pub fn start(network: &Network, client: &str, domain: &str) -> Self {
        let socket = network.udp(address(client), SocketAddr::new(PRIMARY, 53)).unwrap();
        let receiving = socket.try_clone().unwrap();
        let domain = domain.to_owned();
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let (stops, counts) = (stop.clone(), answered.clone());
        let started = Instant::now();
        let sender = std::thread::spawn(move || send(&socket, &domain, started, &stops));
        let receiver = std::thread::spawn(move || receive(&receiving, &counts));
        Self { stop: Stop(stop), answered, started, sender, receiver }
    }

    /// Waits until `more` further queries have been answered; gives the moment, counted from the load's start.
    pub fn await_answers(&self, more: usize) -> Duration {
        let goal = self.answered.load(Ordering::Relaxed) + more;
        wait::until(&format!("{more} more queries of the load are answered"), Duration::from_secs(20), || {
            (self.answered.load(Ordering::Relaxed) >= goal).then(|| self.now())
        })
    }

    /// How long the load has run.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the load, waits for the last responses and says what became of each query.
    pub fn finish(self) -> Vec<Outcome> {
        drop(self.stop);
        let sent = self.sender.join().unwrap();
        let received = self.receiver.join().unwrap();
        let mut outcomes: Vec<Outcome> = sent
            .iter()
            .enumerate()
            .map(|(number, at)| Outcome { number, sent: *at - self.started, reply: None })
            .collect();
        for (number, at, rcode) in received {
            outcomes[number].reply = Some((rcode, at - sent[number]));
        }
        outcomes
    }
}

fn send(socket: &UdpSocket, domain: &str, started: Instant, stop: &AtomicBool) -> Vec<Instant> {
    let mut sent = Vec::new();
    while !stop.load(Ordering::Relaxed) && sent.len() < MOST {
        let number = sent.len();
        wait::beat(started + BEAT * u32::try_from(number).unwrap());
        let name = Name::from_ascii(format!("q{number}.{domain}.")).unwrap();
        let mut message = Message::query();
        message.metadata.id = u16::try_from(number).unwrap();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name, RecordType::A));
        sent.push(Instant::now());
        socket.send(&message.to_vec().unwrap()).unwrap();
    }
    sent
}

/// Receives until nothing has come for longer than a client waits.
fn receive(socket: &UdpSocket, answered: &AtomicUsize) -> Vec<(usize, Instant, ResponseCode)> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    while let Ok(length) = socket.recv(&mut buffer) {
        let message = Message::from_vec(&buffer[..length]).unwrap();
        received.push((usize::from(message.metadata.id), Instant::now(), message.metadata.response_code));
        answered.fetch_add(1, Ordering::Relaxed);
    }
    received
}

/// The queries that were not answered NOERROR, as a person would name them; empty if all is well.
pub fn failed(outcomes: &[Outcome]) -> Vec<String> {
    let describe = |outcome: &Outcome| match outcome.reply {
        Some((ResponseCode::NoError, _)) => None,
        Some((rcode, took)) => {
            Some(format!("q{} sent at {:?}: {rcode:?} after {took:?}", outcome.number, outcome.sent))
        }
        None => Some(format!("q{} sent at {:?}: no response", outcome.number, outcome.sent)),
    };
    outcomes.iter().filter_map(describe).collect()
}
