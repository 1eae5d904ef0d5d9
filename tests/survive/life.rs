//! The machine misbehaves: signals, no descriptors, no disk, a reader that does not read, a neighbour that dies. What
//! `tests/life.rs` proves of reload and stop by count has its figures here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::cases::family;
use crate::load::{Load, Outcome, query, some};
use crate::net::Network;
use crate::packet::KNOWN;
use crate::peer::{Mood, Upstream, nobody};
use crate::process::{Server, quiet};
use crate::report::{at_most, row, share, span, within};
use crate::wait;
use crate::world::{World, ask, command, forward, said_or_silence, site};

family! { life:
    two_reloads_under_load_lose_nothing_and_keep_the_cache;
    a_query_under_way_is_answered_before_the_end;
    after_a_kill_it_is_back_at_once;
    without_descriptors_udp_does_not_notice;
    a_full_disk_loses_no_answer;
    a_log_that_nobody_reads_loses_no_answer;
    of_two_nodes_one_may_die;
    ten_minutes_beside_a_flapping_upstream pending "it takes ten minutes: ask for it with --ignored";
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

fn after_a_kill_it_is_back_at_once() {
    let site = site("", &[("127.0.0.1:0\"]\nhttp", &format!("{}\"]\nhttp", nobody()))]);
    let server = Server::start(&mut command(&site));
    let dns = server.dns;
    server.signal(Signal::SIGKILL);
    server.wait();
    let begin = Instant::now();
    let _server = command(&site).spawn().map(Killed).unwrap();
    let socket = Network.udp(CLIENT, dns).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let mut buffer = [0; 512];
    wait_for(|| socket.send(&query(1, KNOWN)).is_ok() && socket.recv(&mut buffer).is_ok());
    within("SIGKILL and restart: first answer", Duration::from_millis(50), begin.elapsed());
}

/// Tries without a pause, since the time is what is measured.
fn wait_for(mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < crate::PATIENCE, "nothing for {:?}", crate::PATIENCE);
    }
}

/// A process that ends with its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn without_descriptors_udp_does_not_notice() {
    const DESCRIPTORS: &str = "64";
    let site = site("", &[]);
    let program = command(&site);
    let mut limited = Command::new("prlimit");
    limited
        .arg(format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}"))
        .arg(program.get_program())
        .args(program.get_args());
    limited.current_dir(site.path(""));
    quiet(&mut limited);
    let server = Server::start(&mut limited);
    let load = Load::start(CLIENT, server.dns, 500, Box::new(|_| KNOWN.to_owned()));
    let clients: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(server.dns).ok()).collect();
    let so_far = load.answered();
    wait::until("UDP is served", crate::PATIENCE, || (load.answered() > so_far + 1000).then_some(()));
    let outcome = load.finish();
    share(&format!("64 descriptors and {} TCP clients: UDP", clients.len()), 1.0, outcome.share());
    server.terminate();
}

/// With the log in its folder, then with the log there; both at the same rate.
fn with_log_to(what: &str, to: &str) {
    let run = |world: &World| -> Outcome {
        let load = Load::start(CLIENT, world.dns(), 4000, Box::new(|_| KNOWN.to_owned()));
        wait::until("the load is answered", crate::PATIENCE, || (load.answered() > 12_000).then_some(()));
        load.finish()
    };
    let before = run(&World::new(""));
    let keys = format!("[query-log]\nqueue = \"64KiB\"\nto = \"{to}\" # ");
    let world = World::edited("", &[("[query-log]\nto = ", &keys)]);
    let during = run(&world);
    share(&format!("{what}: answers"), 1.0, during.share());
    within(&format!("{what}: p99"), before.p99().mul_f64(1.1), during.p99());
    let lost = world.metric(&["query_log", "dropped"]);
    row(format!("{what}: lines lost, and counted"), "> 0", lost);
    assert!(lost > 0.0, "{what}: what is lost is counted");
    world.server.signal(Signal::SIGTERM);
    let (_, said) = world.server.wait();
    let warnings = said.iter().filter(|line| line.contains("WARN") || line.contains("ERROR"));
    at_most(&format!("{what}: warnings"), 1, warnings.count());
}

fn a_full_disk_loses_no_answer() {
    with_log_to("log on a full disk", "/dev/full");
}

fn a_log_that_nobody_reads_loses_no_answer() {
    let folder = tempfile::TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    // Open, so that the server may write, and never read.
    let _reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    with_log_to("log into a pipe that nobody reads", pipe.to_str().unwrap());
}

/// A stub resolver with `timeout:1 attempts:2`: the first server, then the second, and so once more.
fn stub(servers: &[SocketAddr; 2], id: u16) -> bool {
    let ask_one = |server: &SocketAddr| {
        let socket = UdpSocket::bind((CLIENT, 0)).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut buffer = [0; 512];
        socket.send(&query(id, KNOWN)).is_ok()
            && socket.recv(&mut buffer).is_ok_and(|length| length > 12 && buffer[7] == 1)
    };
    servers.iter().cycle().take(4).any(ask_one)
}

fn of_two_nodes_one_may_die() {
    let (first, second) = (World::new(""), World::new(""));
    let servers = [first.dns(), second.dns()];
    let before = (0..200).filter(|id| stub(&servers, *id)).count();
    first.server.signal(Signal::SIGKILL);
    let after = (0..200).filter(|id| stub(&servers, *id)).count();
    share(
        "one of two nodes is killed: a stub resolver that knows both",
        1.0,
        (before + after) as f64 / 400.0,
    );
}

fn ten_minutes_beside_a_flapping_upstream() {
    let upstream = Upstream::start();
    let world = World::new(&forward("both", &[upstream.address], &["live.test"]));
    let load = Load::start(CLIENT, world.dns(), 2000, some(2000, "live.test"));
    let begin = Instant::now();
    let mut sizes = Vec::new();
    for half in 0..20_u32 {
        upstream.be(if half % 2 == 1 { Mood::Silent } else { Mood::Scripted });
        wait::beat(begin + Duration::from_secs(30) * (half + 1));
        sizes.push(world.rss());
    }
    upstream.be(Mood::Scripted);
    let (reply, _) = ask(world.dns(), CLIENT, KNOWN, "A");
    assert_eq!(said_or_silence(&reply), "A 10.150.20.10");
    let outcome = load.finish();
    share(
        "10 minutes, the upstream flapping every 30 s: answered",
        0.9999,
        outcome.took.len() as f64 / outcome.sent as f64,
    );
    row(
        "of those good, and the slowest",
        "–",
        format!("{:.2} %, {}", outcome.share() * 100.0, span(outcome.quantile(1.0))),
    );
    let slope = (sizes[19] as f64 - sizes[9] as f64) * 12.0 / 1e6;
    row("memory grown, in an hour", "≤ 0.5 MB", format!("{slope:.2} MB"));
    assert!(slope <= 0.5, "{slope}");
}
