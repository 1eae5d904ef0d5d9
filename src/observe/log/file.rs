//! The log file: appended to, rotated by size and by time, reopened when something else moved it.
//!
//! A rotated file is renamed to `NAME.YYYYMMDD-HHMMSS` (UTC; `.1`, `.2` … where that is taken); of these the newest are
//! kept. Only regular files are rotated: a pipe or device stays what it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// When a log file gives way to a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Before it grows past so many octets.
    pub size: Option<u64>,
    /// At each multiple of this since 1970 in UTC: one day rotates at midnight.
    pub every: Option<Duration>,
    /// How many rotated files stay.
    pub keep: usize,
}

/// An open log file.
#[derive(Debug)]
pub(in crate::observe) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
    /// The multiple of `rotation.every` in which it was last written.
    period: u64,
    identity: Identity,
}

/// Which file a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    regular: bool,
}

/// What a reopened path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::observe) enum Reopened {
    /// The file that was open.
    Same,
    /// Another one.
    Other,
}

impl LogFile {
    /// Opens it, to append.
    pub(in crate::observe) fn open(path: &Path, rotation: &Rotation) -> io::Result<LogFile> {
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        let metadata = file.metadata()?;
        // What an earlier process wrote last decides the period, so a restart does not skip a rotation.
        let written = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(LogFile {
            path: path.to_owned(),
            rotation: rotation.clone(),
            file,
            size: metadata.len(),
            period: written.map_or(0, |written| period(rotation, written)),
            identity: Identity { device: metadata.dev(), inode: metadata.ino(), regular: metadata.is_file() },
        })
    }

    pub(in crate::observe) fn path(&self) -> &Path {
        &self.path
    }

    /// One write; may take less than all.
    pub(in crate::observe) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    /// Opens the path anew, after a rename by another program or a fault of the old file's disk.
    pub(in crate::observe) fn reopen(&mut self) -> io::Result<Reopened> {
        let renewed = LogFile::open(&self.path, &self.rotation)?;
        let same = renewed.identity == self.identity;
        *self = renewed;
        Ok(if same { Reopened::Same } else { Reopened::Other })
    }

    /// Whether it is a regular file with something in it.
    pub(in crate::observe) fn holds_something(&self) -> bool {
        self.identity.regular && self.size > 0
    }

    /// Whether its path leads elsewhere now, or nowhere.
    pub(in crate::observe) fn is_moved(&self) -> bool {
        fs::metadata(&self.path).map_or(true, |metadata| {
            (metadata.dev(), metadata.ino()) != (self.identity.device, self.identity.inode)
        })
    }

    /// Whether `more` octets written at `now` (since 1970) belong into a new file.
    pub(in crate::observe) fn is_full(&self, more: usize, now: Duration) -> bool {
        let too_large = self.rotation.size.is_some_and(|size| self.size + more as u64 > size);
        // A clock that jumps back rotates nothing.
        let too_old = period(&self.rotation, now) > self.period;
        self.identity.regular && self.size > 0 && (too_large || too_old)
    }

    /// Notes, before the first write to an empty file, when its period is.
    pub(in crate::observe) fn touch(&mut self, now: Duration) {
        if self.size == 0 {
            self.period = period(&self.rotation, now);
        }
    }

    /// Renames it and begins a new one, then deletes what is beyond the number to keep.
    pub(in crate::observe) fn rotate(&mut self, now: Duration) -> io::Result<()> {
        match fs::rename(&self.path, self.free_name(&stamp(now))) {
            // Somebody else moved it away, or an earlier try came no further than this.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.reopen()?;
        self.touch(now);
        self.prune()
    }

    /// The plain name, or within one second the next number: the plain one may be deleted already, and must not be taken
    /// for the oldest again.
    fn free_name(&self, stamp: &str) -> PathBuf {
        let taken = self.rotated().into_iter().filter(|old| old.stamp == stamp).map(|old| old.number).max();
        match taken {
            Some(number) => with_suffix(&self.path, &format!("{stamp}.{}", number + 1)),
            None => with_suffix(&self.path, stamp),
        }
    }

    fn prune(&self) -> io::Result<()> {
        let mut rotated = self.rotated();
        rotated.sort_by(|a, b| b.cmp(a));
        for old in rotated.into_iter().skip(self.rotation.keep) {
            match fs::remove_file(&old.path) {
                Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
                _ => {}
            }
        }
        Ok(())
    }

    /// The files that this one's rotations left, and nothing else.
    fn rotated(&self) -> Vec<Rotated> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let Some(name) = self.path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| {
                let suffix = entry.file_name().to_str()?.strip_prefix(name)?.strip_prefix('.')?.to_owned();
                let (stamp, number) = match suffix.split_once('.') {
                    Some((stamp, number)) => (stamp, number.parse().ok()?),
                    None => (&suffix[..], 0),
                };
                is_stamp(stamp).then(|| Rotated { stamp: stamp.to_owned(), number, path: entry.path() })
            })
            .collect()
    }
}

