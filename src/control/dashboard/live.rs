//! Glances → frames: what rose from one second to the next, percentiles, what is worth showing. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::frame::{Frame, Latency, Level, Part, Point, Route, Server, Top, Tops, Upstream, View};
use super::glance::{Glance, GroupGlance, ServerGlance};
use super::verdict::{self, Rise, Since};
use crate::observe::histogram::HistogramSum;
use crate::observe::metrics::{LATENCY, RCODES, Sums};
use crate::observe::sketch;
use crate::query::Source;
use crate::wire::rcode;

/// Seconds that the charts show.
const PAST: usize = 300;
/// Seconds over which shares and percentiles are taken: one alone jumps.
const LATELY: usize = 10;
/// How many of each list are shown.
const CONCERNS: usize = 8;
const VIEWS: usize = 12;
const ROUTES: usize = 12;
const GROUPS: usize = 24;
const SERVERS: usize = 8;
const ALERTS: usize = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// What is kept from one second to the next.
#[derive(Default)]
pub struct Live {
    /// The last glances, oldest first.
    glances: VecDeque<Glance>,
    points: VecDeque<Point>,
    since: Since,
}

impl Live {
    /// Takes a glance in; gives what to show.
    pub fn step(&mut self, glance: Glance) -> Frame {
        let frame = self.frame(&glance);
        if let Some(point) = frame.point {
            if self.points.len() == PAST {
                self.points.pop_front();
            }
            self.points.push_back(point);
        }
        if self.glances.len() == LATELY {
            self.glances.pop_front();
        }
        self.glances.push_back(glance);
        frame
    }

    /// The charts so far, for a viewer who comes later.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// Nobody looks any more: the next glance is a first one. The charts stay, with a gap.
    pub fn pause(&mut self) {
        self.glances.clear();
    }

    fn frame(&mut self, glance: &Glance) -> Frame {
        let before = self.glances.back();
        let lately = self.glances.front();
        let span = lately.map_or(0.0, |old| seconds_between(old, glance));
        let rise = lately.map(|old| rise(old, glance)).unwrap_or_default();
        let mut concerns = verdict::concerns(glance, rise, &mut self.since);
        let state = concerns.first().map_or(Level::Good, |worst| worst.level);
        let concerns_left = concerns.len().saturating_sub(CONCERNS);
        concerns.truncate(CONCERNS);
        let (views, views_left) = views(lately, glance, span);
        let (routes, routes_left) = routes(lately, glance, span);
        let servers = || glance.groups.iter().flat_map(|group| &group.servers);
        let none = Sums::default();
        let delta = Delta { from: lately.map_or(&none, |old| &old.sums), to: &glance.sums, span };
        Frame {
            time: glance.now.unix_micros as f64 / 1e6,
            version: glance.version.into(),
            node: glance.node.clone(),
            uptime_seconds: glance.uptime.as_secs(),
            workers: glance.workers,
            state,
            concerns,
            concerns_left,
            servers: (servers().count(), servers().filter(|server| server.state != "down").count()),
            zones: glance.zones,
            point: before.map(|before| point(before, glance)),
            latency: if lately.is_some() { delta.latency() } else { Vec::new() },
            sources: if lately.is_some() { delta.sources() } else { Vec::new() },
            rcodes: if lately.is_some() { delta.rcodes() } else { Vec::new() },
            views,
            views_left,
            routes,
            routes_left,
            upstreams: glance.groups.iter().take(GROUPS).map(|g| upstream(lately, g, glance, span)).collect(),
            upstreams_left: glance.groups.len().saturating_sub(GROUPS),
            caches: glance.caches.clone(),
            in_flight: glance.load.in_flight,
            tcp_connections: glance.load.tcp_connections,
            tops: tops(&glance.tops),
            configuration: (glance.configuration.file.clone(), glance.configuration.loaded.clone()),
            reloads: glance.reloads.clone(),
            alerts: glance.alerts.iter().take(ALERTS).cloned().collect(),
        }
    }
}

