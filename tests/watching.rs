//! What is shipped for those who watch: the alerts, the dashboard and the words of the README, held against a server under
//! load and the Prometheus that scrapes it. Peers: `prometheus` and `promtool`, both of Debian's package prometheus.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // the tests of the server's life use more of it
#[path = "life/client.rs"]
mod client;
#[path = "watching/dashboard.rs"]
mod dashboard;
#[path = "watching/names.rs"]
mod names;
#[allow(dead_code)]
#[path = "life/process.rs"]
mod process;
#[path = "watching/prometheus.rs"]
mod prometheus;
#[path = "watching/rules.rs"]
mod rules;
#[path = "watching/scene.rs"]
mod scene;
#[path = "lab/wait.rs"]
#[allow(dead_code)]
mod wait;

use std::process::{Command, Stdio};
use std::time::Duration;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shipped file.
fn shipped(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Whether a peer is installed; where it must be, its absence is a failure.
fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{program} is not installed");
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}
