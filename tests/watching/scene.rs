//! A server with everything that can go wrong around it, and clients who ask it without a pause.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::client::{query, receive};
use crate::process::{PLANNING, Server, Site};
use crate::{PATIENCE, wait};

/// From one query of the clients to the next.
const PACE: Duration = Duration::from_millis(4);

/// The server, its upstreams and its clients.
pub struct Scene {
    pub server: Server,
    site: Site,
    stop: Arc<AtomicBool>,
    fades: Arc<AtomicBool>,
    ours: Arc<OnceLock<SocketAddr>>,
    threads: Vec<JoinHandle<()>>,
    _dead: UdpSocket,
}

impl Scene {
    /// Starts the server; nobody asks it yet.
    pub fn new() -> Scene {
        let (stop, fades, ours) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::default());
        let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (good, fading, looping) = (socket("127.0.0.1"), socket("127.0.0.4"), socket("127.0.0.3"));
        let address = |socket: &UdpSocket| socket.local_addr().unwrap();
        let tables = tables(address(&good), address(&dead), address(&fading), address(&looping));
        let site = Site::new("127.0.0.1:0", "", &tables);
        let threads = vec![
            upstream(good, Arc::clone(&stop), |_| true),
            upstream(fading, Arc::clone(&stop), {
                let fades = Arc::clone(&fades);
                move |_| !fades.load(Ordering::Relaxed)
            }),
            mirror(looping, Arc::clone(&stop), Arc::clone(&ours)),
        ];
        let server = site.start();
        ours.set(server.dns).unwrap();
        Scene { server, site, stop, fades, ours, threads, _dead: dead }
    }

    /// From now on clients ask, an upstream that answered falls silent, and what is written cannot be loaded.
    pub fn begin(&mut self) {
        let (server, stop) = (self.server.dns, Arc::clone(&self.stop));
        self.threads.push(std::thread::spawn(move || ask(server, &stop)));
        let stale = "kakehashi_answers_total{source=\"forward\"}";
        wait::until("upstreams answer", PATIENCE, || (self.server.metric(stale) > 50.0).then_some(()));
        self.fades.store(true, Ordering::Relaxed);
        self.site.write("technova.internal.zone", "this is no zone\n");
        self.server.signal(Signal::SIGHUP);
        let failed = "kakehashi_reloads_total{result=\"failure\"}";
        wait::until("the reload fails", PATIENCE, || (self.server.metric(failed) > 0.0).then_some(()));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = &self.ours;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn tables(good: SocketAddr, dead: SocketAddr, fading: SocketAddr, looping: SocketAddr) -> String {
    let check = "health-check = { query = \"probe.test A\", interval = \"200ms\", fall = 1, rise = 1 }";
    let one = |name: &str, server: SocketAddr, more: &str| {
        format!(
            "[[upstream]]\nname = \"{name}\"\nservers = [\"{server}\"]\ntry-timeout = \"50ms\"\ndeadline = \"100ms\"\n{more}\n\
             [[rule]]\ndomain = \"{name}.test\"\nforward = \"{name}\"\nvisible-to = [\"vpc\", \"lab\"]\n"
        )
    };
    [
        "[cache]\nserve-stale = \"1h\"\n".to_owned(),
        "[[network]]\nname = \"lab\"\ncidr = [\"127.0.5.0/24\"]\naccount-id = \"123456789012\"\ngroups = [\"lab\"]\n".to_owned(),
        "[[network]]\nname = \"outside\"\ncidr = [\"127.0.6.0/24\"]\ngroups = [\"vpc\"]\nlimit = { queries = \"5/s\", burst = \"1s\", responses = \"5/s\" }\n".to_owned(),
        one("good", good, check),
        one("dead", dead, check),
        one("fading", fading, check),
        one("tight", good, "max-qps = 10\nhealth-check = \"off\""),
        one("looping", looping, "health-check = \"off\""),
    ]
    .concat()
}

fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

/// Answers each query that `answers` lets through with an address that lives for a second; `nx…` does not exist, and
/// `fail…` fails.
fn upstream(
    socket: UdpSocket,
    stop: Arc<AtomicBool>,
    answers: impl Fn(&[u8]) -> bool + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            let asked = &buffer[..length];
            if answers(asked) {
                let _ = socket.send_to(&answer(asked), from);
            }
        }
    })
}

fn answer(asked: &[u8]) -> Vec<u8> {
    let name = asked[12..].iter().position(|octet| *octet == 0).unwrap() + 1;
    let first = asked[13..15].to_ascii_lowercase();
    let code = match &first[..] {
        b"nx" => 3,
        b"fa" if asked[15..17].eq_ignore_ascii_case(b"il") => 2,
        _ => 0,
    };
    let question = &asked[12..12 + name + 4];
    let answers = u8::from(code == 0);
    let mut reply = [&asked[..2], &[0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0], question].concat();
    if code == 0 {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]);
    }
    reply
}

/// Sends everything that it is asked back to the server, as a conditional forwarder that points at it does.
fn mirror(socket: UdpSocket, stop: Arc<AtomicBool>, server: Arc<OnceLock<SocketAddr>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(server) = server.get().filter(|server| **server != from) {
                let _ = socket.send_to(&buffer[..length], server);
            }
        }
    })
}

/// Clients of all networks: names that are known, new, missing and failing; some over TCP, one far too often.
fn ask(server: SocketAddr, stop: &AtomicBool) {
    let client = |address: &str| {
        let client = socket(address);
        client.connect(server).unwrap();
        client
    };
    let clients = [client("127.0.0.1"), client("127.0.5.1")];
    let greedy = client("127.0.6.1");
    let begun = Instant::now();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) || begun.elapsed() > 3 * PATIENCE {
            return;
        }
        let names = [
            PLANNING.to_owned(),
            "known.good.test".to_owned(),
            format!("new{round}.good.test"),
            format!("nx{}.good.test", round % 50),
            format!("fail{}.good.test", round % 50),
            format!("x{round}.dead.test"),
            format!("x{round}.tight.test"),
            "known.fading.test".to_owned(),
            format!("x{round}.looping.test"),
        ];
        for (nth, name) in names.iter().enumerate() {
            let client = &clients[(round + nth) % 2];
            client.send(&query(nth as u16, name)).unwrap();
            let _ = receive(client);
            greedy.send(&query(0, PLANNING)).unwrap();
            wait::beat(Instant::now() + PACE);
        }
        drop(TcpStream::connect(server));
    }
}
