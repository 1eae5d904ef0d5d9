//! `[[zone]]` and `[[rule]]`: both become routes, one a domain.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;

use super::network::ANY;
use super::path_of;
use super::server::caps;
use super::value::{Faults, Seen};
use crate::config::diagnostic::Diagnostic;
use crate::config::domain::{self, DomainFault};
use crate::config::model::{
    Audience, CacheCaps, Concern, FallThrough, Network, Reverse, Route, Target, Upstream,
};
use crate::config::place::{Place, Placed};
use crate::config::source::describe;
use crate::config::spec::{RuleSpec, ZoneSpec};
use crate::config::suggest::Suggestions;
use crate::config::table::{Legible, Texts, Written};

/// Domains that one rule may have: a list written by hand is far below, and a slip of `reverse-of` far above.
const DOMAINS_MAX: usize = 4_096;

/// What zones and rules refer to.
pub(super) struct Surroundings<'c> {
    audience: HashSet<&'c str>,
    upstreams: HashMap<&'c str, usize>,
    caps: CacheCaps,
}

impl<'c> Surroundings<'c> {
    pub(super) fn new(networks: &'c [Network], upstreams: &'c [Upstream], caps: CacheCaps) -> Self {
        let names = networks.iter().map(|network| &network.name);
        let groups = networks.iter().flat_map(|network| &network.groups);
        let numbered = upstreams.iter().enumerate();
        Self {
            audience: names.chain(groups).map(String::as_str).filter(|name| !name.is_empty()).collect(),
            upstreams: numbered.map(|(index, upstream)| (upstream.name.as_str(), index)).collect(),
            caps,
        }
    }
}

/// All routes: zones, then rules.
pub(super) fn routes(
    zones: Vec<Written<ZoneSpec>>,
    rules: Vec<Written<RuleSpec>>,
    around: &Surroundings<'_>,
    faults: &mut Faults<'_>,
) -> Vec<Route> {
    let mut lowering = Lowering {
        around,
        faults,
        audience_names: Suggestions::from(around.audience.iter().copied()),
        upstream_names: Suggestions::from(around.upstreams.keys().copied()),
    };
    let mut routes = Vec::with_capacity(zones.len() + rules.len());
    for spec in zones {
        routes.extend(lowering.zone(spec.spec));
    }
    for spec in rules {
        lowering.rule(spec, &mut routes);
    }
    labels_differ(&routes, faults);
    routes
}

/// Labels name routes in logs, metrics and caches, so that each must be the name of one.
fn labels_differ(routes: &[Route], faults: &mut Faults<'_>) {
    let mut labels: HashMap<&str, &Place> = HashMap::with_capacity(routes.len());
    for route in routes {
        if let Some(first) = labels.insert(&route.label, &route.place) {
            faults.push(
                Diagnostic::error(&route.place, format!("two routes are called `{}`", route.label))
                    .with_note(first, "the first one is here")
                    .with_hint("logs and metrics could not tell them apart: give one a `name` of its own"),
            );
        }
    }
}

struct Lowering<'c, 'f, 'v> {
    around: &'c Surroundings<'c>,
    faults: &'f mut Faults<'v>,
    audience_names: Suggestions<'c>,
    upstream_names: Suggestions<'c>,
}

/// What a zone and a rule have in common once their keys are judged.
struct Common {
    visible_to: Audience,
    fall_through: FallThrough,
    acknowledged: Vec<Concern>,
}

