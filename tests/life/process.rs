//! The program as a process, in a folder of its own, and everything that can be done to it from outside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::PATIENCE;

/// A folder with a configuration and a zone.
pub struct Site {
    folder: TempDir,
}

pub const PLANNING: &str = "planning.technova.internal";

const ZONE: &str = "$ORIGIN technova.internal.
$TTL 300
@          SOA resolver hostmaster 7 7200 900 1209600 60
           NS  resolver
resolver   A   10.150.20.10
planning   A   10.0.30.100
";

impl Site {
    /// With these addresses to listen on, these lines of `[listen]` beside them, and more tables.
    pub fn new(dns: &str, listen: &str, more: &str) -> Site {
        let site = Site { folder: TempDir::new().unwrap() };
        let log = site.path("query.log");
        site.write("technova.internal.zone", ZONE);
        site.write(
            "main.toml",
            &format!(
                r#"[node]
id = "kakehashi-test"
[listen]
dns = ["{dns}"]
http = "127.0.0.1:0"
workers = 2
{listen}
[query-log]
to = "{}"
[[network]]
name = "loopback"
cidr = ["127.0.0.0/8"]
groups = ["vpc"]
[[zone]]
domain = "technova.internal"
file = "technova.internal.zone"
visible-to = ["vpc"]
{more}
"#,
                log.display()
            ),
        );
        site
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    pub fn replace(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert!(text.contains(old), "{file} has no {old:?}");
        self.write(file, &text.replace(old, new));
    }

    /// The command that serves it.
    pub fn command(&self) -> Command {
        self.command_through(&[])
    }

    /// The same through a program that ends as ours.
    pub fn command_through(&self, through: &[&str]) -> Command {
        let serve = [env!("CARGO_BIN_EXE_kakehashi"), "serve", "--config", "main.toml"];
        let words = [through, &serve].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.folder.path());
        quiet(&mut command);
        command
    }

    /// Starts it, and waits until it says where it serves.
    pub fn start(&self) -> Server {
        Server::start(&mut self.command())
    }
}

/// What the environment of the tests must not change.
pub fn quiet(command: &mut Command) {
    for variable in ["RUST_LOG", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_PID"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stderr(Stdio::piped());
}

/// A running server; one that a failed test leaves behind is killed.
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    /// Everything that it said on stderr so far.
    pub said: Vec<String>,
    pub dns: SocketAddr,
    pub http: SocketAddr,
}

impl Server {
    pub fn start(command: &mut Command) -> Server {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|l| sender.send(l)));
        let nowhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut server = Server { child, lines, said: Vec::new(), dns: nowhere, http: nowhere };
        let http = server.until_says("serving metrics and status on http://");
        server.http = http.trim_end_matches('/').parse().unwrap();
        let dns = server.until_says("serving DNS on ");
        server.dns = dns.split(',').next().unwrap().parse().unwrap();
        server
    }

    /// Waits for a line with these words; gives what follows them.
    pub fn until_says(&mut self, words: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("it never said {words:?}, but:\n{}", self.said.join("\n"));
            };
            self.said.push(line.clone());
            if let Some((_, rest)) = line.split_once(words) {
                return rest.to_owned();
            }
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        // stderr ends with the process.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push(line);
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.said))
    }

    /// Ends it as systemd does; it must end well.
    pub fn terminate(self) -> Vec<String> {
        self.signal(Signal::SIGTERM);
        let (status, said) = self.wait();
        assert_eq!(status.code(), Some(0), "{}", said.join("\n"));
        said
    }

    /// Status and body of a page.
    pub fn page(&self, path: &str) -> (u16, String) {
        page(self.http, path)
    }

    /// The value of a metric, its labels as written.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn page(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A program that must not start: its exit code and what it says.
pub fn fails(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kakehashi"));
    quiet(command.args(words).current_dir(folder).stdout(Stdio::null()));
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}
