//! What the server writes beside answers: the query log, dnstap, and its own log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[query-log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryLog {
    /// Where lines go.
    pub to: LogTarget,
    /// When a file gives way to a new one.
    pub rotate: Rotate,
    /// Queue between a worker and the log thread, in bytes; and of lines that wait for their disk, for each worker.
    pub queue: u64,
    /// Which queries have a line.
    pub filter: LogFilter,
}

/// Where query log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output, for journald.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// When a file gives way to a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotate {
    /// When it is this large, in bytes; `None`: not by size.
    pub size: Option<u64>,
    /// When it is this old; `None`: not by time.
    pub every: Option<Duration>,
    /// Rotated files to keep.
    pub keep: usize,
}

/// Which queries are logged. An empty list means all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Networks or groups of them.
    pub networks: Vec<String>,
    /// Routes, by label.
    pub routes: Vec<String>,
    /// RCODEs.
    pub rcodes: Vec<u16>,
    /// One of so many is logged; 1: all.
    pub sample: u32,
    /// RCODEs that are not sampled.
    pub always: Vec<u16>,
}

impl Default for LogFilter {
    fn default() -> Self {
        LogFilter {
            networks: Vec::new(),
            routes: Vec::new(),
            rcodes: Vec::new(),
            sample: 1,
            always: Vec::new(),
        }
    }
}

/// `[[dnstap]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dnstap {
    /// Where frames go.
    pub to: TapTarget,
    /// Which messages.
    pub messages: Vec<TapMessage>,
    /// Which clients' messages.
    pub filter: LogFilter,
    /// When a file gives way to a new one.
    pub rotate: Rotate,
    /// Frames that may wait, in bytes.
    pub queue: u64,
}

/// Where dnstap goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapTarget {
    /// A reader's unix socket.
    Unix(PathBuf),
    /// A reader's TCP socket.
    Tcp(SocketAddr),
    /// A file.
    File(PathBuf),
}

/// A message of dnstap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapMessage {
    /// What a client asked.
    ClientQuery,
    /// What it was answered.
    ClientResponse,
    /// What an upstream server was asked.
    ForwarderQuery,
    /// What it answered.
    ForwarderResponse,
}

/// `[log]`: what the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorLog {
    /// How it is written.
    pub format: LogFormat,
    /// From which level on; or several for parts of the server, as `RUST_LOG` has it.
    pub level: String,
}

impl Default for OperatorLog {
    fn default() -> Self {
        OperatorLog { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The words for levels.
pub(super) const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The first word of a level that is none. A level is a word, or a list of `part=word` with a word for the rest; a word
/// that is not known would silently be taken for a part.
pub fn wrong_level(text: &str) -> Option<&str> {
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let words = text.split(',').map(|part| part.rsplit_once('=').map_or(part, |(_, level)| level).trim());
    words.into_iter().find(|word| !is_level(word))
}

/// How the server's own log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON objects, one a line.
    Json,
    /// Entries of the journal, each value a field.
    Journald,
}
