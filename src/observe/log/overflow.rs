//! Watches for lines that found no room, and says so once, with the cause.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Shared;

/// Drops this long past are over.
const CALM: Duration = Duration::from_secs(10);
/// A write that takes this long hangs: in a pipe that nobody reads, on a disk that has gone.
const HANGS: Duration = Duration::from_secs(1);

/// Why there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The sink fails, which it has said itself.
    Sink,
    /// The writer is in one write, and has been for so long that it may never come out.
    Hang,
    /// It is in one write, but not for long yet.
    Unclear,
    /// More comes than can be written.
    Load,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Overflow {
    /// How many had been dropped before, and when that last grew.
    now: Option<(u64, Instant)>,
    /// The writer's turn as it was first seen, and when.
    turn: Option<(u64, Instant)>,
    /// The writer's turn when drops without a cause were seen first.
    doubt: Option<u64>,
}

impl Overflow {
    pub(super) fn watch(&mut self, shared: &Shared, now: Instant) {
        let cause = self.cause(shared, now);
        let (dropped, known) = (shared.dropped(), shared.known.get());
        if dropped > known {
            if self.now.is_none() {
                match cause {
                    Cause::Unclear if self.doubt.is_none_or(|turn| turn == shared.turns.get()) => {
                        self.doubt = Some(shared.turns.get());
                        return;
                    }
                    Cause::Sink => {}
                    Cause::Hang => {
                        tracing::warn!(
                            "the query log hangs in a write; answers go on, lines are dropped and counted"
                        );
                    }
                    Cause::Load | Cause::Unclear => {
                        tracing::warn!(
                            "the query log's queue is full; answers go on, lines are dropped and counted"
                        );
                    }
                }
            }
            self.doubt = None;
            let before = self.now.map_or(known, |(before, _)| before);
            self.now = Some((before, now));
            shared.known.add(dropped - known);
        } else if let Some((before, last)) = self.now
            && now.saturating_duration_since(last) >= CALM
            && cause != Cause::Hang
        {
            tracing::info!(
                lines = dropped - before,
                "the query log keeps up again; so many lines were dropped"
            );
            self.now = None;
        }
    }

    fn cause(&mut self, shared: &Shared, now: Instant) -> Cause {
        let turn = shared.turns.get();
        let since = match self.turn {
            Some((before, since)) if before == turn => since,
            _ => now,
        };
        self.turn = Some((turn, since));
        let writes = turn % 2 == 1;
        match now.saturating_duration_since(since) {
            _ if shared.troubled.load(Ordering::Relaxed) => Cause::Sink,
            _ if !writes => Cause::Load,
            long if long >= HANGS => Cause::Hang,
            _ => Cause::Unclear,
        }
    }
}
