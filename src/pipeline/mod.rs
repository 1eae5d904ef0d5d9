//! The street: admit → resolve → finish. The only place that knows what follows what.
//!
//! [`Worker::admit`] answers what can be answered without waiting (refusals, cached answers, zones), between the receive
//! and the send of a batch. [`Worker::resolve`] walks the rest. Both end in [`finish`], which writes the reply, keeps it
//! and records what happened.

pub mod explain;
mod fetch;
mod finish;
pub mod snapshot;
mod step;
mod walk;
mod worker;

pub use snapshot::{Shared, Snapshot};
pub use worker::{Admit, Clock, Outfit, Worker};
