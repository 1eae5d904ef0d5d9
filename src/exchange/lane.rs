//! Queries that no task waits for. A question that one response answers, as nearly all do, then costs neither a task nor
//! a timer: what became of it is taken from here, a batch at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::udp::{Party, Waiting};
use super::{Exchange, ExchangeError, Query, Reply, Way};
use crate::wire::message::Message;

/// Room that a list of news keeps: for as many as one look at the ports brings.
const KEPT: usize = 128;

/// A query of the lane of which there is news.
pub struct Landed {
    /// The token it was launched with.
    pub token: u64,
    /// What became of it.
    pub landing: Landing,
}

/// What became of a query.
#[allow(clippy::large_enum_variant)] // nearly all are the large one; a box would cost each of them an allocation
pub enum Landing {
    /// It has ended.
    Ended(Ended),
    /// Nothing had come in time. It is still listened for: [`Exchange::listen`].
    Silent(Silent),
}

/// How a query ended.
pub struct Ended {
    /// When it was sent.
    pub sent: Instant,
    /// When it ended.
    pub at: Instant,
    /// How many datagrams came that were not the response.
    pub ignored: u32,
    /// What it says, or why there is none.
    pub outcome: Result<Message, ExchangeError>,
}

/// A query that is waited for longer than it should be. To be given to [`Exchange::listen`], or its place is lost.
#[must_use]
pub struct Silent {
    pub(super) slot: u32,
    /// The line that it waits on: another has slots of the same numbers.
    pub(super) line: u64,
}

/// What became of a query that had been waited for in vain.
pub enum Late {
    /// It ended after all.
    Ended(Ended),
    /// Nothing has come yet.
    Listening(Listening),
}

/// The wait for a response that is late. Dropped it ends.
pub struct Listening(Waiting<'static>);

impl Listening {
    /// Waits on, until the deadline that the query was launched with.
    pub async fn reply(self, ignored: &AtomicU64) -> Result<Reply, ExchangeError> {
        let mut waiting: Waiting<'_> = self.0;
        waiting.ignored = Some(ignored);
        waiting.await
    }
}

impl Exchange {
    /// Sends a query over UDP. What becomes of it is to be taken by [`Exchange::take_landed`]; the first news comes when
    /// it has ended, or when nothing has come until `due`.
    pub fn launch(
        &self,
        way: Way,
        query: Query,
        sent: Instant,
        due: Instant,
        token: u64,
    ) -> Result<(), ExchangeError> {
        self.with_desk(|desk| desk.send(way, query, sent, Party::Lane { token, due }).map(drop))?
    }

    /// Waits until there is something to take.
    pub async fn landed(&self) {
        self.landed.notified().await;
    }

    /// All queries of which there is news, if `into` is empty: the lists change places, so nothing is copied, by one lock.
    /// (This, the line found without one, and the like: 31 locked instructions a miss instead of 48, none of which lets the
    /// processor look beyond it.)
    pub fn take_landed(&self, into: &mut VecDeque<Landed>) {
        if into.is_empty() {
            // What a flood has made of it is not kept, twice.
            into.shrink_to(KEPT);
            self.with_open_desk(|desk| std::mem::swap(into, &mut desk.lock().landed));
        }
    }

    /// Ends what nobody waits for any more.
    pub fn dismiss(&self, landed: Landed) {
        if let Landing::Silent(silent) = landed.landing {
            drop(self.listen(silent));
        }
    }

    /// What has become, since that was told, of a query of which nothing had come. `None`: its line is no longer there.
    pub fn listen(&self, Silent { slot, line }: Silent) -> Option<Late> {
        self.with_open_desk(|desk| {
            if desk.serial != line {
                return None;
            }
            let mut state = desk.lock();
            let wait = state.waits.get_mut(slot as usize)?.as_mut()?;
            let Some(outcome) = wait.outcome.take() else {
                let waiting = Waiting { desk: Arc::clone(desk), slot, ignored: None };
                return Some(Late::Listening(Listening(waiting)));
            };
            // Its port was left when it came.
            let (outcome, at) = *outcome;
            let ended = Ended { sent: wait.sent, at, ignored: wait.ignored, outcome };
            state.waits[slot as usize] = None;
            state.free.push(slot);
            Some(Late::Ended(ended))
        })?
    }
}

/// Adds what came in vain to its server's count.
pub fn note_ignored(ignored: u32, tally: &AtomicU64) {
    if ignored > 0 {
        tally.fetch_add(ignored.into(), Ordering::Relaxed);
    }
}
