//! What the HTTP endpoint may show: the rooms' own figures, put together when somebody asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::life::Origin;
pub(super) use super::reloads::Reloads;
use super::reloads::{reload, rfc3339};
use super::standing::Standing;
use super::zones::{own_zones, zones};
use crate::cache::{Counts, PublishedCounts};
use crate::control::Status;
use crate::control::dashboard::Glance;
use crate::control::dashboard::question::Question;
use crate::control::status::{
    CacheStatus, ConfigurationStatus, LimitStatus, QuarantineStatus, RouteStatus, ServerStatus,
    StatusDocument, TrialStatus, UpstreamStatus, ViewStatus,
};
use crate::detect;
use crate::health::State;
use crate::listen::stats::Closed;
use crate::listen::{Stats, clock};
use crate::observe::histogram::HistogramSum;
use crate::observe::readings::{
    CacheReading, ClientReading, GroupReading, LoadReading, ReloadReading, TimesReading, UpstreamReading,
    ZoneReading,
};
use crate::observe::registry::{Exposition, Format};
use crate::observe::sketch::{Look, Sketches};
use crate::observe::{LogControl, Metrics, Readings, TapControl, process};
use crate::pipeline::explain::{Explanation, explain};
use crate::pipeline::{Shared, Snapshot};
use crate::route::{Target, Visible};
use crate::upstream::{self, Role};

/// Everything that is shown.
pub(super) struct Show {
    pub shared: Arc<Shared>,
    pub metrics: Arc<Metrics>,
    pub counts: Vec<Arc<PublishedCounts>>,
    pub standing: Arc<Standing>,
    pub log: LogControl,
    pub detecting: detect::Control,
    pub taps: TapControl,
    pub reloads: Arc<Mutex<Reloads>>,
    pub origin: Origin,
    pub started: SystemTime,
    /// Bytes that the response cache and all answer caches together may hold.
    pub capacities: (u64, u64),
    /// Queries that may wait, and TCP connections that may be open, of all workers.
    pub limits: (u64, u64),
    /// What is asked most, while somebody looks.
    pub sketches: Sketches,
}

impl Status for Show {
    fn metrics(&self, format: Format) -> String {
        let snapshot = self.shared.snapshot();
        Exposition {
            sums: &self.metrics.sum(),
            readings: &self.readings(&snapshot),
            directory: &snapshot.directory,
            process: process::read(),
            started: self.started,
            version: env!("CARGO_PKG_VERSION"),
        }
        .write(format)
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        self.standing.ready(Instant::now())
    }

    fn status(&self) -> StatusDocument {
        let snapshot = self.shared.snapshot();
        let sums = self.metrics.sum();
        let now = clock::now();
        StatusDocument {
            version: env!("CARGO_PKG_VERSION").into(),
            node: snapshot.directory.node.clone(),
            uptime_seconds: self.started.elapsed().map_or(0, |age| age.as_secs()),
            workers: self.counts.len(),
            configuration: self.configuration(),
            views: views(&snapshot),
            routes: routes(&snapshot, &sums.routes),
            zones: zones(&snapshot),
            upstreams: snapshot
                .groups
                .iter()
                .map(|group| upstream(&group.status(now), now.monotonic))
                .collect(),
            caches: self.caches(),
            alerts: self.detecting.recent().iter().map(|alert| (**alert).clone()).collect(),
            limits: limited(&snapshot)
                .map(|((limit, action), count)| LimitStatus {
                    limit: limit.into(),
                    action: action.into(),
                    count,
                })
                .collect(),
        }
    }

    fn glance(&self) -> Glance {
        super::glance::glance(self)
    }

    fn look(&self) -> Look {
        self.sketches.look()
    }

    fn explain(&self, question: &Question) -> Explanation {
        let Question { client, name, qtype } = question;
        explain(&self.shared.snapshot(), *client, name, *qtype, clock::now())
    }
}

impl Show {
    pub(super) fn configuration(&self) -> ConfigurationStatus {
        let reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ConfigurationStatus {
            file: match &self.origin {
                Origin::File(path) => path.display().to_string(),
                Origin::Memory => "built in".into(),
            },
            loaded: reloads.last_success.map(rfc3339).unwrap_or_default(),
            last_reload: reloads.last.map(|(time, outcome)| reload(time, &outcome)),
            on_trial: reloads.awaiting.map(|awaiting| TrialStatus {
                file: awaiting.file,
                seconds: awaiting.ends.saturating_sub(clock::now().monotonic).as_secs(),
            }),
            last_trial: reloads.last_trial,
        }
    }

