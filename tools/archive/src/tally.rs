//! What was done, over all runs: for the operator's metrics, which a node exporter's textfile collector reads.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::state::{read, write, write_text};

/// Counters, kept over restarts, and what stands at the moment.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Rolled files that the archive has.
    pub files: u64,
    /// Lines of the schema in them.
    pub lines: u64,
    /// Other lines in them.
    pub unparsed: u64,
    /// Their octets, as lines.
    pub line_octets: u64,
    /// Pieces that the archive confirmed.
    pub pieces: u64,
    /// Their octets.
    pub piece_octets: u64,
    /// Times that the archive took nothing.
    pub store_faults: u64,
    /// Rolled files that could not be divided, each time anew.
    pub divide_faults: u64,
    /// Rolled files that were deleted after they were archived.
    pub deleted_files: u64,
    /// Files that were deleted although the archive does not have them.
    pub lost_files: u64,
    /// Their octets.
    pub lost_octets: u64,
    /// Rolled files whose pieces wait.
    pub waiting_files: u64,
    /// Rolled files and waiting pieces on the disk.
    pub local_octets: u64,
    /// When the archive last had all there was, in seconds since 1970.
    pub complete_at: u64,
}

impl Tally {
    /// Of earlier runs; the first begins at zero.
    pub fn load(state: &Path) -> io::Result<Self> {
        match read(&state.join("tally.json")) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            loaded => loaded,
        }
    }

    /// For the next run, and for whoever looks.
    pub fn store(&self, state: &Path, metrics: &Path) -> io::Result<()> {
        write(&state.join("tally.json"), self)?;
        write_text(metrics, self.exposition().as_bytes())
    }

    /// In Prometheus's text format.
    fn exposition(&self) -> String {
        let families = [
            ("files_total", "counter", "Rolled files that the archive has.", self.files),
            ("lines_total", "counter", "Lines of the query log's schema in archived files.", self.lines),
            (
                "unparsed_lines_total",
                "counter",
                "Other lines in archived files, kept under unparsed/.",
                self.unparsed,
            ),
            ("line_bytes_total", "counter", "Lines of archived files, not compressed.", self.line_octets),
            ("pieces_total", "counter", "Pieces that the archive confirmed.", self.pieces),
            ("piece_bytes_total", "counter", "Pieces that the archive confirmed.", self.piece_octets),
            (
                "store_faults_total",
                "counter",
                "Times that the archive could not be written to.",
                self.store_faults,
            ),
            (
                "divide_faults_total",
                "counter",
                "Times that a rolled file could not be divided.",
                self.divide_faults,
            ),
            (
                "deleted_files_total",
                "counter",
                "Rolled files deleted after they were archived.",
                self.deleted_files,
            ),
            (
                "lost_files_total",
                "counter",
                "Files deleted by local-bytes before they were archived.",
                self.lost_files,
            ),
            (
                "lost_bytes_total",
                "counter",
                "Files deleted by local-bytes before they were archived.",
                self.lost_octets,
            ),
            ("waiting_files", "gauge", "Rolled files whose pieces wait for the archive.", self.waiting_files),
            ("local_bytes", "gauge", "Rolled files and waiting pieces on the local disk.", self.local_octets),
            (
                "complete_timestamp_seconds",
                "gauge",
                "When the archive last had all there was.",
                self.complete_at,
            ),
        ];
        let mut text = String::new();
        for (name, kind, help, value) in families {
            // Writing to a String does not fail.
            let _ = write!(
                text,
                "# HELP kakehashi_archive_{name} {help}\n# TYPE kakehashi_archive_{name} {kind}\n\
                 kakehashi_archive_{name} {value}\n"
            );
        }
        text
    }
}
