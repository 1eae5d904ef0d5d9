//! The files that were named: folders are walked, the archive's hours outside the asked time are passed over.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::period::Period;

/// A file to read.
#[derive(Debug, Clone)]
pub struct Input {
    pub path: PathBuf,
    pub form: Form,
    /// Its octets on disk.
    pub size: u64,
}

/// What is in a file. Told by its first octets: rotated logs have all sorts of endings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    Gzip,
    Zstd,
    Parquet,
}

/// The word for standard input.
pub const STDIN: &str = "-";

/// All files, in the order of their names within each folder. An error names the path that is not there or cannot be
/// read: better than a report that lacks it.
pub fn find(paths: &[PathBuf], period: &Period) -> Result<Vec<Input>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            found.push(Input { path: path.clone(), form: Form::Plain, size: 0 });
        } else {
            walk(path, Named::ByUser, period, &mut found)
                .map_err(|(path, error)| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(found)
}

/// How we came to a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    ByUser,
    InFolder,
}

fn walk(
    path: &Path,
    named: Named,
    period: &Period,
    found: &mut Vec<Input>,
) -> Result<(), (PathBuf, io::Error)> {
    let told = |error| (path.to_owned(), error);
    let about = fs::metadata(path).map_err(told)?;
    if about.is_dir() {
        if archive_hour(path).is_some_and(|hour| !period.touches_hour(hour)) {
            return Ok(());
        }
        let entries = fs::read_dir(path).map_err(told)?;
        let mut inside =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(told)?;
        inside.sort();
        for path in inside.iter().filter(|path| !is_passed_over(path)) {
            walk(path, Named::InFolder, period, found)?;
        }
    } else if about.is_file() || named == Named::ByUser {
        let form = form(path).map_err(told)?;
        found.push(Input { path: path.to_owned(), form, size: about.len() });
    }
    Ok(())
}

/// Hidden files, and those that are still being written.
fn is_passed_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default();
    name.starts_with('.') || ending == "tmp" || ending == "part"
}

/// `…/YYYY/MM/DD/HH` → its first second, UTC.
fn archive_hour(path: &Path) -> Option<jiff::Timestamp> {
    let mut parts = path.components().rev().map(|part| part.as_os_str().to_str().unwrap_or_default());
    let mut part = |width| {
        parts.next().filter(|text| text.len() == width && text.bytes().all(|octet| octet.is_ascii_digit()))
    };
    let (hour, day, month, year) = (part(2)?, part(2)?, part(2)?, part(4)?);
    format!("{year}-{month}-{day}T{hour}:00:00Z").parse().ok()
}

fn form(path: &Path) -> io::Result<Form> {
    let mut start = Vec::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        // A pipe: what is read from it is gone.
        return Ok(Form::Plain);
    }
    file.take(4).read_to_end(&mut start)?;
    Ok(match start[..] {
        [0x1F, 0x8B, ..] => Form::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD] => Form::Zstd,
        [b'P', b'A', b'R', b'1'] => Form::Parquet,
        _ => Form::Plain,
    })
}
