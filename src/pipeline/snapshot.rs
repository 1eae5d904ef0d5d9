//! Everything a query may read, built off to the side and swapped whole; and what outlives a reload beside it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::cache::{Flights, ResponseCache};
use crate::query::Directory;
use crate::recurse::Recursor;
use crate::route::RouteTable;
use crate::upstream::Group;
use crate::zone::ZoneHandle;

/// One configuration in force.
pub struct Snapshot {
    /// Networks, routes, views.
    pub table: RouteTable,
    /// The zones that routes name by number.
    pub zones: Vec<Arc<ZoneHandle>>,
    /// The upstream groups that routes name by number.
    pub groups: Vec<Arc<Group>>,
    /// For each group, the number of its first server in the directory.
    pub first_server: Vec<u32>,
    /// Iteration from the root, where some route wants it.
    pub recursor: Option<Arc<Recursor>>,
    /// What the numbers are called.
    pub directory: Arc<Directory>,
    /// How we name ourselves (NSID, id.server).
    pub node: Box<[u8]>,
    /// The UDP payload size that we offer and keep to.
    pub udp_payload: u16,
}

/// What all workers share.
pub struct Shared {
    /// The configuration in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// What the sources said.
    pub responses: ResponseCache,
    /// Questions in flight.
    pub flights: Flights,
}
