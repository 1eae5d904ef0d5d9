//! The interface of the node is narrower than a reply: it comes in fragments, and none is lost. Nothing else is fragmented.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;

use crate::PATIENCE;
use crate::client::{query, receive};
use crate::net::Network;
use crate::process::Site;

/// Addresses of one name: with these a reply has 1,178 octets.
const ADDRESSES: usize = 70;
/// Octets of the widest packet.
const WIDTH: &str = "1000";

pub fn interface() {
    let [node, client] = ["10.150.20.20", "10.0.30.100"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let network = Network::build(&[("node", vec![node]), ("app", vec![client])]);
    let app = "[[network]]\nname = \"app\"\ncidr = [\"10.0.30.0/24\"]\ngroups = [\"vpc\"]\n";
    let site = Site::new(&format!("{node}:53"), "", app);
    let wide: String = (0..ADDRESSES).map(|nth| format!("wide A 10.0.40.{nth}\n")).collect();
    site.write("technova.internal.zone", &format!("{}{wide}", site.read("technova.internal.zone")));
    let narrowed = Command::new("ip")
        .args(["-n", &network.namespace("node"), "link", "set", "eth0", "mtu", WIDTH])
        .status();
    assert!(narrowed.unwrap().success());
    let server = network.inside("node", || site.start());
    let (addresses, in_fragments) = network.inside("app", || {
        let socket = UdpSocket::bind((client, 0)).unwrap();
        socket.connect(SocketAddr::new(node, 53)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let ask = |name: &str| {
            let mut query = query(1, name);
            // An OPT record: 1,232 octets are taken.
            query[11] = 1;
            query.extend_from_slice(b"\0\0\x29\x04\xD0\0\0\0\0\0\0");
            socket.send(&query).unwrap();
            receive(&socket).unwrap().1
        };
        let before = reassembled();
        let narrow = ask("planning.technova.internal");
        let whole = reassembled() - before;
        assert_eq!((narrow.as_str(), whole), ("10.0.30.100", 0));
        let wide: Vec<usize> = (0..10).map(|_| ask("wide.technova.internal").split(' ').count()).collect();
        (wide, reassembled() - before)
    });
    println!("    replies made of fragments: {in_fragments}");
    assert_eq!((addresses, in_fragments), (vec![ADDRESSES; 10], 10));
    server.terminate();
}

/// How many packets this host has put together out of fragments (`ReasmOKs`, RFC 4293).
fn reassembled() -> u64 {
    let counts = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut lines = counts.lines().filter(|line| line.starts_with("Ip:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let of = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "ReasmOKs");
    of.unwrap().1.parse().unwrap()
}
