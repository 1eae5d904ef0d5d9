//! dnstap: what clients and upstream servers said, octet by octet, for readers that speak Frame Streams.
//!
//! The log thread writes frames ([`message`]) into a bounded queue of each output; a thread of its own sends them
//! ([`sender`], [`outlet`], [`mod@frame`]). An output that fails, blocks or is slow costs frames, which are counted.
//!
//! Not seen here: health checks, and iteration from the root, which is not ours.

mod frame;
mod message;
mod outlet;
mod sender;
#[cfg(test)]
mod tests;

pub use message::Kind;
pub use outlet::Target;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use rtrb::{Producer, RingBuffer};

use self::message::{Encoder, of_passage};
use self::sender::{Common, Sender};
use super::filter::{Sampler, Selection, Sieve, Weight};
use super::readings::TapReading;
use crate::query::{Directory, Onlooker, Passage, Sighting, Wants};

/// Drops this long past are over.
const CALM: Duration = Duration::from_secs(10);

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Where frames go.
    pub target: Target,
    /// Which messages.
    pub kinds: Vec<Kind>,
    /// Which clients' messages. Upstream servers' are all sent: one may be on behalf of many clients.
    pub selection: Selection,
    /// Octets of frames that may wait.
    pub queue: usize,
}

/// All outputs, on the log thread.
pub struct Taps {
    shared: Arc<Shared>,
    outputs: Vec<Tap>,
    /// The directories that events come with.
    /// Whoever holds them last frees them, which for large ones takes its time: not we, on the log thread.
    names: Vec<Weak<Directory>>,
    node: String,
    encoder: Encoder,
}

/// A handle to give them orders and to read their numbers.
#[derive(Clone)]
pub struct TapControl {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    order: Mutex<Option<Vec<Spec>>>,
    /// What each output has done, and what ends when it does.
    outputs: Mutex<Vec<Output>>,
}

struct Output {
    to: String,
    common: Arc<Common>,
    thread: Thread,
    ended: Receiver<()>,
}

/// One output, on the log thread.
struct Tap {
    spec: Spec,
    queue: Producer<u8>,
    common: Arc<Common>,
    thread: Thread,
    /// What passes, by directory, in the order of [`Taps::names`].
    sieves: Vec<Sieve>,
    sampler: Sampler,
    has_news: bool,
    overflow: Option<Overflow>,
}

/// Since when frames are dropped: how many had been before, how many now, and when that was noticed.
struct Overflow {
    before: u64,
    last: u64,
    at: Duration,
}

impl Taps {
    /// Starts a thread for each output. A target that is not there yet is tried again until it is.
    pub fn start(specs: Vec<Spec>) -> (Taps, TapControl) {
        let shared = Arc::<Shared>::default();
        let mut taps = Taps {
            shared: Arc::clone(&shared),
            outputs: Vec::new(),
            names: Vec::new(),
            node: String::new(),
            encoder: Encoder::default(),
        };
        taps.turn_to(specs);
        (taps, TapControl { shared })
    }

    /// Keeps the outputs that stay as they are, ends others, begins new ones.
    fn turn_to(&mut self, specs: Vec<Spec>) {
        let mut old = std::mem::take(&mut self.outputs);
        let mut fresh = Vec::new();
        for spec in specs {
            match old.iter().position(|tap| tap.spec == spec) {
                Some(at) => self.outputs.push(old.swap_remove(at)),
                None => fresh.push(spec),
            }
        }
        // Before new ones begin: they may be for the same files.
        drop(old);
        self.shared.outputs().retain(|output| !output.common.closing.load(Ordering::Relaxed));
        for spec in fresh {
            let to = spec.target.text();
            match Tap::start(spec, &self.names) {
                Ok((tap, output)) => {
                    self.outputs.push(tap);
                    self.shared.outputs().push(output);
                }
                Err(fault) => tracing::error!(to, %fault, "dnstap cannot be started"),
            }
        }
    }

    fn place(&self, names: &Directory) -> Option<usize> {
        self.names.iter().position(|known| std::ptr::eq(known.as_ptr(), names))
    }
}

impl Shared {
    fn outputs(&self) -> MutexGuard<'_, Vec<Output>> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Onlooker for Taps {
    fn is_wanted(&self) -> bool {
        !self.outputs.is_empty()
    }

    fn wants(&self) -> Wants {
        let any = |kinds: &[Kind]| self.outputs.iter().any(|tap| kinds.iter().any(|kind| tap.takes(*kind)));
        Wants {
            queries: any(&[Kind::ClientQuery]),
            passages: any(&[Kind::ForwarderQuery, Kind::ForwarderResponse]),
        }
    }

    fn learn(&mut self, names: &Arc<Directory>) {
        self.node.clone_from(&names.node);
        if self.place(names).is_some() {
            return;
        }
        for at in (0..self.names.len()).rev() {
            if self.names[at].strong_count() == 0 {
                self.names.remove(at);
                self.outputs.iter_mut().for_each(|tap| drop(tap.sieves.remove(at)));
            }
        }
        self.names.push(Arc::downgrade(names));
        self.outputs.iter_mut().for_each(|tap| tap.sieves.push(Sieve::of(&tap.spec.selection, names)));
    }