    fn answer_counts(&self) -> Counts {
        self.counts.iter().map(|counts| counts.get()).fold(Counts::default(), |sum, one| Counts {
            hits: sum.hits + one.hits,
            misses: sum.misses + one.misses,
            evictions: sum.evictions + one.evictions,
            entries: sum.entries + one.entries,
            bytes: sum.bytes + one.bytes,
        })
    }

    pub(super) fn caches(&self) -> Vec<CacheStatus> {
        let (response, answer) = self.capacities;
        let cache = |name: &str, counts: Counts, capacity_bytes| CacheStatus {
            name: name.into(),
            entries: counts.entries,
            bytes: counts.bytes,
            capacity_bytes,
            hits: counts.hits,
            misses: counts.misses,
        };
        vec![
            cache("answer", self.answer_counts(), answer),
            cache("response", self.shared.responses.counts(), response),
        ]
    }

    fn readings(&self, snapshot: &Snapshot) -> Readings {
        let sum = |field: fn(&Stats) -> u64| self.standing.workers().iter().map(|stats| field(stats)).sum();
        let reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let groups: Vec<_> =
            snapshot.groups.iter().map(|group| (group.status(clock::now()), group)).collect();
        let (response_capacity, answer_capacity) = self.capacities;
        Readings {
            answer_cache: reading(self.answer_counts(), answer_capacity),
            response_cache: reading(self.shared.responses.counts(), response_capacity),
            upstreams: groups.iter().flat_map(|(status, _)| readings(status)).collect(),
            groups: groups.iter().map(|(status, group)| group_reading(status, group.spec())).collect(),
            zones: own_zones(snapshot)
                .map(|(label, zone)| ZoneReading { zone: label, serial: zone.serial, records: zone.records })
                .collect(),
            reloads: ReloadReading {
                succeeded: reloads.succeeded,
                failed: reloads.failed,
                last_failed: reloads.last.is_some_and(|(_, outcome)| outcome.is_err()),
                last_success: reloads.last_success,
            },
            log: self.log.reading(),
            alerts: super::output::alert_reading(self.detecting.counts()),
            taps: self.taps.readings(),
            passages_missed: self.log.passages_missed(),
            load: LoadReading {
                tcp_connections: sum(|stats| stats.tcp_open.get()),
                max_tcp_connections: self.limits.1,
                in_flight: sum(|stats| stats.in_flight.get()),
                max_in_flight: self.limits.0,
                overload_refused: sum(|stats| stats.overloaded.get()),
                silent_drops: sum(|stats| stats.silent.get()),
                unusable_datagrams: sum(|stats| stats.unusable.get()),
                socket_errors: BTreeMap::from([
                    ("accept", sum(|stats| stats.accept_errors.get())),
                    ("receive", sum(|stats| stats.receive_errors.get())),
                    ("send", sum(|stats| stats.send_errors.get() + stats.send_stuck.get())),
                ]),
                panics: sum(|stats| stats.panics.get()),
            },
            clients: self.clients(snapshot),
        }
    }
}

impl Show {
    fn clients(&self, snapshot: &Snapshot) -> ClientReading {
        let workers = self.standing.workers();
        let closed = |reason: Closed| workers.iter().map(|stats| stats.closed(reason).get()).sum();
        ClientReading {
            limited: limited(snapshot).collect(),
            tcp_accepted: workers.iter().map(|stats| stats.tcp_accepted.get()).sum(),
            tcp_closed: Closed::ALL.iter().map(|reason| (reason.text(), closed(*reason))).collect(),
        }
    }
}

/// What was done to clients beyond their limits.
fn limited(snapshot: &Snapshot) -> impl Iterator<Item = ((&'static str, &'static str), u64)> {
    snapshot.policy.state.counts().map(|(measure, count)| (measure.text(), count))
}

fn reading(counts: Counts, capacity: u64) -> CacheReading {
    let Counts { hits, misses, evictions, entries, bytes } = counts;
    CacheReading { hits, misses, evictions, entries, bytes, capacity }
}

fn group_reading(group: &upstream::GroupStatus, spec: &upstream::Spec) -> GroupReading {
    let upstream::status::GroupTally {
        answered,
        timeouts,
        unreachable,
        failed,
        not_asked,
        over_rate,
        over_in_flight,
        over_share,
    } = group.queries;
    let now = clock::now().monotonic;
    GroupReading {
        upstream: group.name.clone(),
        in_flight: group.in_flight.into(),
        max_in_flight: spec.max_in_flight.into(),
        max_rate: spec.rate.as_ref().map(|rate| rate.limit().into()),
        outcomes: BTreeMap::from([
            ("answered", answered),
            ("timeout", timeouts),
            ("unreachable", unreachable),
            ("failed", failed),
            ("not-asked", not_asked),
        ]),
        quarantined: group.quarantined.iter().filter(|one| one.until > now).count() as u64,
        withheld: [("rate", over_rate), ("in-flight", over_in_flight), ("domain-share", over_share)].into(),
        loops: group.loops,
    }
}

