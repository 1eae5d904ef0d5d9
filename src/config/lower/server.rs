//! The tables of which there is one: `[node]`, `[listen]`, `[cache]`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::path_of;
use super::value::{Faults, Limits, Port, Seen};
use crate::config::model::{Cache, CacheCaps, Listen, Node};
use crate::config::place::Placed;
use crate::config::spec::{CacheSpec, CapsSpec, ListenSpec, NodeSpec};
use crate::config::table::Single;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

type Given<T> = Option<Placed<Single<T>>>;

/// `[node]`
pub(super) fn node(given: Given<NodeSpec>, faults: &mut Faults<'_>) -> Node {
    let Some(Placed { value: Single(spec), .. }) = given else {
        return Node::default();
    };
    let NodeSpec { id, region } = spec;
    let mut text = |given: Option<Placed<String>>, key| given.map(|given| faults.name(given, key).value);
    Node { id: text(id, "id"), region: text(region, "region") }
}

/// `[listen]`
pub(super) fn listen(given: Given<ListenSpec>, faults: &mut Faults<'_>) -> Listen {
    let mut listen = Listen {
        dns: vec![
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53),
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 53),
        ],
        http: None,
        workers: None,
        udp_payload: 1232,
        tcp_idle_timeout: Duration::from_secs(10),
        tcp_message_timeout: Duration::from_secs(5),
        tcp_clients: 1_000,
        tcp_per_client: 100,
        tcp_pipeline: 64,
        max_in_flight: 10_000,
    };
    let Some(Placed { value: Single(spec), .. }) = given else {
        return listen;
    };
    let ListenSpec {
        dns,
        http,
        workers,
        udp_payload,
        tcp_idle_timeout,
        tcp_message_timeout,
        tcp_clients,
        tcp_per_client,
        tcp_pipeline,
        max_in_flight,
    } = spec;

    let mut taken = Seen::new();
    if let Some(dns) = dns {
        faults.not_empty(&dns, "dns", "[\"10.150.20.10:53\"]");
        listen.dns.clear();
        for given in &dns.value {
            if let Some(address) = faults.socket(given, "dns", Port::Dns) {
                take(&mut taken, address, given, faults);
                listen.dns.push(address);
            }
        }
    }
    if let Some(given) = http {
        listen.http = faults.socket(&given, "http", Port::Wanted);
        if let Some(address) = listen.http {
            take(&mut taken, address, &given, faults);
        }
    }

    let workers = faults.count(workers, &Limits::of("workers", 1, 1_024));
    listen.workers = workers.and_then(|workers| NonZeroUsize::new(workers as usize));
    let payload = Limits::of("udp-payload", 512, 4_096)
        .because(": 1232 avoids fragments on every path; above 1452 large answers are lost on some");
    set(&mut listen.udp_payload, faults.count(udp_payload, &payload).map(|octets| octets as u16));
    let idle = Limits::of("tcp-idle-timeout", Duration::from_millis(100), HOUR);
    set(&mut listen.tcp_idle_timeout, faults.duration(tcp_idle_timeout, &idle));
    let message = Limits::of("tcp-message-timeout", Duration::from_millis(100), Duration::from_secs(60));
    set(&mut listen.tcp_message_timeout, faults.duration(tcp_message_timeout, &message));
    let mut count = |field: &mut usize, given, key, most| {
        set(field, faults.count(given, &Limits::of(key, 1, most)).map(|count| count as usize));
    };
    count(&mut listen.tcp_clients, tcp_clients, "tcp-clients", 1_000_000);
    count(&mut listen.tcp_per_client, tcp_per_client, "tcp-per-client", 1_000_000);
    count(&mut listen.tcp_pipeline, tcp_pipeline, "tcp-pipeline", 65_535);
    count(&mut listen.max_in_flight, max_in_flight, "max-in-flight", 1_000_000);
    listen
}

