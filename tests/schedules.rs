//! The pipeline under random schedules of queries, reloads and upstreams that are late, lose, fail, forge and flap.
//!
//! Time is virtual: it moves when nothing else does. Only the datagrams to the upstreams are real, on loopback and in one
//! thread with the pipeline: they arrive before the clock moves. `PROPTEST_CASES=8000` runs
//! 2,000 schedules, a quarter of it.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

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
use server::{Manner, Server};
use tokio::task::spawn_local;
use tokio::time::Instant;

/// Longer than anything is waited for.
const LONG: Duration = Duration::from_secs(8);
/// Tries that one question may cost (three), for a client and again for what is fetched before it ends.
const MOST_TRIES: usize = 6;
/// The group of each server.
const GROUPS: [u8; 3] = [1, 1, 2];
const CLIENTS: [&str; 2] = ["10.0.30.100", "192.168.1.10"];

/// A step of a schedule.
#[derive(Debug, Clone)]
enum Step {
    /// A client asks for a name.
    Ask { client: usize, name: usize },
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
    ];
    let step = prop_oneof![
        8 => (0..CLIENTS.len(), 0..3_usize).prop_map(|(client, name)| Step::Ask { client, name }),
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
    let group = |name: &str, servers: &[SocketAddr]| {
        let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
        format!(
            "[[upstream]]\nname = \"{name}\"\nservers = [{}]\nhealth-check = \"off\"\n\
             try-timeout = \"200ms\"\ndeadline = \"900ms\"\n",
            servers.join(", ")
        )
    };
    let mut text = group("g1", &addresses[..2]) + &group("g2", &addresses[2..]);
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
    reloads: Rc<Cell<usize>>,
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
        let mut street = street_by(Box::new(move || clock()), &configuration(&nowhere, 0), folder);
        let servers = street.block_on(async {
            time::begin();
            let mut servers = Vec::new();
            for group in GROUPS {
                servers.push(Server::start(group).await);
            }
            servers
        });
        let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
        street.reload(&configuration(&addresses, 0), folder);
        let world = World { street, servers, ledger: Rc::default(), reloads: Rc::default(), now };
        let (worker, ledger, reloads) =
            (world.street.worker.clone(), world.ledger.clone(), world.reloads.clone());
        world.street.block_on(async move {
            spawn_local(land(worker, ledger, reloads));
        });
        world
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Ask { client, name } => self.ask(client, name),
            Step::Change { server, manner } => self.servers[server].manner.set(manner),
            Step::Reload => {
                self.reloads.set(self.reloads.get() + 1);
                let addresses: Vec<SocketAddr> = self.servers.iter().map(|server| server.address).collect();
                let text = configuration(&addresses, self.reloads.get());
                self.street.reload(&text, std::path::Path::new(""));
            }
        }
    }

    fn ask(&self, client: usize, name: usize) {
        let (worker, ledger, reloads) =
            (self.street.worker.clone(), self.ledger.clone(), self.reloads.clone());
        let now = self.now.clone();
        self.street.block_on(async move {
            let ticket = ledger.accept(client, reloads.get());
            let (packet, path, mut out) = (query(ticket as u16, name), path(client), Vec::new());
            let now = now();
            match worker.admit(&packet, &path, now, &mut out) {
                Admit::Reply => ledger.reply(ticket, reloads.get(), &out),
                Admit::Drop => panic!("a sound query is not dropped"),
                Admit::Resolve => {
                    if worker.begin(&packet, &path, now, ticket) == Begin::Task {
                        let reply = worker.clone().resolve(packet.into(), path, now);
                        spawn_local(reply_later(reply, ticket, ledger, reloads));
                    }
                }
            }
        });
    }

    fn wait(&self, time: Duration) {
        self.street.block_on(time::pass(time));
    }

    fn asked(&self) -> usize {
        self.servers.iter().map(|server| server.asked.borrow().len()).sum()
    }
}

/// As the lane of a worker that listens.
async fn land(worker: Rc<Worker>, ledger: Rc<Ledger>, reloads: Rc<Cell<usize>>) {
    let mut out = Vec::new();
    loop {
        worker.landed().await;
        loop {
            out.clear();
            let Some((ticket, landing)) = worker.take_landed(&mut out) else { break };
            match landing {
                Landing::Reply => ledger.reply(ticket, reloads.get(), &out),
                Landing::Later(reply) => {
                    spawn_local(reply_later(reply, ticket, ledger.clone(), reloads.clone()));
                }
                Landing::Silence => panic!("a sound query gets a reply"),
            }
        }
    }
}

async fn reply_later(
    reply: impl Future<Output = Option<Vec<u8>>>,
    ticket: usize,
    ledger: Rc<Ledger>,
    reloads: Rc<Cell<usize>>,
) {
    if let Some(bytes) = reply.await {
        ledger.reply(ticket, reloads.get(), &bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]
    #[test]
    fn every_query_is_answered_once_from_its_own_view_and_nothing_is_left(steps in steps()) {
        let mut world = World::new();
        for (wait, step) in &steps {
            world.wait(Duration::from_millis(*wait));
            world.run(step);
        }
        world.wait(LONG);
        world.ledger.check(group_of);
        prop_assert_eq!(world.street.worker.in_lane(), 0);
        prop_assert!(world.street.shared.flights.is_empty());
        prop_assert!(world.asked() <= MOST_TRIES * world.ledger.len(), "{} tries", world.asked());
    }
}
