//! The street: admit → resolve → finish. The only place that knows what follows what.
//!
//! [`Worker::admit`] answers what can be answered without waiting (refusals, cached answers, zones), between the receive
//! and the send of a batch. What waits for one response goes by the [`lane`], without a task, and mostly without a walk,
//! too (`straight`); [`Worker::resolve`] walks the rest. All end in [`finish`], which writes the reply, keeps it and records what happened.

mod ahead;
mod errand;
pub mod explain;
mod fetch;
mod finish;
pub mod lane;
mod reading;
mod share;
pub mod snapshot;
mod spare;
mod step;
mod straight;
mod walk;
mod worker;

pub use errand::{Receipt, Traced, TracedEvent};
pub use lane::{Begin, Landing};
pub use snapshot::{Keeping, Prefetch, Shared, Snapshot};
pub use worker::{Admit, Clock, Outfit, Worker};
