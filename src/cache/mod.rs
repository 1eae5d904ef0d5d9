//! Two caches for two questions, and the table of questions in flight.
//!
//! [`answer`]: what bytes go to this view for this question? One per worker, unsynchronised, small.
//! [`response`]: what did this route's source say? Shared, bounded by bytes, expiry per entry.
//! [`flight`]: who is asking that already?
//! [`forget`]: which of all this is to go, because an operator knows better.

pub mod answer;
pub mod cached;
pub mod count;
pub mod flight;
pub mod forget;
mod index;
mod key;
mod pages;
mod remains;
pub mod response;
pub mod snapshot;
mod store;

pub use answer::AnswerCache;
pub use cached::Cached;
pub use count::{Counts, PublishedCounts};
pub use flight::{Flight, Flights, Held, Lead};
pub use forget::{Extent, Forget, In};
pub use response::{ResponseCache, ResponseKey};
