//! What the configuration says of logs, in the words of those who write them.

use crate::config::{Config, LogFilter, LogTarget, Rotate, TapMessage, TapTarget};
use crate::detect;
use crate::observe::dnstap::{self, Kind};
use crate::observe::filter::Selection;
use crate::observe::log::{Rotation, Target};
use crate::observe::readings::AlertReading;

pub(super) fn log_target(config: &Config) -> Target {
    let log = &config.query_log;
    match &log.to {
        LogTarget::Off => Target::Off,
        LogTarget::Stdout => Target::Stdout,
        LogTarget::File(path) => Target::File { path: path.clone(), rotation: rotation(&log.rotate) },
    }
}

pub(super) fn log_name(config: &Config) -> String {
    match &config.query_log.to {
        LogTarget::File(path) => path.display().to_string(),
        LogTarget::Off | LogTarget::Stdout => "stdout".into(),
    }
}

pub(super) fn selection(filter: &LogFilter) -> Selection {
    let LogFilter { networks, routes, rcodes, sample, always } = filter.clone();
    Selection { networks, routes, rcodes, sample, always }
}

pub(super) fn taps(config: &Config) -> Vec<dnstap::Spec> {
    let kind = |message: &TapMessage| match message {
        TapMessage::ClientQuery => Kind::ClientQuery,
        TapMessage::ClientResponse => Kind::ClientResponse,
        TapMessage::ForwarderQuery => Kind::ForwarderQuery,
        TapMessage::ForwarderResponse => Kind::ForwarderResponse,
    };
    let spec = |tap: &crate::config::Dnstap| dnstap::Spec {
        target: match &tap.to {
            TapTarget::Unix(path) => dnstap::Target::Unix(path.clone()),
            TapTarget::Tcp(address) => dnstap::Target::Tcp(*address),
            TapTarget::File(path) => {
                dnstap::Target::File { path: path.clone(), rotation: rotation(&tap.rotate) }
            }
        },
        kinds: tap.messages.iter().map(kind).collect(),
        selection: selection(&tap.filter),
        queue: usize::try_from(tap.queue).unwrap_or(usize::MAX),
    };
    config.dnstap.iter().map(spec).collect()
}

fn rotation(rotate: &Rotate) -> Rotation {
    Rotation { size: rotate.size, every: rotate.every, keep: rotate.keep }
}

pub(super) fn alert_reading(counts: detect::AlertCounts) -> AlertReading {
    let told = detect::Kind::ALL.iter().zip(counts.told).map(|(kind, count)| (kind.text(), count));
    AlertReading { told: told.collect(), suppressed: counts.suppressed, undelivered: counts.undelivered }
}
