//! An archive that is a folder: what is written, once, and what may be deleted here.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use kakehashi::observe::log::{Rotation, Target};
use kakehashi::observe::{Metrics, QueryLog, Recorder};

use crate::event::{directory, event, response};
use crate::place::{Place, Ran, archived, files, json, line, lines, sorted, unpacked};
use crate::wait;

const BOUND: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn every_line_lies_in_the_folder_of_its_account_vpc_and_hour() {
    for (format, extension) in [("json-gzip", "json.gz"), ("json-zstd", "json.zst")] {
        let place = Place::new(&format!("to = \"./archive\"\nformat = \"{format}\""));
        place.roll("20261124-030000", lines(0..8_000));
        let Ran { ok, said } = place.run(&["--once"]);
        assert!(ok, "{said}");
        let pieces = files(&place.path("archive"));
        assert_eq!(pieces.len(), 9, "three owners in three hours: {pieces:?}");
        for (name, path) in &pieces {
            assert!(name.ends_with(extension), "{name}");
            for line in unpacked(path).lines().map(json) {
                let part = |key: &str, empty: &str| {
                    let text = line[key].as_str().unwrap();
                    if text.is_empty() { empty.to_owned() } else { text.to_owned() }
                };
                let hour = line["query_timestamp"].as_str().unwrap()[..13].replace(['-', 'T'], "/");
                let folder =
                    format!("{}/{}/{hour}/", part("account_id", "no-account"), part("vpc_id", "no-vpc"));
                assert!(name.starts_with(&folder), "{folder} {name}");
            }
        }
        assert_eq!(archived(&place.path("archive")), sorted(lines(0..8_000)));
    }
}

#[test]
fn what_the_server_itself_rolled_is_archived_and_its_live_log_is_not() {
    let place = Place::new("to = \"./archive\"");
    let path = place.path("log/query.log");
    let rotation = Rotation { size: Some(64 << 10), every: None, keep: usize::MAX };
    let (log, lanes) = QueryLog::start(&Target::File { path: path.clone(), rotation }, 8 << 20, 1).unwrap();
    let metrics = Metrics::new(1);
    let mut recorders = metrics
        .workers()
        .zip(lanes)
        .map(|(counters, lane)| Recorder::new(counters, lane, directory("technova.internal")));
    let mut recorder = recorders.next().unwrap();
    for nth in 0..500 {
        recorder.record(&event(&response(&format!("q{nth}.technova.internal."))));
        recorder.flush();
    }
    drop((recorder, recorders));
    assert_eq!(log.shutdown(BOUND).lines, 500);

    let live = fs::read_to_string(&path).unwrap();
    assert!(place.run(&["--once"]).ok);
    let lines = archived(&place.path("archive"));
    assert!(live.lines().count() < 500, "the server rolled files");
    assert_eq!(lines.len() + live.lines().count(), 500);
    assert!(files(&place.path("archive")).keys().all(|name| !name.starts_with("unparsed/")));
    assert_eq!(fs::read_to_string(&path).unwrap(), live);
}

#[test]
fn the_live_log_is_refused_by_hand_as_well() {
    let place = Place::new("to = \"./archive\"");
    fs::write(place.path("log/query.log"), line(0)).unwrap();
    let Ran { ok, said } = place.run(&["log/query.log"]);
    assert!(!ok && said.contains("is the live log"), "{said}");
}

#[test]
fn a_line_that_is_no_json_is_kept_octet_by_octet() {
    let place = Place::new("to = \"./archive\"");
    let path = place.path("log/query.log.20261124-030000");
    let torn = &line(2)[..100];
    let strange = [b"not JSON\n{\"a\":1}\n\xFF\xFE\0\n\n", "架け橋\n".as_bytes(), torn.as_bytes()].concat();
    fs::write(&path, [line(1).as_bytes(), &strange].concat()).unwrap();
    assert!(place.run(&["--once"]).ok);
    let pieces = files(&place.path("archive"));
    let (_, unparsed) = pieces.iter().find(|(name, _)| name.starts_with("unparsed/")).unwrap();
    let mut kept = Vec::new();
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(File::open(unparsed).unwrap()), &mut kept).unwrap();
    assert_eq!(kept, strange);
    assert_eq!((place.metric("lines_total"), place.metric("unparsed_lines_total")), (Some(1), Some(6)));
}

#[test]
fn a_line_that_fits_no_column_is_kept_beside_the_rows() {
    let place = Place::new("to = \"./archive\"\nformat = \"parquet\"");
    let odd = line(3).replace("\"answer_size\":61", "\"answer_size\":\"large\"");
    place.roll("20261124-030000", [line(0), odd.clone(), line(6)]);
    assert!(place.run(&["--once"]).ok);
    let pieces = files(&place.path("archive"));
    assert_eq!(pieces.keys().filter(|name| name.ends_with(".parquet")).count(), 1);
    let (_, unparsed) = pieces.iter().find(|(name, _)| name.starts_with("unparsed/")).unwrap();
    assert_eq!(unpacked(unparsed), odd);
    assert_eq!((place.metric("lines_total"), place.metric("unparsed_lines_total")), (Some(2), Some(1)));
}

