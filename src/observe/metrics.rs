//! What the workers count: one set of counters a worker, written by it alone, summed when somebody asks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::query::{Directory, Event, Source};
use crate::wire::{RType, rcode};

use super::counter::Counter;
use super::tally::Tally;

/// The upper bounds of the latency histogram, in microseconds.
pub const LATENCY: [u32; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_000_000,
];

/// The upper bounds of the answer size histogram, in octets.
pub const SIZES: [u32; 9] = [64, 128, 256, 512, 1_232, 4_096, 16_384, 32_768, 65_535];

/// The response codes counted by name; every other is counted as one.
pub const RCODES: [u16; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, rcode::BADVERS, 23];

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
    responses: [Counter; RCODES.len() + 1],
    latency: [Histogram<{ LATENCY.len() + 1 }>; SOURCES],
    sizes: Histogram<{ SIZES.len() + 1 }>,
    qtypes: [Counter; QTYPES.len() + 1],
    routes: Tally,
    networks: Tally,
}

/// Counters by position in the directory in force.
pub struct Seats {
    routes: Arc<[Counter]>,
    networks: Arc<[Counter]>,
}

struct Histogram<const BUCKETS: usize> {
    buckets: [Counter; BUCKETS],
    sum: Counter,
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
    /// Queries by label of the route that answered.
    pub routes: HashMap<String, u64>,
    /// Queries by name of the client's network.
    pub networks: HashMap<String, u64>,
}

/// A histogram's counts, each bucket without those below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramSum {
    /// Counts.
    pub buckets: Vec<u64>,
    /// The sum of what was observed.
    pub sum: u64,
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
        }
    }

    /// Puts away what was counted by directories that are no longer in force. How much of it is still in use.
    pub fn tidy(&self) -> usize {
        self.workers.iter().map(|worker| worker.routes.tidy() + worker.networks.tidy()).sum()
    }

    /// The sums of all workers now.
    pub fn sum(&self) -> Sums {
        let mut sums = Sums::default();
        for worker in &self.workers {
            worker.add_to(&mut sums);
        }
        sums
    }
}

impl WorkerCounters {
    fn new() -> WorkerCounters {
        WorkerCounters {
            queries: Default::default(),
            responses: Default::default(),
            latency: Default::default(),
            sizes: Histogram::default(),
            qtypes: Default::default(),
            routes: Tally::new(|directory| directory.routes.iter().map(String::as_str).collect()),
            networks: Tally::new(|directory| directory.networks.iter().map(|n| n.name.as_str()).collect()),
        }
    }

    /// Counters for the numbers of `directory`; those of the directory before must not be used any more.
    pub(super) fn seat(&self, directory: &Arc<Directory>) -> Seats {
        Seats { routes: self.routes.seat(directory), networks: self.networks.seat(directory) }
    }

    /// Counts one event, all but what its directory numbers.
    pub(super) fn count(&self, event: &Event<'_>) {
        let family = usize::from(event.path.client.is_ipv6());
        self.queries[event.path.transport as usize][family].add(1);
        let code = RCODES.iter().position(|code| *code == event.rcode).unwrap_or(RCODES.len());
        self.responses[code].add(1);
        self.latency[event.source as usize].observe(&LATENCY, event.duration_micros);
        self.sizes.observe(&SIZES, event.response.len() as u32);
        let qtype = QTYPE_SEAT.get(usize::from(event.qtype)).map_or(QTYPES.len(), |seat| usize::from(*seat));
        self.qtypes[qtype].add(1);
    }

    fn add_to(&self, sums: &mut Sums) {
        for (sums, counters) in sums.queries.iter_mut().zip(&self.queries) {
            add(sums, counters);
        }
        add(&mut sums.responses, &self.responses);
        for (sum, histogram) in sums.latency.iter_mut().zip(&self.latency) {
            histogram.add_to(sum);
        }
        self.sizes.add_to(&mut sums.sizes);
        add(&mut sums.qtypes, &self.qtypes);
        self.routes.add_to(&mut sums.routes);
        self.networks.add_to(&mut sums.networks);
    }
}

impl Seats {
    /// Counts what the directory numbers of an event.
    pub(super) fn count(&self, event: &Event<'_>) {
        for (seats, number) in [(&self.routes, event.route), (&self.networks, event.network)] {
            if let Some(seat) = number.and_then(|number| seats.get(number as usize)) {
                seat.add(1);
            }
        }
    }
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Histogram { buckets: std::array::from_fn(|_| Counter::default()), sum: Counter::default() }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    fn observe(&self, bounds: &[u32], value: u32) {
        // From the lowest: most answers are fast and small.
        let bucket = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        self.buckets[bucket].add(1);
        self.sum.add(u64::from(value));
    }

    fn add_to(&self, sum: &mut HistogramSum) {
        sum.buckets.resize(BUCKETS, 0);
        add(&mut sum.buckets, &self.buckets);
        sum.sum += self.sum.get();
    }
}

fn add(sums: &mut [u64], counters: &[Counter]) {
    for (sum, counter) in sums.iter_mut().zip(counters) {
        *sum += counter.get();
    }
}

impl HistogramSum {
    /// How many were observed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
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
            response: &[0; 64],
        }
    }

    #[test]
    fn each_event_is_counted_once_in_every_family() {
        let metrics = Metrics::new(2);
        for (nth, worker) in metrics.workers().enumerate() {
            worker.count(&event(28, 3, 50));
            worker.count(&event(65_280, 4_000, 51 + 2_000_000 * nth as u32));
        }
        let sums = metrics.sum();
        assert_eq!(sums.queries, [[0, 0], [0, 4]]);
        assert_eq!((sums.responses[3], sums.responses[RCODES.len()]), (2, 2));
        assert_eq!((sums.qtypes[7], sums.qtypes[QTYPES.len()]), (2, 2));
        let latency = &sums.latency[Source::Zone as usize];
        assert_eq!((latency.buckets[0], latency.buckets[1], latency.buckets[15]), (2, 1, 1));
        assert_eq!((latency.count(), latency.sum), (4, 2_000_202));
        assert_eq!((sums.sizes.buckets[0], sums.sizes.sum), (4, 256));
    }

    #[test]
    fn the_numbers_of_enums_are_their_places_in_all() {
        assert!(Transport::ALL.iter().enumerate().all(|(at, transport)| *transport as usize == at));
        assert!(Source::ALL.iter().enumerate().all(|(at, source)| *source as usize == at));
    }

    #[test]
    fn a_number_that_the_directory_does_not_have_is_counted_nowhere() {
        let metrics = Metrics::new(1);
        let directory = Directory { routes: vec!["only".to_owned()], ..Directory::default() };
        let seats = metrics.workers().next().unwrap().seat(&Arc::new(directory));
        seats.count(&event(1, 0, 1));
        assert_eq!(metrics.sum().routes, HashMap::from([("only".to_owned(), 0)]));
    }
}
