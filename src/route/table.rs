//! The one table of routes: zones and forward rules in the order in which they are asked.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ipnet::IpNet;

use super::NetworkTable;
use super::claim::{Candidate, Candidates, Claim, Claims};
use super::view::{self, Recursion, View};
use crate::wire::{Name, NameRef};

/// Who answers, where a route wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A zone of ours, by number.
    Zone(u32),
    /// An upstream group, by number.
    Forward(u32),
    /// Iteration from the root.
    Recurse,
    /// Nobody: REFUSED.
    Refuse,
}

impl Target {
    /// Whether its answers come from outside.
    pub fn leads_outside(self) -> bool {
        matches!(self, Target::Forward(_) | Target::Recurse)
    }
}

/// Whether the next route is asked where this one's source has no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FallThrough {
    /// It is.
    Yes,
    /// Its NXDOMAIN is final.
    No,
}

/// Who sees a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Visible {
    /// Every network.
    Everyone,
    /// Networks with one of these names or groups.
    To(Vec<String>),
    /// Networks that see some route leading outside: for the names that must never leak there (RFC 6303).
    WhereForwarded,
}

/// How long what a route's source said may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caps {
    /// Positive answers.
    pub max_ttl: Duration,
    /// Negative answers.
    pub max_negative_ttl: Duration,
    /// Failures (RFC 9520).
    pub failure_ttl: Duration,
}

/// A route as it is configured.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// For logs, metrics and people.
    pub label: String,
    /// The domain that it answers for.
    pub domain: Name,
    /// Who answers.
    pub target: Target,
    /// Who sees it.
    pub visible: Visible,
    /// Whether its NXDOMAIN is final.
    pub fall_through: FallThrough,
    /// How long its answers are kept.
    pub caps: Caps,
    /// The same as long as nothing that shapes its source's answers changes, over reloads too: the key of what is
    /// cached for it.
    pub uid: u128,
}

/// A route in the table.
#[derive(Debug, Clone)]
pub struct Route {
    /// As configured.
    pub spec: RouteSpec,
    audience: u32,
}

/// A client's network and view, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its network.
    pub network: u32,
    /// Its view.
    pub view: u32,
}

/// Networks, routes and views of one configuration.
#[derive(Debug, Default)]
pub struct RouteTable {
    networks: NetworkTable,
    view_of_network: Vec<u32>,
    views: Vec<View>,
    routes: Vec<Route>,
    claims: Claims,
    serial: u64,
}

/// A network as it is configured.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Its prefixes.
    pub prefixes: Vec<IpNet>,
    /// Whether it sees routes that lead outside.
    pub recursion: Recursion,
}

static SERIAL: AtomicU64 = AtomicU64::new(1);

