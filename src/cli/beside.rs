//! Subcommands that are programs of their own, `kakehashi-NAME`: beside this one, or in PATH.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::{Done, tell};

/// Becomes the program of that name; comes back only if there is none or it cannot be run.
pub(super) fn run(name: &str, arguments: &[OsString]) -> Done {
    let program = format!("kakehashi-{name}");
    let own = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&program)));
    let error = match own.filter(|path| path.is_file()) {
        Some(path) => become_program(path, arguments),
        None => become_program(PathBuf::from(&program), arguments),
    };
    Err(tell(if error.kind() == io::ErrorKind::NotFound {
        format!(
            "{program} is neither beside this program nor in PATH. It is built apart from the server:\n  \
             cargo build --release -p {program}"
        )
    } else {
        format!("{program}: {error}")
    }))
}

fn become_program(path: PathBuf, arguments: &[OsString]) -> io::Error {
    Command::new(path).args(arguments).exec()
}
