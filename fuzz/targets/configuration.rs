//! Runs `tests/fuzzing/configuration.rs` on what libFuzzer makes up.
#![no_main]

#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzing::configuration::run(input));
