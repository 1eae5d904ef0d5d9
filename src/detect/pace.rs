//! How much a client, or an pace with all its clients, asks a minute.

use super::outlier::Usual;

/// The current minute, and what is usual.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    minute: u32,
    queries: u32,
    usual: Usual,
    limit: u32,
    hot: u8,
}

/// A minute that was far too much, not for the first time in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Surge {
    /// Queries in that minute.
    pub queries: u32,
    /// What there usually are.
    pub usual: f32,
    /// What there might have been.
    pub limit: u32,
}

impl Pace {
    /// Queries in the current minute.
    pub(super) fn queries(&self) -> u32 {
        self.queries
    }

    /// Takes a query. One minute may be chance, so two in a row are asked for.
    pub(super) fn count(&mut self, minute: u32, floor: u32, factor: u32) -> Option<Surge> {
        if self.minute == minute {
            self.queries += 1;
            return None;
        }
        let last = *self;
        // Workers' events do not come in order; a minute that is over stays over. Nor does the wall clock always.
        if minute < self.minute {
            if self.minute - minute > 5 {
                *self = Pace::default();
            }
            return None;
        }
        if self.minute != 0 {
            let hot = last.usual.is_learned() && last.queries > last.limit;
            self.hot = if hot { last.hot.saturating_add(1) } else { 0 };
            self.usual.learn(last.queries, minute - self.minute - 1);
        }
        self.limit = if self.hot == 1 { last.limit } else { self.usual.limit(floor, factor) };
        (self.minute, self.queries) = (minute, 1);
        (self.hot == 2).then_some(Surge {
            queries: last.queries,
            usual: last.usual.mean(),
            limit: last.limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surges(rates: impl Iterator<Item = u32>) -> usize {
        let mut pace = Pace::default();
        let minutes = rates.enumerate().flat_map(|(minute, rate)| vec![minute as u32 + 1; rate as usize]);
        minutes.filter_map(|minute| pace.count(minute, 1_000, 5)).count()
    }

    #[test]
    fn a_surge_that_lasts_is_found_once_and_the_rhythm_of_a_day_is_not() {
        assert_eq!(surges((0..70).map(|_| 200).chain([3_000; 10])), 1);
        assert_eq!(
            surges((0..70).map(|_| 200).chain([3_000]).chain([200; 10])),
            0,
            "one minute may be chance"
        );
        let day = (0..1_440).map(|minute| 100 + (900.0 * (f64::from(minute) / 229.0).sin().abs()) as u32);
        assert_eq!(surges(day), 0);
        assert_eq!(surges([50_000; 5].into_iter()), 0, "nothing is usual yet");
    }
}
