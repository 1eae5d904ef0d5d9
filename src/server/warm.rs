//! A restart is warm: the cache snapshot is written when the last query is answered, and read beside the first ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::cache::snapshot;
use crate::config::Config;
use crate::listen::clock;
use crate::pipeline::Shared;

/// How much is written: a tenth of a second's work, so that a stop is not noticed.
const MOST: u64 = 64 << 20;

/// Reads the snapshot, if one is configured and there, on a thread of its own: nobody waits for it but a stop.
pub(super) fn begin(config: &Config, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let (path, shared) = (config.cache.snapshot.clone()?, Arc::clone(shared));
    let reader = thread::Builder::new().name("kkh-warm".into());
    let outcome = reader.spawn(move || {
        let file = match File::open(&path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return,
            other => other.map_err(snapshot::Fault::from),
        };
        match file.and_then(|mut file| snapshot::read(&shared.responses, clock::now(), &mut file)) {
            Ok(entries) => tracing::info!(entries, "{}: the cache begins warm", path.display()),
            Err(fault) => tracing::warn!("{}: {fault}; the cache begins empty", path.display()),
        }
    });
    outcome.inspect_err(|fault| tracing::warn!("the cache begins empty: {fault}")).ok()
}

/// Writes the snapshot, if one is configured, when the old one has been read.
pub(super) fn keep(config: &Config, shared: &Shared, reading: Option<JoinHandle<()>>) {
    if let Some(reading) = reading {
        // A panic there has been said, and what is in the cache is whole all the same.
        let _ = reading.join();
    }
    let Some(path) = &config.cache.snapshot else { return };
    match write(path, shared) {
        Ok(entries) => tracing::info!(entries, "{}: the cache is kept", path.display()),
        Err(fault) => tracing::warn!("{}: the cache is not kept: {fault}", path.display()),
    }
}

/// Beside the old one first: what is there is always whole.
fn write(path: &Path, shared: &Shared) -> io::Result<u64> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let mut file = BufWriter::with_capacity(1 << 18, file);
    let entries = snapshot::write(&shared.responses, clock::now(), MOST, &mut file)?;
    file.flush()?;
    fs::rename(&beside, path)?;
    Ok(entries)
}
