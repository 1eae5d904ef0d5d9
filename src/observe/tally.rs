//! Counts by a label of the configuration: routes, networks.
//!
//! A worker counts by position; what a position is called changes with a reload. So each worker has a seating for each
//! directory. A reload prepares it before it is needed and puts the one of before away, so that a worker only changes
//! seats, however many there are; what was counted in seatings that are gone is kept by label.

use std::collections::{HashMap, HashSet};
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::query::Directory;

use super::counter::Counter;

/// Which list of the directory is counted.
pub(super) type Labels = fn(&Directory) -> Vec<&str>;

/// What is counted at one position: a number, or a block of them.
pub(super) trait Cell: Default {
    /// What several of them add up to.
    type Sum: Default + for<'a> AddAssign<&'a Self::Sum>;

    /// What was counted here; nothing if nothing was.
    fn read(&self) -> Option<Self::Sum>;
}

impl Cell for Counter {
    type Sum = u64;

    fn read(&self) -> Option<u64> {
        Some(self.get()).filter(|count| *count > 0)
    }
}

/// One worker's counts of one list.
pub(super) struct Tally<C: Cell> {
    labels: Labels,
    /// What was counted in seatings that are gone. Locked before the seatings, and never by a worker.
    past: Mutex<Past<C::Sum>>,
    /// Of the last one, the labels are shown. Locked only as long as it takes to look: a worker may wait.
    seatings: Mutex<Vec<Seating<C>>>,
}

#[derive(Default)]
struct Past<S> {
    labels: HashMap<String, S>,
    /// Of labels that have left the configuration, together: a total must not fall when they do.
    gone: S,
}

struct Seating<C> {
    directory: Arc<Directory>,
    seats: Arc<[C]>,
}

impl<C: Cell> Tally<C> {
    pub(super) fn new(labels: Labels) -> Tally<C> {
        Tally { labels, past: Mutex::default(), seatings: Mutex::default() }
    }

    /// Makes counters for the positions of `directory`, for [`seat`](Self::seat) to give.
    pub(super) fn prepare(&self, directory: &Arc<Directory>) {
        let seating = self.seating(directory);
        lock(&self.seatings).push(seating);
    }

    /// Counters for the positions of `directory`. Those given before must not be raised any more.
    pub(super) fn seat(&self, directory: &Arc<Directory>) -> Arc<[C]> {
        let mut seatings = lock(&self.seatings);
        let prepared = seatings.iter().position(|seating| Arc::ptr_eq(&seating.directory, directory));
        // What nobody prepared is made here: at the start, or when reloads overtake the worker.
        let seating = prepared.map_or_else(|| self.seating(directory), |at| seatings.remove(at));
        let seats = Arc::clone(&seating.seats);
        seatings.push(seating);
        seats
    }

    /// Puts away the seatings that the worker has left. Gives how many it has not.
    pub(super) fn tidy(&self) -> usize {
        let mut past = lock(&self.past);
        let (left, last, before) = {
            let mut seatings = lock(&self.seatings);
            let Some(last) = seatings.pop() else { return 0 };
            // A look from outside would hold `past`, so a second hand is the worker's.
            let left: Vec<Seating<C>> =
                seatings.extract_if(.., |seating| Arc::get_mut(&mut seating.seats).is_some()).collect();
            let before = seatings.len();
            seatings.push(last.clone());
            (left, last, before)
        };
        for seating in &left {
            for (label, count) in seating.counted(self.labels) {
                match past.labels.get_mut(label) {
                    Some(sum) => *sum += &count,
                    None => drop(past.labels.insert(label.to_owned(), count)),
                }
            }
        }
        if !left.is_empty() && !past.labels.is_empty() {
            // A label that left the configuration leaves the metrics: their number stays bounded by the configuration.
            let labels: HashSet<&str> = (self.labels)(&last.directory).into_iter().collect();
            let Past { labels: counts, gone } = &mut *past;
            for (_, count) in counts.extract_if(|label, _| !labels.contains(&label[..])) {
                *gone += &count;
            }
        }
        before
    }

