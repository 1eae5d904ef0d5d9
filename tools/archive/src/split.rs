//! A rolled file → its pieces, on the local disk, each compressed and whole.
//!
//! Lines are gathered by owner and written out as they fill: a gzip member, a zstd frame. What is in memory is bounded
//! by [`GATHERED`], however many owners there are. Parquet wants rows sorted and in large groups, so there the gathered
//! frames are read back, one piece after the other, and each is written anew.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use kakehashi::config::ArchiveFormat;
use sha2::{Digest, Sha256};

use crate::layout::Origin;
use crate::line::{self, Owner, Row};
use crate::state::{Identity, Piece};

/// Octets of lines in memory, all owners together.
const GATHERED: usize = 64 << 20;
/// Octets of lines of one owner that are written out at once.
const FRAME: usize = 1 << 20;
/// Octets of lines in one piece.
const PIECE: u64 = 256 << 20;
/// Pieces of one rolled file; what would be more is kept as if it were no line of the schema.
const PIECES: usize = 200_000;
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
    let mut splitter = Splitter::new(folder, format);
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
    open: HashMap<Owner, Gathering>,
    strange: Gathering,
    gathered: usize,
    /// Files begun.
    begun: usize,
    lines: u64,
    unparsed: u64,
    closed: Vec<(Option<Owner>, Gathering)>,
}

/// The lines of one piece.
#[derive(Debug, Default)]
struct Gathering {
    /// Not written yet.
    lines: Vec<u8>,
    /// The file with what is; its number.
    file: Option<usize>,
    octets: u64,
    count: u64,
}

impl Splitter {
    fn new(folder: &Path, format: ArchiveFormat) -> Self {
        Self {
            folder: folder.to_owned(),
            format,
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
            Some(owner) if self.open.contains_key(&owner) || self.open.len() < PIECES => {
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
        let is_full = gathering.octets >= PIECE;
        if is_full || gathering.lines.len() >= FRAME {
            self.gathered -= gathering.flush(&self.folder, packing, &mut self.begun)?;
        }
        if is_full {
            let full = std::mem::take(gathering);
            self.closed.push((owner, full));
        }
        if self.gathered > GATHERED { self.relieve() } else { Ok(()) }
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
            if let (Some(owner), ArchiveFormat::Parquet) = (&owner, self.format) {
                if self.to_rows(&mut gathering)? == 0 {
                    continue;
                }
                pieces.push(self.piece(
                    gathering,
                    |nth| origin.piece(owner, nth, "parquet"),
                    pieces.len(),
                )?);
                continue;
            }
            let extension = if self.format == ArchiveFormat::JsonZstd { "json.zst" } else { "json.gz" };
            let name = |nth| {
                owner
                    .as_ref()
                    .map_or_else(|| origin.unparsed(nth), |owner| origin.piece(owner, nth, extension))
            };
            pieces.push(self.piece(gathering, name, pieces.len())?);
        }
        // Last, for rows may have been refused.
        let mut strange = std::mem::take(&mut self.closed);
        strange.push((None, std::mem::take(&mut self.strange)));
        for (_, mut gathering) in strange {
            gathering.flush(&self.folder, Packing::Gzip, &mut self.begun)?;
            if gathering.file.is_some() {
                pieces.push(self.piece(gathering, |nth| origin.unparsed(nth), pieces.len())?);
            }
        }
        Ok(Divided { hash: String::new(), octets, lines: self.lines, unparsed: self.unparsed, pieces })
    }

    /// What is written is there after a loss of power as well.
    fn piece(&self, gathering: Gathering, name: impl Fn(u32) -> String, before: usize) -> io::Result<Piece> {
        let file = file_name(gathering.file.unwrap_or_default());
        let written = File::open(self.folder.join(&file))?;
        written.sync_all()?;
        let nth = u32::try_from(before + 1).unwrap_or(u32::MAX);
        Ok(Piece { file, name: name(nth), lines: gathering.count, octets: written.metadata()?.len() })
    }

    /// Writes a piece anew, as Parquet. A line that the head said was one of the schema, and is not, goes to the others.
    /// Gives how many rows there are.
    fn to_rows(&mut self, gathering: &mut Gathering) -> io::Result<u64> {
        let Some(number) = gathering.file else { return Ok(0) };
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
        } else {
            fs::rename(&target, &path)?;
        }
        gathering.count = written;
        Ok(written)
    }
}

/// How a frame is compressed.
#[derive(Debug, Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Parquet's lines are only gathered in zstd.
    fn of(owner: Option<&Owner>, format: ArchiveFormat) -> Self {
        match (owner, format) {
            (None, _) | (_, ArchiveFormat::JsonGzip) => Self::Gzip,
            (Some(_), ArchiveFormat::JsonZstd | ArchiveFormat::Parquet) => Self::Zstd,
        }
    }
}

impl Gathering {
    /// Gives how many octets that was. Lines of the schema end in a newline; others are kept octet by octet.
    fn add(&mut self, line: &[u8], owner: Option<&Owner>) -> usize {
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
    fn flush(&mut self, folder: &Path, packing: Packing, begun: &mut usize) -> io::Result<usize> {
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

fn file_name(number: usize) -> String {
    format!("{number:06}")
}
