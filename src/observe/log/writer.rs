//! The thread that writes lines, and does nothing else: it alone waits for a disk or a pipe.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::basin::{Basin, Next};
use super::reader::moment;
use super::sink::Sink;

/// The writing thread's own.
pub(super) struct Writer {
    shared: Arc<Shared>,
    basin: Arc<Basin>,
    sink: Sink,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, basin: Arc<Basin>, sink: Sink) -> Writer {
        Writer { shared, basin, sink }
    }

    /// Works until it is told to stop and all that was left to it is written, or cannot be.
    pub(super) fn run(mut self) {
        loop {
            match self.basin.next(self.retry()) {
                Next::Lines(lines) => self.sink.load(lines),
                Next::Reopen => self.sink.reopen(),
                Next::Turn(sink) => {
                    self.sink.give_up();
                    self.publish();
                    self.sink = *sink;
                }
                Next::Retry => {}
                Next::End => return,
            }
            self.write();
            if self.sink.wait(moment()).is_some() && self.basin.is_urgent() {
                // There is no later. What is left in the basin is tried once, too.
                self.sink.give_up();
            }
            self.publish();
        }
    }

    /// How long until what could not be written is tried again, if there is anything of the kind.
    fn retry(&self) -> Option<Duration> {
        let wait = self.sink.wait(moment())?;
        (self.sink.has_rest() || !self.basin.is_urgent()).then_some(wait)
    }

    fn write(&mut self) {
        self.shared.turns.add(1);
        self.sink.write(moment());
        self.shared.troubled.store(self.sink.wait(moment()).is_some(), Ordering::Relaxed);
        self.shared.turns.add(1);
    }

    fn publish(&mut self) {
        self.shared.lines.add(std::mem::take(&mut self.sink.written));
        self.shared.lost.add(std::mem::take(&mut self.sink.lost));
    }
}
