//! What waits between a worker and the log thread.
//!
//! One run of bytes that the log thread exchanges for an empty one. The lock is held while a batch's records are copied
//! or two buffers change places, so neither waits for the other's work. A ring of the queue's size would be in memory
//! whole as soon as it has been gone round once; this is as large as what waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::query::Directory;

/// Room that there is from the start: as much as a round of the log thread should find. Its pages are touched when used.
const ROOM: usize = 256 << 10;
/// How many reloads may be on their way at once.
const DIRECTORIES: usize = 4;

/// The queue of one worker.
pub(super) struct Queue {
    inside: Mutex<Inside>,
    /// Octets that the log thread has taken and is not done with.
    taken: AtomicUsize,
    /// How much it has found at once lately.
    usual: AtomicUsize,
    most: usize,
}

struct Inside {
    bytes: Vec<u8>,
    directories: VecDeque<Arc<Directory>>,
}

/// How full a queue is, or that it is too full for what was to be put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Less than half.
    Low,
    /// Half or more.
    High,
    /// What was to be put in found no room.
    Over,
}

impl Queue {
    /// For so many octets, with the log thread's share.
    pub(super) fn new(most: usize) -> Queue {
        let inside = Inside { bytes: Vec::with_capacity(ROOM.min(most)), directories: VecDeque::new() };
        let (taken, usual) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Queue { inside: Mutex::new(inside), taken, usual, most }
    }

    /// Puts records in, all or none.
    pub(super) fn put(&self, records: &[u8]) -> Level {
        self.fill(&mut self.lock(), records)
    }

    /// Puts in a directory, with the record that says that it is the next; gives it back if there is no room.
    pub(super) fn turn(&self, directory: Arc<Directory>, record: &[u8]) -> Result<(), Arc<Directory>> {
        let mut inside = self.lock();
        if inside.directories.len() >= DIRECTORIES || self.fill(&mut inside, record) == Level::Over {
            return Err(directory);
        }
        inside.directories.push_back(directory);
        Ok(())
    }

    /// Exchanges what was put in for this buffer, whose content is done.
    pub(super) fn take(&self, buffer: &mut Vec<u8>) {
        let done = buffer.len();
        buffer.clear();
        self.taken.store(0, Ordering::Relaxed);
        if self.lock().bytes.is_empty() {
            return;
        }
        // At once up, slowly down: after a flood its memory goes back, and else a worker seldom has to ask for more.
        let usual = self.usual.load(Ordering::Relaxed);
        let usual = done.max(usual - usual / 16);
        self.usual.store(usual, Ordering::Relaxed);
        buffer.shrink_to((2 * usual).max(ROOM));
        buffer.reserve(ROOM.min(self.most));
        let mut inside = self.lock();
        std::mem::swap(&mut inside.bytes, buffer);
        self.taken.store(buffer.len(), Ordering::Relaxed);
    }

    /// Says that of what was taken so much is left to do.
    pub(super) fn leave(&self, left: usize) {
        self.taken.store(left, Ordering::Relaxed);
    }

    /// The directory that a record in what was taken announces.
    pub(super) fn next_directory(&self) -> Option<Arc<Directory>> {
        self.lock().directories.pop_front()
    }

    fn fill(&self, inside: &mut Inside, records: &[u8]) -> Level {
        let all = inside.bytes.len() + self.taken.load(Ordering::Relaxed) + records.len();
        if all > self.most {
            return Level::Over;
        }
        inside.bytes.extend_from_slice(records);
        if all < self.most / 2 { Level::Low } else { Level::High }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_holds_what_waits_and_what_is_being_read_together_and_no_more() {
        let (queue, mut taken) = (Queue::new(100), Vec::new());
        assert_eq!(queue.put(&[1; 40]), Level::Low);
        assert_eq!(queue.put(&[2; 40]), Level::High);
        assert_eq!(queue.put(&[3; 40]), Level::Over, "all or none");
        queue.take(&mut taken);
        assert_eq!(taken, [[1; 40], [2; 40]].concat());
        assert_eq!(queue.put(&[3; 40]), Level::Over, "what was taken still counts");
        queue.leave(40);
        assert_eq!(queue.put(&[3; 40]), Level::High);
        queue.take(&mut taken);
        assert_eq!(taken, [3; 40]);
        queue.take(&mut taken);
        assert!(taken.is_empty());
        assert_eq!(queue.put(&[4; 100]), Level::High);
    }

    #[test]
    fn directories_come_in_their_order_and_only_with_their_records() {
        let queue = Queue::new(3);
        let directories: Vec<Arc<Directory>> = (0..4).map(|_| Arc::default()).collect();
        for directory in &directories[..3] {
            assert!(queue.turn(Arc::clone(directory), &[0]).is_ok());
        }
        assert!(Arc::ptr_eq(&queue.turn(Arc::clone(&directories[3]), &[0]).unwrap_err(), &directories[3]));
        for directory in &directories[..3] {
            assert!(Arc::ptr_eq(&queue.next_directory().unwrap(), directory));
        }
        assert!(queue.next_directory().is_none());
    }

    #[test]
    fn the_memory_of_a_flood_goes_back_when_it_is_over() {
        let (queue, mut taken) = (Queue::new(64 << 20), Vec::new());
        let mut exchange = |octets: usize| {
            queue.put(&vec![0; octets]);
            queue.take(&mut taken);
            taken.capacity()
        };
        assert!(exchange(16 << 20) >= 16 << 20);
        let after: Vec<usize> = (0..200).map(|_| exchange(100)).collect();
        assert!(after[198..].iter().all(|capacity| *capacity <= 2 * ROOM), "{:?}", &after[198..]);
    }
}