fn seconds_between(old: &Glance, new: &Glance) -> f64 {
    new.now.monotonic.saturating_sub(old.now.monotonic).as_secs_f64().max(1e-3)
}

fn rate(from: u64, to: u64, span: f64) -> f64 {
    if span > 0.0 { to.saturating_sub(from) as f64 / span } else { 0.0 }
}

fn rise(old: &Glance, new: &Glance) -> Rise {
    let answers = |glance: &Glance| glance.sums.responses.iter().sum::<u64>();
    let servfail = |glance: &Glance| glance.sums.responses[usize::from(rcode::SERVFAIL)];
    let lost = |glance: &Glance| glance.log.queue_full + glance.log.write_failed;
    Rise {
        answers: answers(new).saturating_sub(answers(old)),
        servfail: servfail(new).saturating_sub(servfail(old)),
        refused: new.load.overload_refused.saturating_sub(old.load.overload_refused),
        lost: lost(new).saturating_sub(lost(old)),
    }
}

fn point(before: &Glance, glance: &Glance) -> Point {
    let delta = Delta { from: &before.sums, to: &glance.sums, span: seconds_between(before, glance) };
    let all = delta.histogram(|_| true);
    let total = all.count();
    let of = |count: u64| (total > 0).then(|| count as f64 / total as f64);
    let rise = rise(before, glance);
    Point(
        glance.now.unix_micros as f64 / 1e6,
        total as f64 / delta.span,
        of(delta.histogram(is_cache).count()),
        of(rise.servfail),
        percentile(&all, 0.95),
    )
}

/// What rose between two looks at the counters.
struct Delta<'a> {
    from: &'a Sums,
    to: &'a Sums,
    span: f64,
}

fn is_cache(source: Source) -> bool {
    matches!(source, Source::AnswerCache | Source::ResponseCache | Source::Stale)
}

fn is_outside(source: Source) -> bool {
    matches!(source, Source::Forward | Source::Recurse)
}

impl Delta<'_> {
    fn histogram(&self, wanted: impl Fn(Source) -> bool) -> HistogramSum {
        let mut sum = HistogramSum { buckets: vec![0; LATENCY.len() + 1], sum: 0 };
        for (at, _) in Source::ALL.iter().enumerate().filter(|(_, source)| wanted(**source)) {
            let (from, to) = (&self.from.latency[at].buckets, &self.to.latency[at].buckets);
            for (nth, bucket) in sum.buckets.iter_mut().enumerate() {
                let count = |buckets: &[u64]| buckets.get(nth).copied().unwrap_or(0);
                *bucket += count(to).saturating_sub(count(from));
            }
        }
        sum
    }

    fn latency(&self) -> Vec<Latency> {
        let line = |of, wanted: fn(Source) -> bool| {
            let histogram = self.histogram(wanted);
            Latency {
                of,
                rate: histogram.count() as f64 / self.span,
                p50: percentile(&histogram, 0.50),
                p95: percentile(&histogram, 0.95),
                p99: percentile(&histogram, 0.99),
            }
        };
        vec![line("all", |_| true), line("here", |s| !is_outside(s)), line("outside", is_outside)]
    }

    fn sources(&self) -> Vec<Part> {
        let part = |source: &Source| Part {
            name: source.text(),
            rate: self.histogram(|one| one == *source).count() as f64 / self.span,
        };
        Source::ALL.iter().map(part).collect()
    }

    fn rcodes(&self) -> Vec<Part> {
        let names = RCODES.iter().map(|code| rcode::text(*code)).chain(["OTHER"]);
        let rates = self.from.responses.iter().zip(&self.to.responses);
        let mut parts: Vec<Part> = names
            .zip(rates)
            .map(|(name, (from, to))| Part { name, rate: rate(*from, *to, self.span) })
            .filter(|part| part.rate > 0.0)
            .collect();
        parts.sort_by(|a, b| b.rate.total_cmp(&a.rate));
        parts
    }
}

