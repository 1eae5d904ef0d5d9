//! The pipeline under random schedules of queries, reloads and upstreams that are late, lose, fail, forge, flap and truncate.
//!
//! Time is virtual: it moves when nothing else does. Only the datagrams to the upstreams are real, on loopback and in one
//! thread with the pipeline: they arrive before the clock moves. `PROPTEST_CASES=8000` runs
//! 8,000 schedules.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

#[path = "schedules/check.rs"]
mod check;
#[path = "schedules/ledger.rs"]
mod ledger;
#[path = "schedules/server.rs"]
mod server;
#[path = "schedules/time.rs"]
mod time;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use kakehashi::pipeline::{Admit, Begin, Landing, Worker};
use kakehashi::query::{Now, Path, Transport};
use kakehashi::server::testing::{Street, street_by};
use kakehashi::wire::Name;
use ledger::Ledger;
use proptest::prelude::*;
use server::{Asked, Desk, Manner, PROBED, Server, Via};
use tokio::task::spawn_local;
use tokio::time::Instant;

/// Longer than anything is waited for.
const LONG: Duration = Duration::from_secs(4);
/// How long a question takes at most.
const ANSWERED: Duration = Duration::from_secs(1);
/// How long it takes until a source that is back is asked again: a probe, twice, or the time of a retry.
const RECOVERY: Duration = Duration::from_secs(6);
/// Tries that one question may cost (three), for a client and again for what is fetched before it ends.
const MOST_TRIES: usize = 6;
/// The group of each server.
const GROUPS: [u8; 3] = [1, 1, 2];
/// How many queries a second the second group may be sent, two of them at once.
const MAX_QPS: usize = 20;
const NAMES: usize = 6;
const CLIENTS: [&str; 2] = ["10.0.30.100", "192.168.1.10"];

/// A step of a schedule.
#[derive(Debug, Clone)]
enum Step {
    /// A client asks for a name.
    Ask { client: usize, name: usize },
    /// It asks for many at once.
    Burst { client: usize },
    /// From now on a server does this.
    Change { server: usize, manner: Manner },
    /// The clients change places: what one saw, the other sees.
    Reload,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let manner = prop_oneof![
        3 => (0..700_u64).prop_map(Manner::Answer),
        1 => Just(Manner::Lose),
        1 => Just(Manner::Fail),
        1 => (0..100_u64).prop_map(Manner::Forge),
        1 => Just(Manner::Flap),
        1 => Just(Manner::Truncate),
    ];
    let step = prop_oneof![
        8 => (0..CLIENTS.len(), 0..NAMES).prop_map(|(client, name)| Step::Ask { client, name }),
        1 => (0..CLIENTS.len()).prop_map(|client| Step::Burst { client }),
        3 => (0..GROUPS.len(), manner).prop_map(|(server, manner)| Step::Change { server, manner }),
        1 => Just(Step::Reload),
    ];
    let wait = prop_oneof![2 => Just(0), 4 => 0..300_u64, 1 => 1_000..3_000_u64];
    prop::collection::vec((wait, step), 1..60)
}

/// After so many reloads this client is answered by this group.
fn group_of(client: usize, reloads: usize) -> u8 {
    [1, 2][(client + reloads) % 2]
}

fn configuration(addresses: &[SocketAddr], reloads: usize) -> String {
    let group = |name: &str, servers: &[SocketAddr], more: &str| {
        let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
        format!(
            "[[upstream]]\nname = \"{name}\"\nservers = [{}]\n{more}\n\
             try-timeout = \"200ms\"\ndeadline = \"900ms\"\n",
            servers.join(", ")
        )
    };
    let check =
        format!("health-check = {{ query = \"{PROBED} A\", interval = \"500ms\", fall = 3, rise = 2 }}");
    let mut text = "[cache]\nsize = \"1MiB\"\nstale-after = \"300ms\"\n".to_owned();
    text += &group("g1", &addresses[..2], &check);
    text += &group("g2", &addresses[2..], &format!("health-check = \"off\"\nmax-qps = {MAX_QPS}"));
    for (client, (name, cidr)) in [("vpc", "10.0.0.0/8"), ("onprem", "192.168.0.0/16")].iter().enumerate() {
        let upstream = group_of(client, reloads);
        text += &format!(
            "[[network]]\nname = \"{name}\"\ncidr = [\"{cidr}\"]\n\
             [[rule]]\nname = \"{name}\"\ndomain = \"x.test\"\nforward = \"g{upstream}\"\nvisible-to = [\"{name}\"]\n"
        );
    }
    text
}

fn query(id: u16, name: usize) -> Vec<u8> {
    let name: Name = format!("n{name}.x.test").parse().unwrap();
    [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.wire(), &[0, 1, 0, 1]].concat()
}

fn path(client: usize) -> Path {
    Path {
        client: SocketAddr::new(CLIENTS[client].parse().unwrap(), 4000),
        local: SocketAddr::from(([127, 0, 0, 1], 53)),
        transport: Transport::Udp,
    }
}

/// A pipeline, its upstreams, and what it was asked.
struct World {
    street: Street,
    servers: Vec<Server>,
    ledger: Rc<Ledger>,
    now: Rc<dyn Fn() -> Now>,
}

/// The time since the schedule began.
fn clock() -> Rc<dyn Fn() -> Now> {
    let begin = Cell::new(None);
    Rc::new(move || {
        let now = Instant::now();
        let begin = begin.get().unwrap_or_else(|| {
            begin.set(Some(now));
            now
        });
        Now { monotonic: Duration::from_secs(1000) + now.duration_since(begin), unix_micros: 0 }
    })
}

