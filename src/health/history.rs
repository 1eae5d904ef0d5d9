//! When a server went down and came back: the last few changes, for whoever asks why it was slow an hour ago.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::State;
use crate::query::Now;

/// How many changes are kept. Servers change seldom; one that flaps shows that in these.
const KEPT: usize = 24;

/// A server went down, or came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub unix_micros: u64,
    /// What it is since then.
    pub state: State,
}

/// The last changes. Locked only when there is one more, or somebody looks.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<VecDeque<Change>>);

impl History {
    pub(super) fn note(&self, now: Now, state: State) {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == KEPT {
            changes.pop_front();
        }
        changes.push_back(Change { unix_micros: now.unix_micros, state });
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_last_changes_are_kept_and_no_more() {
        let history = History::default();
        for unix_micros in 0..1_000 {
            let state = if unix_micros % 2 == 0 { State::Down } else { State::Up };
            history.note(Now { monotonic: Duration::ZERO, unix_micros }, state);
        }
        let changes = history.changes();
        assert_eq!(changes.len(), KEPT);
        assert_eq!(changes.last(), Some(&Change { unix_micros: 999, state: State::Up }));
        assert!(changes.windows(2).all(|pair| pair[0].unix_micros + 1 == pair[1].unix_micros));
    }
}
