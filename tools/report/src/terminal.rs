//! The report as text. Every name goes through `escape`.

use crate::escape;
use crate::figures::{Figures, Leader, Part};
use crate::latency::Latency;
use crate::words::{
    Align, brief, counted, duration, faults, grid, percent, perhaps_percent, step, thousands, time,
};

const LEFT: Align = Align::Left;
const RIGHT: Align = Align::Right;

/// The longest name that is shown whole.
const WIDEST: usize = 56;

/// Columns of the strip of bars.
const STRIP: usize = 96;

/// Accounts that are shown; the page and JSON have all.
const ACCOUNTS: usize = 30;

/// The report.
pub fn report(figures: &Figures) -> String {
    let mut out = String::new();
    summary(&mut out, figures);
    if figures.queries == 0 {
        return out;
    }
    over_time(&mut out, figures);
    section(&mut out, "Latency by source", &latencies("source", &figures.sources));
    section(
        &mut out,
        "Upstream servers: who answered what was sent on",
        &latencies("server", &figures.upstreams),
    );
    section(&mut out, "Response codes", &shares("rcode", &figures.rcodes));
    section(&mut out, "Query types", &shares("type", &figures.types));
    section(&mut out, "Names", &leaders("name", "queries", &figures.top_names));
    section(&mut out, "Clients", &leaders("client", "queries", &figures.top_clients));
    accounts(&mut out, figures);
    section(&mut out, "NXDOMAIN, by name", &leaders("name", "NXDOMAIN", &figures.nxdomain_names));
    section(&mut out, "NXDOMAIN, by client", &leaders("client", "NXDOMAIN", &figures.nxdomain_clients));
    section(&mut out, "SERVFAIL, by name", &leaders("name", "SERVFAIL", &figures.servfail_names));
    section(&mut out, "SERVFAIL, by client", &leaders("client", "SERVFAIL", &figures.servfail_clients));
    growth(&mut out, figures);
    out
}

fn summary(out: &mut String, figures: &Figures) {
    let read = &figures.read;
    out.push_str(&format!("Read      {} in {}\n", counted(read.lines, "line"), counted(read.files, "file")));
    for fault in faults(read) {
        out.push_str(&format!("          {}\n", escape::terminal(&fault)));
    }
    if figures.queries == 0 {
        return;
    }
    out.push_str(&format!("Time      {} to {} UTC\n", time(figures.from), time(figures.until)));
    out.push_str(&format!("Queries   {}, {} a second", thousands(figures.queries), brief(figures.rate)));
    if figures.queries != read.lines {
        out.push_str(", by the log's sampling factors");
    }
    out.push_str(&format!(
        "\nHit ratio {} of what a cache could answer\n",
        perhaps_percent(figures.hit_ratio)
    ));
    out.push_str(&format!(
        "Asked     about {} names by about {} clients\n",
        thousands(figures.names),
        thousands(figures.clients)
    ));
}

/// Peaks must be seen, so a column that stands for several points shows the highest.
fn over_time(out: &mut String, figures: &Figures) {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let points = &figures.over_time;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let micros = |at: jiff::Timestamp| at.as_microsecond();
    let slots = ((micros(last.at) - micros(first.at)) / 1_000_000 / figures.step + 1).max(1) as usize;
    let columns = slots.min(STRIP);
    let mut heights = vec![0; columns];
    for point in points {
        let slot = ((micros(point.at) - micros(first.at)) / 1_000_000 / figures.step) as usize;
        let height: &mut u64 = &mut heights[(slot * columns / slots).min(columns - 1)];
        *height = point.queries.max(*height);
    }
    let most = heights.iter().copied().max().unwrap_or(0);
    let bar =
        |height: &u64| if *height == 0 { ' ' } else { BARS[(height * 8).div_ceil(most.max(1)) as usize - 1] };
    out.push_str(&format!("\nQueries over time (most in {}: {})\n", step(figures.step), thousands(most)));
    out.push_str(&format!("  {}\n", heights.iter().map(bar).collect::<String>()));
}

fn section(out: &mut String, title: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n"));
    for line in body.lines() {
        out.push_str(&format!("  {line}\n"));
    }
}

fn name(text: &str) -> String {
    if text.is_empty() { "–".into() } else { escape::shortened(&escape::terminal(text), WIDEST) }
}

fn latencies(of: &str, rows: &[Latency]) -> String {
    let head = [
        (of, LEFT),
        ("queries", RIGHT),
        ("share", RIGHT),
        ("p50", RIGHT),
        ("p90", RIGHT),
        ("p99", RIGHT),
        ("p99.9", RIGHT),
        ("most", RIGHT),
    ];
    table(&head, rows, |row| {
        let mut cells = vec![name(&row.name), thousands(row.queries), percent(row.share)];
        cells.extend([row.p50, row.p90, row.p99, row.p999, row.most].map(duration));
        cells
    })
}

fn shares(of: &str, rows: &[Part]) -> String {
    table(&[(of, LEFT), ("queries", RIGHT), ("share", RIGHT)], rows, |row| {
        vec![name(&row.name), thousands(row.queries), percent(row.share)]
    })
}

fn leaders(of: &str, what: &str, rows: &[Leader]) -> String {
    let mut head = vec![(of, LEFT), (what, RIGHT), ("share", RIGHT)];
    let has_network = rows.iter().any(|row| !row.network.is_empty());
    if has_network {
        head.push(("network", LEFT));
    }
    table(&head, rows, |row| {
        let mut cells = vec![name(&row.name), thousands(row.queries), percent(row.share)];
        if has_network {
            cells.push(name(&row.network));
        }
        cells
    })
}

fn accounts(out: &mut String, figures: &Figures) {
    let head = [
        ("account", LEFT),
        ("queries", RIGHT),
        ("share", RIGHT),
        ("clients", RIGHT),
        ("hit ratio", RIGHT),
        ("NXDOMAIN", RIGHT),
        ("SERVFAIL", RIGHT),
    ];
    let shown = &figures.accounts[..figures.accounts.len().min(ACCOUNTS)];
    let mut body = table(&head, shown, |row| {
        vec![
            if row.id.is_empty() { "(in no account)".into() } else { name(&row.id) },
            thousands(row.queries),
            percent(row.share),
            thousands(row.clients),
            perhaps_percent(row.hit_ratio),
            thousands(row.nxdomain),
            thousands(row.servfail),
        ]
    });
    let hidden = figures.accounts.len() - shown.len();
    if hidden > 0 {
        body.push_str(&format!("and {hidden} more: --html or --json has them\n"));
    }
    section(out, "Accounts", &body);
}

fn growth(out: &mut String, figures: &Figures) {
    let growth = &figures.growth;
    let mut body = String::new();
    if let Some(trend) = &growth.trend {
        body.push_str(&format!("{:+.0} queries a day each day\n", trend.queries.a_day));
    }
    body.push_str(&growth.says);
    section(out, "Growth", &body);
}

fn table<T>(head: &[(&str, Align)], rows: &[T], cells: impl Fn(&T) -> Vec<String>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    grid(head, &rows.iter().map(cells).collect::<Vec<_>>())
}
