//! What the server says of itself: caches, zones, reloads, log, load, limits, process.

use std::time::SystemTime;

use super::bound::{OTHER, ZONES};
use crate::observe::family::{Family, Page};
use crate::observe::process::{ProcessReading, unix_seconds};
use crate::observe::readings::{
    AlertReading, CacheReading, ClientReading, LoadReading, LogReading, Readings, ReloadReading, ZoneReading,
};

pub(super) fn caches(page: &mut Page, readings: &Readings) {
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
    let help = "Memory that a cache's entries may take.";
    each(page.gauge("kakehashi_cache_capacity_bytes", help), readings, |cache| cache.capacity);
}

pub(super) fn zones(page: &mut Page, zones: &[ZoneReading]) {
    let mut family = page.gauge("kakehashi_zone_serial", "The serial of a zone's SOA record.");
    for zone in zones.iter().take(ZONES) {
        family.set(&[("zone", &zone.zone)], f64::from(zone.serial));
    }
    drop(family);
    let mut family = page.gauge("kakehashi_zone_records", "Records in a zone.");
    for zone in zones.iter().take(ZONES) {
        family.set(&[("zone", &zone.zone)], zone.records as f64);
    }
    if let Some(others) = zones.get(ZONES..).filter(|others| !others.is_empty()) {
        let records: u64 = others.iter().map(|zone| zone.records).sum();
        family.set(&[("zone", OTHER)], records as f64);
    }
}

pub(super) fn reloads(page: &mut Page, reloads: &ReloadReading) {
    let mut family = page.counter("kakehashi_reloads_total", "Reloads of the configuration, by result.");
    family.set(&[("result", "success")], reloads.succeeded as f64);
    family.set(&[("result", "failure")], reloads.failed as f64);
    drop(family);
    let help = "Whether the last reload took effect; if not, the configuration before it is in force.";
    page.gauge("kakehashi_last_reload_successful", help).only(f64::from(u8::from(!reloads.last_failed)));
    if let Some(time) = reloads.last_success {
        let help = "When the configuration in force was loaded.";
        page.gauge("kakehashi_last_reload_success_timestamp_seconds", help).only(unix_seconds(time));
    }
}

pub(super) fn query_log(page: &mut Page, log: &LogReading) {
    page.counter("kakehashi_query_log_lines_total", "Lines written to the query log.").only(log.lines as f64);
    let help = "Lines that did not reach the query log, by reason.";
    let mut family = page.counter("kakehashi_query_log_dropped_total", help);
    family.set(&[("reason", "queue-full")], log.queue_full as f64);
    family.set(&[("reason", "write-failed")], log.write_failed as f64);
}

pub(super) fn alerts(page: &mut Page, alerts: &AlertReading) {
    let mut family = page.counter("kakehashi_alerts_total", "Alerts of the detectors, by kind.");
    for (kind, count) in &alerts.told {
        family.set(&[("kind", kind)], *count as f64);
    }
    drop(family);
    let help = "Findings that were not told: repeats, and those beyond what a minute may have.";
    page.counter("kakehashi_alerts_suppressed_total", help).only(alerts.suppressed as f64);
    let help = "Alerts that did not reach the alert file or the webhook.";
    page.counter("kakehashi_alerts_undelivered_total", help).only(alerts.undelivered as f64);
}

pub(super) fn dnstap(page: &mut Page, readings: &Readings) {
    if readings.taps.is_empty() {
        return;
    }
    let mut family = page.counter("kakehashi_dnstap_frames_total", "Frames sent by dnstap, by output.");
    readings.taps.iter().for_each(|tap| family.set(&[("to", &tap.to)], tap.sent as f64));
    drop(family);
    let help = "Frames of dnstap that were not sent, by output.";
    let mut family = page.counter("kakehashi_dnstap_dropped_total", help);
    readings.taps.iter().for_each(|tap| family.set(&[("to", &tap.to)], tap.dropped as f64));
    drop(family);
    let help = "Whether an output of dnstap has its reader or file.";
    let mut family = page.gauge("kakehashi_dnstap_connected", help);
    readings.taps.iter().for_each(|tap| family.set(&[("to", &tap.to)], f64::from(u8::from(tap.connected))));
    drop(family);
    let help = "Messages to and from upstream servers that found no room on their way to dnstap.";
    page.counter("kakehashi_dnstap_missed_total", help).only(readings.passages_missed as f64);
}

pub(super) fn load(page: &mut Page, load: &LoadReading) {
    page.gauge("kakehashi_tcp_connections", "Open TCP connections of clients.")
        .only(load.tcp_connections as f64);
    page.gauge("kakehashi_in_flight", "Queries that wait for their source.").only(load.in_flight as f64);
    let help = "How many TCP connections there may be.";
    page.gauge("kakehashi_tcp_connections_limit", help).only(load.max_tcp_connections as f64);
    let help = "How many queries may wait for their source.";
    page.gauge("kakehashi_in_flight_limit", help).only(load.max_in_flight as f64);
    let help = "Queries refused as too many were waiting.";
    page.counter("kakehashi_overload_refused_total", help).only(load.overload_refused as f64);
    let help = "Messages that got no reply: no queries at all, or forbidden ones.";
    page.counter("kakehashi_silent_drops_total", help).only(load.silent_drops as f64);
    let help = "Datagrams that can be no query: too long, or from port 0.";
    page.counter("kakehashi_unusable_datagrams_total", help).only(load.unusable_datagrams as f64);
    let help = "System calls on the sockets of clients that failed, by what they were for.";
    let mut family = page.counter("kakehashi_socket_errors_total", help);
    for (operation, count) in &load.socket_errors {
        family.set(&[("operation", operation)], *count as f64);
    }
    drop(family);
    let help = "Tasks that a bug ended: a query's, a connection's, or a socket's, which was taken up again.";
    page.counter("kakehashi_panics_total", help).only(load.panics as f64);
}

pub(super) fn clients(page: &mut Page, clients: &ClientReading) {
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

pub(super) fn process(page: &mut Page, process: &ProcessReading, started: SystemTime) {
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
