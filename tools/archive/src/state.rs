//! What is remembered between runs, so that each line is archived once however often the program is ended.
//!
//!     state/lock            one program at a time
//!     state/spool/X.part/   pieces of a rolled file that is being divided; at the next start they are thrown away
//!     state/spool/X/        all its pieces, and `pieces.json`: from here on they are what is archived, whatever changes;
//!                           a piece that the archive has confirmed is deleted
//!     state/done/X.json     no piece is left
//!
//! X is the node, the rolled file's name and a hash of what is in it. Each step is a rename after a sync.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::split::Divided;

/// How many finished files are remembered: at one an hour, more than a year.
const REMEMBERED: usize = 10_000;
/// Names of one file that are remembered: copies, and what logrotate makes of it.
const IDENTITIES: usize = 16;

/// A file as it is now: whoever writes to it makes another of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Identity {
    /// Of an open or listed file.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

/// A piece in the spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its file.
    pub file: String,
    /// Its object name.
    pub name: String,
    /// Lines in it.
    pub lines: u64,
    /// Octets of it.
    pub octets: u64,
}

/// A rolled file, as its pieces or as what became of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The name that it had.
    pub rolled: String,
    /// The files that held it.
    pub identities: Vec<Identity>,
    /// The SHA-256 of what was in it.
    pub hash: String,
    /// Octets of lines.
    pub octets: u64,
    /// Lines of the schema.
    pub lines: u64,
    /// Lines that are not.
    pub unparsed: u64,
    /// Its pieces; of a finished one none.
    pub pieces: Vec<Piece>,
}

/// How far a rolled file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is known of it.
    New,
    /// Its pieces wait in the spool.
    Waiting,
    /// The archive has all of it.
    Done,
}

/// What [`State::keep`] made of a divided file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Pieces that now wait.
    Fresh,
    /// Nothing: these lines wait or are archived already.
    Known,
}

/// The state folder. Who has it has it alone.
#[derive(Debug)]
pub struct State {
    root: PathBuf,
    done: HashMap<String, Record>,
    waiting: HashMap<String, Record>,
    _lock: Flock<File>,
}

