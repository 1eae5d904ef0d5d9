//! A zone that can be replaced while it is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::Zone;

/// A zone's content behind a handle that outlives reloads. Clones are the same handle.
#[derive(Debug, Clone)]
pub struct ZoneHandle {
    content: Arc<ArcSwap<Zone>>,
    generation: Arc<AtomicU64>,
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The content is new.
    Swapped,
    /// It was the same already, so that caches keep what they have of it.
    Kept,
}

impl ZoneHandle {
    /// Holds a zone.
    pub fn new(zone: Zone) -> ZoneHandle {
        ZoneHandle { content: Arc::new(ArcSwap::from_pointee(zone)), generation: Arc::new(AtomicU64::new(0)) }
    }

    /// The content of this moment, for as long as one lookup takes.
    pub fn zone(&self) -> Guard<Arc<Zone>> {
        self.content.load()
    }

    /// The content of this moment, for as long as it is wanted.
    pub fn snapshot(&self) -> Arc<Zone> {
        self.content.load_full()
    }

    /// How often the content was replaced. A cache reads it before it asks the zone, keeps it with the answer, and
    /// drops the answer once the two differ: whatever it read in between, it never takes old content for new.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The counter itself, for a cache that watches it without the zone.
    pub fn generation_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.generation)
    }

    /// Puts another zone in its place, unless it is the same. Only one thread at a time may replace.
    pub fn replace(&self, zone: Zone) -> Replaced {
        if **self.content.load() == zone {
            return Replaced::Kept;
        }
        // Content first: who sees the new generation finds the new content.
        self.content.store(Arc::new(zone));
        self.generation.fetch_add(1, Ordering::Release);
        Replaced::Swapped
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn zone(address: &str) -> Zone {
        let text = format!("$TTL 60\n@ SOA ns hm 1 2 3 4 5\n@ NS ns\nns A {address}\n");
        super::super::parse_text(&"technova.internal".parse().unwrap(), "text", &text).unwrap().zone
    }

    #[test]
    fn caches_hear_of_a_replacement_but_not_of_a_reload_that_changes_nothing() {
        let handle = ZoneHandle::new(zone("10.0.0.1"));
        let (other, before) = (handle.clone(), handle.snapshot());
        assert_eq!((handle.replace(zone("10.0.0.1")), other.generation()), (Replaced::Kept, 0));
        assert_eq!((handle.replace(zone("10.0.0.2")), other.generation()), (Replaced::Swapped, 1));
        assert_eq!(*other.snapshot(), zone("10.0.0.2"));
        assert_eq!(*before, zone("10.0.0.1"));
        assert_eq!(handle.generation_counter().load(Ordering::Acquire), 1);
    }
}
