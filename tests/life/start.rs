//! A server that cannot start says why, and ends with 1.

use std::net::{TcpListener, UdpSocket};

use crate::process::{Site, fails};

#[track_caller]
fn says(site: &Site, reasons: &[&str]) {
    let (code, said) = fails(site.path("").as_path(), &["serve", "--config", "main.toml"]);
    assert_eq!(code, Some(1), "{said}");
    for reason in reasons {
        assert!(said.contains(reason), "{reason:?} is not in:\n{said}");
    }
}

#[test]
fn an_address_that_another_program_has_is_named_for_udp_and_for_tcp() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    let port = address.port();
    let site = Site::new(&address.to_string(), "", "");
    let hint = format!("ss -lunp 'sport = :{port}'");
    says(&site, &[&format!("cannot listen on {address} (udp)"), "another program serves port", &hint]);

    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let site = Site::new(&address.to_string(), "", "");
    says(&site, &[&format!("cannot listen on {address} (tcp)"), "another program serves port"]);

    let site = Site::new("127.0.0.1:0", "", "");
    site.replace("main.toml", "http = \"127.0.0.1:0\"", &format!("http = \"{address}\""));
    says(&site, &[&format!("cannot listen on {address} for HTTP")]);
}

#[test]
fn a_second_server_of_the_same_user_does_not_take_half_of_the_queries() {
    let first = Site::new("127.0.0.1:0", "", "").start();
    let site = Site::new(&first.dns.to_string(), "", "");
    says(&site, &[&format!("cannot listen on {} (udp)", first.dns)]);
    first.terminate();
}

#[test]
fn an_address_that_this_machine_does_not_have_is_named() {
    let site = Site::new("192.0.2.1:5300", "", "");
    says(&site, &["cannot listen on 192.0.2.1:5300", "does not have the address"]);
}

#[test]
fn a_query_log_that_cannot_be_opened_is_named() {
    let site = Site::new("127.0.0.1:0", "", "");
    let folder = site.path("nothere");
    site.replace("main.toml", "query.log", "nothere/query.log");
    says(
        &site,
        &[&format!("{}: the query log cannot be opened: No such file", folder.join("query.log").display())],
    );

    site.replace("main.toml", "/nothere/query.log", "");
    says(&site, &["the query log cannot be opened: Is a directory"]);
}

#[test]
fn a_broken_configuration_is_shown_as_check_shows_it() {
    let site = Site::new("127.0.0.1:0", "", "");
    site.replace("main.toml", "[query-log]", "[query-lag]");
    says(&site, &["error: ", "`query-lag`", "--> main.toml:", "did you mean"]);

    let site = Site::new("127.0.0.1:0", "", "");
    site.replace("technova.internal.zone", "10.0.30.100", "10.0.30.1OO");
    says(&site, &["the address `10.0.30.1OO` is no IPv4 address", "--> technova.internal.zone:6:16"]);
}
