//! A private internet: one network namespace a host, all on one bridge, each with the real addresses of its hosts.
//!
//! Every address is a /32 and every host's default route is the wire itself, so any address of the TechNova network
//! (and any source a client pretends to have) is reached by ARP alone. Nothing of it can leave the machine: no
//! namespace has an interface to the outside.

use std::fs::File;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Protocol, Socket, Type};

/// Numbers the networks of this run.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A set of namespaces on one bridge; dropping it removes them all.
pub struct Network {
    prefix: String,
    hosts: Vec<Host>,
}

/// One namespace: a short name and the addresses that live in it.
struct Host {
    name: &'static str,
    addresses: Vec<IpAddr>,
}

impl Network {
    /// Builds the namespaces, the bridge between them and their addresses.
    pub fn build(hosts: &[(&'static str, Vec<IpAddr>)]) -> Self {
        let prefix = format!("kkh-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let hosts: Vec<Host> =
            hosts.iter().map(|(name, addresses)| Host { name, addresses: addresses.clone() }).collect();
        let network = Self { prefix, hosts };
        network.add_namespaces();
        network.add_bridge();
        for host in &network.hosts {
            network.add_addresses(host);
        }
        network
    }

    fn add_namespaces(&self) {
        for name in self.hosts.iter().map(|host| host.name).chain(["core"]) {
            ip(&["netns", "add", &self.namespace(name)], &[]);
        }
    }

    fn add_bridge(&self) {
        let core = self.namespace("core");
        let mut lines = vec!["link add bridge type bridge".to_owned(), "link set bridge up".to_owned()];
        for host in &self.hosts {
            let (name, namespace) = (host.name, self.namespace(host.name));
            lines.push(format!("link add {name} type veth peer name eth0 netns {namespace}"));
            lines.push(format!("link set {name} master bridge"));
            lines.push(format!("link set {name} up"));
        }
        ip(&["-n", &core, "-batch", "-"], &lines);
    }

    fn add_addresses(&self, host: &Host) {
        let mut lines = vec!["link set lo up".to_owned(), "link set eth0 up".to_owned()];
        lines.extend(host.addresses.iter().map(|address| format!("addr add {address}/32 dev eth0")));
        lines.push("route add default dev eth0".to_owned());
        ip(&["-n", &self.namespace(host.name), "-batch", "-"], &lines);
    }

    /// The full name of a host's namespace, as `ip netns` shows it.
    pub fn namespace(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// The host that owns an address.
    pub fn host_of(&self, address: IpAddr) -> &'static str {
        let owner = self.hosts.iter().find(|host| host.addresses.contains(&address));
        owner.unwrap_or_else(|| panic!("no host of the lab has the address {address}")).name
    }

    /// Unplugs a host's cable: packets to it vanish, as when a machine dies.
    pub fn unplug(&self, host: &str) {
        ip(&["-n", &self.namespace("core"), "link", "set", host, "down"], &[]);
    }

    /// Plugs the cable in again.
    pub fn plug(&self, host: &str) {
        ip(&["-n", &self.namespace("core"), "link", "set", host, "up"], &[]);
    }

    /// Runs `work` on a thread that stands in the host's namespace; sockets and processes made there stay there.
    pub fn inside<T: Send>(&self, host: &str, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.namespace(host));
        let enter = || {
            let namespace = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            setns(namespace, CloneFlags::CLONE_NEWNET)
                .unwrap_or_else(|error| panic!("setns {path}: {error}"));
            work()
        };
        thread::scope(|scope| scope.spawn(enter).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A UDP socket bound to a client's address, connected to the server it asks.
    pub fn udp(&self, source: IpAddr, server: SocketAddr) -> io::Result<UdpSocket> {
        self.inside(self.host_of(source), || {
            let socket = UdpSocket::bind(SocketAddr::new(source, 0))?;
            socket.connect(server)?;
            Ok(socket)
        })
    }

    /// A TCP connection from a client's address.
    pub fn tcp(&self, source: IpAddr, server: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        self.inside(self.host_of(source), || {
            let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
            socket.connect_timeout(&server.into(), timeout)?;
            Ok(socket.into())
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.hosts.iter().map(|host| host.name).chain(["core"]) {
            let namespace = self.namespace(name);
            let _ = Command::new("ip").args(["netns", "delete", &namespace]).stderr(Stdio::null()).status();
        }
    }
}

/// Removes what runs that no longer live have left behind.
pub fn sweep() {
    let _ = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/sweep")).status();
}

/// Whether this process may make network namespaces; else the reason.
pub fn permitted() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces want root".into());
    }
    let probe = format!("kkh-{}-probe", std::process::id());
    let added = Command::new("ip").args(["netns", "add", &probe]).output();
    let output = added.map_err(|error| format!("the `ip` program cannot be run: {error}"))?;
    let _ = Command::new("ip").args(["netns", "delete", &probe]).output();
    if output.status.success() {
        return Ok(());
    }
    Err(format!("network namespaces are not permitted: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Runs `ip` with lines for its batch mode; the lab cannot go on without it.
fn ip(arguments: &[&str], batch: &[String]) {
    let mut command = Command::new("ip");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("ip {arguments:?}: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A child that has failed already closes the pipe; its own message says why.
        let _ = stdin.write_all((batch.join("\n") + "\n").as_bytes());
    }
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("ip {arguments:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments:?} failed: {complaint}\n{batch:#?}");
}
