//! `explain` on the shipped configuration: the rows of the design that operators ask about most.

use std::path::Path;

use serde_json::Value;

use super::{kakehashi, kakehashi_in};

const MANUFACTURING: &str = "10.0.30.100";
const IOT: &str = "10.3.30.100";
const ONPREM: &str = "192.168.1.10";
const INTERNET: &str = "203.0.113.7";

fn run(client: &str, name: &str, more: &[&str]) -> String {
    let words = [&["explain", "--config", "conf/kakehashi.toml", client, name], more].concat();
    let said = kakehashi(&words);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{words:?}");
    said.out
}

/// The lines of the text, their columns one space apart.
fn text(client: &str, name: &str) -> Vec<String> {
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    run(client, name, &[]).lines().map(squeezed).collect()
}

fn json(client: &str, name: &str, rtype: &str) -> Value {
    serde_json::from_str(&run(client, name, &[rtype, "--json"])).unwrap()
}

#[track_caller]
fn says(lines: &[String], wanted: &str) {
    assert!(lines.iter().any(|line| line.starts_with(wanted)), "{wanted:?} is not in\n{}", lines.join("\n"));
}

/// Label and fate of each route of a hop.
fn fates(hop: &Value) -> Vec<(&str, &str)> {
    let routes = hop["routes"].as_array().unwrap();
    routes.iter().map(|r| (r["route"].as_str().unwrap(), r["fate"].as_str().unwrap())).collect()
}

#[test]
fn one_name_has_three_answers() {
    for (client, view, record, outcome) in [
        (
            MANUFACTURING,
            "vpc",
            "CNAME internal-api-12345.ap-northeast-1.elb.amazonaws.com.",
            "what the servers of",
        ),
        (ONPREM, "onprem", "A 10.100.10.100", "NOERROR, 1 record"),
        (INTERNET, "external", "CNAME d987654321.cloudfront.net.", "NOERROR with the CNAMEs alone"),
    ] {
        let lines = text(client, "api.technova.com");
        says(&lines, &format!("client {client}"));
        says(&lines, &format!("* technova.com. technova.com-{view} zone, serial "));
        says(&lines, &format!("api.technova.com. 300 {record}"));
        says(&lines, &format!("answer {outcome}"));
        let document = json(client, "api.technova.com", "A");
        assert!(document["view"].as_str().unwrap().contains(view));
        assert_eq!(document["hops"][0]["records"][0], format!("api.technova.com. 300 {record}"));
    }
}

#[test]
fn a_departments_endpoint_is_there_for_it_alone() {
    const NAME: &str = "rds.ap-northeast-1.amazonaws.com";
    let own = json(MANUFACTURING, NAME, "A");
    assert_eq!(own["outcome"], "NOERROR, 2 records");
    assert_eq!(fates(&own["hops"][0])[0], ("vpce-manufacturing", "won"));

    let other = json(IOT, NAME, "A");
    assert_eq!(
        fates(&other["hops"][0]),
        [
            ("vpce-manufacturing", "unseen"),
            ("vpce-iot", "passed"),
            ("vpce-common", "unseen"),
            ("vpce-shared", "passed"),
            ("amazonaws.com", "won"),
            (".", "lost"),
        ]
    );
    let lines = text(IOT, NAME);
    says(&lines, "v ap-northeast-1.amazonaws.com. vpce-iot zone, serial");
    says(&lines, "not seen: vpce-manufacturing (visible to manufacturing only), vpce-common");
    says(&lines, "answer what the servers of amazon-provided-dns say");
}

#[test]
fn a_forward_shows_whom_it_asks_how_long_it_waits_and_what_it_keeps() {
    let lines = text(MANUFACTURING, "nothere.service.technova.local");
    says(&lines, "v service.technova.local. zone, serial");
    says(&lines, "* technova.local. forward to onprem-dc is asked");
    says(&lines, "asks 192.168.1.10:53, 192.168.1.11:53 (round-robin); backup 192.168.1.12:53");
    says(&lines, "waits 400 ms for a server, 1500 ms in all");
    says(
        &lines,
        "keeps 300 s at most, a negative answer 60 s, a failure 2 s, as what route technova.local said",
    );
    says(&lines, "- . forward to public-dns a route before it answers");

    let document = json(MANUFACTURING, "user.technova.local", "AAAA");
    assert_eq!(document["qtype"], "AAAA");
    let outside = &document["hops"][0]["routes"][0]["outside"];
    let servers: Vec<&Value> = outside["servers"].as_array().unwrap().iter().collect();
    assert_eq!(
        servers.iter().map(|s| (s["address"].as_str(), s["role"].as_str())).collect::<Vec<_>>(),
        [
            (Some("192.168.1.10:53"), Some("primary")),
            (Some("192.168.1.11:53"), Some("primary")),
            (Some("192.168.1.12:53"), Some("backup")),
        ]
    );
    assert_eq!((&outside["max-ttl"], &outside["max-negative-ttl"]), (&300.into(), &60.into()));
    assert_eq!((&outside["failure-ttl"], &outside["deadline-ms"]), (&2.into(), &1500.into()));
}

