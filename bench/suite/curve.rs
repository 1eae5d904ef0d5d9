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
    Cached,
    Workers,
    Start,
}

/// Every curve in few points or in all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The ends.
    Ends,
    /// All.
    Full,
}

/// Measures every curve, and says each point as it is known.
pub fn measure(
    stand: &mut Stand,
    length: Duration,
    detail: Detail,
    said: impl Fn(&Point),
) -> io::Result<Vec<Point>> {
    let plan: &[(Curve, &[u32], &[u32])] = &[
        (Curve::Networks, &[10, 5_000], &[10, 100, 1_000, 5_000]),
        (Curve::Routes, &[10, 100_000], &[10, 1_000, 10_000, 100_000]),
        (Curve::ZoneNames, &[10, 100_000], &[10, 1_000, 10_000, 100_000]),
        (Curve::Cached, &[100_000], &[1_000, 10_000, 100_000, 1_000_000]),
        (Curve::Workers, &[1, 2], &[1, 2]),
        (Curve::Start, &[100_000], &[100_000]),
    ];
    let mut points = Vec::new();
    for (curve, ends, all) in plan {
        for count in if detail == Detail::Ends { *ends } else { *all } {
            let point = ours(stand, *curve, *count, length)?;
            said(&point);
            points.push(point);
        }
        if *curve == Curve::Cached && detail == Detail::Full {
            for peer in [Server::Dnsdist, Server::Unbound] {
                let Some(launch) = peer.launch(Role::Forwarder) else { continue };
                let running = stand.launch(&launch, Domain::Forwarded)?;
                let point = cached(&running, peer.name(), 1_000_000, length)?;
                said(&point);
                points.push(point);
            }
        }
    }
    Ok(points)
}

fn ours(stand: &mut Stand, curve: Curve, count: u32, length: Duration) -> io::Result<Point> {
    let (shape, domain) = match curve {
        Curve::Networks => (Shape { networks: count, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::Routes => (Shape { routes: count, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::ZoneNames => (Shape { zone: count, ..Shape::PLAIN }, Domain::Local),
        Curve::Cached => (Shape::PLAIN, Domain::Forwarded),
        Curve::Workers => (Shape { workers: count as usize, ..Shape::PLAIN }, Domain::Forwarded),
        Curve::Start => (Shape { zone: count, networks: 5_000, ..Shape::PLAIN }, Domain::Local),
    };
    let cores = if curve == Curve::Workers && count > 1 { "0,1" } else { SERVER_CORE };
    let launch: Launch = shape.launch();
    let mut running = stand.launch_on(cores, &launch, domain)?;
    let name = Server::Kakehashi.name();
    match curve {
        Curve::Cached => cached(&running, name, count, length),
        Curve::Start => Ok(point(curve, name, count, &running, (None, None))),
        Curve::ZoneNames => {
            let hit = cost(&running, Names::Among(count), domain, Clients::One, length)?;
            Ok(point(curve, name, count, &running, (Some(hit), None)))
        }
        Curve::Networks | Curve::Routes => {
            running.warm(Names::Each(POPULAR), domain, Clients::One, 2 * u64::from(POPULAR))?;
            let hit = cost(&running, Names::Among(POPULAR), domain, Clients::One, length)?;
            let miss = cost(&running, Names::New, domain, Clients::One, length)?;
            Ok(point(curve, name, count, &running, (Some(hit), Some(miss))))
        }
        Curve::Workers => {
            // Many addresses, so that the kernel spreads the queries over the workers' sockets.
            running.address = Shape::SPREAD;
            let clients = Clients::Networks(100);
            running.warm(Names::Each(POPULAR), domain, clients, 8 * u64::from(POPULAR))?;
            let hit = cost(&running, Names::Among(POPULAR), domain, clients, length)?;
            Ok(point(curve, name, count, &running, (Some(hit), None)))
        }
    }
}

/// Fills the cache with so many answers and asks for all of them again.
fn cached(running: &Running, server: &str, count: u32, length: Duration) -> io::Result<Point> {
    running.warm(Names::Each(count), Domain::Forwarded, Clients::One, u64::from(count))?;
    let resident = running.resident();
    let hit = cost(running, Names::Among(count), Domain::Forwarded, Clients::One, length)?;
    Ok(Point { resident, ..point(Curve::Cached, server, count, running, (Some(hit), None)) })
}

/// CPU µs an answer.
fn cost(
    running: &Running,
    names: Names,
    domain: Domain,
    clients: Clients,
    length: Duration,
) -> io::Result<f64> {
    let before = running.process.usage();
    let mut questions = Questions::new(names, domain);
    let outcome =
        load::run(running.address, clients, &mut questions, Pace::Window(WINDOW), Until::Elapsed(length))?;
    let cpu = running.process.usage().cpu.saturating_sub(before.cpu);
    Ok(cpu.as_secs_f64() * 1e6 / outcome.answered.max(1) as f64)
}

fn point(
    curve: Curve,
    server: &str,
    count: u32,
    running: &Running,
    (hit, miss): (Option<f64>, Option<f64>),
) -> Point {
    let curve = match curve {
        Curve::Networks => "networks",
        Curve::Routes => "routes",
        Curve::ZoneNames => "zone names",
        Curve::Cached => "cached answers",
        Curve::Workers => "workers",
        Curve::Start => "zone names, and 5,000 networks",
    };
    Point {
        curve: curve.to_owned(),
        count: u64::from(count),
        server: server.to_owned(),
        hit,
        miss,
        resident: running.resident(),
        start: running.start.as_secs_f64() * 1e3,
    }
}
