//! Config → Snapshot; start, reload, drain, stop.
//!
//! [`build`] makes a snapshot off to the side; [`life`] keeps the server alive between signals, [`reload`] puts what
//! changed in force; [`status`] tells the HTTP endpoint what it may show, [`glance`] its dashboard, [`standing`] whether
//! the node is ready; [`output`] says where logs go, [`operator`] is the server's own, [`journal`] writes it for journald;
//! [`descriptor`] shares out file descriptors.

mod adapter;
mod apply;
pub mod build;
mod descriptor;
mod glance;
mod journal;
mod life;
mod operator;
mod output;
mod policy;
mod probing;
mod reload;
mod reloads;
mod standing;
mod status;
mod steer;
pub mod testing;
mod trial;
mod warm;

pub use life::{Fault, Origin, Server, run};
pub use operator::{LevelFault, begin_log, log_to_stderr, set_level};
