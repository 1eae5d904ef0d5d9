//! `[[upstream]]`: who is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::value::{Faults, Limits, Port, Seen};
use crate::config::diagnostic::Diagnostic;
use crate::config::domain;
use crate::config::model::{Balance, HealthCheck, MaxQps, Upstream};
use crate::config::place::{Place, Placed};
use crate::config::spec::{HealthCheckSpec, ProbeSpec, UpstreamSpec};
use crate::config::table::{Texts, Written};

const BALANCES: [(&str, Balance); 3] =
    [("round-robin", Balance::RoundRobin), ("fastest", Balance::Fastest), ("ordered", Balance::Ordered)];
const TRY_TIMEOUT: Duration = Duration::from_millis(400);
const MAX_IN_FLIGHT: u32 = 4_000;
const AMAZON_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253));
const AMAZON_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253));
const DEADLINE: Duration = Duration::from_millis(1_500);

/// All upstreams. `own` are the addresses that this server listens on.
pub(super) fn upstreams(
    specs: Vec<Written<UpstreamSpec>>,
    own: &[SocketAddr],
    faults: &mut Faults<'_>,
) -> Vec<Upstream> {
    let mut names = Seen::new();
    let mut upstreams = Vec::with_capacity(specs.len());
    for spec in specs {
        let upstream = upstream(spec, own, faults);
        if !upstream.name.is_empty() {
            let twice = |name: &String| format!("two upstreams are called `{name}`");
            names.insert(upstream.name.clone(), &upstream.place, faults, twice);
        }
        upstreams.push(upstream);
    }
    upstreams
}

fn upstream(spec: Written<UpstreamSpec>, own: &[SocketAddr], faults: &mut Faults<'_>) -> Upstream {
    let Written { spec, place, legible: _ } = spec;
    let UpstreamSpec {
        name,
        servers,
        backup,
        balance,
        source,
        try_timeout,
        deadline,
        max_qps,
        max_in_flight,
        cookies,
        health_check,
    } = spec;
    let name = name.map(|name| faults.name(name, "name"));
    let place = name.as_ref().map_or(place, |name| name.place.clone());

    let mut seen = Seen::new();
    let mut addresses = |given: Option<Placed<Texts>>, key: &str, faults: &mut Faults<'_>| {
        if let Some(given) = &given {
            faults.not_empty(given, key, "[\"192.168.1.10\"]");
        }
        let given = given.map(|given| given.value).unwrap_or_default();
        given.iter().filter_map(|server| self::server(server, key, own, &mut seen, faults)).collect()
    };
    let servers: Vec<SocketAddr> = addresses(servers, "servers", faults);
    let backups: Vec<SocketAddr> = addresses(backup, "backup", faults);

    let sources = sources(source, &servers, &backups, faults);
    let (try_timeout, deadline) = timeouts(try_timeout, deadline, faults);
    let max_qps = match faults.count(max_qps, &Limits::of("max-qps", 10, 10_000_000)) {
        Some(limit) => MaxQps::Own(limit as u32),
        None if servers.iter().chain(&backups).any(is_amazon_provided) => MaxQps::AmazonProvidedDns,
        None => MaxQps::Unlimited,
    };
    let in_flight = Limits::of("max-in-flight", 10, 30_000);
    Upstream {
        name: name.map(|name| name.value).unwrap_or_default(),
        servers,
        backups,
        balance: balance
            .and_then(|balance| faults.word(&balance, "balance", &BALANCES))
            .unwrap_or(Balance::RoundRobin),
        source_v4: sources.iter().find_map(|source| match source {
            IpAddr::V4(source) => Some(*source),
            IpAddr::V6(_) => None,
        }),
        source_v6: sources.iter().find_map(|source| match source {
            IpAddr::V6(source) => Some(*source),
            IpAddr::V4(_) => None,
        }),
        try_timeout,
        deadline,
        max_qps,
        max_in_flight: faults.count(max_in_flight, &in_flight).map_or(MAX_IN_FLIGHT, |most| most as u32),
        // Servers that do not know an option ignore it (RFC 6891 §6.1.2), as Windows DNS and AmazonProvidedDNS do; dig
        // sends this one to every server that it asks. Those that fail on it are found out and spared it.
        cookies: cookies.is_none_or(|given| given.value),
        health_check: health_check_of(health_check, faults),
        place,
    }
}

fn server(
    given: &Placed<String>,
    key: &str,
    own: &[SocketAddr],
    seen: &mut Seen<SocketAddr>,
    faults: &mut Faults<'_>,
) -> Option<SocketAddr> {
    let address = faults.socket(given, key, Port::Dns)?;
    let place = &given.place;
    if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
        faults.push(Diagnostic::error(place, format!("{address} is nobody's address")));
        return None;
    }
    if let Some(ours) = own.iter().find(|ours| is_ours(**ours, address)) {
        faults.push(
            Diagnostic::error(place, format!("this server would forward to itself: it listens on {ours}"))
                .with_hint("name the server that knows the answer, or change `dns` in [listen]"),
        );
    }
    seen.insert(address, place, faults, |address| format!("{address} is a server of this upstream already"));
    Some(address)
}

/// The resolver of every VPC, at the addresses that it has in all of them. It answers at its network's base address and
/// two as well, which nobody can tell from the address alone.
fn is_amazon_provided(server: &SocketAddr) -> bool {
    server.ip() == AMAZON_V4 || server.ip() == AMAZON_V6
}

