//! `[[network]]`: who the clients are. An address must belong to one network only, or to the most specific of those
//! that hold it; and a network of one account must not hide inside that of another.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use super::clients::network_limit;
use super::value::{Faults, Seen};
use crate::config::diagnostic::Diagnostic;
use crate::config::model::{ClientLimit, Network, Recursion};
use crate::config::nesting;
use crate::config::place::{Place, Placed};
use crate::config::spec::NetworkSpec;
use crate::config::table::{Texts, Written};

/// The word in `visible-to` that means every network.
pub(super) const ANY: &str = "any";

/// All networks, checked one by one and against each other.
pub(super) fn networks(
    specs: Vec<Written<NetworkSpec>>,
    limit: ClientLimit,
    faults: &mut Faults<'_>,
) -> Vec<Network> {
    let mut names = Seen::new();
    let mut networks = Vec::with_capacity(specs.len());
    for spec in specs {
        let network = network(spec, limit, faults);
        if !network.name.is_empty() {
            let twice = |name: &String| format!("two networks are called `{name}`");
            names.insert(network.name.clone(), &network.place, faults, twice);
        }
        networks.push(network);
    }
    each_block_once(&networks, faults);
    accounts_apart(&networks, faults);
    names_and_groups_apart(&networks, faults);
    networks
}

fn network(spec: Written<NetworkSpec>, general: ClientLimit, faults: &mut Faults<'_>) -> Network {
    let Written { spec, place, legible: _ } = spec;
    let NetworkSpec { name, cidr, account_id, vpc_id, region, groups, recursion, limit } = spec;
    let name = name.map(|name| faults.name(name, "name"));
    let place = name.as_ref().map_or(place, |name| name.place.clone());
    if let Some(name) = &name {
        reserve_any(name, faults);
    }

    if let Some(cidr) = &cidr {
        faults.not_empty(cidr, "cidr", "[\"10.0.30.0/24\"]");
    }
    let blocks = cidr.map(|cidr| cidr.value).unwrap_or_default();
    let cidrs = blocks.iter().filter_map(|given| Some((faults.block(given)?, given.place.clone()))).collect();

    Network {
        name: name.map(|name| name.value).unwrap_or_default(),
        cidrs,
        account_id: account_id.map(|given| account(given, faults)),
        vpc_id: vpc_id.map(|given| vpc(given, faults)),
        region: region.map(|given| faults.name(given, "region").value),
        groups: group_names(groups, faults),
        recursion: match recursion {
            Some(Placed { value: false, .. }) => Recursion::Denied,
            _ => Recursion::Offered,
        },
        limit: network_limit(limit, general, faults),
        place,
    }
}

fn account(given: Placed<String>, faults: &mut Faults<'_>) -> String {
    let Placed { value: id, place } = given;
    if id.len() != 12 || !id.bytes().all(|octet| octet.is_ascii_digit()) {
        faults.push(
            Diagnostic::error(&place, format!("\"{id}\" is not an AWS account id"))
                .with_hint("an account id is twelve digits, without dashes: \"123456789012\""),
        );
    }
    id
}

fn vpc(given: Placed<String>, faults: &mut Faults<'_>) -> String {
    let Placed { value: id, place } = given;
    let digits = id.strip_prefix("vpc-").unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        faults.push(
            Diagnostic::error(&place, format!("\"{id}\" is not a VPC id"))
                .with_hint("a VPC id is \"vpc-\" and hexadecimal digits: \"vpc-0abc123def456789a\""),
        );
    }
    id
}

fn group_names(given: Option<Placed<Texts>>, faults: &mut Faults<'_>) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for group in given.map(|groups| groups.value).unwrap_or_default() {
        let group = faults.name(group, "groups");
        reserve_any(&group, faults);
        if groups.contains(&group.value) {
            faults.push(Diagnostic::error(&group.place, format!("the group `{}` stands twice", group.value)));
        } else {
            groups.push(group.value);
        }
    }
    groups
}

fn reserve_any(name: &Placed<String>, faults: &mut Faults<'_>) {
    if name.value == ANY {
        let message = "`any` is the word for every network, so nothing else can be called that";
        faults.push(Diagnostic::error(&name.place, message));
    }
}

/// The same block in two networks, or twice in one: nobody could say whose a client is.
fn each_block_once(networks: &[Network], faults: &mut Faults<'_>) {
    let mut seen: HashMap<IpNet, (&Place, &str)> = HashMap::new();
    for network in networks {
        for (block, place) in &network.cidrs {
            let Some((first, owner)) = seen.insert(*block, (place, &network.name)) else { continue };
            let message = format!("the network {block} stands twice");
            let fault = Diagnostic::error(place, message)
                .with_note(first, format!("it belongs to `{owner}` already"))
                .with_hint(
                    "a client belongs to one network: take one of the two away, or make one more specific",
                );
            faults.push(fault);
        }
    }
}

/// A network of one account inside a network of another is an address plan gone wrong. A network without account,
/// such as the internet or a catch-all, may hold anything.
fn accounts_apart(networks: &[Network], faults: &mut Faults<'_>) {
    for nested in nesting::nested(networks) {
        let (inner, outer) = (nested.inner.network(networks), nested.outer.network(networks));
        let (Some(inner_account), Some(outer_account)) = (&inner.account_id, &outer.account_id) else {
            continue;
        };
        if inner_account == outer_account {
            continue;
        }
        let ((inner_block, inner_place), (outer_block, outer_place)) =
            (nested.inner.cidr(networks), nested.outer.cidr(networks));
        let message = format!(
            "{inner_block} of account {inner_account} lies inside {outer_block} of account {outer_account}"
        );
        faults.push(
            Diagnostic::error(inner_place, message)
                .with_note(outer_place, format!("the network of `{}` is here", outer.name))
                .with_hint(
                    "correct one of the two; what several accounts share is a network without account-id",
                ),
        );
    }
}

/// A name in `visible-to` means a network or a group. Both at once would show a route to clients by accident.
fn names_and_groups_apart(networks: &[Network], faults: &mut Faults<'_>) {
    let groups: HashSet<&String> = networks.iter().flat_map(|network| &network.groups).collect();
    for network in networks {
        if groups.contains(&network.name) && !network.groups.contains(&network.name) {
            let message = format!("`{0}` is a network here and a group elsewhere", network.name);
            faults.push(Diagnostic::error(&network.place, message).with_hint(
                "`visible-to` could not tell them apart: rename one, or put this network into the group",
            ));
        }
    }
}
