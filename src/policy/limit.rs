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
    counts: [AtomicU64; Measure::ALL.len()],
}

/// What was done to a query or a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Too many queries: truncated, or BADCOOKIE.
    QueryCut,
    /// Too many queries: silence.
    QueryDropped,
    /// Too many answers that are the same: truncated.
    ResponseCut,
    /// Too many answers that are the same: silence.
    ResponseDropped,
    /// Too many in flight for one prefix: refused.
    ShareRefused,
    /// Answers that piled up: held back.
    HeldBack,
    /// A client in no network: silence.
    UnknownDropped,
}

impl Measure {
    /// All, in the order of their numbers.
    pub const ALL: [Measure; 7] = [
        Measure::QueryCut,
        Measure::QueryDropped,
        Measure::ResponseCut,
        Measure::ResponseDropped,
        Measure::ShareRefused,
        Measure::HeldBack,
        Measure::UnknownDropped,
    ];

    /// As labels write it: which limit, and what was done.
    pub fn text(self) -> (&'static str, &'static str) {
        match self {
            Measure::QueryCut => ("queries", "truncated"),
            Measure::QueryDropped => ("queries", "dropped"),
            Measure::ResponseCut => ("responses", "truncated"),
            Measure::ResponseDropped => ("responses", "dropped"),
            Measure::ShareRefused => ("in-flight", "refused"),
            Measure::HeldBack => ("pulse", "held-back"),
            Measure::UnknownDropped => ("unknown-clients", "dropped"),
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

    /// Counts a measure that was taken.
    pub fn count(&self, measure: Measure) {
        self.counts[measure as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often each measure was taken, in the order of [`Measure::ALL`].
    pub fn counts(&self) -> impl Iterator<Item = (Measure, u64)> {
        Measure::ALL.iter().copied().zip(self.counts.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    fn beyond(&self, slip: u32, cut: Measure, dropped: Measure) -> Pass {
        let nth = self.beyond.fetch_add(1, Ordering::Relaxed);
        let slips = slip > 0 && nth.is_multiple_of(u64::from(slip));
        self.count(if slips { cut } else { dropped });
        if slips { Pass::Cut } else { Pass::Silence }
    }
}

impl Policy {
    /// Looks at the cookie that a query carries, if it does.
    pub fn cookie(&self, request: &Request<'_>, path: &Path, now: Now) -> Option<Checked> {
        let edns = request.edns.as_ref().filter(|edns| !edns.options.is_empty())?;
        let cookie = edns.cookie().ok()??;
        Some(self.secrets.check(&cookie, path.client.ip(), now))
    }

    /// Whether a client in no network is met with silence; if so, that is counted.
    pub fn drops_unknown(&self) -> bool {
        if self.unknown == Unknown::Drop {
            self.state.count(Measure::UnknownDropped);
        }
        self.unknown == Unknown::Drop
    }

    /// Whether a query of this network is looked at.
    pub fn query(&self, network: u32, path: &Path, cookie: Option<&Checked>, now: Now) -> Pass {
        let Some(limit) = self.limit(Some(network), path, cookie) else { return Pass::Whole };
        let Some(rate) = limit.queries else { return Pass::Whole };
        let mut owner = self.state.queries.hasher();
        owner.write_u128(self.prefixes.of(path.client.ip()).0);
        match self.state.queries.spend(&owner, rate, now.monotonic) {
            Spent::One => Pass::Whole,
            Spent::Nothing => self.state.beyond(limit.slip, Measure::QueryCut, Measure::QueryDropped),
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
            Spent::Nothing => self.state.beyond(limit.slip, Measure::ResponseCut, Measure::ResponseDropped),
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
