//! What is valid but probably not meant: the warnings of `check` that concern routes and networks as a whole.
//!
//! Work grows with the size of the configuration, not with its square: routes are compared only with those of the
//! same domain and those above it, and audiences are sets of bits.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::diagnostic::Diagnostic;
use super::domain;
use super::model::{Audience, Concern, Config, FallThrough, Network, Recursion, Route, Target, Upstream};
use super::nesting;
use super::place::Place;

/// Everything doubtful in a configuration.
pub(super) fn doubts(config: &Config) -> Vec<Diagnostic> {
    let audiences = Audiences::of(config);
    let mut doubts = Vec::new();
    empty_tables(config, &mut doubts);
    networks_without_clients(config, &mut doubts);
    networks_without_routes(config, &audiences, &mut doubts);
    upstreams_without_rules(config, &mut doubts);
    internet_without_limit(config, &mut doubts);
    open_resolvers(config, &audiences, &mut doubts);
    contested_domains(config, &audiences, &mut doubts);
    loops(config, &audiences, &mut doubts);
    doubts
}

/// A set of networks.
#[derive(Clone, PartialEq)]
struct Members(Vec<u64>);

impl Members {
    fn none(networks: usize) -> Self {
        Self(vec![0; networks.div_ceil(64)])
    }

    fn insert(&mut self, network: usize) {
        self.0[network / 64] |= 1 << (network % 64);
    }

    fn contains(&self, network: usize) -> bool {
        self.0[network / 64] & 1 << (network % 64) != 0
    }

    fn add(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    fn all_in(&self, others: &Self) -> bool {
        self.0.iter().zip(&others.0).all(|(mine, theirs)| mine & !theirs == 0)
    }

    fn meets(&self, others: &Self) -> bool {
        self.0.iter().zip(&others.0).any(|(mine, theirs)| mine & theirs != 0)
    }
}

/// The networks that see each route, worked out once for each different `visible-to`.
struct Audiences<'c> {
    sets: Vec<Members>,
    index: HashMap<&'c Audience, usize>,
}

impl<'c> Audiences<'c> {
    fn of(config: &'c Config) -> Self {
        let networks = &config.networks;
        let mut by_name: HashMap<&str, Members> = HashMap::new();
        for (index, network) in networks.iter().enumerate() {
            for name in network.groups.iter().chain([&network.name]) {
                by_name.entry(name).or_insert_with(|| Members::none(networks.len())).insert(index);
            }
        }
        let mut audiences = Self { sets: Vec::new(), index: HashMap::new() };
        for route in &config.routes {
            let next = audiences.sets.len();
            if *audiences.index.entry(&route.visible_to).or_insert(next) == next {
                audiences.sets.push(members(&route.visible_to, networks, &by_name));
            }
        }
        audiences
    }

    fn see(&self, route: &Route) -> &Members {
        &self.sets[self.index[&route.visible_to]]
    }
}

fn members(audience: &Audience, networks: &[Network], by_name: &HashMap<&str, Members>) -> Members {
    let mut members = Members::none(networks.len());
    match audience {
        Audience::Everyone => (0..networks.len()).for_each(|network| members.insert(network)),
        Audience::Only(names) => {
            names.iter().filter_map(|name| by_name.get(name.as_str())).for_each(|some| members.add(some));
        }
    }
    members
}

fn empty_tables(config: &Config, doubts: &mut Vec<Diagnostic>) {
    if config.networks.is_empty() {
        doubts.push(
            Diagnostic::warning_without_place("there is no [[network]]: every client is refused")
                .with_hint("add [[network]] name = \"lan\" cidr = [\"192.168.0.0/16\"]"),
        );
    }
    if config.routes.is_empty() {
        doubts.push(
            Diagnostic::warning_without_place("there is no [[zone]] and no [[rule]]: every query is refused")
                .with_hint("add [[rule]] domain = \".\" recurse = true visible-to = \"any\""),
        );
    }
}

fn networks_without_clients(config: &Config, doubts: &mut Vec<Diagnostic>) {
    for index in nesting::covered(&config.networks) {
        let network = &config.networks[index];
        let message =
            format!("no client is in `{}`: more specific networks hold all its addresses", network.name);
        doubts.push(
            Diagnostic::warning(&network.place, message)
                .with_hint("the most specific network wins; what this one grants reaches nobody"),
        );
    }
}

