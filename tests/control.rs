//! The HTTP endpoint on a real socket: what it says, and what cannot be done to it.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kakehashi::control::dashboard::Glance;
use kakehashi::control::dashboard::question::Question;
use kakehashi::control::status::{RouteStatus, ServerStatus, UpstreamStatus, ZoneStatus};
use kakehashi::control::{self, Running, Status, StatusDocument};
use kakehashi::observe::registry::Format;
use kakehashi::observe::sketch::Look;
use kakehashi::pipeline::explain::Explanation;
use serde_json::{Value, json};

#[derive(Default)]
struct Fake {
    broken: AtomicBool,
    /// Whoever holds it has the metrics wait.
    gate: Mutex<()>,
    scrapes: AtomicUsize,
}

impl Status for Fake {
    fn metrics(&self, _: Format) -> String {
        let _open = self.gate.lock().unwrap();
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        "kakehashi_build_info{version=\"0.1.0\"} 1\n".repeat(1_000)
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(vec![
                "zone technova.internal is not loaded".into(),
                "10.150.20.10:53 is not bound".into(),
            ]);
        }
        Ok(())
    }

    fn status(&self) -> StatusDocument {
        StatusDocument {
            version: "0.1.0".into(),
            node: "kakehashi-1a".into(),
            routes: vec![RouteStatus { label: "</script>\"\n".into(), queries: 7, ..RouteStatus::default() }],
            zones: vec![ZoneStatus { serial: 2_026_112_301, ..ZoneStatus::default() }],
            upstreams: vec![UpstreamStatus {
                name: "onprem-dc".into(),
                servers: vec![ServerStatus {
                    latency_ms: Some(0.8),
                    state: "up".into(),
                    ..ServerStatus::default()
                }],
                ..UpstreamStatus::default()
            }],
            ..StatusDocument::default()
        }
    }

    // The dashboard is tested in tests/dashboard.rs.
    fn glance(&self) -> Glance {
        unreachable!("nobody looks")
    }

    fn look(&self) -> Look {
        unreachable!("nobody looks")
    }

    fn explain(&self, question: &Question) -> Explanation {
        Explanation {
            client: question.client,
            network: None,
            groups: Vec::new(),
            view: None,
            name: question.name.to_string(),
            qtype: question.qtype.to_string(),
            hops: Vec::new(),
            outcome: "REFUSED".into(),
        }
    }
}

struct Endpoint {
    address: SocketAddr,
    status: Arc<Fake>,
    server: Running,
}

fn start() -> Endpoint {
    let status = Arc::new(Fake::default());
    let server =
        control::start("127.0.0.1:0".parse().unwrap(), Arc::clone(&status) as Arc<dyn Status>).unwrap();
    Endpoint { address: server.address(), status, server }
}

impl Endpoint {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn send(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        answer(&mut stream)
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
    }
}

#[derive(Debug)]
struct Answer {
    code: u16,
    head: String,
    body: String,
}

fn answer(stream: &mut TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Answer { code, head: head.to_lowercase(), body: body.to_owned() }
}

#[test]
fn each_page_is_what_it_says_and_a_browser_may_run_the_dashboards_files_alone() {
    let endpoint = start();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/dashboard/main.js", "text/javascript; charset=utf-8"),
        ("/dashboard/style.css", "text/css; charset=utf-8"),
        ("/dashboard/icon.svg", "image/svg+xml"),
        ("/pages", "text/plain; charset=utf-8"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/metrics?name[]=up", "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/readyz", "text/plain; charset=utf-8"),
        ("/api/status", "application/json"),
        ("/api/explain?client=10.0.0.1&name=a.test", "application/json"),
    ] {
        let answer = endpoint.ask("GET", path);
        assert_eq!(answer.code, 200, "{path}");
        for header in [
            &format!("content-type: {kind}"),
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "referrer-policy: no-referrer",
            "connection: close",
        ] {
            assert!(answer.head.contains(header), "{path}: {header}\n{}", answer.head);
        }
        let is_dashboard = path == "/" || path.starts_with("/dashboard/");
        assert_eq!(answer.head.contains("script-src 'self'"), is_dashboard, "{path}");
        assert!(!answer.head.contains("unsafe"), "{path}");
        assert!(!answer.body.is_empty());
    }
}

#[test]
fn head_is_get_without_a_body() {
    let endpoint = start();
    let (get, head) = (endpoint.ask("GET", "/metrics"), endpoint.ask("HEAD", "/metrics"));
    assert_eq!((head.code, &head.body[..]), (200, ""));
    let length = format!("content-length: {}", get.body.len());
    assert!(get.head.contains(&length) && head.head.contains(&length));
}

