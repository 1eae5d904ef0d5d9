//! Whom the log's questions are put to: a server by its address, which answers in the view of the address that asks, or by
//! its control socket, which asks for any client.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use tokio::task::spawn_blocking;

use super::answer::{Answer, Patience};
use super::log::Question;
use super::{Told, tell};
use crate::cli::steer::call_within;
use crate::control::{Command, TRACE_PATIENCE};

/// Questions that wait at one control socket at once: it traces one after the other.
pub(super) const AT_ONCE: u32 = 1;
/// What a control socket is written with.
const PREFIX: &str = "unix:";

/// A running server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whom {
    Address(SocketAddr),
    Control(Arc<Path>),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Whom, String> {
        match text.strip_prefix(PREFIX) {
            Some("") => Err(format!("{text} names no file")),
            Some(file) => Ok(Whom::Control(PathBuf::from(file).into())),
            None => text.parse().map(Whom::Address).map_err(|_| {
                format!("{text} is neither ADDRESS:PORT nor {PREFIX}FILE, the control socket of a server")
            }),
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Address(address) => address.fmt(f),
            Whom::Control(file) => write!(f, "{PREFIX}{}", file.display()),
        }
    }
}

impl Serialize for Whom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The two, and that they can be compared: both are asked in the same way, and take commands where they are to be asked so.
pub(super) fn check(servers: &[Whom; 2], patience: Patience) -> Result<(), Told> {
    let [old, new] = servers;
    if matches!(old, Whom::Address(_)) != matches!(new, Whom::Address(_)) {
        return Err(tell(format!(
            "--live {old} {new}: one would be asked as the log's clients and one from this host; name both by \
             address or both by control socket"
        )));
    }
    servers.iter().try_for_each(|server| match server {
        Whom::Address(_) => Ok(()),
        Whom::Control(file) => {
            call_within(file, &Command::Status {}, patience.timeout).map(drop).map_err(tell)
        }
    })
}

/// A question as it is traced.
#[derive(Clone)]
pub(super) struct Traced {
    client: IpAddr,
    name: String,
    qtype: String,
}

impl Traced {
    pub(super) fn of<N, R>(question: &Question<N, R>) -> Traced {
        let (name, qtype) = (question.name.to_string(), question.qtype.to_string());
        Traced { client: question.client, name, qtype }
    }
}

/// Has the server behind the socket ask as its client would, once more until there is an answer.
pub(super) async fn trace(
    socket: &Arc<Path>,
    question: &Traced,
    patience: Patience,
) -> Result<Answer, String> {
    let mut last = String::new();
    for _ in 0..patience.tries {
        let Traced { client, name, qtype } = question.clone();
        let (socket, command) = (Arc::clone(socket), Command::Trace { client, name, qtype });
        let called =
            spawn_blocking(move || call_within(&socket, &command, TRACE_PATIENCE + patience.timeout)).await;
        match called.unwrap_or_else(|fault| Err(fault.to_string())) {
            Ok(traced) => return Ok(Answer::of_trace(&traced)),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}
