//! The metrics as a scraper gets them.
#![allow(clippy::unwrap_used)]

#[path = "observe/event.rs"]
mod event;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use event::{directory, event, response};
use kakehashi::observe::histogram::HistogramSum;
use kakehashi::observe::log::Target;
use kakehashi::observe::readings::{CacheReading, ReloadReading, TimesReading, UpstreamReading, ZoneReading};
use kakehashi::observe::registry::{Exposition, Format, bound};
use kakehashi::observe::{Metrics, QueryLog, Readings, Recorder, process};
use kakehashi::query::directory::{NetworkName, ServerName};
use kakehashi::query::{Directory, Event};

fn readings() -> Readings {
    let cache =
        CacheReading { hits: 85, misses: 15, evictions: 1, entries: 10, bytes: 3_100, capacity: 1 << 20 };
    Readings {
        answer_cache: cache,
        response_cache: cache,
        upstreams: vec![UpstreamReading {
            upstream: "onprem-dc".into(),
            server: "192.168.1.10:53".parse().unwrap(),
            up: true,
            queries: 7,
            failures: BTreeMap::from([("timeout", 1), ("servfail", 2)]),
            responses: BTreeMap::from([("NOERROR", 4), ("SERVFAIL", 2)]),
            latency: Some(Duration::from_micros(800)),
            times: TimesReading {
                bounds: &[1_000, 5_000],
                counts: HistogramSum { buckets: vec![5, 0, 1], sum: 9_000 },
            },
            falls: 2,
            probes: 1,
            changed: None,
            tcp_fallbacks: 1,
            case_fallbacks: 0,
            cookie_fallbacks: 0,
            plain_fallbacks: 0,
            ignored_datagrams: 3,
        }],
        zones: vec![ZoneReading { zone: "tech\"nova\n".into(), serial: 2_026_112_301, records: 40 }],
        reloads: ReloadReading {
            succeeded: 2,
            failed: 1,
            last_failed: true,
            last_success: Some(SystemTime::now()),
        },
        ..Readings::default()
    }
}

fn page() -> String {
    page_as(Format::Text, "a.example.")
}

fn page_as(format: Format, slow_name: &str) -> String {
    let metrics = Metrics::new(2);
    let (_log, lanes) = QueryLog::start(&Target::Off, 1 << 10, 2).unwrap();
    let (bytes, slow) = (response("a.example."), response(slow_name));
    for (counters, lane) in metrics.workers().zip(lanes) {
        let mut recorder = Recorder::new(counters, lane, directory("technova.internal"));
        recorder.record(&event(&bytes));
        recorder.record(&Event {
            rcode: 3,
            qtype: 65_280,
            duration_micros: 3_000_000,
            route: None,
            ..event(&slow)
        });
        recorder.record(&Event { rcode: 2, ede: Some(22), duration_micros: 700, ..event(&bytes) });
    }
    exposition(&metrics, &readings(), &directory("technova.internal"), format)
}

fn exposition(metrics: &Metrics, readings: &Readings, directory: &Directory, format: Format) -> String {
    let (sums, process) = (&metrics.sum(), process::read());
    Exposition { sums, readings, directory, process, started: SystemTime::now(), version: "0.1.0" }
        .write(format)
}

