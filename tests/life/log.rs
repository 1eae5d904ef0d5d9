//! The query log between two files: logrotate renames, SIGUSR1 opens anew, and every line is in one of both.

use nix::sys::signal::Signal;

use crate::client::{Load, ask};
use crate::process::{PLANNING, Site};
use crate::{PATIENCE, wait};

#[test]
fn sigusr1_opens_the_renamed_log_anew_and_no_line_is_lost() {
    let site = Site::new("127.0.0.1:0", "", "");
    let server = site.start();
    let load = Load::start(server.dns, 2, &[PLANNING]);
    let size = |file: &str| std::fs::metadata(site.path(file)).map_or(0, |file| file.len());
    let grows = |file: &str| {
        let before = size(file);
        wait::until(&format!("{file} grows"), PATIENCE, || (size(file) > before).then_some(()));
    };
    grows("query.log");
    std::fs::rename(site.path("query.log"), site.path("query.log.1")).unwrap();
    grows("query.log.1");
    server.signal(Signal::SIGUSR1);
    grows("query.log");
    let (answered, faults) = load.finish();
    assert_eq!(faults, Vec::<String>::new());
    server.terminate();
    let lines = |file: &str| -> Vec<serde_json::Value> {
        site.read(file).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (old, new) = (lines("query.log.1"), lines("query.log"));
    assert!(!old.is_empty() && !new.is_empty());
    assert_eq!(old.len() + new.len(), answered);
}

#[test]
fn a_reload_moves_the_log_and_one_that_cannot_leaves_it_where_it_was() {
    let site = Site::new("127.0.0.1:0", "", "");
    let mut server = site.start();
    let log = site.path("query.log").display().to_string();
    site.replace("main.toml", &log, &site.path("nothere/query.log").display().to_string());
    for _ in 0..2 {
        server.signal(Signal::SIGHUP);
        server.until_says("the query log stays where it was");
        server.until_says("reloaded main.toml");
    }
    ask(server.dns, PLANNING);
    site.replace("main.toml", "nothere/query.log", "second.log");
    server.signal(Signal::SIGHUP);
    server.until_says("reloaded main.toml");
    // The log thread turns to the new file when it next looks.
    let mut asked = 1;
    wait::until("the second file has a line", PATIENCE, || {
        ask(server.dns, PLANNING);
        asked += 1;
        (!site.read("second.log").is_empty()).then_some(())
    });
    server.terminate();
    let (first, second) = (site.read("query.log").lines().count(), site.read("second.log").lines().count());
    assert!(first >= 1);
    assert_eq!(first + second, asked);
}