#[test]
fn what_is_not_there_is_404_and_what_would_write_is_405() {
    let endpoint = start();
    assert_eq!(endpoint.ask("GET", "/no/such/page").code, 404);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"] {
        let answer = endpoint.ask(method, "/metrics");
        assert_eq!(answer.code, 405, "{method}");
        assert!(answer.head.contains("allow: get, head"));
    }
    assert_eq!(endpoint.status.scrapes.load(Ordering::Relaxed), 0);
}

#[test]
fn a_server_that_is_not_ready_says_why() {
    let endpoint = start();
    assert_eq!(endpoint.ask("GET", "/readyz").code, 200);
    endpoint.status.broken.store(true, Ordering::Relaxed);
    let answer = endpoint.ask("GET", "/readyz");
    assert_eq!(answer.code, 503);
    assert_eq!(answer.body, "zone technova.internal is not loaded\n10.150.20.10:53 is not bound\n");
    assert_eq!(endpoint.ask("GET", "/healthz").code, 200);
}

#[test]
fn the_status_is_json_whatever_the_names_hold() {
    let endpoint = start();
    let document: Value = serde_json::from_str(&endpoint.ask("GET", "/api/status").body).unwrap();
    assert_eq!(document["node"], "kakehashi-1a");
    assert_eq!(document["routes"][0]["label"], "</script>\"\n");
    assert_eq!(document["routes"][0]["target"], Value::Null);
    assert_eq!(document["zones"][0]["serial"], 2_026_112_301_u32);
    assert_eq!(document["upstreams"][0]["servers"][0]["latency_ms"], json!(0.8));
    for key in ["version", "uptime_seconds", "workers", "configuration", "views", "caches"] {
        assert!(document.get(key).is_some(), "{key}");
    }
}

#[test]
fn a_huge_post_is_refused_without_being_read() {
    let endpoint = start();
    let mut stream = endpoint.connect();
    stream.write_all(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n").unwrap();
    // As much of the body as the endpoint takes; a gigabyte it does not.
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let piece = vec![b'x'; 64 << 10];
    let mut taken = 0;
    while taken < 1 << 30 {
        match stream.write(&piece) {
            Ok(length) => taken += length,
            Err(_) => break,
        }
    }
    assert!(taken < 64 << 20, "{taken} octets were taken");
    // And a polite client gets its answer.
    let answer = endpoint.send(
        &[&b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n"[..], &[b'x'; 10_000]]
            .concat(),
    );
    assert_eq!(answer.code, 405);
    let expecting =
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(endpoint.send(expecting).code, 405);
}

#[test]
fn heads_past_their_bounds_are_refused() {
    let endpoint = start();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000));
    assert!((400..500).contains(&endpoint.send(long.as_bytes()).code));
    let many = "x-odd: 1\r\n".repeat(100);
    assert_eq!(endpoint.send(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).code, 431);
    for odd in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        assert_eq!(endpoint.send(odd).code, 400);
    }
    // The preface of HTTP/2 is no request of HTTP/1.
    assert_ne!(endpoint.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").code, 200);
    assert_eq!(endpoint.ask("GET", "/healthz").code, 200);
}

#[test]
fn idle_connections_keep_others_out_for_no_longer_than_their_deadline() {
    let endpoint = start();
    let idle: Vec<TcpStream> = (0..64).map(|_| endpoint.connect()).collect();
    let begin = Instant::now();
    // Waits in the kernel's queue until the first of them is given up.
    assert_eq!(endpoint.ask("GET", "/healthz").code, 200);
    assert!(begin.elapsed() < Duration::from_secs(10));
    drop(idle);
}

#[test]
fn many_scrapes_at_once_are_all_answered() {
    let endpoint = start();
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| assert_eq!(endpoint.ask("GET", "/metrics").code, 200));
        }
    });
}

#[test]
fn scrapes_that_wait_together_are_given_the_same() {
    let endpoint = start();
    let gate = endpoint.status.gate.lock().unwrap();
    let waiting: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = endpoint.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    drop(gate);
    let whole = endpoint.ask("GET", "/metrics").body;
    for mut stream in waiting {
        let Answer { code, body, .. } = answer(&mut stream);
        assert_eq!((code, body == whole), (200, true));
    }
    let made = endpoint.status.scrapes.load(Ordering::Relaxed);
    assert!(made <= 10, "{made}");
}

#[test]
fn nobody_is_given_what_was_made_before_he_asked() {
    let endpoint = start();
    for nth in 1..=10 {
        endpoint.ask("GET", "/metrics");
        assert_eq!(endpoint.status.scrapes.load(Ordering::Relaxed), nth);
    }
}

#[test]
fn it_stops_at_once_though_a_connection_is_open() {
    let endpoint = start();
    let mut open = endpoint.connect();
    open.write_all(b"GET /metr").unwrap();
    let begin = Instant::now();
    endpoint.server.stop();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert!(TcpStream::connect(endpoint.address).is_err());
}
