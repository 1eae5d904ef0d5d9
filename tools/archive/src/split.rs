//! A rolled file → its pieces, on the local disk, each compressed and whole.
//!
//! Lines are gathered by owner and written out as they fill: a gzip member, a zstd frame. What is in memory is bounded
//! by [`Bounds`], however many owners there are. Parquet wants rows sorted and in large groups, so there the gathered
//! frames are read back, one piece after the other, and each is written anew.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use kakehashi::config::ArchiveFormat;
use sha2::{Digest, Sha256};

use crate::gather::{Gathering, Packing, file_name};
use crate::layout::Origin;
use crate::line::{self, Owner, Row};
use crate::state::{Identity, Piece};

/// How much is held at once.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Octets of lines in memory, all owners together.
    gathered: usize,
    /// Octets of lines of one owner that are written out at once.
    frame: usize,
    /// Octets of lines in one piece.
    piece: u64,
    /// Owners in one rolled file; the lines of more are kept as if they were none of the schema.
    owners: usize,
}

const BOUNDS: Bounds = Bounds { gathered: 64 << 20, frame: 1 << 20, piece: 256 << 20, owners: 200_000 };
/// The longest line; the server's are below 70 KiB.
const LINE: u64 = 1 << 20;
/// Rows, and octets of lines, in one row group.
const ROWS: (usize, usize) = (50_000, 32 << 20);

/// What a rolled file came to.
#[derive(Debug)]
pub struct Divided {
    /// The SHA-256 of its lines, in hexadecimal digits.
    pub hash: String,
    /// Octets of lines.
    pub octets: u64,
    /// Lines of the schema.
    pub lines: u64,
    /// Lines that are not.
    pub unparsed: u64,
    /// What is on the disk now.
    pub pieces: Vec<Piece>,
}

/// Divides `rolled` into files in `folder`.
pub fn divide(
    rolled: &Path,
    node: &str,
    format: ArchiveFormat,
    folder: &Path,
) -> io::Result<(Divided, Identity)> {
    let file = File::open(rolled)?;
    let before = Identity::of(&file.metadata()?);
    let mut lines = Lines { input: plain(file)?, hash: Sha256::new(), octets: 0 };
    let mut splitter = Splitter::new(folder, format, BOUNDS);
    let mut line = Vec::new();
    while lines.next(&mut line)? {
        splitter.take(&line)?;
    }
    if Identity::of(&fs::metadata(rolled)?) != before {
        return Err(io::Error::other("it is still being written"));
    }
    let hash = lines.hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let name = rolled.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let origin = Origin { node: node.to_owned(), rolled: name, hash: hash.clone() };
    Ok((splitter.finish(&origin, lines.octets)?.with(hash), before))
}

impl Divided {
    fn with(self, hash: String) -> Self {
        Self { hash, ..self }
    }
}

/// What a file says, packed or not: logrotate packs, and an operator may.
fn plain(file: File) -> io::Result<Box<dyn BufRead>> {
    let mut input = BufReader::with_capacity(256 << 10, file);
    Ok(match input.fill_buf()? {
        [0x1F, 0x8B, ..] => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(input))),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Box::new(BufReader::new(zstd::Decoder::with_buffer(input)?)),
        _ => Box::new(input),
    })
}

/// Line after line, and what they come to.
struct Lines {
    input: Box<dyn BufRead>,
    hash: Sha256,
    octets: u64,
}

impl Lines {
    /// The next line with its newline, where it has one. Of a line that is too long, what fits.
    fn next(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        self.input.by_ref().take(LINE).read_until(b'\n', line)?;
        self.hash.update(&*line);
        self.octets += line.len() as u64;
        Ok(!line.is_empty())
    }
}

/// Gathers lines.
struct Splitter {
    folder: PathBuf,
    format: ArchiveFormat,
    bounds: Bounds,
    open: HashMap<Owner, Gathering>,
    strange: Gathering,
    gathered: usize,
    /// Files begun.
    begun: usize,
    lines: u64,
    unparsed: u64,
    closed: Vec<(Option<Owner>, Gathering)>,
}

impl Splitter {
    fn new(folder: &Path, format: ArchiveFormat, bounds: Bounds) -> Self {
        Self {
            folder: folder.to_owned(),
            format,
            bounds,
            open: HashMap::new(),
            strange: Gathering::default(),
            gathered: 0,
            begun: 0,
            lines: 0,
            unparsed: 0,
            closed: Vec::new(),
        }
    }

