//! One computation a second for all who look, and the seats from which they do.
//!
//! Frames are not queued: there is one, the latest, and whoever is slow misses those between. The first viewer starts
//! the computation, and the last one ends it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::live::Live;
use crate::control::Status;

/// How many may look at once.
const SEATS: usize = 8;
/// The time between frames.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a stream lasts. Then the browser comes again by itself, and who no longer is there does not.
const WHOLE_TIME: Duration = Duration::from_secs(600);
/// A reader that takes no frame for so long is dropped.
const SLOW: Duration = Duration::from_secs(5);

/// Until when a connection may live; whoever serves it looks, and its stream moves it on.
#[derive(Clone)]
pub struct Limit(Arc<Mutex<Instant>>);

impl Limit {
    /// From now on, so long.
    pub fn within(time: Duration) -> Limit {
        Limit(Arc::new(Mutex::new(Instant::now() + time)))
    }

    /// Until when.
    pub fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Where viewers sit.
pub struct Theatre {
    seats: Arc<Semaphore>,
    frames: watch::Sender<Bytes>,
    stage: Mutex<Stage>,
}

#[derive(Default)]
struct Stage {
    live: Live,
    is_playing: bool,
}

/// A seat; free again when it is dropped.
pub struct Seat {
    theatre: Arc<Theatre>,
    _permit: OwnedSemaphorePermit,
}

impl Default for Theatre {
    fn default() -> Self {
        Theatre {
            seats: Arc::new(Semaphore::new(SEATS)),
            frames: watch::Sender::new(Bytes::new()),
            stage: Mutex::default(),
        }
    }
}

impl Theatre {
    /// Whether somebody could sit down.
    pub fn has_room(&self) -> bool {
        self.seats.available_permits() > 0
    }

    /// A seat, if one is free. The first viewer has the play begin.
    pub fn sit(self: &Arc<Self>, status: &Arc<dyn Status>) -> Option<Seat> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let mut stage = self.stage();
        if !stage.is_playing {
            stage.is_playing = true;
            tokio::spawn(play(Arc::clone(self), Arc::clone(status)));
        }
        drop(stage);
        Some(Seat { theatre: Arc::clone(self), _permit: permit })
    }

    fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The play, as long as it goes on; whatever ends it, the next viewer has it begin again. All of this is on one thread.
struct Playing(Arc<Theatre>);

impl Drop for Playing {
    fn drop(&mut self) {
        let mut stage = self.0.stage();
        stage.live.pause();
        stage.is_playing = false;
    }
}

/// Once a second, as long as anybody sits there.
async fn play(theatre: Arc<Theatre>, status: Arc<dyn Status>) {
    let _playing = Playing(Arc::clone(&theatre));
    let _look = status.look();
    let mut beat = interval(PERIOD);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        if theatre.seats.available_permits() == SEATS {
            return;
        }
        let frame = theatre.stage().live.step(status.glance());
        theatre.frames.send_replace(event("now", &frame));
    }
}

impl Seat {
    /// What is sent: the charts so far, then each frame that the reader is there for. Moves `limit` on with each.
    pub fn watch(self, limit: Limit) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + use<> {
        let end = Instant::now() + WHOLE_TIME;
        limit.set(Instant::now() + SLOW);
        let frames = self.theatre.frames.subscribe();
        let points: Vec<_> = self.theatre.stage().live.points().copied().collect();
        let past = [&b"retry: 2000\n"[..], &event("past", &points)].concat().into();
        unfold((self, frames, Some(past)), move |(seat, mut frames, past)| {
            let limit = limit.clone();
            async move {
                let frame: Bytes = match past {
                    Some(past) => past,
                    None => tokio::select! {
                        changed = frames.changed() => {
                            // The sender is in the theatre, which the seat holds.
                            changed.ok()?;
                            frames.borrow_and_update().clone()
                        }
                        () = sleep_until(end) => return None,
                    },
                };
                // A reader that does not take what is sent is not asked again, and its time runs out.
                limit.set(Instant::now() + SLOW);
                Some((Ok(Frame::data(frame)), (seat, frames, None)))
            }
        })
    }
}

/// An event of the stream. JSON has no line ends in it.
fn event(name: &str, data: &impl serde::Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".into());
    format!("event: {name}\ndata: {data}\n\n").into()
}
