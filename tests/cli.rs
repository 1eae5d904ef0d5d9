//! The command line as an operator meets it: the built program, its output, its exit codes.
#![allow(clippy::unwrap_used)]

#[path = "cli/beside.rs"]
mod beside;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/explain.rs"]
mod explain;
#[path = "lab/port.rs"]
mod port;
#[path = "cli/usage.rs"]
mod usage;

use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the program came to.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs it in a folder, with these words.
fn kakehashi_in(folder: &Path, words: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_kakehashi"))
        .args(words)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs it in the repository.
fn kakehashi(words: &[&str]) -> Said {
    kakehashi_in(Path::new(env!("CARGO_MANIFEST_DIR")), words)
}
