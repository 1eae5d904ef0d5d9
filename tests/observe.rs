//! The query log as a server uses it: real threads, real files, a full disk, a pipe nobody reads.
#![allow(clippy::unwrap_used)]

#[path = "observe/event.rs"]
mod event;
#[path = "observe/onlooker.rs"]
mod onlooker;
#[path = "observe/select.rs"]
mod select;
#[allow(dead_code)] // what the lab needs beside
#[path = "lab/wait.rs"]
mod wait;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use event::{directory, event, response};
use kakehashi::observe::log::{Rotation, Target};
use kakehashi::observe::readings::LogReading;
use kakehashi::observe::{LogControl, Metrics, QueryLog, Recorder};
use kakehashi::query::Onlooker;
use onlooker::Counting;
use serde_json::Value;

const BOUND: Duration = Duration::from_secs(10);

struct Bench {
    metrics: Metrics,
    log: QueryLog,
    recorders: Vec<Recorder>,
}

fn start(target: &Target, queue: usize, workers: usize) -> Bench {
    start_watched(target, queue, workers, Vec::new())
}

fn start_watched(target: &Target, queue: usize, workers: usize, onlookers: Vec<Box<dyn Onlooker>>) -> Bench {
    let metrics = Metrics::new(workers);
    let (log, lanes) = QueryLog::start_watched(target, queue, workers, onlookers).unwrap();
    let recorders = metrics
        .workers()
        .zip(lanes)
        .map(|(counters, lane)| Recorder::new(counters, lane, directory("technova.internal")))
        .collect();
    Bench { metrics, log, recorders }
}

fn file(path: &Path) -> Target {
    Target::File { path: path.to_owned(), rotation: Rotation::default() }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits for another thread.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    wait::until(what, BOUND, || done().then_some(()));
}

fn until_lines(control: &LogControl, count: u64) {
    until("lines are written", || control.reading().lines == count);
}

static SAID: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
    let said: Arc<Mutex<Vec<u8>>> = Arc::default();
    let writer = Arc::clone(&said);
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || Said(Arc::clone(&writer))).init();
    said
});

struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the server's own log said about a path.
fn said(path: &Path) -> Vec<String> {
    let said = String::from_utf8(SAID.lock().unwrap().clone()).unwrap();
    let about = path.display().to_string();
    said.lines().filter(|line| line.contains(&about)).map(str::to_owned).collect()
}

#[test]
fn every_query_of_every_worker_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let Bench { log, recorders, metrics } = start(&file(&path), 8 << 20, 3);
    std::thread::scope(|scope| {
        for (worker, mut recorder) in recorders.into_iter().enumerate() {
            scope.spawn(move || {
                for nth in 0..2_000 {
                    recorder.record(&event(&response(&format!("q{nth}.w{worker}."))));
                    if nth % 64 == 0 {
                        recorder.flush();
                    }
                }
                recorder.flush();
            });
        }
    });
    assert_eq!(log.shutdown(BOUND), LogReading { lines: 6_000, queue_full: 0, write_failed: 0 });
    let lines = lines(&path);
    for worker in 0..3 {
        let suffix = format!(".w{worker}.");
        let names: Vec<_> =
            lines.iter().filter_map(|line| line["query_name"].as_str()?.strip_suffix(&suffix)).collect();
        let want: Vec<_> = (0..2_000).map(|nth| format!("q{nth}")).collect();
        assert_eq!(names, want, "in the order they were answered");
    }
    assert_eq!(metrics.sum().routes["technova.internal"], 6_000);
}

#[test]
fn a_line_is_there_soon_though_nothing_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let mut bench = start(&file(&path), 1 << 20, 1);
    bench.recorders[0].record(&event(&response("alone.")));
    bench.recorders[0].flush();
    until_lines(&bench.log.control(), 1);
    assert_eq!(lines(&path)[0]["query_name"], "alone.");
}

