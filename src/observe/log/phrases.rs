//! What a snapshot's numbers are called, as JSON ready to be copied into a line.

use crate::query::Directory;
use crate::query::directory::NetworkName;

use super::text::json_string;

/// The phrases of one directory.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    networks: Vec<NetworkPhrase>,
    stranger: NetworkPhrase,
    views: Vec<Box<[u8]>>,
    routes: Vec<Box<[u8]>>,
    servers: Vec<Box<[u8]>>,
    /// `{"node":…,`
    pub(super) node: Box<[u8]>,
}

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
    pub(super) fn of(directory: &Directory) -> Phrases {
        let server = |server: &crate::query::directory::ServerName| {
            quoted(&format!("{}@{}", server.upstream, server.address))
        };
        let mut node = b"{\"node\":".to_vec();
        json_string(&mut node, &directory.node);
        node.push(b',');
        Phrases {
            networks: directory
                .networks
                .iter()
                .map(|network| network_phrase(Some(network), &directory.region))
                .collect(),
            stranger: network_phrase(None, &directory.region),
            views: directory.views.iter().map(|view| quoted(view)).collect(),
            routes: directory.routes.iter().map(|route| quoted(route)).collect(),
            servers: directory.servers.iter().map(server).collect(),
            node: node.into(),
        }
    }

    pub(super) fn network(&self, number: Option<u32>) -> &NetworkPhrase {
        number.and_then(|number| self.networks.get(number as usize)).unwrap_or(&self.stranger)
    }

    pub(super) fn view(&self, number: Option<u32>) -> &[u8] {
        find(&self.views, number)
    }

    pub(super) fn route(&self, number: Option<u32>) -> &[u8] {
        find(&self.routes, number)
    }

    pub(super) fn server(&self, number: Option<u32>) -> &[u8] {
        find(&self.servers, number)
    }
}

fn find(phrases: &[Box<[u8]>], number: Option<u32>) -> &[u8] {
    number.and_then(|number| phrases.get(number as usize)).map_or(b"null", |phrase| phrase)
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
