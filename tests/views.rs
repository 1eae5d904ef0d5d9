//! The one bug that leaks data: what was found for one view shown in another. Random networks, routes, zones and
//! upstreams with CNAME chains across all of them; a worker whose caches are warm from every client's questions must
//! answer each client exactly as one that has never seen another question.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::option_option)]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path as FilePath;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kakehashi::pipeline::Admit;
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
    for _ in 0..6 {
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
    let mut out = Vec::new();
    match street.worker.admit(&packet, &path, now, &mut out) {
        Admit::Reply => {}
        Admit::Drop => panic!("a query was dropped"),
        Admit::Resolve => {
            out = street.block_on(Rc::clone(&street.worker).resolve(packet.into(), path, now)).unwrap();
        }
    }
    let message = Message::parse(&out).unwrap();
    let records = message.answer.iter().map(|r| (r.owner.to_string(), r.rtype, r.rdata.to_vec())).collect();
    (message.rcode, records)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn a_warm_cache_answers_every_client_as_a_cold_one_does(case in case()) {
        let folder = tempfile::tempdir().unwrap();
        let upstreams: Vec<Upstream> =
            case.upstreams.iter().enumerate().map(|(n, content)| Upstream::start(n, content.clone())).collect();
        let text = configuration(&case, folder.path(), &upstreams);
        let warm = street(&text, folder.path());
        let now = Now { monotonic: Duration::from_secs(1), unix_micros: 0 };
        for (client, name, dnssec_ok) in &case.questions {
            let cold = street(&text, folder.path());
            let expected = ask(&cold, now, *client, NAMES[*name], *dnssec_ok);
            let got = ask(&warm, now, *client, NAMES[*name], *dnssec_ok);
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
