//! How many TCP connections there may be, in all and from one address: shared by the workers, asked once a connection.
//!
//! When none is left for a newcomer, he takes the place of who has been idle longest: first of those that never sent a
//! query, then of the others (RFC 7766 §6.2.3 lets a server close idle connections at any time). So silent connections,
//! however many, keep nobody out but each other. Who waits for an answer is never sent away.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// How often a newcomer looks for a place again whose holder woke up just then.
const TRIES: usize = 8;

/// The places that TCP connections take.
#[derive(Debug)]
pub struct Seats {
    each: usize,
    opened: Instant,
    /// How each seat stands: one word, so that the whole house is looked over in a microsecond.
    marks: Box<[AtomicU64]>,
    taken: Mutex<Taken>,
}

/// At most as many addresses as seats: an address whose last seat is given back is forgotten.
#[derive(Debug)]
struct Taken {
    by_client: HashMap<IpAddr, usize>,
    holders: Vec<Option<Holder>>,
    free: Vec<u32>,
    turn: u16,
}

#[derive(Debug)]
struct Holder {
    client: IpAddr,
    bell: Arc<Notify>,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    number: u32,
    /// What it wrote there itself; anything else means that another sits there now.
    mark: Cell<u64>,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSeat {
    /// This client has all that it may have, and waits for answers on each.
    Client,
    /// All are taken by clients that wait for answers.
    All,
}

/// Whether a connection ever sent a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It did not.
    Never,
    /// It did.
    Once,
}

/// Another has taken the seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// How a seat stands, in the order in which seats are given to others; the last two are not.
#[derive(Clone, Copy)]
enum Class {
    Silent = 0,
    Idle = 1,
    Busy = 2,
    Free = 3,
}

const CLASS: u32 = 62;
const TURN_BITS: u32 = 16;
const FREE: u64 = (Class::Free as u64) << CLASS;
/// Marks from here on belong to nobody who could be sent away.
const STAYS: u64 = (Class::Busy as u64) << CLASS;

impl Seats {
    /// So many in all, so many from each address; at least one of either.
    pub fn new(all: usize, each: usize) -> Arc<Seats> {
        let all = all.clamp(1, u32::MAX as usize);
        let taken = Taken {
            by_client: HashMap::new(),
            holders: (0..all).map(|_| None).collect(),
            free: (0..all as u32).rev().collect(),
            turn: 0,
        };
        Arc::new(Seats {
            each: each.max(1),
            opened: Instant::now(),
            marks: (0..all).map(|_| AtomicU64::new(FREE)).collect(),
            taken: Mutex::new(taken),
        })
    }

    /// Takes a seat for `client`; `bell` is rung when another takes it over.
    pub fn take(self: &Arc<Seats>, client: IpAddr, now: Instant, bell: Arc<Notify>) -> Result<Seat, NoSeat> {
        let mut taken = self.lock();
        taken.turn = taken.turn.wrapping_add(1);
        let mark = self.mark(Class::Silent, now, taken.turn);
        let full = taken.by_client.get(&client).is_some_and(|held| *held >= self.each);
        let number = if full {
            self.take_over(&mut taken, Some(client), mark).ok_or(NoSeat::Client)?
        } else if let Some(number) = taken.free.pop() {
            self.marks[number as usize].store(mark, Ordering::Release);
            number
        } else {
            self.take_over(&mut taken, None, mark).ok_or(NoSeat::All)?
        };
        *taken.by_client.entry(client).or_insert(0) += 1;
        taken.holders[number as usize] = Some(Holder { client, bell });
        Ok(Seat { seats: self.clone(), number, mark: Cell::new(mark) })
    }

    /// Sends away who has been idle longest, for no newcomer; says whether there was one.
    pub fn make_room(&self) -> bool {
        let mut taken = self.lock();
        let Some(number) = self.take_over(&mut taken, None, FREE) else { return false };
        taken.free.push(number);
        true
    }

    /// Writes `mark` over that of the longest idle, of this client or of all, and sends its holder away.
    fn take_over(&self, taken: &mut Taken, of: Option<IpAddr>, mark: u64) -> Option<u32> {
        for _ in 0..TRIES {
            let (number, least) = self.longest_idle(taken, of)?;
            let place = &self.marks[number as usize];
            if place.compare_exchange(least, mark, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                if let Some(Holder { client, bell }) = taken.holders[number as usize].take() {
                    taken.one_less(client);
                    bell.notify_one();
                }
                return Some(number);
            }
        }
        None
    }

    fn longest_idle(&self, taken: &Taken, of: Option<IpAddr>) -> Option<(u32, u64)> {
        let marks = self.marks.iter().map(|mark| mark.load(Ordering::Acquire));
        let marks = (0..).zip(marks).filter(|(_, mark)| *mark < STAYS);
        match of {
            None => marks.min_by_key(|(_, mark)| *mark),
            Some(client) => {
                let holders = &taken.holders;
                let his = |number: u32| {
                    holders[number as usize].as_ref().is_some_and(|holder| holder.client == client)
                };
                marks.filter(|(number, _)| his(*number)).min_by_key(|(_, mark)| *mark)
            }
        }
    }