impl State {
    /// Opens it, waits for whoever has it, and clears what was begun and not ended.
    pub fn open(root: &Path) -> io::Result<Self> {
        for folder in ["spool", "done"] {
            fs::DirBuilder::new().recursive(true).mode(0o750).create(root.join(folder))?;
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(root.join("lock"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, fault)| fault)?;
        let mut state =
            Self { root: root.to_owned(), done: HashMap::new(), waiting: HashMap::new(), _lock: lock };
        for entry in fs::read_dir(state.root.join("done"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                state.done.insert(stem(&path), read(&path)?);
            }
        }
        for entry in fs::read_dir(state.root.join("spool"))? {
            let path = entry?.path();
            let is_part = path.extension().is_some_and(|extension| extension == "part");
            if is_part || state.done.contains_key(&stem(&path)) {
                fs::remove_dir_all(&path)?;
            } else {
                state.waiting.insert(stem(&path), read(&path.join("pieces.json"))?);
            }
        }
        Ok(state)
    }

    /// How far a file has come.
    pub fn progress(&self, identity: &Identity) -> Progress {
        let has = |records: &HashMap<String, Record>| {
            records.values().any(|record| record.identities.contains(identity))
        };
        if has(&self.done) {
            Progress::Done
        } else if has(&self.waiting) {
            Progress::Waiting
        } else {
            Progress::New
        }
    }

    /// An empty folder to divide a file into.
    pub fn workplace(&self) -> io::Result<PathBuf> {
        let folder = self.root.join("spool/dividing.part");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::DirBuilder::new().mode(0o750).create(&folder)?;
        Ok(folder)
    }

    /// From here on the divided file's pieces are what is archived.
    pub fn keep(
        &mut self,
        stem: &str,
        rolled: &str,
        divided: Divided,
        identity: Identity,
    ) -> io::Result<Kept> {
        let workplace = self.root.join("spool/dividing.part");
        let Divided { hash, octets, lines, unparsed, pieces } = divided;
        let same = |record: &&mut Record| record.hash == hash;
        let known =
            self.done.values_mut().find(same).is_some() || self.waiting.values_mut().find(same).is_some();
        if known {
            fs::remove_dir_all(&workplace)?;
            self.remember(&hash, identity)?;
            return Ok(Kept::Known);
        }
        let record = Record {
            rolled: rolled.to_owned(),
            identities: vec![identity],
            hash,
            octets,
            lines,
            unparsed,
            pieces,
        };
        write(&workplace.join("pieces.json"), &record)?;
        sync(&workplace)?;
        fs::rename(&workplace, self.spool(stem))?;
        sync(&self.root.join("spool"))?;
        self.waiting.insert(stem.to_owned(), record);
        Ok(Kept::Fresh)
    }

    /// Another file with the lines of one that is known.
    fn remember(&mut self, hash: &str, identity: Identity) -> io::Result<()> {
        let done =
            self.done.iter_mut().map(|(stem, record)| (self.root.join(format!("done/{stem}.json")), record));
        let waiting = self
            .waiting
            .iter_mut()
            .map(|(stem, record)| (self.root.join(format!("spool/{stem}/pieces.json")), record));
        for (path, record) in done.chain(waiting).filter(|(_, record)| record.hash == hash) {
            record.identities.push(identity);
            let surplus = record.identities.len().saturating_sub(IDENTITIES);
            record.identities.drain(..surplus);
            write(&path, record)?;
        }
        Ok(())
    }

    /// What waits, the oldest name first, each with the folder of its pieces.
    pub fn waiting(&self) -> Vec<(String, PathBuf, Record)> {
        let mut waiting: Vec<_> = self
            .waiting
            .iter()
            .map(|(stem, record)| (stem.clone(), self.spool(stem), record.clone()))
            .collect();
        waiting.sort_by(|a, b| a.2.rolled.cmp(&b.2.rolled).then_with(|| a.0.cmp(&b.0)));
        waiting
    }

    /// The archive has confirmed every piece.
    pub fn finish(&mut self, stem: &str) -> io::Result<()> {
        let Some(mut record) = self.waiting.remove(stem) else { return Ok(()) };
        record.pieces.clear();
        write(&self.root.join(format!("done/{stem}.json")), &record)?;
        self.done.insert(stem.to_owned(), record);
        self.clear(stem)?;
        self.forget()
    }

    /// Gives up what waits. What it was is returned.
    pub fn give_up(&mut self, stem: &str) -> io::Result<Option<Record>> {
        self.clear(stem)?;
        Ok(self.waiting.remove(stem))
    }

    /// Whatever of it is left if we end here is thrown away at the next start.
    fn clear(&self, stem: &str) -> io::Result<()> {
        let part = self.root.join(format!("spool/{stem}.part"));
        fs::rename(self.spool(stem), &part)?;
        fs::remove_dir_all(part)
    }

    fn spool(&self, stem: &str) -> PathBuf {
        self.root.join("spool").join(stem)
    }

    /// The oldest finished files, when there are too many.
    fn forget(&mut self) -> io::Result<()> {
        if self.done.len() <= REMEMBERED {
            return Ok(());
        }
        let age = |record: &Record| record.identities.iter().map(|identity| identity.seconds).max();
        let mut stems: Vec<_> = self.done.iter().map(|(stem, record)| (age(record), stem.clone())).collect();
        stems.sort();
        for (_, stem) in stems.into_iter().take(self.done.len() - REMEMBERED) {
            fs::remove_file(self.root.join(format!("done/{stem}.json")))?;
            self.done.remove(&stem);
        }
        Ok(())
    }
}

fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".json").unwrap_or(&name).to_owned()
}

/// Reads what [`write`] wrote.
pub fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<T> {
    let text = fs::read(path)?;
    serde_json::from_slice(&text).map_err(|fault| {
        io::Error::other(format!("{}: {fault}; this file is not ours any more", path.display()))
    })
}

/// Writes a whole file, or none.
pub fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write_text(path, &serde_json::to_vec_pretty(value)?)
}

/// Writes a whole file, or none.
pub fn write_text(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let begun = folder.join(format!(".{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&begun)?;
    file.write_all(text)?;
    // A node exporter is another user, whatever our umask; what is private lies in the state folder.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.sync_all()?;
    fs::rename(&begun, path)?;
    sync(folder)
}

/// What a folder lists is there after a loss of power as well.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
