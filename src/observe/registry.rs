//! All metrics, in one place: name, help, labels. Base units; `_total` on what only grows; labels only from this program
//! and its configuration, never from a query.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::query::{Directory, Source, Transport};
use crate::wire::rcode;

use super::family::{Family, Page};
use super::metrics::{LATENCY, QTYPES, RCODES, SIZES, Sums};
use super::process::{ProcessReading, unix_seconds};
use super::readings::{
    CacheReading, ClientReading, GroupReading, LoadReading, LogReading, Readings, ReloadReading,
    UpstreamReading, ZoneReading,
};

/// Above so many labels those that were never asked for are left out, so that a page stays readable.
const MANY: usize = 1_000;
const MICROS: f64 = 1e6;

/// What a page is made from.
pub struct Exposition<'a> {
    /// What the workers counted.
    pub sums: &'a Sums,
    /// What other rooms say.
    pub readings: &'a Readings,
    /// The names in force, for the accounts of networks.
    pub directory: &'a Directory,
    /// What the kernel says.
    pub process: ProcessReading,
    /// When the process began to serve.
    pub started: SystemTime,
    /// This program's version.
    pub version: &'a str,
}

impl Exposition<'_> {
    /// The page in Prometheus's text format.
    pub fn text(&self) -> String {
        let mut page = Page::default();
        queries(&mut page, self.sums);
        networks(&mut page, self.sums, self.directory);
        caches(&mut page, self.readings);
        upstreams(&mut page, &self.readings.upstreams);
        groups(&mut page, &self.readings.groups);
        zones(&mut page, &self.readings.zones);
        reloads(&mut page, &self.readings.reloads);
        query_log(&mut page, &self.readings.log);
        load(&mut page, &self.readings.load);
        clients(&mut page, &self.readings.clients);
        page.gauge("kakehashi_build_info", "The version that runs; always 1.")
            .set(&[("version", self.version)], 1.0);
        process(&mut page, &self.process, self.started);
        page.text().unwrap_or_else(|fault| {
            // The crate refuses a family without a name or without a number; none is made here.
            tracing::error!(%fault, "the metrics cannot be written");
            String::new()
        })
    }
}

fn queries(page: &mut Page, sums: &Sums) {
    let mut family =
        page.counter("kakehashi_queries_total", "Queries received, by transport and address family.");
    for (transport, families) in Transport::ALL.iter().zip(sums.queries) {
        for (name, count) in ["ipv4", "ipv6"].iter().zip(families) {
            family.set(&[("transport", transport.text()), ("family", name)], count as f64);
        }
    }
    drop(family);
    let mut family = page.counter("kakehashi_responses_total", "Responses sent, by response code.");
    let codes = RCODES.iter().map(|code| rcode::text(*code)).chain(["OTHER"]);
    for (code, count) in codes.zip(sums.responses) {
        family.set(&[("rcode", code)], count as f64);
    }
    drop(family);
    let mut family =
        page.counter("kakehashi_answers_total", "Responses sent, by where the answer came from.");
    for (source, latency) in Source::ALL.iter().zip(&sums.latency) {
        family.set(&[("source", source.text())], latency.count() as f64);
    }
    drop(family);
    let mut family = page.histogram(
        "kakehashi_request_duration_seconds",
        "Time from a query's arrival to its answer, by where the answer came from.",
    );
    for (source, latency) in Source::ALL.iter().zip(&sums.latency) {
        family.observed(&[("source", source.text())], &LATENCY, MICROS, latency);
    }
    drop(family);
    page.histogram("kakehashi_answer_size_bytes", "Sizes of the responses sent.").observed(
        &[],
        &SIZES,
        1.0,
        &sums.sizes,
    );
    let mut family = page.counter("kakehashi_queries_by_type_total", "Queries received, by query type.");
    let names = QTYPES.iter().map(ToString::to_string).chain(["other".to_owned()]);
    for (name, count) in names.zip(sums.qtypes) {
        family.set(&[("type", &name)], count as f64);
    }
    drop(family);
    let family = page.counter("kakehashi_route_queries_total", "Queries answered, by route.");
    by_label(family, &sums.routes, |family, label, count| family.set(&[("route", label)], count));
}

