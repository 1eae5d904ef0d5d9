//! How long answers took: counts in steps of about one percent, from a nanosecond to minutes.

/// Steps within each power of two.
const FINE: u32 = 6;

/// Counts by duration.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Histogram {
        Histogram { counts: vec![0; 64 << FINE], total: 0, most: 0 }
    }

    /// Counts one duration.
    pub fn add(&mut self, nanos: u64) {
        self.counts[step(nanos)] += 1;
        self.total += 1;
        self.most = self.most.max(nanos);
    }

    /// The longest in microseconds.
    pub fn micros_at_most(&self) -> f64 {
        self.most as f64 / 1000.0
    }

    /// Half, 99 % and 99.9 % of all are below these microseconds.
    pub fn quantiles(&self) -> [f64; 3] {
        [0.5, 0.99, 0.999].map(|share| self.micros_below(share))
    }

    /// The duration in microseconds below which this share of all is.
    fn micros_below(&self, share: f64) -> f64 {
        let wanted = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return nanos(at) / 1000.0;
            }
        }
        0.0
    }
}

fn step(nanos: u64) -> usize {
    let nanos = nanos.max(1 << FINE);
    let power = nanos.ilog2();
    let fine = (nanos >> (power - FINE)) & ((1 << FINE) - 1);
    ((power as usize) << FINE) | fine as usize
}

fn nanos(step: usize) -> f64 {
    let (power, fine) = (step >> FINE, step & ((1 << FINE) - 1));
    (1.0 + (fine as f64 + 0.5) / f64::from(1 << FINE)) * 2_f64.powf(power as f64)
}
