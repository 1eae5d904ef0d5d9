//! Authoritative zones: master files → content → answers (RFC 1034 §4.3.2, RFC 1035 §5).
//!
//! A zone is loaded whole or not at all, and never changes afterwards: a reload makes a new one and swaps it in
//! ([`ZoneHandle`]). Reading zone files is the only I/O of this room. In the order of a zone's life:
//!
//! `file` → `token` → `text`, `field`, `bitmap`, `place`, `svcb`, `rdata` → `master`, `generate` → `build` → `check` → `tree` → `lookup` → `denial`, `dnssec`

mod bitmap;
mod build;
mod check;
mod denial;
mod dnssec;
mod field;
mod file;
mod generate;
mod handle;
mod lookup;
mod master;
mod place;
mod rdata;
mod report;
mod reverse;
mod special;
mod svcb;
mod text;
mod token;
mod tree;

pub use dnssec::Dnssec;
pub use handle::{Replaced, ZoneHandle};
pub use special::special_use;
pub use tree::{RRset, Zone};

use std::path::Path;
use std::sync::Arc;

use crate::config::{Diagnostic, Source};
use crate::wire::Name;

/// A zone that can be served, and what its file should better say.
#[derive(Debug)]
pub struct Loaded {
    /// The zone.
    pub zone: Zone,
    /// What is odd in its file, at most 100 of it.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the master file of a zone and what it includes. The error is everything that is wrong with it, at most 100
/// of it: one wrong record, and there is no zone.
pub fn load(origin: &Name, path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let source = file::read(path).map_err(|message| vec![Diagnostic::error_without_place(message)])?;
    parse(origin, &source)
}

/// Reads a zone from a text. `name` is what diagnostics call it, and `$INCLUDE` starts from its folder.
pub fn parse_text(origin: &Name, name: &str, text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    parse(origin, &Source::new(name, text))
}

fn parse(origin: &Name, source: &Arc<Source>) -> Result<Loaded, Vec<Diagnostic>> {
    let (builder, mut report) = master::read(origin, source);
    let built = builder.finish();
    check::check(&built, source, &mut report);
    report.finish().map(|warnings| Loaded { zone: built.zone, warnings })
}