#[test]
fn a_pipe_that_nobody_reads_stops_no_worker_and_what_is_dropped_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut bench = start(&file(&path), 16 << 10, 1);
    let bytes = response("nobody.reads.this.");
    // Would hang here if recording could wait.
    for _ in 0..20_000 {
        bench.recorders[0].record(&event(&bytes));
        bench.recorders[0].flush();
    }
    let dropped = bench.log.control().reading().queue_full;
    assert!(dropped > 10_000, "{dropped}");
    let end = bench.log.shutdown(Duration::from_millis(50));
    assert_eq!(end.lines + end.queue_full + end.write_failed, 20_000);
}

#[test]
fn a_full_disk_is_said_once_and_its_lines_are_counted() {
    LazyLock::force(&SAID);
    let path = PathBuf::from("/dev/full");
    let mut bench = start(&file(&path), 16 << 10, 1);
    let bytes = response("no.room.");
    let control = bench.log.control();
    until("the queue is full", || {
        for _ in 0..100 {
            bench.recorders[0].record(&event(&bytes));
            bench.recorders[0].flush();
        }
        control.reading().queue_full > 1_000 && !said(&path).is_empty()
    });
    let recorded = bench.metrics.sum().routes["technova.internal"];
    let end = bench.log.shutdown(BOUND);
    assert_eq!(end.lines, 0);
    assert_eq!(end.queue_full + end.write_failed, recorded);
    let said = said(&path);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("WARN") && said[0].contains("No space left"), "{said:?}");
}

#[test]
fn when_the_disk_has_room_again_nothing_that_was_queued_is_lost() {
    LazyLock::force(&SAID);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut bench = start(&file(&path), 1 << 20, 1);
    for nth in 0..1_000 {
        bench.recorders[0].record(&event(&response(&format!("q{nth}."))));
    }
    bench.recorders[0].flush();
    until("the fault is said", || said(&path).len() == 1);
    fs::remove_file(&path).unwrap();
    until_lines(&bench.log.control(), 1_000);
    until("the recovery is said", || said(&path).len() == 2);
    assert!(said(&path)[1].contains("INFO"));
    let names: Vec<_> = lines(&path).into_iter().map(|line| line["query_name"].clone()).collect();
    assert_eq!(names, (0..1_000).map(|nth| Value::from(format!("q{nth}."))).collect::<Vec<_>>());
}

#[test]
fn rotation_by_size_keeps_the_newest_files_and_cuts_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let size = 150 << 10;
    let rotation = Rotation { size: Some(size), every: None, keep: 3 };
    let mut bench = start(&Target::File { path: path.clone(), rotation }, 8 << 20, 1);
    for nth in 0..3_000 {
        bench.recorders[0].record(&event(&response(&format!("q{nth}."))));
    }
    bench.recorders[0].flush();
    assert_eq!(bench.log.shutdown(BOUND).lines, 3_000);
    let files: Vec<PathBuf> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= size));
    let mut numbers: Vec<u32> = files
        .iter()
        .flat_map(|file| lines(file))
        .map(|line| line["query_name"].as_str().unwrap()[1..].trim_end_matches('.').parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        (3_000 - numbers.len() as u32..3_000).collect::<Vec<_>>(),
        "the newest, without a gap"
    );
}

#[test]
fn after_a_rename_and_a_reopen_lines_go_to_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("query.log"), folder.path().join("query.log.1"));
    let mut bench = start(&file(&path), 1 << 20, 1);
    let control = bench.log.control();
    bench.recorders[0].record(&event(&response("before.")));
    bench.recorders[0].flush();
    until_lines(&control, 1);
    fs::rename(&path, &moved).unwrap();
    bench.recorders[0].record(&event(&response("between.")));
    bench.recorders[0].flush();
    until_lines(&control, 2);
    control.reopen();
    until("the path is opened anew", || path.exists());
    bench.recorders[0].record(&event(&response("after.")));
    bench.recorders[0].flush();
    assert_eq!(bench.log.shutdown(BOUND).lines, 3);
    assert_eq!((lines(&moved).len(), lines(&path).len()), (2, 1));
    assert_eq!(lines(&path)[0]["query_name"], "after.");
}

