//! An address of the node goes away while its queries leave from there: they leave from the other, and none is lost.

use std::net::IpAddr;

use crate::load::ask_in_turn;
use crate::net::Network;
use crate::process::Site;
use crate::upstream::{ANSWER, Upstream, forward};

/// More questions than ports are open at once, so that each port is used again.
const QUESTIONS: usize = 2_500;

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
    let ask = |round: &str| {
        network.inside("node", || ask_in_turn(server.dns, QUESTIONS, |nth| format!("{round}{nth}.up.test")))
    };
    let (before, how_fast) = ask("a");
    println!("    from {first}: {before:?}, {how_fast}");
    assert_eq!(upstream.from(), [first]);
    network.take_away("node", first);
    let (after, how_fast) = ask("b");
    println!("    after it has gone: {after:?}, {how_fast}");
    let whole = [(ANSWER.to_owned(), QUESTIONS)].into();
    assert_eq!((&before, &after), (&whole, &whole));
    assert_eq!(upstream.from(), [second, first]);
    server.terminate();
}
