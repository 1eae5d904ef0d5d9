//! The configuration as the rest of the server knows it: plain values, all checked, so that a wrong state cannot be
//! written down. Defaults are filled in; names are resolved where an index says more than a string.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::archive::Archive;
use super::control::{Apply, Control};
use super::detect::Detect;
use super::output::{Dnstap, OperatorLog, QueryLog};
use super::place::{Place, Source};

/// Everything that the operator decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Who this server is.
    pub node: Node,
    /// Where it listens and how much it takes on.
    pub listen: Listen,
    /// How much it remembers, and for how long.
    pub cache: Cache,
    /// What clients get, and how much of it.
    pub clients: Clients,
    /// Where the query log goes.
    pub query_log: QueryLog,
    /// Where commands are taken.
    pub control: Control,
    /// When an applied configuration is taken back before anybody says so.
    pub apply: Apply,
    /// What counts as odd, and who is told.
    pub detect: Detect,
    /// Where dnstap goes.
    pub dnstap: Vec<Dnstap>,
    /// What the server says of itself.
    pub log: OperatorLog,
    /// Where its rolled files go; `None`: nowhere.
    pub archive: Option<Archive>,
    /// Who answers the names of RFC 6303 and RFC 6761.
    pub special_use_names: SpecialUse,
    /// The inventory of clients, in file order.
    pub networks: Vec<Network>,
    /// The servers that queries are forwarded to, in file order.
    pub upstreams: Vec<Upstream>,
    /// All zones and rules, one route a domain, in the order in which they are asked: zones before rules, file order
    /// within each. The more specific domain is asked first; that sorting is left to the reader.
    pub routes: Vec<Route>,
    /// The files that were read, in the order in which they were opened.
    pub sources: Vec<Arc<Source>>,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// NSID, `id.server CH TXT` and the log's node; `None`: the host name.
    pub id: Option<String>,
    /// Region of log records whose network names none.
    pub region: Option<String>,
}

/// `[listen]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Addresses for UDP and TCP; at least one. Port 0 lets the kernel choose.
    pub dns: Vec<SocketAddr>,
    /// Address of the HTTP endpoint; `None`: there is none.
    pub http: Option<SocketAddr>,
    /// Worker threads; `None`: one per core.
    pub workers: Option<NonZeroUsize>,
    /// The largest UDP reply, 512 to 4096; as much is offered to clients, where it is not more than is read.
    pub udp_payload: u16,
    /// How long a TCP connection may be silent between its queries.
    pub tcp_idle_timeout: Duration,
    /// How long one message may take to arrive or to be taken, and a new connection to its first query.
    pub tcp_message_timeout: Duration,
    /// TCP connections at once, all clients together.
    pub tcp_clients: usize,
    /// TCP connections at once from one address.
    pub tcp_per_client: usize,
    /// Queries of one TCP connection that may be unanswered at once.
    pub tcp_pipeline: usize,
    /// Resolutions at once per worker; a query beyond is refused and counted.
    pub max_in_flight: usize,
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Response cache, shared, in bytes.
    pub size: u64,
    /// Answer cache of each worker, in bytes.
    pub answer_size: u64,
    /// Longest life of a positive response.
    pub max_ttl: Duration,
    /// Longest life of a negative response.
    pub max_negative_ttl: Duration,
    /// Life of a failure (RFC 9520 §3.2): 1 to 5 seconds.
    pub failure_ttl: Duration,
    /// How long past its TTL a response may stand in for one that cannot be had (RFC 8767); zero: not at all.
    pub serve_stale: Duration,
    /// How long a client waits for a fresh answer while a stale one is at hand (RFC 8767 §5).
    pub stale_after: Duration,
    /// Whether what is asked for in the last tenth of its time is fetched anew at once.
    pub prefetch: bool,
    /// Where the response cache is written at a stop and read from at a start.
    pub snapshot: Option<PathBuf>,
}

/// `[clients]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// What a client in no network gets.
    pub unknown: Unknown,
    /// Leading bits of an IPv4 address that limits count together.
    pub prefix_v4: u8,
    /// Leading bits of an IPv6 address that limits count together.
    pub prefix_v6: u8,
    /// The limit of networks that have one, and of clients in no network.
    pub limit: ClientLimit,
    /// The file with the keys of cookies, shared by the nodes of one address; `None`: drawn at start.
    pub cookie_secrets: Option<(PathBuf, Place)>,
}

/// What a client in no network gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// REFUSED.
    Refuse,
    /// Silence.
    Drop,
}

/// How much one client prefix gets over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimit {
    /// Queries a second; `None`: any number.
    pub queries: Option<u32>,
    /// Answers that are the same, a second; `None`: any number.
    pub responses: Option<u32>,
    /// What was not asked for in this time may be asked for at once.
    pub burst: Duration,
    /// Of what is beyond, every so many-th is answered truncated; 0: none.
    pub slip: u32,
}

/// Who answers the names of RFC 6303 and RFC 6761 that no route of the client's claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialUse {
    /// This server, from built-in zones: they never leave it.
    Serve,
    /// Whoever a route says.
    Forward,
}

