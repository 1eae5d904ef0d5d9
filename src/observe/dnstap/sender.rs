//! The thread of one dnstap output: it connects, writes, and connects again; nobody else waits for it.
//!
//! A frame counts as sent when the kernel has the whole of it. One that went halfway when a reader died is sent whole to
//! the next.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtrb::Consumer;

use super::outlet::{Outlet, Target};
use super::{frame, outlet};
use crate::observe::counter::Counter;

/// How much is taken from the queue at once.
const PIECE: usize = 64 << 10;
/// The sleep between looks at a quiet queue; whoever fills it wakes the thread before that.
const PAUSE: Duration = Duration::from_secs(1);
/// How long to wait before connecting again, doubled each time.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A reader that takes nothing for so long is given up.
const STUCK: Duration = Duration::from_secs(10);
/// How long the end may take.
const END: Duration = Duration::from_secs(1);

/// What the log thread and the sender share.
#[derive(Debug, Default)]
pub(super) struct Common {
    /// Frames sent; only the sender raises it.
    pub(super) sent: Counter,
    /// Frames that found no room in the queue; only the log thread raises it.
    pub(super) dropped: Counter,
    /// Frames that were left at the end; only the sender raises it.
    pub(super) lost: Counter,
    pub(super) connected: AtomicBool,
    pub(super) reopen: AtomicBool,
    /// No more frames will come.
    pub(super) closing: AtomicBool,
}

/// The sender's own.
pub(super) struct Sender {
    target: Target,
    queue: Consumer<u8>,
    common: Arc<Common>,
    /// Whole frames that are being written.
    frames: Vec<u8>,
    /// How much of them is.
    at: usize,
    /// Whether the last fault was said.
    is_said: bool,
    /// How long to wait after the next one.
    wait: Duration,
}

impl Sender {
    pub(super) fn new(target: Target, queue: Consumer<u8>, common: Arc<Common>) -> Sender {
        Sender { target, queue, common, frames: Vec::new(), at: 0, is_said: false, wait: AGAIN.0 }
    }

    /// Works until no more frames will come, and says so then.
    pub(super) fn run(mut self, end: &SyncSender<()>) {
        // A file that fails is kept: what was begun in it is finished in it.
        let mut kept: Option<Outlet> = None;
        loop {
            let opened = match kept.take() {
                Some(outlet) => self.resume(outlet),
                None => self.connect().map_err(|fault| (fault, None)),
            };
            let outcome = opened.and_then(|mut outlet| {
                self.common.connected.store(true, Ordering::Relaxed);
                self.pump(&mut outlet).map_err(|fault| (fault, Some(outlet)))
            });
            self.common.connected.store(false, Ordering::Relaxed);
            match outcome {
                Ok(()) => break,
                Err((fault, outlet)) => {
                    self.lament(&fault);
                    kept = outlet.filter(Outlet::is_file);
                }
            }
            if self.is_closing() {
                break;
            }
            if kept.is_none() {
                self.keep_from(frame::whole(&self.frames, self.at).0);
            }
            thread::park_timeout(self.wait);
            self.wait = (self.wait * 2).min(AGAIN.1);
        }
        self.give_up();
        // Nobody waits for it when the output was taken away by a reload.
        let _ = end.send(());
    }

    fn connect(&mut self) -> io::Result<Outlet> {
        let (outlet, head) = Outlet::open(&self.target, unix())?;
        if head.is_empty() {
            self.rejoice();
        } else {
            self.begin_with(head);
        }
        Ok(outlet)
    }

    /// Goes on with a file that failed: in it, or in what is at its path now.
    fn resume(&mut self, mut outlet: Outlet) -> Result<Outlet, (io::Error, Option<Outlet>)> {
        let Some(file) = outlet.file() else { return Ok(outlet) };
        match outlet::again(file, unix()) {
            Ok(None) => Ok(outlet),
            Ok(Some(head)) => {
                self.keep_from(frame::whole(&self.frames, self.at).0);
                self.begin_with(head);
                Ok(outlet)
            }
            Err(fault) => Err((fault, Some(outlet))),
        }
    }

    /// Counts what will not be sent.
    fn give_up(&mut self) {
        self.keep_from(frame::whole(&self.frames, self.at).0);
        loop {
            self.common.lost.add(frame::whole(&self.frames, self.frames.len()).1);
            self.frames.clear();
            self.refill();
            if self.frames.is_empty() {
                return;
            }
        }
    }

