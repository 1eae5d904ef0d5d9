//! Clients by the thousand: what they ask costs them, and nobody else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::cases::family;
use crate::load::{Load, Outcome, ever_new, query, some};
use crate::net::Network;
use crate::packet::{Packet, cookie, cookie_of, exchange, exchange_within};
use crate::peer::{Mood, Upstream};
use crate::report::{at_most, grown_at_most, row, share, span, within};
use crate::world::{World, forward, forward_with};
use crate::{PATIENCE, wait};

family! { flood:
    five_hundred_clients_with_one_question_make_one_upstream_query;
    a_dead_domain_takes_nobody_elses_room;
    random_names_leave_the_cached_ones_alone;
    random_names_take_little_memory;
    more_names_than_the_cache_holds_leave_the_hot_ones_in_it;
    a_spoofed_network_is_not_flooded_with_answers;
    answers_held_back_do_not_come_as_a_pulse;
}

/// A client that does no harm.
fn good(nth: u8) -> IpAddr {
    Ipv4Addr::new(127, 6, nth, 1).into()
}

/// One that does.
fn bad(nth: u8) -> IpAddr {
    Ipv4Addr::new(127, 7, nth, 1).into()
}

const HOT: usize = 100;

/// Names that are in the cache.
fn warm(world: &World, domain: &'static str) {
    let outcome =
        Load::run(good(0), world.dns(), 500, Duration::from_millis(2 * HOT as u64), some(HOT, domain));
    assert!(outcome.good >= HOT, "{outcome:?}");
}