fn networks_without_routes(config: &Config, audiences: &Audiences<'_>, doubts: &mut Vec<Diagnostic>) {
    if config.routes.is_empty() {
        return;
    }
    let mut served = Members::none(config.networks.len());
    audiences.sets.iter().for_each(|members| served.add(members));
    for (index, network) in config.networks.iter().enumerate() {
        if !served.contains(index) {
            let message = format!("`{}` sees no zone and no rule: all its queries are refused", network.name);
            doubts.push(
                Diagnostic::warning(&network.place, message)
                    .with_hint("name it or one of its groups in a `visible-to`"),
            );
        }
    }
}

fn upstreams_without_rules(config: &Config, doubts: &mut Vec<Diagnostic>) {
    let mut used = vec![false; config.upstreams.len()];
    for route in &config.routes {
        if let Target::Forward { upstream } = route.target {
            used[upstream] = true;
        }
    }
    for (upstream, _) in config.upstreams.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("no rule forwards to `{}`", upstream.name);
        doubts.push(Diagnostic::warning(&upstream.place, message));
    }
}

/// Out there addresses are forged: without a limit we send whoever is named as the sender all that is asked for.
fn internet_without_limit(config: &Config, doubts: &mut Vec<Diagnostic>) {
    for network in config.networks.iter().filter(|network| network.limit.is_none()) {
        let whole = network.cidrs.iter().find(|(block, _)| block.prefix_len() == 0);
        doubts.extend(whole.map(|(_, place)| {
            let message = format!("`{}` is every address there is, and has no limit", network.name);
            Diagnostic::warning(place, message).with_hint(
                "addresses can be forged over UDP: add limit = true (what it means stands in [clients])",
            )
        }));
    }
}

/// A network that is the whole internet may be served zones; queries that it can make us send elsewhere can be used
/// to attack others and to read what is inside (RFC 5358).
fn open_resolvers(config: &Config, audiences: &Audiences<'_>, doubts: &mut Vec<Diagnostic>) {
    let mut internet = Members::none(config.networks.len());
    let mut whole: Vec<(usize, &Place)> = Vec::new();
    let offered = |network: &&Network| network.recursion == Recursion::Offered;
    for (index, network) in config.networks.iter().enumerate().filter(|(_, network)| offered(network)) {
        if let Some((_, place)) = network.cidrs.iter().find(|(block, _)| block.prefix_len() == 0) {
            internet.insert(index);
            whole.push((index, place));
        }
    }
    let mut lines = HashSet::new();
    for route in &config.routes {
        if !matches!(route.target, Target::Forward { .. } | Target::Recurse)
            || route.acknowledged.contains(&Concern::OpenResolver)
        {
            continue;
        }
        let seen_by = audiences.see(route);
        let Some((index, place)) = whole.iter().find(|(index, _)| seen_by.contains(*index)) else { continue };
        if !lines.insert((route.place.file(), route.place.line())) {
            continue;
        }
        let network = &config.networks[*index].name;
        let hint = match route.visible_to {
            Audience::Everyone => format!("\"any\" includes `{network}`: name the groups that are yours"),
            Audience::Only(_) => format!("take `{network}` out of `visible-to`"),
        };
        doubts.push(
            Diagnostic::warning(&route.place, "the whole internet may send queries through this rule")
                .with_note(place, format!("`{network}` is every address there is"))
                .with_hint(format!("{hint}; or acknowledge = [\"open-resolver\"]")),
        );
    }
}

