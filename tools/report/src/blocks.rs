//! Files → blocks of whole lines, decompressed on the way, for the parsers to take.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use crossbeam_channel::Sender;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;

use crate::input::{Form, Input, STDIN};

/// A block's usual octets: large enough that handing it over costs nothing, small enough that some dozens are no memory.
const BLOCK: usize = 1 << 20;

/// No line of ours is longer (its answers are bounded); what is, is one bad line, and its rest another.
const LONGEST_LINE: usize = 4 << 20;

/// What a parser takes.
pub enum Work {
    Lines(Block),
    /// A Parquet file, to be read whole.
    Columns(Arc<Input>),
}

/// Whole lines of one file.
pub struct Block {
    pub file: Arc<Input>,
    /// Where it begins in the decompressed file.
    pub offset: u64,
    pub octets: Vec<u8>,
}

/// The readers' end of the queue to the parsers.
pub type Queue = Sender<Work>;

/// Reads a file to its end, or until nobody takes blocks any more. An error comes after all that could be read before it.
pub fn read(input: &Arc<Input>, queue: &Queue, progress: &ProgressBar) -> io::Result<()> {
    if input.form == Form::Parquet {
        // Nobody takes it only when all parsers have failed, which is told by them.
        let _ = queue.send(Work::Columns(input.clone()));
        return Ok(());
    }
    let raw: Box<dyn Read> = if input.path.as_os_str() == STDIN {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&input.path)?)
    };
    let raw = progress.wrap_read(raw);
    match input.form {
        Form::Gzip => split(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, raw)), input, queue),
        Form::Zstd => split(zstd::stream::read::Decoder::new(raw)?, input, queue),
        Form::Plain | Form::Parquet => split(raw, input, queue),
    }
}

fn split(mut from: impl Read, file: &Arc<Input>, queue: &Queue) -> io::Result<()> {
    let mut offset = 0;
    let mut octets = Vec::with_capacity(BLOCK);
    loop {
        let room = BLOCK.saturating_sub(octets.len()).max(BLOCK / 4) as u64;
        let read = from.by_ref().take(room).read_to_end(&mut octets);
        let is_end = !matches!(read, Ok(count) if count as u64 == room);
        let whole = match memchr::memrchr(b'\n', &octets) {
            _ if is_end => octets.len(),
            Some(newline) => newline + 1,
            None if octets.len() >= LONGEST_LINE => octets.len(),
            None => continue,
        };
        let mut rest = Vec::with_capacity(BLOCK.max(octets.len() - whole));
        rest.extend_from_slice(&octets[whole..]);
        octets.truncate(whole);
        if !octets.is_empty() {
            let block = Block { file: file.clone(), offset, octets };
            if queue.send(Work::Lines(block)).is_err() {
                return Ok(());
            }
        }
        offset += whole as u64;
        octets = rest;
        if is_end {
            return read.map(drop);
        }
    }
}
