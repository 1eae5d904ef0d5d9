//! A street with its folder and its clock, and what a client sees of a reply.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path as FilePath;
use std::rc::Rc;
use std::time::Duration;

use kakehashi::query::{Now, Path, Transport};
use kakehashi::server::testing::{Street, street_by};
use kakehashi::wire::message::Message;
use kakehashi::wire::present::RData;
use kakehashi::wire::{Name, RType, Records, flag};
use tempfile::TempDir;

use crate::stand_in::StandIn;

/// A client of group `vpc`.
pub const VPC: &str = "10.0.30.100";
/// A client of group `onprem`.
pub const ONPREM: &str = "192.168.1.10";
/// A client of group `external`.
pub const EXTERNAL: &str = "203.0.113.7";

const NETWORKS: &str = r#"
[node]
id = "kakehashi-1a"
[[network]]
name = "app"
cidr = ["10.0.30.0/24", "fd00:30::/64"]
groups = ["vpc"]
[[network]]
name = "dc"
cidr = ["192.168.0.0/16"]
groups = ["onprem"]
[[network]]
name = "internet"
cidr = ["203.0.113.0/24"]
groups = ["external"]
"#;

/// A street under test.
pub struct World {
    pub street: Street,
    folder: TempDir,
    time: Rc<Cell<Duration>>,
}

/// A query.
#[derive(Debug, Clone)]
pub struct Query<'q> {
    pub client: &'q str,
    pub name: &'q str,
    pub qtype: RType,
    pub class: u16,
    pub flags: u16,
    /// The OPT record's UDP payload size; none: no OPT.
    pub edns: Option<u16>,
    pub edns_flags: u32,
    pub options: &'q [u8],
    pub transport: Transport,
}

impl<'q> Query<'q> {
    pub fn a(client: &'q str, name: &'q str) -> Query<'q> {
        Query {
            client,
            name,
            qtype: RType::A,
            class: 1,
            flags: flag::RD,
            edns: Some(1232),
            edns_flags: 0,
            options: &[],
            transport: Transport::Udp,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34];
        bytes.extend(self.flags.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        bytes.extend(self.name.parse::<Name>().unwrap().wire());
        bytes.extend(self.qtype.0.to_be_bytes());
        bytes.extend(self.class.to_be_bytes());
        if let Some(payload) = self.edns {
            bytes.extend([0, 0, 41]);
            bytes.extend(payload.to_be_bytes());
            bytes.extend(self.edns_flags.to_be_bytes());
            bytes.extend((self.options.len() as u16).to_be_bytes());
            bytes.extend(self.options);
        }
        bytes
    }

    pub fn path(&self) -> Path {
        Path {
            client: SocketAddr::new(self.client.parse::<IpAddr>().unwrap(), 4000),
            local: SocketAddr::from(([127, 0, 0, 1], 53)),
            transport: self.transport,
        }
    }
}

/// A reply, read.
pub struct Reply {
    pub bytes: Vec<u8>,
    pub message: Message,
}

impl Reply {
    pub fn read(bytes: Vec<u8>) -> Reply {
        Reply { message: Message::parse(&bytes).unwrap(), bytes }
    }

    /// `RCODE: TYPE RDATA; …`, in the order of the answer section.
    pub fn text(&self) -> String {
        let records: Vec<String> = self
            .message
            .answer
            .iter()
            .map(|r| format!("{} {}", r.rtype, RData { rtype: r.rtype, octets: r.rdata }))
            .collect();
        let code = kakehashi::wire::rcode::text(self.message.rcode);
        if records.is_empty() { code.to_owned() } else { format!("{code}: {}", records.join("; ")) }
    }

    pub fn has(&self, bit: u16) -> bool {
        self.message.flags & bit != 0
    }

    /// The TTLs of answer and authority.
    pub fn ttls(&self) -> BTreeSet<u32> {
        let ttls = |records: &Records| records.iter().map(|r| r.ttl).collect::<Vec<_>>();
        [ttls(&self.message.answer), ttls(&self.message.authority)].concat().into_iter().collect()
    }

    pub fn ede(&self) -> Vec<u16> {
        self.message.ede.iter().map(|ede| ede.code).collect()
    }
}

impl World {
    /// A street of the three networks and this configuration, in which `UP0` … stand for the upstreams' addresses, and
    /// `zone NAME` … `end` blocks are written to files first.
    pub fn new(configuration: &str, upstreams: &[&StandIn]) -> World {
        let folder = tempfile::tempdir().unwrap();
        let time = Rc::new(Cell::new(Duration::from_secs(1000)));
        let turned = time.clone();
        let clock = Box::new(move || Now { monotonic: turned.get(), unix_micros: 0 });
        let text = prepare(configuration, upstreams, folder.path());
        World { street: street_by(clock, &text, folder.path()), folder, time }
    }

    pub fn reload(&mut self, configuration: &str, upstreams: &[&StandIn]) {
        let text = prepare(configuration, upstreams, self.folder.path());
        self.street.reload(&text, self.folder.path());
    }

    pub fn now(&self) -> Now {
        Now { monotonic: self.time.get(), unix_micros: 0 }
    }

    pub fn turn_clock(&self, seconds: f64) {
        self.time.set(self.time.get() + Duration::from_secs_f64(seconds));
    }

    /// The reply to an A query with EDNS.
    pub fn a(&self, client: &str, name: &str) -> Reply {
        self.ask(&Query::a(client, name))
    }

    pub fn ask(&self, query: &Query<'_>) -> Reply {
        self.send(&query.bytes(), &query.path()).unwrap()
    }

    pub fn send(&self, packet: &[u8], path: &Path) -> Option<Reply> {
        let out = self.street.send(packet, path, self.now())?;
        Some(Reply::read(out))
    }
}

fn prepare(configuration: &str, upstreams: &[&StandIn], folder: &FilePath) -> String {
    let mut text = NETWORKS.to_owned();
    for (n, upstream) in upstreams.iter().enumerate() {
        let address = upstream.address;
        text += &format!(
            "[[upstream]]\nname = \"up{n}\"\nservers = [\"{address}\"]\nhealth-check = \"off\"\ntry-timeout = \"200ms\"\ndeadline = \"400ms\"\n"
        );
    }
    let mut zone: Option<(&str, String)> = None;
    for line in configuration.lines().map(str::trim) {
        match (line.strip_prefix("file: "), &mut zone) {
            (Some(name), _) => {
                zone = Some((name, String::from("$TTL 60\n@ SOA ns hm 1 2 3 4 60\n@ NS ns\n")));
            }
            (None, Some((name, content))) if line == "end" => {
                std::fs::write(folder.join(*name), content).unwrap();
                zone = None;
            }
            (None, Some((_, content))) => *content += &format!("{line}\n"),
            (None, None) => text += &format!("{line}\n"),
        }
    }
    text
}
