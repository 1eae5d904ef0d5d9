//! What the workers count: one set of counters a worker, written by it alone, summed when somebody asks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::query::{Directory, Event, Source};
use crate::wire::RType;

use super::block::{self, Block, BlockSum, Outcome};
use super::counter::Counter;
use super::failures::{FailureSums, Failures};
use super::histogram::{Histogram, HistogramSum, bucket_of};
use super::slow::{self, Examples, Slow};
use super::tally::Tally;

pub use super::block::{LATENCY, RCODES};

/// The upper bounds of the answer size histogram, in octets.
pub const SIZES: [u32; 9] = [64, 128, 256, 512, 1_232, 4_096, 16_384, 32_768, 65_535];

/// The query types counted by name; every other is counted as one, since clients choose them.
pub const QTYPES: [RType; 19] = [
    RType::A,
    RType::NS,
    RType::CNAME,
    RType::SOA,
    RType::PTR,
    RType::MX,
    RType::TXT,
    RType::AAAA,
    RType::SRV,
    RType::NAPTR,
    RType::DS,
    RType::SSHFP,
    RType::DNSKEY,
    RType::TLSA,
    RType::SVCB,
    RType::HTTPS,
    RType::ANY,
    RType::URI,
    RType::CAA,
];

/// Where each type up to 257 is counted.
const QTYPE_SEAT: [u8; 258] = {
    let mut seats = [QTYPES.len() as u8; 258];
    let mut at = 0;
    while at < QTYPES.len() {
        seats[QTYPES[at].0 as usize] = at as u8;
        at += 1;
    }
    seats
};

const SOURCES: usize = Source::ALL.len();

/// The counters of all workers.
pub struct Metrics {
    workers: Vec<Arc<WorkerCounters>>,
}

/// One worker's counters. Aligned so that no two workers write to one cache line.
#[repr(align(128))]
pub struct WorkerCounters {
    queries: [[Counter; 2]; 2],
    sizes: Histogram<{ SIZES.len() + 1 }>,
    qtypes: [Counter; QTYPES.len() + 1],
    failures: Failures,
    slow: Slow,
    routes: Tally<Counter>,
    networks: Tally<Counter>,
    route_blocks: Tally<Block>,
    view_blocks: Tally<Block>,
}

/// Counters by position in the directory in force.
pub struct Seats {
    directory: Arc<Directory>,
    routes: Arc<[Counter]>,
    networks: Arc<[Counter]>,
    route_blocks: Arc<[Block]>,
    view_blocks: Arc<[Block]>,
}

/// What all workers counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Queries, by [`Transport::ALL`](crate::query::Transport::ALL), then IPv4 and IPv6.
    pub queries: [[u64; 2]; 2],
    /// Responses, by [`RCODES`], then all others.
    pub responses: [u64; RCODES.len() + 1],
    /// Time to answer by [`Source::ALL`], in microseconds, by [`LATENCY`], then all above.
    pub latency: [HistogramSum; SOURCES],
    /// Sizes of answers in octets, by [`SIZES`].
    pub sizes: HistogramSum,
    /// Queries by [`QTYPES`], then all others.
    pub qtypes: [u64; QTYPES.len() + 1],
    /// Responses that were no answers, and why.
    pub failures: FailureSums,
    /// The last slow queries.
    pub slow: Examples,
    /// Queries by label of the route that answered.
    pub routes: HashMap<String, u64>,
    /// Queries by name of the client's network.
    pub networks: HashMap<String, u64>,
    /// What happened by route, for so many [routes](block::ROUTES), and for the others together.
    pub by_route: HashMap<String, BlockSum>,
    /// What happened by view, for so many [views](block::VIEWS), and for the others together.
    pub by_view: HashMap<String, BlockSum>,
}

impl Metrics {
    /// For so many workers.
    pub fn new(workers: usize) -> Metrics {
        Metrics { workers: (0..workers).map(|_| Arc::new(WorkerCounters::new())).collect() }
    }

    /// The counters of each worker, to be given to its recorder.
    pub fn workers(&self) -> impl Iterator<Item = Arc<WorkerCounters>> {
        self.workers.iter().cloned()
    }

    /// Makes ready what workers count in once `directory` is in force, so that they only have to turn to it.
    pub fn prepare(&self, directory: &Arc<Directory>) {
        for worker in &self.workers {
            worker.routes.prepare(directory);
            worker.networks.prepare(directory);
            worker.route_blocks.prepare(directory);
            worker.view_blocks.prepare(directory);
        }
    }

