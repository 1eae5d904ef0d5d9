//! The server of a test: its configuration, the program, and what the kernel says of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{self, Ask, Reply, Silence};
use crate::net::Network;
use crate::process::{Server, Site, quiet};

/// A client in the network that may ask.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 1, 0, 1));
/// A client in no network.
pub const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 200, 0, 1));

/// A running server and the folder that it runs in.
pub struct World {
    /// Its folder.
    pub site: Site,
    /// The program.
    pub server: Server,
}

impl World {
    /// A server with these tables beside the zone `technova.internal`; 127.0.0.0/9 may ask, the rest of loopback is in no
    /// network.
    pub fn new(tables: &str) -> World {
        World::edited(tables, &[])
    }

    /// The same with other words in its configuration.
    pub fn edited(tables: &str, edits: &[(&str, &str)]) -> World {
        let site = site(tables, edits);
        let server = Server::start(&mut command(&site));
        World { site, server }
    }

    /// Where it serves DNS.
    pub fn dns(&self) -> SocketAddr {
        self.server.dns
    }

    /// Asks from a client's address; how long it took.
    pub fn ask_from(&self, source: IpAddr, name: &str, rtype: &str) -> (Result<Reply, Silence>, Duration) {
        ask(self.dns(), source, name, rtype)
    }

    /// Asks as the usual client, who must be answered.
    pub fn ask(&self, name: &str, rtype: &str) -> (Reply, Duration) {
        let (reply, took) = self.ask_from(CLIENT, name, rtype);
        match reply {
            Ok(reply) => (reply, took),
            Err(silence) => panic!("{name} {rtype}: {silence}"),
        }
    }

    /// The RCODE or the answers to a question for addresses, and how long it took.
    pub fn says(&self, name: &str) -> (String, Duration) {
        let (reply, took) = self.ask(name, "A");
        (said(&reply), took)
    }

    /// Resident memory in octets.
    pub fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The processor's time that all its threads have used.
    pub fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.server.pid())).unwrap();
        let of = |thread: std::fs::DirEntry| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(threads.flatten().filter_map(of).sum())
    }

    /// The sum of a metric over its samples whose text has these words.
    pub fn metric(&self, words: &[&str]) -> f64 {
        let (_, text) = self.server.page("/metrics");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter(|line| words.iter().all(|word| line.contains(word)));
        samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }
}

/// Asks a server from a client's address; how long it took.
pub fn ask(
    server: SocketAddr,
    source: IpAddr,
    name: &str,
    rtype: &str,
) -> (Result<Reply, Silence>, Duration) {
    let ask = Ask::parse(name, rtype).unwrap();
    let begin = Instant::now();
    let reply = client::ask(&Network, source, server, &ask);
    (reply, begin.elapsed())
}

/// What a reply says, or that there is none.
pub fn said_or_silence(reply: &Result<Reply, Silence>) -> String {
    reply.as_ref().map_or_else(ToString::to_string, said)
}

/// What a reply says: its answers as text, or its RCODE.
pub fn said(reply: &Reply) -> String {
    let answers = reply.answers();
    if answers.is_empty() { format!("{:?}", reply.rcode()) } else { answers.join(", ") }
}

/// A folder with the configuration.
pub fn site(tables: &str, edits: &[(&str, &str)]) -> Site {
    let site = Site::new("127.0.0.1:0", "", tables);
    site.replace("main.toml", "127.0.0.0/8", "127.0.0.0/9");
    edits.iter().for_each(|(old, new)| site.replace("main.toml", old, new));
    site
}

/// The program in its folder: the one that was built with this test, unless another is named.
pub fn command(site: &Site) -> Command {
    let Some(other) = std::env::var_os("KAKEHASHI") else { return site.command() };
    let mut command = Command::new(other);
    command.args(["serve", "--config", "main.toml"]).current_dir(site.path(""));
    quiet(&mut command);
    command
}

/// An upstream with these servers, and a rule that forwards these domains there.
pub fn forward(name: &str, servers: &[SocketAddr], domains: &[&str]) -> String {
    forward_with(name, servers, domains, "")
}

/// The same with more keys of the upstream.
pub fn forward_with(name: &str, servers: &[SocketAddr], domains: &[&str], keys: &str) -> String {
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    format!(
        "[[upstream]]\nname = \"{name}\"\nservers = {servers:?}\n{keys}\n\
         [[rule]]\ndomain = {domains:?}\nforward = \"{name}\"\nvisible-to = [\"vpc\"]\n"
    )
}
