//! What was found, in words and numbers that people and programs can read.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

/// What kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A client asks for many domains that do not exist or look drawn by a program (DGA).
    GeneratedNames,
    /// A client moves data through the names below a domain.
    Tunnel,
    /// A client asks for very many names that do not exist.
    NxdomainStorm,
    /// Very many of a client's queries fail.
    ServfailStorm,
    /// A client asks far more than it used to.
    ClientChange,
    /// An account asks far more than it used to.
    AccountChange,
    /// One client, alone, asks for a name as regularly as a clock.
    Beacon,
}

impl Kind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Kind; 7] = [
        Kind::GeneratedNames,
        Kind::Tunnel,
        Kind::NxdomainStorm,
        Kind::ServfailStorm,
        Kind::ClientChange,
        Kind::AccountChange,
        Kind::Beacon,
    ];

    /// As logs and labels write it.
    pub fn text(self) -> &'static str {
        match self {
            Kind::GeneratedNames => "generated-names",
            Kind::Tunnel => "tunnel",
            Kind::NxdomainStorm => "nxdomain-storm",
            Kind::ServfailStorm => "servfail-storm",
            Kind::ClientChange => "client-change",
            Kind::AccountChange => "account-change",
            Kind::Beacon => "beacon",
        }
    }
}

/// One alert, as the log, the file, the webhook and `/api/status` show it. Names are in presentation form, so no control
/// octet is in them; a page must still escape them as HTML.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Always `alert`.
    pub event: &'static str,
    /// When it was found, RFC 3339.
    pub time: String,
    /// What was found.
    pub kind: Kind,
    /// The server that found it.
    pub node: String,
    /// Who asks; `None` where it is an account.
    pub client: Option<IpAddr>,
    /// The client's network.
    pub network: Option<String>,
    /// The network's account.
    pub account: Option<String>,
    /// The domain in question, where it is one.
    pub domain: Option<String>,
    /// When it was found first, RFC 3339.
    pub first_seen: String,
    /// When it was found last, RFC 3339.
    pub last_seen: String,
    /// How often it was found, this once included: repeats are counted here and not told.
    pub count: u64,
    /// The numbers that it rests on.
    pub evidence: BTreeMap<&'static str, f64>,
    /// Some of the names, eight at most.
    pub samples: Vec<String>,
}

impl Alert {
    /// One line of JSON.
    pub fn line(&self) -> String {
        // Nothing in it can fail: keys are strings, numbers are finite.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_alike_everywhere() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.text().into()));
        }
    }
}
