//! The loads of the table, and what one server costs under one of them.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::load::{self, Clients, Outcome, Pace, Until};
use super::ours::{Shape, VIEWS};
use super::peer::{Role, Server};
use super::process::datagrams_read;
use super::question::{Domain, Names, POPULAR, Questions, ZONE};
use super::reload;
use super::results::Figure;
use super::stand::{Running, WINDOW};
use super::stream;

/// A load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    Hot,
    Trickle,
    Tcp,
    NxForwarded,
    Mix,
    Miss,
    LogHot,
    LogMix,
    Views,
    ViewsMany,
    Steady,
    Reload,
    Auth,
    NxLocal,
}

/// How fast TRICKLE is, in queries a second, and how fast STEADY and RELOAD are.
const TRICKLE: u64 = 20_000;
const STEADY: u64 = 10_000;

impl Scenario {
    /// All: what is compared stands together, and what fills caches comes last.
    pub const ALL: [Scenario; 14] = [
        Scenario::Hot,
        Scenario::Views,
        Scenario::NxLocal,
        Scenario::LogHot,
        Scenario::Auth,
        Scenario::Trickle,
        Scenario::Tcp,
        Scenario::Mix,
        Scenario::LogMix,
        Scenario::Miss,
        Scenario::NxForwarded,
        Scenario::ViewsMany,
        Scenario::Steady,
        Scenario::Reload,
    ];

    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Hot => "HOT",
            Scenario::Trickle => "TRICKLE",
            Scenario::Tcp => "TCP",
            Scenario::NxForwarded => "NX forwarded",
            Scenario::Mix => "MIX",
            Scenario::Miss => "MISS",
            Scenario::LogHot => "LOG HOT",
            Scenario::LogMix => "LOG MIX",
            Scenario::Views => "VIEWS",
            Scenario::ViewsMany => "VIEWS 1M",
            Scenario::Steady => "STEADY",
            Scenario::Reload => "RELOAD",
            Scenario::Auth => "AUTH",
            Scenario::NxLocal => "NX local",
        }
    }

    /// What it is, for readers of the table.
    pub fn meaning(self) -> &'static str {
        match self {
            Scenario::Hot => "10,000 cached names",
            Scenario::Trickle => "HOT at 20,000 q/s, evenly",
            Scenario::Tcp => "HOT over 20 TCP connections, 16 queries under way on each",
            Scenario::NxForwarded => "new names that do not exist, forwarded",
            Scenario::Mix => "85 % of 10,000 names (Zipf), 15 % new ones",
            Scenario::Miss => "every name new, forwarded",
            Scenario::LogHot => "HOT with the query log on",
            Scenario::LogMix => "MIX with the query log on",
            Scenario::Views => "100 cached names for each of 100 networks with a view of its own",
            Scenario::ViewsMany => "10,000 names for each of those: a million answers",
            Scenario::Steady => "HOT at 10,000 q/s, with 5,000 networks and 100,000 routes",
            Scenario::Reload => {
                "the same, while SIGHUP after SIGHUP reloads them, server and reload on one core"
            }
            Scenario::Auth => "a zone of 5,000 names",
            Scenario::NxLocal => "names that the zone does not have",
        }
    }

    /// What the server must be doing.
    pub fn role(self) -> Role {
        match self {
            Scenario::Hot
            | Scenario::Trickle
            | Scenario::Tcp
            | Scenario::NxForwarded
            | Scenario::Mix
            | Scenario::Miss => Role::Forwarder,
            Scenario::LogHot | Scenario::LogMix => Role::Logger,
            Scenario::Views | Scenario::ViewsMany => Role::Views,
            Scenario::Steady | Scenario::Reload => Role::Large,
            Scenario::Auth | Scenario::NxLocal => Role::Authority,
        }
    }

    /// Whether it says anything about this server.
    pub fn fits(self, server: Server) -> bool {
        match server {
            Server::Echo | Server::EchoEpoll => matches!(self, Scenario::Hot | Scenario::Trickle),
            Server::Watched => {
                matches!(self, Scenario::Hot | Scenario::Mix | Scenario::LogHot | Scenario::LogMix)
            }
            _ => true,
        }
    }

    /// The load whose echo is the limit of this one.
    pub fn limit(self) -> (Scenario, Server) {
        match self {
            Scenario::Trickle => (Scenario::Trickle, Server::EchoEpoll),
            _ => (Scenario::Hot, Server::Echo),
        }
    }

    /// How fast it asks.
    pub fn pace(self) -> Pace {
        match self {
            Scenario::Trickle => Pace::Rate(TRICKLE),
            Scenario::Steady | Scenario::Reload => Pace::Rate(STEADY),
            _ => Pace::Window(WINDOW),
        }
    }

    /// How fast it comes while a tool slows the server down: of a trickle each query still finds it asleep.
    pub fn pace_when_slowed(self) -> Pace {
        match self {
            Scenario::Trickle => Pace::Rate(1_000),
            other => other.pace(),
        }
    }

    /// Asks a server over UDP.
    pub fn load(self, running: &Running, pace: Pace, until: Until<'_>) -> io::Result<Outcome> {
        let mut questions = self.questions();
        let clients = if self.role() == Role::Views { Clients::Networks(VIEWS) } else { Clients::One };
        load::run(running.address, clients, &mut questions, pace, until)
    }

    fn questions(self) -> Questions {
        Questions::new(self.names(), self.role().domain())
    }

    fn names(self) -> Names {
        match self {
            Scenario::Hot | Scenario::Trickle | Scenario::Tcp | Scenario::LogHot => Names::Among(POPULAR),
            Scenario::ViewsMany | Scenario::Steady | Scenario::Reload => Names::Among(POPULAR),
            Scenario::Views => Names::Among(POPULAR / u32::from(VIEWS)),
            Scenario::Auth => Names::Among(ZONE),
            Scenario::Mix | Scenario::LogMix => Names::Popular { among: POPULAR, new_percent: 15 },
            Scenario::Miss => Names::New,
            Scenario::NxForwarded | Scenario::NxLocal => Names::Nonexistent,
        }
    }
}

