//! How long answers took: percentiles of a histogram, exact but for its buckets.

use std::collections::BTreeMap;

/// Durations below this many microseconds are kept as they are, others in steps of `STEP`: 1 % at most.
pub const EXACT_BELOW: i64 = 10_000;
pub const STEP: i64 = 100;

/// Counts of queries by duration.
#[derive(Debug, Default, Clone)]
pub struct Histogram(BTreeMap<u64, u64>);

/// What a histogram says; microseconds.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Latency {
    pub name: String,
    pub queries: u64,
    /// Of all that are compared.
    pub share: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub most: u64,
}

impl Histogram {
    pub fn add(&mut self, micros: u64, queries: u64) {
        *self.0.entry(micros).or_default() += queries;
    }

    pub fn queries(&self) -> u64 {
        self.0.values().sum()
    }

    /// The smallest duration that at least `share` of the queries do not exceed.
    fn percentile(&self, share: f64) -> u64 {
        let needed = (share * self.queries() as f64).ceil() as u64;
        let mut seen = 0;
        let found = self.0.iter().find(|(_, queries)| {
            seen += **queries;
            seen >= needed
        });
        found.map_or(0, |(micros, _)| *micros)
    }

    /// Its percentiles, under a name.
    pub fn latency(&self, name: &str, all: u64) -> Latency {
        Latency {
            name: name.to_owned(),
            queries: self.queries(),
            share: self.queries() as f64 / all.max(1) as f64,
            p50: self.percentile(0.5),
            p90: self.percentile(0.9),
            p99: self.percentile(0.99),
            p999: self.percentile(0.999),
            most: self.0.last_key_value().map_or(0, |(micros, _)| *micros),
        }
    }
}
