//! A configuration → a snapshot: zones loaded, groups made or kept, routes numbered. Nothing is in force yet.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Config, Diagnostic};
use crate::listen::batch::DATAGRAM;
use crate::pipeline::{Keeping, Prefetch, Snapshot};
use crate::query::Directory;
use crate::query::directory::{NetworkName, ServerName};
use crate::recurse::Recursor;
use crate::route::table::{NetworkSpec, RouteSpec};
use crate::route::{Caps, FallThrough, Recursion, RouteTable, Target, Visible};
use crate::upstream::{Group, Rate};
use crate::wire::Name;
use crate::zone::{self, Zone, ZoneHandle};

/// What a reload may keep of what was before: the same zone is the same handle, the same group keeps its health.
#[derive(Default, Clone)]
pub struct Inventory {
    zones: HashMap<ZoneKey, Arc<ZoneHandle>>,
    groups: HashMap<String, (config::Upstream, Arc<Group>)>,
    recursor: Option<Arc<Recursor>>,
    policy: super::policy::Kept,
    /// What all upstreams that ask AmazonProvidedDNS may send it.
    amazon: Option<Arc<Rate>>,
}

/// AmazonProvidedDNS answers 1,024 packets a second through one network interface; health checks need a few.
const AMAZON_QPS: u32 = 1_000;

impl Inventory {
    /// Whether both hold the same zones with the same content: of what did not change, the handle is kept.
    pub(super) fn has_zones_of(&self, other: &Inventory) -> bool {
        let contents = |zones: &HashMap<ZoneKey, Arc<ZoneHandle>>| {
            let mut handles: Vec<_> = zones.values().map(Arc::as_ptr).collect();
            handles.sort_unstable();
            handles
        };
        contents(&self.zones) == contents(&other.zones)
    }

    /// The groups in force.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().map(|(_, group)| group)
    }
}

/// A zone is known by its route's label, its file, and whether it was made for reverse names.
type ZoneKey = (String, PathBuf, String);

/// A snapshot that is ready to be put in force.
pub struct Built {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What the next build may keep of it.
    pub inventory: Inventory,
    /// What is doubtful in the zones.
    pub warnings: Vec<Diagnostic>,
}

/// Builds a snapshot. All errors of all zones are given, not only the first.
pub fn build(config: &Config, before: &Inventory) -> Result<Built, Vec<Diagnostic>> {
    let mut making = Making {
        before,
        inventory: Inventory {
            policy: before.policy.clone(),
            amazon: before.amazon.clone().or_else(|| Some(Arc::new(Rate::per_second(AMAZON_QPS)))),
            ..Inventory::default()
        },
        faults: Vec::new(),
        warnings: Vec::new(),
        zones: Vec::new(),
    };
    let groups: Vec<Arc<Group>> = config.upstreams.iter().map(|upstream| making.group(upstream)).collect();
    let mut routes: Vec<RouteSpec> = Vec::new();
    for route in &config.routes {
        making.route(config, route, &mut routes);
    }
    if config.special_use_names == config::SpecialUse::Serve {
        for zone in zone::special_use() {
            making.special_use(zone, &mut routes);
        }
    }
    let Making { mut inventory, faults, warnings, zones, .. } = making;
    if !faults.is_empty() {
        return Err(faults.into_iter().chain(warnings).collect());
    }
    if routes.iter().any(|route| route.target == Target::Recurse) {
        match before.recursor.clone().map_or_else(|| Recursor::new().map(Arc::new), Ok) {
            Ok(recursor) => inventory.recursor = Some(recursor),
            Err(fault) => {
                return Err(vec![Diagnostic::error_without_place(format!(
                    "recursion cannot be prepared: {fault}"
                ))]);
            }
        }
    }
    let networks: Vec<NetworkSpec> = config
        .networks
        .iter()
        .map(|network| NetworkSpec {
            name: network.name.clone(),
            groups: network.groups.clone(),
            prefixes: network.cidrs.iter().map(|(prefix, _)| *prefix).collect(),
            recursion: match network.recursion {
                config::Recursion::Offered => Recursion::Offered,
                config::Recursion::Denied => Recursion::Denied,
            },
        })
        .collect();
    let node = config.node.id.clone().unwrap_or_else(host_name);
    let table = RouteTable::new(&networks, routes);
    let (servers, first_server) = servers(config);
    let directory = Directory {
        networks: config.networks.iter().map(network_name).collect(),
        views: table.views().iter().map(|view| view.name.clone()).collect(),
        routes: table.routes().map(|route| route.label.clone()).collect(),
        servers,
        region: config.node.region.clone().unwrap_or_default(),
        node: node.clone(),
    };
    let policy = super::policy::policy(config, &mut inventory.policy).map_err(|fault| vec![*fault])?;
    let snapshot = Snapshot {
        table,
        zones,
        groups,
        first_server,
        recursor: inventory.recursor.clone(),
        directory: Arc::new(directory),
        node: node.into_bytes().into(),
        keeping: keeping(&config.cache),
        udp_payload: config.listen.udp_payload,
        udp_room: config.listen.udp_payload.min(DATAGRAM as u16),
        policy,
    };
    Ok(Built { snapshot, inventory, warnings })
}