/// Whether a query to `address` would arrive at our socket. Behind a wildcard only loopback is known for certain;
/// the other addresses of the machine are not written in its configuration.
fn is_ours(ours: SocketAddr, address: SocketAddr) -> bool {
    let (ours_ip, ip) = (ours.ip().to_canonical(), address.ip().to_canonical());
    let same_family = ours_ip.is_ipv4() == ip.is_ipv4();
    ours.port() == address.port()
        && (ours_ip == ip || (ours_ip.is_unspecified() && same_family && ip.is_loopback()))
}

/// At most one source address of each family, each of a family that has a server.
fn sources(
    given: Option<Placed<Texts>>,
    servers: &[SocketAddr],
    backups: &[SocketAddr],
    faults: &mut Faults<'_>,
) -> Vec<IpAddr> {
    let mut sources: Vec<(IpAddr, Place)> = Vec::new();
    for given in given.map(|given| given.value).unwrap_or_default() {
        let Placed { value: text, place } = given;
        let Ok(source) = text.parse::<IpAddr>() else {
            faults.push(Diagnostic::error(&place, format!("\"{text}\" is not an IP address")).with_hint(
                "a source is an address without a port, ports are drawn at random: \"10.150.20.20\"",
            ));
            continue;
        };
        if let Some((_, first)) = sources.iter().find(|(known, _)| known.is_ipv4() == source.is_ipv4()) {
            faults.push(
                Diagnostic::error(&place, "two source addresses of one family")
                    .with_note(first, "the first one is here"),
            );
        } else if !servers.iter().chain(backups).any(|server| server.is_ipv4() == source.is_ipv4())
            && !servers.is_empty()
        {
            let family = if source.is_ipv4() { "IPv4" } else { "IPv6" };
            let message =
                format!("this source is never used: no server of this upstream has an {family} address");
            faults.push(Diagnostic::warning(&place, message));
        }
        sources.push((source, place));
    }
    sources.into_iter().map(|(source, _)| source).collect()
}

fn timeouts(
    try_timeout: Option<Placed<String>>,
    deadline: Option<Placed<String>>,
    faults: &mut Faults<'_>,
) -> (Duration, Duration) {
    let limits = |key| Limits::of(key, Duration::from_millis(10), Duration::from_secs(30));
    let try_place = try_timeout.as_ref().map(|given| given.place.clone());
    let deadline = faults.duration(deadline, &limits("deadline")).unwrap_or(DEADLINE);
    let try_timeout =
        faults.duration(try_timeout, &limits("try-timeout")).unwrap_or(TRY_TIMEOUT.min(deadline));
    if let Some(place) = try_place
        && try_timeout > deadline
    {
        let message = format!("one try may take {try_timeout:?}, but all tries together {deadline:?}");
        faults.push(
            Diagnostic::warning(&place, message)
                .with_hint("a second server is asked only if `try-timeout` is well below `deadline`"),
        );
    }
    (try_timeout, deadline)
}

fn health_check_of(given: Option<Placed<HealthCheckSpec>>, faults: &mut Faults<'_>) -> Option<HealthCheck> {
    let mut check = HealthCheck {
        qname: ".".to_owned(),
        qtype: "NS".to_owned(),
        interval: Duration::from_secs(5),
        fall: 3,
        rise: 2,
    };
    let probe = match given {
        None => return Some(check),
        Some(Placed { value: HealthCheckSpec::Probe(probe), .. }) => probe,
        Some(Placed { value: HealthCheckSpec::Word(word), place }) => {
            faults.word(&Placed { value: word, place }, "health-check", &[("off", ())]);
            return None;
        }
    };
    let ProbeSpec { query, interval, fall, rise } = probe;
    if let Some(query) = query {
        (check.qname, check.qtype) = question(&query, faults);
    }
    let limits = Limits::of("interval", Duration::from_millis(100), Duration::from_secs(3_600));
    check.interval = faults.duration(interval, &limits).unwrap_or(check.interval);
    let mut times = |given, key, default: u32| {
        faults.count(given, &Limits::of(key, 1, 100)).map_or(default, |times| times as u32)
    };
    check.fall = times(fall, "fall", check.fall);
    check.rise = times(rise, "rise", check.rise);
    Some(check)
}

/// `technova.local SOA`
fn question(given: &Placed<String>, faults: &mut Faults<'_>) -> (String, String) {
    let mut words = given.value.split_whitespace();
    let (Some(name), Some(qtype), None) = (words.next(), words.next(), words.next()) else {
        faults.push(
            Diagnostic::error(&given.place, "a health check asks for a name and a type")
                .with_hint("write query = \"technova.local SOA\""),
        );
        return (".".to_owned(), "NS".to_owned());
    };
    let qname = domain::parse(name).unwrap_or_else(|fault| {
        let domain::DomainFault { message, hint } = fault;
        let diagnostic = Diagnostic::error(&given.place, format!("\"{name}\": {message}"));
        faults.push(Diagnostic { hint, ..diagnostic });
        ".".to_owned()
    });
    let qtype = qtype.to_ascii_uppercase();
    // RFC 3597 §5: a type without a mnemonic is written TYPE and its number.
    let is_numbered = qtype.strip_prefix("TYPE").is_some_and(|number| number.parse::<u16>().is_ok());
    if !is_numbered && qtype.parse::<RecordType>().is_err() {
        faults.push(
            Diagnostic::error(&given.place, format!("there is no record type `{qtype}`")).with_hint(
                "SOA and NS of a zone that the server holds are good questions; TYPE65 also works",
            ),
        );
    }
    (qname, qtype)
}