impl World {
    fn new() -> World {
        let nowhere = [7, 8, 9].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let folder = std::path::Path::new("");
        let now = clock();
        let clock = now.clone();
        let street = street_by(Box::new(move || clock()), &configuration(&nowhere, 0), folder);
        let servers = street.block_on(async {
            time::begin();
            let mut servers = Vec::new();
            for group in GROUPS {
                servers.push(Server::start(group).await);
            }
            servers
        });
        let ledger = Rc::new(Ledger::new(now.clone()));
        let mut world = World { street, servers, ledger, now };
        world.configure();
        let (worker, ledger) = (world.street.worker.clone(), world.ledger.clone());
        world.street.block_on(async move {
            spawn_local(land(worker, ledger));
        });
        world.watch();
        world
    }

    /// Puts the configuration in force that comes after so many reloads.
    fn configure(&mut self) {
        let addresses: Vec<SocketAddr> = self.servers.iter().map(|server| server.address).collect();
        let text = configuration(&addresses, self.ledger.reloads.get());
        self.street.reload(&text, std::path::Path::new(""));
    }

    /// Probes as the server does, and lets the upstreams know what they are taken for. A reload keeps what is known.
    fn watch(&self) {
        let groups = self.street.shared.snapshot().groups.clone();
        let known = groups[0].servers().to_vec();
        let desks = [0, 1].map(|nth: usize| self.servers[nth].desk.clone());
        for (desk, [own, other]) in desks.iter().zip([[0, 1], [1, 0]]) {
            desk.is_known(known[own].health().clone(), known[other].health().clone());
        }
        let now = self.now.clone();
        self.street.block_on(async move {
            for prober in groups.iter().flat_map(|group| group.probers()) {
                let now = now.clone();
                spawn_local(prober.run(move || now()));
            }
            spawn_local(async move {
                loop {
                    desks.iter().for_each(Desk::look);
                    time::pass(time::TICK).await;
                }
            });
        });
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Ask { client, name } => self.ask(client, name),
            Step::Burst { client } => (0..4 * NAMES).for_each(|name| self.ask(client, name)),
            Step::Change { server, manner } => self.servers[server].desk.manner.set(manner),
            Step::Reload => {
                self.ledger.reloads.set(self.ledger.reloads.get() + 1);
                self.configure();
            }
        }
    }

    fn ask(&self, client: usize, name: usize) {
        let (worker, ledger, now) = (self.street.worker.clone(), self.ledger.clone(), self.now.clone());
        self.street.block_on(async move {
            let ticket = ledger.accept(client, name);
            let (packet, path, mut out) = (query(ticket as u16, name), path(client), Vec::new());
            let now = now();
            match worker.admit(&packet, &path, now, &mut out) {
                Admit::Reply => ledger.reply(ticket, &out),
                Admit::Drop => panic!("a sound query is not dropped"),
                Admit::Resolve => {
                    if worker.begin(&packet, &path, now, ticket) == Begin::Task {
                        spawn_local(reply_later(
                            worker.clone().resolve(packet.into(), path, now),
                            ticket,
                            ledger,
                        ));
                    }
                }
            }
        });
    }

    fn wait(&self, time: Duration) {
        self.street.block_on(time::pass(time));
    }

    fn asked(&self) -> Vec<Vec<Asked>> {
        self.servers.iter().map(|server| server.desk.asked.borrow().clone()).collect()
    }
}

/// As the lane of a worker that listens.
async fn land(worker: Rc<Worker>, ledger: Rc<Ledger>) {
    let mut out = Vec::new();
    loop {
        worker.landed().await;
        loop {
            out.clear();
            let Some((ticket, landing)) = worker.take_landed(&mut out) else { break };
            match landing {
                Landing::Reply => ledger.reply(ticket, &out),
                Landing::Later(reply) => _ = spawn_local(reply_later(reply, ticket, ledger.clone())),
                Landing::Silence => panic!("a sound query gets a reply"),
            }
        }
    }
}

async fn reply_later(reply: impl Future<Output = Option<Vec<u8>>>, ticket: usize, ledger: Rc<Ledger>) {
    if let Some(bytes) = reply.await {
        ledger.reply(ticket, &bytes);
    }
}

fn examine(steps: &[(u64, Step)]) {
    let mut world = World::new();
    for (wait, step) in steps {
        world.wait(Duration::from_millis(*wait));
        world.run(step);
    }
    world.wait(LONG);
    world.ledger.check(group_of);
    assert_eq!(world.street.worker.in_lane(), 0);
    assert!(world.street.shared.flights.is_empty());
    let asked = world.asked();
    let tries = asked.iter().flatten().filter(|asked| asked.via == Via::Udp).count();
    assert!(tries <= MOST_TRIES * world.ledger.len(), "{tries} tries");
    check::budget(&asked[2], MAX_QPS);
    check::health(&asked[..2]);
    asked.iter().for_each(|asked| check::truncated_before(asked));
    check::asked_over_tcp(&asked[..2]);
    // Whatever it was like before: where the sources answer again, so does the pipeline, whatever it takes.
    for server in &world.servers {
        server.desk.manner.set(Manner::Truncate);
    }
    world.wait(RECOVERY);
    for client in 0..CLIENTS.len() {
        world.ask(client, 4 * NAMES);
        world.wait(ANSWERED);
        world.ledger.check_last(group_of);
    }
    world.ledger.check_stale(group_of);
}

/// A few where nobody says how many.
fn cases() -> u32 {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None => 64,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]
    #[test]
    fn every_query_is_answered_once_from_its_own_view_and_nothing_is_left(steps in steps()) {
        examine(&steps);
    }
}
