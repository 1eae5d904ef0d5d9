//! What clients get and how much of it, on the whole street with a clock that the test turns.
#![allow(clippy::unwrap_used)]

#[path = "lab/port.rs"]
mod port;
#[path = "pipeline/stand_in.rs"]
#[allow(dead_code)]
mod stand_in;
#[path = "pipeline/world.rs"]
#[allow(dead_code)]
mod world;

#[path = "policy/cookie.rs"]
mod cookie;
#[path = "policy/fair.rs"]
mod fair;
#[path = "policy/limit.rs"]
mod limit;
#[path = "policy/odd.rs"]
mod odd;
