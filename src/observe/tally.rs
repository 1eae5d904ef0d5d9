//! Counts by a label of the configuration: routes, networks.
//!
//! A worker counts by position; what a position is called changes with a reload. So each worker has one seating per
//! directory, and what the last one counted is kept by label.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::query::Directory;

use super::counter::Counter;

/// Which list of the directory is counted.
pub(super) type Labels = fn(&Directory) -> Vec<&str>;

/// One worker's counts of one list.
pub(super) struct Tally {
    labels: Labels,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What earlier seatings counted, for the labels that are still there.
    past: HashMap<String, u64>,
    directory: Arc<Directory>,
    seats: Arc<[Counter]>,
}

impl Tally {
    pub(super) fn new(labels: Labels) -> Tally {
        Tally { labels, state: Mutex::default() }
    }

    /// Counters for the positions of `directory`. Those given before must not be raised any more.
    pub(super) fn seat(&self, directory: &Arc<Directory>) -> Arc<[Counter]> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = (self.labels)(directory);
        let sums = self.sums(&state);
        // A label that left the configuration leaves the metrics: their number stays bounded by the configuration.
        state.past = labels
            .iter()
            .filter_map(|label| {
                sums.get(*label).filter(|sum| **sum > 0).map(|sum| ((*label).to_owned(), *sum))
            })
            .collect();
        state.seats = labels.iter().map(|_| Counter::default()).collect();
        state.directory = Arc::clone(directory);
        Arc::clone(&state.seats)
    }

    /// Adds its counts, by label, to those of other workers.
    pub(super) fn add_to(&self, total: &mut HashMap<String, u64>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (label, sum) in self.sums(&state) {
            match total.get_mut(label) {
                Some(total) => *total += sum,
                None => drop(total.insert(label.to_owned(), sum)),
            }
        }
    }

    fn sums<'s>(&self, state: &'s State) -> HashMap<&'s str, u64> {
        let mut sums: HashMap<&str, u64> = HashMap::with_capacity(state.seats.len());
        for (label, seat) in (self.labels)(&state.directory).into_iter().zip(state.seats.iter()) {
            *sums.entry(label).or_default() += seat.get();
        }
        for (label, past) in &state.past {
            *sums.entry(label).or_default() += past;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(routes: &[&str]) -> Arc<Directory> {
        let routes = routes.iter().map(|route| (*route).to_owned()).collect();
        Arc::new(Directory { routes, ..Directory::default() })
    }

    fn total(tally: &Tally) -> Vec<(String, u64)> {
        let mut total = HashMap::new();
        tally.add_to(&mut total);
        let mut total: Vec<_> = total.into_iter().collect();
        total.sort();
        total
    }

    #[test]
    fn a_label_keeps_its_count_over_a_reload_wherever_it_moves() {
        let tally = Tally::new(|directory| directory.routes.iter().map(String::as_str).collect());
        let seats = tally.seat(&directory(&["a", "b", "c"]));
        seats[0].add(1);
        seats[1].add(2);
        let seats = tally.seat(&directory(&["b", "new", "a"]));
        seats[0].add(10);
        seats[1].add(20);
        let want = [("a", 1), ("b", 12), ("new", 20)].map(|(label, sum)| (label.to_owned(), sum));
        assert_eq!(total(&tally), want);
        tally.seat(&directory(&["a"]));
        assert_eq!(total(&tally), [("a".to_owned(), 1)]);
    }
}
