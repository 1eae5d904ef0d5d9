//! Two nodes, and the resolver of the C library with both in its resolv.conf: one node dies, and no look-up fails.

use std::net::IpAddr;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::net::Network;
use crate::process::{PLANNING, Server, Site};

const NODES: [(&str, &str); 2] = [("node1", "10.150.20.10"), ("node2", "10.150.20.11")];
/// Look-ups that run side by side, before and after the death of either node.
const LOOK_UPS: usize = 20;

/// The process dies: its ports are closed, and the kernel says so to who asks.
pub fn killed() {
    either_node_dies(|_, _, server| server.signal(Signal::SIGKILL));
}

/// The machine dies: packets to it vanish.
pub fn unplugged() {
    either_node_dies(|network, node, _| network.unplug(node));
}

fn either_node_dies(die: fn(&Network, &'static str, &Server)) {
    for dead in 0..NODES.len() {
        let addresses = |text: &str| vec![text.parse::<IpAddr>().unwrap()];
        let network = Network::build(&[
            (NODES[0].0, addresses(NODES[0].1)),
            (NODES[1].0, addresses(NODES[1].1)),
            ("stub", addresses("10.0.30.100")),
        ]);
        let client = "[[network]]\nname = \"app\"\ncidr = [\"10.0.30.0/24\"]\ngroups = [\"vpc\"]\n";
        let sites = NODES.map(|(_, address)| Site::new(&format!("{address}:53"), "", client));
        let servers: Vec<Server> =
            NODES.iter().zip(&sites).map(|((node, _), site)| network.inside(node, || site.start())).collect();
        let resolver =
            format!("nameserver {}\nnameserver {}\noptions timeout:1 attempts:2\n", NODES[0].1, NODES[1].1);
        sites[0].write("resolv.conf", &resolver);

        let both = look_up(&network, &sites[0]);
        die(&network, NODES[dead].0, &servers[dead]);
        let one = look_up(&network, &sites[0]);
        println!(
            "    node {} dead: {} of {LOOK_UPS} before in {:?}, {} after in {:?}",
            dead + 1,
            both.0,
            both.1,
            one.0,
            one.1
        );
        assert_eq!((both.0, one.0), (LOOK_UPS, LOOK_UPS));
    }
}

/// How many look-ups of the C library found the address, and how long all of them took.
fn look_up(network: &Network, site: &Site) -> (usize, std::time::Duration) {
    // Its own view of the files, with this resolv.conf and no other source of names.
    let look = "mount --bind \"$0\" /etc/resolv.conf && exec getent -s hosts:dns ahosts \"$1\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", look]);
    command.arg(site.path("resolv.conf")).arg(format!("{PLANNING}."));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let found = network.inside("stub", || {
        let running: Vec<_> = (0..LOOK_UPS).map(|_| command.spawn().unwrap()).collect();
        running.into_iter().map(|child| child.wait_with_output().unwrap()).filter(found).count()
    });
    (found, began.elapsed())
}

fn found(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains("10.0.30.100") {
        eprintln!("    getent: {said} {}", String::from_utf8_lossy(&output.stderr));
    }
    said.contains("10.0.30.100")
}
