//! A server with several networks, a zone and two upstreams, its peers, and clients that ask it at an even pace.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::query;
use crate::process::{Server, Site};
use crate::wait;

/// Everything there is.
pub struct Town {
    pub site: Site,
    pub server: Server,
    pub primary: Peer,
    pub backup: Peer,
}

/// An upstream server that answers everything, or nothing while it is silent.
pub struct Peer {
    pub address: SocketAddr,
    silent: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const ZONE: &str = "$ORIGIN technova.internal.
$TTL 300
@          SOA resolver hostmaster 7 7200 900 1209600 60
           NS  resolver
resolver   A   10.150.20.10
planning   A   10.0.30.100
order      A   10.1.30.100
api        CNAME planning
";

impl Town {
    /// Starts it.
    pub fn start() -> Town {
        let (primary, backup) = (Peer::start(), Peer::start());
        let more = format!(
            r#"
[[network]]
name = "technova-mfg-prod-app"
cidr = ["127.0.1.0/24"]
account-id = "123456789012"
groups = ["vpc", "manufacturing"]
[[network]]
name = "technova-iot-prod-edge"
cidr = ["127.0.2.0/24"]
groups = ["vpc", "iot"]
[[network]]
name = "onprem-osaka"
cidr = ["127.0.3.0/24"]
groups = ["onprem"]
[[upstream]]
name = "onprem-dc"
servers = ["{}"]
backup = ["{}"]
try-timeout = "100ms"
deadline = "300ms"
health-check = {{ query = "technova.local SOA", interval = "200ms", fall = 2, rise = 1 }}
[[rule]]
domain = "technova.local"
forward = "onprem-dc"
visible-to = ["vpc", "onprem"]
[[rule]]
domain = "secret.technova.local"
refuse = true
visible-to = ["iot"]
"#,
            primary.address, backup.address
        );
        let site = Site::new("127.0.0.1:0", "", &more);
        site.write("technova.internal.zone", ZONE);
        let server = site.start();
        Town { site, server, primary, backup }
    }

    /// The dashboard's address.
    pub fn page(&self) -> String {
        format!("http://{}/", self.server.http)
    }
}

impl Peer {
    fn start() -> Peer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let address = socket.local_addr().unwrap();
        let (silent, end) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (is_silent, is_over) = (Arc::clone(&silent), Arc::clone(&end));
        let thread = thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !is_over.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
                if let Some(answer) = answer(&buffer[..length])
                    && !is_silent.load(Ordering::Relaxed)
                {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Peer { address, silent, end, thread: Some(thread) }
    }

    /// It answers nothing any more.
    pub fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// It answers again.
    pub fn answer(&self) {
        self.silent.store(false, Ordering::Relaxed);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An address for every name but those that begin with `no`, which do not exist.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? > 0 {
        end += 1 + usize::from(query[end]);
    }
    let question = query.get(12..end + 5)?;
    let is_there = query.get(13..15)? != b"no";
    let has_address = is_there && question.ends_with(&[0, 1, 0, 1]);
    let mut answer = query[..2].to_vec();
    let code = if is_there { 0x80 } else { 0x83 };
    answer.extend_from_slice(&[0x81, code, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend_from_slice(question);
    if has_address {
        answer.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 2, 0, 4, 10, 9, 8, 7]);
    }
    Some(answer)
}

/// Clients of several networks that ask these names at an even pace, until it is dropped.
pub struct Traffic {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The time between two rounds.
const BEAT: Duration = Duration::from_millis(20);

impl Traffic {
    /// Each round asks `names` from the next of `clients`, the earlier names more often.
    pub fn start(server: SocketAddr, clients: &[&str], names: &[&str]) -> Traffic {
        let sockets: Vec<UdpSocket> = clients.iter().map(|client| socket(client, server)).collect();
        let queries: Vec<Vec<u8>> = names.iter().zip(1..).map(|(name, id)| query(id, name)).collect();
        let end = Arc::<AtomicBool>::default();
        let is_over = Arc::clone(&end);
        let thread = thread::spawn(move || {
            let mut beat = Instant::now();
            for round in 0_usize.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                for (nth, query) in queries.iter().enumerate().filter(|(nth, _)| round % (nth + 1) == 0) {
                    // The first client asks most.
                    let client = (round + nth) % (sockets.len() * 2);
                    let socket = sockets.get(client).unwrap_or(&sockets[0]);
                    let _ = socket.send(query);
                    while socket.recv(&mut [0; 4096]).is_ok() {}
                }
                beat += BEAT;
                wait::beat(beat);
            }
        });
        Traffic { end, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn socket(client: &str, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((client, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}
