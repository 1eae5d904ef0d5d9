//! `kakehashi replay --live`: the log's questions put to two running servers, and to stand-ins that misbehave.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// An RRset that fills no datagram.
const LONG: usize = 60;

const CONFIGURATION: &str = r#"[listen]
dns = ["127.0.0.1:0"]
[control]
socket = "control.sock"
[[network]]
name = "app"
cidr = ["127.0.30.0/24", "10.0.30.0/24"]
groups = ["vpc"]
[[network]]
name = "office"
cidr = ["127.0.10.0/24", "10.100.0.0/16"]
groups = ["onprem"]
[[zone]]
domain = "technova.internal"
file = "vpc.zone"
visible-to = ["vpc"]
name = "vpc"
[[zone]]
domain = "technova.internal"
file = "onprem.zone"
visible-to = ["onprem"]
name = "onprem"
"#;

fn zone(ttl: u32, planning: &str) -> String {
    let mut zone = format!(
        "$ORIGIN technova.internal.\n$TTL {ttl}\n@ SOA resolver hostmaster 7 7200 900 1209600 60\n  NS resolver\n\
         resolver A 10.150.20.10\nplanning A {planning}\nPool CNAME Planning\n"
    );
    let long = |nth| format!("long TXT \"{nth} of a set that is cut in a datagram and whole over TCP\"\n");
    zone.extend((0..LONG).map(long));
    zone
}

/// A running server; it ends with the test.
struct Server {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Server {
    /// With these zones for the VPCs and on-prem.
    fn start(vpc: &str, onprem: &str) -> Server {
        let folder = TempDir::new().unwrap();
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        write("vpc.zone", vpc);
        write("onprem.zone", onprem);
        write("main.toml", CONFIGURATION);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kakehashi"));
        command.args(["serve", "--config", "main.toml"]).current_dir(folder.path());
        for variable in ["RUST_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_PID"] {
            command.env_remove(variable);
        }
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let serving = lines.find_map(|line| Some(line.split_once("serving DNS on ")?.1.to_owned()));
        let commanded = lines.any(|line| line.contains("taking commands on "));
        assert!(commanded, "it said no more");
        // It goes on writing; nobody reads it, and it must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let address = serving.unwrap().split(',').next().unwrap().to_owned();
        Server { child, address, folder }
    }

