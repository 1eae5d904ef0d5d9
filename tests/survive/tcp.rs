//! TCP: clients that connect and say nothing, clients that connect without end, and answers that overtake.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use crate::cases::family;
use crate::load::{Load, some};
use crate::net::Network;
use crate::packet::{KNOWN, Packet};
use crate::peer::Upstream;
use crate::report::{at_most, row, share, span, within};
use crate::world::{World, ask, forward, said_or_silence};
use crate::{PATIENCE, client, wait};

family! { tcp:
    silent_and_slow_clients_hold_up_nobody;
    twenty_thousand_connections_from_one_address_leave_room_for_another;
    a_slow_answer_does_not_hold_up_the_quick_ones_behind_it;
}

/// Of each kind.
const IDLERS: usize = 300;
/// What the default `tcp-idle-timeout` allows.
const IDLE: Duration = Duration::from_secs(10);
const GOOD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 5, 0, 1));

/// A client that keeps its connection.
struct Idler {
    stream: TcpStream,
    since: Instant,
    until: Option<Instant>,
}

impl Idler {
    /// Whether the server has ended the connection by now.
    fn look(&mut self) {
        if self.until.is_some() {
            return;
        }
        self.stream.set_nonblocking(true).unwrap();
        match self.stream.read(&mut [0; 16]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => self.until = Some(Instant::now()),
        }
    }
}

fn silent_and_slow_clients_hold_up_nobody() {
    let world = World::new("");
    let query = client::framed(&Packet::new(KNOWN, 1).bytes(7));
    let from = |nth: usize| IpAddr::V4(Ipv4Addr::new(127, 3, (nth / 50) as u8, 1));
    let connect = |nth| {
        let stream = Network.tcp(from(nth), world.dns(), PATIENCE).unwrap();
        Idler { stream, since: Instant::now(), until: None }
    };
    // The first half says nothing; the second sends an octet a second, and does not get far.
    let mut idlers: Vec<Idler> = (0..2 * IDLERS).map(connect).collect();
    let begin = Instant::now();
    let mut waits = Vec::new();
    for second in 0..12_usize {
        for idler in &mut idlers[IDLERS..] {
            let _ = idler.stream.write_all(&query[second..=second]);
        }
        for _ in 0..10 {
            let (reply, took) = ask(world.dns(), GOOD, KNOWN, "A+tcp");
            assert_eq!(said_or_silence(&reply), "A 10.150.20.10");
            waits.push(took);
            idlers.iter_mut().for_each(Idler::look);
        }
        wait::beat(begin + Duration::from_secs(second as u64 + 1));
        idlers.iter_mut().for_each(Idler::look);
    }
    let held = |idler: &Idler| idler.until.unwrap_or_else(Instant::now) - idler.since;
    let longest = idlers.iter().map(held).max().unwrap();
    let open = idlers.iter().filter(|idler| idler.until.is_none()).count();
    within(
        "300 silent TCP clients and 300 with an octet a second: a new client is answered",
        Duration::from_millis(50),
        *waits.iter().max().unwrap(),
    );
    row("the longest that one is held", "≤ 10 s", span(longest));
    at_most("connections of theirs left after 12 s", 0, open);
    assert!(longest < IDLE + Duration::from_millis(1500), "{longest:?}");
}

/// Takes as many descriptors as wanted, or as many as may be; root may take more than others.
fn descriptors(wanted: u64) -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_ok() {
        return wanted;
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    hard
}

/// Begins to connect; whether it is accepted is seen later.
fn knock(source: Ipv4Addr, server: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.set_nonblocking(true)?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(socket),
    }
}

fn twenty_thousand_connections_from_one_address_leave_room_for_another() {
    const MANY: usize = 20_000;
    let spare = 1000;
    let held = descriptors((MANY + spare) as u64) as usize - spare;
    let world = World::new("");
    let dns = world.dns();
    let begin = Instant::now();
    let (knocked, answers) = std::thread::scope(|scope| {
        let flood = scope.spawn(move || {
            let mut sockets: VecDeque<Socket> = VecDeque::new();
            let mut knocked = 0;
            for _ in 0..MANY {
                // Where there are fewer descriptors the oldest, which the server has long closed, makes room.
                if sockets.len() >= held {
                    sockets.pop_front();
                }
                let socket = knock(Ipv4Addr::new(127, 4, 0, 1), dns);
                knocked += usize::from(socket.is_ok());
                sockets.extend(socket.ok());
            }
            (knocked, sockets)
        });
        let mut answers: Vec<(bool, Duration)> = Vec::new();
        while !flood.is_finished() || answers.len() < 200 {
            let (reply, took) = ask(dns, GOOD, KNOWN, "A+tcp");
            answers.push((said_or_silence(&reply) == "A 10.150.20.10", took));
        }
        (flood.join().unwrap().0, answers)
    });
    let good = answers.iter().filter(|(good, _)| *good).count();
    let slowest = answers.iter().map(|(_, took)| *took).max().unwrap();
    row("connections from one address", MANY, format!("{knocked} in {}", span(begin.elapsed())));
    assert_eq!(knocked, MANY);
    share("another address over TCP meanwhile", 0.99, good as f64 / answers.len() as f64);
    row("its slowest answer", "–", span(slowest));
    let udp = Load::run(GOOD, dns, 500, Duration::from_secs(1), Box::new(|_| KNOWN.to_owned()));
    share("UDP meanwhile", 0.999, udp.share());
}

fn a_slow_answer_does_not_hold_up_the_quick_ones_behind_it() {
    let upstream = Upstream::start();
    let world = World::new(&forward("bad", &[upstream.address], &["bad.test"]));
    let warm = Load::run(GOOD, world.dns(), 100, Duration::from_millis(100), some(4, "bad.test"));
    assert!(warm.good > 0);
    let mut stream = Network.tcp(GOOD, world.dns(), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let names = ["late.slow.bad.test", "hot0.bad.test", KNOWN, "new.bad.test"];
    let queries: Vec<u8> =
        (0..).zip(names).flat_map(|(id, name)| client::framed(&Packet::new(name, 1).bytes(id))).collect();
    stream.write_all(&queries).unwrap();
    let order: Vec<u16> = (0..names.len())
        .map(|_| {
            let reply = client::read_framed(&mut stream).unwrap();
            assert_eq!((reply[3] & 0xF, reply[7]), (0, 1));
            u16::from_be_bytes([reply[0], reply[1]])
        })
        .collect();
    row("pipelined TCP queries, a slow one first", "it is answered last", format!("{order:?}"));
    assert_eq!(order.last(), Some(&0), "{order:?}");
}
