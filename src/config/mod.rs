//! The operator's text → [`Config`], with every fault found at once.
//!
//! `source` reads the files · `table` reads their tables key by key · `spec` is the grammar · `lower` judges what was
//! written and makes the model · `model` is what the rest of the server sees · `lint` doubts what is valid but
//! probably not meant · `diagnostic` and `place` say what is wrong and where, for zone files too.
//!
//! Reads files; opens no socket, asks no clock, keeps nothing.

mod control;
mod detect;
pub mod diagnostic;
mod domain;
mod lint;
mod lower;
mod model;
mod nesting;
mod output;
pub mod place;
mod source;
mod spec;
mod suggest;
mod table;
mod unit;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use control::{Apply, Control, ControlSocket};
pub use detect::Detect;
pub use diagnostic::{Diagnostic, Severity};
pub use model::{
    Audience, Balance, Cache, CacheCaps, ClientLimit, Clients, Concern, Config, FallThrough, HealthCheck,
    Listen, MaxQps, Network, Node, Recursion, Reverse, Route, SpecialUse, Target, Unknown, Upstream,
};
pub use output::{
    Dnstap, LogFilter, LogFormat, LogTarget, OperatorLog, QueryLog, Rotate, TapMessage, TapTarget,
    wrong_level,
};
pub use place::{Place, Placed, Source};
use source::Reading;

/// A configuration that can be served.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is valid but probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the main file and everything it includes.
///
/// # Errors
/// All faults, in the order of the text; at least one of them is an error.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    judge(Reading::of_file(path))
}

/// Reads a configuration that is no file: diagnostics call it `name`, paths in it are relative to `folder`.
///
/// # Errors
/// As [`load`].
pub fn load_text(name: &str, text: &str, folder: impl Into<PathBuf>) -> Result<Loaded, Vec<Diagnostic>> {
    judge(Reading::of_text(&Source::in_memory(name, folder, text)))
}

fn judge(reading: Reading) -> Result<Loaded, Vec<Diagnostic>> {
    let Reading { spec, sources, mut faults, unreadable, .. } = reading;
    // What an unreadable file would have said is unknown: everything that refers to it would look wrong.
    if unreadable > 0 {
        in_order(&mut faults, &sources);
        return Err(faults);
    }

    let config = lower::lower(spec, sources, &mut faults);
    if faults.iter().all(|fault| fault.severity == Severity::Warning) {
        faults.extend(lint::doubts(&config));
        in_order(&mut faults, &config.sources);
        return Ok(Loaded { config, warnings: faults });
    }
    in_order(&mut faults, &config.sources);
    Err(faults)
}

/// Errors before warnings, and each in the order of the text, so that the operator can go through his files once.
fn in_order(faults: &mut [Diagnostic], sources: &[Arc<Source>]) {
    let number: HashMap<*const Source, usize> =
        sources.iter().enumerate().map(|(number, source)| (Arc::as_ptr(source), number)).collect();
    faults.sort_by_key(|fault| {
        let position = fault.place.as_ref().map(|place| {
            (number.get(&Arc::as_ptr(place.source())).copied().unwrap_or(usize::MAX), place.offset())
        });
        (fault.severity, position)
    });
}
