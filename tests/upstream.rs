//! Upstreams that misbehave, on loopback sockets: whatever they do, the right answer is found if anyone has it.
//!
//! Where silence matters, the times are short and only orders and counts are asserted; everywhere else a try may take far
//! longer than any machine needs, so that no test depends on speed.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "upstream/bind.rs"]
mod bind;
#[path = "upstream/budget.rs"]
mod budget;
#[path = "upstream/case.rs"]
mod case;
#[path = "upstream/cookie.rs"]
mod cookie;
#[path = "upstream/failover.rs"]
mod failover;
#[path = "upstream/fidelity.rs"]
mod fidelity;
#[path = "upstream/forgery.rs"]
mod forgery;
#[path = "upstream/group.rs"]
mod group;
#[path = "upstream/loops.rs"]
mod loops;
#[path = "lab/port.rs"]
mod port;
#[path = "upstream/stand_in.rs"]
mod stand_in;
#[path = "lab/wait.rs"]
#[allow(dead_code)] // the lab uses more of it
mod wait;
#[path = "upstream/watch.rs"]
mod watch;
