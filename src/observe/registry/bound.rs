//! How many labels of a kind there may be on the page. A configuration may have 5,000 networks and 100,000 routes; a
//! Prometheus server keeps a series for each label of each family, so beyond a bound they are counted as one, `other`.
//! Who is named is told by the configuration alone: the first so many of each list.

pub use crate::observe::block::{NONE, OTHER, ROUTES, VIEWS};
use crate::observe::family::Page;
use crate::query::Directory;

/// Networks with a number of their own. The others are one for each account.
pub const NETWORKS: usize = 1_000;
/// Accounts of those others.
pub const ACCOUNTS: usize = 100;
/// Upstreams, and servers of them.
pub const UPSTREAMS: usize = 100;
/// Upstream servers with numbers of their own.
pub const SERVERS: usize = 200;
/// Zones.
pub const ZONES: usize = 500;

/// How many have no label of their own.
pub(super) fn folded(page: &mut Page, directory: &Directory) {
    let help = "Names of the configuration that are counted together, as there are too many, by list.";
    let mut family = page.gauge("kakehashi_folded_labels", help);
    for (list, length, most) in [
        ("networks", directory.networks.len(), NETWORKS),
        ("routes", directory.routes.len(), ROUTES),
        ("servers", directory.servers.len(), SERVERS),
        ("views", directory.views.len(), VIEWS),
    ] {
        family.set(&[("list", list)], length.saturating_sub(most) as f64);
    }
}
