//! `confirm`: what was applied becomes what the next start reads. Only whoever confirms may write there: the server may
//! not.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::call::call;
use crate::cli::{Told, tell};
use crate::control::Command;

/// What was done to the file that the server was started with.
enum Installed {
    /// The link leads to the applied file now; it led there before.
    Turned(PathBuf),
    /// The applied file took its place; what was there has this name.
    Replaced(PathBuf),
    /// They are one file already.
    Same,
    /// Nothing.
    Elsewhere,
}

/// Keeps what is on trial; says what was done.
pub(super) fn confirm(socket: &Path) -> Result<String, Told> {
    let status = call(socket, &Command::Status).map_err(tell)?;
    let configuration = &status["configuration"];
    let path = |value: &Value| value.as_str().map(PathBuf::from);
    let Some(applied) = path(&configuration["on_trial"]["file"]) else {
        return Err(tell("no configuration is on trial"));
    };
    let configured = path(&configuration["file"]).unwrap_or_default();
    let told = |fault: io::Error| tell(format!("{}: {fault}; nothing is confirmed", configured.display()));
    let installed = install(&applied, &configured).map_err(told)?;
    let command = Command::Confirm { installed: !matches!(installed, Installed::Elsewhere) };
    if let Err(why) = call(socket, &command) {
        undo(&installed, &configured).map_err(told)?;
        return Err(tell(why));
    }
    let (applied, configured) = (applied.display(), configured.display());
    Ok(match installed {
        Installed::Same => format!("{applied} is confirmed\n"),
        Installed::Turned(_) => format!("{applied} is confirmed; {configured} leads to it now\n"),
        Installed::Replaced(kept) => {
            format!("{applied} is confirmed as {configured}; what was there is {}\n", kept.display())
        }
        Installed::Elsewhere => format!(
            "{applied} is confirmed, and read at each reload; but a restart reads {configured}: start the server with \
             the new file, or put it there\n"
        ),
    })
}

fn install(applied: &Path, configured: &Path) -> io::Result<Installed> {
    if fs::canonicalize(applied)? == fs::canonicalize(configured)? {
        return Ok(Installed::Same);
    }
    let beside = |ending: &str| {
        let mut name = configured.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        configured.with_file_name(name)
    };
    if fs::symlink_metadata(configured)?.is_symlink() {
        let before = fs::read_link(configured)?;
        turn(applied, configured, &beside(".new"))?;
        return Ok(Installed::Turned(before));
    }
    let folder = |path: &Path| {
        fs::canonicalize(path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new(".")))
    };
    if folder(applied)? != folder(configured)? {
        return Ok(Installed::Elsewhere);
    }
    // In one step each, so that at every moment there is a whole file under the name.
    let (kept, new) = (beside(".before"), beside(".new"));
    fs::copy(configured, &kept)?;
    fs::copy(applied, &new)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, configured)?;
    Ok(Installed::Replaced(kept))
}

fn turn(target: &Path, link: &Path, new: &Path) -> io::Result<()> {
    let _ = fs::remove_file(new);
    symlink(target, new)?;
    fs::rename(new, link)
}

fn undo(installed: &Installed, configured: &Path) -> io::Result<()> {
    match installed {
        Installed::Turned(before) => turn(before, configured, &configured.with_extension("old")),
        Installed::Replaced(kept) => fs::rename(kept, configured),
        Installed::Same | Installed::Elsewhere => Ok(()),
    }
}
