//! Subcommands that are programs of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with the program in it, and nothing else.
fn alone(folder: &Path) -> PathBuf {
    let program = folder.join("kakehashi");
    fs::hard_link(env!("CARGO_BIN_EXE_kakehashi"), &program)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_kakehashi"), &program).map(drop))
        .unwrap();
    program
}

fn report(program: &Path, path: &Path) -> Output {
    let arguments = ["report", "--help", "--since", "7d", "a b.log"];
    Command::new(program).args(arguments).env("PATH", path).output().unwrap()
}

/// Says which one it is, and its arguments.
fn stand_in(folder: &Path, says: &str) {
    let path = folder.join("kakehashi-report");
    fs::write(&path, format!("#!/bin/sh\necho {says}\nfor word; do echo \"$word\"; done\nexit 3\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn report_is_the_program_beside_and_gets_every_argument() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = alone(own.path());
    stand_in(own.path(), "beside");
    stand_in(other.path(), "in PATH");
    let done = report(&program, other.path());
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "beside\n--help\n--since\n7d\na b.log\n");
    assert_eq!(done.status.code(), Some(3));
}

#[test]
fn report_is_found_in_path() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = alone(own.path());
    stand_in(other.path(), "elsewhere");
    let done = report(&program, other.path());
    assert!(String::from_utf8(done.stdout).unwrap().starts_with("elsewhere\n--help\n"));
}

#[test]
fn report_that_is_not_built_says_how_to_build_it() {
    let own = tempfile::tempdir().unwrap();
    let done = report(&alone(own.path()), own.path());
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("cargo build --release -p kakehashi-report"), "{said}");
    assert_eq!(done.status.code(), Some(1));
}
