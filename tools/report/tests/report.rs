//! The program over logs whose figures a straightforward count knows too.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod common;

use std::collections::BTreeMap;

use common::{Ask, log, report, run};
use serde_json::{Value, json};

#[test]
fn figures_are_those_of_a_plain_count() {
    let asks = mixed(5000);
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder, &log(&asks), &[]);
    let count = |is: &dyn Fn(&Ask) -> bool| asks.iter().filter(|ask| is(ask)).count() as u64;
    let hits = count(&|ask| ["answer-cache", "response-cache", "stale"].contains(&ask.source));
    let asked = count(&|ask| ["forward", "recurse"].contains(&ask.source));
    assert_eq!(found["queries"], 5000);
    assert_eq!(found["hit_ratio"], json!(hits as f64 / (hits + asked) as f64));
    for (list, of) in [
        ("rcodes", asks.iter().map(|ask| ask.rcode.to_owned()).collect::<Vec<_>>()),
        ("top_names", asks.iter().map(|ask| ask.name.clone()).collect()),
        ("top_clients", asks.iter().map(|ask| ask.client.clone()).collect()),
    ] {
        assert_eq!(counts(&found[list]), leaders(of, 15), "{list}");
    }
    let failed = |rcode| asks.iter().filter(move |ask| ask.rcode == rcode);
    let names = |rcode| failed(rcode).map(|ask| ask.name.clone()).collect();
    let clients = |rcode| failed(rcode).map(|ask| ask.client.clone()).collect();
    assert_eq!(counts(&found["nxdomain_names"]), leaders(names("NXDOMAIN"), 15));
    assert_eq!(counts(&found["servfail_names"]), leaders(names("SERVFAIL"), 15));
    assert_eq!(counts(&found["nxdomain_clients"]), leaders(clients("NXDOMAIN"), 15));
    assert_eq!(counts(&found["servfail_clients"]), leaders(clients("SERVFAIL"), 15));
    let over_time: u64 =
        list(&found["over_time"]).iter().map(|point| point["queries"].as_u64().unwrap()).sum();
    assert_eq!(over_time, 5000);
}

#[test]
fn each_account_has_its_usage() {
    let asks = mixed(3000);
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder, &log(&asks), &[]);
    for account in list(&found["accounts"]) {
        let own: Vec<&Ask> = asks.iter().filter(|ask| ask.account == account["id"]).collect();
        let clients: std::collections::BTreeSet<&str> = own.iter().map(|ask| ask.client.as_str()).collect();
        assert_eq!(account["queries"], own.len(), "{account}");
        assert_eq!(account["clients"], clients.len(), "{account}");
        assert_eq!(
            account["nxdomain"],
            own.iter().filter(|ask| ask.rcode == "NXDOMAIN").count(),
            "{account}"
        );
    }
    assert_eq!(list(&found["accounts"]).len(), 3);
}

#[test]
fn latency_percentiles_are_by_source_and_by_server() {
    // 1..=1000 µs from the cache, 1..=1000 ms from one server.
    let ask = |nth: u64, source, unit| Ask { source, micros: nth * unit, ..Ask::new(nth) };
    let asks: Vec<Ask> =
        (1..=1000).flat_map(|nth| [ask(nth, "answer-cache", 1), ask(nth, "forward", 1000)]).collect();
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder, &log(&asks), &[]);
    let of = |list: &str, name: &str| {
        let all = found[list].as_array().unwrap().clone();
        let row = all.into_iter().find(|row| row["name"] == name).unwrap();
        ["p50", "p90", "p99", "p999", "most"].map(|key| row[key].as_u64().unwrap())
    };
    assert_eq!(of("sources", "answer-cache"), [500, 900, 990, 999, 1000]);
    assert_eq!(of("sources", "forward"), [500_000, 900_000, 990_000, 999_000, 1_000_000]);
    assert_eq!(of("upstreams", "onprem-dc@192.168.1.10:53"), [500_000, 900_000, 990_000, 999_000, 1_000_000]);
    assert_eq!(found["upstreams"].as_array().unwrap().len(), 1, "cached answers were not sent on");
}

#[test]
fn a_sampled_line_counts_as_often_as_it_stands_for() {
    let asks: Vec<Ask> =
        (0..100).map(|nth| Ask { sample: if nth < 10 { 50 } else { 1 }, ..Ask::new(nth) }).collect();
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder, &log(&asks), &[]);
    assert_eq!(found["queries"], 10 * 50 + 90);
    assert_eq!(found["read"]["lines"], 100);
    assert_eq!(found["rcodes"][0]["queries"], 590);
}

#[test]
fn only_the_asked_time_is_in_the_report() {
    let asks: Vec<Ask> = (0..3600).map(Ask::new).collect();
    let folder = tempfile::tempdir().unwrap();
    let time = ["--since", "2026-11-24T00:10", "--until", "2026-11-24T09:20:00+09:00"];
    let found = report(&folder, &log(&asks), &time);
    assert_eq!(found["queries"], 600, "from 10 minutes past, 20 minutes past not included");
    assert_eq!(found["read"]["outside"], 3000);
    assert_eq!(found["from"], "2026-11-24T00:10:00Z");
}

