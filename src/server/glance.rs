//! The numbers behind the dashboard: read once a second while somebody looks, and never otherwise.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::status::{Show, failures};
use super::zones::own_zones;
use crate::control::dashboard::glance::{Glance, GroupGlance, RouteGlance, ServerGlance, ViewGlance};
use crate::control::status::AlertStatus;
use crate::detect::Alert;
use crate::health::State;
use crate::listen::{Stats, clock};
use crate::observe::metrics::Sums;
use crate::observe::readings::LoadReading;
use crate::pipeline::Snapshot;
use crate::query::Now;
use crate::route::table::RouteSpec;
use crate::route::{Target, Visible};
use crate::upstream::{Group, Role};

/// Names of an alert that are shown.
const SAMPLES: usize = 3;

/// One look at everything.
pub(super) fn glance(show: &Show) -> Glance {
    let snapshot = show.shared.snapshot();
    let mut sums = show.metrics.sum();
    // Large, and not shown.
    (sums.by_route, sums.by_view) = (HashMap::new(), HashMap::new());
    let now = clock::now();
    let sum =
        |field: fn(&Stats) -> u64| show.standing.workers().iter().map(|stats| field(stats)).sum::<u64>();
    let reloads = show.reloads.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recent.clone();
    Glance {
        now,
        version: env!("CARGO_PKG_VERSION"),
        node: snapshot.directory.node.clone(),
        uptime: show.started.elapsed().unwrap_or_default(),
        workers: show.counts.len(),
        unready: show.standing.ready(Instant::now()).err().unwrap_or_default(),
        views: views(&snapshot, &sums),
        routes: routes(&snapshot, &sums),
        zones: own_zones(&snapshot)
            .fold((0, 0), |(zones, records), (_, zone)| (zones + 1, records + zone.records)),
        groups: snapshot.groups.iter().map(|one| group(one, now)).collect(),
        caches: show.caches(),
        log: show.log.reading(),
        load: LoadReading {
            tcp_connections: sum(|stats| stats.tcp_open.get()),
            in_flight: sum(|stats| stats.in_flight.get()),
            overload_refused: sum(|stats| stats.overloaded.get()),
            ..LoadReading::default()
        },
        configuration: show.configuration(),
        reloads: reloads.into(),
        alerts: show.detecting.recent().iter().map(|found| alert(found)).collect(),
        tops: show.sketches.tops(),
        sums,
    }
}

/// An alert in a sentence.
fn alert(alert: &Alert) -> AlertStatus {
    let client = alert.client.map(|client| client.to_string());
    let subject = [client.as_ref(), alert.network.as_ref().or(alert.account.as_ref()), alert.domain.as_ref()];
    let numbers =
        alert.evidence.iter().map(|(what, number)| format!("{what} {}", (number * 100.0).round() / 100.0));
    let samples = alert.samples.iter().take(SAMPLES).cloned();
    AlertStatus {
        kind: alert.kind.text().to_owned(),
        subject: subject.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · "),
        evidence: numbers.chain(samples).collect::<Vec<_>>().join(", "),
        time: alert.last_seen.clone(),
    }
}

fn views(snapshot: &Snapshot, sums: &Sums) -> Vec<ViewGlance> {
    let table = &snapshot.table;
    let view = |name: &str| ViewGlance { name: name.to_owned(), ..ViewGlance::default() };
    let mut views: Vec<ViewGlance> = table.views().iter().map(|one| view(&one.name)).collect();
    for (network, number) in snapshot.directory.networks.iter().zip(0..) {
        if let Some(view) = table.view_of(number).and_then(|view| views.get_mut(view as usize)) {
            view.networks += 1;
            view.queries += sums.networks.get(&network.name).copied().unwrap_or(0);
        }
    }
    views
}

/// All routes of the configuration; of those that are built in the ones that were asked. Routes of one label, such as the
/// reverse zones of one file, are counted together, so they are one line here, too.
fn routes(snapshot: &Snapshot, sums: &Sums) -> Vec<RouteGlance> {
    let mut labels = HashSet::new();
    let route = |spec: &RouteSpec| {
        let queries = sums.routes.get(&spec.label).copied().unwrap_or(0);
        let (kind, target) = match spec.target {
            Target::Zone(_) => ("zone", None),
            Target::Forward(group) => ("forward", Some(snapshot.groups[group as usize].name().to_owned())),
            Target::Recurse => ("recurse", None),
            Target::Refuse => ("refuse", None),
        };
        let is_shown = queries > 0 || spec.visible != Visible::WhereForwarded;
        is_shown.then(|| RouteGlance {
            label: spec.label.clone(),
            domain: spec.domain.to_string(),
            kind,
            target,
            queries,
        })
    };
    snapshot.table.routes().filter(|spec| labels.insert(spec.label.as_str())).filter_map(route).collect()
}

fn group(group: &Group, now: Now) -> GroupGlance {
    let status = group.status(now);
    let quarantined = status.quarantined.iter().filter_map(|one| {
        let left = one.until.checked_sub(now.monotonic).filter(|left| !left.is_zero())?;
        Some((one.domain.clone(), left.as_secs()))
    });
    let servers = group.servers().iter().zip(&status.servers).map(|(server, status)| ServerGlance {
        address: status.address.to_string(),
        state: status.health.state.text(),
        backup: status.role == Role::Backup,
        latency_ms: status.health.latency.map(|latency| latency.as_micros() as f64 / 1e3),
        queries: status.counts.tally.queries + status.health.probes,
        failures: failures(status).values().sum(),
        changes: server
            .health()
            .changes()
            .iter()
            .map(|change| (change.unix_micros, change.state != State::Down))
            .collect(),
    });
    GroupGlance {
        name: status.name.clone(),
        in_flight: status.in_flight,
        quarantined: quarantined.collect(),
        servers: servers.collect(),
    }
}