    fn see(&mut self, seen: &Sighting<'_>, names: &Directory) {
        let place = self.place(names);
        for tap in &mut self.outputs {
            if !(tap.takes(Kind::ClientQuery) || tap.takes(Kind::ClientResponse)) {
                continue;
            }
            if place.is_some_and(|place| !tap.sieves[place].passes(seen)) {
                continue;
            }
            let sample = match tap.sampler.weigh(seen) {
                None => continue,
                Some(Weight::Whole) => None,
                Some(Weight::Of(events)) => Some(events),
            };
            // The query was recorded before anybody wanted its octets.
            let has_query = !seen.query.is_empty();
            if tap.takes(Kind::ClientQuery) && has_query {
                tap.put(self.encoder.client(Kind::ClientQuery, seen, &names.node, sample));
            }
            if tap.takes(Kind::ClientResponse) {
                tap.put(self.encoder.client(Kind::ClientResponse, seen, &names.node, sample));
            }
        }
    }

    fn overhear(&mut self, passage: &Passage<'_>) {
        for tap in self.outputs.iter_mut().filter(|tap| tap.takes(of_passage(passage))) {
            tap.put(self.encoder.forwarder(passage, &self.node));
        }
    }

    fn rest(&mut self, unix: Duration) {
        let order = self.shared.order.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(specs) = order {
            self.turn_to(specs);
        }
        self.outputs.iter_mut().for_each(|tap| tap.rest(unix));
    }
}

impl Tap {
    fn start(spec: Spec, names: &[Weak<Directory>]) -> std::io::Result<(Tap, Output)> {
        let (queue, read) = RingBuffer::new(spec.queue);
        let common = Arc::<Common>::default();
        let sender = Sender::new(spec.target.clone(), read, Arc::clone(&common));
        let (end, ended): (SyncSender<()>, Receiver<()>) = sync_channel(1);
        let thread = thread::Builder::new().name("dnstap".to_owned()).spawn(move || sender.run(&end))?;
        let thread = thread.thread().clone();
        let output =
            Output { to: spec.target.text(), common: Arc::clone(&common), thread: thread.clone(), ended };
        let sieves = names
            .iter()
            .map(|names| {
                names.upgrade().map_or_else(Sieve::default, |names| Sieve::of(&spec.selection, &names))
            })
            .collect();
        let sampler = Sampler::of(&spec.selection);
        Ok((Tap { spec, queue, common, thread, sieves, sampler, has_news: false, overflow: None }, output))
    }

    fn takes(&self, kind: Kind) -> bool {
        self.spec.kinds.contains(&kind)
    }

    /// Queues a frame, or drops and counts it.
    fn put(&mut self, frame: &[u8]) {
        match self.queue.push_entire_slice(frame) {
            Ok(()) => self.has_news = true,
            Err(_) => self.common.dropped.add(1),
        }
    }

    /// Lets the sender know of what was queued; says once when frames are dropped, and when that is over.
    fn rest(&mut self, unix: Duration) {
        if std::mem::take(&mut self.has_news) {
            self.thread.unpark();
        }
        let dropped = self.common.dropped.get();
        match &mut self.overflow {
            None => {
                if dropped > 0 {
                    let to = self.spec.target.text();
                    tracing::warn!(
                        to,
                        "the queue of dnstap is full; answers go on, frames are dropped and counted"
                    );
                    self.overflow = Some(Overflow { before: 0, last: dropped, at: unix });
                }
            }
            Some(overflow) if dropped > overflow.last => {
                if overflow.before == overflow.last {
                    let to = self.spec.target.text();
                    tracing::warn!(to, "the queue of dnstap is full again; frames are dropped and counted");
                }
                (overflow.last, overflow.at) = (dropped, unix);
            }
            Some(overflow) if overflow.last > overflow.before && unix.saturating_sub(overflow.at) >= CALM => {
                let to = self.spec.target.text();
                let frames = overflow.last - overflow.before;
                tracing::info!(to, frames, "dnstap keeps up again; so many frames were dropped");
                overflow.before = overflow.last;
            }
            Some(_) => {}
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.common.closing.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl TapControl {
    /// From now on frames go there.
    pub fn redirect(&self, specs: Vec<Spec>) {
        *self.shared.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(specs);
    }

    /// Opens files anew: for SIGUSR1, after another program renamed them.
    pub fn reopen(&self) {
        for output in self.shared.outputs().iter() {
            output.common.reopen.store(true, Ordering::Relaxed);
            output.thread.unpark();
        }
    }

    /// What each output has done.
    pub fn readings(&self) -> Vec<TapReading> {
        let outputs = self.shared.outputs();
        let reading = |output: &Output| TapReading {
            to: output.to.clone(),
            sent: output.common.sent.get(),
            dropped: output.common.dropped.get() + output.common.lost.get(),
            connected: output.common.connected.load(Ordering::Relaxed),
        };
        outputs.iter().map(reading).collect()
    }

    /// Waits until what was queued is sent, no longer than `bound`. Call it when the log has ended, and the taps with it.
    pub fn shutdown(&self, bound: Duration) {
        let mut patience = bound;
        for output in self.shared.outputs().drain(..) {
            if output.ended.recv_timeout(patience).is_err() {
                // All of them have had it.
                patience = Duration::ZERO;
                tracing::warn!(to = output.to, "dnstap did not finish in time; what was queued is lost");
            }
        }
    }
}