fn networks(page: &mut Page, sums: &Sums, directory: &Directory) {
    let accounts: HashMap<&str, &str> = directory
        .networks
        .iter()
        .map(|network| (network.name.as_str(), network.account_id.as_deref().unwrap_or_default()))
        .collect();
    let help = "Queries received, by the client's network and its account.";
    let family = page.counter("kakehashi_network_queries_total", help);
    by_label(family, &sums.networks, |family, label, count| {
        let account = accounts.get(label).copied().unwrap_or_default();
        family.set(&[("network", label), ("account_id", account)], count);
    });
}

fn by_label(mut family: Family<'_>, counts: &HashMap<String, u64>, set: impl Fn(&mut Family<'_>, &str, f64)) {
    let mut counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0 || counts.len() <= MANY).collect();
    counts.sort_unstable();
    for (label, count) in counts {
        set(&mut family, label, *count as f64);
    }
}

fn caches(page: &mut Page, readings: &Readings) {
    fn each(mut family: Family<'_>, readings: &Readings, value: impl Fn(&CacheReading) -> u64) {
        for (name, cache) in [("answer", &readings.answer_cache), ("response", &readings.response_cache)] {
            family.set(&[("cache", name)], value(cache) as f64);
        }
    }
    let help = "Questions that a cache answered.";
    each(page.counter("kakehashi_cache_hits_total", help), readings, |cache| cache.hits);
    let help = "Questions that a cache did not answer.";
    each(page.counter("kakehashi_cache_misses_total", help), readings, |cache| cache.misses);
    let help = "Entries thrown out of a cache for room; the response cache does not count its own.";
    page.counter("kakehashi_cache_evictions_total", help)
        .set(&[("cache", "answer")], readings.answer_cache.evictions as f64);
    let help = "Entries in a cache.";
    each(page.gauge("kakehashi_cache_entries", help), readings, |cache| cache.entries);
    let help = "Memory that a cache's entries take.";
    each(page.gauge("kakehashi_cache_bytes", help), readings, |cache| cache.bytes);
}

fn upstreams(page: &mut Page, servers: &[UpstreamReading]) {
    fn each(
        mut family: Family<'_>,
        servers: &[UpstreamReading],
        value: impl Fn(&UpstreamReading) -> Option<f64>,
    ) {
        for server in servers {
            if let Some(value) = value(server) {
                let address = server.server.to_string();
                family.set(&[("upstream", &server.upstream), ("server", &address)], value);
            }
        }
    }
    let help = "Queries sent to an upstream server.";
    each(page.counter("kakehashi_upstream_queries_total", help), servers, |s| Some(s.queries as f64));
    let help = "Queries to an upstream server that brought no usable answer, by reason.";
    let mut family = page.counter("kakehashi_upstream_failures_total", help);
    for server in servers {
        let address = server.server.to_string();
        for (reason, count) in &server.failures {
            let labels = [("upstream", &server.upstream[..]), ("server", &address), ("reason", reason)];
            family.set(&labels, *count as f64);
        }
    }
    drop(family);
    let help = "Whether an upstream server passes its health check.";
    each(page.gauge("kakehashi_upstream_up", help), servers, |s| Some(if s.up { 1.0 } else { 0.0 }));
    let help = "An upstream server's time to answer, smoothed.";
    each(page.gauge("kakehashi_upstream_latency_seconds", help), servers, |s| {
        s.latency.map(|latency| latency.as_secs_f64())
    });
    let help = "Truncated answers of an upstream server that were asked for again over TCP.";
    each(page.counter("kakehashi_upstream_tcp_fallbacks_total", help), servers, |s| {
        Some(s.tcp_fallbacks as f64)
    });
    let help = "Queries that were sent to an upstream server again, as it changes the case of names.";
    each(page.counter("kakehashi_upstream_case_fallbacks_total", help), servers, |s| {
        Some(s.case_fallbacks as f64)
    });
    let help = "Queries that were sent to an upstream server again, as it fails on EDNS.";
    each(page.counter("kakehashi_upstream_edns_fallbacks_total", help), servers, |s| {
        Some(s.plain_fallbacks as f64)
    });
    let help = "Datagrams that came in an upstream server's place and were no answer to any query.";
    each(page.counter("kakehashi_upstream_ignored_datagrams_total", help), servers, |s| {
        Some(s.ignored_datagrams as f64)
    });
}

