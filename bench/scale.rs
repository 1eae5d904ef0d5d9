//! What it costs to know a client and to find a name's routes, with ten networks and routes and with very many.
//!
//! `cargo run --release --example scale`

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};
use kakehashi::route::table::{NetworkSpec, RouteSpec};
use kakehashi::route::{Caps, FallThrough, RouteTable, Target, Visible};
use kakehashi::wire::Name;

const LOOKUPS: u32 = 2_000_000;

fn main() {
    println!("networks   routes  one domain   build ms  client ns  route ns  random name ns");
    for (networks, routes, at_one_domain) in
        [(10, 10, 0), (5_000, 10, 0), (10, 100_000, 0), (5_000, 100_000, 0), (5_000, 100_000, 5_000)]
    {
        let began = Instant::now();
        let table = table(networks, routes, at_one_domain);
        let build = began.elapsed();
        let clients: Vec<IpAddr> = (0..1024).map(|n| address(n * 7919 % networks)).collect();
        let client = each(|n| {
            black_box(table.client(clients[n % clients.len()]));
        });
        let known = table.client(clients[0]).map_or(0, |client| client.view);
        let names: Vec<Name> = (0..1024)
            .filter_map(|n| match at_one_domain {
                0 => format!("www.{}", domain(n * 7919 % routes)).parse().ok(),
                _ => format!("w{n}.shared.internal").parse().ok(),
            })
            .collect();
        let route = each(|n| {
            black_box(table.first(known, names[n % names.len()].as_ref()));
        });
        let strangers: Vec<Name> =
            (0..1024).filter_map(|n| format!("x{n}.y{n}.example.net").parse().ok()).collect();
        let stranger = each(|n| {
            black_box(table.first(known, strangers[n % strangers.len()].as_ref()));
        });
        println!(
            "{networks:>8} {routes:>8} {at_one_domain:>11} {:>10} {:>10.1} {:>9.1} {:>15.1}",
            build.as_millis(),
            nanos(client),
            nanos(route),
            nanos(stranger)
        );
    }
}

fn each(mut once: impl FnMut(usize)) -> Duration {
    let began = Instant::now();
    (0..LOOKUPS as usize).for_each(&mut once);
    began.elapsed() / LOOKUPS
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn address(network: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + ((network as u32) << 8) + 7))
}

fn domain(route: usize) -> String {
    format!("d{route}.g{}.internal", route % 97)
}

/// Networks of a /24 each in a /8, in groups of ten; routes for one group each, some of them at one domain, each for
/// one network.
fn table(networks: usize, routes: usize, at_one_domain: usize) -> RouteTable {
    let specs: Vec<NetworkSpec> = (0..networks)
        .filter_map(|n| {
            let IpAddr::V4(address) = address(n) else { return None };
            let prefix = IpNet::V4(Ipv4Net::new(address, 24).ok()?.trunc());
            Some(NetworkSpec {
                name: format!("n{n}"),
                groups: vec![format!("g{}", n / 10)],
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
    RouteTable::new(&specs, (0..routes).filter_map(route).collect())
}
