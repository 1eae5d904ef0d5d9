//! Zones signed by BIND's tools, and the servers beside ours that serve them on loopback: BIND and NSD.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kakehashi::wire::message::Message;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::port;

/// How the zones deny what they have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    Nsec,
    Nsec3,
    OptOut,
}

/// A folder with both zones, signed: `a.test` and `signed.a.test`.
pub struct Zones {
    folder: tempfile::TempDir,
}

impl Zones {
    /// Signs the zones anew; nothing, and a line that says so, where the tools are not installed.
    pub fn sign(chain: Chain) -> Option<Zones> {
        for program in ["dnssec-keygen", "dnssec-signzone", "named", "nsd"] {
            if find(program).is_none() {
                assert!(std::env::var_os("CI").is_none(), "{program} is missing");
                println!("SKIPPED: {program} is missing, for a second opinion on answers from signed zones");
                return None;
            }
        }
        let zones = Zones { folder: tempfile::tempdir().unwrap() };
        let parent = include_str!("a.test.zone");
        let child = include_str!("signed.a.test.zone");
        zones.sign_one("signed.a.test", child, chain);
        let ds = std::fs::read_to_string(zones.path().join("dsset-signed.a.test.")).unwrap();
        zones.sign_one("a.test", &format!("{parent}{ds}"), chain);
        Some(zones)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn sign_one(&self, zone: &str, text: &str, chain: Chain) {
        std::fs::write(self.path().join(zone), text).unwrap();
        let algorithm = ["-q", "-a", "ECDSAP256SHA256"];
        self.run("dnssec-keygen", &[&algorithm[..], &["-f", "KSK", zone]].concat());
        self.run("dnssec-keygen", &[&algorithm[..], &[zone]].concat());
        let denial: &[&str] = match chain {
            Chain::Nsec => &[],
            Chain::Nsec3 => &["-3", "aabbccdd", "-H", "2"],
            Chain::OptOut => &["-3", "-", "-H", "0", "-A"],
        };
        let signed = format!("{zone}.signed");
        self.run("dnssec-signzone", &[&["-q", "-S", "-f", &signed, "-o", zone], denial, &[zone]].concat());
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let done =
            Command::new(find(program).unwrap()).args(arguments).current_dir(self.path()).output().unwrap();
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Where a program is: the system's own places for servers are not on everyone's path.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|place| place.join(program)).find(|file| file.is_file())
}

/// A server that is not ours, with the signed zones.
pub struct Peer {
    address: SocketAddr,
    process: Child,
}

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bind,
    Nsd,
}

impl Peer {
    pub fn start(kind: Kind, zones: &Zones) -> Peer {
        let address = port::free();
        let port = address.port();
        let folder = zones.path().to_str().unwrap();
        let (program, arguments, ready, configuration) = match kind {
            Kind::Bind => ("named", ["-g", "-c"], " running", bind(folder, port)),
            Kind::Nsd => ("nsd", ["-d", "-c"], "nsd started", nsd(folder, port)),
        };
        let file = zones.path().join(format!("{program}.conf"));
        std::fs::write(&file, configuration).unwrap();
        // A copy of the program: AppArmor confines the one in /usr/sbin to places of its own where it is enabled.
        let copy = zones.path().join(program);
        std::fs::copy(find(program).unwrap(), &copy).unwrap();
        let mut command = Command::new(copy);
        command.args(arguments).arg(file).current_dir(folder).stderr(Stdio::piped());
        let mut peer = Peer { address, process: command.spawn().unwrap() };
        let mut lines = BufReader::new(peer.process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.by_ref().take_while(|line| !line.contains(ready)).collect();
        let loaded = !said.iter().any(|line| line.contains("not loaded"));
        assert!(loaded && peer.process.try_wait().unwrap().is_none(), "{kind:?}: {}", said.join("\n"));
        // Read on to its end, or its log would fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        peer
    }

    /// The response to a query, over TCP so that it is whole.
    pub fn ask(&self, query: &[u8]) -> Message {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(&[&(query.len() as u16).to_be_bytes(), query].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut response = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut response).unwrap();
        Message::parse(&response).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Not SIGKILL: NSD has processes of its own to end.
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

fn bind(folder: &str, port: u16) -> String {
    let zone = |zone| format!("zone \"{zone}\" {{ type primary; file \"{zone}.signed\"; }};\n");
    format!(
        "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
            pid-file none; session-keyfile none; recursion no; minimal-responses yes;
            check-names primary ignore; }};
         controls {{ }};
         {}{}",
        zone("a.test"),
        zone("signed.a.test")
    )
}

fn nsd(folder: &str, port: u16) -> String {
    let zone = |zone| format!("zone:\n  name: {zone}\n  zonefile: {zone}.signed\n");
    let options = [
        format!("ip-address: 127.0.0.1@{port}"),
        format!("zonesdir: \"{folder}\""),
        format!("xfrdir: \"{folder}\""),
        format!("zonelistfile: \"{folder}/zone.list\""),
        "username: \"\"\n  chroot: \"\"\n  database: \"\"\n  pidfile: \"\"\n  xfrdfile: \"\"".to_owned(),
        "server-count: 1\n  minimal-responses: yes\n  verbosity: 1".to_owned(),
    ];
    format!(
        "server:\n  {}\nremote-control:\n  control-enable: no\n{}{}",
        options.join("\n  "),
        zone("a.test"),
        zone("signed.a.test")
    )
}
