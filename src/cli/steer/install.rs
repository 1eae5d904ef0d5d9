//! `confirm`: what was applied becomes what the next start reads. Only whoever confirms may write there: the server may
//! not.
//!
//! All that can fail is done before the server hears of it, and what is left then is one rename: whoever is killed in
//! between leaves the old file to the next start, never one that nobody confirmed.

use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::call::call;
use crate::cli::{Told, tell};
use crate::control::Command;

/// What is to stand where the server was started from.
enum Next {
    /// What is there: it is the applied file.
    Same,
    /// This, renamed; what was there is kept as the other.
    Ready { new: PathBuf, kept: PathBuf, how: How },
}

/// How it leads to what was applied.
#[derive(Clone, Copy)]
enum How {
    /// A link to the applied file.
    Link,
    /// A copy of it.
    Copy,
    /// A line that includes it.
    Include,
}

/// Keeps what is on trial; says what was done.
pub(super) fn confirm(socket: &Path) -> Result<String, Told> {
    let status = call(socket, &Command::Status {}).map_err(tell)?;
    let configuration = &status["configuration"];
    let path = |value: &Value| value.as_str().map(PathBuf::from);
    let Some(applied) = path(&configuration["on_trial"]["file"]) else {
        return Err(tell("no configuration is on trial"));
    };
    let configured = path(&configuration["file"]).unwrap_or_default();
    let next = prepare(&applied, &configured)
        .map_err(|fault| tell(format!("{}: {fault}; nothing is confirmed", configured.display())))?;
    if let Err(why) = call(socket, &Command::Confirm { installed: true }) {
        if let Next::Ready { new, .. } = &next {
            let _ = fs::remove_file(new);
        }
        return Err(tell(why));
    }
    let (from, to) = (applied.display(), configured.display());
    let Next::Ready { new, kept, how } = next else { return Ok(format!("{from} is confirmed\n")) };
    fs::rename(&new, &configured).map_err(|fault| {
        tell(format!("{from} is confirmed, but a restart reads the old {to}: {fault}; put it there by hand"))
    })?;
    // So that what is in force was read from where the next start reads it.
    call(socket, &Command::Reload {}).map_err(tell)?;
    let kept = kept.display();
    Ok(match how {
        How::Link => format!("{from} is confirmed; {to} leads to it now, and {kept} to what it led to\n"),
        How::Copy => format!("{from} is confirmed as {to}; what was there is {kept}\n"),
        How::Include => {
            format!(
                "{from} is confirmed; {to} includes it now, so keep its folder; what was there is {kept}\n"
            )
        }
    })
}

fn prepare(applied: &Path, configured: &Path) -> io::Result<Next> {
    if fs::canonicalize(applied)? == fs::canonicalize(configured)? {
        return Ok(Next::Same);
    }
    let beside = |ending: &str| {
        let mut name = configured.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        configured.with_file_name(name)
    };
    let (kept, new) = (beside(".before"), beside(".new"));
    let is_link = fs::symlink_metadata(configured)?.is_symlink();
    // Paths in a file are relative to the folder in which it is read, be it a link or not: from another folder, neither a
    // link nor a copy would say the same.
    let how = match (folder(applied)? == folder(configured)?, is_link) {
        (true, true) => How::Link,
        (true, false) => How::Copy,
        (false, _) => How::Include,
    };
    clear(&kept)?;
    clear(&new)?;
    if is_link {
        symlink(fs::read_link(configured)?, &kept)?;
    } else {
        fs::copy(configured, &kept)?;
    }
    match how {
        How::Link => symlink(applied, &new)?,
        How::Copy => {
            fs::copy(applied, &new)?;
            fs::File::open(&new)?.sync_all()?;
        }
        How::Include => {
            // What TOML and JSON quote alike, but a control character, which no file should have in its name.
            let path = serde_json::to_string(&applied.display().to_string())?;
            let mut file = fs::File::create(&new)?;
            file.set_permissions(fs::metadata(configured)?.permissions())?;
            writeln!(
                file,
                "# Written by `kakehashi confirm`: the whole configuration is there.\ninclude = [{path}]"
            )?;
            file.sync_all()?;
        }
    }
    Ok(Next::Ready { new, kept, how })
}

fn folder(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")))
}

/// Makes room for a new file.
fn clear(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
        _ => Ok(()),
    }
}