#[test]
fn a_reload_can_turn_the_log_on_and_elsewhere_and_a_bad_target_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let mut bench = start(&Target::Off, 1 << 20, 1);
    let control = bench.log.control();
    let mut record = |name: &str| {
        bench.recorders[0].record(&event(&response(name)));
        bench.recorders[0].flush();
    };
    record("off.");
    control.redirect(&file(&first)).unwrap();
    record("first.");
    until_lines(&control, 1);
    assert!(control.redirect(&file(&folder.path().join("no/such/folder"))).is_err());
    record("still-first.");
    until_lines(&control, 2);
    control.redirect(&file(&second)).unwrap();
    until("the new target is open", || second.exists());
    record("second.");
    until_lines(&control, 3);
    control.redirect(&Target::Off).unwrap();
    record("off-again.");
    assert_eq!(bench.log.shutdown(BOUND), LogReading { lines: 3, queue_full: 0, write_failed: 0 });
    assert!(lines(&first).len() + lines(&second).len() == 3 && lines(&first).len() >= 2);
}

#[test]
fn lines_keep_the_names_of_the_snapshot_that_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("query.log");
    let mut bench = start(&file(&path), 4 << 10, 1);
    let recorder = &mut bench.recorders[0];
    // Reloads faster than the log thread looks, over a queue that overflows.
    for generation in 0..200 {
        recorder.set_directory(directory(&format!("route-{generation}")));
        for _ in 0..10 {
            recorder.record(&event(&response(&format!("route-{generation}."))));
        }
        recorder.flush();
    }
    let control = bench.log.control();
    until("a directory finds room again", || {
        recorder.record(&event(&response("route-199.")));
        recorder.flush();
        let reading = control.reading();
        reading.lines > 0 && fs::read_to_string(&path).unwrap().contains("route-199")
    });
    drop(bench);
    for line in lines(&path) {
        let qname = line["query_name"].as_str().unwrap().trim_end_matches('.');
        assert_eq!(line["kakehashi"]["route"], qname);
    }
}

/// Records in pieces that the lane has room for; waits until the onlooker has seen each.
fn watched_to_the_end(bench: &mut Bench, seen: &Counting, events: u64) {
    let bytes = response("seen.all.the.same.");
    for nth in 1..=events {
        bench.recorders[0].record(&event(&bytes));
        bench.recorders[0].flush();
        if nth % 100 == 0 {
            until("all events are seen", || seen.events() == nth);
        }
    }
}

#[test]
fn an_onlooker_sees_every_event_while_the_disk_is_full() {
    let seen = Counting::default();
    let mut bench = start_watched(&file(Path::new("/dev/full")), 64 << 10, 1, vec![Box::new(seen.clone())]);
    watched_to_the_end(&mut bench, &seen, 2_000);
    // Some lines wait for room, the others are counted.
    let dropped = bench.log.control().reading().queue_full;
    assert!((1_000..2_000).contains(&dropped), "{dropped}");
    let end = bench.log.shutdown(BOUND);
    assert_eq!((end.lines, end.queue_full + end.write_failed), (0, 2_000));
}

#[test]
fn an_onlooker_sees_every_event_while_nobody_reads_the_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let seen = Counting::default();
    let mut bench = start_watched(&file(&path), 64 << 10, 1, vec![Box::new(seen.clone())]);
    watched_to_the_end(&mut bench, &seen, 2_000);
    assert!(bench.log.control().reading().queue_full > 1_000);
    let end = bench.log.shutdown(Duration::from_millis(50));
    assert_eq!(end.lines + end.queue_full + end.write_failed, 2_000);
}
