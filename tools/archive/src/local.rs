//! Rolled files beside the live log: which there are, and which may go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::state::Identity;

/// A file that the server rolled.
#[derive(Debug, Clone)]
pub struct Rolled {
    /// Where it is.
    pub path: PathBuf,
    /// Octets.
    pub size: u64,
    /// When its last line was written.
    pub written: SystemTime,
    /// Which file it is.
    pub identity: Identity,
}

/// The files that the server rolled, the oldest first: `NAME.YYYYMMDD-HHMMSS`, with `.1`, `.2` … within one second.
/// The live log is not among them, nor what others made beside it.
pub fn rolled(log: &Path) -> io::Result<Vec<Rolled>> {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let live = log.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(age) = name.strip_prefix(&live).and_then(|rest| rest.strip_prefix('.')).and_then(age) else {
            continue;
        };
        // It may be gone by now.
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
        if metadata.is_file() {
            found.push((
                age,
                Rolled {
                    path: entry.path(),
                    size: metadata.len(),
                    written: metadata.modified()?,
                    identity: Identity::of(&metadata),
                },
            ));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found.into_iter().map(|(_, rolled)| rolled).collect())
}

/// What a rolled file's name says of its age; `None`: it is no such name.
fn age(suffix: &str) -> Option<(String, u32)> {
    let (stamp, number) = match suffix.split_once('.') {
        Some((stamp, number)) => (stamp, number.parse().ok()?),
        None => (suffix, 0),
    };
    let is_stamp = stamp.len() == 15
        && stamp
            .bytes()
            .enumerate()
            .all(|(at, octet)| if at == 8 { octet == b'-' } else { octet.is_ascii_digit() });
    is_stamp.then(|| (stamp.to_owned(), number))
}

/// What takes room on the local disk, and what would be lost with it, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The archive has it.
    Archived,
    /// Its pieces wait in the spool.
    Copied,
    /// A rolled file that could not even be divided.
    Rolled,
    /// Pieces that wait, and their rolled file is gone.
    Spooled,
}

/// Something that takes room.
#[derive(Debug, Clone)]
pub struct Stock<T> {
    /// What would be lost with it.
    pub loss: Loss,
    /// Octets.
    pub size: u64,
    /// When it was written.
    pub written: SystemTime,
    /// What it is.
    pub what: T,
}

/// What has to go: what is archived and older than `keep`; and while there is more than `bytes`, whatever loses least,
/// the oldest of it first.
pub fn to_go<T>(mut stocks: Vec<Stock<T>>, keep: Duration, bytes: u64, now: SystemTime) -> Vec<Stock<T>> {
    stocks.sort_by_key(|stock| (stock.loss, stock.written));
    let mut total: u64 = stocks.iter().map(|stock| stock.size).sum();
    let mut going = Vec::new();
    for stock in stocks {
        let age = now.duration_since(stock.written).unwrap_or_default();
        if (stock.loss == Loss::Archived && age >= keep) || total > bytes {
            total -= stock.size;
            going.push(stock);
        }
    }
    going
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_live_log_and_what_others_made_are_not_rolled_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "query.log",
            "query.log.1.gz",
            "query.log.20261124-0100",
            "query.log.20261124-010000.1",
            "query.log.20261124-010000",
            "query.log.20261123-230000",
            "other.log.20261123-230000",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let found = rolled(&folder.path().join("query.log")).unwrap().into_iter();
        let names: Vec<_> = found.map(|rolled| rolled.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(
            names,
            ["query.log.20261123-230000", "query.log.20261124-010000", "query.log.20261124-010000.1"]
        );
    }

    fn stock(loss: Loss, days: u64, size: u64) -> Stock<u64> {
        Stock { loss, size, written: SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400), what: days }
    }

    fn gone(stocks: &[Stock<u64>], bytes: u64) -> Vec<(Loss, u64)> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(40 * 86_400);
        let keep = Duration::from_secs(30 * 86_400);
        to_go(stocks.to_vec(), keep, bytes, now).into_iter().map(|stock| (stock.loss, stock.what)).collect()
    }

    #[test]
    fn only_what_is_archived_goes_by_age() {
        let stocks = [stock(Loss::Archived, 9, 5), stock(Loss::Archived, 11, 5), stock(Loss::Rolled, 1, 5)];
        assert_eq!(gone(&stocks, 1_000), [(Loss::Archived, 9)]);
    }

    #[test]
    fn beyond_the_bound_goes_what_loses_least() {
        let stocks = [
            stock(Loss::Spooled, 1, 5),
            stock(Loss::Rolled, 2, 5),
            stock(Loss::Copied, 3, 5),
            stock(Loss::Archived, 39, 5),
            stock(Loss::Archived, 38, 5),
        ];
        assert_eq!(gone(&stocks, 25), []);
        assert_eq!(gone(&stocks, 20), [(Loss::Archived, 38)]);
        assert_eq!(gone(&stocks, 10), [(Loss::Archived, 38), (Loss::Archived, 39), (Loss::Copied, 3)]);
        assert_eq!(gone(&stocks, 4).last(), Some(&(Loss::Spooled, 1)));
    }
}
