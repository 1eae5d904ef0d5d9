//! The alert rules: what promtool says of them, and that each is tried firing and silent.

use std::collections::BTreeMap;
use std::process::Command;

use crate::{is_here, shipped};

pub const RULES: &str = "conf/prometheus-rules.yml";
const CASES: &str = "tests/watching/rules.test.yml";

/// What stands behind this key, one for each line that has it.
pub fn values(text: &str, key: &str) -> Vec<String> {
    let values = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("- ");
        line.strip_prefix(key)?.strip_prefix(": ")
    });
    values.map(|value| value.trim_matches('\'').replace("''", "'")).collect()
}

fn promtool(words: &[&str]) {
    if is_here("promtool") {
        let folder = env!("CARGO_MANIFEST_DIR");
        let output = Command::new("promtool").args(words).current_dir(folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool {words:?} says:\n{said}");
    }
}

#[test]
fn promtool_finds_no_fault_in_the_rules() {
    promtool(&["check", "rules", RULES]);
}

#[test]
fn every_case_of_the_alerts_ends_as_it_says() {
    promtool(&["test", "rules", CASES]);
}

#[test]
fn every_alert_has_a_case_where_it_fires_and_one_where_it_does_not() {
    let cases = shipped(CASES);
    let mut expected: BTreeMap<(String, bool), &str> = BTreeMap::new();
    for case in cases.split("  - name: ").skip(1) {
        let (alert, ends) = case.lines().next().unwrap().split_once(' ').unwrap();
        let wanted = case.split("exp_samples: ").nth(1).unwrap().trim();
        assert!(case.contains(&format!("alertname=\"{alert}\"")), "{case}");
        assert_eq!(wanted != "[]", ends == "fires", "{case}");
        assert!(wanted == "[]" || wanted.contains(alert), "{case}");
        expected.insert((alert.to_owned(), ends == "fires"), wanted);
    }
    let alerts = values(&shipped(RULES), "alert");
    assert!(alerts.len() >= 25, "{alerts:?}");
    for alert in &alerts {
        for fires in [true, false] {
            assert!(expected.contains_key(&(alert.clone(), fires)), "{alert} has no case, firing: {fires}");
        }
    }
    assert_eq!(expected.len(), 2 * alerts.len(), "a case for an alert that there is not");
}

#[test]
fn every_alert_says_what_it_means_and_which_command_shows_it() {
    let text = shipped(RULES);
    let alerts = values(&text, "alert").len();
    for key in ["summary", "description", "command"] {
        let said = values(&text, key);
        assert_eq!(said.len(), alerts, "{key}");
        assert!(said.iter().all(|said| said.len() > 15), "{said:?}");
    }
    assert_eq!(text.matches("labels: { severity: ").count(), alerts);
}
