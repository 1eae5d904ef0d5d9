//! The query log: one JSON line a query, written by a thread of its own.
//!
//! Workers leave packed records in bounded lanes ([`lane`], [`queue`]); the log thread ([`reader`]) shows them to onlookers and makes
//! lines of them ([`mod@line`]), which wait ([`basin`]) for the thread that writes them ([`writer`]) to a sink ([`sink`]). A
//! sink that fails, blocks or is slow costs lines, which are counted, and never an answer, nor an onlooker an event.

mod basin;
pub(super) mod file;
mod lane;
mod line;
mod overflow;
mod phrases;
mod queue;
mod rdata;
mod reader;
mod record;
mod sink;
#[cfg(test)]
mod tests;
mod text;
mod writer;

pub use file::Rotation;
pub use lane::Lane;
pub use sink::Target;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::query::Onlooker;

use super::counter::Counter;
use super::filter::Selection;
use super::readings::LogReading;

use self::basin::Basin;
use self::lane::{Bell, LaneCounts};
use self::reader::{Reader, Setup, wanted};
use self::sink::Sink;
use self::writer::Writer;

/// The running query log.
pub struct QueryLog {
    control: LogControl,
    ended: Receiver<()>,
}

/// A handle to give it orders and to read its numbers.
#[derive(Clone)]
pub struct LogControl {
    shared: Arc<Shared>,
}

struct Shared {
    bell: Arc<Bell>,
    lanes: Vec<Arc<LaneCounts>>,
    /// Lines written; only the writer raises it.
    lines: Counter,
    /// Events without a line: recorded for onlookers only, or not selected. Only the log thread raises it.
    unasked: Counter,
    /// Lines that found no room to wait; only the log thread raises it.
    overflowed: Counter,
    /// Lines that were made and could not be kept; only the writer raises it.
    lost: Counter,
    /// Odd while the writer is in a write.
    turns: Counter,
    /// Whether the sink fails.
    troubled: AtomicBool,
    /// The drops that the log thread has noticed.
    known: Counter,
    /// Whether an onlooker wants events, as the log thread last heard.
    watched: AtomicBool,
    reopen: AtomicBool,
    redirect: Mutex<Option<Sink>>,
    selection: Mutex<Option<Selection>>,
    selects: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    fn dropped(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.dropped.get()).sum::<u64>() + self.overflowed.get()
    }
}

impl QueryLog {
    /// Opens the target and starts the thread; gives one lane of `queue` octets for each worker. Lanes exist even when
    /// the target is off, so that a reload can turn it on; their memory is touched only when used.
    pub fn start(target: &Target, queue: usize, workers: usize) -> io::Result<(QueryLog, Vec<Lane>)> {
        QueryLog::start_watched(target, queue, workers, Vec::new())
    }

    /// As [`start`](Self::start), with others that see every event.
    pub fn start_watched(
        target: &Target,
        queue: usize,
        workers: usize,
        onlookers: Vec<Box<dyn Onlooker>>,
    ) -> io::Result<(QueryLog, Vec<Lane>)> {
        let sink = Sink::open(target)?;
        let bell = Arc::new(Bell::default());
        let (watched, wants) = wanted(&onlookers);
        bell.wanted.store(watched || !sink.is_off(), Ordering::Relaxed);
        bell.queries.store(wants.queries, Ordering::Relaxed);
        bell.passages.store(wants.passages, Ordering::Relaxed);
        let counts: Vec<Arc<LaneCounts>> = (0..workers).map(|_| Arc::default()).collect();
        let (lanes, queues) =
            counts.iter().map(|counts| lane::lane(queue, Arc::clone(counts), Arc::clone(&bell))).unzip();
        let shared = Arc::new(Shared {
            bell,
            lanes: counts,
            lines: Counter::default(),
            unasked: Counter::default(),
            overflowed: Counter::default(),
            lost: Counter::default(),
            turns: Counter::default(),
            troubled: AtomicBool::new(false),
            known: Counter::default(),
            watched: AtomicBool::new(watched),
            reopen: AtomicBool::new(false),
            redirect: Mutex::new(None),
            selection: Mutex::new(None),
            selects: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let basin = Arc::new(Basin::new(queue.saturating_mul(workers.max(1))));
        let setup = Setup { queues, basin: Arc::clone(&basin), is_on: !sink.is_off(), onlookers };
        let reader = Reader::new(Arc::clone(&shared), setup);
        let writer = Writer::new(Arc::clone(&shared), basin, sink);
        let (end, ended) = sync_channel(2);
        let writer_end = end.clone();
        thread::Builder::new().name("query-log-disk".to_owned()).spawn(move || {
            writer.run();
            // Nobody waits for it when the log was dropped rather than shut down.
            let _ = writer_end.send(());
        })?;
        let thread = thread::Builder::new().name("query-log".to_owned()).spawn(move || {
            reader.run();
            let _ = end.send(());
        })?;
        let _ = shared.bell.thread.set(thread.thread().clone());
        Ok((QueryLog { control: LogControl { shared }, ended }, lanes))
    }

    /// A handle for signals, reloads and metrics.
    pub fn control(&self) -> LogControl {
        self.control.clone()
    }

    /// Writes what the workers published, waits for that no longer than `bound`, and gives the final numbers. Call it
    /// when no worker records any more. A thread that hangs in a write is left behind for the end of the process.
    pub fn shutdown(self, bound: Duration) -> LogReading {
        self.control.stop();
        // Both threads, the one that makes lines and the one that writes them.
        let mut both = (0..2).map(|_| self.ended.recv_timeout(bound));
        if both.any(|ended| ended == Err(RecvTimeoutError::Timeout)) {
            tracing::warn!("the query log did not finish in time; what was queued is lost");
        }
        let mut reading = self.control.reading();
        // What is still queued, in a buffer or in a hanging write will not be written.
        let recorded: u64 = self.control.shared.lanes.iter().map(|lane| lane.recorded.get()).sum();
        let unasked = self.control.shared.unasked.get();
        let known = reading.lines + reading.queue_full + reading.write_failed + unasked;
        reading.write_failed += recorded.saturating_sub(known);
        reading
    }
}

impl Drop for QueryLog {
    fn drop(&mut self) {
        self.control.stop();
    }
}

impl LogControl {
    /// Opens the file's path anew: for SIGUSR1, after another program renamed it.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.shared.bell.wake();
    }

    /// Sends lines to another target from now on; the old one stays when the new one cannot be opened.
    pub fn redirect(&self, target: &Target) -> io::Result<()> {
        let sink = Sink::open(target)?;
        let wanted = !sink.is_off();
        *self.shared.redirect.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
        let wanted = wanted || self.shared.watched.load(Ordering::Relaxed);
        self.shared.bell.wanted.store(wanted, Ordering::Relaxed);
        self.shared.bell.wake();
        Ok(())
    }

    /// Logs from now on what this selects.
    pub fn select(&self, selection: &Selection) {
        *self.shared.selection.lock().unwrap_or_else(PoisonError::into_inner) = Some(selection.clone());
        self.shared.selects.store(true, Ordering::Release);
        self.shared.bell.wake();
    }

    /// How much passed between us and upstream servers, was wanted, and found no room.
    pub fn passages_missed(&self) -> u64 {
        self.shared.lanes.iter().map(|lane| lane.missed.get()).sum()
    }

    /// How many lines were written, how many not.
    pub fn reading(&self) -> LogReading {
        LogReading {
            lines: self.shared.lines.get(),
            queue_full: self.shared.dropped(),
            write_failed: self.shared.lost.get(),
        }
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.bell.wake();
    }
}
