//! What the control socket can be told, and who does it. Field names are an interface: scripts write them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a question may take that is traced, before it is said that nothing came: upstream deadlines end before.
pub const TRACE_PATIENCE: Duration = Duration::from_secs(15);

/// A command, as its JSON document. Those without a parameter have braces so that one that is given all the same is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Says what runs.
    Status {},
    /// Reads the configuration again, as SIGHUP does.
    Reload {},
    /// Forgets what is cached.
    Flush {
        /// The name; `None`: every one.
        name: Option<String>,
        /// Whether what is below it goes too.
        subtree: bool,
        /// Only what this view is answered; `None`: in every view.
        view: Option<String>,
    },
    /// Asks a question as a client would, and tells what became of it.
    Trace {
        /// The client's address.
        client: IpAddr,
        /// QNAME.
        name: String,
        /// QTYPE.
        qtype: String,
    },
    /// Puts a configuration in force that is taken back unless it is confirmed.
    Apply {
        /// Its main file; absolute, as the server may stand elsewhere.
        file: PathBuf,
        /// For how long it may go unconfirmed, in seconds.
        confirm_within: u64,
    },
    /// Keeps the configuration that was applied.
    Confirm {
        /// Whether it now is the file that the server was started with; else that file's name is forgotten.
        installed: bool,
    },
    /// Takes it back now.
    Cancel {},
    /// Says more or less in the operator's log.
    LogLevel {
        /// As `RUST_LOG` has it.
        level: String,
    },
}

impl Command {
    /// Whether it changes anything: then it is logged who gave it.
    pub fn changes_something(&self) -> bool {
        !matches!(self, Command::Status {} | Command::Trace { .. })
    }

    /// Its name, as the command line has it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Status {} => "status",
            Command::Reload {} => "reload",
            Command::Flush { .. } => "flush",
            Command::Trace { .. } => "trace",
            Command::Apply { .. } => "apply",
            Command::Confirm { .. } => "confirm",
            Command::Cancel {} => "apply --cancel",
            Command::LogLevel { .. } => "log-level",
        }
    }
}

/// What came of a command: a document, or why it was not done.
pub type Outcome = Result<Value, String>;

/// Who does what is told. Called on threads that may wait.
pub trait Steering: Send + Sync {
    /// Does it.
    fn obey(&self, command: Command) -> Outcome;
}
