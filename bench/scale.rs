//! What it costs to know a client and to find a name's routes, with ten networks and routes and with very many.
//!
//! `cargo run --release --example scale`

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};
use kakehashi::route::table::{Client, NetworkSpec, RouteSpec};
use kakehashi::route::{Caps, FallThrough, RouteTable, Target, Visible};
use kakehashi::wire::Name;

const LOOKUPS: usize = 100_000;
const ROUNDS: usize = 20;
/// Lookups between two evictions: few enough that they do not warm the caches for each other.
const COLD: usize = 32;
/// More than the caches hold.
const EVICT: usize = 64 << 20;

/// Networks, routes, and how many of the routes stand at one domain.
const SIZES: [(usize, usize, usize); 5] =
    [(10, 10, 0), (5_000, 10, 0), (10, 100_000, 0), (5_000, 100_000, 0), (5_000, 100_000, 5_000)];

fn main() {
    if let [_, what, nth] = &std::env::args().collect::<Vec<_>>()[..] {
        let size = nth.parse().ok().and_then(|nth: usize| SIZES.get(nth));
        return size.map_or_else(|| eprintln!("scale [client|route|random 0..4]"), |size| once(what, *size));
    }
    println!("                                          |      client ns |       route ns | random name ns");
    println!("networks   routes  at one  build ms   KiB |   warm    cold |   warm    cold |   warm    cold");
    for size @ (networks, routes, at_one_domain) in SIZES {
        let Subject { table, build, clients, names, strangers, view } = Subject::of(size);
        println!(
            "{networks:>8} {routes:>8} {at_one_domain:>7} {:>9} {:>5} |{}|{}|{}",
            build.as_millis(),
            table.footprint() / 1024,
            Cost::of(&clients, |client| _ = black_box(find_client(&table, *client))),
            Cost::of(&names, |name| _ = black_box(find_route(&table, view, name))),
            Cost::of(&strangers, |name| _ = black_box(find_route(&table, view, name))),
        );
    }
}

/// Each of 1,024 lookups of a kind once, to count instructions:
/// `valgrind --tool=callgrind --toggle-collect='scale::find_*' target/release/examples/scale route 3`
fn once(what: &str, size: (usize, usize, usize)) {
    let Subject { table, clients, names, strangers, view, .. } = Subject::of(size);
    match what {
        "client" => clients.iter().for_each(|client| _ = black_box(find_client(&table, *client))),
        "route" => names.iter().for_each(|name| _ = black_box(find_route(&table, view, name))),
        _ => strangers.iter().for_each(|name| _ = black_box(find_route(&table, view, name))),
    }
}

struct Subject {
    table: RouteTable,
    build: Duration,
    clients: Vec<IpAddr>,
    names: Vec<Name>,
    strangers: Vec<Name>,
    view: u32,
}

impl Subject {
    fn of((networks, routes, at_one_domain): (usize, usize, usize)) -> Subject {
        let (specs, routes_given) = specs(networks, routes, at_one_domain);
        let began = Instant::now();
        let table = RouteTable::new(&specs, routes_given);
        let build = began.elapsed();
        let clients: Vec<IpAddr> = (0..1024).map(|n| address(n * 7919 % networks)).collect();
        let names = parsed(|n| match at_one_domain {
            0 => format!("www.{}", domain(n * 7919 % routes)),
            _ => format!("w{n}.shared.internal"),
        });
        let strangers = parsed(|n| format!("x{n}.y{n}.example.net"));
        let view = table.client(clients[0]).map_or(0, |client| client.view);
        Subject { table, build, clients, names, strangers, view }
    }
}

#[inline(never)]
fn find_client(table: &RouteTable, address: IpAddr) -> Option<Client> {
    table.client(address)
}

#[inline(never)]
fn find_route(table: &RouteTable, view: u32, name: &Name) -> Option<u32> {
    table.first(view, name.as_ref())
}

/// Nanoseconds a lookup, the least of several rounds: with the caches as the lookups leave them, and emptied.
struct Cost {
    warm: f64,
    cold: f64,
}

impl Cost {
    fn of<T>(subjects: &[T], mut lookup: impl FnMut(&T)) -> Cost {
        let mut warm = f64::MAX;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            subjects.iter().cycle().take(LOOKUPS).for_each(&mut lookup);
            warm = warm.min(nanos(began) / LOOKUPS as f64);
        }
        let mut filler = vec![0u8; EVICT];
        let mut cold = f64::MAX;
        for round in subjects.chunks_exact(COLD).take(ROUNDS) {
            filler.iter_mut().step_by(64).for_each(|byte| *byte = byte.wrapping_add(1));
            black_box(&filler);
            let began = Instant::now();
            round.iter().for_each(&mut lookup);
            cold = cold.min(nanos(began) / COLD as f64);
        }
        Cost { warm, cold }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>7.1} {:>7.1} ", self.warm, self.cold)
    }
}

fn nanos(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e9
}

fn parsed(text: impl Fn(usize) -> String) -> Vec<Name> {
    (0..1024).filter_map(|n| text(n).parse().ok()).collect()
}

fn address(network: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + ((network as u32) << 8) + 7))
}

fn domain(route: usize) -> String {
    format!("d{route}.g{}.internal", route % 97)
}

/// Networks of a /24 each in a /8, in groups of ten; routes for one group each, some of them at one domain, each for
/// one network.
fn specs(networks: usize, routes: usize, at_one_domain: usize) -> (Vec<NetworkSpec>, Vec<RouteSpec>) {
    let specs: Vec<NetworkSpec> = (0..networks)
        .filter_map(|n| {
            let IpAddr::V4(address) = address(n) else { return None };
            let prefix = IpNet::V4(Ipv4Net::new(address, 24).ok()?.trunc());
            Some(NetworkSpec {
                name: format!("n{n}"),
                groups: vec![format!("g{}", n / 10)],
                recursion: kakehashi::route::Recursion::Offered,
                prefixes: vec![prefix],
            })
        })
        .collect();
    let caps = Caps {
        max_ttl: Duration::from_secs(300),
        max_negative_ttl: Duration::from_secs(60),
        failure_ttl: Duration::from_secs(2),
    };
    let groups = networks.div_ceil(10);
    let route = |n: usize| {
        let (domain, visible) = if n < at_one_domain {
            ("shared.internal".to_owned(), format!("n{}", at_one_domain - 1 - n))
        } else {
            (domain(n), format!("g{}", n % groups))
        };
        Some(RouteSpec {
            label: format!("r{n}"),
            domain: domain.parse().ok()?,
            target: Target::Forward(0),
            visible: if n.is_multiple_of(3) && n >= at_one_domain {
                Visible::Everyone
            } else {
                Visible::To(vec![visible])
            },
            fall_through: FallThrough::No,
            caps,
            uid: n as u128,
        })
    };
    (specs, (0..routes).filter_map(route).collect())
}