struct Making<'a> {
    before: &'a Inventory,
    inventory: Inventory,
    faults: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    zones: Vec<Arc<ZoneHandle>>,
}

impl Making<'_> {
    fn group(&mut self, upstream: &config::Upstream) -> Arc<Group> {
        let group = match self.before.groups.get(&upstream.name) {
            Some((before, group)) if before == upstream => Arc::clone(group),
            before => {
                let before = before.map(|(_, group)| &**group);
                Arc::new(super::probing::group(upstream, self.rate(upstream, before), before))
            }
        };
        self.inventory.groups.insert(upstream.name.clone(), (upstream.clone(), Arc::clone(&group)));
        group
    }

    /// The limit of an upstream: what was spent of it before a reload stays spent.
    fn rate(&mut self, upstream: &config::Upstream, before: Option<&Group>) -> Option<Arc<Rate>> {
        match upstream.max_qps {
            config::MaxQps::Unlimited => None,
            config::MaxQps::AmazonProvidedDns => self.inventory.amazon.clone(),
            config::MaxQps::Own(limit) => {
                let amazon = self.inventory.amazon.as_ref();
                let kept = before.and_then(|group| group.spec().rate.as_ref()).filter(|rate| {
                    rate.limit() == limit && !amazon.is_some_and(|amazon| Arc::ptr_eq(amazon, rate))
                });
                Some(kept.map_or_else(|| Arc::new(Rate::per_second(limit)), Arc::clone))
            }
        }
    }

    fn route(&mut self, config: &Config, route: &config::Route, routes: &mut Vec<RouteSpec>) {
        let Ok(domain) = route.domain.parse::<Name>() else {
            self.faults.push(Diagnostic::error(&route.place, format!("{} is no domain name", route.domain)));
            return;
        };
        let visible = match &route.visible_to {
            config::Audience::Everyone => Visible::Everyone,
            config::Audience::Only(labels) => Visible::To(labels.clone()),
        };
        let fall_through = match route.fall_through {
            config::FallThrough::Yes => FallThrough::Yes,
            config::FallThrough::No => FallThrough::No,
        };
        let caps = Caps {
            max_ttl: route.cache.max_ttl,
            max_negative_ttl: route.cache.max_negative_ttl,
            failure_ttl: route.cache.failure_ttl,
        };
        let spec = |target: Target, uid: u128| RouteSpec {
            label: route.label.clone(),
            domain: domain.clone(),
            target,
            visible: visible.clone(),
            fall_through,
            caps,
            uid,
        };
        match &route.target {
            config::Target::Zone { file, reverse } => {
                let Some(zone) = self.load(&domain, file, &route.place) else { return };
                let overlays = match reverse {
                    config::Reverse::Make => zone.reverse_overlays(),
                    config::Reverse::None => Vec::new(),
                };
                let number = self.zone((route.label.clone(), file.clone(), domain.to_string()), zone);
                routes.push(spec(Target::Zone(number), 0));
                for overlay in overlays {
                    let domain = overlay.origin().clone();
                    let label = format!("{} (reverse)", route.label);
                    let number = self.zone((label.clone(), file.clone(), domain.to_string()), overlay);
                    let fall_through = FallThrough::Yes;
                    routes.push(RouteSpec { label, domain, fall_through, ..spec(Target::Zone(number), 0) });
                }
            }
            config::Target::Forward { upstream } => {
                let uid = uid(&(domain.wire(), caps, comparable(&config.upstreams[*upstream])));
                routes.push(spec(Target::Forward(*upstream as u32), uid));
            }
            config::Target::Recurse => routes.push(spec(Target::Recurse, uid(&(domain.wire(), caps)))),
            config::Target::Refuse => routes.push(spec(Target::Refuse, 0)),
        }
    }

    /// A built-in zone: for whoever could otherwise send its names outside.
    fn special_use(&mut self, zone: Zone, routes: &mut Vec<RouteSpec>) {
        let domain = zone.origin().clone();
        let label = format!("{domain} (built-in)");
        let number = self.zone((label.clone(), PathBuf::new(), domain.to_string()), zone);
        let no_cap = std::time::Duration::MAX;
        routes.push(RouteSpec {
            label,
            domain,
            target: Target::Zone(number),
            visible: Visible::WhereForwarded,
            fall_through: FallThrough::No,
            caps: Caps { max_ttl: no_cap, max_negative_ttl: no_cap, failure_ttl: no_cap },
            uid: 0,
        });
    }

    fn load(&mut self, origin: &Name, file: &std::path::Path, place: &config::Place) -> Option<Zone> {
        match zone::load(origin, file) {
            Ok(loaded) => {
                self.warnings.extend(loaded.warnings);
                Some(loaded.zone)
            }
            Err(faults) => {
                let broken = format!("the zone file {} cannot be used", file.display());
                self.faults.push(Diagnostic::error(place, broken));
                self.faults.extend(faults);
                None
            }
        }
    }

    /// The handle of a zone: the one of before where nothing changed, so that what was made from it stays good.
    fn zone(&mut self, key: ZoneKey, zone: Zone) -> u32 {
        let kept = self.before.zones.get(&key).filter(|handle| **handle.zone() == zone);
        let handle = kept.map_or_else(|| Arc::new(ZoneHandle::new(zone)), Arc::clone);
        self.inventory.zones.insert(key, Arc::clone(&handle));
        self.zones.push(handle);
        self.zones.len() as u32 - 1
    }
}

