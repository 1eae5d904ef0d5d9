//! The operator's log as journald reads it from stderr: each line begins with its priority (sd-daemon(3)), so that
//! `journalctl -p warning` finds what it should.

use std::io::{self, Write};
use std::os::fd::AsFd;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Whether stderr is a stream to the journal, and not a file that it was redirected to (systemd.exec(5), JOURNAL_STREAM).
pub fn reads_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    nix::sys::stat::fstat(io::stderr().as_fd())
        .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Makes a writer for each event, which knows how grave that is.
pub struct Journal;

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Entry;

    fn make_writer(&'a self) -> Entry {
        Entry { prefix: prefix(Level::INFO) }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Entry {
        Entry { prefix: prefix(*event.level()) }
    }
}

/// Writes one event.
pub struct Entry {
    prefix: &'static str,
}

impl Write for Entry {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // In one piece: other threads write too.
        io::stderr().write_all(&prefixed(self.prefix, text))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The priorities of syslog(3).
fn prefix(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Every line is an entry of its own in the journal, and a diagnostic has several.
fn prefixed(prefix: &str, text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|&octet| octet == b'\n');
    lines.flat_map(|line| [prefix.as_bytes(), line].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_an_event_has_its_priority() {
        let text = b"ERROR error: a value without quotes\n  --> main.toml:34:10\n";
        let want = "<3>ERROR error: a value without quotes\n<3>  --> main.toml:34:10\n";
        assert_eq!(String::from_utf8_lossy(&prefixed(prefix(Level::ERROR), text)), want);
        assert_eq!(prefixed(prefix(Level::WARN), b"no newline"), b"<4>no newline");
    }
}
