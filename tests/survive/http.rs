//! The HTTP port under those who would use it against DNS.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::cases::family;
use crate::load::{Load, Outcome};
use crate::packet::KNOWN;
use crate::report::{row, share, strict, within};
use crate::wait;
use crate::world::World;

family! { http:
    a_gigabyte_sent_to_it_is_not_taken;
    a_thousand_scrapes_at_once_do_not_slow_dns;
}

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 9, 0, 1));
const GIGABYTE: usize = 1 << 30;
const SCRAPES: usize = 1000;
/// By how much memory may grow.
const GROWTH: u64 = 5 << 20;

/// DNS as its clients see it for a while.
fn dns(world: &World, time: Duration) -> Outcome {
    Load::run(CLIENT, world.dns(), 1000, time, Box::new(|_| KNOWN.to_owned()))
}

/// Says what DNS and memory made of it: `before` alone, `during` beside it.
fn judge(what: &str, world: &World, rss: u64, before: &Outcome, during: &Outcome) {
    let grown = world.rss().saturating_sub(rss);
    row(format!("{what}: memory grown"), "≤ 5 MB", format!("{:.1} MB", grown as f64 / 1e6));
    assert!(grown <= GROWTH, "{grown}");
    share(&format!("{what}: DNS answers"), 1.0, during.share());
    within(&format!("{what}: p99 of DNS"), before.p99().mul_f64(1.2), during.p99());
}

/// Sends this head and a gigabyte; how many octets were taken, and what was said.
fn pour(address: SocketAddr, head: &str) -> (usize, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut taken = 0;
    let chunk = vec![b'x'; 64 << 10];
    if stream.write_all(head.as_bytes()).is_ok() {
        while taken < GIGABYTE && stream.write_all(&chunk).is_ok() {
            taken += chunk.len();
        }
    }
    let mut said = Vec::new();
    let _ = stream.take(4096).read_to_end(&mut said);
    (taken, String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned())
}

fn a_gigabyte_sent_to_it_is_not_taken() {
    let world = World::new("");
    world.server.page("/metrics");
    let before = dns(&world, Duration::from_secs(2));
    let rss = world.rss();
    let heads = [
        format!("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: {GIGABYTE}\r\n\r\n"),
        "POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n".to_owned(),
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: ".to_owned(),
        "GET /".to_owned(),
    ];
    let load = Load::start(CLIENT, world.dns(), 1000, Box::new(|_| KNOWN.to_owned()));
    let mut poured = Vec::new();
    while load.answered() < 2000 {
        poured.extend(heads.iter().map(|head| pour(world.server.http, head)));
        // The sender's own work is not what is measured.
        wait::beat(Instant::now() + Duration::from_millis(100));
    }
    let during = load.finish();
    let times = poured.len() / heads.len();
    let most = poured.iter().map(|(taken, _)| *taken).max().unwrap();
    let said: Vec<&str> = poured.iter().map(|(_, said)| said.get(9..12).unwrap_or("closed")).collect();
    let last = &said[said.len() - heads.len()..];
    row(
        "1 GB as a body, as chunks, as a header, as a path: octets taken of one, and the answers",
        "few",
        format!("{:.1} MB; {}; {times} times", most as f64 / 1e6, last.join(", ")),
    );
    // What the kernel's buffers hold is sent before anybody has read it.
    assert!(most <= 32 << 20, "{most}");
    assert!(said.iter().all(|code| !code.starts_with('2')), "{said:?}");
    judge("1 GB POST", &world, rss, &before, &during);
}

fn a_thousand_scrapes_at_once_do_not_slow_dns() {
    let world = World::new("");
    world.server.page("/metrics");
    let (mut before, mut during) = (Outcome::default(), Outcome::default());
    before.add(dns(&world, Duration::from_secs(2)));
    let rss = world.rss();
    during.add(while_scraped(&world));
    if strict() {
        // A p99 is what twenty answers of two seconds say, and a noisy machine has its moods: each gets its share of them.
        for _ in 0..3 {
            before.add(dns(&world, Duration::from_secs(5)));
            during.add(while_scraped(&world));
        }
    }
    judge("1,000 scrapes", &world, rss, &before, &during);
}

/// DNS as its clients see it while a thousand scrapes are served.
fn while_scraped(world: &World) -> Outcome {
    let load = Load::start(CLIENT, world.dns(), 1000, Box::new(|_| KNOWN.to_owned()));
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut streams: Vec<TcpStream> = (0..SCRAPES)
        .map(|_| {
            let mut stream = TcpStream::connect(world.server.http).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(request).unwrap();
            stream
        })
        .collect();
    let mut served = 0;
    for stream in &mut streams {
        let mut text = Vec::new();
        served += usize::from(stream.read_to_end(&mut text).is_ok() && text.starts_with(b"HTTP/1.1 200"));
    }
    let during = load.finish();
    row("1,000 scrapes at once: served", SCRAPES, served);
    assert_eq!(served, SCRAPES);
    during
}
