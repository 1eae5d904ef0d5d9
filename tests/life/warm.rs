//! A restart: what the sources said before is known again, and a file that is damaged does no harm.

use std::net::UdpSocket;
use std::time::Duration;

use crate::client::ask;
use crate::process::{PLANNING, Server, Site};
use crate::{PATIENCE, wait};

fn site(upstream: &UdpSocket) -> Site {
    let site = Site::new("127.0.0.1:0", "", "");
    let more = format!(
        r#"
[cache]
snapshot = "{}"
[[upstream]]
name = "dc"
servers = ["{}"]
health-check = "off"
[[rule]]
domain = "technova.local"
forward = "dc"
visible-to = ["vpc"]
"#,
        site.path("responses").display(),
        upstream.local_addr().unwrap()
    );
    site.write("main.toml", &(site.read("main.toml") + &more));
    site
}

/// Answers one query with 10.1.2.3 for 300 seconds.
fn answer_once(upstream: &UdpSocket) {
    let mut query = [0; 512];
    let (_, from) = upstream.recv_from(&mut query).unwrap();
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
    let mut answer = query[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0x2C, 0, 4, 10, 1, 2, 3]);
    upstream.send_to(&answer, from).unwrap();
}

fn upstream() -> UdpSocket {
    let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
    upstream.set_read_timeout(Some(PATIENCE)).unwrap();
    upstream
}

fn known(server: &Server) -> bool {
    server.metric("kakehashi_cache_entries{cache=\"response\"}") > 0.0
}

#[test]
fn what_was_known_before_a_restart_is_known_after_it() {
    let upstream = upstream();
    let site = site(&upstream);
    let server = site.start();
    let first = std::thread::scope(|scope| {
        scope.spawn(|| answer_once(&upstream));
        ask(server.dns, "dc01.technova.local")
    });
    server.terminate();
    let server = site.start();
    wait::until("the snapshot is read", PATIENCE, || known(&server).then_some(()));
    assert_eq!(ask(server.dns, "dc01.technova.local"), first);
    upstream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    assert!(upstream.recv_from(&mut [0; 512]).is_err(), "nobody was asked");
}

#[test]
fn a_damaged_snapshot_is_left_unread_and_said_once() {
    let site = site(&upstream());
    site.write("responses", "kakehashi-cache3 and then something else");
    let server = site.start();
    assert!(ask(server.dns, PLANNING).contains("10.0.30.100"));
    assert!(!known(&server));
    let said = server.terminate();
    let warnings: Vec<_> = said.iter().filter(|line| line.contains("the cache begins empty")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("damaged"), "{said:#?}");
}
