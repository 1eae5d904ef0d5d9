//! What a run of the suite saves: who measured where, and every figure of every round.

use serde::{Deserialize, Serialize};

/// A run.
#[derive(Serialize, Deserialize, Default)]
pub struct Results {
    /// Machine, kernel, versions, day: one line each.
    pub about: Vec<String>,
    /// Every measurement of the table.
    pub figures: Vec<Figure>,
    /// Every point of the cost curves.
    pub points: Vec<Point>,
    /// What was counted rather than timed.
    #[serde(default)]
    pub counts: Vec<Count>,
}

/// One server under one load, once.
#[derive(Serialize, Deserialize, Clone)]
pub struct Figure {
    /// The load: HOT, MISS …
    pub scenario: String,
    /// Who.
    pub server: String,
    /// Right answers a second.
    pub rate: f64,
    /// CPU µs (user and system, all threads) per answer.
    pub cost: f64,
    /// The same of our workers alone, without the threads beside them; 0 for others.
    #[serde(default)]
    pub worker: f64,
    /// How much of one core was used, in percent.
    pub busy: f64,
    /// Latency in µs: median, 99 %, 99.9 %.
    pub latency: [f64; 3],
    /// The slowest answer, in µs.
    #[serde(default)]
    pub slowest: f64,
    /// Resident memory afterwards, MB.
    pub resident: f64,
    /// Datagrams that were read anywhere in the network, per answer: 2 for a hit, 4 for a miss.
    pub datagrams: f64,
    /// Times that a thread went to sleep, per answer.
    pub sleeps: f64,
    /// Queries without an answer.
    pub lost: u64,
    /// Wrong answers.
    pub wrong: u64,
    /// Lines of the query log per answer.
    pub lines: Option<f64>,
}

/// One point of a cost curve.
#[derive(Serialize, Deserialize, Clone)]
pub struct Point {
    /// What grows.
    pub curve: String,
    /// To how many.
    pub count: u64,
    /// Who.
    pub server: String,
    /// CPU µs of a hit, or of an answer from the zone, where it was measured.
    pub hit: Option<f64>,
    /// CPU µs of a miss, where it was measured.
    pub miss: Option<f64>,
    /// Latency of the hits in µs: median, 99 %, 99.9 %.
    #[serde(default)]
    pub latency: Option<[f64; 3]>,
    /// Resident memory afterwards, MB.
    pub resident: f64,
    /// From its start to its first answer, ms.
    pub start: f64,
}

/// System calls or instructions of one server under one load.
#[derive(Serialize, Deserialize, Clone)]
pub struct Count {
    /// What was counted.
    pub what: String,
    /// The load.
    pub scenario: String,
    /// Who.
    pub server: String,
    /// How many for each answer.
    pub each: f64,
    /// Which ones, the most frequent first.
    pub detail: String,
}

/// The middle of some numbers.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

impl Results {
    /// One kind of number of one server under one load, round after round.
    pub fn all(&self, scenario: &str, server: &str, value: impl Fn(&Figure) -> f64) -> Vec<f64> {
        let of = |figure: &&Figure| figure.scenario == scenario && figure.server == server;
        self.figures.iter().filter(of).map(value).collect()
    }
}
