//! Which events a log takes: by network, route and RCODE, and of those that pass one of so many.
//!
//! Names are looked up once a directory; an event then costs three looks at a bit.

use crate::query::{Directory, Sighting};

/// What is wanted of all events. An empty list wants all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Networks, by their names or those of their groups.
    pub networks: Vec<String>,
    /// Routes, by label.
    pub routes: Vec<String>,
    /// RCODEs.
    pub rcodes: Vec<u16>,
    /// One of so many is taken.
    pub sample: u32,
    /// RCODEs of which each is taken, whatever `sample` says.
    pub always: Vec<u16>,
}

impl Default for Selection {
    fn default() -> Self {
        Selection {
            networks: Vec::new(),
            routes: Vec::new(),
            rcodes: Vec::new(),
            sample: 1,
            always: Vec::new(),
        }
    }
}

/// A selection in the numbers of one directory. The default lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sieve {
    networks: Option<Bits>,
    routes: Option<Bits>,
    rcodes: Option<u32>,
}

impl Sieve {
    /// Of a selection, for events that come with this directory.
    pub fn of(selection: &Selection, names: &Directory) -> Sieve {
        let Selection { networks, routes, rcodes, sample: _, always: _ } = selection;
        Sieve {
            networks: (!networks.is_empty()).then(|| {
                let is_in = |network: &crate::query::directory::NetworkName| {
                    networks.contains(&network.name)
                        || network.groups.iter().any(|group| networks.contains(group))
                };
                Bits::of(names.networks.iter().map(is_in))
            }),
            routes: (!routes.is_empty())
                .then(|| Bits::of(names.routes.iter().map(|route| routes.contains(route)))),
            rcodes: (!rcodes.is_empty()).then(|| mask(rcodes)),
        }
    }

    /// Whether an event is one of those that are wanted. A client in no network is in none of those named.
    pub fn passes(&self, seen: &Sighting<'_>) -> bool {
        self.networks.as_ref().is_none_or(|networks| networks.has(seen.network))
            && self.routes.as_ref().is_none_or(|routes| routes.has(seen.route))
            && self.rcodes.is_none_or(|rcodes| rcodes & bit(seen.rcode) != 0)
    }
}

/// Takes one event of so many, at a random place among them.
#[derive(Debug, Clone)]
pub struct Sampler {
    every: u32,
    always: u32,
    /// How many of the present group have come, and which of them is taken.
    come: u32,
    taken: u32,
    draws: fastrand::Rng,
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler::of(&Selection::default())
    }
}

impl Sampler {
    /// As a selection wants it.
    pub fn of(selection: &Selection) -> Sampler {
        Sampler {
            every: selection.sample.max(1),
            always: mask(&selection.always),
            come: 0,
            taken: 0,
            draws: fastrand::Rng::new(),
        }
    }

    /// How many events this one stands for; `None`: it is not taken. [`Weight::Whole`] where nothing is left out at all.
    pub fn weigh(&mut self, seen: &Sighting<'_>) -> Option<Weight> {
        if self.every == 1 {
            return Some(Weight::Whole);
        }
        if self.always & bit(seen.rcode) != 0 {
            return Some(Weight::Of(1));
        }
        if self.come == 0 {
            self.taken = self.draws.u32(..self.every);
        }
        let is_taken = self.come == self.taken;
        self.come = (self.come + 1) % self.every;
        is_taken.then_some(Weight::Of(self.every))
    }
}

/// How many events a record of the log stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// One, as the log is not sampled.
    Whole,
    /// So many, in a log that is.
    Of(u32),
}

/// RCODEs beyond 31 are not assigned to responses of ours; they share the last bit, which no selection names.
fn bit(rcode: u16) -> u32 {
    1 << rcode.min(31)
}

fn mask(rcodes: &[u16]) -> u32 {
    rcodes.iter().fold(0, |mask, rcode| mask | bit(*rcode))
}

/// A set of positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn of(members: impl Iterator<Item = bool>) -> Bits {
        let mut words = Vec::new();
        for (at, _) in members.enumerate().filter(|(_, member)| *member) {
            words.resize((at / 64 + 1).max(words.len()), 0);
            words[at / 64] |= 1 << (at % 64);
        }
        Bits(words)
    }

    fn has(&self, position: Option<u32>) -> bool {
        let Some(at) = position.map(|position| position as usize) else { return false };
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}
