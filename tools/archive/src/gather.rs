//! The lines of one piece, as they gather: in memory, and in frames on the disk.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use kakehashi::config::ArchiveFormat;

use crate::line::Owner;

/// The lines of one piece.
#[derive(Debug, Default)]
pub struct Gathering {
    /// Not written yet.
    pub lines: Vec<u8>,
    /// The file with what is; its number.
    pub file: Option<usize>,
    /// Octets of all its lines.
    pub octets: u64,
    /// How many they are.
    pub count: u64,
}

/// How a frame is compressed.
#[derive(Debug, Clone, Copy)]
pub enum Packing {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Packing {
    /// Parquet's lines are only gathered in zstd.
    pub fn of(owner: Option<&Owner>, format: ArchiveFormat) -> Self {
        match (owner, format) {
            (None, _) | (_, ArchiveFormat::JsonGzip) => Self::Gzip,
            (Some(_), ArchiveFormat::JsonZstd | ArchiveFormat::Parquet) => Self::Zstd,
        }
    }
}

impl Gathering {
    /// Gives how many octets that was. Lines of the schema end in a newline; others are kept octet by octet.
    pub fn add(&mut self, line: &[u8], owner: Option<&Owner>) -> usize {
        let before = self.lines.len();
        self.lines.extend_from_slice(line);
        if owner.is_some() && !line.ends_with(b"\n") {
            self.lines.push(b'\n');
        }
        let added = self.lines.len() - before;
        self.octets += added as u64;
        self.count += 1;
        added
    }

    /// Appends what is gathered to the piece's file, as a frame of its own. Gives how many octets of lines that was.
    pub fn flush(&mut self, folder: &Path, packing: Packing, begun: &mut usize) -> io::Result<usize> {
        if self.lines.is_empty() {
            return Ok(0);
        }
        let frame = match packing {
            Packing::Gzip => {
                let mut packed = GzEncoder::new(Vec::new(), Compression::default());
                packed.write_all(&self.lines)?;
                packed.finish()?
            }
            Packing::Zstd => zstd::bulk::compress(&self.lines, 3)?,
        };
        let number = *self.file.get_or_insert_with(|| {
            *begun += 1;
            *begun
        });
        let path = folder.join(file_name(number));
        OpenOptions::new().append(true).create(true).mode(0o640).open(path)?.write_all(&frame)?;
        // Its memory too: there may be many.
        Ok(std::mem::take(&mut self.lines).len())
    }
}

/// What the spool calls its files.
pub fn file_name(number: usize) -> String {
    format!("{number:06}")
}
