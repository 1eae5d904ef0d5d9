//! The last slow query of each bucket: an example beside the number, for whoever asks what was slow.
//!
//! Looked at only for answers that took longer than ten milliseconds, and taken once a second at most; so a lock that
//! nobody else holds for long costs nothing that could be noticed.

use std::sync::{Mutex, PoisonError, TryLockError};

use crate::query::{Directory, Event, Source};
use crate::wire::NameRef;

use super::block::{LATENCY, Outcome};

/// The first bucket of [`LATENCY`] with an example: answers above 10 ms.
pub(super) const FROM: usize = 8;
const BUCKETS: usize = LATENCY.len() + 1 - FROM;
/// How old an example is before another takes its place.
const AGE_MICROS: u64 = 1_000_000;
/// What an exemplar's label set may hold: names and values, 128 characters together (OpenMetrics 1.0, Exemplars).
const ROOM: usize = 128 - "network".len() - "name".len();
/// What the network's name may take of it.
const NETWORK: usize = 40;

/// One worker's examples, by source and bucket.
#[derive(Default)]
pub(super) struct Slow(Mutex<Examples>);

/// Examples, by source and bucket from [`FROM`] on.
pub type Examples = [[Option<Example>; BUCKETS]; Source::ALL.len()];

/// A query that was slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// When it came, in microseconds since 1970.
    pub unix_micros: u64,
    /// How long it took.
    pub micros: u32,
    /// The client's network.
    pub network: String,
    /// What it asked for, in presentation format: printable ASCII. Only its end, if it is long.
    pub name: String,
}

impl Slow {
    /// Keeps a query as example, if the one there is old.
    pub(super) fn note(&self, event: &Event<'_>, outcome: Outcome, directory: &Directory) {
        let mut examples = match self.0.try_lock() {
            Ok(examples) => examples,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody reads them; the next will do.
            Err(TryLockError::WouldBlock) => return,
        };
        let Some(place) = outcome.bucket.checked_sub(FROM) else { return };
        let example = &mut examples[outcome.source][place];
        // A clock that went back makes the old one look young: by how much does not matter.
        if example.as_ref().is_some_and(|old| event.unix_micros.abs_diff(old.unix_micros) < AGE_MICROS) {
            return;
        }
        let Ok(name) = NameRef::parse(event.response, 12) else { return };
        let network = event.network.and_then(|number| directory.networks.get(number as usize));
        let network: String =
            network.map_or(super::block::NONE, |network| &network.name).chars().take(NETWORK).collect();
        let name = tail(&name.to_string(), ROOM - network.chars().count());
        *example =
            Some(Example { unix_micros: event.unix_micros, micros: event.duration_micros, network, name });
    }

    /// Puts the younger of each into `all`.
    pub(super) fn add_to(&self, all: &mut Examples) {
        let examples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (all, own) in all.as_flattened_mut().iter_mut().zip(examples.as_flattened()) {
            let age = |example: &Option<Example>| example.as_ref().map(|one| one.unix_micros);
            if age(own) > age(all) {
                all.clone_from(own);
            }
        }
    }
}

/// The end of a name: its domain says more than its first labels, which may be random.
fn tail(name: &str, most: usize) -> String {
    let surplus = name.len().saturating_sub(most);
    // A name in presentation format is ASCII.
    name.get(surplus..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        assert_eq!(tail("a.very.long.example.", 8), "example.");
        assert_eq!(tail("a.example.", 117), "a.example.");
    }
}
