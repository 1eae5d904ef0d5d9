//! How the cost grows: with networks, routes, names of a zone, cached answers, workers; and how long a start takes.

use std::io;
use std::time::Duration;

use super::load::{self, Clients, Pace, Until};
use super::ours::Shape;
use super::peer::{Launch, Role, Server};
use super::question::{Domain, Names, POPULAR, Questions};
use super::results::Point;
use super::stand::{Running, SERVER_CORE, Stand, WINDOW};

/// What grows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    Networks,
    Routes,
    ZoneNames,
    Workers,
    Start,
    Cached,
    Cap,
}

/// The curves whose ends are compared closely, so that these are measured in every round: the ends, all.
const COMPARED: [(Curve, &[u32], &[u32]); 5] = [
    (Curve::Networks, &[10, 5_000], &[10, 100, 1_000, 5_000]),
    (Curve::Routes, &[10, 100_000], &[10, 1_000, 10_000, 100_000]),
    (Curve::ZoneNames, &[10, 100_000], &[10, 1_000, 10_000, 100_000]),
    (Curve::Workers, &[1, 2], &[1, 2]),
    (Curve::Start, &[100_000], &[100_000]),
];
/// Those of memory, which hardly changes from round to round.
const FILLED: [(Curve, &[u32], &[u32]); 2] =
    [(Curve::Cached, &[100_000], &[1_000, 10_000, 100_000, MILLION]), (Curve::Cap, &[], &[CAP])];

const MILLION: u32 = 1_000_000;
/// MiB of the response cache in a server that is given far more answers than it has room for.
pub const CAP: u32 = 64;

/// Every curve in few points or in all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The ends.
    Ends,
    /// All.
    Full,
}

/// What a point has beside what every server tells of itself.
#[derive(Clone, Copy, Default)]
struct Cost {
    hit: Option<f64>,
    miss: Option<f64>,
    latency: Option<[f64; 3]>,
}

/// Measures every curve, and says each point as it is known.
pub fn measure(
    stand: &mut Stand,
    (rounds, length): (u32, Duration),
    detail: Detail,
    said: impl Fn(&Point),
) -> io::Result<Vec<Point>> {
    let mut points = Vec::new();
    let mut keep = |point: Point| {
        said(&point);
        points.push(point);
    };
    for round in 0..rounds {
        for (curve, ends, all) in COMPARED {
            // It is the ends that are compared.
            for count in if detail == Detail::Ends || round > 0 { ends } else { all } {
                keep(ours(stand, curve, *count, length)?);
            }
        }
    }
    for (curve, ends, all) in FILLED {
        for count in if detail == Detail::Ends { ends } else { all } {
            keep(ours(stand, curve, *count, length)?);
        }
    }
    for peer in [Server::Dnsdist, Server::Unbound] {
        if detail == Detail::Full
            && peer.is_installed()
            && let Some(launch) = peer.launch(Role::Forwarder)
        {
            let running = stand.launch(&launch, Domain::Forwarded)?;
            keep(cached(&running, peer.name(), Curve::Cached, MILLION, length)?);
        }
    }
    Ok(points)
}

/// What a server takes that has answered one query.
pub fn idle(stand: &mut Stand, server: Server) -> io::Result<Option<Point>> {
    let Some((launch, role)) =
        [Role::Forwarder, Role::Authority].into_iter().find_map(|role| Some((server.launch(role)?, role)))
    else {
        return Ok(None);
    };
    let running = match stand.launch(&launch, role.domain()) {
        Err(_) if server.program().is_some() => return Ok(None),
        running => running?,
    };
    Ok(Some(point("idle", server.name(), 0, &running, Cost::default())))
}