/// An upstream without its place in the text: moving it does not change what it says.
fn comparable(upstream: &config::Upstream) -> impl Hash {
    let config::Upstream {
        name,
        servers,
        backups,
        source_v4,
        source_v6,
        place: _,
        balance: _,
        try_timeout: _,
        deadline: _,
        max_qps: _,
        max_in_flight: _,
        cookies: _,
        health_check: _,
    } = upstream;
    (name, servers, backups, *source_v4, *source_v6)
}

fn keeping(cache: &config::Cache) -> Keeping {
    Keeping {
        serve_stale: cache.serve_stale,
        stale_after: cache.stale_after,
        prefetch: if cache.prefetch { Prefetch::On } else { Prefetch::Off },
    }
}

/// 128 bits of what shapes a route's answers. Equal definitions give equal numbers in every process, so that what is
/// cached for a route outlives a reload and, written out, a restart.
fn uid(definition: &impl Hash) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (salt, definition).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

fn servers(config: &Config) -> (Vec<ServerName>, Vec<u32>) {
    let (mut servers, mut first) = (Vec::new(), Vec::new());
    for upstream in &config.upstreams {
        first.push(servers.len() as u32);
        let addresses = upstream.servers.iter().chain(&upstream.backups);
        servers.extend(
            addresses.map(|address| ServerName { upstream: upstream.name.clone(), address: *address }),
        );
    }
    (servers, first)
}

fn network_name(network: &config::Network) -> NetworkName {
    NetworkName {
        name: network.name.clone(),
        account_id: network.account_id.clone(),
        vpc_id: network.vpc_id.clone(),
        region: network.region.clone(),
        groups: network.groups.clone(),
    }
}

fn host_name() -> String {
    nix::sys::utsname::uname()
        .map_or_else(|_| "kakehashi".into(), |name| name.nodename().to_string_lossy().into_owned())
}
