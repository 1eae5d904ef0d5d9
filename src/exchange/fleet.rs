//! The queries of all workers that are on their way: whether one that comes to us is one of them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::Exchange;
use super::udp::{Desk, Wait};
use crate::wire::{NameRef, RType};

/// Letters that a name must have for its case to say whose query it is.
const TELLING: usize = 8;

/// The desks of all workers of a server.
#[derive(Clone, Default)]
pub struct Fleet(Arc<Mutex<Vec<Weak<Desk>>>>);

/// What a query that comes to us has to do with those on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sighting {
    /// Nothing.
    None,
    /// The same question is on its way to whoever asks it.
    Alike,
    /// It is in the random case that ours was given.
    Ours,
}

impl Fleet {
    pub(super) fn join(&self, desk: &Arc<Desk>) {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.retain(|desk| desk.strong_count() > 0);
        desks.push(Arc::downgrade(desk));
    }

    fn desks(&self) -> Vec<Arc<Desk>> {
        let desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Exchange {
    /// One whose queries the others of the fleet know of.
    pub fn of(fleet: &Fleet) -> Exchange {
        Exchange {
            entropy: Mutex::default(),
            line: OnceLock::new(),
            later: Mutex::default(),
            landed: Arc::default(),
            fleet: fleet.clone(),
            ear: Arc::default(),
        }
    }

    /// Looks for a question among those on their way to `server`, whichever worker sent them. To be asked seldom: it
    /// looks at each of them.
    pub fn sight(&self, server: IpAddr, qname: NameRef<'_>, qtype: RType) -> Sighting {
        let look = |desk: Arc<Desk>| {
            let state = desk.lock();
            let waits = state.waits.iter().flatten();
            waits.map(|wait| sight(wait, server, qname, qtype)).max().unwrap_or(Sighting::None)
        };
        self.fleet.desks().into_iter().map(look).max().unwrap_or(Sighting::None)
    }
}

fn sight(wait: &Wait, server: IpAddr, qname: NameRef<'_>, qtype: RType) -> Sighting {
    let (sent, received) = (wait.query.name(), qname.wire());
    let is_same = wait.outcome.is_none()
        && wait.server.ip().to_canonical() == server.to_canonical()
        && wait.query.qtype() == qtype
        && sent.eq_ignore_ascii_case(received);
    match is_same {
        false => Sighting::None,
        true if is_telling(received) && wait.flips.is(sent, received) => Sighting::Ours,
        true => Sighting::Alike,
    }
}

/// Names that people and programs write are in one case, or have few capitals at the beginnings of words.
fn is_telling(name: &[u8]) -> bool {
    let count = |is: fn(&u8) -> bool| name.iter().filter(|octet| is(octet)).count();
    let (upper, lower) = (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    upper + lower >= TELLING && upper > 0 && lower > 0
}
