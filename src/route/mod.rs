//! Who asks and what they see: networks by longest prefix, routes by longest suffix, views computed from both.
//!
//! Everything here is immutable once built; building is the only place that compares everything with everything, and
//! it does so by audience, never network by route.

mod claim;
mod crowd;
pub mod network;
mod prefix;
pub mod suffix;
pub mod table;
pub mod view;

pub use claim::{Candidate, Candidates};
pub use network::NetworkTable;
pub use table::{Caps, FallThrough, Route, RouteTable, Target, Visible};
pub use view::{Recursion, View};
