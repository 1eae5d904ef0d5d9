//! What became of reloads, as the status document and the dashboard tell it.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::control::status::{ReloadResult, ReloadStatus};

/// What became of reloads.
#[derive(Debug, Clone, Default)]
pub(super) struct Reloads {
    pub succeeded: u64,
    pub failed: u64,
    /// When the configuration in force was loaded.
    pub last_success: Option<SystemTime>,
    /// The last one of all.
    pub last: Option<(SystemTime, Result<(), Vec<String>>)>,
    /// The last few, newest first.
    pub recent: VecDeque<ReloadStatus>,
    /// What is in force until it is confirmed.
    pub awaiting: Option<Awaiting>,
    /// How the last trial ended.
    pub last_trial: Option<String>,
}

/// A configuration that waits to be confirmed.
#[derive(Debug, Clone)]
pub(super) struct Awaiting {
    pub file: String,
    /// Monotonic.
    pub ends: Duration,
}

/// How many reloads are shown.
const RECENT: usize = 6;

impl Reloads {
    /// Keeps one more of them.
    pub(super) fn remember(&mut self, time: SystemTime, outcome: &Result<(), Vec<String>>) {
        self.recent.truncate(RECENT - 1);
        self.recent.push_front(reload(time, outcome));
    }
}

pub(super) fn reload(time: SystemTime, outcome: &Result<(), Vec<String>>) -> ReloadStatus {
    ReloadStatus {
        result: if outcome.is_ok() { ReloadResult::Success } else { ReloadResult::Failure },
        time: rfc3339(time),
        reasons: outcome.as_ref().err().cloned().unwrap_or_default(),
    }
}

/// A moment in UTC.
pub(super) fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!("{time:.0}"))
}
