//! What is shipped beside the program: its unit, and the CloudWatch agent's configuration.

use std::path::Path;
use std::process::Command;

use kakehashi::config::{self, LogTarget};

use crate::place::{Ran, json};

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn analyze(arguments: &[&str]) -> Option<Ran> {
    let unit = format!("{TOP}/systemd/kakehashi-archive.service");
    match Command::new("systemd-analyze").args(arguments).arg(unit).output() {
        Ok(output) => Some(Ran::of(output)),
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "systemd-analyze is not installed");
            println!("SKIPPED: systemd-analyze is not installed");
            None
        }
    }
}

#[test]
fn the_sandbox_leaves_an_exposure_of_one_and_a_half_at_most() {
    let Some(Ran { ok, said }) = analyze(&["security", "--no-pager", "--offline=true", "--threshold=15"])
    else {
        return;
    };
    assert!(ok, "{said}");
}

#[test]
fn every_line_of_the_unit_is_understood() {
    let Some(Ran { said, .. }) = analyze(&["verify", "--man=no"]) else { return };
    // The program is not installed where it is tested.
    let odd: Vec<_> = said.lines().filter(|line| !line.contains("is not executable")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn the_cloudwatch_agent_follows_the_log_that_the_shipped_configuration_writes() {
    let shipped = config::load(&Path::new(TOP).join("conf/kakehashi.toml")).unwrap().config;
    let LogTarget::File(log) = &shipped.query_log.to else { panic!("the shipped log goes to no file") };
    let agent = json(&std::fs::read_to_string(format!("{TOP}/conf/cloudwatch-agent.json")).unwrap());
    let files = agent["logs"]["logs_collected"]["files"]["collect_list"].as_array().unwrap();
    let followed = files.iter().find(|file| file["file_path"] == log.to_str().unwrap()).unwrap();
    assert_eq!(followed["retention_in_days"], 30);
    assert_eq!(followed["timezone"], "UTC");
    // The first time in a line, `query_timestamp`, is what it finds.
    assert_eq!(followed["timestamp_format"], "%Y-%m-%dT%H:%M:%S");
}

#[test]
fn the_unit_may_write_where_the_shipped_configuration_wants_it() {
    let shipped = config::load(&Path::new(TOP).join("conf/kakehashi.toml")).unwrap();
    assert!(
        shipped.warnings.iter().all(|warning| !warning.to_string().contains("archive")),
        "{:?}",
        shipped.warnings
    );
    let archive = shipped.config.archive.unwrap();
    let unit = std::fs::read_to_string(format!("{TOP}/systemd/kakehashi-archive.service")).unwrap();
    let has = |line: &str| unit.lines().any(|have| have == line);
    assert!(
        archive.state.starts_with("/var/lib/kakehashi-archive") && has("StateDirectory=kakehashi-archive")
    );
    assert!(
        archive.metrics.starts_with("/run/kakehashi-archive") && has("RuntimeDirectory=kakehashi-archive")
    );
    let LogTarget::File(log) = &shipped.config.query_log.to else {
        panic!("the shipped log goes to no file")
    };
    assert!(log.starts_with("/var/log/kakehashi") && has("LogsDirectory=kakehashi"));
    // The server's files are its user's.
    assert!(has("User=kakehashi") && has("DynamicUser=yes"));
}
