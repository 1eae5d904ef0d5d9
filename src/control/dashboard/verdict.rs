//! What is wrong, and since when: the sentence at the top of the page.

use std::collections::BTreeMap;
use std::time::Duration;

use super::frame::{Concern, Level};
use super::glance::{Glance, GroupGlance, ServerGlance};
use crate::control::status::{AlertStatus, ReloadResult};

/// A server that went down so often
const FLAPS: usize = 3;
/// within so long is not one that was restarted.
const FLAPS_WITHIN: Duration = Duration::from_secs(600);
/// So many of all answers may be SERVFAIL: the internet has broken domains.
const SERVFAIL: f64 = 0.05;
/// What detectors found is a matter of today; the list has what is older.
const ALERTS_WITHIN: Duration = Duration::from_secs(86_400);
/// Fewer answers than this say nothing.
const ENOUGH: u64 = 20;

/// What rose in the last seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rise {
    /// Answers.
    pub(super) answers: u64,
    /// Of these with SERVFAIL.
    pub(super) servfail: u64,
    /// Queries refused as too many were waiting.
    pub(super) refused: u64,
    /// Lines that the query log lost.
    pub(super) lost: u64,
}

/// What is known of the past: since when each concern is there whose beginning nobody else keeps.
#[derive(Debug, Default)]
pub(super) struct Since(BTreeMap<&'static str, f64>);

/// Everything that is wrong, the worst first.
pub(super) fn concerns(glance: &Glance, rise: Rise, since: &mut Since) -> Vec<Concern> {
    let mut found: Vec<Concern> =
        glance.unready.iter().map(|reason| concern("not-ready", Level::Bad, reason, "", 0.0, None)).collect();
    let groups = glance.groups.iter().flat_map(|group| of_group(group, glance.now.unix_micros));
    found.extend(groups);
    found.extend(since.of_rates(rise, glance.now.unix_micros as f64 / 1e6));
    if let Some(last) = glance.reloads.first().filter(|last| last.result == ReloadResult::Failure) {
        let reason = last.reasons.first().map_or("", String::as_str);
        found.push(concern("reload-failed", Level::Warning, reason, "", 0.0, seconds(&last.time)));
    }
    if let Some(trial) = &glance.configuration.on_trial {
        found.push(concern("on-trial", Level::Warning, &trial.file, "", trial.seconds as f64, None));
    }
    let alerts = alerts_of_late(&glance.alerts, as_seconds(glance.now.unix_micros));
    if alerts > 0 {
        found.push(concern("alerts", Level::Warning, "", "", alerts as f64, None));
    }
    found.sort_by_key(|concern| std::cmp::Reverse(concern.level));
    found
}

fn alerts_of_late(alerts: &[AlertStatus], now: f64) -> usize {
    let from = now - ALERTS_WITHIN.as_secs_f64();
    alerts.iter().filter(|alert| seconds(&alert.time).is_none_or(|time| time >= from)).count()
}

fn of_group(group: &GroupGlance, now: u64) -> Vec<Concern> {
    let down: Vec<&ServerGlance> = group.servers.iter().filter(|server| server.state == "down").collect();
    let mut found = Vec::new();
    if !down.is_empty() && down.len() == group.servers.len() {
        // Since the last of them went.
        let since = down.iter().filter_map(|server| fell(server)).max();
        let all = down.len() as f64;
        found.push(concern("upstream-down", Level::Bad, &group.name, "", all, since.map(as_seconds)));
    } else {
        found.extend(down.iter().map(|server| {
            let since = fell(server).map(as_seconds);
            concern("server-down", Level::Warning, &group.name, &server.address, 0.0, since)
        }));
    }
    for server in &group.servers {
        let falls = falls_within(server, now, FLAPS_WITHIN);
        if falls >= FLAPS {
            found.push(concern(
                "server-flaps",
                Level::Warning,
                &group.name,
                &server.address,
                falls as f64,
                None,
            ));
        }
    }
    found.extend(group.quarantined.iter().map(|(domain, left)| {
        concern("quarantine", Level::Warning, &group.name, domain, *left as f64, None)
    }));
    found
}

/// How often a server went down lately.
pub(super) fn falls_within(server: &ServerGlance, now: u64, lately: Duration) -> usize {
    let from = now.saturating_sub(lately.as_micros() as u64);
    server.changes.iter().filter(|(time, up)| !up && *time >= from).count()
}

fn fell(server: &ServerGlance) -> Option<u64> {
    server.changes.iter().rev().find(|(_, up)| !up).map(|(time, _)| *time)
}

impl Since {
    fn of_rates(&mut self, rise: Rise, now: f64) -> Vec<Concern> {
        let share = if rise.answers >= ENOUGH { rise.servfail as f64 / rise.answers as f64 } else { 0.0 };
        let all = [
            ("many-servfail", share > SERVFAIL, Level::Bad, share),
            ("overloaded", rise.refused > 0, Level::Bad, rise.refused as f64),
            ("log-loses", rise.lost > 0, Level::Warning, rise.lost as f64),
        ];
        let mut found = Vec::new();
        for (code, is_so, level, number) in all {
            if is_so {
                let since = *self.0.entry(code).or_insert(now);
                found.push(concern(code, level, "", "", number, Some(since)));
            } else {
                self.0.remove(code);
            }
        }
        found
    }
}

fn concern(
    code: &'static str,
    level: Level,
    subject: &str,
    object: &str,
    number: f64,
    since: Option<f64>,
) -> Concern {
    Concern { code, level, subject: subject.into(), object: object.into(), number, since }
}

fn as_seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// RFC 3339 → seconds since 1970.
fn seconds(time: &str) -> Option<f64> {
    time.parse::<jiff::Timestamp>().ok().map(|time| time.as_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(state: &'static str, changes: &[(u64, bool)]) -> ServerGlance {
        let changes = changes.iter().map(|(second, up)| (second * 1_000_000, *up)).collect();
        ServerGlance { address: "192.168.1.10:53".into(), state, changes, ..ServerGlance::default() }
    }

    fn said(servers: Vec<ServerGlance>, now: u64) -> Vec<(&'static str, Level, Option<f64>)> {
        let group = GroupGlance { name: "onprem-dc".into(), servers, ..GroupGlance::default() };
        of_group(&group, now * 1_000_000).into_iter().map(|c| (c.code, c.level, c.since)).collect()
    }

    #[test]
    fn a_group_without_a_server_is_worse_than_a_server_that_is_down() {
        let down = || server("down", &[(100, false), (110, true), (120, false)]);
        assert_eq!(
            said(vec![down(), server("up", &[])], 130),
            [("server-down", Level::Warning, Some(120.0))]
        );
        let all = said(vec![down(), server("down", &[(125, false)])], 130);
        assert_eq!(all, [("upstream-down", Level::Bad, Some(125.0))]);
        assert_eq!(said(vec![server("suspect", &[])], 130), []);
    }

    #[test]
    fn a_server_that_falls_three_times_in_ten_minutes_flaps() {
        let changes = [(100, false), (110, true), (300, false), (310, true), (650, false), (651, true)];
        assert_eq!(said(vec![server("up", &changes)], 660), [("server-flaps", Level::Warning, None)]);
        assert_eq!(said(vec![server("up", &changes)], 701), []);
    }

    #[test]
    fn what_detectors_found_yesterday_is_no_concern_of_today() {
        let alert = |time: &str| AlertStatus { time: time.into(), ..AlertStatus::default() };
        let alerts =
            [alert("2026-11-22T23:59:59Z"), alert("2026-11-23T00:00:01Z"), alert("2026-11-23T23:00:00Z")];
        let now = seconds("2026-11-24T00:00:00Z").unwrap_or_default();
        assert_eq!(alerts_of_late(&alerts, now), 2);
        assert_eq!(alerts_of_late(&alerts, now + 86_400.0), 0);
    }

    #[test]
    fn what_only_a_rate_tells_is_there_since_it_was_first_seen() {
        let mut since = Since::default();
        let bad = Rise { answers: 100, servfail: 6, ..Rise::default() };
        let times = |found: Vec<Concern>| found.iter().map(|c| (c.code, c.since)).collect::<Vec<_>>();
        assert_eq!(times(since.of_rates(bad, 10.0)), [("many-servfail", Some(10.0))]);
        assert_eq!(times(since.of_rates(bad, 11.0)), [("many-servfail", Some(10.0))]);
        assert_eq!(times(since.of_rates(Rise { servfail: 5, ..bad }, 12.0)), []);
        assert_eq!(times(since.of_rates(Rise { answers: 19, ..bad }, 13.0)), [], "too few to say");
        assert_eq!(times(since.of_rates(bad, 14.0)), [("many-servfail", Some(14.0))]);
    }
}
