//! What the workers counted: queries, responses, times; in all, by route, by view, by network.

use std::collections::{BTreeMap, HashMap};

use super::MICROS;
use super::bound::{ACCOUNTS, NETWORKS, OTHER};
use crate::observe::block::BlockSum;
use crate::observe::family::Page;
use crate::observe::metrics::{LATENCY, QTYPES, RCODES, SIZES, Sums};
use crate::observe::slow;
use crate::query::{Directory, Source, Transport};
use crate::wire::rcode;

/// The bounds of the histograms of routes and views, in microseconds: fewer, as there are many of them.
const COARSE: [u32; 7] = [100, 1_000, 5_000, 25_000, 100_000, 500_000, 2_000_000];

pub(super) fn queries(page: &mut Page, sums: &Sums) {
    let mut family =
        page.counter("kakehashi_queries_total", "Queries received, by transport and address family.");
    for (transport, families) in Transport::ALL.iter().zip(sums.queries) {
        for (name, count) in ["ipv4", "ipv6"].iter().zip(families) {
            family.set(&[("transport", transport.text()), ("family", name)], count as f64);
        }
    }
    drop(family);
    let mut family = page.counter("kakehashi_responses_total", "Responses sent, by response code.");
    for (at, count) in sums.responses.iter().enumerate() {
        family.set(&[("rcode", code(at))], *count as f64);
    }
    drop(family);
    let help = "Responses that were neither NOERROR nor NXDOMAIN, by response code and extended error.";
    let mut family = page.counter("kakehashi_failures_total", help);
    for (at, reason, count) in sums.failures.iter() {
        family.set(&[("rcode", code(at)), ("reason", reason)], count as f64);
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
    for ((source, latency), examples) in Source::ALL.iter().zip(&sums.latency).zip(&sums.slow) {
        for (nth, example) in examples.iter().enumerate() {
            example.iter().for_each(|example| family.example(slow::FROM + nth, example));
        }
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
}

/// The same families for routes and for views.
pub(super) fn routes_and_views(page: &mut Page, sums: &Sums) {
    for (kind, blocks) in [("route", &sums.by_route), ("view", &sums.by_view)] {
        let blocks: BTreeMap<&str, &BlockSum> = blocks
            .iter()
            .map(|(label, sum)| (&label[..], sum))
            .filter(|(label, sum)| sum.count() > 0 || *label != OTHER)
            .collect();
        by_block(page, kind, &blocks);
    }
}

fn by_block(page: &mut Page, kind: &str, blocks: &BTreeMap<&str, &BlockSum>) {
    let name = |what: &str| format!("kakehashi_{kind}_{what}");
    let mut family = page.counter(&name("queries_total"), &format!("Queries answered, by {kind}."));
    for (label, sum) in blocks {
        family.set(&[(kind, label)], sum.count() as f64);
    }
    drop(family);
    // What never was is left out, else most of the page were zeros.
    let help = format!("Responses sent, by {kind} and response code.");
    let mut family = page.counter(&name("responses_total"), &help);
    for (label, sum) in blocks {
        for (at, count) in sum.responses.iter().enumerate().filter(|(_, count)| **count > 0) {
            family.set(&[(kind, label), ("rcode", code(at))], *count as f64);
        }
    }
    drop(family);
    let help = format!("Responses sent, by {kind} and by where the answer came from.");
    let mut family = page.counter(&name("answers_total"), &help);
    for (label, sum) in blocks {
        for (source, latency) in Source::ALL.iter().zip(&sum.latency).filter(|(_, sum)| sum.count() > 0) {
            family.set(&[(kind, label), ("source", source.text())], latency.count() as f64);
        }
    }
    drop(family);
    let help = format!("Time from a query's arrival to its answer, by {kind}.");
    let mut family = page.histogram(&name("request_duration_seconds"), &help);
    for (label, sum) in blocks.iter().filter(|(_, sum)| sum.count() > 0) {
        let mut all = crate::observe::histogram::HistogramSum::default();
        sum.latency.iter().for_each(|latency| all += latency);
        family.observed(&[(kind, label)], &COARSE, MICROS, &all.coarser(&LATENCY, &COARSE));
    }
}

pub(super) fn networks(page: &mut Page, sums: &Sums, directory: &Directory) {
    let help = "Queries received, by the client's network and its account.";
    let mut family = page.counter("kakehashi_network_queries_total", help);
    let account = |at: usize| directory.networks[at].account_id.as_deref().unwrap_or_default();
    let count = |at: usize| sums.networks.get(&directory.networks[at].name).copied().unwrap_or_default();
    let named = directory.networks.len().min(NETWORKS);
    for at in 0..named {
        let labels = [("network", &directory.networks[at].name[..]), ("account_id", account(at))];
        family.set(&labels, count(at) as f64);
    }
    // Usage by account stays whole: the others are one for each account.
    let mut accounts: HashMap<&str, usize> = HashMap::new();
    let mut others: Vec<(&str, u64)> = Vec::new();
    for at in named..directory.networks.len() {
        let place = *accounts.entry(account(at)).or_insert_with(|| {
            others.push((if others.len() < ACCOUNTS { account(at) } else { OTHER }, 0));
            others.len().min(ACCOUNTS + 1) - 1
        });
        others.truncate(ACCOUNTS + 1);
        others[place].1 += count(at);
    }
    for (account, count) in others {
        family.set(&[("network", OTHER), ("account_id", account)], count as f64);
    }
}

fn code(at: usize) -> &'static str {
    RCODES.get(at).map_or("OTHER", |code| rcode::text(*code))
}
