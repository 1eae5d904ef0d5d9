//! What a snapshot's numbers are called, as JSON ready to be copied into a line.
//!
//! Each is made when a line first wants it. All at once, those of 100,000 routes kept the workers' processor from them for
//! ten milliseconds after a reload.

use std::sync::{Arc, OnceLock};

use crate::query::Directory;
use crate::query::directory::NetworkName;

use super::text::json_string;

/// The phrases of one directory.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    directory: Arc<Directory>,
    networks: Box<[OnceLock<NetworkPhrase>]>,
    stranger: NetworkPhrase,
    views: Quoted,
    routes: Quoted,
    servers: Quoted,
    /// `{"node":…,`
    pub(super) node: Box<[u8]>,
}

type Quoted = Box<[OnceLock<Box<[u8]>>]>;

/// What a line says about the client's network.
#[derive(Debug, Default)]
pub(super) struct NetworkPhrase {
    /// `"account_id":…,"region":…,"vpc_id":…,`
    pub(super) owner: Box<[u8]>,
    /// `"network":…,"groups":[…],`
    pub(super) network: Box<[u8]>,
}

impl Phrases {
    /// Of a directory.
    pub(super) fn of(directory: &Arc<Directory>) -> Phrases {
        let mut node = b"{\"node\":".to_vec();
        json_string(&mut node, &directory.node);
        node.push(b',');
        Phrases {
            directory: Arc::clone(directory),
            networks: blank(directory.networks.len()),
            stranger: network_phrase(None, &directory.region),
            views: blank(directory.views.len()),
            routes: blank(directory.routes.len()),
            servers: blank(directory.servers.len()),
            node: node.into(),
        }
    }

    pub(super) fn network(&self, number: Option<u32>) -> &NetworkPhrase {
        let Directory { networks, region, .. } = &*self.directory;
        let make = |nth: usize| network_phrase(Some(&networks[nth]), region);
        find(&self.networks, number, make).unwrap_or(&self.stranger)
    }

    pub(super) fn view(&self, number: Option<u32>) -> &[u8] {
        find(&self.views, number, |nth| quoted(&self.directory.views[nth])).map_or(b"null", |phrase| phrase)
    }

    pub(super) fn route(&self, number: Option<u32>) -> &[u8] {
        find(&self.routes, number, |nth| quoted(&self.directory.routes[nth])).map_or(b"null", |phrase| phrase)
    }

    pub(super) fn server(&self, number: Option<u32>) -> &[u8] {
        let make = |nth: usize| {
            let server = &self.directory.servers[nth];
            quoted(&format!("{}@{}", server.upstream, server.address))
        };
        find(&self.servers, number, make).map_or(b"null", |phrase| phrase)
    }
}

fn blank<T>(count: usize) -> Box<[OnceLock<T>]> {
    std::iter::repeat_with(OnceLock::new).take(count).collect()
}

fn find<T>(phrases: &[OnceLock<T>], number: Option<u32>, make: impl FnOnce(usize) -> T) -> Option<&T> {
    let nth = number? as usize;
    phrases.get(nth).map(|phrase| phrase.get_or_init(|| make(nth)))
}

fn quoted(text: &str) -> Box<[u8]> {
    let mut out = Vec::new();
    json_string(&mut out, text);
    out.into()
}

/// The schema's own fields are always strings, so that tables typed by it load: what is unknown is the empty string.
fn network_phrase(network: Option<&NetworkName>, region: &str) -> NetworkPhrase {
    let known =
        |field: Option<&Option<String>>| field.and_then(Option::as_deref).unwrap_or_default().to_owned();
    let mut owner = Vec::new();
    let mut put = |key: &str, value: &str| {
        owner.extend_from_slice(key.as_bytes());
        json_string(&mut owner, value);
        owner.push(b',');
    };
    put("\"account_id\":", &known(network.map(|network| &network.account_id)));
    put("\"region\":", network.and_then(|network| network.region.as_deref()).unwrap_or(region));
    put("\"vpc_id\":", &known(network.map(|network| &network.vpc_id)));
    let mut phrase = b"\"network\":".to_vec();
    match network {
        Some(network) => json_string(&mut phrase, &network.name),
        None => phrase.extend_from_slice(b"null"),
    }
    phrase.extend_from_slice(b",\"groups\":[");
    for (nth, group) in network.map(|network| &network.groups[..]).unwrap_or_default().iter().enumerate() {
        if nth > 0 {
            phrase.push(b',');
        }
        json_string(&mut phrase, group);
    }
    phrase.extend_from_slice(b"],");
    NetworkPhrase { owner: owner.into(), network: phrase.into() }
}
