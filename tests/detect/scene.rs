//! Queries as the log thread sees them, without a server.

use std::net::{IpAddr, Ipv4Addr};

use kakehashi::query::directory::NetworkName;
use kakehashi::query::{Directory, Sighting, Source, Transport};
use kakehashi::wire::Name;

/// One query and its answer.
#[derive(Debug, Clone)]
pub struct Query {
    pub micros: u64,
    pub network: u32,
    pub host: u8,
    pub name: String,
    pub qtype: u16,
    pub rcode: u16,
    pub source: Source,
    pub ttl: u32,
    /// Octets of the answer beyond the question.
    pub answer: u16,
}

impl Query {
    pub fn new(micros: u64, network: u32, host: u8, name: impl Into<String>) -> Query {
        let (name, source) = (name.into(), Source::Forward);
        Query { micros, network, host, name, qtype: 1, rcode: 0, source, ttl: 300, answer: 32 }
    }

    pub fn missing(self) -> Query {
        Query { rcode: 3, ttl: 60, ..self }
    }

    pub fn of_type(self, qtype: u16) -> Query {
        Query { qtype, ..self }
    }

    pub fn with_ttl(self, ttl: u32) -> Query {
        Query { ttl, ..self }
    }

    pub fn client(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, (self.network >> 6) as u8, (self.network & 63) as u8, self.host))
    }

    /// Has somebody see it; `wire` is only for its memory.
    pub fn show(&self, wire: &mut Vec<u8>, see: &mut impl FnMut(&Sighting<'_>)) {
        wire.clear();
        wire.extend_from_slice(&[0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        push(wire, &self.name);
        wire.extend_from_slice(&self.qtype.to_be_bytes());
        wire.extend_from_slice(&[0, 1, 0xc0, 12, 0, 1, 0, 1]);
        wire.extend_from_slice(&self.ttl.to_be_bytes());
        wire.resize(wire.len() + usize::from(self.answer), 0);
        see(&Sighting { response: wire, ..self.sighting() });
    }

    /// The event without its response.
    pub fn sighting(&self) -> Sighting<'static> {
        Sighting {
            unix_micros: self.micros,
            duration_micros: 100,
            client: self.client(),
            port: 40_000,
            local: "10.150.20.10:53".parse().unwrap(),
            transport: Transport::Udp,
            network: Some(self.network),
            view: Some(0),
            route: Some(0),
            server: None,
            source: self.source,
            rcode: self.rcode,
            dnssec_ok: false,
            checking_disabled: false,
            ede: None,
            query: &[],
            response: &[],
        }
    }
}

fn push(wire: &mut Vec<u8>, name: &str) {
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        assert!(label.len() < 64, "{name}");
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
}

/// So many networks, each an account.
pub fn directory(networks: u32) -> Directory {
    let network = |n: u32| NetworkName {
        name: format!("network-{n}"),
        account_id: Some(format!("{:012}", 100_000_000_000u64 + u64::from(n))),
        ..NetworkName::default()
    };
    Directory { networks: (0..networks).map(network).collect(), ..Directory::default() }
}

/// Detectors as they are shipped, for a network whose own domains are those of the design.
pub fn detector() -> kakehashi::detect::Detector {
    let own = ["technova.local.", "technova.internal.", "technova.com.", "amazonaws.com."];
    kakehashi::detect::Detector::new(kakehashi::detect::Settings {
        detect: kakehashi::config::Detect { enabled: true, ..kakehashi::config::Detect::default() },
        exempt: own.iter().map(|text| text.parse::<Name>().unwrap_or_else(|_| Name::root())).collect(),
        node: "test".into(),
    })
}
