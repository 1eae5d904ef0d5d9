//! Queries that no task waits for. A question that one response answers, as nearly all do, then costs neither a task nor
//! a timer: what became of it is taken from here, a batch at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::udp::{Desk, News, Party, State, Waiting};
use super::{Exchange, ExchangeError, Reply, Try};
use crate::wire::message::Message;

/// How many are taken by one lock.
const AT_A_TIME: usize = 32;

/// A query of the lane of which there is news.
pub struct Landed {
    /// The token it was launched with.
    pub token: u64,
    /// When that was known.
    pub at: Instant,
    /// What became of it.
    pub landing: Landing,
}

/// What became of a query.
#[allow(clippy::large_enum_variant)] // nearly all are the large one; a box would cost each of them an allocation
pub enum Landing {
    /// It has ended. Before that so many datagrams came that were not the response.
    Ended(Result<Reply, ExchangeError>, u32),
    /// Nothing has come in time. It is still listened for.
    Silent(Listening),
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
        attempt: &Try<'_>,
        sent: Instant,
        due: Instant,
        token: u64,
    ) -> Result<(), ExchangeError> {
        self.with_desk(|desk| desk.send(attempt, sent, Party::Lane { token, due }).map(drop))?
    }

    /// Waits until there is something to take.
    pub async fn landed(&self) {
        self.landed.notified().await;
    }

    /// The next queries of which there is news: some at a time, by one lock. (This, the line found
    /// without one, and the like: 31 locked instructions a miss instead of 48, none of which lets the processor look beyond it.)
    pub fn take_landed(&self, into: &mut VecDeque<Landed>) {
        self.with_open_desk(|desk| {
            let mut state = desk.lock();
            for _ in 0..AT_A_TIME {
                let Some(news) = state.landed.pop_front() else { break };
                into.extend(state.tell(desk, news));
            }
        });
    }
}

impl State {
    fn tell(&mut self, desk: &Arc<Desk>, news: News) -> Option<Landed> {
        let (token, slot) = match news {
            News::Ended { token, sent, at, ignored, outcome } => {
                return Some(ended(token, (sent, at), ignored, outcome));
            }
            News::Silent { token, slot } => (token, slot),
        };
        // Always there: it waits until it has been told of.
        let wait = self.waits[slot as usize].as_mut()?;
        let Some(outcome) = wait.outcome.take() else {
            let listening = Listening(Waiting { desk: Arc::clone(desk), slot, ignored: None });
            return Some(Landed { token, at: Instant::now(), landing: Landing::Silent(listening) });
        };
        // It came after all. Its port was left when it did.
        let (sent, ignored) = (wait.sent, wait.ignored);
        self.waits[slot as usize] = None;
        self.free.push(slot);
        Some(ended(token, (sent, outcome.1), ignored, outcome.0))
    }
}

fn ended(
    token: u64,
    (sent, at): (Instant, Instant),
    ignored: u32,
    outcome: Result<Message, ExchangeError>,
) -> Landed {
    let reply = outcome.map(|message| Reply { message, rtt: at - sent });
    Landed { token, at, landing: Landing::Ended(reply, ignored) }
}

/// Adds what came in vain to its server's count.
pub fn note_ignored(ignored: u32, tally: &AtomicU64) {
    if ignored > 0 {
        tally.fetch_add(ignored.into(), Ordering::Relaxed);
    }
}
