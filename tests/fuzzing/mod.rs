//! What must hold whatever the input is. Each file is one way in: `fuzz/` runs it on inputs that libFuzzer makes up,
//! `tests/corpus.rs` on those that are kept.
#![allow(dead_code)] // each program of `fuzz/` uses one of them

pub mod cached;
pub mod configuration;
pub mod datagram;
pub mod patching;
pub mod snapshot;
pub mod stream;
pub mod upstream;
pub mod zone;
