//! A configuration on trial: it is in force, and is taken back unless somebody confirms it in time, or as soon as a view
//! fails more often than before.
//!
//! What a view was answered is counted in the metrics, so this only compares: a window of the time before with the last
//! window since.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::config::Apply;
use crate::observe::metrics::RCODES;
use crate::wire::rcode;

/// What the views were answered so far.
pub(super) type Answered = HashMap<String, Counts>;

/// What one view was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub all: u64,
    pub servfail: u64,
    pub nxdomain: u64,
}

impl Counts {
    /// Of responses by [`RCODES`].
    pub(super) fn of(responses: &[u64]) -> Counts {
        let of = |code: u16| {
            let at = RCODES.iter().position(|one| *one == code);
            at.and_then(|at| responses.get(at)).copied().unwrap_or(0)
        };
        Counts { all: responses.iter().sum(), servfail: of(rcode::SERVFAIL), nxdomain: of(rcode::NXDOMAIN) }
    }

    fn since(self, before: Counts) -> Counts {
        Counts {
            all: self.all.saturating_sub(before.all),
            servfail: self.servfail.saturating_sub(before.servfail),
            nxdomain: self.nxdomain.saturating_sub(before.nxdomain),
        }
    }
}

/// What was answered of late: looked at now and then, so that a trial has something to be compared with.
#[derive(Debug, Default)]
pub(super) struct Lately(VecDeque<(Duration, Answered)>);

impl Lately {
    /// Keeps what was answered until `now`, and of what is older than `window` the last.
    pub(super) fn look(&mut self, now: Duration, window: Duration, answered: Answered) {
        while self.0.get(1).is_some_and(|(at, _)| *at + window <= now) {
            self.0.pop_front();
        }
        self.0.push_back((now, answered));
    }

    /// What was answered from the first look that is kept until `now`.
    pub(super) fn until(&self, now: &Answered) -> Answered {
        let first = self.0.front().map(|(_, answered)| answered);
        let before = |view: &String| first.and_then(|first| first.get(view)).copied().unwrap_or_default();
        now.iter().map(|(view, counts)| (view.clone(), counts.since(before(view)))).collect()
    }
}

/// A trial.
#[derive(Debug)]
pub(super) struct Trial {
    pub limits: Apply,
    /// Monotonic.
    pub ends: Duration,
    /// What was answered in the window before.
    pub before: Answered,
}

impl Trial {
    /// Why it is to be taken back before its time, if it is, after these answers in the last window of it.
    pub(super) fn objection(&self, since: &Answered) -> Option<String> {
        let mut views: Vec<&String> = since.keys().collect();
        views.sort();
        // A view that is new, or has another name since, had no answers before: it is held against those of all.
        let all = self.before.values().fold(Counts::default(), |sum, one| Counts {
            all: sum.all + one.all,
            servfail: sum.servfail + one.servfail,
            nxdomain: sum.nxdomain + one.nxdomain,
        });
        views.into_iter().find_map(|view| {
            let before = self.before.get(view).copied().filter(|before| before.all > 0).unwrap_or(all);
            let since = since[view];
            if since.all < self.limits.min_queries {
                return None;
            }
            let rises = [
                ("SERVFAIL", self.limits.servfail_rise, before.servfail, since.servfail),
                ("NXDOMAIN", self.limits.nxdomain_rise, before.nxdomain, since.nxdomain),
            ];
            rises.into_iter().find_map(|(what, limit, then, now)| {
                let (was, is) = (share(then, before.all), share(now, since.all));
                (is - was > limit?).then(|| {
                    format!(
                        "view {view}: {what} rose from {:.1} % of its answers to {:.1} % ({now} of {})",
                        was * 100.0,
                        is * 100.0,
                        since.all
                    )
                })
            })
        })
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(all: u64, servfail: u64, nxdomain: u64) -> Answered {
        HashMap::from([("vpc".to_owned(), Counts { all, servfail, nxdomain })])
    }

    fn trial(before: Answered) -> Trial {
        let limits = Apply { servfail_rise: Some(0.05), nxdomain_rise: None, ..Apply::default() };
        Trial { limits, ends: Duration::from_secs(300), before }
    }

    #[test]
    fn a_view_that_fails_more_often_than_before_ends_the_trial_and_says_so() {
        // 1 % before; 6 % is the limit.
        let trial = trial(answered(1_000, 10, 0));
        assert_eq!(trial.objection(&answered(1_000, 60, 0)), None);
        let why = trial.objection(&answered(1_000, 61, 0));
        assert_eq!(
            why.as_deref(),
            Some("view vpc: SERVFAIL rose from 1.0 % of its answers to 6.1 % (61 of 1000)")
        );
    }

    #[test]
    fn few_answers_prove_nothing_and_what_is_off_is_not_looked_at() {
        let trial = trial(Answered::new());
        assert_eq!(trial.objection(&answered(99, 99, 0)), None);
        assert_eq!(trial.objection(&answered(2_000, 0, 2_000)), None);
    }

    #[test]
    fn a_view_that_is_new_is_held_against_all_that_was_answered_before() {
        let trial =
            trial(HashMap::from([("old".to_owned(), Counts { all: 1_000, servfail: 500, nxdomain: 0 })]));
        assert_eq!(trial.objection(&answered(1_000, 540, 0)), None);
        assert!(trial.objection(&answered(1_000, 560, 0)).is_some());
    }

    #[test]
    fn only_the_window_is_compared_with() {
        let mut lately = Lately::default();
        for second in 0..200 {
            let at = Duration::from_secs(second);
            lately.look(at, Duration::from_secs(60), answered(second * 10, 0, 0));
        }
        assert!(lately.0.len() <= 62, "{}", lately.0.len());
        assert_eq!(lately.until(&answered(2_000, 0, 0))["vpc"].all, 2_000 - 139 * 10);
    }
}