#[test]
fn names_that_differ_in_case_are_one_name() {
    let names = ["www.example.com.", "WWW.example.com.", "wWw.ExAmPlE.cOm."];
    let asks: Vec<Ask> = names.iter().map(|name| Ask { name: (*name).to_owned(), ..Ask::new(1) }).collect();
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder, &log(&asks), &[]);
    assert_eq!(counts(&found["top_names"]), [("www.example.com.".to_owned(), 3)]);
}

#[test]
fn growth_says_when_capacity_is_reached() {
    // Each day's busiest minute has 60 queries more than the last one's: 1 q/s a day, from 1. The eighth day is torn off.
    let minute = |day: u64| (0..60 * (day + 1)).map(move |_| Ask::new(day * 86_400 + 43_200));
    let ends = [0, 7 * 86_400 + 60_000].map(Ask::new);
    let asks: Vec<Ask> = (0..8).flat_map(minute).chain(ends).collect();
    let folder = tempfile::tempdir().unwrap();
    let found = report(&folder, &log(&asks), &["--capacity", "10"]);
    let trend = &found["growth"]["trend"];
    assert_eq!(list(&found["growth"]["days"]).last().unwrap()["whole"], "partial");
    assert_eq!(trend["busiest"]["a_day"], 1.0);
    assert_eq!(trend["busiest"]["start"], 1.0);
    assert_eq!(trend["full"], "2026-12-03", "1 q/s on the 24th, 10 nine days later");
    let short = report(&folder, &log(&asks[..1]), &[]);
    assert_eq!(short["growth"]["trend"], Value::Null);
}

#[test]
fn sql_is_answered_as_table_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = common::save(&folder, "query.log", log(&mixed(1000)).as_bytes());
    let question = "SELECT rcode, sum(weight) AS n, min(asked_at) AS first FROM queries WHERE srcaddr <> '::' GROUP BY rcode ORDER BY n DESC, rcode";
    let rows: Value = serde_json::from_str(&run(&["--sql", question, "--json", "-", &path]).out).unwrap();
    let expected = leaders(mixed(1000).iter().map(|ask| ask.rcode.to_owned()).collect(), 15);
    let found: Vec<(String, u64)> = list(&rows)
        .iter()
        .map(|row| (row["rcode"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(rows[0]["first"].as_str().unwrap().split('T').next(), Some("2026-11-24"));
    let table = run(&["--sql", question, &path]).out;
    assert!(table.starts_with("rcode"), "{table}");
    assert!(table.ends_with(&format!("({} rows)\n", expected.len())), "{table}");
}

#[test]
fn sql_reads_every_column_that_the_help_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = common::save(&folder, "query.log", log(&[Ask { sample: 7, ..Ask::new(0) }]).as_bytes());
    let rows: Value =
        serde_json::from_str(&run(&["--sql", "SELECT * FROM queries", "--json", "-", &path]).out).unwrap();
    let row = rows[0].as_object().unwrap();
    let help = run(&["--help"]).out;
    for (column, value) in row {
        assert!(help.contains(&format!("\n  {column} ")), "{column} is not in the help");
        assert!(!value.is_null(), "{column} is NULL");
    }
    assert_eq!(row.len(), 25);
    assert_eq!(row["groups"], "vpc,prod");
    assert_eq!(row["weight"], 7);
    assert_eq!(row["answers"], json!([{"Rdata": "192.0.2.1", "Type": "A", "Class": "IN"}]).to_string());
}

#[test]
fn sql_only_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = common::save(&folder, "query.log", log(&mixed(10)).as_bytes());
    let target = folder.path().join("stolen.csv");
    for statement in [
        format!("COPY queries TO '{}'", target.display()),
        "CREATE EXTERNAL TABLE other STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "DROP TABLE queries".to_owned(),
        "SELECT FROM nothing WHERE".to_owned(),
    ] {
        let done = run(&["--sql", &statement, &path]);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{statement}");
        assert!(!done.err.is_empty(), "{statement}");
    }
    assert!(!target.exists());
}

/// Traffic of some variety, always the same.
fn mixed(count: u64) -> Vec<Ask> {
    let mut random = fastrand::Rng::with_seed(7);
    let one = |nth| Ask {
        name: format!("host{}.technova.local.", random.u32(..40)),
        client: format!("10.0.30.{}", random.u32(..25)),
        account: ["123456789012", "210987654321", ""][random.usize(..3)],
        rcode: ["NOERROR", "NOERROR", "NOERROR", "NXDOMAIN", "SERVFAIL"][random.usize(..5)],
        source: ["answer-cache", "response-cache", "stale", "zone", "forward", "recurse", "local"]
            [random.usize(..7)],
        ..Ask::new(nth)
    };
    (0..count).map(one).collect()
}

/// How often each is there: most first, then by name.
fn leaders(all: Vec<String>, most: usize) -> Vec<(String, u64)> {
    let mut counted = BTreeMap::new();
    for one in all {
        *counted.entry(one).or_insert(0) += 1;
    }
    let mut counted: Vec<(String, u64)> = counted.into_iter().collect();
    counted.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
    counted.truncate(most);
    counted
}

fn counts(found: &Value) -> Vec<(String, u64)> {
    list(found)
        .iter()
        .map(|row| (row["name"].as_str().unwrap().to_owned(), row["queries"].as_u64().unwrap()))
        .collect()
}

fn list(found: &Value) -> &Vec<Value> {
    found.as_array().unwrap()
}
