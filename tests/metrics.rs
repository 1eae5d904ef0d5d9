//! The metrics as a scraper gets them.
#![allow(clippy::unwrap_used)]

#[path = "observe/event.rs"]
mod event;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use event::{directory, event, response};
use kakehashi::observe::log::Target;
use kakehashi::observe::readings::{CacheReading, ReloadReading, UpstreamReading, ZoneReading};
use kakehashi::observe::registry::Exposition;
use kakehashi::observe::{Metrics, QueryLog, Readings, Recorder, process};
use kakehashi::query::Event;

fn readings() -> Readings {
    let cache = CacheReading { hits: 85, misses: 15, evictions: 1, entries: 10, bytes: 3_100 };
    Readings {
        answer_cache: cache,
        response_cache: cache,
        upstreams: vec![UpstreamReading {
            upstream: "onprem-dc".into(),
            server: "192.168.1.10:53".parse().unwrap(),
            up: true,
            queries: 7,
            failures: BTreeMap::from([("timeout", 1), ("servfail", 2)]),
            latency: Some(Duration::from_micros(800)),
            tcp_fallbacks: 1,
            case_fallbacks: 0,
            plain_fallbacks: 0,
            ignored_datagrams: 3,
        }],
        zones: vec![ZoneReading { zone: "tech\"nova\n".into(), serial: 2_026_112_301, records: 40 }],
        reloads: ReloadReading { succeeded: 2, failed: 1, last_success: Some(SystemTime::now()) },
        ..Readings::default()
    }
}

fn page() -> String {
    let metrics = Metrics::new(2);
    let (_log, lanes) = QueryLog::start(&Target::Off, 1 << 10, 2).unwrap();
    let bytes = response("a.example.");
    for (counters, lane) in metrics.workers().zip(lanes) {
        let mut recorder = Recorder::new(counters, lane, directory("technova.internal"));
        recorder.record(&event(&bytes));
        recorder.record(&Event { rcode: 3, qtype: 65_280, duration_micros: 3_000_000, ..event(&bytes) });
    }
    Exposition {
        sums: &metrics.sum(),
        readings: &readings(),
        directory: &directory("technova.internal"),
        process: process::read(),
        started: SystemTime::now(),
        version: "0.1.0",
    }
    .text()
}

#[test]
fn metrics_say_what_was_counted() {
    let page = page();
    for line in [
        "kakehashi_queries_total{transport=\"udp\",family=\"ipv4\"} 4",
        "kakehashi_queries_total{transport=\"tcp\",family=\"ipv6\"} 0",
        "kakehashi_responses_total{rcode=\"NXDOMAIN\"} 2",
        "kakehashi_answers_total{source=\"zone\"} 4",
        "kakehashi_queries_by_type_total{type=\"A\"} 2",
        "kakehashi_queries_by_type_total{type=\"other\"} 2",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"0.00005\"} 2",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"2\"} 2",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"+Inf\"} 4",
        "kakehashi_request_duration_seconds_sum{source=\"zone\"} 6.000034",
        "kakehashi_route_queries_total{route=\"technova.internal\"} 4",
        "kakehashi_network_queries_total{network=\"technova-mfg-prod-app\",account_id=\"123456789012\"} 4",
        "kakehashi_cache_hits_total{cache=\"answer\"} 85",
        "kakehashi_upstream_up{upstream=\"onprem-dc\",server=\"192.168.1.10:53\"} 1",
        "kakehashi_upstream_latency_seconds{upstream=\"onprem-dc\",server=\"192.168.1.10:53\"} 0.0008",
        "kakehashi_zone_serial{zone=\"tech\\\"nova\\n\"} 2026112301",
        "kakehashi_reloads_total{result=\"failure\"} 1",
        "kakehashi_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(page.lines().any(|have| have == line), "{line}\n{page}");
    }
}

#[test]
fn every_sample_has_a_type_and_a_help() {
    let page = page();
    let words = |kind: &str| -> Vec<String> {
        let lines = page.lines().filter_map(|line| line.strip_prefix(kind));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let (helps, types) = (words("# HELP "), words("# TYPE "));
    assert_eq!(helps, types);
    assert!(types.len() > 30);
    for sample in page.lines().filter(|line| !line.starts_with('#')) {
        let name = sample.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(types.iter().any(|known| known == name || Some(known.as_str()) == base), "{sample}");
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        eprintln!("promtool is not installed: not checked");
        return;
    };
    promtool.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success() && said.concat().is_empty(), "{said:?}");
}
