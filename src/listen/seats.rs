//! How many TCP connections there may be, in all and from one address: shared by the workers, asked once a connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places that TCP connections take.
#[derive(Debug)]
pub struct Seats {
    all: usize,
    each: usize,
    taken: Mutex<Taken>,
}

/// At most `all` addresses: an address whose last seat is given back is forgotten.
#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    client: IpAddr,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSeat {
    /// This client has all that it may have.
    Client,
    /// All are taken.
    All,
}

impl Seats {
    /// So many in all, so many from each address; at least one of either.
    pub fn new(all: usize, each: usize) -> Arc<Seats> {
        Arc::new(Seats { all: all.max(1), each: each.max(1), taken: Mutex::default() })
    }

    /// Takes a seat for `client`.
    pub fn take(self: &Arc<Seats>, client: IpAddr) -> Result<Seat, NoSeat> {
        let mut taken = self.lock();
        let held = taken.by_client.get(&client).copied().unwrap_or(0);
        if held >= self.each {
            return Err(NoSeat::Client);
        }
        if taken.total >= self.all {
            return Err(NoSeat::All);
        }
        taken.total += 1;
        taken.by_client.insert(client, held + 1);
        Ok(Seat { seats: self.clone(), client })
    }

    /// Every update is whole before anything can panic, so a poisoned lock still guards sound numbers.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.total -= 1;
        match taken.by_client.get_mut(&self.client) {
            Some(held) if *held > 1 => *held -= 1,
            _ => {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 30, 100));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 30, 101));
    const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 30, 102));

    #[test]
    fn a_client_gets_its_share_and_all_together_no_more_than_there_are() {
        let seats = Seats::new(3, 2);
        let held = [seats.take(A).unwrap(), seats.take(A).unwrap()];
        assert_eq!(seats.take(A).unwrap_err(), NoSeat::Client);
        let other = seats.take(B).unwrap();
        assert_eq!(seats.take(C).unwrap_err(), NoSeat::All);
        drop(other);
        seats.take(C).unwrap();
        drop(held);
        assert!(seats.lock().by_client.is_empty());
        assert_eq!(seats.lock().total, 0);
    }
}
