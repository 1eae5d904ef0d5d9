//! What upstreams and their servers did.

use std::collections::BTreeMap;

use super::MICROS;
use super::bound::{OTHER, SERVERS, UPSTREAMS};
use crate::observe::family::{Family, Page};
use crate::observe::process::unix_seconds;
use crate::observe::readings::{GroupReading, UpstreamReading};

/// A server under the labels that it is shown by.
struct Shown<'r> {
    upstream: &'r str,
    server: String,
    reading: &'r UpstreamReading,
}

impl Shown<'_> {
    fn labels(&self) -> [(&str, &str); 2] {
        [("upstream", self.upstream), ("server", &self.server)]
    }
}

pub(super) fn servers(page: &mut Page, servers: &[UpstreamReading]) {
    let (named, others) = servers.split_at(servers.len().min(SERVERS));
    let together = together(others);
    let mut shown: Vec<Shown<'_>> = named
        .iter()
        .map(|reading| Shown { upstream: &reading.upstream, server: reading.server.to_string(), reading })
        .collect();
    shown.extend(together.iter().map(|reading| Shown { upstream: OTHER, server: OTHER.to_owned(), reading }));
    traffic(page, &shown);
    health(page, &shown);
    oddities(page, &shown);
}

/// Those that have no label of their own, as one; it is up as long as all of them are.
fn together(servers: &[UpstreamReading]) -> Option<UpstreamReading> {
    let add = |sums: &mut BTreeMap<&'static str, u64>, counts: &BTreeMap<&'static str, u64>| {
        counts.iter().for_each(|(word, count)| *sums.entry(word).or_default() += count);
    };
    servers.iter().cloned().reduce(|mut sum, server| {
        sum.up &= server.up;
        sum.latency = sum.latency.max(server.latency);
        sum.changed = sum.changed.max(server.changed);
        add(&mut sum.failures, &server.failures);
        add(&mut sum.responses, &server.responses);
        sum.times.counts += &server.times.counts;
        for (sum, count) in [
            (&mut sum.queries, server.queries),
            (&mut sum.falls, server.falls),
            (&mut sum.probes, server.probes),
            (&mut sum.tcp_fallbacks, server.tcp_fallbacks),
            (&mut sum.case_fallbacks, server.case_fallbacks),
            (&mut sum.cookie_fallbacks, server.cookie_fallbacks),
            (&mut sum.plain_fallbacks, server.plain_fallbacks),
            (&mut sum.ignored_datagrams, server.ignored_datagrams),
        ] {
            *sum += count;
        }
        sum
    })
}

fn each(mut family: Family<'_>, servers: &[Shown<'_>], value: impl Fn(&UpstreamReading) -> Option<f64>) {
    for server in servers {
        if let Some(value) = value(server.reading) {
            family.set(&server.labels(), value);
        }
    }
}