    fn take(&mut self, line: &[u8]) -> io::Result<()> {
        match line::owner(line) {
            Some(owner) if self.open.contains_key(&owner) || self.open.len() < self.bounds.owners => {
                self.lines += 1;
                self.gather(Some(owner), line)
            }
            _ => {
                self.unparsed += 1;
                self.gather(None, line)
            }
        }
    }

    fn gather(&mut self, owner: Option<Owner>, line: &[u8]) -> io::Result<()> {
        let packing = Packing::of(owner.as_ref(), self.format);
        let gathering = match &owner {
            Some(owner) if !self.open.contains_key(owner) => self.open.entry(owner.clone()).or_default(),
            Some(owner) => match self.open.get_mut(owner) {
                Some(gathering) => gathering,
                None => return Ok(()),
            },
            None => &mut self.strange,
        };
        let added = gathering.add(line, owner.as_ref());
        self.gathered += added;
        let is_full = gathering.octets >= self.bounds.piece;
        if is_full || gathering.lines.len() >= self.bounds.frame {
            self.gathered -= gathering.flush(&self.folder, packing, &mut self.begun)?;
        }
        if is_full {
            let full = std::mem::take(gathering);
            self.closed.push((owner, full));
        }
        if self.gathered > self.bounds.gathered { self.relieve() } else { Ok(()) }
    }

