//! What the dashboard costs: nothing while nobody looks, one computation a second however many do, and no more memory
//! for a slow reader than for a fast one. Without a browser.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::client::ask;
use crate::hostile::{Evil, serve};
use crate::process::{PLANNING, Site, page};
use crate::viewer::Viewer;
use crate::{PATIENCE, wait};

#[test]
fn one_computation_a_second_serves_eight_and_the_ninth_is_told_when_to_come_again() {
    let (_running, evil, address) = serve(Evil::default());
    let mut viewers: Vec<Viewer> = (0..8).map(|_| Viewer::sit(address)).collect();
    for viewer in &mut viewers {
        let (code, head) = viewer.head();
        assert_eq!(code, 200);
        for header in
            ["content-type: text/event-stream", "cache-control: no-store", "x-content-type-options: nosniff"]
        {
            assert!(head.contains(header), "{head}");
        }
    }
    let (code, head) = Viewer::sit(address).head();
    assert!(code == 503 && head.contains("retry-after: 15"), "{head}");
    // All others are served on.
    assert_eq!(page(address, "/healthz").0, 200);
    // Who sat down later begins with a later frame; a frame is the same for all.
    let mut seen: HashMap<String, Value> = HashMap::new();
    for _ in 0..3 {
        for viewer in &mut viewers {
            let frame = viewer.frame();
            let before = seen.entry(frame["time"].to_string()).or_insert_with(|| frame.clone());
            assert_eq!(*before, frame, "all see the same");
        }
    }
    let glances = evil.glances.load(Ordering::Relaxed);
    assert!((3..=6).contains(&seen.len()) && glances <= 7, "24 frames of {glances} glances");
    // A seat is free again when its viewer has gone.
    drop(viewers.pop());
    wait::until("a seat is free", PATIENCE, || (Viewer::sit(address).head().0 == 200).then_some(()));
}

#[test]
fn who_does_not_read_is_dropped_and_delays_nobody() {
    // Frames of some hundred kilobytes, so that the kernel's buffers are full soon.
    let (_running, evil, address) = serve(Evil { names: 2_000, ..Evil::default() });
    let mut idle = Viewer::sit(address);
    assert_eq!(idle.head().0, 200);
    let mut viewer = Viewer::sit(address);
    let before = evil.glances.load(Ordering::Relaxed);
    wait::until("the idle one is dropped", PATIENCE, || {
        viewer.frame();
        (sockets_of(address, "01") == 1).then_some(())
    });
    assert!(evil.glances.load(Ordering::Relaxed) > before + 3);
    viewer.frame();
    let mut rest = Vec::new();
    let _ = idle.0.read_to_end(&mut rest);
    assert!(rest.len() < 8 << 20, "{} octets were kept for it", rest.len());
}

/// Connections to a local port in a state, as /proc has them.
fn sockets_of(address: SocketAddr, state: &str) -> usize {
    let port = format!(":{:04X}", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    table.lines().skip(1).map(fields).filter(|line| line[1].ends_with(&port) && line[3] == state).count()
}

#[test]
fn nothing_is_computed_and_no_event_is_wanted_while_nobody_looks() {
    let (_running, evil, address) = serve(Evil::default());
    for path in ["/", "/dashboard/main.js", "/api/status", "/api/explain?client=10.0.0.1&name=a"] {
        assert_eq!(page(address, path).0, 200, "{path}");
    }
    // Whoever asks for the head only does not sit down.
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "HEAD /api/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut head = String::new();
    stream.read_to_string(&mut head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!((evil.glances.load(Ordering::Relaxed), evil.sketches.looks()), (0, 0));

    let mut viewer = Viewer::sit(address);
    viewer.frame();
    assert_eq!(evil.sketches.looks(), 1);
    drop(viewer);
    wait::until("it is seen that nobody looks", PATIENCE, || (evil.sketches.looks() == 0).then_some(()));
    // The end of the look is the end of the task, and with it of its timer.
    let glances = evil.glances.load(Ordering::Relaxed);
    let mut again = Viewer::sit(address);
    again.frame();
    assert_eq!(evil.glances.load(Ordering::Relaxed), glances + 1, "none between");
}

#[test]
fn workers_record_events_only_while_somebody_looks() {
    let site = Site::new("127.0.0.1:0", "", "");
    let log = format!("to = \"{}\"", site.path("query.log").display());
    site.replace("main.toml", &log, "to = \"off\"");
    let server = site.start();
    ask(server.dns, PLANNING);
    let mut viewer = Viewer::sit(server.http);
    let first = viewer.frame();
    assert_eq!(first["tops"]["queries"], 0, "what came before was not recorded: {}", first["tops"]);
    wait::until("the name is listed", PATIENCE, || {
        ask(server.dns, PLANNING);
        let frame = viewer.frame();
        (frame["tops"]["names"][0]["what"] == format!("{PLANNING}.")).then_some(())
    });
    server.terminate();
}

#[test]
fn an_explanation_is_what_the_server_in_force_would_do() {
    let server = Site::new("127.0.0.1:0", "", "").start();
    let (code, body) = server.page(&format!("/api/explain?client=127.0.0.1&name={PLANNING}"));
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (code, &document["outcome"], &document["network"]),
        (200, &"NOERROR, 1 record".into(), &"loopback".into())
    );
    let (code, body) = server.page("/api/explain?client=127.0.0.1&name=a..b&type=A");
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (code, &document["field"], &document["reason"]),
        (400, &"name".into(), &"a label is empty".into())
    );
    server.terminate();
}

#[test]
fn routes_of_one_label_are_one_line() {
    let site = Site::new("127.0.0.1:0", "", "");
    site.replace(
        "main.toml",
        "file = \"technova.internal.zone\"",
        "file = \"technova.internal.zone\"\nreverse = true",
    );
    let server = site.start();
    let status: Value = serde_json::from_str(&server.page("/api/status").1).unwrap();
    let reverse = |routes: &Value| {
        let labels = routes.as_array().unwrap().iter().map(|route| route["label"].as_str().unwrap());
        labels.filter(|label| *label == "technova.internal (reverse)").count()
    };
    assert_eq!(reverse(&status["routes"]), 2, "two reverse zones are made of its addresses");
    assert_eq!(reverse(&Viewer::sit(server.http).frame()["routes"]), 1);
    server.terminate();
}