fn readings(group: &upstream::GroupStatus) -> impl Iterator<Item = UpstreamReading> {
    group.servers.iter().map(|server| {
        let tally = &server.counts.tally;
        let changed = server.health.changed_unix_micros;
        UpstreamReading {
            upstream: group.name.clone(),
            server: server.address,
            up: server.health.state != State::Down,
            queries: tally.queries + server.health.probes,
            failures: failures(server),
            responses: BTreeMap::from([
                ("NOERROR", tally.noerror),
                ("NXDOMAIN", tally.nxdomain),
                ("SERVFAIL", tally.servfail),
                ("REFUSED", tally.refused),
                ("OTHER", tally.other_rcode),
            ]),
            latency: server.health.latency,
            times: TimesReading {
                bounds: &upstream::status::BOUNDS_MICROS,
                counts: HistogramSum {
                    buckets: server.counts.latency_buckets.to_vec(),
                    sum: server.counts.latency_sum_micros,
                },
            },
            falls: server.health.falls,
            probes: server.health.probes,
            changed: (changed > 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_micros(changed)),
            tcp_fallbacks: tally.tcp_fallbacks,
            case_fallbacks: tally.case_fallbacks,
            cookie_fallbacks: tally.cookie_fallbacks,
            plain_fallbacks: tally.plain_fallbacks,
            ignored_datagrams: tally.ignored_datagrams,
        }
    })
}

pub(super) fn failures(server: &upstream::ServerStatus) -> BTreeMap<&'static str, u64> {
    let tally = &server.counts.tally;
    BTreeMap::from([
        ("timeout", tally.timeouts),
        ("unreachable", tally.unreachable),
        ("servfail", tally.servfail),
        ("refused", tally.refused),
        ("other-rcode", tally.other_rcode),
        ("garbage", tally.garbage),
        ("local", tally.local_errors),
        ("probe", server.health.probe_failures),
    ])
}

fn upstream(group: &upstream::GroupStatus, now: Duration) -> UpstreamStatus {
    let servers = group.servers.iter().map(|server| ServerStatus {
        address: server.address.to_string(),
        state: server.health.state.text().into(),
        backup: server.role == Role::Backup,
        latency_ms: server.health.latency.map(|latency| latency.as_micros() as f64 / 1e3),
        queries: server.counts.tally.queries + server.health.probes,
        failures: failures(server).values().sum(),
        spared: server.spared.iter().map(|what| (*what).into()).collect(),
    });
    let quarantine = |one: &upstream::Quarantined| {
        let left = one.until.checked_sub(now).filter(|left| !left.is_zero())?;
        Some(QuarantineStatus { domain: one.domain.clone(), seconds: left.as_secs() })
    };
    UpstreamStatus {
        name: group.name.clone(),
        servers: servers.collect(),
        in_flight: group.in_flight,
        not_asked: group.queries.not_asked,
        loops: group.loops,
        quarantined: group.quarantined.iter().filter_map(quarantine).collect(),
    }
}

fn views(snapshot: &Snapshot) -> Vec<ViewStatus> {
    let table = &snapshot.table;
    let view = |number: u32| ViewStatus {
        name: table.view(number).name.clone(),
        networks: table
            .networks_of(number)
            .map(|n| snapshot.directory.networks[n as usize].name.clone())
            .collect(),
        routes: table.routes_of(number).map(|route| route.label.clone()).collect(),
    };
    (0..table.views().len() as u32).map(view).collect()
}

fn routes(snapshot: &Snapshot, queries: &std::collections::HashMap<String, u64>) -> Vec<RouteStatus> {
    let route = |spec: &crate::route::table::RouteSpec| {
        let (kind, target) = match spec.target {
            Target::Zone(_) => ("zone", Some(spec.label.clone())),
            Target::Forward(group) => ("forward", Some(snapshot.groups[group as usize].name().to_owned())),
            Target::Recurse => ("recurse", None),
            Target::Refuse => ("refuse", None),
        };
        RouteStatus {
            label: spec.label.clone(),
            domain: spec.domain.to_string(),
            kind: kind.into(),
            target,
            visible_to: match &spec.visible {
                Visible::Everyone => vec!["any".into()],
                Visible::To(labels) => labels.clone(),
                Visible::WhereForwarded => vec!["views that lead outside".into()],
            },
            queries: queries.get(&spec.label).copied().unwrap_or(0),
        }
    };
    snapshot.table.routes().map(route).collect()
}
