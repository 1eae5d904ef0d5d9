//! `check` and `check-zone`: everything that is wrong, before it is in force.

use std::path::Path;

use super::{Done, Told, say, tell};
use crate::config::{self, Diagnostic, Severity};
use crate::server;
use crate::wire::Name;
use crate::zone;

/// What makes `check` fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Errors.
    Errors,
    /// Errors and warnings.
    Warnings,
}

/// Checks a configuration with its zones.
pub(super) fn configuration(path: &Path, strictness: Strictness) -> Done {
    let loaded = config::load(path).map_err(|faults| show(&faults))?;
    let mut warnings = loaded.warnings;
    let built = server::build::build(&loaded.config, &server::build::Inventory::default()).map_err(
        |mut faults| {
            faults.extend(warnings.iter().cloned());
            show(&faults)
        },
    )?;
    warnings.extend(built.warnings);
    show(&warnings);
    let table = &built.snapshot.table;
    say(&format!(
        "{}: {} networks, {} views, {} routes, {} zones, {} upstreams; {}\n",
        path.display(),
        loaded.config.networks.len(),
        table.views().len(),
        loaded.config.routes.len(),
        loaded
            .config
            .routes
            .iter()
            .filter(|route| matches!(route.target, config::Target::Zone { .. }))
            .count(),
        loaded.config.upstreams.len(),
        match warnings.len() {
            0 => "nothing is wrong".to_owned(),
            1 => "1 warning".to_owned(),
            n => format!("{n} warnings"),
        }
    ));
    if strictness == Strictness::Warnings && !warnings.is_empty() { Err(Told) } else { Ok(()) }
}

/// Checks one zone file.
pub(super) fn zone(origin: &Name, file: &Path) -> Done {
    let loaded = zone::load(origin, file).map_err(|faults| show(&faults))?;
    show(&loaded.warnings);
    let zone = loaded.zone;
    say(&format!("zone {origin}: serial {}, {} records\n", zone.serial(), zone.record_count()));
    Ok(())
}

/// Shows faults on stderr, and counts them.
pub(super) fn show(faults: &[Diagnostic]) -> Told {
    for fault in faults {
        eprintln!("{fault}");
    }
    let count = |severity| faults.iter().filter(|fault| fault.severity == severity).count();
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, _) => Told,
        (errors, 0) => tell(format_args!("{errors} {}", if errors == 1 { "error" } else { "errors" })),
        (errors, warnings) => tell(format_args!("errors: {errors}, warnings: {warnings}")),
    }
}