    /// Writes frames until no more will come or a fault does.
    fn pump(&mut self, outlet: &mut Outlet) -> io::Result<()> {
        loop {
            // Read before the queue: what was put in before the order to end is taken.
            let closing = self.is_closing();
            if self.at == self.frames.len() {
                self.refill();
                if self.frames.is_empty() {
                    if closing {
                        return outlet.finish();
                    }
                    if outlet.has_gone() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    if !self.common.reopen.load(Ordering::Relaxed) {
                        thread::park_timeout(PAUSE);
                    }
                }
                self.renew(outlet)?;
            }
            if outlet.has_gone() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.write(outlet)?;
        }
    }

    fn write(&mut self, outlet: &mut Outlet) -> io::Result<()> {
        let mut since = Instant::now();
        while self.at < self.frames.len() {
            match outlet.write(&self.frames[self.at..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.at += length;
                    since = Instant::now();
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {
                    let long = if self.is_closing() { END } else { STUCK };
                    if since.elapsed() >= long {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
        if !self.frames.is_empty() {
            self.keep_from(self.frames.len());
            self.wait = AGAIN.0;
            self.rejoice();
        }
        Ok(())
    }

    /// Takes whole frames from the queue.
    fn refill(&mut self) {
        let ready = self.queue.slots().min(PIECE);
        let Ok(chunk) = self.queue.read_chunk(ready) else { return };
        let (first, second) = chunk.as_slices();
        self.frames.extend_from_slice(first);
        self.frames.extend_from_slice(second);
        chunk.commit_all();
        let (whole, _) = frame::whole(&self.frames, self.frames.len());
        // Frames are put in whole, so the rest of one that the piece cut off is there.
        let Some(head) = self.frames[whole..].first_chunk() else { return self.complete(whole) };
        let missing = 4 + u32::from_be_bytes(*head) as usize - (self.frames.len() - whole);
        self.take(missing);
    }

    fn complete(&mut self, whole: usize) {
        if self.frames.len() > whole {
            self.take(4 - (self.frames.len() - whole));
            if let Some(head) = self.frames[whole..].first_chunk() {
                self.take(u32::from_be_bytes(*head) as usize);
            }
        }
    }

    fn take(&mut self, octets: usize) {
        if let Ok(chunk) = self.queue.read_chunk(octets) {
            let (first, second) = chunk.as_slices();
            self.frames.extend_from_slice(first);
            self.frames.extend_from_slice(second);
            chunk.commit_all();
        }
    }

    /// Forgets frames that are written, and goes on behind them.
    fn keep_from(&mut self, at: usize) {
        let (_, frames) = frame::whole(&self.frames, at);
        self.common.sent.add(frames);
        self.frames.drain(..at);
        self.at = 0;
    }

    fn begin_with(&mut self, head: Vec<u8>) {
        // What a file began with was for that file.
        let data = match frame::length(&self.frames) {
            Some((length, frame::Holds::Control)) => length,
            _ => 0,
        };
        self.frames.splice(..data, head);
        self.at = 0;
    }

    fn renew(&mut self, outlet: &mut Outlet) -> io::Result<()> {
        let order = self.common.reopen.swap(false, Ordering::Relaxed);
        let Some(file) = outlet.file() else { return Ok(()) };
        let mut head = if order { outlet::reopen(file, unix())? } else { None };
        if head.is_none() && !self.frames.is_empty() {
            head = outlet::rotate(file, self.frames.len(), unix())?;
        }
        if let Some(head) = head {
            self.begin_with(head);
        }
        Ok(())
    }

    fn is_closing(&self) -> bool {
        self.common.closing.load(Ordering::Acquire)
    }

    fn rejoice(&mut self) {
        if std::mem::take(&mut self.is_said) {
            tracing::info!(to = self.target.text(), "dnstap is written again");
        }
    }

    fn lament(&mut self, fault: &io::Error) {
        if !std::mem::replace(&mut self.is_said, true) {
            let to = self.target.text();
            tracing::warn!(to, %fault, "dnstap cannot be written; answers go on, frames may be lost");
        }
    }
}

/// The sender's clock: it is an edge of the process.
fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
