//! Upstreams that answer every question with one address, or fall silent for a while.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::load;

/// What they answer.
pub const ANSWER: &str = "192.0.2.1";

/// One that runs until it is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    answering: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    from: Arc<Mutex<BTreeSet<SocketAddr>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// On loopback; its answers have this TTL.
    pub fn start(ttl: u32) -> Upstream {
        Upstream::at(Ipv4Addr::LOCALHOST.into(), ttl)
    }

    /// At this address, of where this is called.
    pub fn at(ip: IpAddr, ttl: u32) -> Upstream {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        load::widen(&socket);
        let address = socket.local_addr().unwrap();
        let (answering, asked) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicUsize>::default());
        let (from, stop) = (Arc::<Mutex<BTreeSet<SocketAddr>>>::default(), Arc::<AtomicBool>::default());
        let (answers, counts, stops) = (answering.clone(), asked.clone(), stop.clone());
        let clients = from.clone();
        let serve = move || {
            let mut buffer = [0; 512];
            while !stops.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                counts.fetch_add(1, Ordering::Relaxed);
                clients.lock().unwrap().insert(from);
                if answers.load(Ordering::Relaxed) {
                    let _ = socket.send_to(&answer(&buffer[..length], ttl), from);
                }
            }
        };
        Upstream { address, answering, asked, from, stop, thread: Some(std::thread::spawn(serve)) }
    }

    /// Lets it answer from now on.
    pub fn comes(&self) {
        self.answering.store(true, Ordering::Relaxed);
    }

    /// Lets it be silent from now on.
    pub fn goes(&self) {
        self.answering.store(false, Ordering::Relaxed);
    }

    /// Whence queries came so far.
    pub fn from(&self) -> Vec<SocketAddr> {
        self.from.lock().unwrap().iter().copied().collect()
    }

    /// How many queries came so far, health checks and unanswered ones among them.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// The configuration that forwards `up.test` to these, for the group `vpc`.
pub fn forward(to: &[&Upstream], more: &str) -> String {
    let servers: Vec<String> = to.iter().map(|upstream| format!("\"{}\"", upstream.address)).collect();
    format!(
        "[[upstream]]\nname = \"up\"\nservers = [{}]\n{more}\n[[rule]]\ndomain = \"up.test\"\nforward = \"up\"\nvisible-to = [\"vpc\"]\n",
        servers.join(", ")
    )
}

/// The question as it came, and one A record for it.
fn answer(query: &[u8], ttl: u32) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += 1 + usize::from(query[end]);
    }
    let mut message = query[..end + 5].to_vec();
    // QR, and RD as it was; RA, NOERROR; one question, one answer, nothing else.
    message[2] |= 0x80;
    message[3] = 0x80;
    message[4..12].copy_from_slice(&[0, 1, 0, 1, 0, 0, 0, 0]);
    // Its owner is the name at octet 12; A, IN.
    message.extend([0xc0, 12, 0, 1, 0, 1]);
    message.extend(ttl.to_be_bytes());
    message.extend([0, 4, 192, 0, 2, 1]);
    message
}
