//! The street, asked as its clients ask it: zones in files, upstreams on loopback, time turned by hand.

#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect)] // a failed unwrap is a failed test

#[path = "pipeline/cache.rs"]
mod cache;
#[path = "pipeline/chain.rs"]
mod chain;
#[path = "pipeline/errand.rs"]
mod errand;
#[path = "pipeline/fall_through.rs"]
mod fall_through;
#[path = "pipeline/hostile.rs"]
mod hostile;
#[path = "pipeline/panic.rs"]
mod panic;
#[path = "lab/port.rs"]
mod port;
#[path = "pipeline/protocol.rs"]
mod protocol;
#[path = "pipeline/reload.rs"]
mod reload;
#[path = "pipeline/stale.rs"]
mod stale;
#[path = "pipeline/stand_in.rs"]
mod stand_in;
#[path = "pipeline/straight.rs"]
mod straight;
#[path = "pipeline/view.rs"]
mod view;
#[path = "pipeline/world.rs"]
mod world;
