//! The query log and the metrics say what happened, in the forms that others read.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::server;
use crate::wait;

use super::shared;

/// How long the log thread may take to write what was answered.
const WRITTEN: Duration = Duration::from_secs(5);

/// As many lines as queries, each with Route 53 Resolver's keys and ours.
pub fn every_query_is_one_line_of_the_log() {
    const QUERIES: usize = 100;
    let lab = shared();
    let before = lab.server.query_log().len();
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for number in 0..QUERIES {
        let rtype = if number % 10 == 0 { "A+tcp" } else { "A" };
        let name = match number % 4 {
            0 => format!("logged{number}.load.technova.local"),
            1 => format!("logged{number}.wild.example.com"),
            2 => format!("logged{number}.technova.internal"),
            _ => format!("logged{number}.load.technova.local"),
        };
        lab.ask("10.0.30.100", &name, rtype);
        expected.insert(format!("{name}."), if rtype == "A" { "UDP" } else { "TCP" });
    }
    let lines = wait::until("the log has the queries", WRITTEN, || {
        let mut lines = lab.server.query_log().split_off(before);
        lines.retain(|line| line["query_name"].as_str().is_some_and(|name| name.starts_with("logged")));
        (lines.len() >= QUERIES).then_some(lines)
    });
    assert_eq!(lines.len(), QUERIES, "a line for each query, no more");
    for line in &lines {
        let name = line["query_name"].as_str().unwrap();
        let transport =
            expected.remove(name).unwrap_or_else(|| panic!("{name} is there twice, or was never asked"));
        has_the_schema(line, transport);
    }
}

fn has_the_schema(line: &Value, transport: &str) {
    let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("`{key}` should be a string: {line}"));
    assert_eq!(text("version"), "1.100000", "{line}");
    assert_eq!(text("account_id"), "123456789012", "the account of technova-mfg-prod-app: {line}");
    assert_eq!(text("vpc_id"), "vpc-0abc123def456789a", "{line}");
    assert_eq!(text("region"), "ap-northeast-1", "{line}");
    assert_eq!(text("srcaddr"), "10.0.30.100", "{line}");
    assert!(text("srcport").parse::<u16>().is_ok(), "{line}");
    assert_eq!(text("transport"), transport, "{line}");
    assert_eq!((text("query_type"), text("query_class")), ("A", "IN"), "{line}");
    let stamp = text("query_timestamp");
    assert!(stamp.len() >= 20 && stamp.ends_with('Z') && stamp.as_bytes()[10] == b'T', "{line}");
    assert!(line["srcids"].is_object(), "{line}");
    let answers =
        line["answers"].as_array().unwrap_or_else(|| panic!("`answers` should be an array: {line}"));
    let wanted = usize::from(text("rcode") == "NOERROR");
    assert_eq!(answers.len(), wanted, "{line}");
    for answer in answers {
        assert!(answer["Rdata"].is_string() && answer["Type"] == "A" && answer["Class"] == "IN", "{line}");
    }
    let ours = &line["kakehashi"];
    assert_eq!(ours["network"], "technova-mfg-prod-app", "{line}");
    for key in ["view", "route", "source"] {
        assert!(!ours[key].is_null(), "`kakehashi.{key}` is missing: {line}");
    }
    assert!(ours["duration_us"].is_u64(), "{line}");
}

pub fn promtool_finds_no_fault() {
    let lab = shared();
    lab.ask("10.0.30.100", "user.technova.local", "A");
    let (status, text) = server::http(&lab.site.network, "/metrics").unwrap();
    assert_eq!(status, 200);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "promtool says:\n{}", String::from_utf8_lossy(&said));
}

pub fn the_metrics_count_what_was_done() {
    let lab = shared();
    let before = lab.metrics();
    for number in 0..20 {
        lab.ask("10.0.30.100", &format!("metered{number}.load.technova.local"), "A");
        lab.ask("10.0.30.100", &format!("metered{number}.load.technova.local"), "A");
        lab.ask("203.0.113.7", "www.example.com", "A");
    }
    // Other cases may ask at the same time, so these are lower bounds.
    let grown = |name: &str, labels: &[(&str, &str)], by: f64| {
        lab.await_metrics(&format!("{name} {labels:?} grows by {by}"), WRITTEN, |now| {
            now.sum(name, labels) - before.sum(name, labels) >= by
        });
    };
    grown("kakehashi_queries_total", &[], 60.0);
    grown("kakehashi_responses_total", &[("rcode", "NOERROR")], 40.0);
    grown("kakehashi_responses_total", &[("rcode", "REFUSED")], 20.0);
    grown("kakehashi_cache_hits_total", &[], 20.0);
    grown("kakehashi_cache_misses_total", &[], 20.0);
    grown("kakehashi_upstream_queries_total", &[("upstream", "onprem-dc")], 20.0);
    let now = lab.metrics();
    assert!(now.has("kakehashi_build_info", &[]), "the build is named");
    assert!(now.sum("kakehashi_last_reload_success_timestamp_seconds", &[]) > 1.7e9, "in seconds since 1970");
    assert!(now.has("kakehashi_query_log_dropped_total", &[]), "what the log drops is counted");
    assert!(
        now.has("kakehashi_upstream_up", &[("upstream", "amazon-provided-dns")]),
        "each upstream has its state"
    );
}