#[test]
fn metrics_say_what_was_counted() {
    let page = page();
    for line in [
        "kakehashi_queries_total{transport=\"udp\",family=\"ipv4\"} 6",
        "kakehashi_queries_total{transport=\"tcp\",family=\"ipv6\"} 0",
        "kakehashi_responses_total{rcode=\"NXDOMAIN\"} 2",
        "kakehashi_answers_total{source=\"zone\"} 6",
        "kakehashi_queries_by_type_total{type=\"A\"} 4",
        "kakehashi_queries_by_type_total{type=\"other\"} 2",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"0.00005\"} 2",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"2\"} 4",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"+Inf\"} 6",
        "kakehashi_request_duration_seconds_sum{source=\"zone\"} 6.001434",
        "kakehashi_route_queries_total{route=\"technova.internal\"} 4",
        "kakehashi_network_queries_total{network=\"technova-mfg-prod-app\",account_id=\"123456789012\"} 6",
        "kakehashi_route_queries_total{route=\"none\"} 2",
        "kakehashi_route_responses_total{route=\"technova.internal\",rcode=\"SERVFAIL\"} 2",
        "kakehashi_route_request_duration_seconds_bucket{route=\"technova.internal\",le=\"0.0001\"} 2",
        "kakehashi_route_request_duration_seconds_bucket{route=\"technova.internal\",le=\"0.001\"} 4",
        "kakehashi_view_answers_total{view=\"vpc\",source=\"zone\"} 6",
        "kakehashi_view_request_duration_seconds_count{view=\"vpc\"} 6",
        "kakehashi_failures_total{rcode=\"SERVFAIL\",reason=\"no-reachable-authority\"} 2",
        "kakehashi_cache_hits_total{cache=\"answer\"} 85",
        "kakehashi_upstream_up{upstream=\"onprem-dc\",server=\"192.168.1.10:53\"} 1",
        "kakehashi_upstream_latency_seconds{upstream=\"onprem-dc\",server=\"192.168.1.10:53\"} 0.0008",
        "kakehashi_upstream_duration_seconds_bucket{upstream=\"onprem-dc\",server=\"192.168.1.10:53\",le=\"0.005\"} 5",
        "kakehashi_upstream_duration_seconds_sum{upstream=\"onprem-dc\",server=\"192.168.1.10:53\"} 0.009",
        "kakehashi_upstream_falls_total{upstream=\"onprem-dc\",server=\"192.168.1.10:53\"} 2",
        "kakehashi_zone_serial{zone=\"tech\\\"nova\\n\"} 2026112301",
        "kakehashi_reloads_total{result=\"failure\"} 1",
        "kakehashi_last_reload_successful 0",
        "kakehashi_cache_capacity_bytes{cache=\"answer\"} 1048576",
        "kakehashi_build_info{version=\"0.1.0\",node=\"kakehashi-1a\"} 1",
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

/// A configuration that is larger than any page should be, and every label of it in use.
fn large() -> (Directory, Metrics, Readings) {
    let many = |kind: &str, count: usize| (0..count).map(|nth| format!("{kind}-{nth}")).collect::<Vec<_>>();
    let network = |nth: usize| NetworkName {
        name: format!("network-{nth}"),
        account_id: Some(format!("{:012}", nth % 400)),
        ..NetworkName::default()
    };
    let address =
        |nth: usize| std::net::SocketAddr::from(([10, 1, (nth / 250) as u8, (nth % 250) as u8], 53));
    let server = |nth| ServerName { upstream: format!("upstream-{nth}"), address: address(nth) };
    let directory = Directory {
        networks: (0..5_000).map(network).collect(),
        routes: many("route", 20_000),
        views: many("view", 5_000),
        servers: (0..1_000).map(server).collect(),
        ..Directory::default()
    };
    let metrics = Metrics::new(2);
    let (_log, lanes) = QueryLog::start(&Target::Off, 1 << 10, 2).unwrap();
    let bytes = response("a.example.");
    let shared = std::sync::Arc::new(directory.clone());
    for (counters, lane) in metrics.workers().zip(lanes) {
        let mut recorder = Recorder::new(counters, lane, std::sync::Arc::clone(&shared));
        for nth in 0..20_000 {
            let rcode = [0, 0, 2, 3, 5][nth as usize % 5];
            let (network, view, route) = (Some(nth % 5_000), Some(nth % 5_000), Some(nth));
            recorder.record(&Event { network, view, route, rcode, ..event(&bytes) });
        }
    }
    let template = readings().upstreams.remove(0);
    let upstreams = directory.servers.iter().map(|server| UpstreamReading {
        upstream: server.upstream.clone(),
        server: server.address,
        ..template.clone()
    });
    let zone = |nth: usize| ZoneReading { zone: format!("zone-{nth}"), serial: 1, records: 2 };
    let readings =
        Readings { upstreams: upstreams.collect(), zones: (0..2_000).map(zone).collect(), ..readings() };
    (directory, metrics, readings)
}

/// The value behind a series, its labels as written.
fn value(page: &str, series: &str) -> f64 {
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

#[test]
fn five_thousand_networks_do_not_make_the_page_any_longer_than_its_bounds_allow() {
    let (directory, metrics, readings) = large();
    let page = exposition(&metrics, &readings, &directory, Format::Text);
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let mut by_family: BTreeMap<&str, usize> = BTreeMap::new();
    samples.for_each(|line| *by_family.entry(line.split('{').next().unwrap()).or_default() += 1);
    let series: usize = by_family.values().sum();
    assert!(series < 20_000 && page.len() < 2_500_000, "{series} series, {} octets", page.len());
    assert_eq!(by_family["kakehashi_network_queries_total"], bound::NETWORKS + bound::ACCOUNTS + 1);
    assert_eq!(by_family["kakehashi_route_queries_total"], bound::ROUTES + 2);
    assert_eq!(by_family["kakehashi_view_queries_total"], bound::VIEWS + 2);
    assert_eq!(by_family["kakehashi_upstream_up"], bound::SERVERS + 1);
    assert_eq!(by_family["kakehashi_zone_records"], bound::ZONES + 1);
}

#[test]
fn what_has_no_label_of_its_own_is_counted_as_other_and_nothing_is_lost() {
    let (directory, metrics, readings) = large();
    let page = exposition(&metrics, &readings, &directory, Format::Text);
    let total = |family: &str| -> f64 {
        let lines = page.lines().filter(|line| line.starts_with(&format!("{family}{{")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    for family in
        ["kakehashi_network_queries_total", "kakehashi_route_queries_total", "kakehashi_view_queries_total"]
    {
        assert!((total(family) - 40_000.0).abs() < 0.5, "{family}: {}", total(family));
    }
    for (series, wanted) in [
        ("kakehashi_route_queries_total{route=\"route-199\"}", 2.0),
        ("kakehashi_route_queries_total{route=\"other\"}", 39_600.0),
        ("kakehashi_view_queries_total{view=\"other\"}", 39_200.0),
        ("kakehashi_network_queries_total{network=\"network-999\",account_id=\"000000000199\"}", 8.0),
        ("kakehashi_network_queries_total{network=\"other\",account_id=\"000000000200\"}", 80.0),
        ("kakehashi_upstream_queries_total{upstream=\"other\",server=\"other\"}", 5_600.0),
        ("kakehashi_zone_records{zone=\"other\"}", 3_000.0),
        ("kakehashi_folded_labels{list=\"networks\"}", 4_000.0),
        ("kakehashi_folded_labels{list=\"routes\"}", 19_800.0),
    ] {
        assert!((value(&page, series) - wanted).abs() < 0.5, "{series} {}", value(&page, series));
    }
}

#[test]
fn openmetrics_has_the_same_samples_and_an_end() {
    let count = |page: &str| page.lines().filter(|line| !line.starts_with('#')).count();
    let page = page_as(Format::OpenMetrics, "a.example.");
    assert_eq!(count(&page), count(&page_as(Format::Text, "a.example.")));
    assert!(page.ends_with("# EOF\n") && page.matches("# EOF").count() == 1);
    for line in [
        "# TYPE kakehashi_queries counter",
        "# HELP kakehashi_queries Queries received, by transport and address family.",
        "kakehashi_queries_total{transport=\"udp\",family=\"ipv4\"} 6",
        "kakehashi_request_duration_seconds_bucket{source=\"zone\",le=\"1.0\"} 4",
        "kakehashi_zone_serial{zone=\"tech\\\"nova\\n\"} 2026112301",
        "process_cpu_seconds_total",
    ] {
        assert!(
            page.lines().any(|have| have == line || have.starts_with(&format!("{line} "))),
            "{line}\n{page}"
        );
    }
}

#[test]
fn a_slow_query_is_the_example_of_its_bucket_and_its_name_cannot_leave_its_quotes() {
    let long = format!("{0}.{0}.{0}.example.", "a".repeat(60));
    for (name, wanted) in [
        ("slow.example.", "network=\"technova-mfg-prod-app\",name=\"slow.example.\"".to_owned()),
        ("q\\\"\\010}.example.", "name=\"q\\\\\\\"\\\\010}.example.\"".to_owned()),
        (&long, format!("name=\"{}\"", &long[long.len() - (128 - 11 - 21)..])),
    ] {
        let page = page_as(Format::OpenMetrics, name);
        let buckets: Vec<&str> = page.lines().filter(|line| line.contains(" # {")).collect();
        let [bucket] = &buckets[..] else { panic!("{buckets:#?}") };
        assert!(bucket.contains("le=\"+Inf\"} 6 # {") && bucket.contains(&wanted), "{bucket}\n{wanted}");
        assert!(bucket.ends_with("} 3 1612461115.000"), "{bucket}");
    }
    assert!(!page().contains(" # {"), "the text format has no examples");
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
        assert!(std::env::var_os("CI").is_none(), "promtool is not installed");
        eprintln!("SKIPPED: promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success() && said.concat().is_empty(), "{said:?}");
}