#[test]
fn an_alias_is_followed_into_the_clients_own_routes() {
    let document = json(MANUFACTURING, "aurora-sales-order.infra.technova.internal", "A");
    let hops = document["hops"].as_array().unwrap();
    assert_eq!(hops.len(), 2);
    assert_eq!(hops[1]["name"], "sales-order.cluster-csales000001.ap-northeast-1.rds.amazonaws.com.");
    assert_eq!(fates(&hops[1])[0], ("amazonaws.com", "won"));
    assert_eq!(document["outcome"], "what the servers of amazon-provided-dns say");

    let lines = text(MANUFACTURING, "ecr.shared.technova.internal");
    says(&lines, "* technova.internal. zone, serial");
    says(&lines, "then api.ecr.ap-northeast-1.amazonaws.com. A");
    says(&lines, "answer NOERROR, 2 records");
}

#[test]
fn a_refusal_says_why() {
    let by_rule = text(ONPREM, "user.technova.local");
    says(&by_rule, "* technova.local. refused-onprem/technova.local refuse refuses");
    says(&by_rule, "not seen: technova.local (visible to vpc only)");
    says(&by_rule, "answer REFUSED: refused by rule");

    let no_route = text(INTERNET, "planning.manufacturing.technova.internal");
    says(&no_route, "no route that this network sees");
    says(&no_route, "answer REFUSED: no route of this view covers the name");
}

const SMALL: &str = r#"
[listen]
dns = ["127.0.0.1:5399"]
[[network]]
name = "lan"
cidr = ["10.0.0.0/8"]
[[upstream]]
name = "first"
servers = ["192.0.2.1"]
[[upstream]]
name = "second"
servers = ["192.0.2.2"]
[[rule]]
domain = "example.com"
forward = "first"
fall-through = true
visible-to = ["lan"]
[[rule]]
domain = "."
forward = "second"
visible-to = ["lan"]
cache = { max-ttl = "30s" }
"#;

#[test]
fn a_client_in_no_network_is_told_so() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    let said = kakehashi_in(folder.path(), &["explain", "-c", "small.toml", "192.0.2.9", "www.example.com"]);
    assert_eq!(said.code, Some(0));
    assert_eq!(
        said.out,
        "client    192.0.2.9\nnetwork   none\n\nwww.example.com. A\n\n\
         answer    REFUSED: the client is in no known network\n"
    );
}

#[test]
fn a_source_outside_that_falls_through_leaves_both_possibilities_open() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    let said = kakehashi_in(folder.path(), &["explain", "-c", "small.toml", "10.1.2.3", "www.example.com"]);
    assert_eq!(
        said.out,
        "\
client    10.1.2.3
network   lan
view      lan

www.example.com. A
  ?  example.com.  forward to first   is asked, and falls through where it has no such name
         asks   192.0.2.1:53
         waits  400 ms for a server, 1500 ms in all
         keeps  300 s at most, a negative answer 60 s, a failure 2 s, as what route example.com said
  *  .             forward to second  is asked
         asks   192.0.2.2:53
         waits  400 ms for a server, 1500 ms in all
         keeps  30 s at most, a negative answer 60 s, a failure 2 s, as what route . said

answer    what the servers of first say; where that has no such name, what the servers of second say

* answers   ? asked, may pass on to the next
",
        "{}",
        said.err
    );
}

#[test]
fn no_name_and_no_type_is_too_odd_to_be_explained() {
    for (name, rtype) in [(".", "NS"), ("*.technova.internal", "TYPE65280"), ("a\\.b.technova.com", "ANY")] {
        let said = kakehashi_in(
            Path::new(env!("CARGO_MANIFEST_DIR")),
            &["explain", "-c", "conf/kakehashi.toml", MANUFACTURING, name, rtype, "--json"],
        );
        assert_eq!(said.code, Some(0), "{name} {rtype}: {}", said.err);
        let document: Value = serde_json::from_str(&said.out).unwrap();
        assert!(document["outcome"].as_str().is_some_and(|outcome| !outcome.is_empty()));
    }
}
