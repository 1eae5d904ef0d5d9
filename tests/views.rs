//! The one bug that leaks data: what was found for one view shown in another. Random networks, routes, zones and
//! upstreams with CNAME chains across all of them; a worker whose caches are warm from every client's questions must
//! answer each client exactly as a model says that knows no cache and none of the street's code.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::option_option)]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kakehashi::query::{Now, Path, Transport};
use kakehashi::server::testing::{Street, street};
use kakehashi::wire::build::{Plan, build};
use kakehashi::wire::message::Message;
use kakehashi::wire::{Name, RType, RecordRef, Records, Request, flag, request::Parsed};
use proptest::prelude::*;

const NAMES: &[&str] = &[
    "a.test1",
    "b.test1",
    "c.b.test1",
    "d.b.test1",
    "a.test2",
    "b.a.test2",
    "c.b.a.test2",
    "x.test3",
    "y.x.test3",
    "test1",
];
const DOMAINS: &[&str] = &[".", "test1", "b.test1", "test2", "a.test2", "b.a.test2", "test3", "x.test3"];
const GROUPS: &[&str] = &["red", "green", "blue"];

#[derive(Debug, Clone)]
struct RouteCase {
    domain: usize,
    outside: Option<usize>,
    groups: BTreeSet<usize>,
    fall_through: bool,
    /// For each name: nothing, an address, or an alias.
    content: Vec<Option<Option<usize>>>,
}

#[derive(Debug, Clone)]
struct Case {
    routes: Vec<RouteCase>,
    upstreams: Vec<Vec<Option<Option<usize>>>>,
    questions: Vec<(usize, usize, bool)>,
}

fn content() -> impl Strategy<Value = Vec<Option<Option<usize>>>> {
    prop::collection::vec(prop::option::of(prop::option::weighted(0.6, 0..NAMES.len())), NAMES.len())
}

fn case() -> impl Strategy<Value = Case> {
    let route = (
        0..DOMAINS.len(),
        prop::option::of(0..2usize),
        prop::collection::btree_set(0..3usize, 1..3),
        any::<bool>(),
        content(),
    )
        .prop_map(|(domain, outside, groups, fall_through, content)| RouteCase {
            domain,
            outside,
            groups,
            fall_through,
            content,
        });
    (
        prop::collection::vec(route, 1..8),
        prop::collection::vec(content(), 2),
        prop::collection::vec((0..3usize, 0..NAMES.len(), any::<bool>()), 1..30),
    )
        .prop_map(|(routes, upstreams, questions)| Case { routes, upstreams, questions })
}

/// A recursive server that knows a few names and follows its own aliases, as real ones do.
struct Upstream {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Upstream {
    fn start(number: usize, content: Vec<Option<Option<usize>>>) -> Upstream {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let Parsed::Query(request) = Request::parse(&buffer[..length]) else { continue };
                let _ = socket.send_to(&recursive_answer(number, &content, &request), from);
            }
        });
        Upstream { address, stop, thread: Some(thread) }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn recursive_answer(number: usize, content: &[Option<Option<usize>>], request: &Request<'_>) -> Vec<u8> {
    let (mut answer, none) = (Records::new(), Records::new());
    let mut authority = Records::new();
    let mut at = NAMES.iter().position(|name| name.parse::<Name>().unwrap().as_ref() == request.qname);
    let mut rcode = 3;
    for _ in 0..12 {
        let Some(known) = at.and_then(|at| content[at]) else { break };
        let owner: Name = NAMES[at.unwrap()].parse().unwrap();
        rcode = 0;
        match known {
            Some(alias) => {
                let target: Name = NAMES[alias].parse().unwrap();
                answer.push(RecordRef {
                    owner: owner.as_ref(),
                    rtype: RType::CNAME,
                    class: 1,
                    ttl: 60,
                    rdata: target.wire(),
                });
                at = Some(alias);
                rcode = 3;
            }
            None => {
                let rdata = [100, 64, number as u8, at.unwrap() as u8];
                answer.push(RecordRef {
                    owner: owner.as_ref(),
                    rtype: RType::A,
                    class: 1,
                    ttl: 60,
                    rdata: &rdata,
                });
                break;
            }
        }
    }
    if rcode == 3 {
        let soa = [&[0, 0][..], &[0; 16], &60u32.to_be_bytes()].concat();
        let root = Name::root();
        authority.push(RecordRef { owner: root.as_ref(), rtype: RType::SOA, class: 1, ttl: 60, rdata: &soa });
    }
    let (mut out, mut ttls) = (Vec::new(), Vec::new());
    let plan = Plan {
        id: request.id,
        flags: flag::QR | flag::RD | flag::RA,
        rcode,
        question: request.question(),
        answer: &answer,
        authority: &authority,
        additional: &none,
        opt: None,
        limit: 1232,
    };
    build(&plan, &mut out, &mut ttls);
    out
}

