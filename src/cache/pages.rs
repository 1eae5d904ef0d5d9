//! Places by number, in pages: what grows is one page longer, and nothing of it moves. A vector of them would be copied each
//! time that it doubles, while queries wait.

use prefetch_index::prefetch_index;

/// Places of a page.
const PAGE: usize = 256;
/// A cache line.
pub(super) const LINE: usize = 64;

/// Things with numbers.
pub(super) struct Pages<T>(Vec<Page<T>>);

/// The places of a page.
pub(super) type Page<T> = Vec<Place<T>>;

#[repr(C)]
pub(super) struct Place<T> {
    /// Of no size: its address is the place's, so that a prefetch need not ask whether something is held.
    start: [u8; 0],
    held: Option<T>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages(Vec::new())
    }
}

impl<T> Pages<T> {
    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PAGE + last.len())
    }

    /// Adds an empty place, and says its number.
    pub(super) fn add(&mut self) -> usize {
        let number = self.len();
        if number.is_multiple_of(PAGE) {
            self.0.push(Vec::with_capacity(PAGE));
        }
        if let Some(last) = self.0.last_mut() {
            last.push(Place { start: [], held: None });
        }
        number
    }

    /// What has this number.
    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.0.get(number / PAGE)?.get(number % PAGE)?.held.as_ref()
    }

    /// The place of this number, whether something is there or not.
    pub(super) fn place(&mut self, number: usize) -> Option<&mut Option<T>> {
        Some(&mut self.0.get_mut(number / PAGE)?.get_mut(number % PAGE)?.held)
    }

    /// Has all of what is at this number fetched from memory, without waiting for it.
    pub(super) fn prefetch(&self, number: usize) {
        let Some(place) = self.0.get(number / PAGE).and_then(|page| page.get(number % PAGE)) else { return };
        for octet in (0..size_of::<Place<T>>()).step_by(LINE) {
            prefetch_index(place.start.as_slice(), octet);
        }
    }

    /// All pages; none are left.
    pub(super) fn take(&mut self) -> Vec<Page<T>> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_go_on_from_page_to_page_and_nothing_moves() {
        let mut pages = Pages::default();
        assert_eq!((pages.len(), pages.get(0)), (0, None));
        let mut first = None;
        for number in 0..=3 * PAGE {
            assert_eq!(pages.add(), number);
            assert_eq!(pages.get(number), None);
            *pages.place(number).unwrap() = Some(number);
            let now: *const usize = pages.get(0).unwrap();
            assert_eq!(*first.get_or_insert(now), now);
        }
        assert_eq!(pages.len(), 3 * PAGE + 1);
        assert!((0..pages.len()).all(|number| pages.get(number) == Some(&number)));
        assert!(pages.place(pages.len()).is_none() && pages.get(pages.len()).is_none());
        assert_eq!(pages.take().len(), 4);
        assert_eq!(pages.len(), 0);
    }
}
