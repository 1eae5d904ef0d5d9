//! A server between clients and an upstream, and its dnstap outputs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::{query, receive, socket};
use crate::port;
use crate::process::{PLANNING, Server, Site};
use crate::{PATIENCE, wait};

const READ: &str = "dnstap-read";
const CAPTURE: &str = "fstrm_capture";

/// Whether a program is there. On a machine that should have it, it must be.
fn has(program: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{program} is missing");
    if !found {
        eprintln!("SKIPPED: {program} is missing");
    }
    found
}

/// An upstream that knows every name over UDP, but `big.` names over TCP only. Ends with the process.
fn upstream() -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let query = &buffer[..length];
            let response =
                if query[13..16].eq_ignore_ascii_case(b"big") { cut(query) } else { answer(query) };
            udp.send_to(&response, from).unwrap();
        }
    });
    thread::spawn(move || {
        for mut stream in tcp.incoming().map_while(Result::ok) {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let response = answer(&query);
            stream.write_all(&[&(response.len() as u16).to_be_bytes()[..], &response].concat()).unwrap();
        }
    });
    address
}

/// The question and nothing else, truncated.
fn cut(query: &[u8]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
    let mut response = query[..end].to_vec();
    response[2] |= 0x82;
    response[3] = 0x80;
    response[6..12].fill(0);
    response
}

fn answer(query: &[u8]) -> Vec<u8> {
    let mut response = cut(query);
    response[2] &= !2;
    response[7] = 1;
    response.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
    response
}

/// A server with these tables beside, and what it forwards to.
fn site(tables: &str) -> (Site, SocketAddr) {
    let upstream = upstream();
    let more = format!(
        r#"[[upstream]]
name = "dc"
servers = ["{upstream}"]
health-check = "off"
[[rule]]
domain = "corp.test"
forward = "dc"
visible-to = ["vpc"]
{tables}
"#
    );
    (Site::new("127.0.0.1:0", "", &more), upstream)
}

/// Asks for as many names as there are, from one socket; gives its address.
fn ask_all(server: &Server, names: impl IntoIterator<Item = String>) -> SocketAddr {
    let socket = socket(server.dns);
    for (nth, name) in names.into_iter().enumerate() {
        socket.send(&query(nth as u16, &name)).unwrap();
        let (id, said) = receive(&socket).unwrap();
        assert_eq!(id, nth as u16);
        assert!(said.contains('.') || said == "NXDOMAIN", "{name}: {said}");
    }
    socket.local_addr().unwrap()
}

/// The messages of a file, as `dnstap-read` prints them without their times: kind, initiator, arrow, responder, protocol,
/// size, question.
fn messages(file: &Path) -> Vec<Vec<String>> {
    let output = Command::new(READ).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split_whitespace().skip(2).map(str::to_owned).collect()).collect()
}

fn of_kind<'m>(messages: &'m [Vec<String>], kind: &str) -> Vec<&'m Vec<String>> {
    messages.iter().filter(|message| message[0] == kind).collect()
}

const ALL: &str =
    r#"messages = ["client-query", "client-response", "forwarder-query", "forwarder-response"]"#;

