//! The report's figures: each the answer to a question to `queries`.
//!
//! A line counts `weight` times, so a sampled log gives the figures of the traffic that it was taken from.

use std::collections::BTreeMap;

use datafusion::error::Result;
use jiff::Timestamp;

use crate::engine::{Engine, Row};
use crate::growth::{self, Day, Growth, Wholeness};
use crate::latency::{EXACT_BELOW, Histogram, Latency, STEP};
use crate::stage::Read;

/// The columns that the questions below read.
pub const COLUMNS: [&str; 9] =
    ["node", "account_id", "network", "srcaddr", "query_name", "query_type", "rcode", "source", "upstream"];
pub const DURATION: &str = "duration_us";

/// Answered from a cache; and by asking others, which a cache could have spared.
const HIT: &str = "source IN ('answer-cache', 'response-cache', 'stale')";
const ASKED: &str = "source IN ('forward', 'recurse')";

/// Accounts in the report; all of them add up in the last line.
const MOST_ACCOUNTS: usize = 1000;

/// All that the report says.
#[derive(Debug, serde::Serialize)]
pub struct Figures {
    pub read: Read,
    /// When the first and the last query came.
    pub from: Timestamp,
    pub until: Timestamp,
    pub queries: u64,
    /// Queries a second, over all of that time.
    pub rate: f64,
    /// About how many different names were asked for, and by how many clients.
    pub names: u64,
    pub clients: u64,
    /// Hits among the queries that a cache could answer: not those from zones, nor the server's own answers.
    pub hit_ratio: Option<f64>,
    /// Seconds from one point to the next.
    pub step: i64,
    pub over_time: Vec<Point>,
    pub sources: Vec<Latency>,
    /// Of the queries that were sent on, by who answered.
    pub upstreams: Vec<Latency>,
    pub rcodes: Vec<Part>,
    pub types: Vec<Part>,
    pub top_names: Vec<Leader>,
    pub nxdomain_names: Vec<Leader>,
    pub servfail_names: Vec<Leader>,
    pub top_clients: Vec<Leader>,
    pub nxdomain_clients: Vec<Leader>,
    pub servfail_clients: Vec<Leader>,
    pub accounts: Vec<Account>,
    pub growth: Growth,
}

/// What came from `at` on, for a step.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Point {
    pub at: Timestamp,
    pub queries: u64,
    pub hits: u64,
    /// Sent on to upstream servers, or from the root.
    pub asked: u64,
    pub nxdomain: u64,
    pub servfail: u64,
}

#[derive(Debug, Clone, serde::Serialize)]
pub struct Part {
    pub name: String,
    pub queries: u64,
    pub share: f64,
}

/// A name or client among the first.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Leader {
    pub name: String,
    /// A client's network.
    pub network: String,
    pub queries: u64,
    /// Of what the list is about: of all queries, of all NXDOMAIN, of all SERVFAIL.
    pub share: f64,
}

/// What an account used.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Account {
    /// Empty: clients in no account.
    pub id: String,
    pub queries: u64,
    pub share: f64,
    pub clients: u64,
    pub hit_ratio: Option<f64>,
    pub nxdomain: u64,
    pub servfail: u64,
}

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The length of the lists.
    pub top: usize,
    /// Queries a second that a node can answer.
    pub capacity: f64,
}

