//! Frames from glances: rates, parts, percentiles, and lists that stay short.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::control::dashboard::glance::{RouteGlance, ViewGlance};
use crate::control::status::{ConfigurationStatus, TrialStatus};
use crate::observe::metrics::Metrics;
use crate::observe::readings::{LoadReading, LogReading};
use crate::query::Now;

/// A look at this second, when so many queries had been answered, by source.
fn glance(second: u64, answered: &[(Source, u64)]) -> Glance {
    let mut sums = Metrics::new(1).sum();
    for (source, count) in answered {
        // All within 50 to 100 µs.
        let histogram = &mut sums.latency[*source as usize];
        histogram.buckets = vec![0; LATENCY.len() + 1];
        histogram.buckets[1] = *count;
        sums.responses[0] += count;
    }
    Glance {
        now: Now { monotonic: Duration::from_secs(second), unix_micros: 1_000_000 * (1_000 + second) },
        version: "0.1.0",
        node: "kakehashi-1a".into(),
        uptime: Duration::from_secs(second),
        workers: 2,
        unready: Vec::new(),
        sums,
        views: Vec::new(),
        routes: Vec::new(),
        zones: (1, 6),
        groups: Vec::new(),
        caches: Vec::new(),
        log: LogReading::default(),
        load: LoadReading::default(),
        configuration: ConfigurationStatus::default(),
        reloads: Vec::new(),
        alerts: Vec::new(),
        tops: sketch::Tops::default(),
    }
}

#[test]
fn a_second_is_what_rose_in_it_and_the_first_one_says_nothing() {
    let mut live = Live::default();
    let first = live.step(glance(0, &[(Source::AnswerCache, 1_000)]));
    assert_eq!((first.point, first.sources.len(), first.state), (None, 0, Level::Good));
    let second = live.step(glance(2, &[(Source::AnswerCache, 1_300), (Source::Forward, 100)]));
    let Point(time, queries, hits, servfail, p95) = second.point.unwrap();
    assert_eq!((time, queries, hits, servfail), (1_002.0, 200.0, Some(0.75), Some(0.0)));
    assert!((p95.unwrap() - 0.0975).abs() < 1e-9, "95 % of the way from 50 to 100 µs: {p95:?}");
    let rates: Vec<_> =
        second.sources.iter().filter(|part| part.rate > 0.0).map(|p| (p.name, p.rate)).collect();
    assert_eq!(rates, [("answer-cache", 150.0), ("forward", 50.0)]);
    assert_eq!(second.rcodes, [Part { name: "NOERROR", rate: 200.0 }]);
    let of: Vec<_> = second.latency.iter().map(|line| (line.of, line.rate)).collect();
    assert_eq!(of, [("all", 200.0), ("here", 150.0), ("outside", 50.0)]);
    // A second without a query has no parts: not none.
    let third = live.step(glance(3, &[(Source::AnswerCache, 1_300), (Source::Forward, 100)]));
    assert_eq!(third.point, Some(Point(1_003.0, 0.0, None, None, None)));
    assert_eq!(live.points().count(), 2);
}

#[test]
fn a_configuration_on_trial_is_said_with_the_time_that_is_left() {
    let mut glance = glance(0, &[]);
    glance.configuration.on_trial = Some(TrialStatus { file: "new.toml".into(), seconds: 42 });
    let frame = Live::default().step(glance);
    let said: Vec<_> = frame.concerns.iter().map(|c| (c.code, &c.subject[..], c.number)).collect();
    assert_eq!((frame.state, said), (Level::Warning, vec![("on-trial", "new.toml", 42.0)]));
}

#[test]
fn a_percentile_beyond_the_last_bound_is_that_bound() {
    let mut buckets = vec![0; LATENCY.len() + 1];
    *buckets.last_mut().unwrap() = 7;
    assert_eq!(percentile(&HistogramSum { buckets, sum: 0 }, 0.99), Some(2_000.0));
    assert_eq!(percentile(&HistogramSum { buckets: vec![0; LATENCY.len() + 1], sum: 0 }, 0.5), None);
}

#[test]
fn after_a_pause_nothing_is_taken_for_one_second_of_traffic() {
    let mut live = Live::default();
    live.step(glance(0, &[]));
    live.step(glance(1, &[(Source::Zone, 10)]));
    live.pause();
    let back = live.step(glance(3_600, &[(Source::Zone, 1_000_000)]));
    assert_eq!((back.point, live.points().count()), (None, 1));
}

#[test]
fn lists_and_charts_are_bounded_and_say_what_they_leave_out() {
    let mut live = Live::default();
    let large = |second: u64| {
        let mut large = glance(second, &[]);
        large.views = (0..5_000)
            .map(|nth| ViewGlance {
                name: format!("v{nth}"),
                networks: 1,
                queries: if nth == 4_321 { second } else { 0 },
            })
            .collect();
        large.routes = (0..5_000)
            .map(|nth| RouteGlance { label: format!("r{nth}"), queries: nth, ..RouteGlance::default() })
            .collect();
        let servers =
            vec![
                ServerGlance { state: "down", changes: vec![(1, false); 24], ..ServerGlance::default() };
                100
            ];
        large.groups = vec![GroupGlance { servers, ..GroupGlance::default() }; 300];
        large
    };
    live.step(large(0));
    let frame = live.step(large(1));
    assert_eq!(
        (&frame.views[0].name[..], frame.views[0].rate, frame.views_left),
        ("v4321", 1.0, 5_000 - VIEWS)
    );
    assert_eq!((&frame.routes[0].label[..], frame.routes_left), ("r4999", 5_000 - ROUTES));
    assert_eq!((frame.upstreams.len(), frame.upstreams[0].servers.len()), (GROUPS, SERVERS));
    assert_eq!(
        (frame.concerns.len(), frame.concerns_left, frame.state),
        (CONCERNS, 300 - CONCERNS, Level::Bad)
    );
    assert_eq!(frame.servers, (30_000, 0));
    let size = serde_json::to_vec(&frame).unwrap().len();
    assert!(size < 150_000, "{size} octets");
    for second in 2..400 {
        live.step(glance(second, &[]));
    }
    assert_eq!(live.points().count(), PAST);
}
