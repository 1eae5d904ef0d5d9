//! Logs → the columns that are wanted, in temporary Parquet files: read once, asked many times, whatever the log's size.
//!
//! Readers decompress and cut into blocks, parsers turn blocks into rows and write them, each a file of its own. All
//! queues are bounded, so memory does not grow with the log.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crossbeam_channel::Receiver;
use datafusion::arrow::array::RecordBatch;
use indicatif::ProgressBar;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::archive;
use crate::blocks::{self, Block, Work};
use crate::input::Input;
use crate::line::{Clock, Line};
use crate::period::Period;
use crate::table::{self, Column, Rows};

/// Rows gathered before they are written.
const ROWS: usize = 16_384;

/// Rows whose columns are encoded in memory before they go to disk, a parser.
const ROW_GROUP: usize = 262_144;

/// Blocks that wait for a parser, at most.
const QUEUE: usize = 8;

/// How many files that could not be read to their end are named.
const NAMED: usize = 20;

/// What was read, and where it is.
pub struct Stage {
    folder: tempfile::TempDir,
    pub read: Read,
}

impl Stage {
    /// The folder that holds the rows, until this is dropped.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What became of the input.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Read {
    /// Files, of all kinds.
    pub files: u64,
    /// Lines and rows of the period: they are in the figures.
    pub lines: u64,
    /// Lines before or after the period.
    pub outside: u64,
    /// Lines that say nothing we can read.
    pub bad: u64,
    /// The first bad line met, and why.
    pub first_bad: Option<String>,
    /// Files that were not read to their end, and why.
    pub broken: Vec<String>,
}

impl Read {
    fn add(&mut self, other: Read) {
        self.files += other.files;
        self.lines += other.lines;
        self.outside += other.outside;
        self.bad += other.bad;
        self.first_bad = self.first_bad.take().or(other.first_bad);
        self.broken.extend(other.broken);
        self.broken.truncate(NAMED);
    }
}

/// How to read.
pub struct Plan {
    pub columns: Vec<Column>,
    pub period: Period,
    /// Where the temporary files go.
    pub scratch: PathBuf,
    pub progress: ProgressBar,
}

/// Reads all input. An error is of the disk that the rows are written to: what is wrong with the input is in `Read`.
pub fn fill(inputs: Vec<Input>, plan: &Plan) -> Result<Stage, String> {
    let scratch = |error: &dyn std::fmt::Display| format!("{}: {error}", plan.scratch.display());
    let folder = tempfile::Builder::new()
        .prefix("kakehashi-report-")
        .tempdir_in(&plan.scratch)
        .map_err(|error| scratch(&error))?;
    let inputs: Vec<Arc<Input>> = inputs.into_iter().map(Arc::new).collect();
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let read = Mutex::new(Read::default());
    let add = |part: Read| open(&read).add(part);
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    let (queue, work) = crossbeam_channel::bounded(QUEUE);
    thread::scope(|threads| {
        // Decompressing costs about as much as parsing: half of the cores, or one file after the other.
        for _ in 0..(cores / 2).clamp(1, inputs.len().max(1)) {
            let queue = queue.clone();
            threads.spawn(|| {
                let queue = queue;
                while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let broken = blocks::read(input, &queue, &plan.progress).err();
                    let broken = broken.map(|error| format!("{}: {error}", input.path.display()));
                    add(Read { files: 1, broken: broken.into_iter().collect(), ..Read::default() });
                }
            });
        }
        drop(queue);
        for number in 0..cores {
            let (work, path) = (work.clone(), folder.path().join(format!("{number}.parquet")));
            let (add, failure) = (&add, &failure);
            threads.spawn(move || match Parser::new(plan, &path).and_then(|parser| parser.run(&work)) {
                Ok(part) => add(part),
                Err(error) => *open(failure) = Some(error),
            });
        }
        drop(work);
    });
    if let Some(error) = open(&failure).take() {
        return Err(scratch(&error));
    }
    let read = std::mem::take(&mut *open(&read));
    Ok(Stage { folder, read })
}

/// What a thread left behind counts, whatever became of the thread.
fn open<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Parser<'p> {
    plan: &'p Plan,
    rows: Rows,
    clock: Clock,
    writer: ArrowWriter<File>,
    read: Read,
}

impl Parser<'_> {
    fn new<'p>(plan: &'p Plan, path: &Path) -> Result<Parser<'p>, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_statistics_enabled(parquet::file::properties::EnabledStatistics::Chunk)
            .build();
        let writer =
            ArrowWriter::try_new(File::create(path)?, table::schema(&plan.columns), Some(properties))?;
        let (rows, clock) = (Rows::new(&plan.columns), Clock::default());
        Ok(Parser { plan, rows, clock, writer, read: Read::default() })
    }

    fn run(mut self, queue: &Receiver<Work>) -> Result<Read, ParquetError> {
        for work in queue {
            match work {
                Work::Lines(block) => self.lines(&block)?,
                Work::Columns(file) => self.columns(&file)?,
            }
        }
        self.write()?;
        self.writer.close()?;
        Ok(self.read)
    }

    fn lines(&mut self, block: &Block) -> Result<(), ParquetError> {
        let mut start = 0;
        while start < block.octets.len() {
            let end =
                memchr::memchr(b'\n', &block.octets[start..]).map_or(block.octets.len(), |at| start + at);
            let line = block.octets[start..end].trim_ascii();
            if !line.is_empty() {
                self.line(line, block, start)?;
            }
            start = end + 1;
        }
        Ok(())
    }

    fn line(&mut self, octets: &[u8], block: &Block, start: usize) -> Result<(), ParquetError> {
        let why = match Line::read(octets) {
            Ok(line) => match line.time(&mut self.clock) {
                Some(time) if self.plan.period.holds(time) => {
                    self.read.lines += 1;
                    self.rows.push(time, &line);
                    return if self.rows.len() >= ROWS { self.write() } else { Ok(()) };
                }
                Some(_) => {
                    self.read.outside += 1;
                    return Ok(());
                }
                None => "its time cannot be read".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        self.read.bad += 1;
        let at = block.offset + start as u64;
        self.read
            .first_bad
            .get_or_insert_with(|| format!("{}, octet {at}: {why}", block.file.path.display()));
        Ok(())
    }

    fn columns(&mut self, file: &Input) -> Result<(), ParquetError> {
        let (plan, writer, read) = (self.plan, &mut self.writer, &mut self.read);
        let mut written = Ok(());
        let mut keep = |batch: &RecordBatch, outside: usize| {
            read.lines += batch.num_rows() as u64;
            read.outside += outside as u64;
            written = writer.write(batch);
            written.is_ok()
        };
        if let Err(error) = archive::read(&file.path, &plan.columns, &plan.period, &mut keep) {
            read.broken.push(format!("{}: {error}", file.path.display()));
        }
        plan.progress.inc(file.size);
        written
    }

    fn write(&mut self) -> Result<(), ParquetError> {
        if self.rows.len() == 0 {
            return Ok(());
        }
        let batch = self.rows.take()?;
        self.writer.write(&batch)
    }
}
