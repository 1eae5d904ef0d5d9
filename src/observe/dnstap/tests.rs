//! Frames of one output, read back from its file.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Kind, Spec, TapControl, Taps, Target, frame};
use crate::observe::filter::Selection;
use crate::observe::log::Rotation;
use crate::query::directory::NetworkName;
use crate::query::{Directory, Onlooker, Sighting, Source, Transport};

const BOUND: Duration = Duration::from_secs(10);

fn directory(networks: &[(&str, &str)]) -> Arc<Directory> {
    let network = |(name, group): &(&str, &str)| NetworkName {
        name: (*name).into(),
        groups: vec![(*group).into()],
        ..NetworkName::default()
    };
    Arc::new(Directory {
        networks: networks.iter().map(network).collect(),
        routes: vec!["corp.test".into(), "technova.internal".into()],
        node: "kakehashi-1a".into(),
        ..Directory::default()
    })
}

fn seen(network: u32, route: u32, rcode: u16) -> Sighting<'static> {
    Sighting {
        unix_micros: 1_612_461_115_000_042,
        duration_micros: 17,
        client: [10, 0, 30, 100].into(),
        port: 56_067,
        local: "10.150.20.10:53".parse().unwrap(),
        transport: Transport::Udp,
        network: Some(network),
        view: None,
        route: Some(route),
        server: None,
        source: Source::Zone,
        rcode,
        dnssec_ok: false,
        checking_disabled: false,
        ede: None,
        query: b"a query",
        response: b"a response",
    }
}

fn spec(path: &Path, selection: Selection) -> Spec {
    let target =
        Target::File { path: path.to_owned(), rotation: Rotation { keep: 1, ..Rotation::default() } };
    Spec { target, kinds: vec![Kind::ClientQuery, Kind::ClientResponse], selection, queue: 1 << 20 }
}

/// Ends the outputs; gives the frames of the file.
fn frames(taps: Taps, control: &TapControl, path: &Path) -> Vec<Vec<u8>> {
    drop(taps);
    control.shutdown(BOUND);
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let Some((length, holds)) = frame::length(rest) {
        if holds == frame::Holds::Data {
            frames.push(rest[4..length].to_vec());
        }
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "whole frames only");
    assert!(bytes.starts_with(&frame::Control::Start.frame()));
    assert!(bytes.ends_with(&frame::Control::Stop.frame()));
    frames
}

#[test]
fn an_event_is_selected_by_the_names_of_its_own_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap");
    let selection = Selection { networks: vec!["vpc".into(), "dc".into()], ..Selection::default() };
    let (mut taps, control) = Taps::start(vec![spec(&path, selection)]);
    let first = directory(&[("app", "vpc"), ("office", "onprem"), ("dc", "onprem")]);
    let second = directory(&[("office", "onprem"), ("app", "vpc")]);
    taps.learn(&first);
    taps.learn(&second);
    // Two workers, one of which has not heard of the reload yet.
    for _ in 0..10 {
        for (network, want) in [(&first, [0, 2]), (&second, [1, 1])] {
            want.into_iter().for_each(|number| taps.see(&seen(number, 0, 0), network));
        }
        taps.see(&seen(1, 0, 0), &first);
        taps.see(&seen(0, 0, 0), &second);
    }
    assert_eq!(frames(taps, &control, &path).len(), 2 * 40);
}

#[test]
fn one_of_a_hundred_says_that_it_stands_for_a_hundred_and_a_failure_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap");
    let selection = Selection { sample: 100, always: vec![2], ..Selection::default() };
    let (mut taps, control) = Taps::start(vec![spec(&path, selection)]);
    let names = directory(&[("app", "vpc")]);
    taps.learn(&names);
    for nth in 0..5_000 {
        taps.see(&seen(0, 0, 0), &names);
        if nth % 500 == 0 {
            taps.see(&seen(0, 0, 2), &names);
        }
    }
    let frames = frames(taps, &control, &path);
    let with = |text: &[u8]| {
        frames.iter().filter(|frame| frame.windows(text.len()).any(|part| part == text)).count()
    };
    // Field 3 of `Dnstap`: extra.
    assert_eq!(with(b"\x1a\x0asample=100"), 2 * 50);
    assert_eq!(with(b"\x1a\x08sample=1"), 2 * 10);
    assert_eq!(frames.len(), 2 * 60);
}

#[test]
fn a_reload_ends_outputs_begins_others_and_leaves_the_same_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [stays, goes, comes] = ["stays", "goes", "comes"].map(|name| folder.path().join(name));
    let all = Selection::default;
    let (mut taps, control) = Taps::start(vec![spec(&goes, all()), spec(&stays, all())]);
    let names = directory(&[("app", "vpc")]);
    taps.learn(&names);
    taps.see(&seen(0, 0, 0), &names);
    control.redirect(vec![spec(&stays, all()), spec(&comes, all())]);
    taps.rest(Duration::ZERO);
    taps.see(&seen(0, 0, 0), &names);
    let to: Vec<_> = control.readings().into_iter().map(|reading| reading.to).collect();
    assert_eq!(to, [&stays, &comes].map(|path| format!("file:{}", path.display())));
    assert_eq!(frames(taps, &control, &stays).len(), 4);
    let whole = |path: &Path| fs::read(path).is_ok_and(|file| file.ends_with(&frame::Control::Stop.frame()));
    assert!(whole(&comes));
    // Nobody waits for what a reload has ended.
    let begun = Instant::now();
    while !whole(&goes) {
        assert!(begun.elapsed() < BOUND);
        std::thread::yield_now();
    }
}

#[test]
fn a_file_on_a_full_disk_is_finished_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tap");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (mut taps, control) = Taps::start(vec![spec(&path, Selection::default())]);
    let names = directory(&[("app", "vpc")]);
    taps.learn(&names);
    (0..100).for_each(|_| taps.see(&seen(0, 0, 0), &names));
    taps.rest(Duration::ZERO);
    fs::remove_file(&path).unwrap();
    let end = std::time::Instant::now() + BOUND;
    while control.readings()[0].sent < 200 {
        assert!(std::time::Instant::now() < end, "{:?}", control.readings());
        std::thread::yield_now();
    }
    assert_eq!(frames(taps, &control, &path).len(), 200);
}

#[test]
fn a_full_queue_drops_whole_frames_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nobody-listens");
    let mut spec = spec(&path, Selection::default());
    spec.target = Target::Unix(path);
    spec.queue = 4 << 10;
    let (mut taps, control) = Taps::start(vec![spec]);
    let names = directory(&[("app", "vpc")]);
    taps.learn(&names);
    (0..100).for_each(|_| taps.see(&seen(0, 0, 0), &names));
    let dropped = control.readings()[0].dropped;
    assert!((100..200).contains(&dropped), "{dropped}");
    let shared = control.clone();
    drop(taps);
    shared.shutdown(BOUND);
}
