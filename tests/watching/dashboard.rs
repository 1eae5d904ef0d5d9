//! The dashboard: a document that Grafana takes, whose every panel has something to show.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;

use crate::prometheus::Prometheus;
use crate::rules::{RULES, values};
use crate::scene::Scene;
use crate::{PATIENCE, is_here, shipped, wait};

const DASHBOARD: &str = "conf/grafana-dashboard.json";

/// Panels that show a fault: there is one, so they must show more than zero.
const FAULTS: [&str; 10] = [
    "Upstream servers down",
    "Failures by reason",
    "SERVFAIL by route",
    "Flaps",
    "Failures",
    "Withheld by budget",
    "Forwarding loops",
    "Stale answers",
    "Clients limited",
    "Reloads",
];

struct Query {
    panel: String,
    expression: String,
}

fn dashboard() -> Value {
    serde_json::from_str(&shipped(DASHBOARD)).unwrap()
}

/// The panels that are no headings.
fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query, as Grafana sends it when all values of all variables are chosen.
fn queries(dashboard: &Value) -> Vec<Query> {
    let of_panel = |panel: &Value| -> Vec<Query> {
        let panel_title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap().iter();
        let expressions = targets.map(|target| target["expr"].as_str().unwrap());
        expressions
            .map(|expression| Query { panel: panel_title.to_owned(), expression: substituted(expression) })
            .collect()
    };
    panels(dashboard).into_iter().flat_map(of_panel).collect()
}

pub fn substituted(expression: &str) -> String {
    let mut expression = expression.replace("$__rate_interval", "10s");
    for variable in ["$node", "$route", "$view", "$upstream"] {
        expression = expression.replace(variable, ".*");
    }
    assert!(!expression.contains('$'), "a variable that there is not: {expression}");
    expression
}

/// All expressions of the dashboard, those of its variables included.
pub fn expressions() -> Vec<String> {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let lists = variables.filter_map(|variable| variable["query"]["query"].as_str().map(str::to_owned));
    lists.chain(queries(&dashboard).into_iter().map(|query| query.expression)).collect()
}

#[test]
fn the_dashboard_is_a_document_that_grafana_takes() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(36) && dashboard["uid"] == "kakehashi");
    assert!(dashboard["id"].is_null(), "an imported dashboard gets its number from Grafana");
    let variables: Vec<&str> = dashboard["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["name"].as_str().unwrap())
        .collect();
    assert_eq!(variables, ["datasource", "node", "route", "view", "upstream"]);
    let all = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), all.len(), "two panels with one number");
    let mut taken = BTreeSet::new();
    for panel in all {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24 && at("w") > 0 && at("h") > 0, "{panel}");
        for place in
            (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert(place), "{} lies on another panel", panel["title"]);
        }
    }
    for panel in panels(&dashboard) {
        let kinds = ["timeseries", "stat", "gauge", "table", "state-timeline"];
        assert!(kinds.contains(&panel["type"].as_str().unwrap()), "{panel}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
        let targets = panel["targets"].as_array().unwrap();
        let letters: BTreeSet<&str> =
            targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert!(!targets.is_empty() && letters.len() == targets.len(), "{panel}");
    }
}

#[test]
fn every_panel_shows_a_number_of_a_server_under_load_and_every_rule_can_be_evaluated() {
    if !is_here("prometheus") {
        return;
    }
    let mut scene = Scene::new();
    let prometheus = Prometheus::start(scene.server.http);
    wait::until("the first scrape", PATIENCE, || {
        // It refuses to answer until it has read its own store.
        let up = prometheus.query("up").ok()?;
        up.iter().any(|series| series.value > 0.5).then_some(())
    });
    scene.begin();
    let queries = queries(&dashboard());
    assert!(queries.len() > 60);
    let mut missing: Vec<&Query> = queries.iter().collect();
    let mut faults: BTreeSet<&str> = FAULTS.into();
    let begun = Instant::now();
    wait::until("every panel", 2 * PATIENCE, || {
        missing.retain(|query| {
            let shown = prometheus.query(&query.expression);
            let shown =
                shown.unwrap_or_else(|fault| panic!("{}: {fault}\n{}", query.panel, query.expression));
            if shown.iter().any(|series| series.value > 0.0) {
                faults.remove(&query.panel[..]);
            }
            faults.contains(&query.panel[..]) || !shown.iter().any(|series| series.value.is_finite())
        });
        let left = || missing.iter().map(|query| format!("{}: {}", query.panel, query.expression));
        assert!(
            begun.elapsed() < PATIENCE,
            "no number:\n{}\nno fault shown: {faults:?}",
            left().collect::<Vec<_>>().join("\n")
        );
        (missing.is_empty() && faults.is_empty()).then_some(())
    });
    slow_queries_are_examples(&prometheus);
    rules_are_healthy(&prometheus);
}

/// OpenMetrics is what Prometheus asks for, and only that format can carry examples: so it was read, and understood.
fn slow_queries_are_examples(prometheus: &Prometheus) {
    let buckets = "kakehashi_request_duration_seconds_bucket";
    let data = wait::until("the examples", PATIENCE, || {
        let parameters = [("query", buckets), ("start", "0"), ("end", "4102444800")];
        let data = prometheus.ask("query_exemplars", &parameters).unwrap();
        (!data.as_array().unwrap().is_empty()).then_some(data)
    });
    let example = &data[0]["exemplars"][0];
    assert!(example["labels"]["name"].as_str().unwrap().ends_with(".test."), "{data}");
    assert!(["loopback", "lab"].contains(&example["labels"]["network"].as_str().unwrap()), "{data}");
    assert!(example["value"].as_str().unwrap().parse::<f64>().unwrap() > 0.01, "{data}");
}

fn rules_are_healthy(prometheus: &Prometheus) {
    let text = shipped(RULES);
    for expression in values(&text, "expr") {
        prometheus.query(&expression).unwrap_or_else(|fault| panic!("{expression}: {fault}"));
    }
    let up = prometheus.query("up == 1").unwrap();
    assert_eq!(up.len(), 1, "the last scrape was read to its end");
    assert_eq!(up[0].labels["job"], "kakehashi");
}
