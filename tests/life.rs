//! The server's life, from the first signal to the last, as its operator and systemd see it: the built program as a process
//! of its own, on loopback, without root.
#![allow(clippy::unwrap_used)]

#[path = "life/client.rs"]
mod client;
#[path = "life/log.rs"]
mod log;
#[path = "lab/port.rs"]
mod port;
#[path = "life/process.rs"]
mod process;
#[path = "life/reload.rs"]
mod reload;
#[path = "life/start.rs"]
mod start;
#[path = "life/status.rs"]
mod status;
#[path = "life/stop.rs"]
mod stop;
#[path = "life/systemd.rs"]
mod systemd;
#[path = "lab/wait.rs"]
#[allow(dead_code)] // the lab uses more of it
mod wait;
#[path = "life/warm.rs"]
mod warm;

use std::time::Duration;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);
