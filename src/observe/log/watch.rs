//! Notices when the log thread hangs in a write, which it cannot say itself: in a pipe that nobody reads, on a disk that
//! has gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;

/// What was seen at the last look.
pub struct Watch {
    shared: Arc<Shared>,
    turns: u64,
}

impl Watch {
    pub(super) fn new(shared: Arc<Shared>) -> Watch {
        Watch { shared, turns: 0 }
    }

    /// Says it, once, if the log thread has been in one write since the last look and lines were dropped meanwhile.
    pub fn look(&mut self) {
        let turns = self.shared.turns.get();
        let hangs = turns % 2 == 1 && turns == self.turns;
        self.turns = turns;
        if hangs
            && self.shared.dropped() > self.shared.known.get()
            && !self.shared.hung.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("the query log hangs in a write; answers go on, lines are dropped and counted");
        }
    }
}