/// Asks all questions.
pub fn figures(engine: &Engine, read: Read, wish: Wish, mut asked: impl FnMut()) -> Result<Figures> {
    let mut ask = |sql: &str| {
        asked();
        engine.rows(sql)
    };
    let totals = ask(&format!(
        "SELECT min(asked_at), max(asked_at), sum(weight), {}, {}, {}, {}, approx_distinct(query_name), approx_distinct(srcaddr) FROM queries",
        sum_if(HIT),
        sum_if(ASKED),
        sum_if(NXDOMAIN),
        sum_if(SERVFAIL)
    ))?;
    let total = totals.rows().next();
    let count = |column| total.map_or(0, |row| row.count(column));
    let log = total.map_or((0, 0), |row| (row.number(0), row.number(1)));
    let (queries, nxdomains, servfails) = (count(2), count(5), count(6));
    let seconds = ((log.1 - log.0) / 1_000_000).max(1);
    let step = step(seconds);

    let over_time = ask(&format!(
        "SELECT date_bin(INTERVAL '{step} seconds', asked_at) AS at, sum(weight), {}, {}, {}, {} FROM queries GROUP BY at ORDER BY at",
        sum_if(HIT),
        sum_if(ASKED),
        sum_if(NXDOMAIN),
        sum_if(SERVFAIL)
    ))?;
    let durations = ask(&format!(
        "SELECT source, CASE WHEN {ASKED} THEN upstream END AS server, \
         CASE WHEN duration_us < {EXACT_BELOW} THEN duration_us ELSE duration_us / {STEP} * {STEP} END AS duration, sum(weight) \
         FROM queries WHERE source IS NOT NULL AND duration_us >= 0 GROUP BY source, server, duration"
    ))?;
    let (sources, upstreams) = latencies(durations.rows());
    let mut shares = |column: &str| -> Result<Vec<Part>> {
        let found = ask(&format!(
            "SELECT {column}, sum(weight) AS n FROM queries GROUP BY 1 ORDER BY n DESC, 1 LIMIT 20"
        ))?;
        Ok(found
            .rows()
            .map(|row| Part {
                name: row.text(0).into(),
                queries: row.count(1),
                share: ratio(row.count(1), queries),
            })
            .collect())
    };
    let (rcodes, types) = (shares("rcode")?, shares("query_type")?);
    let mut leaders = |key: &str, condition: &str, all: u64| -> Result<Vec<Leader>> {
        let network = if key == "srcaddr" { "max(network)" } else { "NULL" };
        let found = ask(&format!(
            "SELECT {key}, {network}, sum(weight) AS n FROM queries WHERE {condition} AND {key} IS NOT NULL \
             GROUP BY {key} ORDER BY n DESC, {key} LIMIT {}",
            wish.top
        ))?;
        let leader = |row: Row<'_>| Leader {
            name: row.text(0).into(),
            network: row.text(1).into(),
            queries: row.count(2),
            share: ratio(row.count(2), all),
        };
        Ok(found.rows().map(leader).collect())
    };
    let (top_names, top_clients) =
        (leaders("query_name", "true", queries)?, leaders("srcaddr", "true", queries)?);
    let nxdomain_names = leaders("query_name", NXDOMAIN, nxdomains)?;
    let nxdomain_clients = leaders("srcaddr", NXDOMAIN, nxdomains)?;
    let servfail_names = leaders("query_name", SERVFAIL, servfails)?;
    let servfail_clients = leaders("srcaddr", SERVFAIL, servfails)?;
    let accounts = ask(&format!(
        "SELECT account_id, sum(n) AS n, count(srcaddr), sum(hits), sum(asked), sum(nxdomain), sum(servfail) FROM \
         (SELECT account_id, srcaddr, sum(weight) AS n, {} AS hits, {} AS asked, {} AS nxdomain, {} AS servfail \
         FROM queries GROUP BY account_id, srcaddr) GROUP BY account_id ORDER BY n DESC, account_id LIMIT {MOST_ACCOUNTS}",
        sum_if(HIT),
        sum_if(ASKED),
        sum_if(NXDOMAIN),
        sum_if(SERVFAIL)
    ))?;
    // An hour of any node at a time would hide its peak; a second would be noise, and a year of them no small table.
    let days = ask("SELECT date_trunc('day', minute) AS day, sum(n), max(n) FROM \
         (SELECT date_trunc('minute', asked_at) AS minute, node, sum(weight) AS n FROM queries GROUP BY 1, 2) \
         GROUP BY 1 ORDER BY 1")?;
    Ok(Figures {
        read,
        from: timestamp(log.0),
        until: timestamp(log.1),
        queries,
        rate: queries as f64 / seconds as f64,
        names: count(7),
        clients: count(8),
        hit_ratio: hit_ratio(count(3), count(4)),
        step,
        over_time: over_time.rows().map(point).collect(),
        sources,
        upstreams,
        rcodes,
        types,
        top_names,
        nxdomain_names,
        servfail_names,
        top_clients,
        nxdomain_clients,
        servfail_clients,
        accounts: accounts.rows().map(|row| account(row, queries)).collect(),
        growth: growth::growth(days.rows().map(day).collect(), log, wish.capacity),
    })
}

/// How many questions `figures` asks.
pub const QUESTIONS: u64 = 13;

const NXDOMAIN: &str = "rcode = 'NXDOMAIN'";
const SERVFAIL: &str = "rcode = 'SERVFAIL'";

fn sum_if(condition: &str) -> String {
    format!("sum(CASE WHEN {condition} THEN weight ELSE 0 END)")
}

/// A step that cuts the time into some hundred pieces, and that people have a word for.
fn step(seconds: i64) -> i64 {
    const STEPS: [i64; 13] = [1, 5, 15, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800];
    STEPS.into_iter().find(|step| seconds / step <= 200).unwrap_or(604_800)
}

fn point(row: Row<'_>) -> Point {
    Point {
        at: row_time(row),
        queries: row.count(1),
        hits: row.count(2),
        asked: row.count(3),
        nxdomain: row.count(4),
        servfail: row.count(5),
    }
}

fn account(row: Row<'_>, all: u64) -> Account {
    Account {
        id: row.text(0).into(),
        queries: row.count(1),
        share: ratio(row.count(1), all),
        clients: row.count(2),
        hit_ratio: hit_ratio(row.count(3), row.count(4)),
        nxdomain: row.count(5),
        servfail: row.count(6),
    }
}

fn day(row: Row<'_>) -> Day {
    let date = growth::date(row_time(row).as_microsecond());
    Day { date, queries: row.count(1), busiest: row.count(2) as f64 / 60.0, whole: Wholeness::Whole }
}

/// By source, and by who answered what was sent on; each from the most queries to the fewest.
fn latencies<'f>(rows: impl Iterator<Item = Row<'f>>) -> (Vec<Latency>, Vec<Latency>) {
    let mut sources: BTreeMap<&str, Histogram> = BTreeMap::new();
    let mut servers: BTreeMap<&str, Histogram> = BTreeMap::new();
    for row in rows {
        let (micros, queries) = (row.count(2), row.count(3));
        sources.entry(row.text(0)).or_default().add(micros, queries);
        let server = match (row.text(0), row.text(1)) {
            ("recurse", "") => "(from the root)",
            ("forward", "") => "(none answered)",
            (_, server) => server,
        };
        if !server.is_empty() {
            servers.entry(server).or_default().add(micros, queries);
        }
    }
    (compared(&sources), compared(&servers))
}

fn compared(histograms: &BTreeMap<&str, Histogram>) -> Vec<Latency> {
    let all = histograms.values().map(Histogram::queries).sum();
    let mut compared: Vec<_> =
        histograms.iter().map(|(name, histogram)| histogram.latency(name, all)).collect();
    compared.sort_by_key(|latency| std::cmp::Reverse(latency.queries));
    compared
}

fn row_time(row: Row<'_>) -> Timestamp {
    timestamp(row.number(0))
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

fn ratio(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

/// The hits' share of the queries that a cache could answer; none if there was none.
pub fn hit_ratio(hits: u64, asked: u64) -> Option<f64> {
    (hits + asked > 0).then(|| ratio(hits, hits + asked))
}
