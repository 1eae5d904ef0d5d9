//! One round: what waits is sent, what is new is divided and sent, what is old enough is deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kakehashi::config::{Archive, Config, LogTarget};

use crate::layout::Origin;
use crate::local::{self, Loss, Rolled, Stock};
use crate::split;
use crate::state::{Identity, Kept, Progress, State};
use crate::store::Store;
use crate::tally::Tally;

/// What a round looks at.
#[derive(Debug, Clone, Copy)]
pub enum Sources<'s> {
    /// The files that the server rolled.
    Rolled,
    /// These.
    These(&'s [PathBuf]),
}

/// What a round left undone.
#[derive(Debug, Default)]
pub struct Left {
    /// Rolled files whose pieces wait.
    pub waiting: usize,
    /// Files that could not be read.
    pub unread: usize,
    /// Why the archive took nothing.
    pub fault: Option<String>,
}

impl Left {
    /// Whether all is done.
    pub fn is_nothing(&self) -> bool {
        self.waiting == 0 && self.unread == 0
    }
}

/// Brings rolled files to the archive.
pub struct Archiver {
    settings: Archive,
    log: Option<PathBuf>,
    node: String,
    store: Store,
}

impl Archiver {
    /// As the configuration says.
    pub fn new(config: &Config, settings: Archive) -> io::Result<Self> {
        let node = match &config.node.id {
            Some(id) => id.clone(),
            None => nix::unistd::gethostname()?.to_string_lossy().into_owned(),
        };
        let log = match &config.query_log.to {
            LogTarget::File(path) => Some(path.clone()),
            LogTarget::Off | LogTarget::Stdout => None,
        };
        let store = Store::open(&settings.to, config.node.region.as_deref())?;
        Ok(Self { settings, log, node, store })
    }

    /// The live log, which is nobody's to archive.
    pub fn live_log(&self) -> Option<&Path> {
        self.log.as_deref()
    }

    /// Does what there is to do.
    pub fn round(&self, sources: Sources<'_>) -> io::Result<Left> {
        let mut state = State::open(&self.settings.state)?;
        let mut tally = Tally::load(&self.settings.state)?;
        let mut left = Left::default();
        self.send(&mut state, &mut tally, &mut left)?;
        for path in self.candidates(&state, sources)? {
            match self.divide(&mut state, &path) {
                // While the archive takes nothing, what is new is at least compressed.
                Ok(()) if left.fault.is_none() => self.send(&mut state, &mut tally, &mut left)?,
                Ok(()) => {}
                Err(fault) => {
                    tracing::error!("{}: {fault}; it stays, and is tried again", path.display());
                    tally.divide_faults += 1;
                    left.unread += 1;
                }
            }
        }
        left.waiting = state.waiting().len();
        self.clear(&mut state, &mut tally)?;
        tally.waiting_files = state.waiting().len() as u64;
        if left.is_nothing() {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            tally.complete_at = now.as_secs();
        }
        tally.store(&self.settings.state, &self.settings.metrics)?;
        Ok(left)
    }

    /// The files of which nothing is known.
    fn candidates(&self, state: &State, sources: Sources<'_>) -> io::Result<Vec<PathBuf>> {
        match sources {
            Sources::Rolled => {
                let is_new = |rolled: &Rolled| state.progress(&rolled.identity) == Progress::New;
                Ok(self.rolled()?.into_iter().filter(is_new).map(|rolled| rolled.path).collect())
            }
            Sources::These(files) => Ok(files.to_vec()),
        }
    }

    fn rolled(&self) -> io::Result<Vec<Rolled>> {
        let Some(log) = &self.log else { return Ok(vec![]) };
        local::rolled(log)
            .map_err(|fault| io::Error::new(fault.kind(), format!("beside {}: {fault}", log.display())))
    }

