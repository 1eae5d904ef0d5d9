//! An archive in S3: moto's server, behind a gate that can be shut in the middle of the uploads.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::gate::Gate;
use crate::place::{Place, Ran, archived, json, line, lines, sorted};
use crate::python::{Python, S3};
use crate::wait;

const BOUND: Duration = Duration::from_secs(60);
const BUCKET: &str = "technova-dns-archive";

/// What a server's environment would have; the region is the node's.
const CREDENTIALS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];

fn place(port: u16, more: &str) -> Place {
    Place::new(&format!(
        "to = \"s3://{BUCKET}/query-log\"\nregion = \"ap-northeast-1\"\nendpoint = \"http://127.0.0.1:{port}\"\n{more}"
    ))
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    place.command(arguments).envs(CREDENTIALS).stderr(Stdio::null()).spawn().unwrap()
}

fn once(place: &Place) -> Ran {
    Ran::of(place.command(&["--once"]).envs(CREDENTIALS).output().unwrap())
}

fn fetched(python: &Python, s3: &S3, place: &Place) -> (Vec<String>, String) {
    let folder = place.path("fetched");
    let said = python.peer(&["fetch", &s3.endpoint(), BUCKET, folder.to_str().unwrap()]);
    (archived(&folder), said)
}

#[test]
fn pieces_are_uploaded_as_the_configuration_says() {
    let Some(python) = Python::find() else { return };
    let s3 = python.s3();
    let key = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let place = place(s3.port, &format!("storage-class = \"STANDARD_IA\"\nkms-key = \"{key}\""));
    place.roll("20261124-030000", lines(0..4_000));
    let Ran { ok, said } = once(&place);
    assert!(ok, "{said}");
    let (lines_there, objects) = fetched(&python, &s3, &place);
    assert_eq!(lines_there, sorted(lines(0..4_000)));
    let objects = json(&objects);
    let objects = objects.as_object().unwrap();
    assert_eq!(objects.len(), 6);
    for (name, said) in objects {
        assert!(name.starts_with("query-log/"), "{name}");
        assert_eq!(said["StorageClass"], "STANDARD_IA");
        assert_eq!(said["ServerSideEncryption"], "aws:kms");
        assert_eq!(said["SSEKMSKeyId"], key);
    }
}

#[test]
fn a_piece_of_many_parts_arrives_whole() {
    let Some(python) = Python::find() else { return };
    let s3 = python.s3();
    let place = place(s3.port, "");
    // One owner in one hour, of what does not compress: more than two parts of 8 MiB.
    let mut seed = 7_u64;
    let mut noise = || {
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed ^ (seed >> 31)
        };
        (0..2_000).map(|_| format!("{:016x}", random())).collect::<String>()
    };
    let large: Vec<String> =
        (0..1_100).map(|nth| line(nth * 3).replace(".example.", &format!(".{}.", noise()))).collect();
    place.roll("20261124-010000", large.clone());
    let Ran { ok, said } = once(&place);
    assert!(ok, "{said}");
    assert!(place.metric("piece_bytes_total") > Some(16 << 20), "{:?}", place.metric("piece_bytes_total"));
    assert_eq!(fetched(&python, &s3, &place).0, sorted(large.into_iter()));
}

#[test]
fn a_server_that_fails_in_the_middle_and_comes_back_has_every_line_once() {
    let Some(python) = Python::find() else { return };
    let s3 = python.s3();
    let gate = Gate::before(s3.port, 7);
    let place = place(gate.port, "");
    for (hour, first) in [("03", 0), ("06", 10_000), ("09", 20_000)] {
        place.roll(&format!("20261124-{hour}0000"), lines(first..first + 10_000));
    }
    let mut child = start(&place, &["watch"]);
    wait::until("the archiver notices", BOUND, || {
        (place.metric("store_faults_total") >= Some(1)).then_some(())
    });
    assert!(gate.is_shut());
    gate.open();
    wait::until("all is archived", BOUND, || (place.metric("files_total") == Some(3)).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fetched(&python, &s3, &place).0, sorted(lines(0..30_000)));
}

#[test]
fn an_archiver_that_is_killed_in_the_middle_of_the_uploads_goes_on_where_it_was() {
    let Some(python) = Python::find() else { return };
    let s3 = python.s3();
    let gate = Gate::before(s3.port, 5);
    let place = place(gate.port, "");
    place.roll("20261124-030000", lines(0..10_000));
    let mut child = start(&place, &["watch"]);
    wait::until("some are uploaded", BOUND, || gate.is_shut().then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    // What is in the spool is what is archived, whatever the configuration says by now.
    place.roll("20261124-060000", lines(10_000..20_000));
    gate.open();
    let Ran { ok, said } = once(&place);
    assert!(ok, "{said}");
    assert_eq!(fetched(&python, &s3, &place).0, sorted(lines(0..20_000)));
}