fn configuration(case: &Case, folder: &FilePath, upstreams: &[Upstream]) -> String {
    let mut text = String::from("special-use-names = false\n[node]\nid = \"t\"\n");
    for (n, group) in GROUPS.iter().enumerate() {
        text += &format!(
            "[[network]]\nname = \"net-{group}\"\ncidr = [\"10.{n}.0.0/16\"]\ngroups = [\"{group}\"]\n"
        );
    }
    for (n, upstream) in upstreams.iter().enumerate() {
        text += &format!(
            "[[upstream]]\nname = \"up{n}\"\nservers = [\"{}\"]\nhealth-check = \"off\"\n",
            upstream.address
        );
    }
    for (n, route) in case.routes.iter().enumerate() {
        let visible: Vec<String> = route.groups.iter().map(|g| format!("\"{}\"", GROUPS[*g])).collect();
        let common = format!(
            "name = \"r{n}\"\ndomain = \"{}\"\nvisible-to = [{}]\nfall-through = {}\nacknowledge = [\"overlap\", \"shadowed\"]\n",
            DOMAINS[route.domain],
            visible.join(", "),
            route.fall_through
        );
        if let Some(upstream) = route.outside {
            text += &format!("[[rule]]\n{common}forward = \"up{upstream}\"\n");
        } else {
            let file = folder.join(format!("r{n}.zone"));
            std::fs::write(&file, zone(n, route)).unwrap();
            text += &format!("[[zone]]\n{common}file = \"{}\"\n", file.display());
        }
    }
    text
}

fn zone(number: usize, route: &RouteCase) -> String {
    let origin: Name = DOMAINS[route.domain].parse().unwrap();
    let mut text = format!("$ORIGIN {origin}\n@ 60 IN SOA ns. root. 1 60 60 60 60\n@ 60 IN NS ns.\n");
    for (at, name) in NAMES.iter().enumerate() {
        let owner: Name = name.parse().unwrap();
        if !owner.as_ref().is_under(origin.as_ref()) {
            continue;
        }
        match route.content[at] {
            Some(Some(alias)) if owner != origin => {
                text += &format!("{owner} 60 IN CNAME {}.\n", NAMES[alias]);
            }
            Some(_) => text += &format!("{owner} 60 IN A 100.65.{number}.{at}\n"),
            None => {}
        }
    }
    text
}

