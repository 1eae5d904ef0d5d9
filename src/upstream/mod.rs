//! Forwarding: a question to a group of servers, one believable response back.
//!
//! [`Group::ask`] chooses the order ([`order`]), runs the tries (`race`; one server's part is in `attempt`) and cuts the
//! response down to what the servers may speak of ([`scrub`]). It caches nothing, joins no equal questions and follows no
//! alias out of the domain: the pipeline does.

mod admission;
mod attempt;
mod budget;
mod cookie;
mod domains;
pub mod first;
pub mod itinerary;
mod loops;
pub mod order;
mod race;
pub mod rate;
pub mod scrub;
pub mod server;
pub mod status;

pub use crate::exchange::Ask;
pub use cookie::Cookies;
pub use first::{First, Unsettled};
pub use loops::Quarantined;
pub use order::{Balance, Role};
pub use rate::Rate;
pub use server::Server;
pub use status::{GroupStatus, ServerStatus};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::exchange::{Clock, Exchange};
use crate::health::{Judge, Probe, Prober, Rules};
use crate::query::{Failure, Now, Response};
use crate::wire::{Ede, Name, RType};
use budget::Budget;
use loops::Loops;
use order::Start;

/// Whoever is silent for less may be looking the name up: as long as Linux waits for the acknowledgement of a segment.
const LEAST_PATIENCE: Duration = Duration::from_millis(200);

/// What a group shall be.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its name in the configuration.
    pub name: String,
    /// Servers, asked as `balance` says.
    pub primaries: Vec<SocketAddr>,
    /// Servers for when no primary is left.
    pub backups: Vec<SocketAddr>,
    /// How queries are spread.
    pub balance: Balance,
    /// Whence IPv4 servers are asked, where routing shall not choose.
    pub source_v4: Option<Ipv4Addr>,
    /// Whence IPv6 servers are asked, where routing shall not choose.
    pub source_v6: Option<Ipv6Addr>,
    /// How long a server may be silent at most before the next is asked beside it.
    pub try_timeout: Duration,
    /// How long all of it may take.
    pub deadline: Duration,
    /// Whether queries carry DNS cookies (RFC 7873).
    pub cookies: Cookies,
    /// How its servers are watched.
    pub check: Check,
    /// Questions that may be in flight at once.
    pub max_in_flight: u32,
    /// How many queries a second it may be sent; others may draw on the same limit.
    pub rate: Option<Arc<Rate>>,
}

/// How servers are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Only by what becomes of clients' queries.
    Off,
    /// By asking for this.
    Query {
        /// QNAME.
        qname: Name,
        /// QTYPE.
        qtype: RType,
        /// From one probe to the next.
        interval: Duration,
        /// Failures in a row that take a server down.
        fall: u8,
        /// Successes in a row that bring it back.
        rise: u8,
    },
}

/// Servers that answer for the same domains. Shared by all workers.
#[derive(Debug)]
pub struct Group {
    spec: Spec,
    servers: Vec<Arc<Server>>,
    turn: AtomicUsize,
    counts: status::GroupCounts,
    budget: Arc<Budget>,
    loops: Loops,
}

/// A response that may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What it says.
    pub response: Response,
    /// Who said it: a position in [`Group::servers`].
    pub server: usize,
    /// Whether it came over TCP.
    pub tcp: bool,
    /// How long that server took.
    pub rtt: Duration,
}

/// No server had an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// What the last server that said anything said: SERVFAIL, REFUSED …
    pub rcode: Option<u16>,
    /// Its extended errors, which tell the client more than ours.
    pub ede: Vec<Ede>,
    /// Who that was.
    pub server: Option<usize>,
}

