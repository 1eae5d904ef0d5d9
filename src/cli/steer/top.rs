//! `top`: a running server at a glance, every second. What is shown are differences of the status document's counts.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::screen::{Screen, Wish};
use super::{call, nothing, text, texts};
use crate::cli::{Done, say, tell};
use crate::control::Command;

/// Between two looks.
const BEAT: Duration = Duration::from_secs(1);
/// Routes and servers shown.
const ROWS: usize = 12;

/// How it is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Until q or ctrl-c.
    Live,
    /// Once.
    Once,
}

/// Shows it.
pub(super) fn run(socket: &Path, mode: Mode) -> Done {
    let look = || call(socket, &Command::Status {});
    match mode {
        Mode::Once => say(&whole(&look().map_err(tell)?)),
        // The terminal is given back before anything is told.
        Mode::Live => live(look).map_err(tell)?,
    }
    Ok(())
}

fn live(look: impl Fn() -> Result<Value, String>) -> Result<(), String> {
    let mut before = (look()?, Instant::now());
    let screen = Screen::take().map_err(|fault| format!("the terminal: {fault}"))?;
    let mut text = whole(&before.0);
    loop {
        let shown = match &screen {
            Some(screen) => screen.show(&text).and_then(|()| screen.wait(BEAT)),
            None => pass_on(&text).inspect(|_| thread::sleep(BEAT)),
        };
        // A reader that went away ends it, too.
        let Ok(Wish::More) = shown else { return Ok(()) };
        let now = (look()?, Instant::now());
        text = frame(&before.0, &now.0, (now.1 - before.1).as_secs_f64());
        before = now;
    }
}

/// To where no keys can be pressed, one frame after the other.
fn pass_on(frame: &str) -> io::Result<Wish> {
    let mut out = io::stdout();
    let clear = if out.is_terminal() { "\x1b[H\x1b[2J" } else { "" };
    write!(out, "{clear}{frame}").and_then(|()| out.flush())?;
    Ok(Wish::More)
}

/// What there was since the start, a second ago at least: the document has whole seconds.
fn whole(status: &Value) -> String {
    frame(&nothing(), status, status["uptime_seconds"].as_f64().unwrap_or(0.0).max(1.0))
}

fn frame(before: &Value, now: &Value, seconds: f64) -> String {
    let mut out = String::new();
    let wrong: Vec<&str> = texts(&now["wrong"]).collect();
    let state = if wrong.is_empty() { "all good".to_owned() } else { wrong.join("; ") };
    let _ = writeln!(out, "{}  {state}", text(&now["node"]));
    let rate = |was: u64, is: u64| is.saturating_sub(was) as f64 / seconds.max(0.001);
    let routes = rows(before, now, "routes", |row| text(&row["label"]));
    let queries: f64 = routes.iter().map(|(_, was, is)| rate(*was, *is)).sum();
    let cache = |document: &Value, name: &str, what: &str| {
        let caches = document["caches"].as_array().into_iter().flatten();
        caches.filter(|one| one["name"] == name).filter_map(|one| one[what].as_u64()).sum::<u64>()
    };
    let since = |name: &str, what: &str| cache(now, name, what).saturating_sub(cache(before, name, what));
    let (quick, kept, missed) =
        (since("answer", "hits"), since("response", "hits"), since("response", "misses"));
    let asked = quick + kept + missed;
    let ratio = if asked == 0 {
        "–".to_owned()
    } else {
        format!("{:.1} %", (quick + kept) as f64 * 100.0 / asked as f64)
    };
    let _ = writeln!(out, "{queries:.0} q/s through routes, {ratio} from the caches");
    let _ = writeln!(out, "\n{:>10}  route", "q/s");
    let mut routes: Vec<(f64, String)> =
        routes.into_iter().map(|(name, was, is)| (rate(was, is), name)).collect();
    routes.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (rate, name) in routes.iter().take(ROWS) {
        let _ = writeln!(out, "{rate:>10.1}  {name}");
    }
    let _ = writeln!(out, "\n{:>10}  {:>8}  {:9} upstream", "failures", "ms", "state");
    for upstream in now["upstreams"].as_array().into_iter().flatten() {
        for server in upstream["servers"].as_array().into_iter().flatten().take(ROWS) {
            let latency = server["latency_ms"].as_f64().map_or("–".to_owned(), |ms| format!("{ms:.2}"));
            let _ = writeln!(
                out,
                "{:>10}  {latency:>8}  {:9} {} ({})",
                server["failures"],
                text(&server["state"]),
                text(&server["address"]),
                text(&upstream["name"])
            );
        }
    }
    out
}

/// The rows of a list with their count of queries before and now.
fn rows(before: &Value, now: &Value, list: &str, name: fn(&Value) -> String) -> Vec<(String, u64, u64)> {
    let all = |document: &Value| document[list].as_array().cloned().unwrap_or_default();
    let count = |row: &Value| row["queries"].as_u64().unwrap_or(0);
    let was: std::collections::HashMap<String, u64> =
        all(before).iter().map(|row| (name(row), count(row))).collect();
    all(now).iter().map(|row| (name(row), was.get(&name(row)).copied().unwrap_or(0), count(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_queries_in_the_first_moment_are_three_a_second() {
        let status = serde_json::json!({"uptime_seconds": 0, "routes": [{"label": "a", "queries": 3}]});
        assert!(whole(&status).contains("\n3 q/s through routes"), "{}", whole(&status));
    }
}
