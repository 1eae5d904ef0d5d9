//! A table of fixed size: what was not seen for the longest time makes room.

/// How many entries share a place; the oldest of them is replaced.
const WAYS: usize = 4;

/// Values under hashes. Whoever chooses the keys does not know the seed, so he cannot aim at a place.
pub(super) struct Table<T> {
    places: Vec<Place>,
    values: Vec<T>,
}

/// The keys of the entries that share a place, in one line of the processor's cache.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Place {
    tags: [u32; WAYS],
    /// When each was last seen, in seconds without the last bit, which is [`WRITTEN`]; 0: never.
    used: [u32; WAYS],
}

/// The value is this entry's; without it, it stands for another still. So of those of one moment, who was only noted makes
/// room first.
const WRITTEN: u32 = 1;

impl Place {
    /// Without a branch, as nobody can tell which of them it will be: the one of this tag...
    #[inline]
    fn known(&self, tag: u32) -> Option<usize> {
        let hits = (0..WAYS).map(|way| u32::from(self.tags[way] == tag && self.used[way] != 0) << way);
        let hits = hits.fold(0, |all, one| all | one);
        (hits != 0).then(|| hits.trailing_zeros() as usize % WAYS)
    }

    /// ... and the one that was not seen for the longest time.
    #[inline]
    fn oldest(&self) -> usize {
        let ages = (0..WAYS).map(|way| u64::from(self.used[way]) << 2 | way as u64);
        ages.fold(u64::MAX, u64::min) as usize % WAYS
    }
}

/// Where a value is in its table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat(usize);

/// Whether a value was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It was.
    Known,
    /// It was not: this is a new one.
    Fresh,
}

impl<T: Default + Clone> Table<T> {
    /// A table for about `entries`.
    pub(super) fn new(entries: usize) -> Table<T> {
        let places = (entries / WAYS).next_power_of_two();
        Table { places: vec![Place::default(); places], values: vec![T::default(); places * WAYS] }
    }

    /// The value under `hash`, made new if it is not there.
    #[inline]
    pub(super) fn at(&mut self, hash: u64, seconds: u32) -> (&mut T, Found) {
        let (seat, found) = self.seat(hash, seconds);
        (self.in_seat(seat), found)
    }

    /// What sits there. A seat is given away by the next call of [`seat`](Self::seat) or [`at`](Self::at) at the earliest.
    #[inline]
    pub(super) fn in_seat(&mut self, seat: Seat) -> &mut T {
        &mut self.values[seat.0]
    }

    /// Where the value under `hash` is, made new if it is not there.
    #[inline]
    pub(super) fn seat(&mut self, hash: u64, seconds: u32) -> (Seat, Found) {
        let number = (hash as usize) & (self.places.len() - 1);
        let tag = (hash >> 32) as u32;
        let place = &mut self.places[number];
        let (way, found) = match place.known(tag) {
            Some(way) => (way, Found::Known),
            None => (place.oldest(), Found::Fresh),
        };
        let is_written = found == Found::Known && place.used[way] & WRITTEN != 0;
        (place.tags[way], place.used[way]) = (tag, moment(seconds) | WRITTEN);
        let seat = number * WAYS + way;
        if !is_written {
            self.values[seat] = T::default();
        }
        (Seat(seat), found)
    }

    /// Notes that what is under `hash` was seen, if it is not there yet, and does not touch its value, which is far from
    /// the processor when most are new: it is made when it is asked for. Says whether it was there.
    #[inline]
    pub(super) fn note(&mut self, hash: u64, seconds: u32) -> Found {
        let number = (hash as usize) & (self.places.len() - 1);
        let tag = (hash >> 32) as u32;
        let place = &mut self.places[number];
        if place.known(tag).is_some() {
            return Found::Known;
        }
        let way = place.oldest();
        (place.tags[way], place.used[way]) = (tag, moment(seconds));
        Found::Fresh
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.places.fill(Place::default());
    }
}

fn moment(seconds: u32) -> u32 {
    seconds.max(2) & !WRITTEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_seen_for_the_longest_time_makes_room() {
        let mut table = Table::<u32>::new(4);
        let key = |n: u64| n << 32;
        for n in 1..=4 {
            *table.at(key(n), 2 * n as u32).0 = n as u32;
        }
        assert_eq!(table.at(key(1), 10), (&mut 1, Found::Known));
        assert_eq!(table.at(key(9), 12), (&mut 0, Found::Fresh), "2 was the oldest");
        assert_eq!(table.at(key(2), 14).1, Found::Fresh);
        assert_eq!(table.at(key(1), 16).1, Found::Known);
        table.clear();
        assert_eq!(table.at(key(1), 18), (&mut 0, Found::Fresh));
    }

    #[test]
    fn what_was_only_noted_is_there_and_has_no_others_value() {
        let mut table = Table::<u32>::new(4);
        let key = |n: u64| n << 32;
        for n in 1..=4 {
            *table.at(key(n), 2 * n as u32).0 = n as u32;
        }
        assert_eq!(table.note(key(9), 10), Found::Fresh, "in the place of 1");
        assert_eq!(table.note(key(9), 12), Found::Known);
        assert_eq!(table.at(key(9), 14), (&mut 0, Found::Known));
        *table.at(key(9), 16).0 = 9;
        assert_eq!(table.note(key(9), 18), Found::Known);
        assert_eq!(table.at(key(9), 20), (&mut 9, Found::Known));
        assert_eq!(table.at(key(1), 22), (&mut 0, Found::Fresh));
        assert_eq!((table.note(key(5), 30), table.at(key(9), 30).1), (Found::Fresh, Found::Known));
        assert_eq!((table.at(key(4), 30).1, table.at(key(1), 30).1), (Found::Known, Found::Known));
        assert_eq!((table.note(key(6), 30), table.note(key(5), 30)), (Found::Fresh, Found::Fresh));
    }
}
