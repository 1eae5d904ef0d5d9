//! Kakehashi (架け橋): a hybrid DNS server between AWS VPCs and an on-prem Active Directory.
//!
//! Rooms are ranked; a room imports only from lower ranks (`tests/house.rs` checks it):
//! `wire` 0 · `query` `route` `config` 1 · `exchange` 2 · `health` 3 · `policy` `cache` `zone` `upstream`
//! `recurse` `observe` `detect` 4 · `pipeline` 5 · `listen` `control` 6 · `server` 7 · `cli` 8.

pub mod cache;
pub mod cli;
pub mod config;
pub mod control;
pub mod detect;
pub mod exchange;
pub mod health;
pub mod listen;
pub mod observe;
pub mod pipeline;
pub mod policy;
pub mod query;
pub mod recurse;
pub mod route;
pub mod server;
pub mod upstream;
pub mod wire;
pub mod zone;