    /// Its control socket, as it is named on the command line.
    fn socket(&self) -> String {
        format!("unix:{}", self.folder.path().join("control.sock").display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many queries of one network for one name, answered by one route.
fn lines(count: usize, network: &str, route: &str, question: &str) -> String {
    let (name, qtype) = question.split_once(' ').unwrap();
    let client = if network == "app" { "10.0.30.7" } else { "10.100.0.9" };
    let line = serde_json::json!({
        "query_name": name, "query_type": qtype, "srcaddr": client, "rcode": "NOERROR",
        "kakehashi": {"network": network, "route": route},
    });
    format!("{line}\n").repeat(count)
}

fn log() -> String {
    [
        lines(30, "app", "vpc", "Planning.technova.internal. A"),
        lines(7, "office", "onprem", "planning.technova.internal. A"),
        lines(3, "app", "vpc", "pool.technova.internal. AAAA"),
        lines(2, "app", "vpc", "long.technova.internal. TXT"),
        lines(2, "app", "vpc", "nobody.technova.internal. A"),
        lines(1, "app", "none", "elsewhere.example. A"),
    ]
    .concat()
}

const FROM: [&str; 4] = ["--source", "app=127.0.30.7", "--source", "office=127.0.10.9"];

fn replay(folder: &Path, servers: [&str; 2], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kakehashi"))
        .args(["replay", "--log", "query.log", "--json", "found.json", "--live"])
        .args(servers)
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// The exit code, and what was found.
fn findings(log: &str, servers: [&str; 2], more: &[&str]) -> (Option<i32>, Value, String) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("query.log"), log).unwrap();
    let output = replay(folder.path(), servers, more);
    let said = String::from_utf8(output.stdout).unwrap();
    let saved = std::fs::read(folder.path().join("found.json"));
    let saved = saved.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_slice(&saved).unwrap(), said)
}

#[test]
fn servers_that_differ_in_ttl_and_order_alone_answer_alike() {
    let vpc = zone(300, "10.0.30.100");
    let mut turned: Vec<&str> = vpc.lines().collect();
    turned[5..].reverse();
    let turned = turned.join("\n").replace("$TTL 300", "$TTL 60") + "\n";
    let office = zone(300, "10.100.0.1");
    let (old, new) = (Server::start(&vpc, &office), Server::start(&turned, &office));
    let (code, found, said) = findings(&log(), [&old.address, &new.address], &FROM);
    assert_eq!((code, &found["affected"], &found["unanswered"]), (Some(0), &0.into(), &0.into()), "{said}");
    assert_eq!((&found["queries"], &found["questions"]), (&45.into(), &6.into()), "{found}");
    assert_eq!(found["sources"]["office"], "127.0.10.9", "{found}");
    assert!(said.contains("nothing changes"), "{said}");
}

#[test]
fn each_network_is_asked_in_its_own_view_and_only_the_one_that_changes_is_told() {
    let office = zone(300, "10.100.0.1");
    let old = Server::start(&zone(300, "10.0.30.100"), &office);
    let new = Server::start(&zone(300, "10.0.30.101"), &office);
    let servers = [old.address.as_str(), &new.address];
    let (code, found, said) = findings(&log(), servers, &FROM);
    assert_eq!((code, &found["affected"]), (Some(1), &30.into()), "{said}");
    let group = &found["groups"][0];
    assert_eq!((&group["network"], &group["old-route"]), (&"app".into(), &"vpc".into()), "{found}");
    let example = &group["examples"][0];
    assert_eq!(example["old"], "NOERROR: planning.technova.internal. A 10.0.30.100", "{found}");
    assert_eq!(example["new"], "NOERROR: planning.technova.internal. A 10.0.30.101", "{found}");
    let (code, _, said) = findings(&log(), servers, &[&FROM[..], &["--allow", "app:vpc"]].concat());
    assert_eq!(code, Some(0));
    assert!(said.contains("network app, route vpc: 30 queries, 1 questions (allowed)"), "{said}");
    // From an address for all, every network is asked in the view of that address.
    let (code, found, _) = findings(&log(), servers, &["--source", "127.0.10.9"]);
    assert_eq!((code, &found["affected"]), (Some(0), &0.into()), "on-prem sees no change: {found}");
    // From the host's own address too, and it is said.
    let (_, found, said) = findings(&log(), servers, &[]);
    assert_eq!((&found["affected"], &found["sources"]["app"]), (&0.into(), &Value::Null), "{found}");
    assert!(said.contains("in the view of that: networks app, office"), "{said}");
}

#[test]
fn by_control_sockets_every_network_is_asked_in_its_own_view_from_anywhere() {
    let (vpc, office) = (zone(300, "10.0.30.100"), zone(300, "10.100.0.1"));
    let last = format!("\"{} of a set", LONG - 1);
    let old = Server::start(&vpc, &office);
    let new = Server::start(
        &vpc.replace("$TTL 300", "$TTL 60").replace(&last, "\"Last of a set"),
        &zone(300, "10.100.0.2"),
    );
    let servers = [old.socket(), new.socket()];
    let servers = [servers[0].as_str(), &servers[1]];
    let (code, found, said) = findings(&log(), servers, &[]);
    assert_eq!((code, &found["affected"], &found["unanswered"]), (Some(1), &9.into(), &0.into()), "{said}");
    assert!(
        said.contains(&format!("asked {} and {} as the clients of the log", servers[0], servers[1])),
        "{said}"
    );
    let examples: Vec<&Value> =
        found["groups"].as_array().unwrap().iter().map(|group| &group["examples"][0]).collect();
    assert_eq!((&examples[0]["client"], &examples[1]["client"]), (&"10.100.0.9".into(), &"10.0.30.7".into()));
    assert_eq!(examples[0]["new"], "NOERROR: planning.technova.internal. A 10.100.0.2", "{found}");
    assert_eq!(examples[1]["name"], "long.technova.internal.", "more than a datagram holds: {found}");
    let (code, _, said) = findings(&log(), [servers[0], servers[0]], &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn control_sockets_that_cannot_be_compared_are_said_before_anything_is_asked() {
    let server = Server::start(&zone(300, "10.0.30.100"), &zone(300, "10.100.0.1"));
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("query.log"), log()).unwrap();
    let own = server.socket();
    let missing = format!("unix:{}", folder.path().join("none.sock").display());
    let cases: [([&str; 2], &[&str], &str); 4] = [
        ([&own, &missing], &[], "no server takes commands on "),
        ([&own, &server.address], &[], "both by address or both by control socket"),
        ([&own, &own], &["--source", "127.0.30.7"], "is asked as the log's clients"),
        ([&own, "unix:"], &[], "names no file"),
    ];
    for (servers, more, why) in cases {
        let output = replay(folder.path(), servers, more);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{servers:?}: {said}");
    }
}

#[test]
fn an_answer_that_is_cut_is_compared_whole() {
    let office = zone(300, "10.100.0.1");
    let vpc = zone(300, "10.0.30.100");
    let last = format!("\"{} of a set", LONG - 1);
    let (old, new) =
        (Server::start(&vpc, &office), Server::start(&vpc.replace(&last, "\"Last of a set"), &office));
    let (code, found, said) = findings(&log(), [&old.address, &new.address], &FROM);
    assert_eq!((code, &found["affected"]), (Some(1), &2.into()), "{said}");
    assert_eq!(found["groups"][0]["examples"][0]["name"], "long.technova.internal.");
}

#[test]
fn a_server_that_is_not_there_is_a_difference_and_two_are_no_comparison() {
    let vpc = zone(300, "10.0.30.100");
    let old = Server::start(&vpc, &vpc);
    // Bound and never read: nobody else can take the port, and nobody answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = silent.local_addr().unwrap().to_string();
    let quick = [&FROM[..], &["--timeout", "500ms", "--tries", "1"]].concat();
    let (code, found, said) = findings(&log(), [&old.address, &nobody], &quick);
    assert_eq!((code, &found["affected"]), (Some(1), &45.into()), "{said}");
    assert!(said.contains("+ no answer: no response in time"), "{said}");
    let (code, found, said) = findings(&log(), [&nobody, &nobody], &quick);
    assert_eq!((code, &found["affected"], &found["unanswered"]), (Some(1), &0.into(), &45.into()), "{said}");
    assert!(said.contains("6 questions (45 queries) were answered by neither server"), "{said}");
}

#[test]
fn a_server_that_stays_silent_ends_the_replay() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = silent.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let name = |nth| lines(1, "app", "vpc", &format!("host-{nth}.technova.internal. A"));
    std::fs::write(folder.path().join("query.log"), (0..400).map(name).collect::<String>()).unwrap();
    let output = replay(folder.path(), [&nobody, &nobody], &["--timeout", "20ms", "--tries", "1"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("{nobody}: 200 questions in a row without an answer")), "{said}");
    assert!(!folder.path().join("found.json").exists(), "nothing is saved of a comparison that was not made");
}

/// Answers with `address(nth datagram)`, or not at all. It ends with the test's process.
fn stand_in(address: impl Fn(usize) -> Option<[u8; 4]> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        for nth in 0.. {
            let Ok((length, from)) = socket.recv_from(&mut query) else { return };
            let Some(address) = address(nth) else { continue };
            // The header and question as they came, without the OPT record of 11 octets; one A record.
            let mut response = query[..length - 11].to_vec();
            response[2..4].copy_from_slice(&[0x81, 0x80]);
            response[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
            response.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, nth as u8, 0, 4]);
            response.extend_from_slice(&address);
            let _ = socket.send_to(&response, from);
        }
    });
    here
}

