//! A running server told what to do by its control socket: the built program as server and as client, on loopback, without
//! root.
#![allow(clippy::unwrap_used)]

#[path = "life/client.rs"]
#[allow(dead_code)] // the life of the server uses more of it
mod client;
#[path = "life/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "steering/terminal.rs"]
mod terminal;
#[path = "steering/trial.rs"]
mod trial;
#[path = "lab/wait.rs"]
#[allow(dead_code)]
mod wait;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use client::{ask, query, receive};
use process::{PLANNING, Server, Site};

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const SOCKET: &str = "control.sock";

/// An upstream that gives every name one address, and counts how often it was asked.
fn upstream() -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let end = 12 + packet[12..length].iter().position(|octet| *octet == 0).unwrap() + 5;
            let mut reply = packet[..end].to_vec();
            reply[2] |= 0x80;
            reply[3] = 0x80;
            reply[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            reply.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
            count.fetch_add(1, Ordering::Relaxed);
            if socket.send_to(&reply, from).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

/// A site whose second network, 127.0.2.0/24, has a view and an upstream of its own.
fn site(upstreams: [SocketAddr; 2]) -> Site {
    let [first, second] = upstreams;
    let more = format!(
        r#"[control]
socket = "{SOCKET}"
[apply]
window = "1s"
min-queries = 20
[[network]]
name = "second"
cidr = ["127.0.2.0/24"]
groups = ["onprem"]
[[upstream]]
name = "one"
servers = ["{first}"]
health-check = "off"
[[upstream]]
name = "two"
servers = ["{second}"]
health-check = "off"
[[rule]]
domain = "test"
forward = "one"
visible-to = ["vpc"]
[[rule]]
name = "test-two"
domain = "test"
forward = "two"
visible-to = ["onprem"]
"#
    );
    Site::new("127.0.0.1:0", "", &more)
}

fn plain_site() -> Site {
    let nobody = "127.0.0.1:1".parse().unwrap();
    site([nobody, nobody])
}

fn start(site: &Site) -> Server {
    let mut server = site.start();
    server.until_says("taking commands on ");
    server
}

/// Gives a command; whether it was done, and what was said.
fn tell(site: &Site, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kakehashi"));
    let output = command.args(words).args(["--socket", SOCKET]).current_dir(site.path("")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn done(site: &Site, words: &[&str]) -> String {
    let (done, said) = tell(site, words);
    assert!(done, "{words:?}: {said}");
    said
}

fn document(site: &Site, words: &[&str]) -> Value {
    serde_json::from_str(&done(site, words)).unwrap()
}

fn ask_from(address: Ipv4Addr, server: SocketAddr, name: &str) -> String {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(&query(1, name)).unwrap();
    receive(&socket).unwrap().1
}

#[test]
fn status_says_in_words_whether_all_is_good() {
    let (up, _) = upstream();
    let site = site([up, up]);
    let server = start(&site);
    let said = done(&site, &["status"]);
    assert!(said.starts_with("all good\nnode kakehashi-test, "), "{said}");
    site.replace("main.toml", "visible-to = [\"vpc\"]\n", "visible-to = [\"nobody-has-this\"]\n");
    server.signal(Signal::SIGHUP);
    wait::until("the failed reload is told", PATIENCE, || {
        done(&site, &["status"]).starts_with("wrong: the last reload failed: ").then_some(())
    });
    server.terminate();
    assert!(!site.path(SOCKET).exists(), "the socket goes with its server");
}

#[test]
fn what_is_flushed_is_asked_for_again_and_only_in_the_view_that_was_named() {
    let ((first, asked_first), (second, asked_second)) = (upstream(), upstream());
    let site = site([first, second]);
    let server = start(&site);
    let other = Ipv4Addr::new(127, 0, 2, 1);
    let counts = || (asked_first.load(Ordering::Relaxed), asked_second.load(Ordering::Relaxed));
    let ask_all = || {
        for name in ["a.test.", "b.a.test.", "c.test."] {
            for _ in 0..3 {
                assert_eq!(ask(server.dns, name), "192.0.2.1");
                assert_eq!(ask_from(other, server.dns, name), "192.0.2.1");
            }
        }
    };
    ask_all();
    assert_eq!(counts(), (3, 3), "each is asked for once in each view");
    done(&site, &["flush", "a.test", "--view", "vpc"]);
    ask_all();
    assert_eq!(counts(), (4, 3));
    done(&site, &["flush", "a.test", "--subtree"]);
    ask_all();
    assert_eq!(counts(), (6, 5));
    done(&site, &["flush", "--all"]);
    ask_all();
    assert_eq!(counts(), (9, 8));
    let (was_done, said) = tell(&site, &["flush", "a.test", "--view", "nobody"]);
    assert!(!was_done && said.contains("there is no view nobody"), "{said}");
}

#[test]
fn a_trace_takes_the_route_that_explain_tells_and_leaves_no_trace() {
    let (up, asked) = upstream();
    let site = site([up, up]);
    let server = start(&site);
    for (client, name) in [("127.0.0.9", PLANNING), ("127.0.2.9", "x.test"), ("127.0.0.9", "x.test")] {
        let traced = document(&site, &["trace", client, name, "--json"]);
        let explained = document_of(&site, &["explain", "--config", "main.toml", client, name, "--json"]);
        assert_eq!(traced["steps"]["view"], explained["view"], "{client} {name}");
        let won = |steps: &Value| {
            let routes = steps["hops"][0]["routes"].as_array().unwrap().clone();
            routes.iter().find(|route| route["fate"] == "won").map(|route| route["route"].clone())
        };
        assert_eq!(won(&traced["steps"]), won(&explained));
        assert_eq!(Some(traced["event"]["route"].clone()), won(&explained), "{traced}");
        assert_eq!(traced["rcode"], "NOERROR");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2, "a traced question is a real one");
    let again = done(&site, &["trace", "127.0.0.9", "x.test"]);
    assert!(again.contains("NOERROR from response-cache, route test, server"), "{again}");
    assert_eq!(server.metric("kakehashi_queries_total{transport=\"udp\",family=\"ipv4\"}") as u64, 0);
    server.terminate();
    assert_eq!(site.read("query.log"), "", "it is in no log");
}

fn document_of(site: &Site, words: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kakehashi"));
    let output = command.args(words).current_dir(site.path("")).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn top_shows_the_routes_and_the_upstreams() {
    let site = plain_site();
    let server = start(&site);
    ask(server.dns, PLANNING);
    let shown = done(&site, &["top", "--once"]);
    assert!(shown.starts_with("kakehashi-test  ") && shown.contains("technova.internal"), "{shown}");
    assert!(shown.contains("127.0.0.1:1 (one)"), "{shown}");
}

#[test]
fn only_the_servers_group_is_let_in_and_a_socket_in_use_is_left_alone() {
    let site = plain_site();
    let server = start(&site);
    let mode = std::fs::metadata(site.path(SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let (code, said) = process::fails(&site.path(""), &["serve", "--config", "main.toml"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot take commands on") && said.contains("another server"), "{said}");
    assert!(done(&site, &["status"]).contains("kakehashi-test"), "the first is still heard");
    drop(server);
    std::fs::remove_file(site.path(SOCKET)).unwrap();
    site.write(SOCKET, "a file of somebody's");
    let (_, said) = process::fails(&site.path(""), &["serve", "--config", "main.toml"]);
    assert!(said.contains("is no socket"), "{said}");
    assert_eq!(site.read(SOCKET), "a file of somebody's");
}

/// Whether a caller goes on listening only, or could say more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    Cut,
}

#[test]
fn whatever_is_written_to_the_socket_the_next_command_is_obeyed() {
    let site = plain_site();
    let server = start(&site);
    let long = "x".repeat(100_000);
    let bodies =
        ["", "{}", "[]", "null", r#"{"command":"status","more":1}"#, r#"{"command":"shutdown"}"#, &long];
    let with_body = |body: &&str| {
        format!("POST /command HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let give = |request: &str, ending: Ending| {
        let mut stream = UnixStream::connect(site.path(SOCKET)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be closed before all is written.
        let _ = stream.write_all(request.as_bytes());
        if ending == Ending::Cut {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    };
    for body in &bodies {
        let reply = give(&with_body(body), Ending::Open);
        assert!(reply.starts_with("HTTP/1.1 4"), "{body:.80}: {reply}");
    }
    for request in ["\0\0\0", "DELETE / HTTP/1.1\r\n\r\n", &format!("GET /{long}\r\n")] {
        let reply = give(request, Ending::Cut);
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 4"), "{reply}");
    }
    // Those who only sit there leave room, as each has an end.
    let idle: Vec<UnixStream> = (0..7).map(|_| UnixStream::connect(site.path(SOCKET)).unwrap()).collect();
    assert!(done(&site, &["status"]).contains("kakehashi-test"));
    drop(idle);
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
}

#[test]
fn without_a_server_the_client_says_where_it_looked() {
    let site = plain_site();
    let (was_done, said) = tell(&site, &["status"]);
    assert!(!was_done && said.contains("no server takes commands on control.sock"), "{said}");
}
