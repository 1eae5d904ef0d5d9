//! Where lines go, and what happens when they cannot: what is not written waits, is tried again, and is never cut.
//!
//! Lines gather in one buffer; a write that fails keeps its rest, so after a full disk the line that was cut off is
//! finished first. While a sink fails its writer takes nothing more; what waits for it is bounded, and counted beyond that.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::file::{LogFile, Reopened, Rotation};

/// How long to wait after a fault, doubled each time up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long, and how often, to wait for room on a descriptor that does not wait by itself.
const NAP: Duration = Duration::from_millis(10);
const NAPS: u32 = 50;
/// How long a rotation that failed is put off.
const ROTATE_AGAIN: Duration = Duration::from_secs(60);

/// Where the query log goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Target {
    /// Nowhere.
    #[default]
    Off,
    /// Standard output, for journald.
    Stdout,
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// When it gives way to a new one.
        rotation: Rotation,
    },
}

/// A moment at the log thread: for waits, and since 1970 for names of files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) unix: Duration,
}

/// An open target with its buffer.
#[derive(Debug)]
pub(super) struct Sink {
    outlet: Outlet,
    buffer: Vec<u8>,
    /// How much of the buffer is written already.
    sent: usize,
    trouble: Option<Trouble>,
    rotate_after: Option<Instant>,
    reopen: bool,
    /// Lines written and lines given up, since the log thread last took these numbers.
    pub(super) written: u64,
    pub(super) lost: u64,
}

#[derive(Debug)]
enum Outlet {
    Nowhere,
    Stream(File),
    File(LogFile),
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    retry_at: Instant,
    wait: Duration,
}

