//! dnstap as its users read it: the built program as a process of its own, Debian's `dnstap-read` and `fstrm_capture` at the
//! other end.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // what tests of the server's life need beside
#[path = "life/client.rs"]
mod client;
#[path = "observe/dnstap.rs"]
mod dnstap;
#[path = "lab/port.rs"]
mod port;
#[allow(dead_code)] // as above
#[path = "life/process.rs"]
mod process;
#[allow(dead_code)] // as above
#[path = "lab/wait.rs"]
mod wait;

use std::time::Duration;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(30);
