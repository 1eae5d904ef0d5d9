//! The HTTP pages of a server that serves: complete, truthful, and enough for the metrics that the design asks for.

use std::net::UdpSocket;

use serde_json::Value;

use crate::client::ask;
use crate::process::{PLANNING, Site};
use crate::{PATIENCE, wait};

/// A group of which one server answers nothing at all.
fn dead(upstream: &UdpSocket) -> String {
    format!(
        r#"
[[upstream]]
name = "dead"
servers = ["{}"]
try-timeout = "50ms"
deadline = "100ms"
health-check = {{ query = ". NS", interval = "100ms", fall = 1, rise = 1 }}
[[rule]]
domain = "dead.test"
forward = "dead"
visible-to = ["vpc"]
"#,
        upstream.local_addr().unwrap()
    )
}

#[test]
fn a_dead_upstream_shows_everywhere_and_takes_the_node_out_nowhere() {
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let server = Site::new("127.0.0.1:0", "", &dead(&upstream)).start();
    let up = format!("kakehashi_upstream_up{{upstream=\"dead\",server=\"{address}\"}}");
    wait::until("the upstream is down", PATIENCE, || (server.metric(&up) == 0.0).then_some(()));
    assert_eq!(server.page("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(ask(server.dns, PLANNING), "10.0.30.100");
    assert_eq!(ask(server.dns, "x.dead.test"), "SERVFAIL");
    let status: Value = serde_json::from_str(&server.page("/api/status").1).unwrap();
    let shown = &status["upstreams"][0]["servers"][0];
    assert_eq!((&shown["state"], &shown["address"]), (&"down".into(), &address.to_string().into()));
    assert!(shown["failures"].as_u64() > Some(0), "{shown}");
    assert!(shown["queries"].as_u64() >= shown["failures"].as_u64(), "{shown}");
    assert_eq!(
        (&status["caches"][1]["name"], &status["caches"][1]["entries"]),
        (&"response".into(), &1.into())
    );
    server.terminate();
}

#[test]
fn the_status_document_says_everything() {
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Site::new("127.0.0.1:0", "", &dead(&upstream)).start();
    for _ in 0..3 {
        ask(server.dns, PLANNING);
    }
    let (code, body) = server.page("/api/status");
    let status: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(code, 200);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&status["node"], &status["workers"]), (&"kakehashi-test".into(), &2.into()));
    assert!(status["uptime_seconds"].is_u64());
    assert_eq!(status["configuration"]["file"], "main.toml");
    assert!(status["configuration"]["loaded"].as_str().unwrap().ends_with('Z'));
    assert_eq!(status["configuration"]["last_reload"], Value::Null);

    let view = &status["views"][0];
    assert_eq!((&view["name"], &view["networks"]), (&"vpc".into(), &serde_json::json!(["loopback"])));
    assert!(view["routes"].as_array().unwrap().contains(&"technova.internal".into()), "{view}");
    let route = |label: &str| {
        let routes = status["routes"].as_array().unwrap();
        routes.iter().find(|route| route["label"] == label).unwrap().clone()
    };
    let zone = route("technova.internal");
    assert_eq!((&zone["kind"], &zone["visible_to"]), (&"zone".into(), &serde_json::json!(["vpc"])));
    assert_eq!(zone["queries"], 3);
    let forward = route("dead.test");
    assert_eq!((&forward["kind"], &forward["target"]), (&"forward".into(), &"dead".into()));
    let zone = &status["zones"][0];
    assert_eq!((&zone["name"], &zone["serial"]), (&"technova.internal".into(), &7.into()));
    assert_eq!((&zone["origin"], &zone["records"]), (&"technova.internal.".into(), &4.into()));
    let server_of = &status["upstreams"][0]["servers"][0];
    for key in ["address", "state", "backup", "latency_ms", "queries", "failures"] {
        assert!(server_of.get(key).is_some(), "{key}: {server_of}");
    }
    let caches: Vec<_> = status["caches"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(caches, ["answer", "response"]);
    for key in ["entries", "bytes", "capacity_bytes", "hits", "misses"] {
        assert!(status["caches"][0][key].is_u64(), "{key}: {status}");
    }
    server.terminate();
}

/// "Metrics wanted: DNS query latency, resolution success rate, endpoint health."
#[test]
fn the_metrics_that_the_design_wants_can_be_read_off() {
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let server = Site::new("127.0.0.1:0", "", &dead(&upstream)).start();
    ask(server.dns, PLANNING);
    ask(server.dns, "nothere.technova.internal");
    ask(server.dns, "x.dead.test");

    let responses = |code: &str| server.metric(&format!("kakehashi_responses_total{{rcode=\"{code}\"}}"));
    assert_eq!((responses("NOERROR"), responses("NXDOMAIN"), responses("SERVFAIL")), (1.0, 1.0, 1.0));
    let latency = |part: &str, labels: &str| {
        server.metric(&format!("kakehashi_request_duration_seconds_{part}{{source=\"forward\"{labels}}}"))
    };
    assert_eq!((latency("count", ""), latency("bucket", ",le=\"+Inf\"")), (1.0, 1.0));
    assert!(latency("sum", "") >= 0.05, "a try waited 50 ms");
    let labels = format!("{{upstream=\"dead\",server=\"{address}\"}}");
    assert!(server.metric(&format!("kakehashi_upstream_queries_total{labels}")) >= 1.0);
    let timeouts = format!(
        "kakehashi_upstream_failures_total{{upstream=\"dead\",server=\"{address}\",reason=\"timeout\"}}"
    );
    assert!(server.metric(&timeouts) >= 1.0);
    wait::until("the upstream is down", PATIENCE, || {
        (server.metric(&format!("kakehashi_upstream_up{labels}")) == 0.0).then_some(())
    });
    server.terminate();
}