impl RouteTable {
    /// Builds the table. Routes of one domain are asked in the order given: zones, then rules, then the built-in zones,
    /// which are there only for names that nothing configured covers.
    pub fn new(networks: &[NetworkSpec], routes: Vec<RouteSpec>) -> RouteTable {
        let labels: Vec<(Vec<String>, Recursion)> = networks
            .iter()
            .map(|network| {
                let labels = std::iter::once(&network.name).chain(&network.groups).cloned().collect();
                (labels, network.recursion)
            })
            .collect();
        let computed = view::compute(&labels, &routes);
        let mut order: Vec<u32> = (0..routes.len() as u32).collect();
        order.sort_by_key(|n| match &routes[*n as usize] {
            RouteSpec { visible: Visible::WhereForwarded, .. } => 2,
            RouteSpec { target: Target::Zone(_), .. } => 0,
            _ => 1,
        });
        let in_order = order.iter().map(|&route| {
            let audience = computed.audience_of_route[route as usize];
            (routes[route as usize].domain.as_ref(), Claim { route, audience })
        });
        let claims = Claims::new(in_order, &computed.all);
        let prefixes =
            networks.iter().zip(0..).flat_map(|(network, n)| network.prefixes.iter().map(move |p| (*p, n)));
        RouteTable {
            networks: NetworkTable::new(prefixes),
            view_of_network: computed.view_of_network,
            views: computed.all,
            routes: routes
                .into_iter()
                .zip(computed.audience_of_route)
                .map(|(spec, audience)| Route { spec, audience })
                .collect(),
            claims,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Its number among all tables of this process: whoever has asked it once need not ask it again.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The client behind an address, `None` where no network holds it.
    pub fn client(&self, address: IpAddr) -> Option<Client> {
        let network = self.networks.find(address)?;
        Some(Client { network, view: self.view_of_network[network as usize] })
    }

    /// The routes that a view sees for a name, in the order in which they are asked.
    pub fn candidates(&self, view: u32, name: NameRef<'_>) -> Candidates<'_> {
        self.claims.seen_by(view, &self.views[view as usize], name)
    }

    /// The route that a view asks first for a name.
    pub fn first(&self, view: u32, name: NameRef<'_>) -> Option<u32> {
        self.candidates(view, name).next()
    }

    /// Every route that covers a name, seen by a view or not, in order: for `explain`.
    pub fn all_candidates(&self, view: u32, name: NameRef<'_>) -> Vec<Candidate> {
        let view = &self.views[view as usize];
        let seen = |claim: &Claim| Candidate { route: claim.route, seen: view.sees(claim.audience) };
        self.claims.all(name).map(seen).collect()
    }

    /// How many bytes it takes to find clients and routes; the routes themselves not counted.
    pub fn footprint(&self) -> usize {
        self.networks.footprint()
            + size_of_val(&self.view_of_network[..])
            + self.views.iter().map(View::footprint).sum::<usize>()
            + self.claims.footprint()
    }

    /// A route by number.
    pub fn route(&self, number: u32) -> &RouteSpec {
        &self.routes[number as usize].spec
    }

    /// All routes in order of their numbers.
    pub fn routes(&self) -> impl Iterator<Item = &RouteSpec> {
        self.routes.iter().map(|route| &route.spec)
    }

    /// A view by number.
    pub fn view(&self, number: u32) -> &View {
        &self.views[number as usize]
    }

    /// All views in order of their numbers.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// The routes that a view sees, in the order of their numbers.
    pub fn routes_of(&self, view: u32) -> impl Iterator<Item = &RouteSpec> {
        self.routes
            .iter()
            .filter(move |route| self.views[view as usize].sees(route.audience))
            .map(|route| &route.spec)
    }

    /// The view of a network.
    pub fn view_of(&self, network: u32) -> Option<u32> {
        self.view_of_network.get(network as usize).copied()
    }

    /// The networks that share a view.
    pub fn networks_of(&self, view: u32) -> impl Iterator<Item = u32> {
        self.view_of_network.iter().zip(0..).filter(move |(of, _)| **of == view).map(|(_, network)| network)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CAPS: Caps = Caps {
        max_ttl: Duration::from_secs(300),
        max_negative_ttl: Duration::from_secs(60),
        failure_ttl: Duration::from_secs(2),
    };

    fn route(domain: &str, target: Target, visible: Visible) -> RouteSpec {
        let domain: Name = domain.parse().unwrap();
        RouteSpec {
            label: domain.to_string(),
            domain,
            target,
            visible,
            fall_through: FallThrough::No,
            caps: CAPS,
            uid: 0,
        }
    }

    fn to(labels: &[&str]) -> Visible {
        Visible::To(labels.iter().map(ToString::to_string).collect())
    }

    fn network(name: &str, prefix: &str, groups: &[&str]) -> NetworkSpec {
        NetworkSpec {
            name: name.into(),
            groups: groups.iter().map(ToString::to_string).collect(),
            prefixes: vec![prefix.parse().unwrap()],
            recursion: Recursion::Offered,
        }
    }

    #[test]
    fn a_network_without_recursion_sees_the_zones_of_its_groups_only() {
        let networks = [
            network("app", "10.0.30.0/24", &["vpc"]),
            NetworkSpec { recursion: Recursion::Denied, ..network("guests", "10.0.31.0/24", &["vpc"]) },
        ];
        let routes = vec![
            route(".", Target::Recurse, to(&["vpc"])),
            route("technova.internal", Target::Zone(0), to(&["vpc"])),
            route("technova.local", Target::Forward(0), Visible::Everyone),
            route("10.in-addr.arpa", Target::Zone(1), Visible::WhereForwarded),
            route("secret.technova.internal", Target::Refuse, to(&["vpc"])),
        ];
        let table = RouteTable::new(&networks, routes);
        let view = |address: &str| table.client(address.parse().unwrap()).unwrap().view;
        let seen = |address: &str| {
            table.routes_of(view(address)).map(|route| route.domain.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(seen("10.0.30.1").len(), 5);
        assert_eq!(seen("10.0.31.1"), ["technova.internal.", "secret.technova.internal."]);
        let [app, guests] = ["10.0.30.1", "10.0.31.1"].map(|address| table.view(view(address)));
        assert_eq!((app.recursion, guests.recursion), (true, false));
        assert_eq!((&app.name[..], &guests.name[..]), ("vpc", "vpc without recursion"));
    }

    #[test]
    fn networks_see_the_routes_of_their_groups_and_share_views() {
        let networks = [
            network("mfg-dev", "10.0.0.0/24", &["vpc", "manufacturing"]),
            network("mfg-prod", "10.0.30.0/24", &["vpc", "manufacturing"]),
            network("iot-prod", "10.3.30.0/24", &["vpc", "iot"]),
            network("internet", "0.0.0.0/0", &["external"]),
        ];
        let table = RouteTable::new(
            &networks,
            vec![
                route("amazonaws.com", Target::Forward(0), to(&["vpc"])),
                route("rds.amazonaws.com", Target::Zone(0), to(&["manufacturing"])),
                route("amazonaws.com", Target::Zone(1), to(&["iot"])),
                route("technova.com", Target::Zone(2), to(&["external"])),
                route("10.in-addr.arpa", Target::Zone(3), Visible::WhereForwarded),
                route("168.192.in-addr.arpa", Target::Zone(4), Visible::WhereForwarded),
                route("168.192.in-addr.arpa", Target::Forward(0), to(&["vpc"])),
            ],
        );
        let client = |address: &str| table.client(address.parse().unwrap()).unwrap();
        let asked = |address: &str, name: &str| {
            let name: Name = name.parse().unwrap();
            table.candidates(client(address).view, name.as_ref()).collect::<Vec<u32>>()
        };
        assert_eq!(client("10.0.0.7").view, client("10.0.30.7").view);
        assert_eq!(table.views().len(), 3);
        assert_eq!(table.view(client("10.0.0.7").view).name, "manufacturing+vpc");
        assert_eq!(asked("10.0.30.7", "x.RDS.amazonaws.com"), [1, 0]);
        assert_eq!(asked("10.3.30.7", "x.rds.amazonaws.com"), [2, 0], "at one domain the zone comes first");
        assert_eq!(asked("198.51.100.1", "x.rds.amazonaws.com"), [] as [u32; 0]);
        assert_eq!(asked("10.3.30.7", "1.0.0.10.in-addr.arpa"), [4]);
        assert_eq!(
            asked("198.51.100.1", "1.0.0.10.in-addr.arpa"),
            [] as [u32; 0],
            "nothing there could leak"
        );
        assert!(table.client("2001:db8::1".parse().unwrap()).is_none());
    }
}
