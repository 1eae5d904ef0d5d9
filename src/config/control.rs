//! `[control]` and `[apply]`: how the running server is steered.

use std::path::PathBuf;
use std::time::Duration;

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// Where commands are taken.
    pub socket: ControlSocket,
    /// The group that may give them beside the server's own; a name or a number.
    pub group: Option<String>,
}

/// Where commands are taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ControlSocket {
    /// In the runtime directory that systemd made; without one, nowhere.
    #[default]
    RuntimeDirectory,
    /// Here.
    At(PathBuf),
    /// Nowhere.
    Off,
}

/// `[apply]`: when an unconfirmed configuration is taken back although its time is not over.
#[derive(Debug, Clone, PartialEq)]
pub struct Apply {
    /// By how much the share of SERVFAIL in a view's answers may rise (0.05: from 1 % to 6 %); `None`: by any.
    pub servfail_rise: Option<f64>,
    /// The same of NXDOMAIN.
    pub nxdomain_rise: Option<f64>,
    /// Answers to a view below which nothing is concluded.
    pub min_queries: u64,
    /// How much of the time before is compared with, and how much of the time since.
    pub window: Duration,
}

impl Default for Apply {
    fn default() -> Apply {
        Apply {
            servfail_rise: Some(0.05),
            nxdomain_rise: Some(0.2),
            min_queries: 100,
            window: Duration::from_secs(60),
        }
    }
}
