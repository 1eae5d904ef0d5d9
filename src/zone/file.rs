//! Zone files on disk → texts: regular files only, and bounded.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use crate::config::Source;

/// The largest file that is read: some twenty million records.
const MOST: u64 = 1 << 30;

/// Reads a whole file; the error says why it cannot be read. What is not UTF-8 becomes U+FFFD, and is no fault where
/// it stands in a comment: old files have comments in Shift_JIS.
pub(super) fn read(path: &Path) -> Result<Arc<Source>, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("`{shown}` cannot be read: {error}");
    let file = fs::File::open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?;
    // A directory cannot be read, a pipe may never end.
    if !kind.is_file() {
        return Err(format!("`{shown}` is no regular file"));
    }
    let mut octets = Vec::with_capacity(usize::try_from(kind.len().min(MOST)).unwrap_or(0) + 1);
    file.take(MOST + 1).read_to_end(&mut octets).map_err(failed)?;
    if octets.len() as u64 > MOST {
        return Err(format!("`{shown}` is larger than {} MiB", MOST >> 20));
    }
    let text = String::from_utf8(octets)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Source::new(path, text))
}
