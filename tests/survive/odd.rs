//! Packets by the million that nobody should send: mutants of a few honest messages, the same in every run.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use crate::cases::family;
use crate::misbehaviour::wire;
use crate::net::Network;
use crate::packet::{KNOWN, Packet, cookie, exchange, opt};
use crate::peer::Upstream;
use crate::report::{row, within};
use crate::world::{CLIENT, World, forward};

family! { odd:
    ten_thousand_odd_packets_and_a_million_mutants_leave_no_trace;
}

/// As many as the public corpora hold, each made to be odd in one way.
const ODD: usize = 10_079;
/// Mutants, each odd in up to four ways.
const MUTANTS: usize = 1_000_000;
/// Packets between two looks whether the server still answers.
const BETWEEN: usize = 200;
/// The generator's start: another one is another million.
const SEED: u64 = 0x6b61_6b65_6861_7368;
/// Clients that send them.
const SOURCES: usize = 64;
/// By how much memory may grow.
const GROWTH: u64 = 5 << 20;

/// What the mutants are made of: queries and responses of all kinds that a server meets.
fn seeds() -> Vec<Vec<u8>> {
    let plain = |name: &str, qtype| Packet::new(name, qtype);
    let tsig = [&wire("key.test")[..], &[0, 250, 0, 255, 0, 0, 0, 0, 0, 36], &wire("hmac-sha256"), &[0; 23]]
        .concat();
    let update = [&wire("a.technova.internal")[..], &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 9]].concat();
    let answer = [&[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4][..], &[10, 0, 0, 9]].concat();
    let counted =
        |packet: Packet, counts, tail: &[u8]| Packet { counts: Some(counts), tail: tail.to_vec(), ..packet };
    let option = |code: u8, value: &[u8]| [&[0, code, 0, value.len() as u8], value].concat();
    let subnet = option(8, &[0, 1, 24, 0, 10, 0, 30]);
    let options =
        [option(3, &[]), cookie(&[1; 8]), subnet, option(12, &[0; 32]), option(15, &[0, 3, b'x'])].concat();
    let packets = [
        plain(KNOWN, 1),
        plain(KNOWN, 28),
        plain("technova.internal", 6).opt(0, &[]),
        plain("a.b.c.d.e.technova.internal", 33).opt(0, &options),
        plain("nothing.technova.internal", 255).opt(0, &cookie(&[1; 24])),
        plain("1.0.0.10.in-addr.arpa", 12),
        plain("version.bind", 16),
        plain("x.bad.test", 1).opt(0, &[]),
        plain("", 2),
        plain("technova.internal", 252),
        Packet { additional: vec![opt(0, &[]), tsig], ..plain(KNOWN, 1) },
        counted(plain("technova.internal", 6).opcode(5), [1, 0, 1, 0], &update),
        counted(plain("technova.internal", 6).opcode(4), [1, 1, 0, 0], &answer),
        counted(Packet { flags: 0x8180, ..plain(KNOWN, 1) }, [1, 1, 0, 0], &answer),
        plain(&vec!["abcdefghi"; 25].join("."), 1),
        plain(&vec!["a"; 126].join("."), 1).opt(0, &options),
    ];
    packets.iter().map(|packet| packet.bytes(7)).collect()
}

/// Changes one thing of a message.
fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut fastrand::Rng) {
    let at = random.usize(..bytes.len().max(1));
    let interesting = [0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF];
    match random.u8(..10) {
        0 => bytes.truncate(at),
        1 => bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(at)),
        2 | 3 => bytes.get_mut(at).into_iter().for_each(|octet| *octet ^= 1 << random.u8(..8)),
        4 => bytes.get_mut(at).into_iter().for_each(|octet| *octet = random.u8(..)),
        5 => bytes.get_mut(at).into_iter().for_each(|octet| *octet = interesting[random.usize(..8)]),
        6 => bytes
            .get_mut(random.usize(4..12))
            .into_iter()
            .for_each(|octet| *octet = interesting[random.usize(..8)]),
        7 => {
            // A pointer, wherever it points.
            let pointer = [0xC0 | random.u8(..2), random.u8(..)];
            bytes.get_mut(at..at + 2).into_iter().for_each(|octets| octets.copy_from_slice(&pointer));
        }
        8 => {
            let other = &seeds[random.usize(..seeds.len())];
            bytes.truncate(at);
            bytes.extend(&other[at.min(other.len())..]);
        }
        _ => bytes.drain(at..(at + random.usize(..8)).min(bytes.len())).for_each(drop),
    }
}

fn ten_thousand_odd_packets_and_a_million_mutants_leave_no_trace() {
    let upstream = Upstream::start();
    let world = World::new(&forward("bad", &[upstream.address], &["bad.test"]));
    let seeds = seeds();
    let mut random = fastrand::Rng::with_seed(SEED);
    let sockets: Vec<UdpSocket> = (0..SOURCES)
        .map(|nth| Network.udp(Ipv4Addr::new(127, 2, nth as u8, 1).into(), world.dns()).unwrap())
        .collect();
    let heart = Network.udp(CLIENT, world.dns()).unwrap();
    let mut slowest = Duration::ZERO;
    let begin = Instant::now();
    let (first, mut odd, mut full) = (world.rss(), 0, 0);
    for nth in 0..ODD + MUTANTS {
        let mut packet = seeds[nth % seeds.len()].clone();
        let changes = if nth < ODD { 1 } else { random.usize(1..=4) };
        (0..changes).for_each(|_| mutate(&mut packet, &seeds, &mut random));
        let socket = &sockets[nth % SOURCES];
        let _ = socket.send(&packet);
        if nth % BETWEEN == 0 {
            let asked = Instant::now();
            let reply = exchange(&heart, &Packet::new(KNOWN, 1).bytes(nth as u16));
            slowest = slowest.max(asked.elapsed());
            assert_eq!(reply[..2], (nth as u16).to_be_bytes(), "after packet {nth}");
            assert_eq!((reply[3] & 0xF, reply[7]), (0, 1), "after packet {nth}");
        }
        if nth == ODD {
            odd = world.rss();
        }
        // Among the mutants are honest questions for new names: by now they have filled the caches.
        if nth == ODD + MUTANTS / 5 {
            full = world.rss();
        }
    }
    let last = world.rss();
    let rate = (ODD + MUTANTS) as f64 / begin.elapsed().as_secs_f64();
    row("10,079 odd packets and 1,000,000 mutants: crashes", "0", format!("0, at {rate:.0} a second"));
    within("the longest that a good client waited meanwhile", Duration::from_millis(50), slowest);
    growth("memory grown by the odd packets", first, odd);
    growth("memory grown by 800,000 mutants, caches being full", full, last);
    world.server.terminate();
}

fn growth(what: &str, from: u64, to: u64) {
    let grown = to.saturating_sub(from);
    row(what, "≤ 5 MB", format!("{:.1} MB", grown as f64 / 1e6));
    assert!(grown <= GROWTH, "{what}: {grown}");
}
