//! The archiver as an operator runs it: real files, a real S3 server on loopback, a real query engine over what it wrote.
//!
//! moto's S3 server and DuckDB are Python packages; `tests/run` installs them into target/venv. Without them what wants
//! them is skipped, and with CI set it fails.
#![allow(clippy::unwrap_used)]

mod bucket;
#[path = "../../../../tests/observe/event.rs"]
mod event;
mod folder;
mod gate;
mod place;
mod python;
mod questions;
mod shipped;
#[path = "../../../../tests/lab/wait.rs"]
#[allow(dead_code)] // what the lab needs beside
mod wait;