/// What a client must see, worked out from the case alone: no cache, no upstream, no code of the street. `None` of a name's
/// content is nothing, `Some(None)` an address, `Some(Some(alias))` an alias.
fn expected(case: &Case, client: usize, qname: usize) -> Seen {
    let mut records = BTreeSet::new();
    let mut asked = vec![qname];
    loop {
        let at = asked[asked.len() - 1];
        match layers(case, client, at) {
            Some(Layer::Alias(target)) => {
                let rdata = NAMES[target].parse::<Name>().unwrap().wire().to_vec();
                records.insert((format!("{}.", NAMES[at]), RType::CNAME, rdata));
                if asked.contains(&target) {
                    return (2, BTreeSet::new());
                }
                asked.push(target);
            }
            Some(Layer::Address(rdata)) => {
                records.insert((format!("{}.", NAMES[at]), RType::A, rdata.to_vec()));
                return (0, records);
            }
            Some(Layer::NoData) => return (0, records),
            Some(Layer::NxDomain) => return (3, records),
            None if asked.len() == 1 => return (5, records),
            None => return (0, records),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Layer {
    Address([u8; 4]),
    Alias(usize),
    NoData,
    NxDomain,
}

/// The first layer that has the name, of those that the client sees; `None` if it sees none.
fn layers(case: &Case, client: usize, at: usize) -> Option<Layer> {
    let name: Name = NAMES[at].parse().unwrap();
    let origin = |route: &RouteCase| DOMAINS[route.domain].parse::<Name>().unwrap();
    let mut routes: Vec<(usize, &RouteCase)> = case
        .routes
        .iter()
        .enumerate()
        .filter(|(_, route)| route.groups.contains(&client) && name.as_ref().is_under(origin(route).as_ref()))
        .collect();
    routes.sort_by_key(|(n, route)| {
        (std::cmp::Reverse(origin(route).as_ref().label_count()), route.outside.is_some(), *n)
    });
    let mut negative = None;
    for (n, route) in routes {
        let layer = match route.outside {
            Some(upstream) => match case.upstreams[upstream][at] {
                None => Layer::NxDomain,
                Some(None) => Layer::Address([100, 64, upstream as u8, at as u8]),
                Some(Some(alias)) => Layer::Alias(alias),
            },
            None => in_zone(n, route, &origin(route), at),
        };
        if !matches!(layer, Layer::NoData | Layer::NxDomain) {
            return Some(layer);
        }
        negative = Some(if negative == Some(Layer::NoData) { Layer::NoData } else { layer });
        if !route.fall_through {
            break;
        }
    }
    negative
}

fn in_zone(number: usize, route: &RouteCase, origin: &Name, at: usize) -> Layer {
    let name: Name = NAMES[at].parse().unwrap();
    let is_below = |other: &Name| *other != name && other.as_ref().is_under(name.as_ref());
    match route.content[at] {
        Some(Some(alias)) if name != *origin => Layer::Alias(alias),
        Some(_) => Layer::Address([100, 65, number as u8, at as u8]),
        // The apex has SOA and NS; a name with names below it exists for their sake.
        None if name == *origin => Layer::NoData,
        None => {
            let mut others = (0..NAMES.len()).filter(|n| route.content[*n].is_some());
            if others.any(|n| is_below(&NAMES[n].parse().unwrap())) { Layer::NoData } else { Layer::NxDomain }
        }
    }
}

/// RCODE and records without their TTLs, which count down.
type Seen = (u16, BTreeSet<(String, RType, Vec<u8>)>);

fn ask(street: &Street, now: Now, client: usize, name: &str, dnssec_ok: bool) -> Seen {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(name.parse::<Name>().unwrap().wire());
    packet.extend_from_slice(&[
        0,
        1,
        0,
        1,
        0,
        0,
        41,
        4,
        208,
        0,
        0,
        if dnssec_ok { 0x80 } else { 0 },
        0,
        0,
        0,
    ]);
    let path = Path {
        client: SocketAddr::from(([10, client as u8, 0, 1], 4000)),
        local: SocketAddr::from(([127, 0, 0, 1], 53)),
        transport: Transport::Udp,
    };
    let out = street.send(&packet, &path, now).expect("an answer");
    let message = Message::parse(&out).unwrap();
    let records = message.answer.iter().map(|r| (r.owner.to_string(), r.rtype, r.rdata.to_vec())).collect();
    (message.rcode, records)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 400, ..ProptestConfig::default() })]
    #[test]
    fn every_client_is_answered_as_its_own_routes_say_whatever_others_asked_before(case in case()) {
        let folder = tempfile::tempdir().unwrap();
        let upstreams: Vec<Upstream> =
            case.upstreams.iter().enumerate().map(|(n, content)| Upstream::start(n, content.clone())).collect();
        let text = configuration(&case, folder.path(), &upstreams);
        let street = street(&text, folder.path());
        let now = Now { monotonic: Duration::from_secs(1), unix_micros: 0 };
        for (client, name, dnssec_ok) in &case.questions {
            let got = ask(&street, now, *client, NAMES[*name], *dnssec_ok);
            let expected = expected(&case, *client, *name);
            prop_assert_eq!(&got, &expected, "client {} asks {}\n{}", client, NAMES[*name], text);
            // Private addresses of a zone are seen only by those to whom some route of it is visible.
            for (_, rtype, rdata) in &got.1 {
                if *rtype == RType::A && rdata[1] == 65 {
                    prop_assert!(case.routes[usize::from(rdata[2])].groups.contains(client));
                }
            }
        }
    }
}
