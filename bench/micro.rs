//! What the rooms cost, each alone: `bench/run micro`. Differences between two builds of one machine are what counts here.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use divan::Bencher;
use kakehashi::cache::answer::{AnswerCache, Client, Finished, Key, Origin, Ttl};
use kakehashi::cache::{Cached, ResponseCache, ResponseKey};
use kakehashi::detect::{Detector, Settings};
use kakehashi::query::{Directory, Response, Sighting, Source, Transport};
use kakehashi::route::table::{Caps, FallThrough, NetworkSpec, RouteSpec, RouteTable, Target, Visible};
use kakehashi::wire::build::{Opt, Plan, build};
use kakehashi::wire::message::Message;
use kakehashi::wire::request::Request;
use kakehashi::wire::{Name, RType, RecordRef, Records, patch};
use kakehashi::zone::{Zone, parse_text};

const LIFE: Duration = Duration::from_secs(300);

fn main() {
    divan::main();
}

/// A query for the `n`th name, type A, with EDNS.
fn query(n: usize) -> Vec<u8> {
    let mut packet = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(name(n).wire());
    packet.extend_from_slice(&[0, 1, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    packet
}

fn name(n: usize) -> Name {
    parsed(&format!("h{n:08x}.bench.example"))
}

fn parsed(text: &str) -> Name {
    text.parse().unwrap_or_else(|_| Name::root())
}

/// The question section of the `n`th query.
fn question(n: usize) -> Vec<u8> {
    [name(n).wire(), &[0, 1, 0, 1]].concat()
}

fn response(n: usize) -> Response {
    let owner = name(n);
    let mut answer = Records::default();
    answer.push(RecordRef {
        owner: owner.as_ref(),
        rtype: RType::A,
        class: 1,
        ttl: 300,
        rdata: &[192, 0, 2, 1],
    });
    Response { answer, ..Response::default() }
}

/// The finished answer to the `n`th query, and where its TTLs stand.
fn built(n: usize) -> (Vec<u8>, Vec<u16>) {
    let (mut wire, mut ttls) = (Vec::new(), Vec::new());
    let (question, response, none) = (question(n), response(n), Records::default());
    let opt = Opt { payload: 1232, flags: 0, nsid: None, cookie: None, ede: &[] };
    let plan = Plan {
        id: 1,
        flags: 0x8180,
        rcode: 0,
        question: &question,
        answer: &response.answer,
        authority: &none,
        additional: &none,
        opt: Some(opt),
        limit: 1232,
    };
    build(&plan, &mut wire, &mut ttls);
    (wire, ttls)
}

#[divan::bench]
fn wire_parse_query(bencher: Bencher<'_, '_>) {
    let packet = query(1);
    bencher.bench_local(|| {
        matches!(Request::parse(black_box(&packet)), kakehashi::wire::request::Parsed::Query(_))
    });
}

#[divan::bench]
fn wire_parse_response(bencher: Bencher<'_, '_>) {
    let (wire, _) = built(1);
    bencher.bench_local(|| Message::parse(black_box(&wire)));
}

#[divan::bench]
fn wire_build(bencher: Bencher<'_, '_>) {
    let (question, response, none) = (question(1), response(1), Records::default());
    let (mut out, mut ttls) = (Vec::new(), Vec::new());
    let plan = Plan {
        id: 1,
        flags: 0x8180,
        rcode: 0,
        question: &question,
        answer: &response.answer,
        authority: &none,
        additional: &none,
        opt: None,
        limit: 1232,
    };
    bencher.bench_local(|| build(black_box(&plan), &mut out, &mut ttls));
}

#[divan::bench]
fn wire_patch(bencher: Bencher<'_, '_>) {
    let ((mut wire, ttls), question) = (built(1), question(1));
    bencher.bench_local(|| {
        patch::address(black_box(&mut wire), 7, 0x0100, &question);
        patch::age(&mut wire, ttls.iter().copied(), 1);
    });
}

#[divan::bench(args = [10, 5_000])]
fn route_client(bencher: Bencher<'_, '_>, networks: u32) {
    let table = routes(networks, 10);
    let mut nth = 0;
    bencher.bench_local(|| {
        nth = (nth + 7919) % networks;
        table.client(black_box(IpAddr::from([10, (nth / 256) as u8, (nth % 256) as u8, 7])))
    });
}

#[divan::bench(args = [10, 100_000])]
fn route_candidates(bencher: Bencher<'_, '_>, count: usize) {
    let table = routes(10, count);
    let names: Vec<Name> = (0..1024).map(|n| parsed(&format!("www.r{}.example", n * 97 % count))).collect();
    let view = table.client(IpAddr::from([10, 0, 0, 7])).map_or(0, |client| client.view);
    let mut nth = 0;
    bencher.bench_local(|| {
        nth = (nth + 1) % names.len();
        table.candidates(view, black_box(names[nth].as_ref()))
    });
}

fn routes(networks: u32, routes: usize) -> RouteTable {
    let networks: Vec<NetworkSpec> = (0..networks)
        .map(|n| NetworkSpec {
            name: format!("n{n}"),
            groups: vec!["vpc".to_owned()],
            recursion: kakehashi::route::Recursion::Offered,
            prefixes: format!("10.{}.{}.0/24", n / 256, n % 256).parse().into_iter().collect(),
        })
        .collect();
    let specs = (0..routes).map(|n| RouteSpec {
        label: format!("r{n}"),
        domain: parsed(&format!("r{n}.example")),
        target: Target::Forward(0),
        visible: Visible::To(vec!["vpc".to_owned()]),
        fall_through: FallThrough::No,
        caps: Caps { max_ttl: LIFE, max_negative_ttl: LIFE, failure_ttl: LIFE },
        uid: n as u128,
    });
    RouteTable::new(&networks, specs.collect())
}

#[divan::bench(args = [1_000, 50_000])]
fn cache_answer_hit(bencher: Bencher<'_, '_>, entries: usize) {
    let mut cache = AnswerCache::new(64 << 20);
    let questions: Vec<Vec<u8>> = (0..entries).map(question).collect();
    for (n, question) in questions.iter().enumerate() {
        let (wire, ttls) = built(n);
        let origin = Origin { route: None, server: None, rcode: 0, ede: None };
        let finished = Finished {
            wire: &wire,
            ttls: &ttls,
            turn: None,
            ttl: Ttl::CountDown,
            least: LIFE,
            stamps: smallvec::SmallVec::new(),
            origin,
        };
        if let Some(key) = Key::new(0, 0, question) {
            cache.put(&key, Duration::ZERO, finished);
        }
    }
    let (mut nth, mut out) = (0, Vec::new());
    bencher.bench_local(|| {
        nth = (nth + 7919) % entries;
        let question = &questions[nth];
        let client = Client { id: 7, flags: 0x0100, limit: 1232 };
        let key = Key::new(0, 0, black_box(question))?;
        cache.get(&key, Duration::from_secs(1), client, &mut out)
    });
}

#[divan::bench(args = [1_000, 100_000])]
fn cache_response_get(bencher: Bencher<'_, '_>, entries: usize) {
    let cache = ResponseCache::new(1 << 30);
    let names: Vec<Name> = (0..entries).map(name).collect();
    for (n, name) in names.iter().enumerate() {
        let cached = Cached { outcome: Ok(response(n)), server: None, stored: Duration::ZERO, holds: LIFE };
        cache.put(&ResponseKey::new(1, 0, name.as_ref(), RType::A), &cached);
    }
    let mut nth = 0;
    bencher.bench_local(|| {
        nth = (nth + 7919) % entries;
        let key = ResponseKey::new(1, 0, black_box(names[nth].as_ref()), RType::A);
        cache.get(&key, Duration::from_secs(1))
    });
}

#[divan::bench(args = [10, 100_000])]
fn zone_lookup(bencher: Bencher<'_, '_>, names: usize) {
    let Some(zone) = zone(names) else { return };
    let asked: Vec<Name> = (0..names).map(name).collect();
    let mut nth = 0;
    bencher.bench_local(|| {
        nth = (nth + 7919) % names;
        zone.lookup(black_box(asked[nth].as_ref()), RType::A)
    });
}

#[divan::bench(args = [10, 100_000])]
fn zone_lookup_of_no_such_name(bencher: Bencher<'_, '_>, names: usize) {
    let Some(zone) = zone(names) else { return };
    let asked = parsed("nowhere.bench.example");
    bencher.bench_local(|| zone.lookup(black_box(asked.as_ref()), RType::A));
}

fn zone(names: usize) -> Option<Zone> {
    let mut text =
        String::from("$TTL 300\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n");
    text.extend((0..names).map(|n| format!("h{n:08x} A 192.0.2.1\n")));
    parse_text(&parsed("bench.example"), "bench.zone", &text).ok().map(|loaded| loaded.zone)
}

#[divan::bench]
fn detect_names_that_repeat(bencher: Bencher<'_, '_>) {
    detect(bencher, 1_000);
}

#[divan::bench]
fn detect_names_that_never_repeat(bencher: Bencher<'_, '_>) {
    detect(bencher, 1_000_000);
}

/// One look at an event of one of so many names, each asked for by one of 250 clients.
fn detect(bencher: Bencher<'_, '_>, names: usize) {
    let responses: Vec<Vec<u8>> = (0..names).map(|n| built(n).0).collect();
    let settings =
        Settings { detect: kakehashi::config::Detect::default(), exempt: Vec::new(), node: String::new() };
    let (mut detector, directory) = (Detector::new(settings), Directory::default());
    let mut nth = 0;
    bencher.bench_local(|| {
        nth = (nth + 7919) % names;
        let seen = Sighting {
            unix_micros: 1_700_000_000_000_000 + nth as u64 * 1_000,
            duration_micros: 10,
            client: IpAddr::from([10, 0, 30, (nth % 250) as u8]),
            port: 4_000,
            local: ([10, 150, 20, 10], 53).into(),
            query: &[],
            transport: Transport::Udp,
            network: None,
            view: None,
            route: None,
            server: None,
            source: Source::Forward,
            rcode: 0,
            dnssec_ok: false,
            checking_disabled: false,
            ede: None,
            response: &responses[nth],
        };
        detector.see(black_box(&seen), &directory);
        detector.take()
    });
}