/// An address can be listened on once; port 0 is a new port each time.
fn take(taken: &mut Seen<SocketAddr>, address: SocketAddr, given: &Placed<String>, faults: &mut Faults<'_>) {
    if address.port() != 0 {
        taken.insert(address, &given.place, faults, |address| format!("{address} is listened on twice"));
    }
}

/// `[cache]`
pub(super) fn cache(given: Given<CacheSpec>, faults: &mut Faults<'_>) -> Cache {
    let mut cache = Cache {
        size: 512 * MIB,
        answer_size: 16 * MIB,
        max_ttl: Duration::from_secs(300),
        max_negative_ttl: Duration::from_secs(60),
        failure_ttl: Duration::from_secs(2),
        serve_stale: HOUR,
        // RFC 8767 §5 recommends it.
        stale_after: Duration::from_millis(1_800),
        prefetch: true,
        snapshot: None,
    };
    let Some(Placed { value: Single(spec), .. }) = given else {
        return cache;
    };
    let CacheSpec {
        size,
        answer_size,
        max_ttl,
        max_negative_ttl,
        failure_ttl,
        serve_stale,
        stale_after,
        prefetch,
        snapshot,
    } = spec;
    set(&mut cache.size, faults.size(size, &Limits::of("size", 64 * KIB, TIB)));
    set(&mut cache.answer_size, faults.size(answer_size, &Limits::of("answer-size", 64 * KIB, TIB)));
    set(&mut cache.max_ttl, max_ttl_of(max_ttl, faults));
    set(&mut cache.max_negative_ttl, max_negative_ttl_of(max_negative_ttl, faults));
    set(&mut cache.failure_ttl, failure_ttl_of(failure_ttl, faults));
    cache.serve_stale = match serve_stale {
        None => cache.serve_stale,
        Some(given) if given.value == "off" => Duration::ZERO,
        given => {
            let limits = Limits::of("serve-stale", SECOND, WEEK).because(", or \"off\" (RFC 8767 §5)");
            faults.duration(given, &limits).unwrap_or(cache.serve_stale)
        }
    };
    let patience = Limits::of("stale-after", Duration::ZERO, 60 * SECOND);
    set(&mut cache.stale_after, faults.duration(stale_after, &patience));
    set(&mut cache.prefetch, prefetch.map(|given| given.value));
    cache.snapshot = snapshot.map(|given| path_of(&given));
    cache
}

/// `cache = { … }` of a rule: what it does not say, `[cache]` says.
pub(super) fn caps(given: Given<CapsSpec>, general: CacheCaps, faults: &mut Faults<'_>) -> CacheCaps {
    let Some(Placed { value: Single(spec), .. }) = given else {
        return general;
    };
    let CapsSpec { max_ttl, max_negative_ttl, failure_ttl } = spec;
    CacheCaps {
        max_ttl: max_ttl_of(max_ttl, faults).unwrap_or(general.max_ttl),
        max_negative_ttl: max_negative_ttl_of(max_negative_ttl, faults).unwrap_or(general.max_negative_ttl),
        failure_ttl: failure_ttl_of(failure_ttl, faults).unwrap_or(general.failure_ttl),
    }
}

fn max_ttl_of(given: Option<Placed<String>>, faults: &mut Faults<'_>) -> Option<Duration> {
    faults.duration(given, &Limits::of("max-ttl", SECOND, WEEK))
}

fn max_negative_ttl_of(given: Option<Placed<String>>, faults: &mut Faults<'_>) -> Option<Duration> {
    let limits = Limits::of("max-negative-ttl", SECOND, 3 * HOUR)
        .because(": longer, and a name that was just created stays unknown (RFC 2308 §5)");
    faults.duration(given, &limits)
}

fn failure_ttl_of(given: Option<Placed<String>>, faults: &mut Faults<'_>) -> Option<Duration> {
    let limits = Limits::of("failure-ttl", SECOND, 5 * SECOND)
        .because(": shorter floods a failing server (RFC 9520 §3.2), longer delays its return");
    faults.duration(given, &limits)
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}
