//! `replay`: what a change would change for those who asked. Each different question of a query log is put to two
//! configurations, as `explain` does and without a packet, or to two running servers; the differences are counted.

mod answer;
mod decision;
mod findings;
mod live;
mod log;
mod whom;

use std::path::PathBuf;

use self::decision::{Decision, Judge};
use self::findings::{Allowance, Differences, Example, Findings, Place};
use self::log::{Asked, Question, read};
use super::{Done, Told, say, tell};

/// What is replayed, against what.
#[derive(clap::Args)]
pub(super) struct Order {
    /// Query logs: JSON lines, `-` for standard input.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    log: Vec<PathBuf>,
    /// The main file of the configuration in force.
    #[arg(long, value_name = "FILE", required_unless_present = "live")]
    old: Option<PathBuf>,
    /// The main file of the configuration to be judged.
    #[arg(long, value_name = "FILE", required_unless_present = "live")]
    new: Option<PathBuf>,
    #[command(flatten)]
    live: live::Asking,
    /// What may change: NETWORK:ROUTE, where * is every one; a difference whose old or new route it names is allowed.
    #[arg(long, value_name = "NETWORK:ROUTE")]
    allow: Vec<Allowance>,
    /// Save the differences here, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Replays.
pub(super) fn run(order: &Order) -> Done {
    let findings = match (&order.old, &order.new) {
        (Some(old), Some(new)) => {
            let judges = [Judge::of(old)?, Judge::of(new)?];
            let asked = read(&order.log, |seen| {
                // Both inventories: a client may be in another network after the change.
                let [old, new] = judges.each_ref().map(|judge| judge.network(seen.client));
                ((old, new), ())
            })
            .map_err(tell)?;
            compare(&asked, &judges, &order.allow)
        }
        _ => live::replay(&order.live, &order.log, &order.allow)?,
    };
    if let Some(file) = &order.json {
        findings.save(file)?;
    }
    say(&findings.text());
    if findings.is_well() { Ok(()) } else { Err(Told) }
}

/// The networks that hold a client: in the old and in the new configuration.
type Networks = (Option<u32>, Option<u32>);

fn compare(asked: &Asked<Networks, ()>, judges: &[Judge; 2], allow: &[Allowance]) -> Findings {
    let mut differences = Differences::default();
    for question in asked.questions() {
        let [old, new]: [Decision; 2] = judges.each_ref().map(|judge| judge.decide(&question));
        if old == new {
            continue;
        }
        let network = judges[0].network_name(question.client).unwrap_or_else(|| "none".to_owned());
        let place = Place { network, old_route: old.route, new_route: new.route };
        differences.add(place, question.count, example(&question, old.told, new.told));
    }
    differences.judge(asked.read(), allow, None)
}

fn example<N, R>(question: &Question<N, R>, old: String, new: String) -> Example {
    let (name, qtype) = (question.name.to_string(), question.qtype.to_string());
    Example { client: question.client, name, qtype, old, new }
}
