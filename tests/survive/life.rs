//! Reload and stop under load, with the figures to what `tests/life.rs` proves by count. What else the machine does to the
//! server is in `tests/machine.rs`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::cases::family;
use crate::load::{Load, query, some};
use crate::net::Network;
use crate::peer::Upstream;
use crate::report::{at_most, within};
use crate::wait;
use crate::world::{World, forward};

family! { life:
    two_reloads_under_load_lose_nothing_and_keep_the_cache;
    a_query_under_way_is_answered_before_the_end;
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 10, 0, 1));
const HOT: usize = 100;

fn two_reloads_under_load_lose_nothing_and_keep_the_cache() {
    let upstream = Upstream::start();
    let mut world = World::new(&forward("both", &[upstream.address], &["live.test"]));
    let load = Load::start(CLIENT, world.dns(), 1000, some(HOT, "live.test"));
    wait::until("all names are in the cache", crate::PATIENCE, || (load.answered() > 5 * HOT).then_some(()));
    for _ in 0..2 {
        world.server.signal(Signal::SIGHUP);
        world.server.until_says("reloaded main.toml");
    }
    let so_far = load.answered();
    wait::until("more of the load", crate::PATIENCE, || (load.answered() > so_far + 500).then_some(()));
    let outcome = load.finish();
    at_most("SIGHUP twice at 1,000 queries a second: lost", 0, outcome.sent - outcome.good);
    within("the slowest answer meanwhile", Duration::from_millis(10), outcome.quantile(1.0));
    at_most(
        "upstream queries for 100 cached names after it all (100: the cache was kept)",
        HOT,
        upstream.count("hot"),
    );
}

fn a_query_under_way_is_answered_before_the_end() {
    let upstream = Upstream::start();
    let world = World::new(&forward("both", &[upstream.address], &["live.test"]));
    let socket = Network.udp(CLIENT, world.dns()).unwrap();
    socket.set_read_timeout(Some(crate::PATIENCE)).unwrap();
    socket.send(&query(1, "late.slow.live.test")).unwrap();
    wait::until("it is forwarded", crate::PATIENCE, || (upstream.count("late") > 0).then_some(()));
    world.server.signal(Signal::SIGTERM);
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    let answered = Instant::now();
    assert_eq!((length > 12, buffer[7]), (true, 1));
    let (status, said) = world.server.wait();
    assert!(status.success(), "{}", said.join("\n"));
    within("SIGTERM: the end after the last answer", Duration::from_millis(100), answered.elapsed());
}
