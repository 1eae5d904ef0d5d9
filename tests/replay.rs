//! `kakehashi replay`: what a change of the configuration would change, told from a query log.
#![allow(clippy::unwrap_used)]

#[path = "replay/live.rs"]
mod live;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const ZONE: &str = "$ORIGIN technova.internal.
$TTL 300
@         SOA resolver hostmaster 7 7200 900 1209600 60
          NS  resolver
resolver  A   10.150.20.10
planning  A   10.0.30.100
";

const CONFIGURATION: &str = r#"[[network]]
name = "app"
cidr = ["10.0.30.0/24"]
groups = ["vpc"]
[[network]]
name = "office"
cidr = ["192.168.10.0/24"]
groups = ["onprem"]
[[upstream]]
name = "dc"
servers = ["192.168.1.10"]
[[zone]]
domain = "technova.internal"
file = "technova.internal.zone"
visible-to = ["vpc", "onprem"]
[[rule]]
domain = "technova.local"
forward = "dc"
visible-to = ["vpc"]
"#;

/// So many queries of one client for one name.
fn lines(count: usize, client: &str, name: &str, more: &str) -> String {
    format!(
        r#"{{"query_name":"{name}","query_type":"A","srcaddr":"{client}","rcode":"NOERROR","kakehashi":{{"view":"x"{more}}}}}{}"#,
        "\n"
    )
    .repeat(count)
}

fn site(log: &str, change: impl Fn(String) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("technova.internal.zone", ZONE);
    write("old.toml", CONFIGURATION);
    write("new.toml", &change(CONFIGURATION.to_owned()));
    write("query.log", log);
    folder
}

fn replay(folder: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kakehashi"))
        .args(["replay", "--log", "query.log", "--old", "old.toml", "--new", "new.toml"])
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn findings(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = replay(folder, &[more, &["--json", "found.json"]].concat());
    let saved = std::fs::read(folder.join("found.json")).unwrap();
    (output.status.code(), serde_json::from_slice(&saved).unwrap())
}

fn log() -> String {
    [
        lines(30, "10.0.30.7", "planning.technova.internal.", ""),
        lines(20, "10.0.30.8", "dc1.technova.local.", ""),
        lines(2, "10.0.30.9", "DC1.technova.local.", r#","sample":100"#),
        lines(5, "192.168.10.9", "dc1.technova.local.", ""),
        "this is no query\n".to_owned(),
    ]
    .concat()
}

#[test]
fn two_equal_configurations_decide_alike() {
    let folder = site(&log(), |same| same);
    let (code, found) = findings(folder.path(), &[]);
    assert_eq!((code, &found["affected"], &found["unreadable"]), (Some(0), &0.into(), &1.into()));
    assert_eq!((&found["queries"], &found["questions"]), (&255.into(), &3.into()), "{found}");
}

#[test]
fn a_change_of_an_upstream_affects_those_who_see_its_route_and_no_others() {
    let folder = site(&log(), |old| old.replace("192.168.1.10", "192.168.1.11"));
    let (code, found) = findings(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(found["groups"].as_array().unwrap().len(), 1, "{found}");
    let group = &found["groups"][0];
    assert_eq!((&group["network"], &group["old-route"]), (&"app".into(), &"technova.local".into()));
    assert_eq!(
        (&group["queries"], &group["questions"]),
        (&220.into(), &1.into()),
        "sampled lines count as many"
    );
    let (was, is) =
        (group["examples"][0]["old"].as_str().unwrap(), group["examples"][0]["new"].as_str().unwrap());
    assert!(was.contains("192.168.1.10") && is.contains("192.168.1.11"), "{was} {is}");
}

#[test]
fn a_record_that_goes_and_a_network_that_moves_are_found() {
    let folder = site(&log(), |old| {
        old.replace("technova.internal.zone", "moved.zone").replace("192.168.10.0/24", "192.168.99.0/24")
    });
    std::fs::write(folder.path().join("moved.zone"), ZONE.replace("planning", "plan")).unwrap();
    let (code, found) = findings(folder.path(), &[]);
    assert_eq!((code, &found["affected"]), (Some(1), &35.into()), "{found}");
    let networks: Vec<&Value> =
        found["groups"].as_array().unwrap().iter().map(|group| &group["network"]).collect();
    assert_eq!(networks, ["app", "office"]);
}

#[test]
fn what_is_allowed_is_told_and_ends_well() {
    let folder = site(&log(), |old| old.replace("192.168.1.10", "192.168.1.11"));
    let (code, found) = findings(folder.path(), &["--allow", "app:technova.local"]);
    assert_eq!((code, &found["affected"], &found["unallowed"]), (Some(0), &220.into(), &0.into()));
    let (code, _) = findings(folder.path(), &["--allow", "office:*"]);
    assert_eq!(code, Some(1));
    let said = String::from_utf8(replay(folder.path(), &["--allow", "*:technova.local"]).stdout).unwrap();
    assert!(said.contains("network app, route technova.local: 220 queries, 1 questions (allowed)"), "{said}");
}

#[test]
fn a_broken_configuration_or_a_log_that_is_not_there_is_said() {
    let folder = site("", |old| old + "[listen]\nport = 53\n");
    let said = String::from_utf8(replay(folder.path(), &[]).stderr).unwrap();
    assert!(said.contains("new.toml") && said.contains("has no key `port`"), "{said}");
    std::fs::remove_file(folder.path().join("query.log")).unwrap();
    std::fs::write(folder.path().join("new.toml"), CONFIGURATION).unwrap();
    let output = replay(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("query.log: "));
}