/// Conditional forwarding in both directions: a server that is asked for a domain is itself a client whose questions for
/// that domain go back to it. The root is left out: that a router is in the network that it serves is no sign of this.
fn loops(config: &Config, audiences: &Audiences<'_>, doubts: &mut Vec<Diagnostic>) {
    let mut by_domain: HashMap<&str, Vec<&Route>> = HashMap::with_capacity(config.routes.len());
    for route in &config.routes {
        by_domain.entry(&route.domain).or_default().push(route);
    }
    let homes: Vec<Vec<(IpAddr, usize)>> =
        config.upstreams.iter().map(|upstream| homes(upstream, &config.networks)).collect();
    let mut lines = HashSet::new();
    for route in &config.routes {
        let Target::Forward { upstream } = route.target else { continue };
        if route.domain == "." || route.acknowledged.contains(&Concern::Loop) {
            continue;
        }
        let goes_back = |(_, network): &&(IpAddr, usize)| {
            let domains = std::iter::successors(Some(route.domain.as_str()), |domain| domain::parent(domain));
            let routes = domains.filter_map(|domain| by_domain.get(domain)).flatten();
            let seen = routes.filter(|other| audiences.see(other).contains(*network));
            let mut asked = seen.filter(|other| !is_zone(other) || other.fall_through == FallThrough::No);
            asked.next().is_some_and(|first| first.target == route.target)
        };
        let Some((server, network)) = homes[upstream].iter().find(goes_back) else { continue };
        if !lines.insert((route.place.file(), route.place.line())) {
            continue;
        }
        let (name, network) = (&config.upstreams[upstream].name, &config.networks[*network]);
        let message =
            format!("{server} of `{name}` would be sent its own questions for {} back", route.domain);
        let note =
            format!("{server} is a client in `{}`, which is forwarded to `{name}` as well", network.name);
        doubts.push(Diagnostic::warning(&route.place, message).with_note(&network.place, note).with_hint(format!(
            "if it forwards the domain here, that is a loop: give `{}` a rule with refuse = true, or acknowledge = [\"loop\"]",
            network.name
        )));
    }
}

/// The networks that an upstream's servers are in as clients. What is on this machine is not asked from outside.
fn homes(upstream: &Upstream, networks: &[Network]) -> Vec<(IpAddr, usize)> {
    let servers = upstream.servers.iter().chain(&upstream.backups).map(|server| server.ip().to_canonical());
    let home = |server: IpAddr| {
        let blocks = networks
            .iter()
            .enumerate()
            .flat_map(|(index, network)| network.cidrs.iter().map(move |(block, _)| (block, index)));
        let holding = blocks.filter(|(block, _)| block.contains(&server));
        holding.max_by_key(|(block, _)| block.prefix_len()).map(|(_, index)| (server, index))
    };
    servers.filter(|server| !server.is_loopback()).filter_map(home).collect()
}

/// Routes of one domain, and zones that fall through to a rule above them: who wins should be no surprise.
fn contested_domains(config: &Config, audiences: &Audiences<'_>, doubts: &mut Vec<Diagnostic>) {
    let mut by_domain: HashMap<&str, Vec<&Route>> = HashMap::with_capacity(config.routes.len());
    for route in &config.routes {
        by_domain.entry(&route.domain).or_default().push(route);
    }
    for route in &config.routes {
        let Some(rivals) = by_domain.get(route.domain.as_str()) else { continue };
        // Each domain once, when its first route comes along.
        if rivals.len() > 1 && std::ptr::eq(rivals[0], route) {
            same_domain(rivals, audiences, doubts);
        }
        if let Some(rule) = rule_under(route, &by_domain, audiences) {
            doubts.push(two_sources(route, rule, config));
        }
    }
}

/// Routes of one domain in the order in which they are asked (zones first: the model keeps them so).
fn same_domain(routes: &[&Route], audiences: &Audiences<'_>, doubts: &mut Vec<Diagnostic>) {
    let nobody = Members::none(audiences.sets.first().map_or(0, |members| members.0.len() * 64));
    let mut answered_for = nobody.clone();
    let mut zones_for = nobody;
    for (position, route) in routes.iter().enumerate() {
        let seen_by = audiences.see(route);
        let earlier = &routes[..position];
        if position > 0 && seen_by.all_in(&answered_for) {
            let quiet = [Concern::Shadowed, Concern::Overlap];
            if !quiet.iter().any(|concern| route.acknowledged.contains(concern)) {
                doubts.push(shadowed(route, earlier, audiences));
            }
        } else if !is_zone(route)
            && !route.acknowledged.contains(&Concern::Overlap)
            && seen_by.meets(&zones_for)
        {
            doubts.extend(zone_and_rule(route, earlier, audiences));
        }
        if route.fall_through == FallThrough::No {
            answered_for.add(seen_by);
        }
        if is_zone(route) && !route.acknowledged.contains(&Concern::Overlap) {
            zones_for.add(seen_by);
        }
    }
}

