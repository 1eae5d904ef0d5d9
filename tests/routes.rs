//! Who asks and what they see: random networks, groups and routes, many of them at one domain, against a naive reading
//! of the rules.

#![allow(clippy::unwrap_used)]

use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use kakehashi::route::table::{NetworkSpec, RouteSpec};
use kakehashi::route::{Caps, FallThrough, RouteTable, Target, Visible};
use kakehashi::wire::Name;
use proptest::prelude::*;

const DOMAINS: &[&str] = &[
    ".",
    "test",
    "a.test",
    "b.a.test",
    "d.c.b.a.test",
    "other",
    "10.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];
const NAMES: &[&str] = &[
    ".",
    "test",
    "A.test",
    "x.a.TEST",
    "b.a.test",
    "b.b.a.test",
    "c.b.a.test",
    "w.d.c.b.a.test",
    "nottest",
    "1.0.0.10.in-addr.arpa",
    "0.8.b.d.0.1.0.0.2.ip6.arpa",
];
const ADDRESSES: &[&str] = &[
    "10.0.0.1",
    "10.0.128.1",
    "10.1.0.1",
    "192.0.2.1",
    "2001:db8::1",
    "2001:db8:0:1::1",
    "2001:db8:8000::1",
    "fd00::1",
];

fn network() -> impl Strategy<Value = NetworkSpec> {
    let prefix = (prop::sample::select(ADDRESSES), 0u8..=128).prop_map(|(address, length)| {
        let address: IpAddr = address.parse().unwrap();
        let longest = if address.is_ipv4() { 32 } else { 128 };
        IpNet::new(address, length % (longest + 1)).unwrap().trunc()
    });
    (prop::collection::vec(prefix, 1..3), prop::collection::btree_set(0..6, 0..4)).prop_map(
        |(prefixes, groups)| NetworkSpec {
            recursion: kakehashi::route::Recursion::Offered,
            name: String::new(),
            groups: groups.into_iter().map(|group| format!("g{group}")).collect(),
            prefixes,
        },
    )
}

fn route(networks: usize) -> impl Strategy<Value = RouteSpec> {
    let label = prop_oneof![
        1 => (0..6).prop_map(|group| format!("g{group}")),
        9 => (0..networks).prop_map(|network| format!("n{network}")),
    ];
    let visible = prop_oneof![
        1 => Just(Visible::Everyone),
        1 => Just(Visible::WhereForwarded),
        90 => prop::collection::vec(label, 1..3).prop_map(Visible::To),
    ];
    let target = prop_oneof![
        1 => Just(Target::Zone(0)),
        1 => Just(Target::Forward(0)),
        1 => Just(Target::Recurse),
        3 => Just(Target::Refuse),
    ];
    // Half of all stand at one domain.
    let domain = prop_oneof![Just("a.test"), prop::sample::select(DOMAINS)];
    (domain, visible, target).prop_map(|(domain, visible, target)| RouteSpec {
        label: String::new(),
        domain: domain.parse().unwrap(),
        target,
        visible,
        fall_through: FallThrough::Yes,
        caps: Caps {
            max_ttl: Duration::from_secs(300),
            max_negative_ttl: Duration::from_secs(60),
            failure_ttl: Duration::from_secs(2),
        },
        uid: 0,
    })
}

fn case() -> impl Strategy<Value = (Vec<NetworkSpec>, Vec<RouteSpec>)> {
    (1..50usize).prop_flat_map(|networks| {
        let routes = prop_oneof![0..10usize, 80..200usize];
        (
            prop::collection::vec(network(), networks),
            routes.prop_flat_map(move |routes| prop::collection::vec(route(networks), routes)),
        )
            .prop_map(|(mut networks, routes)| {
                let mut taken: Vec<IpNet> = Vec::new();
                for (n, network) in networks.iter_mut().enumerate() {
                    network.name = format!("n{n}");
                    // The configuration refuses the same prefix twice.
                    network.prefixes.retain(|prefix| {
                        !taken.contains(prefix) && {
                            taken.push(*prefix);
                            true
                        }
                    });
                }
                (networks, routes)
            })
    })
}

/// The most specific network that holds the address.
fn network_of(networks: &[NetworkSpec], address: IpAddr) -> Option<usize> {
    let prefixes =
        networks.iter().enumerate().flat_map(|(n, network)| network.prefixes.iter().map(move |p| (n, p)));
    prefixes.filter(|(_, p)| p.contains(&address)).max_by_key(|(_, p)| p.prefix_len()).map(|(n, _)| n)
}

fn sees(network: &NetworkSpec, route: &RouteSpec, routes: &[RouteSpec]) -> bool {
    match &route.visible {
        Visible::Everyone => true,
        Visible::To(labels) => labels.iter().any(|l| *l == network.name || network.groups.contains(l)),
        Visible::WhereForwarded => routes.iter().any(|other| {
            other.target.leads_outside()
                && other.visible != Visible::WhereForwarded
                && sees(network, other, routes)
        }),
    }
}

/// The routes for a name: the longest domain first; at one domain zones, then rules, then what is built in; then as
/// they are written.
fn routes_of(routes: &[RouteSpec], name: &Name) -> Vec<u32> {
    let mut of_name: Vec<u32> = (0..routes.len() as u32)
        .filter(|n| name.as_ref().is_under(routes[*n as usize].domain.as_ref()))
        .collect();
    of_name.sort_by_key(|n| {
        let route = &routes[*n as usize];
        let rank = match (&route.visible, route.target) {
            (Visible::WhereForwarded, _) => 2,
            (_, Target::Zone(_)) => 0,
            _ => 1,
        };
        (Reverse(route.domain.as_ref().label_count()), rank, *n)
    });
    of_name
}

proptest! {
    #[test]
    fn every_client_sees_the_routes_of_its_most_specific_network_in_order((networks, routes) in case()) {
        let table = RouteTable::new(&networks, routes.clone());
        for address in ADDRESSES {
            let address: IpAddr = address.parse().unwrap();
            let client = table.client(address);
            let network = network_of(&networks, address);
            prop_assert_eq!(client.map(|client| client.network as usize), network, "{}", address);
            let (Some(client), Some(network)) = (client, network) else { continue };
            for name in NAMES.iter().map(|name| name.parse::<Name>().unwrap()) {
                let all = routes_of(&routes, &name);
                let sees = |n: &u32| sees(&networks[network], &routes[*n as usize], &routes);
                let seen: Vec<u32> = all.iter().copied().filter(sees).collect();
                let candidates = table.candidates(client.view, name.as_ref());
                prop_assert_eq!(candidates.is_empty(), seen.is_empty());
                prop_assert_eq!(&candidates.collect::<Vec<u32>>(), &seen, "{} asks {}", address, name);
                prop_assert_eq!(table.first(client.view, name.as_ref()), seen.first().copied());
                let explained = table.all_candidates(client.view, name.as_ref());
                let told: Vec<(u32, bool)> = explained.iter().map(|c| (c.route, c.seen)).collect();
                prop_assert_eq!(told, all.iter().map(|n| (*n, sees(n))).collect::<Vec<_>>());
            }
        }
    }
}