impl Lowering<'_, '_, '_> {
    fn zone(&mut self, spec: ZoneSpec) -> Option<Route> {
        let ZoneSpec { name, domain, file, visible_to, fall_through, reverse, acknowledge } = spec;
        let name = name.map(|name| self.faults.name(name, "name").value);
        let common = self.common(visible_to, fall_through.as_ref(), acknowledge);
        let file = file.map(|file| {
            self.zone_file_exists(&file);
            path_of(&file)
        });
        let Placed { value: text, place } = domain?;
        let domain = self.domain(&text, &place)?;
        let reverse =
            if reverse.is_some_and(|reverse| reverse.value) { Reverse::Make } else { Reverse::None };
        let target = Target::Zone { file: file?, reverse };
        Some(common.route(name.unwrap_or_else(|| label(&domain)), domain, target, self.around.caps, place))
    }

    fn zone_file_exists(&mut self, file: &Placed<String>) {
        let path = path_of(file);
        let wrong = match fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_dir() => "it is a folder".to_owned(),
            Ok(_) => return,
            Err(error) => describe(&error),
        };
        self.faults.push(
            Diagnostic::error(&file.place, format!("cannot read the zone file {}: {wrong}", path.display()))
                .with_hint("paths are relative to the folder of the file that names them"),
        );
    }

    fn rule(&mut self, spec: Written<RuleSpec>, routes: &mut Vec<Route>) {
        let Written { spec, place, legible } = spec;
        let RuleSpec {
            name,
            domain,
            reverse_of,
            forward,
            recurse,
            refuse,
            visible_to,
            fall_through,
            cache,
            acknowledge,
        } = spec;
        let name = name.map(|name| self.faults.name(name, "name").value);
        let target = self.target(&place, legible, forward, recurse, refuse);
        if let (Some(Target::Refuse), Some(Placed { value: true, place })) = (&target, &fall_through) {
            let message = "a rule that refuses has no negative answer to fall through from";
            self.faults.push(Diagnostic::error(place, message).with_hint("take `fall-through` away"));
        }
        let common = self.common(visible_to, fall_through.as_ref(), acknowledge);
        let caps = caps(cache, self.around.caps, self.faults);
        let domains = self.domains(&place, legible, domain, reverse_of);
        // A faulty target is reported above; any will do where it is never used.
        let target = target.unwrap_or(Target::Refuse);

        let several = domains.len() > 1;
        for Placed { value: domain, place } in domains {
            let label = match &name {
                Some(name) if several => format!("{name}/{}", label(&domain)),
                Some(name) => name.clone(),
                None => label(&domain),
            };
            routes.push(common.route(label, domain, target.clone(), caps, place));
        }
    }

    fn target(
        &mut self,
        place: &Place,
        legible: Legible,
        forward: Option<Placed<String>>,
        recurse: Option<Placed<bool>>,
        refuse: Option<Placed<bool>>,
    ) -> Option<Target> {
        let told = legible == Legible::Partly || [&recurse, &refuse].iter().any(|given| given.is_some());
        let mut targets: Vec<(Place, &str, Option<Target>)> = Vec::new();
        if let Some(forward) = forward {
            let upstream = self.upstream(&forward).map(|upstream| Target::Forward { upstream });
            targets.push((forward.place, "forward", upstream));
        }
        for (key, given, target) in
            [("recurse", recurse, Target::Recurse), ("refuse", refuse, Target::Refuse)]
        {
            match given {
                Some(Placed { value: true, place }) => targets.push((place, key, Some(target))),
                Some(Placed { value: false, place }) => {
                    let message = format!("`{key}` can only be true");
                    let hint = "leave it out, and say who answers: `forward`, `recurse` or `refuse`";
                    self.faults.push(Diagnostic::error(&place, message).with_hint(hint));
                }
                None => {}
            }
        }
        match targets.as_slice() {
            [(_, _, target)] => target.clone(),
            [] if told => None,
            [] => {
                self.faults.push(
                    Diagnostic::error(place, "this [[rule]] does not say who answers")
                        .with_hint("add one of: forward = \"UPSTREAM\", recurse = true, refuse = true"),
                );
                None
            }
            [(first_place, first, _), (place, second, _), ..] => {
                let message = format!("this rule has both `{first}` and `{second}`; only one can answer");
                let fault = Diagnostic::error(place, message).with_note(first_place, "the first one is here");
                self.faults.push(fault);
                None
            }
        }
    }

    fn upstream(&mut self, given: &Placed<String>) -> Option<usize> {
        let Placed { value: name, place } = given;
        if let Some(index) = self.around.upstreams.get(name.as_str()) {
            return Some(*index);
        }
        let hint = match self.upstream_names.nearest(name) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if name.parse::<IpAddr>().is_ok() => {
                format!("`forward` wants a name: add [[upstream]] name = \"…\" servers = [\"{name}\"]")
            }
            None => format!("add [[upstream]] name = \"{name}\" servers = [\"192.168.1.10\"]"),
        };
        self.faults.push(Diagnostic::error(place, format!("there is no upstream `{name}`")).with_hint(hint));
        None
    }

    /// The domains of a rule, those of `reverse-of` last, none twice.
    fn domains(
        &mut self,
        place: &Place,
        legible: Legible,
        domain: Option<Placed<Texts>>,
        reverse_of: Option<Placed<Texts>>,
    ) -> Vec<Placed<String>> {
        let mut domains = Vec::new();
        match (&domain, &reverse_of) {
            (None, None) if legible == Legible::Partly => {}
            (None, None) => self.faults.push(
                Diagnostic::error(place, "this [[rule]] has no domain")
                    .with_hint("add domain = \"technova.local\" or reverse-of = \"192.168.0.0/16\""),
            ),
            (Some(list), _) if list.value.is_empty() => {
                self.faults.not_empty(list, "domain", "\"technova.local\"");
            }
            (_, Some(list)) => self.faults.not_empty(list, "reverse-of", "\"192.168.0.0/16\""),
            _ => {}
        }
        for Placed { value: text, place } in domain.map(|list| list.value).unwrap_or_default() {
            domains.extend(self.domain(&text, &place).map(|value| Placed { value, place }));
        }
        for given in reverse_of.map(|list| list.value).unwrap_or_default() {
            let names = self.faults.block(&given).map(domain::reverse_of).unwrap_or_default();
            domains.extend(names.into_iter().map(|value| Placed { value, place: given.place.clone() }));
        }

        if domains.len() > DOMAINS_MAX {
            let message = format!("this rule has {} domains; it can have {DOMAINS_MAX}", domains.len());
            self.faults
                .push(Diagnostic::error(place, message).with_hint("name the domain above them instead"));
            domains.truncate(DOMAINS_MAX);
        }
        let mut seen = Seen::new();
        domains.retain(|domain| {
            let twice = |name: &String| format!("this rule has the domain {name} twice");
            seen.insert(domain.value.clone(), &domain.place, self.faults, twice)
        });
        domains
    }

    fn domain(&mut self, text: &str, place: &Place) -> Option<String> {
        match domain::parse(text) {
            Ok(domain) => Some(domain),
            Err(DomainFault { message, hint }) => {
                self.faults.push(Diagnostic { hint, ..Diagnostic::error(place, message) });
                None
            }
        }
    }

    fn common(
        &mut self,
        visible_to: Option<Placed<Texts>>,
        fall_through: Option<&Placed<bool>>,
        acknowledge: Option<Placed<Texts>>,
    ) -> Common {
        let acknowledge = acknowledge.map(|list| list.value).unwrap_or_default();
        Common {
            visible_to: self.audience(visible_to),
            fall_through: match fall_through {
                Some(Placed { value: true, .. }) => FallThrough::Yes,
                _ => FallThrough::No,
            },
            acknowledged: acknowledge
                .iter()
                .filter_map(|word| self.faults.word(word, "acknowledge", &Concern::ALL))
                .collect(),
        }
    }

    fn audience(&mut self, visible_to: Option<Placed<Texts>>) -> Audience {
        let Some(visible_to) = visible_to else {
            return Audience::Everyone;
        };
        self.faults.not_empty(&visible_to, "visible-to", "[\"vpc\"], or \"any\" for every network");
        let names = visible_to.value;
        if let Some(any) = names.iter().find(|name| name.value == ANY) {
            if names.len() > 1 {
                let message = "`any` is every network; the other names add nothing";
                self.faults.push(
                    Diagnostic::error(&any.place, message).with_hint("write visible-to = \"any\" alone"),
                );
            }
            return Audience::Everyone;
        }
        for Placed { value: name, place } in &names {
            if self.around.audience.contains(name.as_str()) {
                continue;
            }
            let hint = match self.audience_names.nearest(name) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => "a group exists when a [[network]] has it in its `groups`".to_owned(),
            };
            let message = format!("no network and no group is called `{name}`");
            self.faults.push(Diagnostic::error(place, message).with_hint(hint));
        }
        Audience::Only(names.into_iter().map(|name| name.value).collect())
    }
}

impl Common {
    fn route(&self, label: String, domain: String, target: Target, cache: CacheCaps, place: Place) -> Route {
        Route {
            label,
            domain,
            target,
            visible_to: self.visible_to.clone(),
            fall_through: self.fall_through,
            cache,
            acknowledged: self.acknowledged.clone(),
            place,
        }
    }
}

/// A domain as a label: without its last dot, except for the root.
fn label(domain: &str) -> String {
    match domain.strip_suffix('.') {
        Some(domain) if !domain.is_empty() => domain.to_owned(),
        _ => ".".to_owned(),
    }
}
