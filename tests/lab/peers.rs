//! The server's peers: BIND as the three domain controllers and as AmazonProvidedDNS.
//!
//! Their configurations and zones are the files in `tests/lab/peers/`; each peer runs on a copy of its own. What they
//! were asked is read from their query logs.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::client::{self, Ask};
use super::net::Network;
use super::process::Process;
use super::wait;

/// How long BIND may take to answer its first query.
const START: Duration = Duration::from_secs(20);

/// One BIND in one host.
pub struct Peer {
    host: &'static str,
    address: IpAddr,
    /// A question that it answers when it is ready.
    probe: Ask,
    directory: PathBuf,
    process: Option<Process>,
}

/// One line of a peer's query log.
pub struct Asked {
    /// Who asked.
    pub source: IpAddr,
    /// QNAME, in lower case, without the last dot.
    pub name: String,
    /// BIND's flags: `+` recursion desired, `E(0)` EDNS, `T` TCP, `D` DO, `C` CD.
    pub flags: String,
}

impl Peer {
    /// A peer that runs on a copy of `tests/lab/peers/{kind}`; not started yet.
    pub fn prepare(host: &'static str, address: IpAddr, kind: &str, probe: Ask, lab: &Path) -> Self {
        let directory = lab.join(host);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/peers").join(kind), &directory);
        // A copy of the program too: AppArmor confines /usr/sbin/named to /etc/bind where it is enabled.
        let copied = fs::copy(program("named"), directory.join("named"));
        copied.unwrap_or_else(|error| panic!("named cannot be copied: {error}"));
        Self { host, address, probe, directory, process: None }
    }

    /// Starts BIND; it is ready after [`Self::ready`].
    pub fn start(&mut self, network: &Network) {
        let mut command = Command::new(self.directory.join("named"));
        command
            .args(["-f", "-4", "-n", "1", "-L", "named.log", "-c", "named.conf"])
            .current_dir(&self.directory);
        let log = self.directory.join("named.log");
        self.process = Some(Process::start(network, self.host, &mut command, &log));
    }

    /// Waits until BIND answers its probe with data.
    pub fn ready(&mut self, network: &Network) {
        let server = SocketAddr::new(self.address, 53);
        let Some(process) = &mut self.process else { panic!("{} was not started", self.host) };
        wait::until(&format!("BIND on {} answers {}", self.host, self.probe.name), START, || {
            process.assert_running();
            let reply = client::ask(network, self.address, server, &self.probe).ok()?;
            // The signed zone is served unsigned for a moment: its signatures are what we wait for.
            (reply.message.answers.len() >= 2).then_some(())
        });
    }

    /// Ends BIND as a crash does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Everything BIND was asked so far by others than the lab's own probe.
    pub fn asked(&self) -> Vec<Asked> {
        let log = fs::read_to_string(self.directory.join("queries.log")).unwrap_or_default();
        log.lines().filter_map(parse).filter(|asked| asked.source != self.address).collect()
    }

    /// How often a name in this domain was asked.
    pub fn asked_below(&self, domain: &str) -> usize {
        let suffix = format!(".{domain}");
        self.asked().iter().filter(|asked| asked.name == domain || asked.name.ends_with(&suffix)).count()
    }
}

/// `… client @0x… 10.150.20.20#4242 (www.example.com): query: www.example.com IN A +E(0)D (192.168.1.10)`
fn parse(line: &str) -> Option<Asked> {
    let (client, query) = line.split_once(": query: ")?;
    let source = client.rsplit_once('#')?.0.rsplit_once(' ')?.1;
    let mut words = query.split_whitespace();
    let (name, _class, _type, flags) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(Asked { source: source.parse().ok()?, name: name.to_lowercase(), flags: flags.to_owned() })
}

/// A program of Debian's that may lie outside PATH.
fn program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| name.into())
}

/// Whether BIND and these programs are here; else what is missing.
pub fn installed(programs: &[&str]) -> Result<(), String> {
    let missing: Vec<&str> =
        ["named"].iter().chain(programs).copied().filter(|name| !program(name).is_absolute()).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("not installed: {}", missing.join(", "))) }
}

/// Copies a directory of files, folders and all.
pub fn copy(from: &Path, to: &Path) {
    let fail = |error| -> ! { panic!("cannot copy {} to {}: {error}", from.display(), to.display()) };
    fs::create_dir_all(to).unwrap_or_else(|error| fail(error));
    for entry in fs::read_dir(from).unwrap_or_else(|error| fail(error)) {
        let entry = entry.unwrap_or_else(|error| fail(error));
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap_or_else(|error| fail(error));
        }
    }
}
