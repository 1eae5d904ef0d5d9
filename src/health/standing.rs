//! The state machine: what one more success or failure makes of a server. Pure; every row is in the tests.

use std::fmt;

use super::Reason;

/// Whether a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It answers.
    Up,
    /// It failed lately: asked after those that are up.
    Suspect,
    /// It failed `fall` times in a row: asked only when nobody else is left.
    Down,
}

impl State {
    /// Every state, in the order of their numbers.
    pub const ALL: [State; 3] = [State::Up, State::Suspect, State::Down];

    /// As status pages and labels write it.
    pub fn text(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Suspect => "suspect",
            State::Down => "down",
        }
    }
}

/// What became of a query or a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A query of a client was answered.
    QueryAnswered,
    /// A query of a client was not, by no fault of its name.
    QueryFailed(Reason),
    /// A probe was answered as it should be.
    ProbePassed,
    /// A probe was not.
    ProbeFailed(Reason),
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signal::QueryAnswered => f.write_str("a query was answered"),
            Signal::QueryFailed(reason) => write!(f, "{reason} of a query"),
            Signal::ProbePassed => f.write_str("a probe was answered"),
            Signal::ProbeFailed(reason) => write!(f, "{reason} of a probe"),
        }
    }
}

/// Who may say that a server is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// Probes. Failed queries count towards `fall`, but the last word is a probe's: clients who ask only for names of
    /// some dead domain must not take a server away from all others.
    Probes,
    /// Queries, as there are no probes.
    Queries,
}

/// How many, and who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Failures in a row that take a server down.
    pub fall: u8,
    /// Successes in a row that bring it back.
    pub rise: u8,
    /// Who may say so.
    pub judge: Judge,
}

/// A state and what counts towards the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// Failures since the last success.
    pub failures: u8,
    /// Successes since the last failure, while down.
    pub passes: u8,
}

impl Standing {
    /// Up, with nothing against it.
    pub const UP: Standing = Standing { state: State::Up, failures: 0, passes: 0 };

    /// What one more signal makes of it.
    pub fn after(self, signal: Signal, rules: Rules) -> Standing {
        match signal {
            Signal::QueryAnswered | Signal::ProbePassed => self.after_success(rules),
            Signal::QueryFailed(_) => self.after_failure(rules, Judge::Queries),
            Signal::ProbeFailed(_) => self.after_failure(rules, Judge::Probes),
        }
    }

    fn after_success(self, rules: Rules) -> Standing {
        let passes = self.passes.saturating_add(1);
        if self.state == State::Down && passes < rules.rise {
            Standing { passes, ..self }
        } else {
            Standing::UP
        }
    }

    fn after_failure(self, rules: Rules, witness: Judge) -> Standing {
        let failures = self.failures.saturating_add(1);
        let may_say_so = witness == Judge::Probes || rules.judge == Judge::Queries;
        let falls = self.state == State::Down || (may_say_so && failures >= rules.fall);
        Standing { state: if falls { State::Down } else { State::Suspect }, failures, passes: 0 }
    }

    pub(super) fn pack(self) -> u32 {
        u32::from_be_bytes([0, self.state as u8, self.failures, self.passes])
    }

    pub(super) fn unpack(packed: u32) -> Standing {
        let [_, state, failures, passes] = packed.to_be_bytes();
        Standing { state: State::ALL[usize::from(state).min(2)], failures, passes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Signal::{ProbePassed, QueryAnswered};

    const RULES: Rules = Rules { fall: 3, rise: 2, judge: Judge::Probes };
    const QUERY_FAILED: Signal = Signal::QueryFailed(Reason::Timeout);
    const PROBE_FAILED: Signal = Signal::ProbeFailed(Reason::Timeout);

    fn states(rules: Rules, signals: &[Signal]) -> Vec<State> {
        let step = |standing: &mut Standing, signal: &Signal| {
            *standing = Standing::unpack(standing.after(*signal, rules).pack());
            Some(standing.state)
        };
        signals.iter().scan(Standing::UP, step).collect()
    }

    #[test]
    fn one_failure_makes_suspect_and_any_success_clears_it() {
        use State::{Suspect, Up};
        assert_eq!(states(RULES, &[QUERY_FAILED, QueryAnswered]), [Suspect, Up]);
        assert_eq!(states(RULES, &[QUERY_FAILED, ProbePassed]), [Suspect, Up]);
        assert_eq!(states(RULES, &[PROBE_FAILED, QueryAnswered]), [Suspect, Up]);
    }

    #[test]
    fn fall_failures_in_a_row_take_it_down_and_a_success_between_starts_anew() {
        use State::{Down, Suspect, Up};
        assert_eq!(states(RULES, &[QUERY_FAILED, PROBE_FAILED, PROBE_FAILED]), [Suspect, Suspect, Down]);
        assert_eq!(
            states(RULES, &[PROBE_FAILED, PROBE_FAILED, QueryAnswered, PROBE_FAILED]),
            [Suspect, Suspect, Up, Suspect]
        );
        assert_eq!(states(Rules { fall: 1, ..RULES }, &[PROBE_FAILED]), [Down]);
    }

    #[test]
    fn queries_alone_take_nothing_down_where_probes_judge() {
        use State::{Down, Suspect};
        let mut signals = vec![QUERY_FAILED; 500];
        assert!(states(RULES, &signals).iter().all(|state| *state == Suspect));
        signals.push(PROBE_FAILED);
        assert_eq!(states(RULES, &signals).last(), Some(&Down));
        let alone = Rules { judge: Judge::Queries, ..RULES };
        assert_eq!(states(alone, &[QUERY_FAILED; 3]), [Suspect, Suspect, Down]);
    }

    #[test]
    fn rise_successes_in_a_row_bring_it_back() {
        use State::{Down, Up};
        let after = |signals: &[Signal]| states(RULES, &[&[PROBE_FAILED; 3], signals].concat()).split_off(3);
        assert_eq!(after(&[ProbePassed, ProbePassed]), [Down, Up]);
        assert_eq!(after(&[ProbePassed, PROBE_FAILED, ProbePassed, ProbePassed]), [Down, Down, Down, Up]);
        assert_eq!(after(&[ProbePassed, QUERY_FAILED, ProbePassed]), [Down, Down, Down]);
        // With all servers down all are asked: an answer to a client is as good as one to us.
        assert_eq!(after(&[QueryAnswered, QueryAnswered]), [Down, Up]);
    }
}
