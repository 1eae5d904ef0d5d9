//! What was found, and the numbers that it rests on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::query::{Directory, Sighting};
use crate::wire::NameRef;

use super::alert::Kind;
use super::pace::Surge;
use super::pair::Flow;
use super::question::Question;

/// What was found, before it is decided whether to tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// When, in microseconds since 1970.
    pub micros: u64,
    /// Who asks; `None` where it is an account.
    pub client: Option<IpAddr>,
    /// The client's network.
    pub network: Option<String>,
    /// Its account.
    pub account: Option<String>,
    /// The domain, where it is one.
    pub domain: Option<String>,
    /// The numbers that it rests on.
    pub evidence: BTreeMap<&'static str, f64>,
    /// Some of the names.
    pub samples: Vec<String>,
}

/// One event, read.
pub(super) struct Look<'a> {
    pub seen: &'a Sighting<'a>,
    pub names: &'a Directory,
    pub question: Question<'a>,
    pub seconds: u32,
    pub client: u64,
}

impl Look<'_> {
    /// A finding about its client.
    pub(super) fn finding(&self, kind: Kind, evidence: BTreeMap<&'static str, f64>) -> Finding {
        let network = self.seen.network.and_then(|n| self.names.networks.get(n as usize));
        Finding {
            kind,
            micros: self.seen.unix_micros,
            client: Some(self.seen.client),
            network: network.map(|network| network.name.clone()),
            account: network.and_then(|network| network.account_id.clone()),
            domain: None,
            evidence,
            samples: Vec::new(),
        }
    }

    /// The domain that begins at an octet of the name.
    pub(super) fn domain(&self, at: u8) -> Option<String> {
        let name = NameRef::parse(self.question.name.wire(), at.into()).ok()?;
        Some(name.to_lower().to_string())
    }
}

/// What a surge rests on.
pub(super) fn surge_evidence(surge: Surge) -> BTreeMap<&'static str, f64> {
    BTreeMap::from([
        ("queries", f64::from(surge.queries)),
        ("usual", f64::from(surge.usual.round())),
        ("limit", f64::from(surge.limit)),
    ])
}

/// What a flow rests on.
pub(super) fn flow_evidence(flow: &Flow) -> BTreeMap<&'static str, f64> {
    BTreeMap::from([
        ("names", flow.names.round()),
        ("name_octets", f64::from(flow.octets)),
        ("entropy_bits", rounded(flow.bits)),
        ("carrier_share", (flow.carriers * 100.0).round() / 100.0),
        ("answer_octets", f64::from(flow.answers)),
        ("seconds", f64::from(flow.seconds)),
    ])
}

/// Three digits are enough for people.
pub(super) fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1_000.0).round() / 1_000.0
}
