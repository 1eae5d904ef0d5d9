//! Questions, and what became of them: one after the other, or at a steady beat whatever becomes of the earlier ones.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::client::{query, receive, socket};
use crate::wait;

/// How often each thing was said.
pub type Said = BTreeMap<String, usize>;

/// Gives a socket of the test room for what comes while the machine does something else: what is lost shall be the
/// server's. More than others may have where we are root.
pub fn widen(socket: &UdpSocket) {
    let size = 8 << 20;
    if setsockopt(socket, sockopt::RcvBufForce, &size).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &size).unwrap();
    }
}

/// Asks `count` questions in turn, each when the one before is answered; what was said, and the middle and the slow end of
/// how long it took.
pub fn ask_in_turn(server: SocketAddr, count: usize, name: impl Fn(usize) -> String) -> (Said, String) {
    let socket = socket(server);
    let mut said = Said::new();
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        let began = Instant::now();
        socket.send(&query(number as u16, &name(number))).unwrap();
        let answer = match receive(&socket) {
            Ok((id, text)) if id == number as u16 => text,
            Ok((id, text)) => format!("{text} to question {id}"),
            Err(fault) => fault.to_string(),
        };
        took.push(began.elapsed());
        *said.entry(answer).or_default() += 1;
    }
    took.sort();
    let figures =
        format!("p50 {:?}, p99 {:?}, slowest {:?}", took[count / 2], took[count * 99 / 100], took[count - 1]);
    (said, figures)
}

/// A load with a beat, until [`Steady::finish`].
pub struct Steady {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<(usize, Duration)>,
    receiver: JoinHandle<Said>,
}

impl Steady {
    /// Asks `per_second` questions a second.
    pub fn start(
        server: SocketAddr,
        per_second: u32,
        name: impl Fn(usize) -> String + Send + 'static,
    ) -> Steady {
        let stop = Arc::<AtomicBool>::default();
        let (sending, stops) = (socket(server), stop.clone());
        widen(&sending);
        let receiving = sending.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            let began = Instant::now();
            let (mut sent, mut late) = (0, Duration::ZERO);
            while !stops.load(Ordering::Relaxed) {
                let due = began + Duration::from_secs(sent as u64) / per_second;
                wait::beat(due);
                late = late.max(due.elapsed());
                sending.send(&query(sent as u16, &name(sent))).unwrap();
                sent += 1;
            }
            (sent, late)
        });
        let receiver = std::thread::spawn(move || {
            let mut said = Said::new();
            // Silence for longer than any answer takes is the end.
            receiving.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
            while let Ok((_, text)) = receive(&receiving) {
                *said.entry(text).or_default() += 1;
            }
            said
        });
        Steady { stop, sender, receiver }
    }

    /// Ends it: how many were asked, by how much the machine was late with one at worst, and what was said.
    pub fn finish(self) -> (usize, Duration, Said) {
        self.stop.store(true, Ordering::Relaxed);
        let (sent, late) = self.sender.join().unwrap();
        (sent, late, self.receiver.join().unwrap())
    }
}