impl Sink {
    /// Opens a target.
    pub(super) fn open(target: &Target) -> io::Result<Sink> {
        let outlet = match target {
            Target::Off => Outlet::Nowhere,
            // Not through `io::stdout()`, which would flush at every line.
            Target::Stdout => Outlet::Stream(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            Target::File { path, rotation } => Outlet::File(LogFile::open(path, rotation)?),
        };
        Ok(Sink {
            outlet,
            buffer: Vec::new(),
            sent: 0,
            trouble: None,
            rotate_after: None,
            reopen: false,
            written: 0,
            lost: 0,
        })
    }

    /// Whether nothing that is put in will be kept.
    pub(super) fn is_off(&self) -> bool {
        matches!(self.outlet, Outlet::Nowhere)
    }

    /// How long until it may be written to again, if it fails now.
    pub(super) fn wait(&self, now: Moment) -> Option<Duration> {
        self.trouble.as_ref().map(|trouble| trouble.retry_at.saturating_duration_since(now.at))
    }

    /// Takes whole lines in, to be written next.
    pub(super) fn load(&mut self, lines: Vec<u8>) {
        if self.buffer.is_empty() {
            self.buffer = lines;
        } else {
            self.buffer.extend_from_slice(&lines);
        }
    }

    /// Whether anything is left to write.
    pub(super) fn has_rest(&self) -> bool {
        self.sent < self.buffer.len()
    }

    /// Asks for the path to be opened anew at the next write.
    pub(super) fn reopen(&mut self) {
        self.reopen = true;
    }

    /// Writes all that it holds. After a fault [`wait`](Self::wait) says when to come again.
    pub(super) fn write(&mut self, now: Moment) {
        let result = self.renew().and_then(|()| self.try_write(now));
        match result {
            Ok(()) => self.recover(now),
            Err(fault) => self.suffer(&fault, now),
        }
    }

    /// Gives up what is gathered; the numbers say how many lines that were.
    pub(super) fn give_up(&mut self) {
        self.lost += newlines(&self.buffer[self.sent..]);
        self.buffer.clear();
        self.sent = 0;
    }

    /// After a fault the old descriptor may be dead for good, so the path is opened anew then, too.
    fn renew(&mut self) -> io::Result<()> {
        let Outlet::File(file) = &mut self.outlet else { return Ok(()) };
        if !self.reopen && self.trouble.is_none() {
            return Ok(());
        }
        if file.reopen()? == Reopened::Other {
            self.skip_cut_line();
        }
        self.reopen = false;
        Ok(())
    }

    /// The rest of a line whose beginning is in another file is no line.
    fn skip_cut_line(&mut self) {
        let is_cut = self.sent > 0 && self.buffer[self.sent - 1] != b'\n';
        if let (true, Some(end)) = (is_cut, self.buffer[self.sent..].iter().position(|byte| *byte == b'\n')) {
            self.sent += end + 1;
            self.lost += 1;
        }
    }

    fn try_write(&mut self, now: Moment) -> io::Result<()> {
        self.rotate(now);
        let mut patience = NAPS;
        while self.sent < self.buffer.len() {
            let rest = &self.buffer[self.sent..];
            let result = match &mut self.outlet {
                Outlet::Nowhere => Ok(rest.len()),
                Outlet::Stream(stream) => stream.write(rest),
                Outlet::File(file) => file.write(rest),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.written += newlines(&rest[..length]);
                    self.sent += length;
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                // A descriptor that its giver made non-blocking, and a reader that is a little slow.
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock && patience > 0 => {
                    patience -= 1;
                    std::thread::sleep(NAP);
                }
                Err(fault) => return Err(fault),
            }
        }
        self.buffer = Vec::new();
        self.sent = 0;
        Ok(())
    }

    /// Begins a new file where it is time, between lines only. A rotation that fails is said and put off: lines go on
    /// into the old file.
    fn rotate(&mut self, now: Moment) {
        let Outlet::File(file) = &mut self.outlet else { return };
        let more = self.buffer.len();
        if more == 0 || self.sent > 0 {
            return;
        }
        if file.is_full(more, now.unix) && self.rotate_after.is_none_or(|after| now.at >= after) {
            match file.rotate(now.unix) {
                Ok(()) if self.rotate_after.take().is_some() => {
                    tracing::info!(path = %file.path().display(), "the query log is rotated again");
                }
                Ok(()) => {}
                Err(fault) => {
                    if self.rotate_after.is_none() {
                        tracing::warn!(path = %file.path().display(), %fault, "the query log cannot be rotated");
                    }
                    self.rotate_after = Some(now.at + ROTATE_AGAIN);
                }
            }
        }
        file.touch(now.unix);
    }

    fn suffer(&mut self, fault: &io::Error, now: Moment) {
        if self.trouble.is_none() {
            let to = self.name();
            tracing::warn!(to, %fault, "the query log cannot be written; answers go on, lines may be lost");
        }
        let (since, wait) = match &self.trouble {
            Some(trouble) => (trouble.since, (trouble.wait * 2).min(RETRY.1)),
            None => (now.at, RETRY.0),
        };
        self.trouble = Some(Trouble { since, retry_at: now.at + wait, wait });
    }

    fn recover(&mut self, now: Moment) {
        if let Some(trouble) = self.trouble.take() {
            let seconds = now.at.saturating_duration_since(trouble.since).as_secs_f64();
            let to = self.name();
            tracing::info!(to, seconds, "the query log is written again");
        }
    }

    fn name(&self) -> String {
        match &self.outlet {
            Outlet::Nowhere => "nowhere".to_owned(),
            Outlet::Stream(_) => "stdout".to_owned(),
            Outlet::File(file) => file.path().display().to_string(),
        }
    }
}

pub(super) fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn a_line_cut_by_a_fault_is_finished_in_its_file_and_left_out_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("query.log");
        let target = Target::File { path: path.clone(), rotation: Rotation::default() };
        let now = Moment { at: Instant::now(), unix: Duration::from_secs(1) };
        for (moved, want, lost) in [(false, "one\ntwo\nthree\n", 0), (true, "three\n", 1)] {
            fs::write(&path, "one\nt").unwrap();
            let mut sink = Sink::open(&target).unwrap();
            sink.load(b"one\ntwo\nthree\n".to_vec());
            sink.sent = 5;
            if moved {
                fs::rename(&path, folder.path().join("query.log.1")).unwrap();
            }
            sink.reopen();
            sink.write(now);
            assert_eq!(fs::read_to_string(&path).unwrap(), want);
            assert_eq!(sink.lost, lost);
        }
    }

    #[test]
    fn a_sink_that_fails_is_tried_again_later_and_later_but_not_too_late() {
        let target = Target::File { path: "/dev/full".into(), rotation: Rotation::default() };
        let mut sink = Sink::open(&target).unwrap();
        sink.load(b"line\n".to_vec());
        let mut now = Moment { at: Instant::now(), unix: Duration::from_secs(1) };
        for wait in [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000].map(Duration::from_millis) {
            sink.write(now);
            assert_eq!(sink.wait(now), Some(wait));
            now.at += wait;
            assert_eq!(sink.wait(now), Some(Duration::ZERO));
        }
        assert!(sink.has_rest());
        sink.give_up();
        assert_eq!((sink.written, sink.lost), (0, 1));
    }
}
