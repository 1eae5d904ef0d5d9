//! The questions of the demo, and what each is answered.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::cli::say;
use crate::wire::message::Message;
use crate::wire::present::RData;
use crate::wire::{Name, RType, rcode};

/// One question.
pub(super) struct Question {
    client: Ipv4Addr,
    name: &'static str,
    qtype: RType,
    /// What `dig +short` prints, or the RCODE.
    expected: &'static str,
    why: &'static str,
}

const MFG: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const IOT: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 1);
const ONPREM: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 1);
const INTERNET: Ipv4Addr = Ipv4Addr::new(127, 0, 5, 1);
const NOBODY: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);

/// All of them.
pub(super) fn shipped() -> Vec<Question> {
    let row = |client, name, qtype, expected, why| Question { client, name, qtype, expected, why };
    vec![
        row(
            MFG,
            "api.technova.com",
            RType::A,
            "internal-api-12345.ap-northeast-1.elb.amazonaws.com. 10.100.10.100",
            "split view: a VPC gets the internal load balancer, its address from AmazonProvidedDNS",
        ),
        row(
            ONPREM,
            "api.technova.com",
            RType::A,
            "10.100.10.100",
            "split view: on-prem gets the address itself",
        ),
        row(
            INTERNET,
            "api.technova.com",
            RType::A,
            "d987654321.cloudfront.net.",
            "split view: the internet gets CloudFront, and nothing is resolved for it",
        ),
        row(MFG, "inventory.manufacturing.technova.internal", RType::A, "10.0.30.101", "the private zone"),
        row(
            MFG,
            "_grpc._tcp.inventory.manufacturing.technova.local",
            RType::SRV,
            "0 0 9091 inventory.manufacturing.technova.local.",
            "Service Connect, below technova.local but served here",
        ),
        row(
            MFG,
            "101.30.0.10.in-addr.arpa",
            RType::PTR,
            "inventory.manufacturing.technova.internal.",
            "its reverse name, made from the zone",
        ),
        row(MFG, "user.technova.local", RType::A, "192.168.10.21", "forwarded to the domain controllers"),
        row(
            MFG,
            "rds.ap-northeast-1.amazonaws.com",
            RType::A,
            "10.100.30.21 10.100.31.21",
            "Manufacturing's own VPC endpoint",
        ),
        row(
            IOT,
            "rds.ap-northeast-1.amazonaws.com",
            RType::A,
            "198.51.100.11",
            "which IoT must not see: it gets the public address",
        ),
        row(MFG, "portal.technova.com", RType::A, "10.100.10.200", "the private answer for a public name"),
        row(
            MFG,
            "www.technova.com",
            RType::A,
            "d123456.cloudfront.net. 203.0.113.20",
            "fall-through: not private, so the public answer",
        ),
        row(
            INTERNET,
            "inventory.manufacturing.technova.internal",
            RType::A,
            "REFUSED",
            "the internet sees technova.com only",
        ),
        row(NOBODY, "www.technova.com", RType::A, "REFUSED", "closed by default"),
        row(MFG, "1.1.168.192.in-addr.arpa", RType::PTR, "NXDOMAIN", "asked of the controllers"),
    ]
}

impl Question {
    /// The dig line, and what it answers.
    pub(super) fn line(&self, port: u16) -> String {
        format!(
            "  dig @127.0.0.1 -p {port} -b {} {} {} +short\n      # {}   ({})\n",
            self.client, self.name, self.qtype, self.expected, self.why
        )
    }

    /// Asks it; gives what `dig +short` would print.
    pub(super) fn ask(&self, port: u16) -> String {
        self.exchange(port).unwrap_or_else(|fault| format!("no answer: {fault}"))
    }

    /// Prints the line and what was answered; whether it was as expected.
    pub(super) fn report(&self, port: u16, answer: &str) -> bool {
        let as_expected = sorted(answer) == sorted(self.expected);
        say(&self.line(port));
        say(&format!("      {} {answer}\n", if as_expected { "ok:" } else { "OTHERWISE:" }));
        as_expected
    }

    fn exchange(&self, port: u16) -> Result<String, String> {
        let text = |fault: &dyn std::fmt::Display| fault.to_string();
        let name: Name = self.name.parse().map_err(|fault| text(&fault))?;
        let mut query = vec![0x4b, 0x6b, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend_from_slice(name.wire());
        query.extend_from_slice(&self.qtype.0.to_be_bytes());
        query.extend_from_slice(&[0, 1]);
        let socket = UdpSocket::bind(SocketAddr::from((self.client, 0))).map_err(|fault| text(&fault))?;
        socket.set_read_timeout(Some(Duration::from_secs(5))).map_err(|fault| text(&fault))?;
        socket.send_to(&query, (Ipv4Addr::LOCALHOST, port)).map_err(|fault| text(&fault))?;
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).map_err(|fault| text(&fault))?;
        let message = Message::parse(&buffer[..length]).map_err(|fault| text(&fault))?;
        if message.rcode != rcode::NOERROR || message.answer.is_empty() {
            return Ok(rcode::text(message.rcode).to_owned());
        }
        let lines: Vec<String> =
            message.answer.iter().map(|r| RData { rtype: r.rtype, octets: r.rdata }.to_string()).collect();
        Ok(lines.join(" "))
    }
}

/// Equal addresses take turns.
fn sorted(answer: &str) -> Vec<&str> {
    let mut words: Vec<&str> = answer.split(' ').collect();
    words.sort_unstable();
    words
}
