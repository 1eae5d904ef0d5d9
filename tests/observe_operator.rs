//! The server's own log, as its operator asks for it: the built program as a process of its own.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // what tests of the server's life need beside
#[path = "life/process.rs"]
mod process;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use kakehashi::config::{LogFormat, OperatorLog};
use kakehashi::server::{LevelFault, begin_log, set_level};
use nix::sys::signal::Signal;
use process::{Server, Site};
use serde_json::Value;
use tracing::level_filters::LevelFilter;

/// Longer than anything here takes; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn json_is_an_object_a_line_and_its_values_are_keys() {
    let site = Site::new("127.0.0.1:0", "", "[log]\nformat = \"json\"");
    // Its words are looked for in quotes.
    let mut server = site.command().stderr(std::process::Stdio::piped()).spawn().unwrap();
    let stderr = std::io::BufReader::new(server.stderr.take().unwrap());
    let lines =
        std::io::BufRead::lines(stderr).map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let mut stopped = None;
    for line in lines {
        assert!(line["timestamp"].is_string() && line["level"] == "INFO", "{line}");
        let message = line["message"].as_str().unwrap();
        if message.starts_with("serving DNS on") {
            let pid = nix::unistd::Pid::from_raw(server.id().cast_signed());
            nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
        }
        if message == "stopped" {
            stopped = Some(line);
        }
    }
    server.wait().unwrap();
    assert_eq!(stopped.unwrap()["log_lines"], 0);
}

#[test]
fn a_reload_changes_the_level_and_a_word_that_is_none_is_refused() {
    let site = Site::new("127.0.0.1:0", "", "[log]\nlevel = \"info\"");
    let mut server = site.start();
    site.replace("main.toml", "level = \"info\"", "level = \"inof\"");
    server.signal(Signal::SIGHUP);
    server.until_says("\"inof\" is not a level");
    site.replace("main.toml", "level = \"inof\"", "level = \"warn\"");
    server.until_says("the configuration of before stays in force");
    server.signal(Signal::SIGHUP);
    server.until_says("the log's level changes level=\"warn\"");
    site.replace("main.toml", "level = \"warn\"", "level = \"worn\"");
    server.signal(Signal::SIGHUP);
    server.until_says("\"worn\" is not a level");
    let said = server.terminate();
    assert!(!said.iter().any(|line| line.contains("INFO stopped")), "{said:?}");
}

#[test]
fn the_level_is_changed_while_the_process_runs() {
    begin_log(&OperatorLog { format: LogFormat::Text, level: "warn".to_owned() });
    assert_eq!(LevelFilter::current(), LevelFilter::WARN);
    set_level("info,kakehashi::upstream=debug").unwrap();
    assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
    assert_eq!(set_level("verbose"), Err(LevelFault::Unknown("verbose".to_owned())));
    assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
    set_level("error").unwrap();
    assert_eq!(LevelFilter::current(), LevelFilter::ERROR);
}

#[test]
fn the_journal_gets_each_value_as_a_field() {
    if !nix::unistd::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "a journal of its own needs root");
        eprintln!("SKIPPED: a journal of its own needs root");
        return;
    }
    let site = Site::new("127.0.0.1:0", "", "[log]\nformat = \"journald\"");
    let folder = site.path("journal");
    std::fs::create_dir(&folder).unwrap();
    let journal = UnixDatagram::bind(folder.join("socket")).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    // A /run that only the server sees, and that goes with it.
    let mount = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind \"$0\" /run/systemd/journal && exec \"$@\"";
    let through =
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, folder.to_str().unwrap()];
    let mut server = site.command_through(&through).spawn().unwrap();
    let mut buffer = vec![0; 64 << 10];
    let mut entries = Vec::new();
    loop {
        let length = journal.recv(&mut buffer).unwrap();
        let entry = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if entry.contains("serving DNS on") {
            let pid = nix::unistd::Pid::from_raw(server.id().cast_signed());
            nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
        }
        let is_last = entry.contains("MESSAGE\n\x07") && entry.contains("stopped");
        entries.push(entry);
        if is_last {
            break;
        }
    }
    assert!(server.wait().unwrap().success());
    let last = entries.last().unwrap();
    assert!(last.contains("SYSLOG_IDENTIFIER") && last.contains("kakehashi"), "{last:?}");
    // Of syslog: informational.
    assert!(last.contains("PRIORITY\n\u{1}\0\0\0\0\0\0\u{0}6"), "{last:?}");
    assert!(last.contains("KAKEHASHI_LOG_LINES"), "{last:?}");
}

#[test]
fn without_a_journal_the_log_goes_to_stderr() {
    if std::path::Path::new("/run/systemd/journal/socket").exists() {
        eprintln!("SKIPPED: this machine has a journal");
        return;
    }
    let site = Site::new("127.0.0.1:0", "", "[log]\nformat = \"journald\"");
    let said = Server::start(&mut site.command()).terminate();
    assert!(said.iter().any(|line| line.contains("the journal does not listen")), "{said:?}");
}