fn ours(stand: &mut Stand, curve: Curve, count: u32, length: Duration) -> io::Result<Point> {
    let (shape, domain) = match curve {
        Curve::Networks => (Shape { networks: count, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::Routes => (Shape { routes: count, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::ZoneNames => (Shape { zone: count, ..Shape::PLAIN }, Domain::Local),
        Curve::Cached => (Shape::PLAIN, Domain::Forwarded),
        Curve::Cap => (Shape { cache: count, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::Workers => (Shape { workers: count as usize, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::Start => (Shape { zone: count, networks: 5_000, ..Shape::PLAIN }, Domain::Local),
    };
    let cores = if curve == Curve::Workers && count > 1 { "0,1" } else { SERVER_CORE };
    let launch: Launch = shape.launch();
    let mut running = stand.launch_on(cores, &launch, domain)?;
    let name = Server::Kakehashi.name();
    let popular = Names::Among(POPULAR);
    let cost = match curve {
        Curve::Cached | Curve::Cap => return cached(&running, name, curve, count, length),
        Curve::Start => Cost::default(),
        Curve::ZoneNames => hits(&running, Names::Among(count), domain, Clients::One, length)?,
        Curve::Networks | Curve::Routes => {
            running.warm(Names::Each(POPULAR), domain, Clients::One, 2 * u64::from(POPULAR))?;
            let hits = hits(&running, popular, domain, Clients::One, length)?;
            let (miss, _) = cost(&running, Names::New, domain, Clients::One, length)?;
            Cost { miss: Some(miss), ..hits }
        }
        Curve::Workers => {
            // Many addresses, so that the kernel spreads the queries over the workers' sockets.
            running.address.set_ip(Shape::SPREAD);
            let clients = Clients::Networks(100);
            running.warm(Names::Each(POPULAR), domain, clients, 8 * u64::from(POPULAR))?;
            hits(&running, popular, domain, clients, length)?
        }
    };
    Ok(point(curve.name(), name, count, &running, cost))
}

/// Fills the cache with so many answers and asks for all of them again; or with a million where the cap is so many MiB.
fn cached(running: &Running, server: &str, curve: Curve, count: u32, length: Duration) -> io::Result<Point> {
    let answers = if curve == Curve::Cap { MILLION } else { count };
    running.warm(Names::Each(answers), Domain::Forwarded, Clients::One, u64::from(answers))?;
    let resident = running.resident();
    let hits = match curve {
        Curve::Cap => Cost::default(),
        _ => hits(running, Names::Among(count), Domain::Forwarded, Clients::One, length)?,
    };
    Ok(Point { resident, ..point(curve.name(), server, count, running, hits) })
}

fn hits(
    running: &Running,
    names: Names,
    domain: Domain,
    clients: Clients,
    length: Duration,
) -> io::Result<Cost> {
    let (hit, latency) = cost(running, names, domain, clients, length)?;
    Ok(Cost { hit: Some(hit), latency: Some(latency), miss: None })
}

/// CPU µs an answer, and the latency.
fn cost(
    running: &Running,
    names: Names,
    domain: Domain,
    clients: Clients,
    length: Duration,
) -> io::Result<(f64, [f64; 3])> {
    let before = running.process.usage();
    let mut questions = Questions::new(names, domain);
    let outcome =
        load::run(running.address, clients, &mut questions, Pace::Window(WINDOW), Until::Elapsed(length))?;
    let cpu = running.process.usage().cpu.saturating_sub(before.cpu);
    Ok((cpu.as_secs_f64() * 1e6 / outcome.answered.max(1) as f64, outcome.latency.quantiles()))
}

fn point(curve: &str, server: &str, count: u32, running: &Running, cost: Cost) -> Point {
    let Cost { hit, miss, latency } = cost;
    Point {
        curve: curve.to_owned(),
        count: u64::from(count),
        server: server.to_owned(),
        hit,
        miss,
        latency,
        resident: running.resident(),
        start: running.start.as_secs_f64() * 1e3,
    }
}

impl Curve {
    fn name(self) -> &'static str {
        match self {
            Curve::Networks => "networks",
            Curve::Routes => "routes",
            Curve::ZoneNames => "zone names",
            Curve::Cached => "cached answers",
            Curve::Cap => "MiB of cache, a million answers",
            Curve::Workers => "workers",
            Curve::Start => "zone names, and 5,000 networks",
        }
    }
}