fn shadowed(route: &Route, earlier: &[&Route], audiences: &Audiences<'_>) -> Diagnostic {
    let message = format!("this {} for {} is never asked", kind(route), route.domain);
    let seen_by = audiences.see(route);
    let first = earlier
        .iter()
        .find(|other| other.fall_through == FallThrough::No && audiences.see(other).meets(seen_by));
    let doubt = Diagnostic::warning(&route.place, message);
    let Some(first) = first else { return doubt };
    let order =
        if is_zone(first) && !is_zone(route) { "a zone comes before a rule" } else { "file order decides" };
    let whom = if seen_by.all_in(audiences.see(first)) { "all its clients" } else { "some of its clients" };
    doubt
        .with_note(&first.place, format!("`{}` answers {whom} and does not fall through", first.label))
        .with_hint(format!(
            "at the same domain {order}: take one away, set fall-through = true on `{}`, or acknowledge = [\"shadowed\"]",
            first.label
        ))
}

fn zone_and_rule(rule: &Route, earlier: &[&Route], audiences: &Audiences<'_>) -> Option<Diagnostic> {
    let seen_by = audiences.see(rule);
    let zone = earlier.iter().find(|zone| {
        is_zone(zone) && !zone.acknowledged.contains(&Concern::Overlap) && audiences.see(zone).meets(seen_by)
    })?;
    let message = format!("a zone and this rule both claim {} for the same clients", rule.domain);
    let then = match zone.fall_through {
        FallThrough::Yes => "the zone answers the names that it has, the rule the others",
        FallThrough::No => "the zone answers them, the rule only the clients that do not see the zone",
    };
    Some(
        Diagnostic::warning(&rule.place, message)
            .with_note(&zone.place, format!("the zone wins: {then}"))
            .with_hint("if that is meant, say why in a comment and add acknowledge = [\"overlap\"]"),
    )
}

/// The forward rule that a zone falls through to, if the two share clients. The root is everybody's last resort and
/// claims no names of its own.
fn rule_under<'c>(
    zone: &Route,
    by_domain: &HashMap<&str, Vec<&'c Route>>,
    audiences: &Audiences<'_>,
) -> Option<&'c Route> {
    let silent = |route: &Route| route.acknowledged.contains(&Concern::Overlap);
    if !is_zone(zone) || zone.fall_through == FallThrough::No || silent(zone) {
        return None;
    }
    let seen_by = audiences.see(zone);
    let own = by_domain.get(zone.domain.as_str()).map(Vec::as_slice).unwrap_or_default();
    if own.iter().any(|other| !is_zone(other) && audiences.see(other).meets(seen_by)) {
        return None; // told as a zone and a rule of one domain
    }
    std::iter::successors(domain::parent(&zone.domain), |domain| domain::parent(domain))
        .filter(|domain| *domain != ".")
        .filter_map(|domain| by_domain.get(domain))
        .find_map(|routes| routes.iter().find(|route| audiences.see(route).meets(seen_by)))
        .filter(|route| matches!(route.target, Target::Forward { .. }) && !silent(route))
        .copied()
}

fn two_sources(zone: &Route, rule: &Route, config: &Config) -> Diagnostic {
    let upstream = match rule.target {
        Target::Forward { upstream } => config.upstreams[upstream].name.as_str(),
        _ => "another source",
    };
    let message = format!("names below {} come from this zone and from `{upstream}`", zone.domain);
    let note = format!("what the zone does not have, this rule for {} asks `{upstream}`", rule.domain);
    Diagnostic::warning(&zone.place, message).with_note(&rule.place, note).with_hint(
        "a name that both have is answered by the zone; if that is meant, say why in a comment and add acknowledge = [\"overlap\"] here, or to the rule for all zones below it",
    )
}

fn is_zone(route: &Route) -> bool {
    matches!(route.target, Target::Zone { .. })
}

fn kind(route: &Route) -> &'static str {
    if is_zone(route) { "zone" } else { "rule" }
}
