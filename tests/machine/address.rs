//! An address of the node goes away while its queries leave from there: they leave from the other, and none is lost.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::load::ask_in_turn;
use crate::net::Network;
use crate::process::Site;
use crate::upstream::{ANSWER, Upstream, forward};

/// Before: more than ports are open at once, so that they are used again. After: few, so that none has been replaced.
const QUESTIONS: [usize; 2] = [1_500, 300];
/// As long as a port is used, with what the test itself may take.
const LIFE: Duration = Duration::from_secs(2);

pub fn goes() {
    let [first, second, controller] =
        ["10.150.20.20", "10.150.20.10", "192.168.1.10"].map(|ip| ip.parse::<IpAddr>().unwrap());
    // What nobody has bound leaves from the first.
    let network = Network::build(&[("node", vec![first, second]), ("dc", vec![controller])]);
    let upstream = network.inside("dc", || Upstream::at(controller, 60));
    let site = Site::new("127.0.0.1:0", "", &forward(&[&upstream], "health-check = \"off\"\n"));
    // Or another worker would open ports of its own.
    site.replace("main.toml", "workers = 2", "workers = 1");
    let server = network.inside("node", || site.start());
    let ask = |round: &str, count: usize| {
        let name = |nth| format!("{round}{nth}.up.test");
        network.inside("node", || ask_in_turn(server.dns, count, name))
    };
    let from = |ip: IpAddr| -> BTreeSet<u16> {
        upstream.from().iter().filter(|from| from.ip() == ip).map(SocketAddr::port).collect()
    };
    let began = Instant::now();
    let (before, how_fast) = ask("a", QUESTIONS[0]);
    println!("    from {first}: {before:?}, {how_fast}");
    assert!(from(second).is_empty());
    take_away(&network.namespace("node"), first);
    let (after, how_fast) = ask("b", QUESTIONS[1]);
    println!("    after it has gone: {after:?}, {how_fast}");
    let whole = |count: usize| [(ANSWER.to_owned(), count)].into();
    assert_eq!((before, after), (whole(QUESTIONS[0]), whole(QUESTIONS[1])));
    let again = from(first).intersection(&from(second)).count();
    println!("    ports that asked from both: {again}");
    assert!(again > 0 || began.elapsed() > LIFE, "what was open has been used from {second}");
    server.terminate();
}

fn take_away(namespace: &str, address: IpAddr) {
    let address = format!("{address}/32");
    let taken = Command::new("ip").args(["-n", namespace, "addr", "del", &address, "dev", "eth0"]).status();
    assert!(taken.unwrap().success());
}
