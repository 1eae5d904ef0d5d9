//! The figures as text for people: one table a load, then the cost curves.

use std::fmt::Write;

use super::goal;
use super::peer::Server;
use super::results::{Count, Figure, Point, Results, median};
use super::scenario::Scenario;

/// The whole report, in Markdown.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(
        "# The last run of bench/run\n\n\
         Median of all rounds, in brackets the least and the most. CPU µs: user and system time of all threads, for each\n\
         right answer; “workers”: that of ours alone, without log thread and detectors. “× echo”: beside the bare socket loop under HOT (TRICKLE: beside the epoll loop under TRICKLE).\n\
         “× ours”: beside Kakehashi. Latency under a full load is that of the queue of 192 queries; TRICKLE has it without.\n\
         Ratios that were wanted and reached are the middles of the rounds' own: what slows the machine down for minutes slows both sides.\n\
         “read”: datagrams read in the whole network for each answer: 2.00 is a hit, 4.00 a miss. “slowest”: of all rounds, µs.\n\n",
    );
    for line in &results.about {
        let _ = writeln!(text, "- {line}");
    }
    goal::table(&mut text, results);
    for scenario in Scenario::ALL {
        table(&mut text, results, scenario);
    }
    curves(&mut text, &results.points);
    counts(&mut text, &results.counts);
    text
}

/// One figure in one line, as it becomes known.
pub fn line(figure: &Figure) -> String {
    let lines = figure.lines.map_or(String::new(), |lines| format!(", {lines:.3} lines"));
    format!(
        "{:13} {:20} {:6.2} µs ({:5.2} workers) {:8.0} q/s  busy {:3.0} %  p50 {:6.0} p99 {:6.0} slowest {:6.0} µs  read {:.2}  sleeps {:.3}  {} lost, {} wrong{lines}",
        figure.scenario,
        figure.server,
        figure.cost,
        figure.worker,
        figure.rate,
        figure.busy,
        figure.latency[0],
        figure.latency[1],
        figure.slowest,
        figure.datagrams,
        figure.sleeps,
        figure.lost,
        figure.wrong
    )
}

/// A point of a curve in one line.
pub fn point(point: &Point) -> String {
    let micros = |value: Option<f64>, digits: usize| value.map_or("–".into(), |n| format!("{n:.digits$}"));
    let latency = |at: usize| micros(point.latency.map(|latency| latency[at]), 0);
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {:.0} | {:.0} |",
        point.curve,
        point.count,
        point.server,
        micros(point.hit, 2),
        micros(point.miss, 2),
        latency(0),
        latency(1),
        latency(2),
        point.resident,
        point.start
    )
}

/// What was counted, in one line.
pub fn count(count: &Count) -> String {
    let digits = if count.each < 100.0 { 3 } else { 0 };
    format!(
        "| {} | {} | {} | {:.digits$} | {} |",
        count.what, count.scenario, count.server, count.each, count.detail
    )
}

