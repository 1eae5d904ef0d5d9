//! The operator's log: what the server says of itself. Its level can be changed while it runs.

use std::sync::OnceLock;

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use super::journal;
use crate::config::{LogFormat, OperatorLog, wrong_level};

/// The subscriber is the process's own, and so is the way to its filter.
static FILTER: OnceLock<reload::Handle<EnvFilter, Layered<Boxed, Registry>>> = OnceLock::new();

/// Why the level stays as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelFault {
    /// Not a level.
    #[error(
        "\"{0}\" is not a level: off, error, warn, info, debug or trace, or a list such as \"info,kakehashi::upstream=debug\""
    )]
    Unknown(String),
    /// There is no log whose level could change.
    #[error("the log was not begun here")]
    NoLog,
}

/// Begins the log as the configuration wants it; `RUST_LOG` says more or less. A second call, as tests make, changes
/// nothing.
pub fn begin_log(log: &OperatorLog) {
    let wanted = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(&log.level));
    let (filter, handle) = reload::Layer::new(wanted);
    let (layer, fault) = layer(log.format);
    if tracing_subscriber::registry().with(layer).with(filter).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
    if let Some(fault) = fault {
        tracing::warn!(%fault, "the journal does not listen: the log goes to stderr as text");
    }
}

/// Sends the operator's log to stderr as text, from this level on.
pub fn log_to_stderr(level: &str) {
    begin_log(&OperatorLog { format: LogFormat::Text, level: level.to_owned() });
}

/// Says more or less from now on, until the next change or start: a level, or a list of levels by part of the server as
/// `RUST_LOG` has it.
///
/// # Errors
/// If it is no such thing; the level then stays as it is.
pub fn set_level(text: &str) -> Result<(), LevelFault> {
    let unknown = |word: &str| LevelFault::Unknown(word.to_owned());
    if let Some(word) = wrong_level(text) {
        return Err(unknown(word));
    }
    let filter = EnvFilter::try_new(text).map_err(|_| unknown(text))?;
    let handle = FILTER.get().ok_or(LevelFault::NoLog)?;
    let say = || tracing::info!(level = text, "the log's level changes");
    // Where it is heard: before it falls below that, or after it was raised.
    let is_heard = tracing::enabled!(tracing::Level::INFO);
    if is_heard {
        say();
    }
    handle.reload(filter).map_err(|_| LevelFault::NoLog)?;
    if !is_heard {
        say();
    }
    Ok(())
}

/// Takes over what a reload changed. `RUST_LOG` stands above the configuration.
pub(super) fn reload_level(before: &OperatorLog, after: &OperatorLog) {
    if before.level != after.level
        && std::env::var_os(EnvFilter::DEFAULT_ENV).is_none()
        && let Err(fault) = set_level(&after.level)
    {
        tracing::warn!(%fault, "the log's level stays as it was");
    }
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// The layer that writes in this format, and why it is another one if it is.
fn layer(format: LogFormat) -> (Boxed, Option<std::io::Error>) {
    match format {
        LogFormat::Text => (text(), None),
        LogFormat::Json => {
            let lines =
                fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
            (lines.with_writer(std::io::stderr).boxed(), None)
        }
        LogFormat::Journald => match tracing_journald::layer() {
            Ok(entries) => {
                let entries = entries.with_field_prefix(Some("KAKEHASHI".to_owned()));
                let entries = entries.with_priority_mappings(PriorityMappings {
                    info: Priority::Informational,
                    debug: Priority::Debug,
                    trace: Priority::Debug,
                    ..PriorityMappings::new()
                });
                (entries.with_syslog_identifier("kakehashi".to_owned()).boxed(), None)
            }
            Err(fault) => (text(), Some(fault)),
        },
    }
}

fn text() -> Boxed {
    let lines = fmt::layer().with_target(false).with_ansi(false);
    if journal::reads_stderr() {
        // journald writes the time itself.
        lines.without_time().with_writer(journal::Journal).boxed()
    } else {
        lines.with_writer(std::io::stderr).boxed()
    }
}
