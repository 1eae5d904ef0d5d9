//! Lines that wait for the writer: bounded, so that a disk that is full or hangs costs lines and nothing else.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reader::HEAP;
use super::sink::Sink;

/// What the writer is to do next.
pub(super) enum Next {
    /// Write these lines.
    Lines(Vec<u8>),
    /// Open the path anew.
    Reopen,
    /// Turn to another sink; what could not be written to the old one is given up.
    Turn(Box<Sink>),
    /// Try again what could not be written.
    Retry,
    /// Nothing more will come.
    End,
}

/// The queue between the thread that makes lines and the one that writes them.
#[derive(Default)]
pub(super) struct Basin {
    inside: Mutex<Inside>,
    filled: Condvar,
    emptied: Condvar,
    most: usize,
}

#[derive(Default)]
struct Inside {
    orders: VecDeque<Next>,
    /// Octets of the lines among them.
    octets: usize,
    stopped: bool,
}

impl Inside {
    /// Whether the next heap of lines may find no room. An empty one has room for any.
    fn is_full(&self, most: usize) -> bool {
        self.octets > 0 && self.octets + HEAP > most
    }

    /// Whether a sink that fails has been given its last chance.
    fn is_urgent(&self) -> bool {
        self.stopped || self.orders.iter().any(|order| matches!(order, Next::Turn(_)))
    }
}

impl Basin {
    /// For so many octets of lines.
    pub(super) fn new(most: usize) -> Basin {
        Basin { most, ..Basin::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes lines in if there is room for them; otherwise gives them back. Something always finds room in an empty one.
    pub(super) fn put(&self, lines: Vec<u8>) -> Result<(), Vec<u8>> {
        let mut inside = self.lock();
        if inside.is_full(self.most) {
            return Err(lines);
        }
        inside.octets += lines.len();
        inside.orders.push_back(Next::Lines(lines));
        self.filled.notify_one();
        Ok(())
    }

    /// Whether there is hardly room for more.
    pub(super) fn is_full(&self) -> bool {
        self.lock().is_full(self.most)
    }

    /// Waits until there is room, but not long; says whether there is.
    pub(super) fn wait_for_room(&self, bound: Duration) -> bool {
        let inside = self.lock();
        let full = |inside: &mut Inside| inside.is_full(self.most);
        let (_inside, waited) =
            self.emptied.wait_timeout_while(inside, bound, full).unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Adds an order behind all that was put in before.
    pub(super) fn order(&self, order: Next) {
        self.lock().orders.push_back(order);
        self.filled.notify_one();
    }

    /// No more will be put in.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.filled.notify_one();
    }

    /// Whether what cannot be written at once is to be given up.
    pub(super) fn is_urgent(&self) -> bool {
        self.lock().is_urgent()
    }

    /// Waits for the next thing to do. With something left that could not be written that is to try it again: after so
    /// long, or at once when there will be no later.
    pub(super) fn next(&self, retry: Option<Duration>) -> Next {
        let mut inside = self.lock();
        if let Some(wait) = retry {
            let in_time = |inside: &mut Inside| !inside.is_urgent();
            drop(self.filled.wait_timeout_while(inside, wait, in_time));
            return Next::Retry;
        }
        loop {
            if let Some(order) = inside.orders.pop_front() {
                if let Next::Lines(lines) = &order {
                    inside.octets -= lines.len();
                    self.emptied.notify_one();
                }
                return order;
            }
            if inside.stopped {
                return Next::End;
            }
            inside = self.filled.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