fn groups(page: &mut Page, groups: &[GroupReading]) {
    let mut family = page.gauge("kakehashi_upstream_in_flight", "Questions that wait for an upstream.");
    for group in groups {
        family.set(&[("upstream", &group.upstream)], group.in_flight as f64);
    }
    drop(family);
    let help = "Queries that an upstream's budget did not allow, by what was lacking.";
    let mut family = page.counter("kakehashi_upstream_withheld_total", help);
    for group in groups {
        for (lacking, count) in &group.withheld {
            family.set(&[("upstream", &group.upstream[..]), ("lacking", lacking)], *count as f64);
        }
    }
    drop(family);
    let help = "Forwarding loops: domains whose questions an upstream sent back to us.";
    let mut family = page.counter("kakehashi_upstream_loops_total", help);
    for group in groups {
        family.set(&[("upstream", &group.upstream)], group.loops as f64);
    }
}

fn zones(page: &mut Page, zones: &[ZoneReading]) {
    let mut family = page.gauge("kakehashi_zone_serial", "The serial of a zone's SOA record.");
    for zone in zones {
        family.set(&[("zone", &zone.zone)], f64::from(zone.serial));
    }
    drop(family);
    let mut family = page.gauge("kakehashi_zone_records", "Records in a zone.");
    for zone in zones {
        family.set(&[("zone", &zone.zone)], zone.records as f64);
    }
}

fn reloads(page: &mut Page, reloads: &ReloadReading) {
    let mut family = page.counter("kakehashi_reloads_total", "Reloads of the configuration, by result.");
    family.set(&[("result", "success")], reloads.succeeded as f64);
    family.set(&[("result", "failure")], reloads.failed as f64);
    drop(family);
    if let Some(time) = reloads.last_success {
        let help = "When the configuration in force was loaded.";
        page.gauge("kakehashi_last_reload_success_timestamp_seconds", help).only(unix_seconds(time));
    }
}

fn query_log(page: &mut Page, log: &LogReading) {
    page.counter("kakehashi_query_log_lines_total", "Lines written to the query log.").only(log.lines as f64);
    let help = "Lines that did not reach the query log, by reason.";
    let mut family = page.counter("kakehashi_query_log_dropped_total", help);
    family.set(&[("reason", "queue-full")], log.queue_full as f64);
    family.set(&[("reason", "write-failed")], log.write_failed as f64);
}

fn load(page: &mut Page, load: &LoadReading) {
    page.gauge("kakehashi_tcp_connections", "Open TCP connections of clients.")
        .only(load.tcp_connections as f64);
    page.gauge("kakehashi_in_flight", "Queries that wait for their source.").only(load.in_flight as f64);
    let help = "Queries refused as too many were waiting.";
    page.counter("kakehashi_overload_refused_total", help).only(load.overload_refused as f64);
    let help = "Messages that got no reply: no queries at all, or forbidden ones.";
    page.counter("kakehashi_silent_drops_total", help).only(load.silent_drops as f64);
}

fn clients(page: &mut Page, clients: &ClientReading) {
    let help = "Queries and answers kept from a client by a limit, by limit and by what was done.";
    let mut family = page.counter("kakehashi_client_limited_total", help);
    for ((limit, action), count) in &clients.limited {
        family.set(&[("limit", limit), ("action", action)], *count as f64);
    }
    drop(family);
    page.counter("kakehashi_tcp_accepted_total", "TCP connections of clients accepted.")
        .only(clients.tcp_accepted as f64);
    let help = "TCP connections of clients closed, by reason.";
    let mut family = page.counter("kakehashi_tcp_closed_total", help);
    for (reason, count) in &clients.tcp_closed {
        family.set(&[("reason", reason)], *count as f64);
    }
}

fn process(page: &mut Page, process: &ProcessReading, started: SystemTime) {
    let mut gauge = |name, help, value: Option<u64>| {
        if let Some(value) = value {
            page.gauge(name, help).only(value as f64);
        }
    };
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", process.resident_bytes);
    gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", process.virtual_bytes);
    gauge("process_threads", "Number of OS threads in the process.", process.threads);
    gauge("process_open_fds", "Number of open file descriptors.", process.open_fds);
    gauge("process_max_fds", "Maximum number of open file descriptors.", process.max_fds);
    if let Some(seconds) = process.cpu_seconds {
        let help = "Total user and system CPU time spent in seconds.";
        page.counter("process_cpu_seconds_total", help).only(seconds);
    }
    let help = "Start time of the process since unix epoch in seconds.";
    page.gauge("process_start_time_seconds", help).only(unix_seconds(started));
}
