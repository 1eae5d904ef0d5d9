//! The HTTP endpoint for people and monitoring: dashboard, metrics, health, readiness, status. Read-only, bounded, apart
//! from DNS.
//!
//! It has a thread and a runtime of its own ([`server`]) and knows only what a [`Status`] tells it ([`page`] turns that
//! into responses), so whatever is done to it, queries are answered by others.

pub mod dashboard;
pub mod page;
pub mod server;
pub mod socket;
pub mod status;
pub mod steering;
mod turn;

pub use server::{Running, stand_back, start};
pub use status::{Status, StatusDocument};
pub use steering::{Command, Outcome, Steering, TRACE_PATIENCE};