    /// Writes out what is not less than the mean: at least the largest, and seldom.
    fn relieve(&mut self) -> io::Result<()> {
        let packing = Packing::of(None, self.format);
        self.gathered -= self.strange.flush(&self.folder, packing, &mut self.begun)?;
        let mean = self.gathered / self.open.len().max(1);
        for (owner, gathering) in &mut self.open {
            if gathering.lines.len() >= mean {
                let packing = Packing::of(Some(owner), self.format);
                self.gathered -= gathering.flush(&self.folder, packing, &mut self.begun)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, origin: &Origin, octets: u64) -> io::Result<Divided> {
        let mut all = std::mem::take(&mut self.closed);
        all.extend(self.open.drain().map(|(owner, gathering)| (Some(owner), gathering)));
        // The same file makes the same names.
        all.sort_by(|a, b| (&a.0, a.1.file).cmp(&(&b.0, b.1.file)));
        let mut pieces = Vec::with_capacity(all.len() + 1);
        for (owner, mut gathering) in all {
            gathering.flush(&self.folder, Packing::of(owner.as_ref(), self.format), &mut self.begun)?;
            if owner.is_some() && self.format == ArchiveFormat::Parquet {
                self.rewrite(&mut gathering)?;
            }
            self.add(&mut pieces, origin, owner.as_ref(), &gathering)?;
        }
        // Last, for rows may have been refused.
        let mut strange = std::mem::take(&mut self.closed);
        strange.push((None, std::mem::take(&mut self.strange)));
        for (_, mut gathering) in strange {
            gathering.flush(&self.folder, Packing::Gzip, &mut self.begun)?;
            self.add(&mut pieces, origin, None, &gathering)?;
        }
        Ok(Divided { hash: String::new(), octets, lines: self.lines, unparsed: self.unparsed, pieces })
    }

    /// Names a piece. What is written of it is there after a loss of power as well.
    fn add(
        &self,
        pieces: &mut Vec<Piece>,
        origin: &Origin,
        owner: Option<&Owner>,
        gathering: &Gathering,
    ) -> io::Result<()> {
        // The lines of a full piece were the last of their owner, or none of them made a row.
        let Some(number) = gathering.file else { return Ok(()) };
        let extension = match self.format {
            ArchiveFormat::JsonGzip => "json.gz",
            ArchiveFormat::JsonZstd => "json.zst",
            ArchiveFormat::Parquet => "parquet",
        };
        let file = file_name(number);
        let written = File::open(self.folder.join(&file))?;
        written.sync_all()?;
        let nth = u32::try_from(pieces.len() + 1).unwrap_or(u32::MAX);
        let name = owner.map_or_else(|| origin.unparsed(nth), |owner| origin.piece(owner, nth, extension));
        pieces.push(Piece { file, name, lines: gathering.count, octets: written.metadata()?.len() });
        Ok(())
    }

    /// Writes a piece anew, as Parquet. A line that the head said was one of the schema, and is not, goes to the others.
    fn rewrite(&mut self, gathering: &mut Gathering) -> io::Result<()> {
        let Some(number) = gathering.file else { return Ok(()) };
        let path = self.folder.join(file_name(number));
        let mut lines = BufReader::new(zstd::Decoder::new(File::open(&path)?)?);
        let target = self.folder.join("rows");
        let mut writer = crate::columns::Writer::new(File::create(&target)?).map_err(io::Error::other)?;
        let (mut rows, mut octets, mut line): (Vec<Row>, usize, Vec<u8>) = (Vec::new(), 0, Vec::new());
        let mut written = 0;
        loop {
            line.clear();
            let ended = lines.read_until(b'\n', &mut line)? == 0;
            if (ended && !rows.is_empty()) || rows.len() >= ROWS.0 || octets >= ROWS.1 {
                writer.rows(&mut rows).map_err(io::Error::other)?;
                written += rows.len() as u64;
                rows.clear();
                octets = 0;
            }
            if ended {
                break;
            }
            match line::row(&line) {
                Some(row) => rows.push(row),
                None => {
                    self.lines -= 1;
                    self.unparsed += 1;
                    self.gather(None, &line)?;
                }
            }
            octets += line.len();
        }
        writer.finish().map_err(io::Error::other)?;
        if written == 0 {
            fs::remove_file(&target)?;
            fs::remove_file(&path)?;
            gathering.file = None;
        } else {
            fs::rename(&target, &path)?;
        }
        gathering.count = written;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(nth: usize, owners: usize) -> String {
        format!(
            "{{\"account_id\":\"{}\",\"query_timestamp\":\"2026-11-24T01:00:00Z\",\"query_name\":\"q{nth}.\"}}\n",
            nth % owners
        )
    }

    /// Divides within these bounds; gives the pieces, and the most octets that were in memory.
    fn divided(folder: &Path, bounds: Bounds, lines: usize, owners: usize) -> (Vec<Piece>, usize) {
        let mut splitter = Splitter::new(folder, ArchiveFormat::JsonZstd, bounds);
        let mut most = 0;
        for nth in 0..lines {
            splitter.take(line(nth, owners).as_bytes()).unwrap();
            most = most.max(splitter.gathered);
            let held: usize = splitter.open.values().map(|gathering| gathering.lines.len()).sum();
            assert_eq!(held + splitter.strange.lines.len(), splitter.gathered);
        }
        let origin = Origin { node: "n".to_owned(), rolled: "r".to_owned(), hash: "h".to_owned() };
        (splitter.finish(&origin, 0).unwrap().pieces, most)
    }

    fn lines_of(folder: &Path, piece: &Piece) -> String {
        let file = File::open(folder.join(&piece.file)).unwrap();
        let mut text = String::new();
        if piece.name.starts_with("unparsed/") {
            flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        } else {
            zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
        }
        text
    }

    #[test]
    fn memory_is_bounded_however_many_owners_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Bounds { gathered: 20_000, ..BOUNDS };
        let (pieces, most) = divided(folder.path(), bounds, 3_000, 700);
        assert!(most <= 20_000 && most > 15_000, "{most}");
        assert_eq!(pieces.len(), 700, "one an owner");
        let mut there: Vec<String> = pieces
            .iter()
            .flat_map(|piece| lines_of(folder.path(), piece).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let mut all: Vec<String> = (0..3_000).map(|nth| line(nth, 700).trim_end().to_owned()).collect();
        there.sort();
        all.sort();
        assert_eq!(there, all);
    }

    #[test]
    fn a_piece_that_is_full_is_followed_by_another_and_none_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let five = 5 * line(0, 1).len() as u64;
        let (pieces, _) = divided(folder.path(), Bounds { piece: five, ..BOUNDS }, 10, 1);
        assert_eq!(pieces.iter().map(|piece| piece.lines).collect::<Vec<_>>(), [5, 5]);
        assert!(pieces[0].name != pieces[1].name);
        assert!(lines_of(folder.path(), &pieces[0]).starts_with(&line(0, 1)));
    }

    #[test]
    fn lines_of_more_owners_than_there_may_be_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (pieces, _) = divided(folder.path(), Bounds { owners: 3, ..BOUNDS }, 20, 5);
        assert_eq!(pieces.len(), 4);
        let unparsed = pieces.iter().find(|piece| piece.name.starts_with("unparsed/")).unwrap();
        assert_eq!((unparsed.lines, lines_of(folder.path(), unparsed).lines().count()), (8, 8));
    }
}