/// `[[network]]`: addresses that clients have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name, unique among networks.
    pub name: String,
    /// Its address blocks, without host bits, each in one network only.
    pub cidrs: Vec<(IpNet, Place)>,
    /// AWS account, twelve digits.
    pub account_id: Option<String>,
    /// AWS VPC.
    pub vpc_id: Option<String>,
    /// AWS region; `None`: that of the node.
    pub region: Option<String>,
    /// Groups that it belongs to.
    pub groups: Vec<String>,
    /// Whether we ask others for its clients.
    pub recursion: Recursion,
    /// How much a client gets over UDP; `None`: as much as he asks for.
    pub limit: Option<ClientLimit>,
    /// Where it is written.
    pub place: Place,
}

/// Whether we ask others for a network's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recursion {
    /// We do: it sees forward and recurse rules.
    Offered,
    /// We do not: of all routes visible to it, it sees the zones and refusals only.
    Denied,
}

/// `[[upstream]]`: servers that give the same answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name, unique among upstreams.
    pub name: String,
    /// Servers that share the queries; at least one.
    pub servers: Vec<SocketAddr>,
    /// Servers that are asked only when none of `servers` is healthy.
    pub backups: Vec<SocketAddr>,
    /// How queries are spread over `servers`.
    pub balance: Balance,
    /// Source address of queries over IPv4; `None`: the kernel's choice.
    pub source_v4: Option<Ipv4Addr>,
    /// Source address of queries over IPv6; `None`: the kernel's choice.
    pub source_v6: Option<Ipv6Addr>,
    /// How long one server may take before the next is asked.
    pub try_timeout: Duration,
    /// How long all tries together may take.
    pub deadline: Duration,
    /// How many queries a second all its servers together may be sent.
    pub max_qps: MaxQps,
    /// Questions that may be in flight at once.
    pub max_in_flight: u32,
    /// Whether queries carry DNS cookies (RFC 7873).
    pub cookies: bool,
    /// The active check of each server; `None`: only live queries tell.
    pub health_check: Option<HealthCheck>,
    /// Where it is written.
    pub place: Place,
}

/// How many queries a second an upstream may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxQps {
    /// As many as there are.
    Unlimited,
    /// So many.
    Own(u32),
    /// What AmazonProvidedDNS answers through one network interface, which all upstreams that ask it share.
    AmazonProvidedDns,
}

/// How queries are spread over the healthy servers of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Each in its turn.
    RoundRobin,
    /// The one that has answered fastest of late.
    Fastest,
    /// The first that is healthy.
    Ordered,
}

/// The query that tells whether a server is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Name to ask for: lower case, absolute.
    pub qname: String,
    /// Type to ask for, in upper case: `SOA`, `TYPE65`.
    pub qtype: String,
    /// Time between two checks.
    pub interval: Duration,
    /// Failures in a row that take a server out.
    pub fall: u32,
    /// Successes in a row that bring it back.
    pub rise: u32,
}

/// One domain of a `[[zone]]` or a `[[rule]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What logs and metrics call it; unique among routes.
    pub label: String,
    /// Its domain: lower case, absolute, in the one spelling of RFC 1035 §5.1 escapes that this crate uses.
    pub domain: String,
    /// Who answers.
    pub target: Target,
    /// Who may see it.
    pub visible_to: Audience,
    /// What happens when its source has no such name.
    pub fall_through: FallThrough,
    /// How long its responses live: its own limits, those of `[cache]` where it has none.
    pub cache: CacheCaps,
    /// Warnings that the operator has seen and explained.
    pub acknowledged: Vec<Concern>,
    /// Where its domain is written.
    pub place: Place,
}

/// Who answers the names of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This server, from a zone file.
    Zone {
        /// The zone file.
        file: PathBuf,
        /// Whether its addresses get PTR records.
        reverse: Reverse,
    },
    /// An upstream.
    Forward {
        /// Index into [`Config::upstreams`].
        upstream: usize,
    },
    /// This server, by asking from the root down.
    Recurse,
    /// Nobody.
    Refuse,
}

/// Whether PTR records are made from the addresses of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reverse {
    /// They are.
    Make,
    /// They are not.
    None,
}

/// Who may see a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every network.
    Everyone,
    /// The networks with one of these names, and those in a group with one of these names.
    Only(Vec<String>),
}

impl Audience {
    /// Whether a network is in the audience.
    pub fn includes(&self, network: &Network) -> bool {
        match self {
            Self::Everyone => true,
            Self::Only(names) => {
                names.iter().any(|name| *name == network.name || network.groups.contains(name))
            }
        }
    }
}

/// What happens when a route's source has no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallThrough {
    /// The next route that the client sees is asked.
    Yes,
    /// The negative answer is final.
    No,
}

/// How long the responses of a route may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheCaps {
    /// Longest life of a positive response.
    pub max_ttl: Duration,
    /// Longest life of a negative response.
    pub max_negative_ttl: Duration,
    /// Life of a failure (RFC 9520 §3.2).
    pub failure_ttl: Duration,
}

/// A doubt of `check` about a route, which `acknowledge = [...]` can lay to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// A zone and a rule claim the same names for the same clients.
    Overlap,
    /// An earlier route answers everything for every client that could see this one.
    Shadowed,
    /// The whole internet may ask through this forward or recurse route.
    OpenResolver,
    /// A server that is asked would be sent its own questions back.
    Loop,
}

impl Concern {
    /// All of them, by the word that the configuration has for each.
    pub const ALL: [(&'static str, Self); 4] = [
        ("overlap", Self::Overlap),
        ("shadowed", Self::Shadowed),
        ("open-resolver", Self::OpenResolver),
        ("loop", Self::Loop),
    ];
}
