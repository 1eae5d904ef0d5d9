//! Responses that are no answers, by response code and by the extended error that says why (RFC 8914).

use crate::query::Event;

use super::block::{Outcome, RCODES};
use super::counter::Counter;

/// The extended errors, by code.
const REASONS: [&str; 31] = [
    "other",
    "unsupported-dnskey-algorithm",
    "unsupported-ds-digest",
    "stale-answer",
    "forged-answer",
    "dnssec-indeterminate",
    "dnssec-bogus",
    "signature-expired",
    "signature-not-yet-valid",
    "dnskey-missing",
    "rrsigs-missing",
    "no-zone-key-bit",
    "nsec-missing",
    "cached-error",
    "not-ready",
    "blocked",
    "censored",
    "filtered",
    "prohibited",
    "stale-nxdomain",
    "not-authoritative",
    "not-supported",
    "no-reachable-authority",
    "network-error",
    "invalid-data",
    "signature-expired-before-valid",
    "too-early",
    "unsupported-nsec3-iterations",
    "policy-not-met",
    "synthesized",
    "invalid-query-type",
];
const UNKNOWN: usize = REASONS.len();
const UNSAID: usize = REASONS.len() + 1;

/// Where NOERROR and NXDOMAIN are in [`RCODES`]: answers, not failures.
const ANSWERS: [usize; 2] = [0, 3];

/// One worker's counts.
pub(super) struct Failures([[Counter; UNSAID + 1]; RCODES.len() + 1]);

impl Default for Failures {
    fn default() -> Failures {
        Failures(std::array::from_fn(|_| std::array::from_fn(|_| Counter::default())))
    }
}

/// Counts by place in [`RCODES`] and reason, where there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureSums(std::collections::BTreeMap<(usize, usize), u64>);

impl Failures {
    /// Counts an event if it is a failure.
    pub(super) fn count(&self, event: &Event<'_>, outcome: Outcome) {
        if !ANSWERS.contains(&outcome.code) {
            let known = |code: u16| Some(usize::from(code)).filter(|code| *code < REASONS.len());
            let reason = event.ede.map_or(UNSAID, |code| known(code).unwrap_or(UNKNOWN));
            self.0[outcome.code][reason].add(1);
        }
    }

    pub(super) fn add_to(&self, sums: &mut FailureSums) {
        for (code, reasons) in self.0.iter().enumerate() {
            for (reason, count) in reasons.iter().map(Counter::get).enumerate().filter(|(_, n)| *n > 0) {
                *sums.0.entry((code, reason)).or_default() += count;
            }
        }
    }
}

impl FailureSums {
    /// By place in [`RCODES`] and reason.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &'static str, u64)> {
        let word = |reason| match reason {
            UNSAID => "none",
            reason => REASONS.get(reason).copied().unwrap_or("unknown"),
        };
        self.0.iter().map(move |((code, reason), count)| (*code, word(*reason), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Ede;

    #[test]
    fn reasons_stand_at_their_codes() {
        for (code, reason) in [
            (Ede::STALE, "stale-answer"),
            (Ede::PROHIBITED, "prohibited"),
            (Ede::NO_REACHABLE_AUTHORITY, "no-reachable-authority"),
            (Ede::NETWORK_ERROR, "network-error"),
            (30, "invalid-query-type"),
        ] {
            assert_eq!(REASONS[usize::from(code)], reason);
        }
    }
}