#[test]
fn a_pool_that_gives_another_address_each_time_is_no_difference() {
    let pool = stand_in(|nth| Some([10, 0, 0, (nth % 2) as u8])).to_string();
    let question = lines(9, "app", "vpc", "pool.technova.local. A");
    let (code, found, said) = findings(&question, [&pool, &pool], &[]);
    assert_eq!((code, &found["affected"], &found["varying"]), (Some(0), &0.into(), &1.into()), "{said}");
    // Two pools with nothing in common do differ.
    let other = stand_in(|nth| Some([10, 0, 1, (nth % 2) as u8])).to_string();
    let (code, found, said) = findings(&question, [&pool, &other], &[]);
    assert_eq!((code, &found["affected"], &found["varying"]), (Some(1), &9.into(), &0.into()), "{said}");
}

#[test]
fn a_query_that_gets_lost_is_asked_again() {
    let lossy = || stand_in(|nth| (nth % 2 == 1).then_some([10, 0, 0, 1])).to_string();
    let question = lines(9, "app", "vpc", "dc1.technova.local. A");
    let again = ["--timeout", "500ms", "--tries", "2"];
    let (code, found, said) = findings(&question, [&lossy(), &lossy()], &again);
    assert_eq!((code, &found["affected"], &found["unanswered"]), (Some(0), &0.into(), &0.into()), "{said}");
    let once = ["--timeout", "500ms", "--tries", "1"];
    let (code, found, _) = findings(&question, [&lossy(), &lossy()], &once);
    assert_eq!((code, &found["unanswered"]), (Some(1), &9.into()), "{found}");
}

#[test]
fn an_address_that_this_host_lacks_is_said_before_anything_is_asked() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("query.log"), log()).unwrap();
    let servers = ["127.0.0.1:9", "127.0.0.1:9"];
    for (source, why) in
        [("192.0.2.77", "192.0.2.77: "), ("app=::1", "of another family"), ("app", "no address")]
    {
        let output = replay(folder.path(), servers, &["--source", source]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{source}: {said}");
    }
}
