//! What a cache has forgotten and not freed yet: freed page by page, so that no query waits for all of it.

/// Piles of pages of things that nobody can find any more.
pub(super) struct Remains<T>(Vec<Vec<T>>);

impl<T> Default for Remains<T> {
    fn default() -> Self {
        Remains(Vec::new())
    }
}

impl<T> Remains<T> {
    /// Lays a pile of pages down. Takes the time of one move.
    pub(super) fn add(&mut self, pile: Vec<T>) {
        if pile.capacity() > 0 {
            self.0.push(pile);
        }
    }

    /// Frees a page: some tens of microseconds.
    pub(super) fn free_some(&mut self) {
        let Some(pile) = self.0.last_mut() else { return };
        pile.pop();
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
    fn all_of_it_is_freed_but_never_more_than_a_page_at_once() {
        let page = Rc::new(());
        let mut remains = Remains::default();
        for length in [0, 1, 4] {
            remains.add(vec![Rc::clone(&page); length]);
        }
        for left in [4, 3, 2, 1, 0, 0] {
            remains.free_some();
            assert_eq!(Rc::strong_count(&page), 1 + left);
        }
        assert!(remains.0.is_empty());
    }
}
