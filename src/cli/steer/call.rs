//! One command to the control socket: HTTP/1 over a unix socket, one request and its reply.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::control::Command;

/// How long an answer may take: a large configuration takes its time.
const PATIENCE: Duration = Duration::from_secs(150);
/// The longest reply.
const REPLY: u64 = 64 << 20;

/// Gives a command; what came of it, or why it was not done.
pub(super) fn call(socket: &Path, command: &Command) -> Result<Value, String> {
    call_within(socket, command, PATIENCE)
}

/// The same, with so much time for each part of the reply.
pub(in crate::cli) fn call_within(
    socket: &Path,
    command: &Command,
    patience: Duration,
) -> Result<Value, String> {
    let reply = exchange(socket, command, patience).map_err(|fault| match fault.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!("no server takes commands on {} ({fault}); [control] socket names it", socket.display())
        }
        io::ErrorKind::PermissionDenied => {
            format!("{}: {fault}; its group may give commands, and root", socket.display())
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("{}: no reply in {}", socket.display(), humantime::format_duration(patience))
        }
        _ => format!("{}: {fault}", socket.display()),
    })?;
    let (head, body) = reply.split_once("\r\n\r\n").ok_or("the reply is cut off")?;
    let document: Value =
        serde_json::from_str(body).map_err(|fault| format!("the reply is no JSON: {fault}"))?;
    if head.split_whitespace().nth(1) == Some("200") {
        return Ok(document);
    }
    Err(document["error"].as_str().unwrap_or("it was not done").to_owned())
}

fn exchange(socket: &Path, command: &Command, patience: Duration) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let body = serde_json::to_string(command)?;
    let head = "POST /command HTTP/1.1\r\nHost: kakehashi\r\nConnection: close\r\nContent-Type: application/json\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    let mut reply = String::new();
    stream.take(REPLY).read_to_string(&mut reply)?;
    Ok(reply)
}