    /// Puts away what was counted by directories that are no longer in force. How much of it is still in use.
    pub fn tidy(&self) -> usize {
        let tidy = |worker: &Arc<WorkerCounters>| {
            let numbers = worker.routes.tidy() + worker.networks.tidy();
            numbers + worker.route_blocks.tidy() + worker.view_blocks.tidy()
        };
        self.workers.iter().map(tidy).sum()
    }

    /// The sums of all workers now.
    pub fn sum(&self) -> Sums {
        let mut sums = Sums::default();
        let mut all = BlockSum::default();
        for worker in &self.workers {
            worker.add_to(&mut sums, &mut all);
        }
        (sums.latency, sums.responses) = (all.latency, all.responses);
        sums
    }
}

impl WorkerCounters {
    fn new() -> WorkerCounters {
        WorkerCounters {
            queries: Default::default(),
            sizes: Histogram::default(),
            qtypes: Default::default(),
            failures: Failures::default(),
            slow: Slow::default(),
            routes: Tally::new(|directory| directory.routes.iter().map(String::as_str).collect()),
            networks: Tally::new(|directory| directory.networks.iter().map(|n| n.name.as_str()).collect()),
            route_blocks: Tally::new(block::routes),
            view_blocks: Tally::new(block::views),
        }
    }

    /// Counters for the numbers of `directory`; those of the directory before must not be used any more.
    pub(super) fn seat(&self, directory: &Arc<Directory>) -> Seats {
        Seats {
            directory: Arc::clone(directory),
            routes: self.routes.seat(directory),
            networks: self.networks.seat(directory),
            route_blocks: self.route_blocks.seat(directory),
            view_blocks: self.view_blocks.seat(directory),
        }
    }

    /// Counts one event.
    pub(super) fn count(&self, event: &Event<'_>, seats: &Seats) {
        let outcome = Outcome::of(event);
        let family = usize::from(event.path.client.is_ipv6());
        self.queries[event.path.transport as usize][family].add(1);
        let size = event.response.len() as u32;
        self.sizes.raise(bucket_of(&SIZES, size), size);
        let qtype = QTYPE_SEAT.get(usize::from(event.qtype)).map_or(QTYPES.len(), |seat| usize::from(*seat));
        self.qtypes[qtype].add(1);
        self.failures.count(event, outcome);
        if outcome.bucket >= slow::FROM {
            self.slow.note(event, outcome, &seats.directory);
        }
        seats.count(event, outcome);
    }

    fn add_to(&self, sums: &mut Sums, all: &mut BlockSum) {
        for (sums, counters) in sums.queries.iter_mut().zip(&self.queries) {
            add(sums, counters);
        }
        self.sizes.add_to(&mut sums.sizes);
        add(&mut sums.qtypes, &self.qtypes);
        self.failures.add_to(&mut sums.failures);
        self.slow.add_to(&mut sums.slow);
        self.routes.add_to(&mut sums.routes, &mut 0);
        self.networks.add_to(&mut sums.networks, &mut 0);
        self.route_blocks.add_to(&mut sums.by_route, &mut BlockSum::default());
        // Every event is for one view or for none, so all views together are all there was.
        self.view_blocks.add_to(&mut sums.by_view, all);
    }
}

impl Seats {
    /// Counts what the directory numbers of an event.
    fn count(&self, event: &Event<'_>, outcome: Outcome) {
        for (seats, number) in [(&self.routes, event.route), (&self.networks, event.network)] {
            if let Some(seat) = number.and_then(|number| seats.get(number as usize)) {
                seat.add(1);
            }
        }
        for (blocks, number) in [(&self.route_blocks, event.route), (&self.view_blocks, event.view)] {
            if let Some(block) = block::block_of(blocks, number) {
                block.count(outcome);
            }
        }
    }
}

