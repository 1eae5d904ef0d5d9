//! The dashboard in a real browser: headless Chromium through WebDriver, at desktop and phone width. Its pictures are left
//! in `target/dashboard/`, to be looked at.
#![allow(clippy::unwrap_used)]

#[path = "dashboard/browser.rs"]
mod browser;
#[path = "life/client.rs"]
#[allow(dead_code)] // other tests use more of it
mod client;
#[path = "dashboard/cost.rs"]
mod cost;
#[path = "dashboard/hostile.rs"]
mod hostile;
#[path = "dashboard/legible.rs"]
mod legible;
#[path = "dashboard/page.rs"]
mod page;
#[path = "lab/port.rs"]
mod port;
#[path = "life/process.rs"]
#[allow(dead_code)] // likewise
mod process;
#[path = "dashboard/town.rs"]
mod town;
#[path = "dashboard/viewer.rs"]
mod viewer;
#[path = "lab/wait.rs"]
#[allow(dead_code)] // likewise
mod wait;

use std::time::Duration;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(30);
