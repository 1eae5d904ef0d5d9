//! Counts in buckets, by one worker, and their sums.

use super::counter::Counter;

/// A histogram with a single writer.
pub(super) struct Histogram<const BUCKETS: usize> {
    buckets: [Counter; BUCKETS],
    sum: Counter,
}

/// A histogram's counts, each bucket without those below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramSum {
    /// Counts.
    pub buckets: Vec<u64>,
    /// The sum of what was observed.
    pub sum: u64,
}

/// The bucket of a value: the first whose bound it does not exceed, or the one beyond all.
pub(super) fn bucket_of(bounds: &[u32], value: u32) -> usize {
    // From the lowest: most answers are fast and small.
    bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len())
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Histogram { buckets: std::array::from_fn(|_| Counter::default()), sum: Counter::default() }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// Counts a value whose bucket is known.
    pub(super) fn raise(&self, bucket: usize, value: u32) {
        self.buckets[bucket].add(1);
        self.sum.add(u64::from(value));
    }

    pub(super) fn add_to(&self, sum: &mut HistogramSum) {
        sum.buckets.resize(BUCKETS, 0);
        for (sum, counter) in sum.buckets.iter_mut().zip(&self.buckets) {
            *sum += counter.get();
        }
        sum.sum += self.sum.get();
    }
}

impl HistogramSum {
    /// How many were observed.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The same with fewer buckets: of `bounds`, those that are in `fewer`.
    pub(super) fn coarser(&self, bounds: &[u32], fewer: &[u32]) -> HistogramSum {
        let mut buckets = vec![0; fewer.len() + 1];
        for (at, count) in self.buckets.iter().enumerate() {
            let bucket = bounds.get(at).map_or(fewer.len(), |bound| bucket_of(fewer, *bound));
            buckets[bucket] += count;
        }
        HistogramSum { buckets, sum: self.sum }
    }
}

impl std::ops::AddAssign<&HistogramSum> for HistogramSum {
    fn add_assign(&mut self, other: &HistogramSum) {
        self.buckets.resize(self.buckets.len().max(other.buckets.len()), 0);
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_buckets_hold_the_same_counts() {
        let fine = HistogramSum { buckets: vec![1, 2, 4, 8, 16], sum: 99 };
        let coarse = fine.coarser(&[10, 20, 50, 100], &[20, 100]);
        assert_eq!(coarse, HistogramSum { buckets: vec![3, 12, 16], sum: 99 });
    }
}
