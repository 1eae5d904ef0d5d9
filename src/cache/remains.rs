//! What a cache has forgotten and not freed yet: freed bit by bit, so that no query waits for all of it.

/// How many are freed at once: some tens of microseconds.
const BIT: usize = 256;

/// Piles of things that nobody can find any more.
pub(super) struct Remains<T>(Vec<Vec<T>>);

impl<T> Default for Remains<T> {
    fn default() -> Self {
        Remains(Vec::new())
    }
}

impl<T> Remains<T> {
    /// Lays a pile down. Takes the time of one move.
    pub(super) fn add(&mut self, pile: Vec<T>) {
        if pile.capacity() > 0 {
            self.0.push(pile);
        }
    }

    /// Frees a bit.
    pub(super) fn free_some(&mut self) {
        let Some(pile) = self.0.last_mut() else { return };
        pile.truncate(pile.len().saturating_sub(BIT));
        if pile.is_empty() {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn all_of_it_is_freed_but_never_more_than_a_bit_at_once() {
        let thing = Rc::new(());
        let mut remains = Remains::default();
        for length in [0, 1, 3 * BIT + 1] {
            remains.add(vec![Rc::clone(&thing); length]);
        }
        let mut left = 3 * BIT + 2;
        for freed in [BIT, BIT, BIT, 1, 1, 0] {
            remains.free_some();
            left -= freed;
            assert_eq!(Rc::strong_count(&thing), 1 + left);
        }
        assert!(remains.0.is_empty());
    }
}
