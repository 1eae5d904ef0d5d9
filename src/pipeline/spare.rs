//! Boxes that are used again.
//!
//! What waits for a response is in flight with hundreds like it: more than the allocator has short lists for, and beyond
//! those each box costs it some four hundred instructions.

use std::cell::RefCell;

/// Boxes that are kept at most.
const MOST: usize = 192;

/// Boxes of a worker that nobody uses now. What was in one stays there until it is used again.
pub(super) struct Spare<T>(RefCell<Vec<Box<T>>>);

impl<T> Spare<T> {
    /// One of them, as it was given back: to be filled field by field, as what is made first is copied whole.
    pub(super) fn take(&self) -> Option<Box<T>> {
        self.0.borrow_mut().pop()
    }

    /// Takes one back.
    pub(super) fn give(&self, used: Box<T>) {
        let mut spare = self.0.borrow_mut();
        if spare.len() < MOST {
            spare.push(used);
        }
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Spare(RefCell::default())
    }
}
