//! Config → Snapshot; start, reload, drain, stop.
//!
//! [`build`] makes a snapshot off to the side; [`life`] keeps the server alive between signals, [`reload`] puts what
//! changed in force; [`status`] tells the HTTP endpoint what it may show, [`glance`] its dashboard, [`standing`] whether
//! the node is ready;
//! [`journal`] writes for journald, [`descriptor`] shares out file descriptors.

mod adapter;
mod apply;
pub mod build;
mod descriptor;
mod glance;
mod journal;
mod life;
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

/// Sends the operator's log to stderr, where journald reads it. `RUST_LOG` says more or less.
pub fn log_to_stderr(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_ansi(false);
    // journald writes the time itself. A second call, as tests make, changes nothing.
    let _ = if journal::reads_stderr() {
        lines.without_time().with_writer(journal::Journal).try_init()
    } else {
        lines.with_writer(std::io::stderr).try_init()
    };
}
