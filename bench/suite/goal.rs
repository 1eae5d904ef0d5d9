//! What was to be reached, and what was: ratios within the rounds of one run, and bounds.

use std::fmt::Write;

use super::curve::CAP;
use super::ours::ANSWERS;
use super::peer::Server;
use super::results::{Point, Results, median};
use super::scenario::Scenario;

/// What has a figure to reach.
enum Measure {
    /// CPU µs beside that of others; the best of them where there are several.
    Beside(&'static [(Scenario, Server)]),
    /// CPU µs of the workers with the detectors on beside that without.
    Detecting,
    /// A hit or a miss at the second number of a curve beside one at the first.
    Grown(&'static str, u64, u64, fn(&Point) -> Option<f64>),
    /// Milliseconds of the slowest answer of all rounds.
    Slowest,
    /// Lines of the log for each answer, the worst of all rounds.
    Lines,
    /// MB of a point of a curve.
    Resident(&'static str, u64),
    /// Growth of memory beside the configured caches.
    Cap,
    /// Milliseconds to the first answer.
    Start,
}

struct Goal {
    what: &'static str,
    of: Scenario,
    measure: Measure,
    most: f64,
}

const fn beside(what: &'static str, of: Scenario, others: &'static [(Scenario, Server)], most: f64) -> Goal {
    Goal { what, of, measure: Measure::Beside(others), most }
}

const fn alone(what: &'static str, of: Scenario, measure: Measure, most: f64) -> Goal {
    Goal { what, of, measure, most }
}

const GOALS: [Goal; 33] = {
    use Scenario as S;
    use Server::{Dnsdist, Echo, EchoEpoll, Kakehashi, Kresd, Named, Nsd, Recursor, Unbound};
    [
        beside("HOT × echo", S::Hot, &[(S::Hot, Echo)], 1.15),
        beside("HOT × dnsdist", S::Hot, &[(S::Hot, Dnsdist)], 0.85),
        beside("HOT × Unbound", S::Hot, &[(S::Hot, Unbound)], 0.75),
        beside("AUTH × NSD", S::Auth, &[(S::Auth, Nsd)], 1.0),
        beside("MIX × dnsdist", S::Mix, &[(S::Mix, Dnsdist)], 0.85),
        beside("MIX × Unbound", S::Mix, &[(S::Mix, Unbound)], 0.55),
        beside("MISS × dnsdist", S::Miss, &[(S::Miss, Dnsdist)], 0.9),
        beside("MISS × Unbound", S::Miss, &[(S::Miss, Unbound)], 0.35),
        beside("NX forwarded × Unbound", S::NxForwarded, &[(S::NxForwarded, Unbound)], 0.5),
        beside("NX local × HOT", S::NxLocal, &[(S::Hot, Kakehashi)], 1.2),
        beside(
            "TCP × the best peer",
            S::Tcp,
            &[(S::Tcp, Dnsdist), (S::Tcp, Unbound), (S::Tcp, Named), (S::Tcp, Kresd), (S::Tcp, Recursor)],
            0.85,
        ),
        beside("TRICKLE × epoll echo", S::Trickle, &[(S::Trickle, EchoEpoll)], 1.05),
        beside("LOG HOT × HOT", S::LogHot, &[(S::Hot, Kakehashi)], 1.5),
        beside("LOG HOT × Unbound", S::LogHot, &[(S::LogHot, Unbound)], 0.95),
        beside("LOG MIX × MIX", S::LogMix, &[(S::Mix, Kakehashi)], 1.5),
        beside("LOG MIX × Unbound", S::LogMix, &[(S::LogMix, Unbound)], 0.95),
        alone("HOT, detectors on × off, workers", S::Hot, Measure::Detecting, 1.02),
        alone("LOG HOT, detectors on × off, workers", S::LogHot, Measure::Detecting, 1.02),
        alone("LOG HOT: lines missing for each answer", S::LogHot, Measure::Lines, 0.0),
        alone("LOG MIX: lines missing for each answer", S::LogMix, Measure::Lines, 0.0),
        beside("VIEWS × HOT", S::Views, &[(S::Hot, Kakehashi)], 1.1),
        alone("HOT, 5,000 networks × 10", S::Hot, Measure::Grown("networks", 10, 5_000, |p| p.hit), 1.05),
        alone("MISS, 5,000 networks × 10", S::Miss, Measure::Grown("networks", 10, 5_000, |p| p.miss), 1.05),
        alone("HOT, 100,000 routes × 10", S::Hot, Measure::Grown("routes", 10, 100_000, |p| p.hit), 1.05),
        alone("MISS, 100,000 routes × 10", S::Miss, Measure::Grown("routes", 10, 100_000, |p| p.miss), 1.05),
        alone("STEADY, slowest answer, ms", S::Steady, Measure::Slowest, f64::NAN),
        alone("RELOAD, slowest answer, ms", S::Reload, Measure::Slowest, 10.0),
        alone("memory, idle, MB", S::Hot, Measure::Resident("idle", 0), 15.0),
        alone("memory, 1M cached answers, MB", S::Hot, Measure::Resident("cached answers", 1_000_000), 280.0),
        alone("memory, growth × configured caches", S::Hot, Measure::Cap, 1.2),
        alone("first answer, 100,000 records, ms", S::Auth, Measure::Start, 500.0),
        alone("HOT, two workers × one", S::Hot, Measure::Grown("workers", 1, 2, |p| p.hit), 1.1),
        alone(
            "HOT, a million cached × 1,000",
            S::Hot,
            Measure::Grown("cached answers", 1_000, 1_000_000, |p| p.hit),
            f64::NAN,
        ),
    ]
};

/// The table of goals, without those that this run says nothing about.
pub fn table(text: &mut String, results: &Results) {
    let reached: Vec<(&Goal, f64)> =
        GOALS.iter().filter_map(|goal| Some((goal, goal.reached(results)?))).collect();
    if reached.is_empty() {
        return;
    }
    text.push_str(
        "\n## What is wanted, and what was reached\n\n| | at most | reached | |\n|---|--:|--:|---|\n",
    );
    for (goal, reached) in reached {
        let most = if goal.most.is_nan() { "–".to_owned() } else { goal.most.to_string() };
        let verdict = if goal.most.is_nan() || reached <= goal.most { "" } else { "missed" };
        let _ = writeln!(text, "| {} | {most} | {reached:.2} | {verdict} |", goal.what);
    }
}

impl Goal {
    fn reached(&self, results: &Results) -> Option<f64> {
        let ours = Server::Kakehashi;
        match &self.measure {
            Measure::Beside(others) => {
                let cost = |scenario: Scenario, server: Server| {
                    results.all(scenario.name(), server.name(), |f| f.cost)
                };
                let own = cost(self.of, ours);
                let beside = |(scenario, server): &(Scenario, Server)| ratio(&own, &cost(*scenario, *server));
                // Beside the best it is largest.
                others.iter().filter_map(beside).reduce(f64::max)
            }
            Measure::Detecting => {
                let of = |server: Server| results.all(self.of.name(), server.name(), |f| f.worker);
                ratio(&of(Server::Watched), &of(ours))
            }
            Measure::Grown(curve, from, to, value) => {
                ratio(&results.points(curve, *to, value), &results.points(curve, *from, value))
            }
            Measure::Slowest => {
                let all = results.all(self.of.name(), ours.name(), |f| f.slowest / 1e3);
                all.into_iter().reduce(f64::max)
            }
            Measure::Lines => {
                let all = results.all(self.of.name(), ours.name(), |f| 1.0 - f.lines.unwrap_or(0.0));
                all.into_iter().reduce(f64::max)
            }
            Measure::Resident(curve, count) => results.point(curve, *count, |p| Some(p.resident)),
            Measure::Cap => {
                let idle = results.point("idle", 0, |p| Some(p.resident))?;
                let full =
                    results.point("MiB of cache, a million answers", u64::from(CAP), |p| Some(p.resident))?;
                Some((full - idle) / f64::from(CAP + ANSWERS))
            }
            Measure::Start => results.point("zone names, and 5,000 networks", 100_000, |p| Some(p.start)),
        }
    }
}

/// The middle of the ratios of numbers measured in the same round: what slows the machine down for minutes slows both. Of
/// their middles where one lacks a round; beyond all bounds where one has taken nothing, as it has ended.
fn ratio(of: &[f64], beside: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = of.iter().zip(beside).map(|(of, beside)| of / beside).collect();
    let middle = if of.len() == beside.len() { median(&ratios) } else { median(of) / median(beside) };
    let is_whole = ratios.iter().all(|ratio| ratio.is_normal());
    Some(if is_whole { middle } else { f64::INFINITY }).filter(|middle| !middle.is_nan())
}

impl Results {
    /// One kind of number of our point of a curve, round after round.
    fn points(&self, curve: &str, count: u64, value: impl Fn(&Point) -> Option<f64>) -> Vec<f64> {
        let ours = Server::Kakehashi.name();
        let of = |point: &&Point| point.curve == curve && point.count == count && point.server == ours;
        self.points.iter().filter(of).filter_map(value).collect()
    }

    /// The middle of them; none if it was not measured.
    fn point(&self, curve: &str, count: u64, value: impl Fn(&Point) -> Option<f64>) -> Option<f64> {
        Some(median(&self.points(curve, count, value))).filter(|middle| middle.is_finite())
    }
}
