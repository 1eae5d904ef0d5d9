//! What is asked most and by whom, for as long as somebody looks.
//!
//! A [`Sketch`] stands on the log thread as an [`Onlooker`]; whoever shows its lists holds [`Sketches`], and a [`Look`]
//! for as long as they are shown. Without one it wants no events and holds no memory.

mod heavy;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::query::{Directory, Onlooker, Sighting};
use crate::wire::message::{NameBuffer, read_name};
use crate::wire::{HEADER, NameRef, rcode, u16_at};

use self::heavy::{Entry, Heavy};

/// Counters of each list: who makes more than one in 500 queries is always found.
const COUNTERS: usize = 512;
/// How many of a list are shown.
const SHOWN: usize = 12;
/// After so many seconds a list begins anew; the one before it is shown together with it.
const WINDOW: u64 = 60;

/// What was asked most lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tops {
    /// The time that it covers, in seconds.
    pub seconds: u64,
    /// Queries in that time.
    pub queries: u64,
    /// Names.
    pub names: Vec<Top>,
    /// Names that were answered with an error: NXDOMAIN, SERVFAIL, REFUSED and so on.
    pub failing: Vec<Top>,
    /// Clients.
    pub clients: Vec<Top>,
}

/// One of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    /// The name in presentation form, or the address.
    pub what: String,
    /// How often, at most.
    pub count: u64,
    /// By how much that may be too high.
    pub over: u64,
}

/// The log thread's side.
pub struct Sketch {
    shared: Arc<Shared>,
    held: Option<Box<Held>>,
}

/// The side of whoever shows it.
#[derive(Clone, Default)]
pub struct Sketches {
    shared: Arc<Shared>,
}

/// As long as one of these is held, events are counted.
pub struct Look {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    looks: AtomicUsize,
    tops: Mutex<Tops>,
}

struct Held {
    names: List,
    failing: List,
    clients: List,
    queries: u64,
    queries_before: u64,
    /// When the window began, and the one before it, in seconds since 1970.
    began: u64,
    began_before: u64,
    published: u64,
    name: NameBuffer,
}

struct List {
    now: Heavy,
    before: Vec<Entry>,
}

impl Sketches {
    /// The side that goes to the log thread.
    pub fn sketch(&self) -> Sketch {
        Sketch { shared: Arc::clone(&self.shared), held: None }
    }

    /// Has events counted until the guard is dropped.
    pub fn look(&self) -> Look {
        self.shared.looks.fetch_add(1, Ordering::Relaxed);
        Look { shared: Arc::clone(&self.shared) }
    }

    /// How many look.
    pub fn looks(&self) -> usize {
        self.shared.looks.load(Ordering::Relaxed)
    }

    /// The lists as they were within the last second or so.
    pub fn tops(&self) -> Tops {
        self.shared.tops.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.shared.looks.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sketch {
    fn publish(&self, tops: Tops) {
        *self.shared.tops.lock().unwrap_or_else(PoisonError::into_inner) = tops;
    }
}

impl Onlooker for Sketch {
    fn is_wanted(&self) -> bool {
        self.shared.looks.load(Ordering::Relaxed) > 0
    }

    fn see(&mut self, seen: &Sighting<'_>, _: &Directory) {
        if self.is_wanted() {
            let second = seen.unix_micros / 1_000_000;
            self.held.get_or_insert_with(|| Box::new(Held::new(second))).see(seen);
        }
    }

    fn rest(&mut self, unix: Duration) {
        if !self.is_wanted() {
            if self.held.take().is_some() {
                self.publish(Tops::default());
            }
            return;
        }
        let now = unix.as_secs();
        let Some(held) = &mut self.held else { return };
        if held.published == now {
            return;
        }
        held.published = now;
        held.turn(now);
        let tops = held.tops(now);
        self.publish(tops);
    }
}

impl Held {
    fn new(second: u64) -> Held {
        let list = || List { now: Heavy::new(COUNTERS), before: Vec::new() };
        Held {
            names: list(),
            failing: list(),
            clients: list(),
            queries: 0,
            queries_before: 0,
            began: second,
            began_before: second,
            published: 0,
            name: NameBuffer::new(),
        }
    }

    fn see(&mut self, seen: &Sighting<'_>) {
        self.queries += 1;
        let client = match seen.client {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        self.clients.now.see(&client.octets());
        // A response without a question answers what could not be read: it has no name.
        if u16_at(seen.response, 4) != Ok(1) || read_name(seen.response, HEADER, &mut self.name).is_err() {
            return;
        }
        let mut key = [0; 255];
        let name = self.name.name();
        let Some(key) = key.get_mut(..name.wire().len()) else { return };
        key.copy_from_slice(name.wire());
        key.make_ascii_lowercase();
        self.names.now.see(key);
        if seen.rcode != rcode::NOERROR {
            self.failing.now.see(key);
        }
    }

    fn turn(&mut self, now: u64) {
        // A clock that jumped back begins anew, too.
        if now >= self.began && now - self.began < WINDOW {
            return;
        }
        for list in [&mut self.names, &mut self.failing, &mut self.clients] {
            list.before = list.now.take();
        }
        (self.queries_before, self.queries) = (self.queries, 0);
        (self.began_before, self.began) = (self.began.min(now), now);
    }

    fn tops(&self, now: u64) -> Tops {
        let name =
            |key: &[u8]| NameRef::parse(key, 0).map_or_else(|_| String::new(), |name| name.to_string());
        let client = |key: &[u8]| {
            let octets: [u8; 16] = key.try_into().unwrap_or_default();
            Ipv6Addr::from(octets).to_canonical().to_string()
        };
        Tops {
            seconds: now.saturating_sub(self.began_before).max(1),
            queries: self.queries_before + self.queries,
            names: self.names.tops(name),
            failing: self.failing.tops(name),
            clients: self.clients.tops(client),
        }
    }
}

impl List {
    /// The largest of both windows together, largest first.
    fn tops(&self, text: impl Fn(&[u8]) -> String) -> Vec<Top> {
        let mut sums: HashMap<&[u8], (u64, u64)> = HashMap::new();
        for entry in self.before.iter().chain(self.now.entries()) {
            let sum = sums.entry(&entry.key[..]).or_default();
            sum.0 += entry.count;
            sum.1 += entry.over;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        // By key where they are equal, so that the list stands still.
        sums.sort_unstable_by(|(a, (count_a, _)), (b, (count_b, _))| count_b.cmp(count_a).then(a.cmp(b)));
        sums.truncate(SHOWN);
        sums.into_iter().map(|(key, (count, over))| Top { what: text(key), count, over }).collect()
    }
}

#[cfg(test)]
mod tests;
