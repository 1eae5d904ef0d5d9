//! What systemd asks of a service: sd_notify(3), the watchdog, and sockets that it holds over a restart (sd_listen_fds(3)).

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::PATIENCE;
use crate::client::{Load, ask, query, receive, socket};
use crate::port;
use crate::process::{PLANNING, Server, Site, quiet};

/// The service manager's end of NOTIFY_SOCKET.
struct NotifySocket(UnixDatagram);

impl NotifySocket {
    fn of(site: &Site) -> NotifySocket {
        let socket = UnixDatagram::bind(site.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        NotifySocket(socket)
    }

    fn hears(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// The next that is no watchdog's beat.
    fn hears_next(&self) -> String {
        loop {
            let said = self.hears();
            if said.trim() != "WATCHDOG=1" {
                return said;
            }
        }
    }
}

fn monotonic_micros() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec().cast_unsigned() * 1_000_000 + now.tv_nsec().cast_unsigned() / 1_000
}

#[test]
fn the_manager_is_told_of_every_turn_in_its_life() {
    let site = Site::new("127.0.0.1:0", "", "");
    let manager = NotifySocket::of(&site);
    let mut server = Server::start(site.command().env("NOTIFY_SOCKET", site.path("notify")));
    assert_eq!(manager.hears_next().trim(), "READY=1");
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100", "ready is ready");

    for broken in [false, true] {
        if broken {
            site.replace("main.toml", "[query-log]", "[query-lag]");
        }
        let before = monotonic_micros();
        server.signal(Signal::SIGHUP);
        let said = manager.hears_next();
        let mut lines = said.lines();
        assert_eq!(lines.next(), Some("RELOADING=1"));
        let since: u64 = lines.next().unwrap().strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!((before..=monotonic_micros()).contains(&since), "{before} {since}");
        assert_eq!(manager.hears_next().trim(), "READY=1", "also after a reload that failed");
    }
    server.until_says("stays in force");
    server.signal(Signal::SIGTERM);
    assert_eq!(manager.hears_next().trim(), "STOPPING=1");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn the_watchdog_is_fed_while_the_workers_turn() {
    let site = Site::new("127.0.0.1:0", "", "");
    let manager = NotifySocket::of(&site);
    let mut command = site.command();
    command.env("NOTIFY_SOCKET", site.path("notify")).env("WATCHDOG_USEC", "2000000");
    let server = Server::start(&mut command);
    assert_eq!(manager.hears().trim(), "READY=1");
    for _ in 0..2 {
        assert_eq!(manager.hears().trim(), "WATCHDOG=1");
    }
    server.terminate();
}

/// A server with these sockets as its descriptors 3 and 4, as systemd passes them. The shell gets them as its stdin and
/// stdout and moves them, since only the new process knows the number that LISTEN_PID must be.
fn activated(site: &Site, udp: &UdpSocket, tcp: &TcpListener) -> Server {
    let mut command = Command::new("/bin/sh");
    quiet(&mut command);
    let moved = "exec 3<&0 4>&1 0</dev/null 1>/dev/null; export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$@\"";
    command.args(["-c", moved, "sh", env!("CARGO_BIN_EXE_kakehashi"), "serve", "--config", "main.toml"]);
    command.current_dir(site.path(""));
    command.stdin(Stdio::from(OwnedFd::from(udp.try_clone().unwrap())));
    command.stdout(Stdio::from(OwnedFd::from(tcp.try_clone().unwrap())));
    Server::start(&mut command)
}

#[test]
fn with_sockets_that_systemd_holds_a_restart_loses_no_query() {
    let (udp, tcp) = port::both();
    let address = udp.local_addr().unwrap();
    let site = Site::new(&address.to_string(), "", "");
    let first = activated(&site, &udp, &tcp);
    assert_eq!(first.dns, address);

    let load = Load::start(address, 4, &[PLANNING, "nothere.technova.internal"]);
    load.await_answers(100);
    let said = first.terminate();
    assert!(said.iter().all(|line| !line.contains("WARN")), "{said:?}");
    // Nobody serves now; what is asked waits in the socket.
    let early = socket(address);
    for id in 0..50 {
        early.send(&query(id, PLANNING)).unwrap();
    }
    let mut over_tcp = std::net::TcpStream::connect(address).unwrap();
    let second = activated(&site, &udp, &tcp);
    let mut ids: Vec<u16> = (0..50).map(|_| receive(&early).unwrap().0).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..50).collect::<Vec<_>>());
    answers_over_tcp(&mut over_tcp);
    load.await_answers(100);
    let (_, faults) = load.finish();
    assert_eq!(faults, Vec::<String>::new(), "a restart under load loses nothing");
    second.terminate();
}

fn answers_over_tcp(stream: &mut std::net::TcpStream) {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let query = query(7, PLANNING);
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], &query].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut response).unwrap();
    assert_eq!(response[..2], [0, 7]);
}

#[test]
fn sockets_of_other_addresses_are_named_and_its_own_are_made() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let site = Site::new("127.0.0.1:0", "", "");
    let server = activated(&site, &udp, &tcp);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
    let warned = server.said.iter().any(|line| line.contains(&udp.local_addr().unwrap().to_string()));
    assert!(warned, "{:?}", server.said);
    server.terminate();
}