fn add(sums: &mut [u64], counters: &[Counter]) {
    for (sum, counter) in sums.iter_mut().zip(counters) {
        *sum += counter.get();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::{Path, Transport};

    fn event(qtype: u16, rcode: u16, micros: u32) -> Event<'static> {
        Event {
            unix_micros: 0,
            duration_micros: micros,
            path: Path {
                client: "[2001:db8::1]:9".parse().unwrap(),
                local: "[::1]:53".parse().unwrap(),
                transport: Transport::Tcp,
            },
            network: Some(1),
            view: None,
            route: Some(7),
            server: None,
            source: Source::Zone,
            qtype,
            rcode,
            dnssec_ok: false,
            checking_disabled: false,
            ede: None,
            query: &[],
            response: &[0; 64],
        }
    }

    fn directory(routes: &[&str], views: &[&str]) -> Arc<Directory> {
        let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        Arc::new(Directory { routes: owned(routes), views: owned(views), ..Directory::default() })
    }

    #[test]
    fn each_event_is_counted_once_in_every_family() {
        let metrics = Metrics::new(2);
        for (nth, worker) in metrics.workers().enumerate() {
            let seats = worker.seat(&Arc::default());
            worker.count(&event(28, 3, 50), &seats);
            worker.count(&event(65_280, 4_000, 51 + 2_000_000 * nth as u32), &seats);
        }
        let sums = metrics.sum();
        assert_eq!(sums.queries, [[0, 0], [0, 4]]);
        assert_eq!((sums.responses[3], sums.responses[RCODES.len()]), (2, 2));
        assert_eq!((sums.qtypes[7], sums.qtypes[QTYPES.len()]), (2, 2));
        let latency = &sums.latency[Source::Zone as usize];
        assert_eq!((latency.buckets[0], latency.buckets[1], latency.buckets[15]), (2, 1, 1));
        assert_eq!((latency.count(), latency.sum), (4, 2_000_202));
        assert_eq!((sums.sizes.buckets[0], sums.sizes.sum), (4, 256));
        assert_eq!(sums.failures.iter().collect::<Vec<_>>(), [(RCODES.len(), "none", 2)]);
    }

    #[test]
    fn the_numbers_of_enums_are_their_places_in_all() {
        assert!(Transport::ALL.iter().enumerate().all(|(at, transport)| *transport as usize == at));
        assert!(Source::ALL.iter().enumerate().all(|(at, source)| *source as usize == at));
    }

    #[test]
    fn what_no_route_answered_and_what_is_beyond_the_bound_is_counted_together() {
        let metrics = Metrics::new(1);
        let worker = metrics.workers().next().unwrap();
        let labels: Vec<String> = (0..1_000).map(|number| format!("route{number}")).collect();
        let many = Directory { routes: labels, views: vec!["vpc".to_owned()], ..Directory::default() };
        let seats = worker.seat(&Arc::new(many));
        let last = block::ROUTES as u32 - 1;
        for (view, route) in [(Some(0), Some(0)), (None, Some(last)), (None, Some(last + 1)), (None, None)] {
            worker.count(&Event { view, route, ..event(1, 0, 1) }, &seats);
        }
        let sums = metrics.sum();
        assert_eq!(sums.by_route.len(), block::ROUTES + 2);
        let count = |label: &str| sums.by_route[label].count();
        assert_eq!(
            ["route0", &format!("route{last}"), "other", "none", "route1"].map(count),
            [1, 1, 1, 1, 0]
        );
        assert_eq!((sums.by_view["vpc"].count(), sums.by_view["none"].count()), (1, 3));
        assert_eq!((sums.routes.len(), sums.routes[&format!("route{}", last + 1)]), (1_000, 1));
    }

    #[test]
    fn totals_do_not_fall_when_a_view_leaves_the_configuration() {
        let metrics = Metrics::new(1);
        let worker = metrics.workers().next().unwrap();
        let seats = worker.seat(&directory(&["a"], &["vpc"]));
        worker.count(&Event { view: Some(0), ..event(1, 0, 1) }, &seats);
        let after = directory(&["a"], &["onprem"]);
        metrics.prepare(&after);
        assert_eq!(metrics.sum().responses[0], 1);
        drop(seats);
        let seats = worker.seat(&after);
        assert_eq!(metrics.tidy(), 0);
        worker.count(&Event { view: Some(0), ..event(1, 0, 1) }, &seats);
        let sums = metrics.sum();
        assert_eq!(
            (sums.responses[0], sums.by_view.get("vpc"), sums.by_view["onprem"].count()),
            (2, None, 1)
        );
    }

    #[test]
    fn a_number_that_the_directory_does_not_have_is_counted_at_no_name() {
        let metrics = Metrics::new(1);
        let worker = metrics.workers().next().unwrap();
        worker.count(&event(1, 0, 1), &worker.seat(&directory(&["only"], &[])));
        let sums = metrics.sum();
        assert_eq!(sums.routes, HashMap::from([("only".to_owned(), 0)]));
        assert_eq!((sums.by_route["only"].count(), sums.by_route["other"].count()), (0, 1));
    }
}
