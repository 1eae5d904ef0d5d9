//! The report as one HTML page that needs nothing else: no script, no network, light or dark as the reader's system is.
//!
//! Every text of the log goes through `escape::html`; the page's policy forbids scripts and requests besides.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::chart::{self, Range, Series, Style};
use crate::escape::html;
use crate::figures::{Figures, Leader, Part, Point, hit_ratio};
use crate::growth::{Wholeness, days_between};
use crate::latency::Latency;
use crate::words::{brief, counted, duration, faults, percent, perhaps_percent, step, thousands, time};

/// The page.
pub fn page(figures: &Figures) -> String {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Kakehashi: DNS report</title><style>",
    );
    out.push_str(include_str!("page.css"));
    out.push_str("</style></head><body><main>");
    summary(&mut out, figures);
    if figures.queries > 0 {
        over_time(&mut out, figures);
        latencies(&mut out, "Latency by source", "source", &figures.sources);
        latencies(&mut out, "Upstream servers", "who answered what was sent on", &figures.upstreams);
        shares(&mut out, "Response codes", "rcode", &figures.rcodes);
        shares(&mut out, "Query types", "type", &figures.types);
        leaders(&mut out, "Names", "name", &figures.top_names);
        leaders(&mut out, "Clients", "client", &figures.top_clients);
        accounts(&mut out, figures);
        leaders(&mut out, "NXDOMAIN, by name", "name", &figures.nxdomain_names);
        leaders(&mut out, "NXDOMAIN, by client", "client", &figures.nxdomain_clients);
        leaders(&mut out, "SERVFAIL, by name", "name", &figures.servfail_names);
        leaders(&mut out, "SERVFAIL, by client", "client", &figures.servfail_clients);
        growth(&mut out, figures);
    }
    out.push_str("</main></body></html>\n");
    out
}

fn summary(out: &mut String, figures: &Figures) {
    let read = &figures.read;
    out.push_str("<h1>DNS report</h1>");
    if figures.queries > 0 {
        out.push_str(&format!("<p>{} to {} UTC</p>", time(figures.from), time(figures.until)));
    }
    let sampled =
        if figures.queries == read.lines { "" } else { "; figures are scaled by the log's sampling factors" };
    out.push_str(&format!(
        "<p class=\"soft\">From {} in {}{sampled}.</p>",
        counted(read.lines, "line"),
        counted(read.files, "file")
    ));
    for fault in faults(read) {
        out.push_str(&format!("<p class=\"fault\">{}</p>", html(&fault)));
    }
    let failures: u64 = figures.over_time.iter().map(|point| point.servfail).sum();
    let facts = [
        ("queries", thousands(figures.queries)),
        ("a second, mean", brief(figures.rate)),
        ("hit ratio", perhaps_percent(figures.hit_ratio)),
        ("SERVFAIL", percent(failures as f64 / figures.queries.max(1) as f64)),
        ("names, about", thousands(figures.names)),
        ("clients, about", thousands(figures.clients)),
    ];
    out.push_str("<dl>");
    for (what, value) in facts {
        out.push_str(&format!("<div><dt>{what}</dt><dd>{value}</dd></div>"));
    }
    out.push_str("</dl><p class=\"soft\">Hit ratio: of the queries that a cache could answer, so without those from zones.</p>");
}

fn over_time(out: &mut String, figures: &Figures) {
    let points = filled(figures);
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let (start, end) = (first.at.as_microsecond(), last.at.as_microsecond());
    let place = |at: Timestamp| (at.as_microsecond() - start) as f64 / (end - start).max(1) as f64;
    let series = |value: fn(&Point) -> f64| {
        points.iter().map(|point| (place(point.at), value(point))).collect::<Vec<_>>()
    };
    let marks = marks(start, end);
    out.push_str(&format!("<h2>Queries over time</h2><p class=\"soft\">In each {}.</p>", step(figures.step)));
    out.push_str("<p><span class=\"key a\"><span>all</span></span><span class=\"key b\"><span>sent on</span></span><span class=\"key d\"><span>NXDOMAIN and SERVFAIL</span></span></p>");
    let charts = [
        Series { class: "a", style: Style::Area, points: series(|point| point.queries as f64) },
        Series { class: "b", style: Style::Line, points: series(|point| point.asked as f64) },
        Series {
            class: "d",
            style: Style::Line,
            points: series(|point| (point.nxdomain + point.servfail) as f64),
        },
    ];
    out.push_str(&chart::over_time("Queries over time", &charts, &marks, 0.0, chart::plain));
    let ratio = |point: &Point| Some((place(point.at), 100.0 * hit_ratio(point.hits, point.asked)?));
    let hits = [Series { class: "c", style: Style::Line, points: points.iter().filter_map(ratio).collect() }];
    out.push_str("<h2>Hit ratio over time</h2>");
    out.push_str(&chart::over_time("Hit ratio over time, in percent", &hits, &marks, 100.0, |value| {
        format!("{value:.0} %")
    }));
}

/// The points, with those in which nothing came.
fn filled(figures: &Figures) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for point in &figures.over_time {
        while let Some(last) = points.last() {
            let next = last.at + jiff::SignedDuration::from_secs(figures.step);
            if next >= point.at || points.len() > 10_000 {
                break;
            }
            points.push(Point { at: next, queries: 0, hits: 0, asked: 0, nxdomain: 0, servfail: 0 });
        }
        points.push(point.clone());
    }
    points
}