#[test]
fn dnstap_read_finds_every_message_in_the_file() {
    if !has(READ) {
        return;
    }
    let (site, upstream) = site(&format!("[[dnstap]]\nto = \"file:all.dnstap\"\n{ALL}"));
    let server = site.start();
    let names = || (0..1_000).map(|nth| format!("host{nth}.corp.test")).chain(["big.corp.test".to_owned()]);
    let client = ask_all(&server, names());
    let again = ask_all(&server, names());
    let dns = server.dns;
    // As many as there are names, one over UDP and again over TCP; more where one had to be sent again.
    let tally = |what: &str| {
        server.metric(&format!("kakehashi_upstream_{what}_total{{upstream=\"dc\",server=\"{upstream}\"}}"))
    };
    let sent = tally("queries") + tally("tcp_fallbacks");
    server.terminate();
    let messages = messages(&site.path("all.dnstap"));
    let [queries, responses] = ["CQ", "CR"].map(|kind| of_kind(&messages, kind));
    assert_eq!((queries.len(), responses.len()), (2_002, 2_002));
    // Two workers, each of which keeps its order.
    let of = |all: &[&Vec<String>], who: SocketAddr| -> Vec<Vec<String>> {
        all.iter().filter(|message| message[1] == who.to_string()).map(|message| (*message).clone()).collect()
    };
    assert_eq!([of(&queries, again).len(), of(&responses, again).len()], [1_001, 1_001]);
    let [queries, responses] = [of(&queries, client), of(&responses, client)];
    for (nth, name) in names().enumerate() {
        let want =
            |arrow: &str| vec![client.to_string(), arrow.to_owned(), dns.to_string(), "UDP".to_owned()];
        assert_eq!(queries[nth][1..5], want("->"), "{:?}", queries[nth]);
        assert_eq!(responses[nth][1..5], want("<-"), "{:?}", responses[nth]);
        assert_eq!(queries[nth][6], format!("{name}/IN/A"));
        assert_eq!(responses[nth][6], format!("{name}/IN/A"));
    }
    // The second round came from the cache.
    let [queries, responses] = ["FQ", "FR"].map(|kind| of_kind(&messages, kind));
    assert!(sent >= 1_002.0);
    assert_eq!(queries.len(), sent as usize);
    assert!((1_002..=queries.len()).contains(&responses.len()), "{}", responses.len());
    let over_tcp: Vec<_> = queries.iter().filter(|message| message[4] == "TCP").collect();
    assert_eq!(over_tcp.len(), 1, "{:?}", &queries[1_000..]);
    assert_eq!(over_tcp[0][6].to_ascii_lowercase(), "big.corp.test/in/a");
    assert!(queries.iter().chain(&responses).all(|message| message[3] == upstream.to_string()));
}

#[test]
fn a_response_in_the_file_is_the_response_that_was_sent() {
    if !has(READ) {
        return;
    }
    let (site, _) = site("[[dnstap]]\nto = \"file:all.dnstap\"");
    let server = site.start();
    ask_all(&server, [PLANNING.to_owned()]);
    server.terminate();
    let output = Command::new(READ).args(["-y"]).arg(site.path("all.dnstap")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for want in [
        "identity: kakehashi-test",
        concat!("version: kakehashi ", env!("CARGO_PKG_VERSION")),
        "type: CLIENT_RESPONSE",
        "socket_family: INET",
        "socket_protocol: UDP",
        "planning.technova.internal. 300 IN A 10.0.30.100",
    ] {
        let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(want), "no {want:?} in\n{text}");
    }
}