/// A file that was rotated, ordered by age.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rotated {
    stamp: String,
    number: u32,
    path: PathBuf,
}

fn period(rotation: &Rotation, at: Duration) -> u64 {
    rotation.every.map_or(0, |every| at.as_secs() / every.as_secs().max(1))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

/// `YYYYMMDD-HHMMSS`, UTC.
fn stamp(now: Duration) -> String {
    let time = i64::try_from(now.as_secs()).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    // From 1970-01-01T00:00:00Z.
    let mut text = time.unwrap_or_default().to_string();
    text.retain(|c| c.is_ascii_digit() || c == 'T');
    text.replace('T', "-")
}

fn is_stamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 15
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 8 { *byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    const MORNING: Duration = Duration::from_secs(1_612_461_115); // 2021-02-04T17:51:55Z
    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn rotation_keeps_the_newest_and_touches_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("query.log");
        for other in ["query.log.1.gz", "query.log.20210204-17515", "query.log.20200101-000000", "other"] {
            fs::write(folder.path().join(other), "x").unwrap();
        }
        let rotation = Rotation { size: Some(10), every: None, keep: 2 };
        let mut file = LogFile::open(&path, &rotation).unwrap();
        for line in ["first\n", "second\n", "third\n", "fourth\n"] {
            if file.is_full(line.len(), MORNING) {
                file.rotate(MORNING).unwrap();
            }
            file.write(line.as_bytes()).unwrap();
        }
        assert_eq!(
            names(folder.path()),
            [
                "other",
                "query.log",
                "query.log.1.gz",
                "query.log.20210204-17515",
                "query.log.20210204-175155.1",
                "query.log.20210204-175155.2",
            ]
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "fourth\n");
        assert_eq!(fs::read_to_string(folder.path().join("query.log.20210204-175155.2")).unwrap(), "third\n");
    }

    #[test]
    fn a_day_ends_at_midnight_and_a_clock_that_jumps_back_rotates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation { size: None, every: Some(DAY), keep: 9 };
        let mut file = LogFile::open(&folder.path().join("query.log"), &rotation).unwrap();
        file.touch(MORNING);
        file.write(b"line\n").unwrap();
        let midnight = Duration::from_secs(1_612_483_200);
        assert!(!file.is_full(1, midnight.checked_sub(Duration::from_secs(1)).unwrap()));
        assert!(!file.is_full(1, MORNING.checked_sub(DAY).unwrap()));
        assert!(file.is_full(1, midnight));
        file.rotate(midnight).unwrap();
        assert!(!file.is_full(1, midnight + DAY), "an empty file has nothing to rotate");
        assert_eq!(names(folder.path()), ["query.log", "query.log.20210205-000000"]);
    }

    #[test]
    fn a_file_that_was_renamed_is_left_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("query.log");
        let mut file = LogFile::open(&path, &Rotation::default()).unwrap();
        assert_eq!(file.reopen().unwrap(), Reopened::Same);
        fs::rename(&path, folder.path().join("query.log.1")).unwrap();
        assert_eq!(file.reopen().unwrap(), Reopened::Other);
        assert!(path.exists());
    }

    #[test]
    fn a_device_is_never_rotated() {
        let rotation = Rotation { size: Some(1), every: Some(DAY), keep: 0 };
        let mut file = LogFile::open(Path::new("/dev/null"), &rotation).unwrap();
        file.write(b"four").unwrap();
        assert!(!file.is_full(4, MORNING));
    }
}