    /// Class, then time, then whose turn it was: the least is to go first, and no two holders of a seat write the same.
    fn mark(&self, class: Class, now: Instant, turn: u16) -> u64 {
        let tick = now.saturating_duration_since(self.opened).as_micros() as u64 / 10;
        let tick = tick & ((1 << (CLASS - TURN_BITS)) - 1);
        (class as u64) << CLASS | tick << TURN_BITS | u64::from(turn)
    }

    /// Every update is whole before anything can panic, so a poisoned lock still guards sound numbers.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn one_less(&mut self, client: IpAddr) {
        match self.by_client.get_mut(&client) {
            Some(held) if *held > 1 => *held -= 1,
            _ => {
                self.by_client.remove(&client);
            }
        }
    }
}

impl Seat {
    /// Nothing goes on since `since`: whoever needs the seat may have it.
    pub fn rest(&self, since: Instant, heard: Heard) -> Result<(), Lost> {
        let class = match heard {
            Heard::Never => Class::Silent,
            Heard::Once => Class::Idle,
        };
        self.write(self.seats.mark(class, since, self.turn()))
    }

    /// A query is being answered: nobody may have the seat.
    pub fn work(&self) -> Result<(), Lost> {
        self.write(STAYS | u64::from(self.turn()))
    }

    /// Whether another has taken it.
    pub fn is_lost(&self) -> bool {
        self.place().load(Ordering::Acquire) != self.mark.get()
    }

    fn write(&self, mark: u64) -> Result<(), Lost> {
        let own = self.mark.replace(mark);
        let written = self.place().compare_exchange(own, mark, Ordering::AcqRel, Ordering::Relaxed);
        written.map(|_| ()).map_err(|_| Lost)
    }

    fn turn(&self) -> u16 {
        self.mark.get() as u16
    }

    fn place(&self) -> &AtomicU64 {
        &self.seats.marks[self.number as usize]
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if self.is_lost() {
            return;
        }
        self.place().store(FREE, Ordering::Release);
        if let Some(Holder { client, .. }) = taken.holders[self.number as usize].take() {
            taken.one_less(client);
        }
        taken.free.push(self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 30, 100));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 30, 101));
    const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 30, 102));

    fn take(seats: &Arc<Seats>, client: IpAddr, second: u64) -> Result<Seat, NoSeat> {
        seats.take(client, at(seats, second), Arc::default())
    }

    fn at(seats: &Seats, second: u64) -> Instant {
        seats.opened + Duration::from_secs(second)
    }

    #[test]
    fn a_client_gets_its_share_and_all_together_no_more_than_there_are() {
        let seats = Seats::new(3, 2);
        let held = [take(&seats, A, 0).unwrap(), take(&seats, A, 0).unwrap()];
        held.iter().for_each(|seat| seat.work().unwrap());
        assert_eq!(take(&seats, A, 0).unwrap_err(), NoSeat::Client);
        let other = take(&seats, B, 0).unwrap();
        other.work().unwrap();
        assert_eq!(take(&seats, C, 0).unwrap_err(), NoSeat::All);
        drop(other);
        take(&seats, C, 0).unwrap();
        drop(held);
        assert!(seats.lock().by_client.is_empty());
        assert_eq!(seats.lock().free.len(), 3);
    }

    #[test]
    fn the_longest_idle_makes_room_and_before_it_whoever_never_asked() {
        let seats = Seats::new(3, 3);
        let (used, silent) = (take(&seats, A, 1).unwrap(), take(&seats, B, 2).unwrap());
        let idle = take(&seats, C, 0).unwrap();
        used.rest(at(&seats, 5), Heard::Once).unwrap();
        idle.rest(at(&seats, 4), Heard::Once).unwrap();
        let newest = take(&seats, A, 6).unwrap();
        assert!(silent.is_lost() && !used.is_lost() && !idle.is_lost());
        newest.work().unwrap();
        let next = take(&seats, A, 7).unwrap();
        assert!(idle.is_lost() && !used.is_lost());
        assert_eq!(idle.work(), Err(Lost), "who lost his seat learns it before he works");
        next.work().unwrap();
        drop((silent, idle));
        assert_eq!(seats.lock().by_client[&A], 3, "what is lost is not given back twice");
    }

    #[test]
    fn a_client_that_has_all_its_seats_makes_room_for_itself_only() {
        let seats = Seats::new(10, 2);
        let other = take(&seats, B, 0).unwrap();
        let (old, young) = (take(&seats, A, 1).unwrap(), take(&seats, A, 2).unwrap());
        let _newest = take(&seats, A, 3).unwrap();
        assert!(old.is_lost() && !young.is_lost() && !other.is_lost());
    }

    #[test]
    fn who_is_sent_away_hears_it() {
        let (seats, bell) = (Seats::new(1, 1), Arc::<Notify>::default());
        let seat = seats.take(A, seats.opened, bell.clone()).unwrap();
        assert!(seats.make_room());
        let mut rung = std::pin::pin!(bell.notified());
        assert!(rung.as_mut().enable(), "the bell was rung");
        assert!(seat.is_lost());
        drop(seat);
        assert_eq!(seats.lock().free.len(), 1);
        assert!(!seats.make_room(), "nobody sits there any more");
    }
}