/// The time within which this part of the answers came, in milliseconds: between the bounds of the bucket where it is,
/// as if its answers were spread evenly.
fn percentile(histogram: &HistogramSum, part: f64) -> Option<f64> {
    let wanted = histogram.count() as f64 * part;
    let mut below = 0.0;
    for (at, count) in histogram.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = *count as f64;
        if below + count >= wanted {
            let low = if at == 0 { 0 } else { LATENCY[at - 1] };
            // What is slower than the last bound is at least that slow; more is not known.
            let high = LATENCY.get(at).copied().unwrap_or(low);
            let within = (wanted - below) / count;
            return Some((f64::from(low) + f64::from(high - low) * within) / 1e3);
        }
        below += count;
    }
    None
}

fn views(old: Option<&Glance>, new: &Glance, span: f64) -> (Vec<View>, usize) {
    let before: HashMap<&str, u64> = old
        .map(|old| old.views.iter().map(|view| (&view.name[..], view.queries)).collect())
        .unwrap_or_default();
    let from = |name: &str, queries| before.get(name).copied().unwrap_or(queries);
    let mut order: Vec<_> = new.views.iter().collect();
    let rising =
        |view: &&super::glance::ViewGlance| view.queries - from(&view.name, view.queries).min(view.queries);
    order.sort_by_key(|view| std::cmp::Reverse((rising(view), view.queries)));
    let left = order.len().saturating_sub(VIEWS);
    let view = |view: &super::glance::ViewGlance| View {
        name: view.name.clone(),
        networks: view.networks,
        rate: rate(from(&view.name, view.queries), view.queries, span),
        queries: view.queries,
    };
    (order.into_iter().take(VIEWS).map(view).collect(), left)
}

fn routes(old: Option<&Glance>, new: &Glance, span: f64) -> (Vec<Route>, usize) {
    let before: HashMap<&str, u64> = old
        .map(|old| old.routes.iter().map(|route| (&route.label[..], route.queries)).collect())
        .unwrap_or_default();
    let from = |label: &str, queries| before.get(label).copied().unwrap_or(queries);
    let mut order: Vec<_> = new.routes.iter().collect();
    // By all their traffic, so that lines do not change places every second.
    order.sort_by_key(|route| std::cmp::Reverse(route.queries));
    let left = order.len().saturating_sub(ROUTES);
    let route = |route: &super::glance::RouteGlance| Route {
        label: route.label.clone(),
        domain: route.domain.clone(),
        kind: route.kind,
        target: route.target.clone(),
        rate: rate(from(&route.label, route.queries), route.queries, span),
        queries: route.queries,
    };
    (order.into_iter().take(ROUTES).map(route).collect(), left)
}

fn upstream(old: Option<&Glance>, group: &GroupGlance, glance: &Glance, span: f64) -> Upstream {
    let before = old.and_then(|old| old.groups.iter().find(|before| before.name == group.name));
    let server = |server: &ServerGlance| {
        let same = |before: &&ServerGlance| before.address == server.address;
        let before = before.and_then(|group| group.servers.iter().find(same)).unwrap_or(server);
        Server {
            address: server.address.clone(),
            state: server.state,
            backup: server.backup,
            latency_ms: server.latency_ms,
            rate: rate(before.queries, server.queries, span),
            failing: rate(before.failures, server.failures, span),
            changes: server.changes.iter().map(|(time, up)| (*time as f64 / 1e6, *up)).collect(),
            flaps: verdict::falls_within(server, glance.now.unix_micros, HOUR),
        }
    };
    Upstream {
        name: group.name.clone(),
        in_flight: group.in_flight,
        servers: group.servers.iter().take(SERVERS).map(server).collect(),
    }
}

fn tops(tops: &sketch::Tops) -> Tops {
    let list = |list: &[sketch::Top]| {
        let top = |top: &sketch::Top| Top { what: top.what.clone(), count: top.count, over: top.over };
        list.iter().map(top).collect()
    };
    Tops {
        seconds: tops.seconds,
        queries: tops.queries,
        names: list(&tops.names),
        failing: list(&tops.failing),
        clients: list(&tops.clients),
    }
}

#[cfg(test)]
mod tests;