impl Role {
    /// Where the names end that are asked in it.
    pub fn domain(self) -> Domain {
        if self == Role::Authority { Domain::Local } else { Domain::Forwarded }
    }

    /// Fills the caches with what is popular.
    pub fn warm(self, running: &mut Running) -> io::Result<()> {
        let (names, clients, count) = match self {
            Role::Forwarder | Role::Logger | Role::Large => (Names::Each(POPULAR), Clients::One, 2 * POPULAR),
            Role::Authority => (Names::Each(ZONE), Clients::One, ZONE),
            // At random, so that every name meets every network.
            Role::Views => {
                running.address.set_ip(Shape::SPREAD);
                let once = u64::from(POPULAR);
                running.warm(Names::Each(POPULAR), self.domain(), Clients::Networks(VIEWS), once)?;
                (Names::Among(POPULAR / u32::from(VIEWS)), Clients::Networks(VIEWS), 6 * POPULAR)
            }
        };
        running.warm(names, self.domain(), clients, u64::from(count))?;
        Ok(())
    }
}

/// Loads a server for a while and reads what that cost it.
pub fn measure(running: &Running, server: &str, scenario: Scenario, length: Duration) -> io::Result<Figure> {
    if scenario == Scenario::Tcp {
        // Some keep what came over TCP apart.
        let mut each = Questions::new(Names::Each(POPULAR), scenario.role().domain());
        stream::run(running.address, &mut each, Duration::from_secs(1))?;
    }
    let log = running.folder.join("query.log");
    let lines_before = lines_once_quiet(&log);
    let (before, read_before) = (running.process.usage(), datagrams_read());
    let by_udp = |until: Until<'_>| scenario.load(running, scenario.pace(), until);
    let outcome = match scenario {
        Scenario::Tcp => stream::run(running.address, &mut scenario.questions(), length)?,
        Scenario::Reload => reload::during(running, length, by_udp)?,
        _ => by_udp(Until::Elapsed(length))?,
    };
    let lines = lines_once_quiet(&log) - lines_before;
    let (after, read_after) = (running.process.usage(), datagrams_read());
    let Outcome { answered, wrong, lost, elapsed, latency, .. } = outcome;
    let each = |value: f64| value / answered.max(1) as f64;
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    Ok(Figure {
        scenario: scenario.name().to_owned(),
        server: server.to_owned(),
        rate: answered as f64 / elapsed.as_secs_f64(),
        cost: each(cpu * 1e6),
        worker: each(after.workers.saturating_sub(before.workers).as_secs_f64() * 1e6),
        busy: 100.0 * cpu / elapsed.as_secs_f64(),
        latency: latency.quantiles(),
        slowest: latency.micros_at_most(),
        resident: after.resident_kib as f64 / 1024.0,
        datagrams: each((read_after - read_before) as f64),
        sleeps: each((after.sleeps - before.sleeps) as f64),
        lost,
        wrong,
        lines: (scenario.role() == Role::Logger).then(|| each(lines as f64)),
    })
}

/// Counts the lines of a log once nothing is added to it any more, or after three seconds; none where there is no log.
fn lines_once_quiet(log: &Path) -> usize {
    let size = || fs::metadata(log).map_or(0, |file| file.len());
    let mut last = size();
    for _ in 0..15 {
        if last == 0 {
            break;
        }
        thread::sleep(Duration::from_millis(200));
        let now = size();
        if now == last {
            break;
        }
        last = now;
    }
    let Ok(mut file) = fs::File::open(log) else { return 0 };
    let (mut buffer, mut lines) = (vec![0; 1 << 20], 0);
    while let Ok(length @ 1..) = file.read(&mut buffer) {
        lines += buffer[..length].split(|byte| *byte == b'\n').count() - 1;
    }
    lines
}