impl Group {
    /// A new group. Of `before`, the same group until now, it keeps what is known of the servers that stay.
    pub fn new(spec: Spec, before: Option<&Group>) -> Group {
        let rules = spec.check.rules();
        let known = |address, role| {
            let same = |server: &&Arc<Server>| server.is_same(address, role, rules);
            before.and_then(|group| group.servers.iter().find(same)).cloned()
        };
        let server = |address: &SocketAddr, role| {
            known(*address, role).unwrap_or_else(|| Arc::new(Server::new(&spec.name, *address, role, rules)))
        };
        let primaries = spec.primaries.iter().map(|address| server(address, Role::Primary));
        let backups = spec.backups.iter().map(|address| server(address, Role::Backup));
        let servers = primaries.chain(backups).collect();
        let counts = before.map(|group| group.counts.clone()).unwrap_or_default();
        // A try that outlasts the deadline would never be held against its server.
        let spec = Spec { try_timeout: spec.try_timeout.min(spec.deadline), ..spec };
        let budget = Arc::new(Budget::new(spec.max_in_flight, spec.rate.clone()));
        Group { spec, servers, turn: AtomicUsize::new(0), counts, budget, loops: Loops::new() }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it was made of.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Its servers, primaries first.
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// Asks until one server answers, all have failed, or the deadline has passed.
    pub async fn ask(&self, ask: &Ask, exchange: &Exchange, now: Now) -> Result<Answered, Failed> {
        let room = match self.enter(ask, now) {
            Ok(room) => room,
            Err(failure) => {
                self.counts.note(Err(failure));
                return Err(Failed::unasked(failure));
            }
        };
        let clock = Clock::since(now);
        let outcome = race::run(self, ask, exchange, clock, room.claim()).await;
        self.ended(ask, room, outcome.as_ref(), clock.now());
        outcome
    }

    /// The order in which the next query would go to the servers; takes nobody's turn.
    pub fn preview(&self, now: Now) -> Vec<usize> {
        order::order(self.spec.balance, &self.candidates(now, Look::Only), self.turn.load(Ordering::Relaxed))
            .into_iter()
            .map(|place| place.server)
            .collect()
    }

    /// A prober for each server; to be run beside the workers for as long as the group is in use.
    pub fn probers(&self) -> Vec<Prober> {
        let Check::Query { qname, qtype, interval, .. } = &self.spec.check else { return Vec::new() };
        let probe = |server: &Arc<Server>| Probe {
            qname: qname.clone(),
            qtype: *qtype,
            interval: *interval,
            timeout: self.spec.try_timeout,
            source: self.source(server.address()),
        };
        self.servers.iter().map(|server| Prober::new(server.health().clone(), probe(server))).collect()
    }

    /// What is known of the group and its servers.
    pub fn status(&self, now: Now) -> GroupStatus {
        GroupStatus {
            name: self.spec.name.clone(),
            balance: self.spec.balance,
            queries: self.counts.read(),
            in_flight: self.budget.in_flight(),
            loops: self.loops.count(),
            quarantined: self.loops.list(),
            servers: self.servers.iter().map(|server| server.status(now)).collect(),
        }
    }

    fn order(&self, now: Now) -> order::Order {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if let [only] = &self.servers[..] {
            return order::order(self.spec.balance, &[candidate(only, now, Look::ToAsk)], turn);
        }
        order::order(self.spec.balance, &self.candidates(now, Look::ToAsk), turn)
    }

    fn candidates(&self, now: Now, look: Look) -> order::Candidates {
        self.servers.iter().map(|server| candidate(server, now, look)).collect()
    }

    /// How long a server may be silent before another is asked beside it: as long as it usually takes and four times its
    /// deviation (RFC 6298 §2), doubled for each try before. One that was never heard gets most of the longest.
    fn patience(&self, server: usize, tries: usize) -> Duration {
        let longest = self.spec.try_timeout;
        match self.servers[server].health().patience() {
            Some(usual) => (usual.max(LEAST_PATIENCE) * (1 << tries.min(4))).min(longest),
            None => longest * 3 / 4,
        }
    }

    fn source(&self, server: SocketAddr) -> Option<IpAddr> {
        match server {
            SocketAddr::V4(_) => self.spec.source_v4.map(IpAddr::V4),
            SocketAddr::V6(_) => self.spec.source_v6.map(IpAddr::V6),
        }
    }
}

fn candidate(server: &Server, now: Now, look: Look) -> order::Candidate {
    let health = server.health();
    let state = match look {
        Look::Only => health.state(),
        Look::ToAsk => health.state_for_query(now),
    };
    let start = if health.is_held_back(now, fastrand::f32) { Start::Slow } else { Start::Done };
    order::Candidate { role: server.role(), state, start, latency: health.latency() }
}

#[derive(Clone, Copy)]
enum Look {
    Only,
    ToAsk,
}

impl Check {
    fn rules(&self) -> Rules {
        match *self {
            Check::Off => Rules { fall: 3, rise: 1, judge: Judge::Queries },
            Check::Query { fall, rise, .. } => Rules { fall, rise, judge: Judge::Probes },
        }
    }
}