    /// Adds its counts to those of other workers: by label, and all of them.
    pub(super) fn add_to(&self, by_label: &mut HashMap<String, C::Sum>, all: &mut C::Sum) {
        let past = lock(&self.past);
        let seatings = lock(&self.seatings).clone();
        let Some(last) = seatings.last() else { return };
        for label in (self.labels)(&last.directory) {
            if !by_label.contains_key(label) {
                by_label.insert(label.to_owned(), C::Sum::default());
            }
        }
        let mut add = |label: &str, count: &C::Sum| {
            *all += count;
            if let Some(sum) = by_label.get_mut(label) {
                *sum += count;
            }
        };
        for (label, count) in seatings.iter().flat_map(|seating| seating.counted(self.labels)) {
            add(label, &count);
        }
        past.labels.iter().for_each(|(label, count)| add(label, count));
        *all += &past.gone;
    }

    fn seating(&self, directory: &Arc<Directory>) -> Seating<C> {
        let seats = (self.labels)(directory).iter().map(|_| C::default()).collect();
        Seating { directory: Arc::clone(directory), seats }
    }
}

impl<C: Cell> Seating<C> {
    /// What was counted here, where anything was.
    fn counted(&self, labels: Labels) -> impl Iterator<Item = (&str, C::Sum)> {
        let counts = self.seats.iter().map(C::read);
        labels(&self.directory).into_iter().zip(counts).filter_map(|(label, count)| Some((label, count?)))
    }
}

impl<C> Clone for Seating<C> {
    fn clone(&self) -> Seating<C> {
        Seating { directory: Arc::clone(&self.directory), seats: Arc::clone(&self.seats) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(routes: &[&str]) -> Arc<Directory> {
        let routes = routes.iter().map(|route| (*route).to_owned()).collect();
        Arc::new(Directory { routes, ..Directory::default() })
    }

    fn routes(directory: &Directory) -> Vec<&str> {
        directory.routes.iter().map(String::as_str).collect()
    }

    fn total(tally: &Tally<Counter>) -> Vec<(String, u64)> {
        let mut total = HashMap::new();
        tally.add_to(&mut total, &mut 0);
        let mut total: Vec<_> = total.into_iter().collect();
        total.sort();
        total
    }

    fn all(tally: &Tally<Counter>) -> u64 {
        let mut all = 0;
        tally.add_to(&mut HashMap::new(), &mut all);
        all
    }

    #[test]
    fn the_total_keeps_what_labels_counted_that_are_gone() {
        let tally = Tally::<Counter>::new(routes);
        let (first, second) = (directory(&["a", "b"]), directory(&["b"]));
        tally.seat(&first)[0].add(3);
        tally.prepare(&second);
        assert_eq!(all(&tally), 3);
        tally.seat(&second)[0].add(4);
        assert_eq!(tally.tidy(), 0);
        assert_eq!((all(&tally), total(&tally)), (7, vec![("b".to_owned(), 4)]));
    }

    #[test]
    fn a_label_keeps_its_count_over_a_reload_wherever_it_moves() {
        let tally = Tally::<Counter>::new(routes);
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
    #[test]
    fn what_is_left_is_put_away_and_goes_on_counting_where_its_label_is_still_there() {
        let tally = Tally::<Counter>::new(routes);
        let (first, second) = (directory(&["a", "b"]), directory(&["b"]));
        let before = tally.seat(&first);
        tally.prepare(&second);
        before[0].add(1);
        before[1].add(2);
        assert_eq!(tally.tidy(), 1, "the worker still counts there");
        assert_eq!(total(&tally), [("b".to_owned(), 2)]);
        before[1].add(3);
        let after = tally.seat(&second);
        drop(before);
        after[0].add(10);
        assert_eq!((tally.tidy(), Arc::strong_count(&first)), (0, 1));
        assert_eq!(total(&tally), [("b".to_owned(), 15)]);
        tally.prepare(&first);
        assert_eq!(total(&tally), [("a".to_owned(), 0), ("b".to_owned(), 15)], "what left came back as new");
    }

    #[test]
    fn a_worker_that_reloads_overtook_counts_all_the_same() {
        let tally = Tally::<Counter>::new(routes);
        let (late, newest) = (directory(&["a"]), directory(&["a"]));
        for prepared in [&late, &newest] {
            tally.prepare(prepared);
            tally.tidy();
        }
        tally.seat(&late)[0].add(1);
        tally.seat(&newest)[0].add(1);
        tally.tidy();
        assert_eq!(total(&tally), [("a".to_owned(), 2)]);
    }
}