fn table(text: &mut String, results: &Results, scenario: Scenario) {
    let (limit, echo) = scenario.limit();
    let middle = |scenario: Scenario, server: Server| {
        median(&results.all(scenario.name(), server.name(), |figure| figure.cost))
    };
    let (limit, ours) = (middle(limit, echo), middle(scenario, Server::Kakehashi));
    let measured = |server: &Server| results.figures.iter().any(|f| f.is(scenario, *server));
    let servers: Vec<Server> = Server::ALL.into_iter().filter(measured).collect();
    if servers.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## {}: {}\n", scenario.name(), scenario.meaning());
    text.push_str(
        "| server | CPU µs | workers | × echo | × ours | q/s | busy % | p50 µs | p99 | p99.9 | slowest | MB | read | sleeps | lost | wrong | log lines |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for server in servers {
        let all = |value: fn(&Figure) -> f64| results.all(scenario.name(), server.name(), value);
        let of = |value: fn(&Figure) -> f64| median(&all(value));
        let cost = of(|f| f.cost);
        let workers = of(|f| f.worker);
        let workers = if workers > 0.0 { format!("{workers:.2}") } else { "–".into() };
        let lines = all(|f| f.lines.unwrap_or(f64::NAN));
        let lines =
            if lines.iter().any(|n| n.is_nan()) { "–".into() } else { format!("{:.3}", median(&lines)) };
        let _ = writeln!(
            text,
            "| {} | {} | {workers} | {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.3} | {:.0} | {:.0} | {lines} |",
            server.name(),
            spread(&all(|f| f.cost), 2),
            ratio(cost, limit),
            ratio(cost, ours),
            spread(&all(|f| f.rate), 0),
            of(|f| f.busy),
            of(|f| f.latency[0]),
            of(|f| f.latency[1]),
            of(|f| f.latency[2]),
            all(|f| f.slowest).into_iter().fold(0.0, f64::max),
            of(|f| f.resident),
            of(|f| f.datagrams),
            of(|f| f.sleeps),
            all(|f| f.lost as f64).iter().sum::<f64>(),
            all(|f| f.wrong as f64).iter().sum::<f64>(),
        );
    }
}

fn curves(text: &mut String, points: &[Point]) {
    if points.is_empty() {
        return;
    }
    text.push_str(
        "\n## What it costs to be large\n\n\
         CPU µs of a hit (zone names: of an answer from the zone) and of a miss, latency of the hits, resident memory, time to\n\
         the first answer; the median where there were several rounds.\n\n\
         | what grows | to | server | hit µs | miss µs | p50 µs | p99 | p99.9 | MB | start ms |\n\
         |---|--:|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut told: Vec<&Point> = Vec::new();
    for each in points {
        if !told.iter().any(|before| before.is_like(each)) {
            told.push(each);
            let rounds: Vec<&Point> = points.iter().filter(|point| point.is_like(each)).collect();
            let _ = writeln!(text, "{}", point(&middle(each, &rounds)));
        }
    }
}

/// The point of which each number is in the middle of all rounds.
fn middle(like: &Point, rounds: &[&Point]) -> Point {
    let of = |value: &dyn Fn(&Point) -> Option<f64>| {
        let values: Vec<f64> = rounds.iter().filter_map(|point| value(point)).collect();
        (!values.is_empty()).then(|| median(&values))
    };
    let latency = [0, 1, 2].map(|at| of(&|point| point.latency.map(|latency| latency[at])).unwrap_or(0.0));
    Point {
        hit: of(&|point| point.hit),
        miss: of(&|point| point.miss),
        latency: like.latency.map(|_| latency),
        resident: of(&|point| Some(point.resident)).unwrap_or(0.0),
        start: of(&|point| Some(point.start)).unwrap_or(0.0),
        ..like.clone()
    }
}

fn counts(text: &mut String, counts: &[Count]) {
    if counts.is_empty() {
        return;
    }
    text.push_str(
        "\n## What was counted\n\n\
         System calls: all threads, by strace, which slows the server down: HOT, MISS and LOG HOT are as full as ever, TRICKLE\n\
         comes at 1,000 q/s so that each query still finds the server asleep. Instructions: of user space, by callgrind.\n\n\
         | what | load | server | for each answer | which |\n|---|---|---|--:|---|\n",
    );
    for each in counts {
        let _ = writeln!(text, "{}", count(each));
    }
}

fn ratio(value: f64, to: f64) -> String {
    let ratio = value / to;
    if ratio.is_finite() { format!("{ratio:.2}") } else { "–".to_owned() }
}

fn spread(values: &[f64], digits: usize) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.digits$} ({least:.digits$}–{most:.digits$})", median(values))
}

impl Point {
    fn is_like(&self, other: &Point) -> bool {
        (&self.curve, self.count, &self.server) == (&other.curve, other.count, &other.server)
    }
}

impl Figure {
    fn is(&self, scenario: Scenario, server: Server) -> bool {
        self.scenario == scenario.name() && self.server == server.name()
    }
}
