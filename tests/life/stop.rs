//! SIGTERM: what was accepted is answered, nothing new is taken, the exit is clean.

use std::net::UdpSocket;

use nix::sys::signal::Signal;

use crate::client::{Load, query, receive, socket};
use crate::process::{PLANNING, Site};
use crate::{PATIENCE, wait};

/// An upstream that answers when it is told to; its tries are long enough to wait for that.
fn slow(upstream: &UdpSocket) -> String {
    format!(
        r#"
[[upstream]]
name = "slow"
servers = ["{}"]
try-timeout = "2500ms"
deadline = "2500ms"
health-check = "off"
[[rule]]
domain = "slow.test"
forward = "slow"
visible-to = ["vpc"]
"#,
        upstream.local_addr().unwrap()
    )
}

#[test]
fn what_is_in_flight_is_answered_and_meanwhile_it_is_not_ready() {
    const QUERIES: u16 = 20;
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    upstream.set_read_timeout(Some(PATIENCE)).unwrap();
    let site = Site::new("127.0.0.1:0", "", &slow(&upstream));
    let server = site.start();
    assert_eq!(server.page("/readyz"), (200, "ok\n".to_owned()));
    let client = socket(server.dns);
    for id in 0..QUERIES {
        client.send(&query(id, &format!("q{id}.slow.test"))).unwrap();
    }
    let held: Vec<_> = (0..QUERIES)
        .map(|_| {
            let mut buffer = [0; 512];
            let (length, from) = upstream.recv_from(&mut buffer).unwrap();
            (buffer[..length].to_vec(), from)
        })
        .collect();
    server.signal(Signal::SIGTERM);
    wait::until("it is not ready", PATIENCE, || {
        (server.page("/readyz") == (503, "stopping: no new queries are taken\n".to_owned())).then_some(())
    });
    assert_eq!(server.page("/healthz").0, 200, "it lives");
    for (mut answer, from) in held {
        // QR and RA, NXDOMAIN; the question as it came.
        answer[2] |= 0x80;
        answer[3] |= 0x83;
        upstream.send_to(&answer, from).unwrap();
    }
    let mut ids: Vec<u16> = (0..QUERIES)
        .map(|_| {
            let (id, said) = receive(&client).unwrap();
            assert_eq!(said, "NXDOMAIN");
            id
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..QUERIES).collect::<Vec<_>>());
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said:?}");
    assert!(said.last().unwrap().contains("stopped log_lines=20"), "{said:?}");
}

#[test]
fn under_load_a_query_is_answered_or_refused_by_the_kernel_and_never_swallowed() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let site = Site::new("127.0.0.1:0", "", "");
        let server = site.start();
        let load = Load::start(server.dns, 4, &[PLANNING]);
        load.await_answers(200);
        server.signal(signal);
        let (status, said) = server.wait();
        assert_eq!(status.code(), Some(0), "{said:?}");
        let (answered, faults) = load.finish();
        for fault in &faults {
            assert!(fault.contains("Connection refused"), "{faults:?}");
        }
        assert_eq!(site.read("query.log").lines().count(), answered, "a line for each answer");
    }
}

#[test]
fn a_signal_that_comes_before_it_serves_ends_it_all_the_same() {
    let site = Site::new("127.0.0.1:0", "", "");
    for _ in 0..5 {
        let server = site.start();
        server.signal(Signal::SIGHUP);
        server.signal(Signal::SIGUSR1);
        server.terminate();
    }
}
