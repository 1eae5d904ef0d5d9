//! How much a client gets over UDP, where addresses can be forged: so many queries a second, and so many answers that
//! are the same (response rate limiting). Who goes beyond gets nothing, or now and then a truncated answer, no larger
//! than its query, which leads an honest client to TCP. TCP, and clients with a cookie of ours, are not limited.

use std::hash::Hasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::bucket::{Buckets, Rate, Spent};
use super::cookie::{Checked, Proof, Secrets};
use super::prefix::Prefixes;
use super::response::identify;
use crate::query::{Now, Path, Transport};
use crate::wire::Request;

/// The limits of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Queries of one prefix.
    pub queries: Option<Rate>,
    /// Answers to one prefix that are the same.
    pub responses: Option<Rate>,
    /// Of what is beyond, every so many-th is answered truncated; 0: none.
    pub slip: u32,
}

/// What clients in no network get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// REFUSED.
    Refuse,
    /// Silence.
    Drop,
}

/// What becomes of a query, or of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Nothing stands against it.
    Whole,
    /// Only that it was truncated is said; to who knows cookies, that his was missing.
    Cut,
    /// Nothing is said.
    Silence,
}

/// The policy of one configuration.
pub struct Policy {
    /// By the network's number.
    pub networks: Vec<Option<Limit>>,
    /// For clients in no network.
    pub unknown: Unknown,
    /// What they get of refusals.
    pub unknown_limit: Limit,
    /// Whom limits count together.
    pub prefixes: Prefixes,
    /// Keys of cookies.
    pub secrets: Secrets,
    /// What outlives a reload.
    pub state: Arc<State>,
}

/// What limits remember, and what they did.
pub struct State {
    queries: Buckets,
    responses: Buckets,
    beyond: AtomicU64,
    counts: [[AtomicU64; 2]; Kind::ALL.len()],
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Queries.
    Queries,
    /// Answers that are the same.
    Responses,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Kind; 2] = [Kind::Queries, Kind::Responses];

    /// As labels write it.
    pub fn text(self) -> &'static str {
        match self {
            Kind::Queries => "queries",
            Kind::Responses => "responses",
        }
    }
}

impl State {
    /// Nothing spent yet; `key` is random.
    pub fn new(key: [u8; 16]) -> State {
        State {
            queries: Buckets::new(key),
            responses: Buckets::new(key),
            beyond: AtomicU64::new(0),
            counts: Default::default(),
        }
    }

    /// How many were cut, and how many were met with silence.
    pub fn counts(&self, kind: Kind) -> (u64, u64) {
        let [cut, silent] = &self.counts[kind as usize];
        (cut.load(Ordering::Relaxed), silent.load(Ordering::Relaxed))
    }

    fn beyond(&self, kind: Kind, slip: u32) -> Pass {
        let nth = self.beyond.fetch_add(1, Ordering::Relaxed);
        let cut = slip > 0 && nth.is_multiple_of(u64::from(slip));
        self.counts[kind as usize][usize::from(!cut)].fetch_add(1, Ordering::Relaxed);
        if cut { Pass::Cut } else { Pass::Silence }
    }
}

impl Policy {
    /// Looks at the cookie that a query carries, if it does.
    pub fn cookie(&self, request: &Request<'_>, path: &Path, now: Now) -> Option<Checked> {
        let edns = request.edns.as_ref().filter(|edns| !edns.options.is_empty())?;
        let cookie = edns.cookie().ok()??;
        Some(self.secrets.check(&cookie, path.client.ip(), now))
    }

    /// Whether a query of this network is looked at.
    pub fn query(&self, network: Option<u32>, path: &Path, cookie: Option<&Checked>, now: Now) -> Pass {
        let Some(limit) = self.limit(network, path, cookie) else { return Pass::Whole };
        let Some(rate) = limit.queries else { return Pass::Whole };
        let mut owner = self.state.queries.hasher();
        owner.write_u128(self.prefixes.of(path.client.ip()).0);
        match self.state.queries.spend(&owner, rate, now.monotonic) {
            Spent::One => Pass::Whole,
            Spent::Nothing => self.state.beyond(Kind::Queries, limit.slip),
        }
    }

    /// Whether a reply to a client of this network leaves as it is.
    pub fn response(
        &self,
        network: Option<u32>,
        path: &Path,
        cookie: Option<&Checked>,
        now: Now,
        reply: &[u8],
    ) -> Pass {
        let Some(limit) = self.limit(network, path, cookie) else { return Pass::Whole };
        let Some(rate) = limit.responses else { return Pass::Whole };
        let mut owner = self.state.responses.hasher();
        owner.write_u128(self.prefixes.of(path.client.ip()).0);
        identify(reply, &mut owner);
        match self.state.responses.spend(&owner, rate, now.monotonic) {
            Spent::One => Pass::Whole,
            Spent::Nothing => self.state.beyond(Kind::Responses, limit.slip),
        }
    }

    /// The limit that holds for a query: none over TCP, nor for who has shown that his address is his own.
    fn limit(&self, network: Option<u32>, path: &Path, cookie: Option<&Checked>) -> Option<&Limit> {
        let limit = match network {
            Some(network) => self.networks.get(network as usize)?.as_ref()?,
            None => &self.unknown_limit,
        };
        let known = cookie.is_some_and(|cookie| cookie.proof == Proof::Given);
        (path.transport == Transport::Udp && !known).then_some(limit)
    }
}