fn by_word(
    mut family: Family<'_>,
    name: &str,
    servers: &[Shown<'_>],
    counts: impl Fn(&UpstreamReading) -> &BTreeMap<&'static str, u64>,
) {
    for server in servers {
        let [upstream, address] = server.labels();
        for (word, count) in counts(server.reading) {
            family.set(&[upstream, address, (name, word)], *count as f64);
        }
    }
}

fn traffic(page: &mut Page, servers: &[Shown<'_>]) {
    let help = "Queries sent to an upstream server.";
    each(page.counter("kakehashi_upstream_queries_total", help), servers, |s| Some(s.queries as f64));
    let help = "Responses of an upstream server, by response code.";
    let family = page.counter("kakehashi_upstream_responses_total", help);
    by_word(family, "rcode", servers, |s| &s.responses);
    let help = "Queries to an upstream server that brought no usable answer, by reason.";
    let family = page.counter("kakehashi_upstream_failures_total", help);
    by_word(family, "reason", servers, |s| &s.failures);
    let help = "An upstream server's time to answer, smoothed.";
    each(page.gauge("kakehashi_upstream_latency_seconds", help), servers, |s| {
        s.latency.map(|latency| latency.as_secs_f64())
    });
    let help = "Time from a query to an upstream server to its response.";
    let mut family = page.histogram("kakehashi_upstream_duration_seconds", help);
    for server in servers {
        let times = &server.reading.times;
        family.observed(&server.labels(), times.bounds, MICROS, &times.counts);
    }
}

fn health(page: &mut Page, servers: &[Shown<'_>]) {
    let help = "Whether an upstream server passes its health check.";
    each(page.gauge("kakehashi_upstream_up", help), servers, |s| Some(f64::from(u8::from(s.up))));
    let help = "How often an upstream server went down.";
    each(page.counter("kakehashi_upstream_falls_total", help), servers, |s| Some(s.falls as f64));
    let help = "Health checks sent to an upstream server.";
    each(page.counter("kakehashi_upstream_probes_total", help), servers, |s| Some(s.probes as f64));
    let help = "When an upstream server last went down or came back.";
    each(page.gauge("kakehashi_upstream_changed_timestamp_seconds", help), servers, |s| {
        s.changed.map(unix_seconds)
    });
}

fn oddities(page: &mut Page, servers: &[Shown<'_>]) {
    let help = "Truncated answers of an upstream server that were asked for again over TCP.";
    each(page.counter("kakehashi_upstream_tcp_fallbacks_total", help), servers, |s| {
        Some(s.tcp_fallbacks as f64)
    });
    let help = "Queries that were sent to an upstream server again, as it changes the case of names.";
    each(page.counter("kakehashi_upstream_case_fallbacks_total", help), servers, |s| {
        Some(s.case_fallbacks as f64)
    });
    let help = "Queries that were sent to an upstream server again, for want of a good DNS cookie.";
    each(page.counter("kakehashi_upstream_cookie_fallbacks_total", help), servers, |s| {
        Some(s.cookie_fallbacks as f64)
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

type Words = fn(&GroupReading) -> &BTreeMap<&'static str, u64>;

pub(super) fn groups(page: &mut Page, groups: &[GroupReading]) {
    // The first so many; of the others no number would mean anything together but those that servers have.
    let groups = &groups[..groups.len().min(UPSTREAMS)];
    let mut number = |name: &str, help: &str, value: &dyn Fn(&GroupReading) -> Option<u64>| {
        let mut family =
            if name.ends_with("_total") { page.counter(name, help) } else { page.gauge(name, help) };
        for group in groups {
            if let Some(value) = value(group) {
                family.set(&[("upstream", &group.upstream)], value as f64);
            }
        }
    };
    number("kakehashi_upstream_in_flight", "Questions that wait for an upstream.", &|g| Some(g.in_flight));
    let help = "How many questions may wait for an upstream.";
    number("kakehashi_upstream_in_flight_limit", help, &|g| Some(g.max_in_flight));
    let help = "Queries a second that an upstream may be sent, shared by all that draw on one limit.";
    number("kakehashi_upstream_rate_limit", help, &|g| g.max_rate);
    let help = "Forwarding loops: domains whose questions an upstream sent back to us.";
    number("kakehashi_upstream_loops_total", help, &|g| Some(g.loops));
    let help = "Domains that an upstream is not asked for now, as it sends their questions back to us.";
    number("kakehashi_upstream_quarantined_domains", help, &|g| Some(g.quarantined));
    let mut by_word = |name: &str, help: &str, label: &str, words: Words| {
        let mut family = page.counter(name, help);
        for group in groups {
            for (word, count) in words(group) {
                family.set(&[("upstream", &group.upstream[..]), (label, word)], *count as f64);
            }
        }
    };
    let help = "Queries that an upstream's budget did not allow, by what was lacking.";
    by_word("kakehashi_upstream_withheld_total", help, "lacking", |group| &group.withheld);
    let help = "Questions to an upstream, by what became of them.";
    by_word("kakehashi_upstream_questions_total", help, "outcome", |group| &group.outcomes);
}