    fn divide(&self, state: &mut State, path: &Path) -> io::Result<()> {
        let identity = Identity::of(&fs::metadata(path)?);
        if state.progress(&identity) == Progress::Done {
            tracing::info!("{}: archived already", path.display());
            return Ok(());
        }
        let workplace = state.workplace()?;
        let (divided, identity) = split::divide(path, &self.node, self.settings.format, &workplace)?;
        let rolled = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let origin = Origin { node: self.node.clone(), rolled: rolled.clone(), hash: divided.hash.clone() };
        let (lines, unparsed, pieces) = (divided.lines, divided.unparsed, divided.pieces.len());
        match state.keep(&origin.stem(), &rolled, divided, identity)? {
            Kept::Fresh if unparsed > 0 => tracing::warn!(
                "{}: {lines} lines in {pieces} pieces; {unparsed} lines are not of the schema, kept under unparsed/",
                path.display()
            ),
            Kept::Fresh => tracing::info!("{}: {lines} lines in {pieces} pieces", path.display()),
            Kept::Known => tracing::info!("{}: the same lines are archived or wait already", path.display()),
        }
        Ok(())
    }

    /// Sends what waits, until the archive takes nothing.
    fn send(&self, state: &mut State, tally: &mut Tally, left: &mut Left) -> io::Result<()> {
        for (stem, folder, record) in state.waiting() {
            let sent = self.store.send(&folder, &record.pieces);
            tally.pieces += sent.pieces;
            tally.piece_octets += sent.octets;
            if let Some(fault) = sent.fault {
                tracing::warn!("the archive does not take {}: {fault}", record.rolled);
                tally.store_faults += 1;
                left.fault = Some(fault);
                break;
            }
            state.finish(&stem)?;
            tally.files += 1;
            tally.lines += record.lines;
            tally.unparsed += record.unparsed;
            tally.line_octets += record.octets;
            tracing::info!("{} is archived", record.rolled);
        }
        // A run that ends here has counted what it did.
        tally.store(&self.settings.state, &self.settings.metrics)
    }

    /// Deletes what is archived and old, and whatever else the bound of octets forces out.
    fn clear(&self, state: &mut State, tally: &mut Tally) -> io::Result<()> {
        let mut stocks = Vec::new();
        for rolled in self.rolled()? {
            let loss = match state.progress(&rolled.identity) {
                Progress::Done => Loss::Archived,
                Progress::Waiting => Loss::Copied,
                Progress::New => Loss::Rolled,
            };
            stocks.push(Stock {
                loss,
                size: rolled.size,
                written: rolled.written,
                what: Thing::Rolled(rolled.path),
            });
        }
        for (stem, folder, record) in state.waiting() {
            let left = record.pieces.iter().filter(|piece| folder.join(&piece.file).exists());
            let size = left.map(|piece| piece.octets).sum();
            let written = fs::metadata(&folder)?.modified()?;
            stocks.push(Stock { loss: Loss::Spooled, size, written, what: Thing::Waiting(stem) });
        }
        tally.local_octets = stocks.iter().map(|stock| stock.size).sum();
        let going =
            local::to_go(stocks, self.settings.local_keep, self.settings.local_bytes, SystemTime::now());
        for stock in going {
            tally.local_octets -= stock.size;
            let (what, lost) = match &stock.what {
                Thing::Rolled(path) => {
                    fs::remove_file(path)?;
                    (path.display().to_string(), stock.loss == Loss::Rolled)
                }
                Thing::Waiting(stem) => {
                    let record = state.give_up(stem)?;
                    (record.map_or_else(|| stem.clone(), |record| record.rolled), true)
                }
            };
            if lost {
                tally.lost_files += 1;
                tally.lost_octets += stock.size;
                tracing::error!("{what} was deleted and is NOT ARCHIVED: local-bytes is exceeded");
            } else {
                if stock.loss == Loss::Archived {
                    tally.deleted_files += 1;
                }
                tracing::info!("{what} was deleted here");
            }
        }
        Ok(())
    }
}

/// What can be deleted.
#[derive(Debug, Clone)]
enum Thing {
    Rolled(PathBuf),
    Waiting(String),
}