fn five_hundred_clients_with_one_question_make_one_upstream_query() {
    const CLIENTS: usize = 500;
    let upstream = Upstream::start();
    // Without a probe that shows how quick it usually is, the upstream may be silent for three quarters of a try before it is
    // asked once more. With one that answered at once, 200 ms of silence are enough, and its slow answers take as long.
    let keys = "health-check = \"off\"\ntry-timeout = \"4s\"\ndeadline = \"8s\"";
    let world = World::new(&forward_with("bad", &[upstream.address], &["bad.test"], keys));
    let socket = |nth: usize| {
        let source = Ipv4Addr::new(127, 6, (nth / 100) as u8, (nth % 100) as u8 + 1);
        let socket = Network.udp(source.into(), world.dns()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let clients: Vec<UdpSocket> = (0..CLIENTS).map(socket).collect();
    for (id, client) in (0..).zip(&clients) {
        client.send(&query(id, "new.slow.bad.test")).unwrap();
    }
    let answered = (0..).zip(&clients).filter(|(id, client): &(u16, _)| {
        let mut buffer = [0; 512];
        let length = client.recv(&mut buffer).unwrap();
        length > 12 && buffer[..2] == id.to_be_bytes() && buffer[7] == 1
    });
    let answered = answered.count();
    row("500 clients, one new question: answers", CLIENTS, answered);
    assert_eq!(answered, CLIENTS);
    at_most("upstream queries for it", 1, upstream.count("new.slow"));
}

fn a_dead_domain_takes_nobody_elses_room() {
    let upstream = Upstream::start();
    let world = World::new(&forward("both", &[upstream.address], &["dead.test", "live.test"]));
    warm(&world, "live.test");
    let flood = Load::start(bad(0), world.dns(), 3000, ever_new("black-hole.dead.test"));
    wait::until("the flood is refused or fails", PATIENCE, || (flood.answered() > 1000).then_some(()));
    let (live, cached) = beside(&world, Duration::from_secs(4));
    let flood = flood.finish();
    row("queries for a dead domain", "3,000 a second", format!("{} sent", flood.sent));
    share("names of a live domain of the same upstream", 0.999, live.share());
    within("their p99", Duration::from_millis(5), live.p99());
    share("cached names", 0.999, cached.share());
    within("their p99", Duration::from_millis(1), cached.p99());
}

/// New names and cached ones of the live domain, asked by two good clients.
fn beside(world: &World, time: Duration) -> (Outcome, Outcome) {
    let live = Load::start(good(1), world.dns(), 250, ever_new("new.live.test"));
    let cached = Load::run(good(2), world.dns(), 500, time, some(HOT, "live.test"));
    (live.finish(), cached)
}

/// Random subdomains for 8 s, and what became of the cached names meanwhile; by how much memory grew.
fn torture(beside: usize) -> (Outcome, Outcome, u64) {
    let upstream = Upstream::start();
    let world = World::new(&forward("both", &[upstream.address], &["live.test"]));
    warm(&world, "live.test");
    let before = world.rss();
    let flood = Load::start(bad(0), world.dns(), 6000, ever_new("nxdomain.live.test"));
    let cached = Load::run(good(1), world.dns(), beside, Duration::from_secs(8), some(HOT, "live.test"));
    (flood.finish(), cached, world.rss().saturating_sub(before))
}

fn random_names_leave_the_cached_ones_alone() {
    let (flood, cached, _) = torture(500);
    let came = format!("{} sent, {} answered", flood.sent, flood.took.len());
    row("random subdomains", "6,000 a second", came);
    share("cached names meanwhile", 1.0, cached.share());
    within("their p99", Duration::from_micros(1200), cached.p99());
}

fn random_names_take_little_memory() {
    let (flood, _, grown) = torture(10);
    let what = format!("memory grown by {} random subdomains", flood.sent);
    grown_at_most(&what, 6_000_000, grown);
}

/// Many times what a cache of 64 MiB holds.
const NAMES: usize = 5_000_000;

fn more_names_than_the_cache_holds_leave_the_hot_ones_in_it() {
    const CAP: u64 = 64 << 20;
    const SENDERS: usize = 4;
    const WINDOW: usize = 64;
    let upstream = Upstream::start();
    let tables = forward("both", &[upstream.address], &["live.test"]) + "[cache]\nsize = \"64MiB\"\n";
    let world = World::edited(&tables, &[("[query-log]\nto = ", "[query-log]\nto = \"off\" # ")]);
    warm(&world, "live.test");
    upstream.remember_only("hot");
    upstream.be(Mood::Honest);
    let base = world.rss();
    let dns = world.dns();
    let (begin, known) = (Instant::now(), upstream.count("hot"));
    let hot = Load::start(good(1), dns, 500, some(HOT, "live.test"));
    let answered: usize = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| scope.spawn(move || storm(bad(sender as u8), dns, sender, NAMES / SENDERS, WINDOW)))
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    let (grown, hot) = (world.rss().saturating_sub(base), hot.finish());
    let missed = upstream.count("hot") - known;
    row("different names", NAMES, format!("{answered} answered in {}", span(begin.elapsed())));
    assert!(answered * 100 >= NAMES * 99, "{answered}");
    row("memory, of 64 MiB", "≤ 1.2 × and base", format!("{:.2} ×", grown as f64 / CAP as f64));
    assert!(grown as f64 <= 1.2 * CAP as f64, "{grown}");
    share("hot names still in the cache", 0.99, 1.0 - missed as f64 / hot.sent as f64);
    share("hot names answered", 0.999, hot.share());
}

/// Asks for so many names of its own, so many at a time; how many were answered.
fn storm(source: IpAddr, server: SocketAddr, sender: usize, names: usize, window: usize) -> usize {
    let socket = Network.udp(source, server).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut sent, mut received, mut lost) = (0, 0, 0);
    let mut buffer = [0; 512];
    // Of all queries only the ID and the digits of the name differ.
    let mut packet = query(0, &format!("s{sender}n0000000.live.test"));
    while sent < names || received + lost < sent {
        while sent < names && sent - received - lost < window {
            packet[..2].copy_from_slice(&(sent as u16).to_be_bytes());
            write_digits(&mut packet[16..23], sent);
            let _ = socket.send(&packet);
            sent += 1;
        }
        match socket.recv(&mut buffer) {
            Ok(_) => received += 1,
            Err(_) => lost = sent - received,
        }
    }
    received
}

