//! `demo`: what the README promises to a newcomer.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use super::{Said, kakehashi, kakehashi_in, port};

/// The demo's port and so many above it.
const PORTS: u16 = 6;

/// Another program may take one of the ports in the moment before the demo does; then others are tried.
fn once() -> (u16, Said) {
    let mut tries = 0;
    loop {
        let port = port::row(PORTS);
        let said = kakehashi(&["demo", "--once", "--port", &port.to_string()]);
        tries += 1;
        if said.code == Some(0) || !said.err.contains("in use") || tries == 5 {
            return (port, said);
        }
    }
}

#[test]
fn every_question_of_the_demo_is_answered_as_it_says() {
    let (port, said) = once();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains(&format!("serves the TechNova network on 127.0.0.1:{port}")), "{}", said.out);
    assert!(!said.out.contains("OTHERWISE"), "{}", said.out);
    let asked = said.out.lines().filter(|line| line.trim_start().starts_with("dig @127.0.0.1")).count();
    let answered = said.out.lines().filter(|line| line.trim_start().starts_with("ok: ")).count();
    assert!(asked >= 12 && asked == answered, "{asked} asked, {answered} answered:\n{}", said.out);
    for answer in [
        "ok: internal-api-12345.ap-northeast-1.elb.amazonaws.com. 10.100.10.100",
        "ok: 10.100.10.100",
        "ok: d987654321.cloudfront.net.",
        "ok: REFUSED",
        "ok: 192.168.10.21",
    ] {
        assert!(said.out.contains(answer), "{answer}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let port = port::row(PORTS);
    // For a stand-in, and for the server itself.
    for taken in [port + 2, port] {
        let _holder = UdpSocket::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        let said = kakehashi(&["demo", "--once", "--port", &port.to_string()]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains(&format!("cannot listen on 127.0.0.1:{taken}")), "{}", said.err);
        let way_out =
            format!("The demo takes ports {port} to {}: --port N takes others.\n", port + PORTS - 1);
        assert!(said.err.ends_with(&way_out), "{}", said.err);
    }
}

#[test]
fn outside_of_the_repository_it_says_what_it_needs() {
    let said = kakehashi_in(Path::new("/"), &["demo"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("name its conf/ with --conf"), "{}", said.err);
}