#[test]
fn sigusr1_begins_a_new_file_and_each_can_be_read() {
    if !has(READ) {
        return;
    }
    let (site, _) = site("[[dnstap]]\nto = \"file:all.dnstap\"");
    let server = site.start();
    let file = site.path("all.dnstap");
    let sent = "kakehashi_dnstap_frames_total{to=\"file:all.dnstap\"}";
    ask_all(&server, (0..100).map(|_| PLANNING.to_owned()));
    wait::until("frames are written", PATIENCE, || (server.metric(sent) as u64 == 100).then_some(()));
    std::fs::rename(&file, site.path("all.dnstap.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    wait::until("the new file is there", PATIENCE, || file.exists().then_some(()));
    ask_all(&server, (0..50).map(|_| PLANNING.to_owned()));
    server.terminate();
    assert_eq!(messages(&site.path("all.dnstap.1")).len(), 100);
    assert_eq!(messages(&file).len(), 50);
    // Another start does not write behind the end of a stream.
    let server = site.start();
    ask_all(&server, (0..7).map(|_| PLANNING.to_owned()));
    server.terminate();
    assert_eq!(messages(&file).len(), 7);
}

/// A running `fstrm_capture`.
struct Capture(Child);

impl Capture {
    fn start(from: &[&str], to: &Path) -> Capture {
        let mut command = Command::new(CAPTURE);
        command.args(["-t", "protobuf:dnstap.Dnstap", "-w"]).arg(to).args(from);
        Capture(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Ends it as an operator does: it writes what it has.
    fn end(mut self) {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A reader that comes late, dies and returns misses nothing that the queue could hold meanwhile.
fn a_reader_comes_and_goes(to: &str, from: &[&str]) {
    let (site, _) = site(&format!("[[dnstap]]\nto = \"{to}\""));
    let mut server = site.start();
    let metric = |server: &Server, name: &str| {
        server.metric(&format!("kakehashi_dnstap_{name}{{to=\"{to}\"}}")) as u64
    };
    ask_all(&server, (0..500).map(|_| PLANNING.to_owned()));
    let fault = "dnstap cannot be written; answers go on";
    if !server.said.iter().any(|line| line.contains(fault)) {
        server.until_says(fault);
    }
    let files = [site.path("first.dnstap"), site.path("second.dnstap")];
    let first = Capture::start(from, &files[0]);
    wait::until("what had waited is sent", PATIENCE, || {
        (metric(&server, "frames_total") == 500).then_some(())
    });
    ask_all(&server, (0..1_500).map(|_| PLANNING.to_owned()));
    wait::until("all is sent", PATIENCE, || (metric(&server, "frames_total") == 2_000).then_some(()));
    first.end();
    wait::until("its end is noticed", PATIENCE, || (metric(&server, "connected") == 0).then_some(()));
    ask_all(&server, (0..1_000).map(|_| PLANNING.to_owned()));
    let second = Capture::start(from, &files[1]);
    wait::until("the rest is sent", PATIENCE, || (metric(&server, "frames_total") == 3_000).then_some(()));
    assert_eq!(metric(&server, "dropped_total"), 0);
    ask_all(&server, (0..2_000).map(|_| PLANNING.to_owned()));
    // The end of the stream is said, and acknowledged when all of it is read.
    let said = server.terminate();
    assert!(!said.iter().any(|line| line.contains("did not finish in time")), "{said:?}");
    second.end();
    let [first, second] = files.map(|file| messages(&file).len());
    // What the first had in hand when it died went with it.
    assert!((1..=2_000).contains(&first), "{first}");
    assert_eq!(second, 3_000);
}

#[test]
fn fstrm_capture_reads_a_unix_socket_dies_and_returns() {
    if has(READ) && has(CAPTURE) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tap.sock").display().to_string();
        a_reader_comes_and_goes(&format!("unix:{path}"), &["-u", &path]);
    }
}

#[test]
fn fstrm_capture_reads_tcp_dies_and_returns() {
    if has(READ) && has(CAPTURE) {
        let port = port::free().port().to_string();
        a_reader_comes_and_goes(&format!("tcp:127.0.0.1:{port}"), &["-a", "127.0.0.1", "-p", &port]);
    }
}

#[test]
fn a_reader_that_stops_reading_costs_frames_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let to = format!("unix:{}", path.display());
    let (site, _) = site(&format!("[[dnstap]]\nto = \"{to}\"\nqueue = \"256KiB\""));
    let mut server = site.start();
    let (mut stream, _) = listener.accept().unwrap();
    let mut ready = [0; 42];
    stream.read_exact(&mut ready).unwrap();
    ready[11] = 1; // ACCEPT says the same as READY.
    stream.write_all(&ready).unwrap();
    // And reads no more.
    ask_all(&server, (0..8_000).map(|_| PLANNING.to_owned()));
    server.until_says("the queue of dnstap is full; answers go on, frames are dropped and counted");
    let metric = |name: &str| server.metric(&format!("kakehashi_dnstap_{name}{{to=\"{to}\"}}")) as u64;
    assert!(metric("dropped_total") > 0);
    // The query log goes on beside it.
    let lines = || server.metric("kakehashi_query_log_lines_total");
    wait::until("every query has its line", PATIENCE, || (lines() as u64 == 8_000).then_some(()));
    server.terminate();
}
