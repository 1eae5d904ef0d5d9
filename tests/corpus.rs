//! The inputs that fuzzing has kept (`fuzz/seeds/`), each run once: what it found stays found, without its compiler.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod fuzzing;

use std::fs;
use std::path::Path;

/// Runs each input of a target.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() > 10, "{} has no seeds", folder.display());
    for path in inputs {
        // Shown by a test that fails, and tells which input it was.
        println!("{}", path.display());
        run(&fs::read(&path).unwrap());
    }
}

#[test]
fn a_message_gets_a_sound_reply_or_none() {
    replay("datagram", fuzzing::datagram::run);
}

#[test]
fn a_patched_answer_is_the_answer_encoded_anew() {
    replay("patching", fuzzing::patching::run);
}

#[test]
fn nothing_is_kept_of_what_an_upstream_says_of_other_domains() {
    replay("upstream", fuzzing::upstream::run);
}

#[test]
fn a_zone_is_the_same_when_written_out_and_read_again() {
    replay("zone", fuzzing::zone::run);
}

#[test]
fn a_configuration_is_served_or_its_faults_are_shown() {
    replay("configuration", fuzzing::configuration::run);
}

#[test]
fn each_message_of_a_stream_gets_one_reply() {
    replay("stream", fuzzing::stream::run);
}

#[test]
fn a_kept_response_is_read_as_it_was_written() {
    replay("cached", fuzzing::cached::run);
}

#[test]
fn a_cache_snapshot_is_read_as_it_was_written_or_left_alone() {
    replay("snapshot", fuzzing::snapshot::run);
}
