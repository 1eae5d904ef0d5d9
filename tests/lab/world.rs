//! The TechNova network as a lab: who lives where, started and torn down as one.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::client::{self, Ask, Reply};
use super::metrics::Metrics;
use super::net::Network;
use super::peers::Peer;
use super::server::{self, Server};
use super::wait;

/// The clients of the lab, one namespace for all of them: an address of each kind of network in technova.md section 2.
/// A row of queries.txt may use any of these; a new client is a new line here.
const CLIENTS: &[&str] = &[
    "10.0.30.100",    // technova-mfg-prod-app: an ECS task of planning
    "10.0.31.9",      // technova-mfg-prod-db
    "10.0.0.5",       // technova-mfg-dev-app
    "10.0.12.5",      // technova-mfg-test-api
    "10.1.30.100",    // technova-sales-prod-app
    "10.1.23.7",      // technova-sales-staging-batch
    "10.2.30.100",    // technova-service-prod-app
    "10.2.34.8",      // technova-service-prod-monitor
    "10.3.30.100",    // technova-iot-prod-app
    "10.3.5.5",       // technova-iot-dev-network
    "10.100.10.50",   // shared-services
    "10.200.1.5",     // security
    "10.150.99.5",    // network-hub, not the server itself
    "192.168.50.5",   // on-prem, a workstation
    "172.16.5.5",     // on-prem, legacy
    "203.0.113.7",    // the internet
    "198.51.100.250", // the internet
];

/// The domain controllers, in the order of technova.md section 3: two primaries and the backup.
const DCS: [(&str, &str); 3] = [("dc1", "192.168.1.10"), ("dc2", "192.168.1.11"), ("dc3", "192.168.1.12")];

/// The network and the server's peers, without the server.
pub struct Site {
    /// dc01, dc02, dc03.
    pub dcs: [Peer; 3],
    /// AmazonProvidedDNS, which is public DNS too.
    pub amazon: Peer,
    /// The namespaces and wires.
    pub network: Network,
}

impl Site {
    /// Lays the network and starts the peers; their files are in `directory`.
    pub fn build(directory: &Path) -> Self {
        let question = |name, rtype| Ask::parse(name, rtype).unwrap_or_else(|error| panic!("{error}"));
        let hub = ["10.150.20.10", "10.150.20.11", "10.150.20.20", "10.150.20.21"];
        let mut hosts = vec![
            (server::HOST, hub.map(address).to_vec()),
            ("amazon", vec![address("169.254.169.253")]),
            ("clients", CLIENTS.iter().map(|client| address(client)).collect()),
        ];
        hosts.extend(DCS.map(|(name, text)| (name, vec![address(text)])));
        let dc = |(host, text)| {
            Peer::prepare(host, address(text), "dc", question("technova.local", "NS"), directory)
        };
        let dcs = DCS.map(dc);
        let signed = question("www.signed.example", "A+do");
        let amazon = Peer::prepare("amazon", address("169.254.169.253"), "amazon", signed, directory);
        let mut site = Self { dcs, amazon, network: Network::build(&hosts) };
        for peer in site.dcs.iter_mut().chain([&mut site.amazon]) {
            peer.start(&site.network);
        }
        for peer in site.dcs.iter_mut().chain([&mut site.amazon]) {
            peer.ready(&site.network);
        }
        site
    }

    /// Asks any server of the lab from a client's address; whatever goes wrong fails the test.
    pub fn ask(&self, client: &str, server: IpAddr, name: &str, rtype: &str) -> Reply {
        let question = Ask::parse(name, rtype).unwrap_or_else(|error| panic!("{error}"));
        let reply = client::ask(&self.network, address(client), SocketAddr::new(server, 53), &question);
        reply.unwrap_or_else(|silence| panic!("{client} asks {server} for {name} {rtype}: {silence}"))
    }
}

/// Everything that runs. Dropped in this order: the server, its peers, the network, their files.
pub struct Lab {
    /// Kakehashi.
    pub server: Server,
    /// Everything around it.
    pub site: Site,
    _directory: TempDir,
}

impl Lab {
    /// The network with the shipped configuration.
    pub fn build() -> Self {
        Self::build_with(|_| {})
    }

    /// The network with a configuration that `change` has altered; it is given the directory that holds `conf/` and
    /// `zones/`.
    pub fn build_with(change: impl FnOnce(&Path)) -> Self {
        let directory = temporary();
        let home = Server::prepare(directory.path());
        change(&home);
        let site = Site::build(directory.path());
        let server = Server::start(&site.network, home);
        Self { server, site, _directory: directory }
    }

    /// Asks the server from a client's address; whatever goes wrong fails the test.
    pub fn ask(&self, client: &str, name: &str, rtype: &str) -> Reply {
        self.site.ask(client, server::PRIMARY, name, rtype)
    }

    /// The metrics as they stand.
    pub fn metrics(&self) -> Metrics {
        server::metrics(&self.site.network)
    }

    /// Waits until the metrics satisfy `condition`.
    pub fn await_metrics(&self, what: &str, deadline: Duration, condition: impl Fn(&Metrics) -> bool) {
        wait::until(what, deadline, || condition(&self.metrics()).then_some(()));
    }
}

/// A directory that goes when it is dropped; its name tells `sweep` whose it was.
pub fn temporary() -> TempDir {
    let prefix = format!("kkh-{}-", std::process::id());
    TempDir::with_prefix(prefix).unwrap_or_else(|error| panic!("no temporary directory: {error}"))
}

/// An address as the tests write it.
pub fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no IP address"))
}