/// Writes a number to the end of this text, over zeros or a smaller number.
fn write_digits(text: &mut [u8], mut number: usize) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn a_spoofed_network_is_not_flooded_with_answers() {
    let upstream = Upstream::start();
    // A network whose sources may be forged has the limits of [clients]; those of its own have none.
    let outside =
        "[[network]]\nname = \"outside\"\ncidr = [\"127.8.0.0/16\"]\ngroups = [\"vpc\"]\nlimit = true\n";
    let world = World::new(&(forward("both", &[upstream.address], &["live.test"]) + outside));
    warm(&world, "live.test");
    // All of one /24, as if they were one victim's; the same answer, and more of them than any client needs.
    let victims: Vec<Load> = (1..=10)
        .map(|host| {
            Load::start(Ipv4Addr::new(127, 8, 0, host).into(), world.dns(), 500, some(1, "big.live.test"))
        })
        .collect();
    wait::until("the flood is on", PATIENCE, || {
        victims.iter().any(|load| load.answered() > 200).then_some(())
    });
    // One of that network that has shown a cookie is there, and not spoofed.
    let honest = Network.udp(Ipv4Addr::new(127, 8, 0, 99).into(), world.dns()).unwrap();
    // Beyond the limit some queries are met with silence, so it asks until it has one, as a resolver does.
    let unproven = Packet::new("hot0.live.test", 1).opt(0, &cookie(&[5; 8])).bytes(1);
    let first = (0..50).find_map(|_| exchange_within(&honest, &unproven, Duration::from_millis(200)));
    let first = first.expect("one of fifty queries is answered");
    let full = cookie_of(&first).expect("a cookie is answered with a cookie");
    let good = (0..200_u16).filter(|id| {
        let reply = exchange(&honest, &Packet::new("hot0.live.test", 1).opt(0, &cookie(&full)).bytes(*id));
        reply[7] == 1
    });
    let good = good.count();
    let other = Load::run(self::good(1), world.dns(), 100, Duration::from_secs(2), some(HOT, "live.test"));
    let outcomes: Vec<Outcome> = victims.into_iter().map(Load::finish).collect();
    let (sent, answered) =
        outcomes.iter().fold((0, 0), |(s, a), outcome| (s + outcome.sent, a + outcome.good));
    row(
        "5,000 queries a second that seem to come from one /24",
        "TC or nothing beyond the limit",
        format!("{answered} of {sent} answered whole"),
    );
    assert!(answered * 20 < sent, "{answered} of {sent}");
    share("one of them with a cookie", 1.0, good as f64 / 200.0);
    share("another network", 1.0, other.share());
}

/// Queries trickle in while the upstream holds its answers; then it answers all at once. The pulse is what the victim gets
/// in its busiest tenth of a second, beside what the attacker sends in that time.
fn answers_held_back_do_not_come_as_a_pulse() {
    const RATE: usize = 400;
    let upstream = Upstream::start();
    let world = World::new(&forward("both", &[upstream.address], &["live.test"]));
    upstream.be(Mood::Holding);
    let victim = Load::start(bad(0), world.dns(), RATE, ever_new("big.live.test"));
    wait::beat(Instant::now() + Duration::from_millis(1300));
    upstream.be(Mood::Scripted);
    wait::beat(Instant::now() + Duration::from_millis(200));
    let outcome = victim.finish();
    let times = &outcome.good_at;
    let within = |from: usize| {
        times[from..].iter().take_while(|at| **at - times[from] < Duration::from_millis(100)).count()
    };
    let pulse = (0..times.len()).map(within).max().unwrap_or(0);
    let factor = pulse as f64 / (RATE as f64 / 10.0);
    row(
        "DNSBomb: answers in the busiest tenth of a second, to queries in one",
        "≤ 10 ×",
        format!("{factor:.1} ×"),
    );
    assert!(factor <= 10.0, "{factor}");
}
