//! What happened, made visible: the query log and the metrics.
//!
//! A worker tells its [`Recorder`] every [`Event`](crate::query::Event); that costs it two copies and a dozen
//! additions, and never a lock, an allocation or a system call. The log has a thread of its own ([`log`]); the counters
//! are summed when somebody asks ([`metrics`]). What other rooms know about themselves comes in as plain values
//! ([`readings`]) and leaves, with the sums, as one page ([`registry`]). [`sketch`] keeps what is asked most, while
//! somebody looks.

pub mod block;
pub mod counter;
pub mod dnstap;
pub mod failures;
pub mod family;
pub mod filter;
pub mod histogram;
pub mod log;
pub mod metrics;
pub mod openmetrics;
pub mod process;
pub mod readings;
pub mod recorder;
pub mod registry;
pub mod sketch;
pub mod slow;
pub mod tally;

pub use dnstap::{TapControl, Taps};
pub use log::{LogControl, QueryLog};
pub use metrics::Metrics;
pub use readings::Readings;
pub use recorder::Recorder;
pub use sketch::Sketches;