/// Times for the axis, six at most, the day only where the time spans several.
fn marks(start: i64, end: i64) -> Vec<(f64, String)> {
    let form = match (end - start) / 1_000_000 {
        0..172_800 => "%H:%M",
        172_800..1_209_600 => "%m-%d %H:%M",
        _ => "%F",
    };
    let mark = |part: i64| {
        let at = Timestamp::from_microsecond(start + (end - start) / 5 * part).unwrap_or_default();
        (part as f64 / 5.0, Offset::UTC.to_datetime(at).strftime(form).to_string())
    };
    if end > start { (0..=5).map(mark).collect() } else { vec![mark(0)] }
}

fn latencies(out: &mut String, title: &str, of: &str, rows: &[Latency]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("<h2>{title}</h2><p class=\"soft\">Bars from the median to the 99th percentile, a tick at the 90th.</p>"));
    let ranges: Vec<Range<'_>> = rows
        .iter()
        .take(30)
        .map(|row| Range { name: &row.name, values: [row.p50 as f64, row.p90 as f64, row.p99 as f64] })
        .collect();
    out.push_str(&chart::ranges(title, &ranges, |micros| duration(micros as u64)));
    table(out, &[of, "queries", "share", "p50", "p90", "p99", "p99.9", "most"], rows, |row| {
        let mut cells = vec![html(&row.name), thousands(row.queries), percent(row.share)];
        cells.extend([row.p50, row.p90, row.p99, row.p999, row.most].map(duration));
        cells
    });
}

fn shares(out: &mut String, title: &str, of: &str, rows: &[Part]) {
    out.push_str(&format!("<h2>{title}</h2>"));
    table(out, &[of, "queries", "share", ""], rows, |row| {
        vec![known(&row.name), thousands(row.queries), percent(row.share), chart::bar(row.share)]
    });
}

fn leaders(out: &mut String, title: &str, of: &str, rows: &[Leader]) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("<h2>{title}</h2>"));
    let most = rows.iter().map(|row| row.share).fold(0.0, f64::max);
    let network = if rows.iter().any(|row| !row.network.is_empty()) { "network" } else { "" };
    table(out, &[of, "queries", "share", "", network], rows, |row| {
        let bar = chart::bar(row.share / most);
        vec![html(&row.name), thousands(row.queries), percent(row.share), bar, html(&row.network)]
    });
}

fn accounts(out: &mut String, figures: &Figures) {
    out.push_str("<h2>Accounts</h2>");
    let most = figures.accounts.iter().map(|row| row.share).fold(0.0, f64::max);
    let head = ["account", "queries", "share", "", "clients", "hit ratio", "NXDOMAIN", "SERVFAIL"];
    table(out, &head, &figures.accounts, |row| {
        vec![
            if row.id.is_empty() { "(in no account)".into() } else { html(&row.id) },
            thousands(row.queries),
            percent(row.share),
            chart::bar(row.share / most),
            thousands(row.clients),
            perhaps_percent(row.hit_ratio),
            thousands(row.nxdomain),
            thousands(row.servfail),
        ]
    });
}

fn growth(out: &mut String, figures: &Figures) {
    let growth = &figures.growth;
    out.push_str(&format!("<h2>Growth</h2><p>{}</p>", html(&growth.says)));
    let (Some(trend), Some(first), Some(last)) = (&growth.trend, growth.days.first(), growth.days.last())
    else {
        return;
    };
    let whole: Vec<_> = growth.days.iter().filter(|day| day.whole == Wholeness::Whole).collect();
    let Some(origin) = whole.first().map(|day| day.date) else { return };
    // The page shows the forecast as far as the log reaches back: further, the days would be too small to see.
    let span = days_between(first.date, last.date).max(1.0);
    let end =
        trend.full.map_or(span * 1.5, |full| days_between(first.date, full).clamp(span * 1.2, span * 2.0));
    let place = |date| days_between(first.date, date) / end;
    let dots = |days: &[&crate::growth::Day]| {
        days.iter().map(|day| (place(day.date), day.busiest)).collect::<Vec<_>>()
    };
    let (from, shift) = (0.0, days_between(origin, first.date));
    let series = [
        Series { class: "a", style: Style::Dots, points: dots(&whole) },
        Series {
            class: "b",
            style: Style::Dashes,
            points: vec![(from, trend.busiest.at(shift)), (1.0, trend.busiest.at(end + shift))],
        },
        Series {
            class: "d",
            style: Style::Line,
            points: vec![(0.0, growth.capacity), (1.0, growth.capacity)],
        },
    ];
    let day = |share: f64| {
        first.date.saturating_add(jiff::SignedDuration::from_hours(24 * (share * end) as i64)).to_string()
    };
    let marks: Vec<_> = [0.0, 0.5, 1.0].into_iter().map(|share| (share, day(share))).collect();
    // A load far below capacity would be a flat line at the bottom; then the capacity is said in words only.
    let most = whole.iter().map(|day| day.busiest).fold(trend.busiest.at(end + shift), f64::max);
    let shown = if growth.capacity > 5.0 * most { &series[..2] } else { &series[..] };
    let keys = ["busiest minute of the busiest node, queries a second, by day", "trend", "capacity"];
    for (series, key) in shown.iter().zip(keys) {
        out.push_str(&format!("<span class=\"key {}\"><span>{key}</span></span>", series.class));
    }
    out.push_str(&chart::over_time("Load by day, its trend, and capacity", shown, &marks, 0.0, chart::plain));
}

fn known(name: &str) -> String {
    if name.is_empty() { "–".into() } else { html(name) }
}

/// Cells are HTML: what is of the log comes escaped.
fn table<T>(out: &mut String, head: &[&str], rows: &[T], cells: impl Fn(&T) -> Vec<String>) {
    out.push_str("<div class=\"wide\"><table><thead><tr>");
    for title in head {
        out.push_str(&format!("<th scope=\"col\">{title}</th>"));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for cell in cells(row) {
            out.push_str(&format!("<td>{cell}</td>"));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}
