//! A metric that is named anywhere in what is shipped is one that there is.

use std::collections::BTreeSet;

use crate::dashboard::expressions;
use crate::rules::{RULES, values};
use crate::scene::Scene;
use crate::{PATIENCE, shipped, wait};

/// The names of metrics in a text. `kakehashi_cache_{hits,misses}_total` is two; `process_*` is none.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:{,}".contains(c))) {
        let begins = |prefix: &str| word.find(prefix).filter(|at| !word[..*at].ends_with([':', '_']));
        let Some(at) = begins("kakehashi_").or_else(|| begins("process_")) else { continue };
        names.extend(alternatives(&word[at..]).into_iter().filter(|name| !name.ends_with('_')));
    }
    names
}

fn alternatives(word: &str) -> Vec<String> {
    let Some((head, rest)) = word.split_once('{') else {
        return vec![word.split(['}', ',', ':']).next().unwrap_or_default().to_owned()];
    };
    match rest.split_once('}') {
        // PromQL's own braces stand behind a whole name.
        Some((list, tail)) if head.ends_with('_') => {
            list.split(',').flat_map(|one| alternatives(&format!("{head}{one}{tail}"))).collect()
        }
        _ => vec![head.to_owned()],
    }
}

/// The families of a page, and what a histogram's series are called.
fn known(page: &str) -> BTreeSet<String> {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let series = |(name, kind): (&str, &str)| match kind {
        "histogram" => ["", "_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")).to_vec(),
        _ => vec![name.to_owned()],
    };
    types.flat_map(series).collect()
}

#[test]
fn names_are_found_in_prose_and_in_promql() {
    let text = "`kakehashi_cache_{hits,misses}_total`, `process_*` and sum(rate(kakehashi_queries_total{a=\"b\"}[5m])) \
                / instance:kakehashi_hits:ratio5m, kakehashi_upstream_up.";
    let wanted = [
        "kakehashi_cache_hits_total",
        "kakehashi_cache_misses_total",
        "kakehashi_queries_total",
        "kakehashi_upstream_up",
    ];
    assert_eq!(names(text), wanted.map(str::to_owned).into());
}

#[test]
fn rules_dashboard_and_readme_name_only_metrics_that_there_are() {
    let mut scene = Scene::new();
    scene.begin();
    let page = wait::until("a failure is counted", PATIENCE, || {
        let (_, page) = scene.server.page("/metrics");
        page.contains("kakehashi_failures_total").then_some(page)
    });
    let known = known(&page);
    let rules = shipped(RULES);
    let shipped = [
        ("the rules", values(&rules, "expr").join("\n") + &values(&rules, "command").join("\n")),
        ("the dashboard", expressions().join("\n")),
        ("README.md", shipped("README.md")),
        ("README.ja.md", shipped("README.ja.md")),
    ];
    for (place, text) in &shipped {
        let named = names(text);
        let unknown: Vec<&String> = named.difference(&known).collect();
        assert!(
            named.len() > 5 && unknown.is_empty(),
            "{place} names metrics that there are not: {unknown:?}"
        );
    }
}

#[test]
fn what_is_recorded_is_what_is_used() {
    let rules = shipped(RULES);
    let recorded = values(&rules, "record");
    assert!(recorded.len() > 5);
    let used = values(&rules, "expr").join("\n") + &expressions().join("\n");
    let words = used.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
    for word in words.filter(|word| word.contains(":kakehashi_")) {
        assert!(recorded.iter().any(|name| name == word), "{word} is recorded by no rule");
    }
}