#[test]
fn a_file_is_archived_once_under_whatever_name_it_comes() {
    let place = Place::new("to = \"./archive\"");
    let rolled = place.roll("20261124-030000", lines(0..300));
    assert!(place.run(&["--once"]).ok);
    let first = files(&place.path("archive"));
    let mut packed = flate2::write::GzEncoder::new(
        File::create(place.path("query.log-20261124.gz")).unwrap(),
        flate2::Compression::default(),
    );
    std::io::copy(&mut File::open(&rolled).unwrap(), &mut packed).unwrap();
    packed.finish().unwrap();
    for arguments in [&["--once"][..], &[rolled.to_str().unwrap()], &["query.log-20261124.gz"]] {
        let Ran { ok, said } = place.run(arguments);
        assert!(ok, "{said}");
    }
    assert_eq!(files(&place.path("archive")), first);
    assert_eq!(place.metric("files_total"), Some(1));
}

#[test]
fn whenever_it_is_killed_nothing_is_lost_or_doubled() {
    let place = Place::new("to = \"./archive\"");
    place.roll("20261124-030000", lines(0..9_000));
    place.roll("20261124-060000", lines(9_000..18_000));
    let spool = place.path("state/spool");
    for stage in 0..6 {
        let mut child = place.command(&["--once"]).stderr(Stdio::null()).spawn().unwrap();
        wait::until("it comes so far, or ends", BOUND, || {
            let begun = files(&spool).len() + files(&place.path("archive")).len();
            (begun > stage * 3 || child.try_wait().unwrap().is_some()).then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let Ran { ok, said } = place.run(&["--once"]);
    assert!(ok, "{said}");
    let finished = files(&place.path("archive"));
    assert!(finished.keys().all(|name| !name.contains(".new")), "{finished:?}");
    assert_eq!(archived(&place.path("archive")), sorted(lines(0..18_000)));
    assert!(files(&spool).is_empty());
}

#[test]
fn a_rolled_file_goes_when_it_is_archived_and_old() {
    let place = Place::new("to = \"./archive\"\nlocal-keep = \"30d\"");
    let old = place.roll("20261001-000000", lines(0..10));
    let new = place.roll("20261124-030000", lines(10..20));
    File::options().write(true).open(&old).unwrap().set_modified(SystemTime::now() - 31 * DAY).unwrap();
    let Ran { ok, said } = place.run(&["--once"]);
    assert!(ok && !old.exists() && new.exists(), "{said}");
    assert_eq!(archived(&place.path("archive")), sorted(lines(0..20)));
    assert_eq!((place.metric("deleted_files_total"), place.metric("lost_files_total")), (Some(1), Some(0)));
}

#[test]
fn what_the_archive_does_not_take_stays_however_old_it_is() {
    let place = Place::new("to = \"./full/archive\"\nlocal-keep = \"0s\"");
    fs::write(place.path("full"), "not a folder").unwrap();
    let rolled = place.roll("20261001-000000", lines(0..10));
    assert!(!place.run(&["--once"]).ok);
    assert!(rolled.exists());
    assert!(place.metric("store_faults_total") > Some(0));
    fs::remove_file(place.path("full")).unwrap();
    assert!(place.run(&["--once"]).ok);
    assert!(!rolled.exists());
    assert_eq!(archived(&place.path("full/archive")), sorted(lines(0..10)));
}

#[test]
fn what_the_bound_of_octets_forces_out_before_it_is_archived_is_said_and_counted() {
    let place = Place::new("to = \"./full/archive\"\nlocal-bytes = \"1MiB\"");
    fs::write(place.path("full"), "not a folder").unwrap();
    let rolled = place.roll("20261124-030000", lines(0..4_000));
    let Ran { said, .. } = place.run(&["--once"]);
    assert!(!rolled.exists(), "its pieces wait, so it can be spared first: {said}");
    assert_eq!(place.metric("lost_files_total"), Some(0), "{said}");

    // Names that do not compress, until the pieces alone are beyond the bound.
    let mut seed = 1_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed ^ (seed >> 29)
    };
    let noise = (0..8_000).map(|nth| {
        line(nth * 3 + 1)
            .replace(".example.", &(0..16).map(|_| format!(".{:016x}", random())).collect::<String>())
    });
    place.roll("20261124-040000", noise);
    let Ran { said, .. } = place.run(&["--once"]);
    assert!(said.contains("is NOT ARCHIVED"), "{said}");
    assert!(place.metric("lost_files_total") >= Some(1), "{said}");
}

#[test]
fn the_metrics_are_what_prometheus_expects() {
    let place = Place::new("to = \"./archive\"");
    place.roll("20261124-030000", lines(0..10));
    assert!(place.run(&["--once"]).ok);
    let mode = fs::metadata(place.path("state/kakehashi-archive.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "a node exporter is another user");
    let checked = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(place.path("state/kakehashi-archive.prom")).unwrap())
        .output();
    let Ok(checked) = checked else {
        assert!(std::env::var_os("CI").is_none(), "promtool is not installed");
        println!("SKIPPED: promtool is not installed");
        return;
    };
    let Ran { ok, said } = Ran::of(checked);
    assert!(ok && said.is_empty(), "{said}");
}
