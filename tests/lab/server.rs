//! Kakehashi itself: the shipped configuration on the lab's wires.
//!
//! It runs on a copy of `conf/` and `zones/`. The only differences are in the main file, which is derived from the shipped
//! one: the query log goes to the lab's directory.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::metrics::Metrics;
use super::net::Network;
use super::peers;
use super::process::Process;
use super::wait;

/// The first inbound address.
pub const PRIMARY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 150, 20, 10));
/// The namespace that holds the server.
pub const HOST: &str = "hub";
/// Where the server serves HTTP.
const HTTP_PORT: u16 = 9153;
/// How long the server may take to be ready, or to have done what a signal asks.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub struct Server {
    process: Process,
    directory: PathBuf,
}

impl Server {
    /// Copies the shipped configuration and zones to the lab's directory.
    pub fn prepare(lab: &Path) -> PathBuf {
        let directory = lab.join("kakehashi");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["conf", "zones"] {
            peers::copy(&root.join(part), &directory.join(part));
        }
        let main = directory.join("conf/kakehashi.toml");
        edit(&main, |table| {
            let log = directory.join("query.log").display().to_string();
            table.insert(
                "query-log".into(),
                toml::Value::Table([("to".into(), log.into())].into_iter().collect()),
            );
        });
        directory
    }

    /// Starts the server and waits until it says that it is ready.
    pub fn start(network: &Network, directory: PathBuf) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kakehashi"));
        command
            .args(["serve", "--config"])
            .arg(directory.join("conf/kakehashi.toml"))
            .current_dir(&directory);
        let process = Process::start(network, HOST, &mut command, &directory.join("kakehashi.out"));
        let mut server = Self { process, directory };
        wait::until("the server is ready (/readyz)", PATIENCE, || {
            server.process.assert_running();
            http(network, "/readyz").filter(|(status, _)| *status == 200)
        });
        server
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGTERM, then the exit status.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate()
    }

    /// The exit status, if the server has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Starts a server again on the same configuration.
    pub fn again(&self, network: &Network) -> Self {
        Self::start(network, self.directory.clone())
    }

    /// A file of the copied configuration, for a test that changes it.
    pub fn file(&self, relative: &str) -> PathBuf {
        self.directory.join(relative)
    }

    /// The complete lines of the query log so far, each parsed; a line that is not JSON fails the test.
    pub fn query_log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.directory.join("query.log")).unwrap_or_default();
        let complete = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not a line of JSON: {error}\n{line}"))
        };
        complete.map(parse).collect()
    }

    /// What the server wrote to its standard output and error.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

/// GET from the server's HTTP address: status and body.
pub fn http(network: &Network, path: &str) -> Option<(u16, String)> {
    let address = SocketAddr::new(PRIMARY, HTTP_PORT);
    let mut stream = network.tcp(PRIMARY, address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
}

/// The metrics as they stand.
pub fn metrics(network: &Network) -> Metrics {
    let Some((200, body)) = http(network, "/metrics") else { panic!("/metrics does not answer 200") };
    Metrics::parse(&body)
}

/// Changes a TOML file in place.
pub fn edit(file: &Path, change: impl FnOnce(&mut toml::Table)) {
    let fail = |error: &dyn std::fmt::Display| -> ! { panic!("{}: {error}", file.display()) };
    let text = fs::read_to_string(file).unwrap_or_else(|error| fail(&error));
    let mut table = text.parse::<toml::Table>().unwrap_or_else(|error| fail(&error));
    change(&mut table);
    fs::write(file, table.to_string()).unwrap_or_else(|error| fail(&error));
}

/// Replaces text in a file; the test fails if the text is not there.
pub fn replace(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(text.contains(old), "{} has no `{old}` to replace", file.display());
    fs::write(file, text.replace(old, new)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
