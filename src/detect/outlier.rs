//! What is usual, minute by minute, and when a minute is far from it.

/// Weight of one more minute.
const SHARE: f32 = 0.05;
/// What remains of the highest minute after one more: half of it after a day.
const FADE: f32 = 0.9995;
/// So many deviations are no chance.
const DEVIATIONS: f32 = 8.0;
/// So often the highest minute of late, which knows the jobs that come once an hour.
const PEAKS: f32 = 3.0;
/// Minutes before anything can be called usual.
pub(super) const LEARNED: u16 = 60;

/// A smoothed count a minute, its smoothed deviation, and the highest of late.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usual {
    mean: f32,
    deviation: f32,
    peak: f32,
    minutes: u16,
}

impl Usual {
    /// Takes a finished minute, then `idle` minutes without anything. A minute beyond the limit moves the mean only as
    /// far as the limit does, so that an attack does not become usual at once.
    pub(super) fn learn(&mut self, count: u32, idle: u32) {
        let count = count as f32;
        let error = count - self.mean;
        let bound = 3.0 * self.deviation.max(self.mean * 0.5).max(20.0);
        let error = if self.minutes < 3 { error } else { error.clamp(-bound, bound) };
        let share = if self.minutes < 20 { 1.0 / (f32::from(self.minutes) + 1.0) } else { SHARE };
        self.mean += error * share;
        self.deviation += (error.abs() - self.deviation) * share;
        self.peak = count.max(self.peak * FADE);
        self.minutes = self.minutes.saturating_add(1);
        if idle > 0 {
            let left = (1.0 - SHARE).powi(idle.min(1_000).cast_signed());
            self.deviation = self.deviation.max(self.mean * (1.0 - left)) * left.max(0.2);
            self.mean *= left;
            self.peak *= FADE.powi(idle.min(100_000).cast_signed());
            self.minutes = self.minutes.saturating_add(idle.min(60_000) as u16);
        }
    }

    /// How many are too many in a minute: `floor` at least, and `factor` times what is usual.
    pub(super) fn limit(&self, floor: u32, factor: u32) -> u32 {
        let usual = factor as f32 * self.mean + DEVIATIONS * self.deviation;
        (floor as f32).max(usual).max(PEAKS * self.peak).min(1e9) as u32
    }

    /// The smoothed count.
    pub(super) fn mean(&self) -> f32 {
        self.mean
    }

    /// Whether enough was seen to call anything usual.
    pub(super) fn is_learned(&self) -> bool {
        self.minutes >= LEARNED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_what_is_usual_and_not_what_is_sudden() {
        let mut usual = Usual::default();
        (0..100).for_each(|minute| usual.learn(90 + minute % 21, 0));
        assert!(usual.is_learned());
        assert!((95.0..105.0).contains(&usual.mean()), "{usual:?}");
        let limit = usual.limit(10, 5);
        assert!((500..650).contains(&limit), "{limit}");
        assert_eq!(usual.limit(3_000, 5), 3_000);
        let before = usual.mean();
        usual.learn(1_000_000, 0);
        assert!(usual.mean() < before * 1.2, "one mad minute does not become usual");
        assert!(usual.limit(10, 5) >= 3_000_000 - 1_000, "yet its like is not new any more");
    }

    #[test]
    fn the_job_of_every_hour_is_known_by_its_peak() {
        let mut usual = Usual::default();
        for _ in 0..5 {
            usual.learn(3_500, 59);
        }
        assert!(usual.limit(3_000, 10) > 9_000);
    }
}
