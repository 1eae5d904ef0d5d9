//! BIND as the upstream: a server whose cookies are not ours.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::port;

/// One on a loopback port, which knows `user.technova.local`.
pub struct Bind {
    pub address: SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

const ZONE: &str =
    "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\nuser A 10.0.0.1\n";

impl Bind {
    /// Starts it with these options; nothing, and a line that says so, where it is not installed.
    pub fn start(options: &str) -> Option<Bind> {
        let Some(program) = find("named") else {
            assert!(std::env::var_os("CI").is_none(), "named is missing");
            println!("SKIPPED: named is missing, for cookies that are not ours");
            return None;
        };
        // Another test's server may draw the port for its own queries in between; then it says so, and serves nobody.
        Some((0..9).find_map(|_| Bind::try_start(&program, options)).expect("a port that is free"))
    }

    fn try_start(program: &Path, options: &str) -> Option<Bind> {
        let address = port::free();
        let port = address.port();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("zone"), ZONE).unwrap();
        let configuration = format!(
            "options {{ directory \"{}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
                pid-file none; session-keyfile none; recursion no; {options} }};
             controls {{ }};
             zone \"technova.local\" {{ type primary; file \"zone\"; }};\n",
            folder.path().display()
        );
        std::fs::write(at("named.conf"), configuration).unwrap();
        // A copy of the program: AppArmor confines the one in /usr/sbin to places of its own where it is enabled.
        std::fs::copy(program, at("named")).unwrap();
        let mut command = Command::new(at("named"));
        command.args(["-g", "-n", "1", "-c", "named.conf"]).current_dir(folder.path()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.by_ref().take_while(|line| !line.ends_with(" running")).collect();
        assert!(process.try_wait().unwrap().is_none(), "{}", said.join("\n"));
        if said.iter().any(|line| line.contains("address in use")) {
            process.kill().unwrap();
            process.wait().unwrap();
            return None;
        }
        // Read on to its end, or its log would fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let bind = Bind { address, process, _folder: folder };
        // What it says is not yet what it does: a query that came too early was never answered.
        assert!((0..100).any(|_| bind.answers()), "named runs, and is silent: {}", said.join("\n"));
        Some(bind)
    }

    fn answers(&self) -> bool {
        // . SOA
        let query = b"\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01";
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        socket.send(query).is_ok() && socket.recv(&mut [0; 512]).is_ok()
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a program is: the system's own places for servers are not on everyone's path.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|place| place.join(program)).find(|file| file.is_file())
}
