//! Two caches for two questions, and the table of questions in flight.
//!
//! [`answer`]: what bytes go to this view for this question? One per worker, unsynchronised, small.
//! [`response`]: what did this route's source say? Shared, bounded by bytes, expiry per entry.
//! [`flight`]: who is asking that already?

pub mod answer;
pub mod cached;
pub mod count;
pub mod flight;
mod key;
mod remains;
pub mod response;
pub mod snapshot;
mod store;

pub use answer::AnswerCache;
pub use cached::Cached;
pub use count::{Counts, PublishedCounts};
pub use flight::{Flight, Flights, Held};
pub use response::{ResponseCache, ResponseKey};
