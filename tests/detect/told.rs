//! An alert on its way: from a query to the log, the metrics, the status, a file and a webhook, of the built program.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::client::{query, receive, socket};
use crate::process::Site;
use crate::{PATIENCE, wait};

/// Something that takes what is posted to it, after it has refused once.
struct Receiving {
    address: SocketAddr,
    posted: Receiver<Value>,
}

impl Receiving {
    fn start() -> Receiving {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, posted) = channel();
        std::thread::spawn(move || {
            let mut refused = false;
            for stream in listener.incoming().map_while(Result::ok) {
                let status = if refused { "204 No Content" } else { "503 Service Unavailable" };
                let document = take(stream, status).unwrap();
                if refused {
                    let _ = sender.send(document);
                }
                refused = true;
            }
        });
        Receiving { address, posted }
    }
}

/// Takes one request, whatever carries it; gives its document.
pub fn take(stream: impl Read + Write, status: &str) -> io::Result<Value> {
    let (mut reader, mut length) = (BufReader::new(stream), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes())?;
    Ok(serde_json::from_slice(&body)?)
}

/// More names that do not exist than an ordinary client asks for in a minute, however the minutes fall.
pub fn storm(server: SocketAddr) {
    let socket = socket(server);
    for n in 0..800u16 {
        socket.send(&query(n, &format!("x{n}.technova.internal"))).unwrap();
        assert_eq!(receive(&socket).unwrap().1, "NXDOMAIN");
    }
}

#[test]
fn a_storm_is_told_in_log_metrics_status_file_and_webhook_which_is_asked_again_when_it_fails() {
    let receiving = Receiving::start();
    let detect = format!(
        "[detect]\nenabled = true\nfile = \"alerts.log\"\nwebhook = \"http://{}/dns\"\n",
        receiving.address
    );
    let site = Site::new("127.0.0.1:0", "", &detect);
    let mut server = site.start();
    storm(server.dns);
    let line: Value =
        serde_json::from_str(&format!("{{\"event\":\"alert\"{}", server.until_says("{\"event\":\"alert\"")))
            .unwrap();
    assert_eq!((&line["kind"], &line["client"]), (&"nxdomain-storm".into(), &"127.0.0.1".into()));
    assert_eq!(
        (&line["network"], &line["node"], &line["count"]),
        (&"loopback".into(), &"kakehashi-test".into(), &1.into())
    );
    assert!(line["evidence"]["failures"].as_f64().unwrap() >= 300.0);
    assert_eq!(line["samples"].as_array().unwrap().len(), 8);
    let posted = receiving.posted.recv_timeout(PATIENCE).unwrap();
    assert_eq!(posted, line);
    assert!(server.metric("kakehashi_alerts_total{kind=\"nxdomain-storm\"}") >= 1.0);
    let status: Value = serde_json::from_str(&server.page("/api/status").1).unwrap();
    assert_eq!(status["alerts"][0]["kind"], "nxdomain-storm");
    assert_eq!(serde_json::from_str::<Value>(site.read("alerts.log").lines().next().unwrap()).unwrap(), line);
    server.terminate();
}

#[test]
fn detectors_are_turned_on_and_off_by_a_reload_and_need_no_query_log() {
    let site = Site::new("127.0.0.1:0", "", "[detect]\nenabled = false\n");
    let log = site.path("query.log").display().to_string();
    site.replace("main.toml", &log, "off");
    let mut server = site.start();
    storm(server.dns);
    assert_eq!(server.metric("kakehashi_alerts_total{kind=\"nxdomain-storm\"}") as u32, 0);
    site.replace("main.toml", "enabled = false", "enabled = true");
    server.signal(Signal::SIGHUP);
    server.until_says("reloaded main.toml");
    // The log thread hears of it at its next round.
    wait::until("a storm is told", PATIENCE, || {
        storm(server.dns);
        (server.metric("kakehashi_alerts_total{kind=\"nxdomain-storm\"}") > 0.0).then_some(())
    });
    server.terminate();
}

#[test]
fn a_webhook_that_hangs_holds_up_nothing() {
    // Its backlog takes the connection, and nobody ever reads.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let webhook =
        format!("[detect]\nenabled = true\nwebhook = \"http://{}/\"\n", hangs.local_addr().unwrap());
    let site = Site::new("127.0.0.1:0", "", &webhook);
    let server = site.start();
    storm(server.dns);
    wait::until("the storm is told", PATIENCE, || {
        (server.metric("kakehashi_alerts_total{kind=\"nxdomain-storm\"}") > 0.0).then_some(())
    });
    let (_stream, _) = hangs.accept().unwrap();
    // While it hangs, queries are answered and logged, and a stop does not wait for it.
    storm(server.dns);
    wait::until("the log goes on", PATIENCE, || {
        (site.read("query.log").lines().count() >= 1_600).then_some(())
    });
    let begin = std::time::Instant::now();
    server.terminate();
    assert!(begin.elapsed() < Duration::from_secs(4), "a request may take five seconds");
}
