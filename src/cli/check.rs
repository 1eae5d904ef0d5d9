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
    let config = &loaded.config;
    let is_zone = |route: &&config::Route| matches!(route.target, config::Target::Zone { .. });
    let parts = [
        count(config.networks.len(), "network"),
        count(built.snapshot.table.views().len(), "view"),
        count(config.routes.len(), "route"),
        count(config.routes.iter().filter(is_zone).count(), "zone"),
        count(config.upstreams.len(), "upstream"),
    ];
    let verdict =
        if warnings.is_empty() { "nothing is wrong".to_owned() } else { count(warnings.len(), "warning") };
    say(&format!("{}: {}; {verdict}\n", path.display(), parts.join(", ")));
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
    let of = |severity| faults.iter().filter(|fault| fault.severity == severity).count();
    match (of(Severity::Error), of(Severity::Warning)) {
        (0, _) => Told,
        (errors, 0) => tell(count(errors, "error")),
        (errors, warnings) => tell(format!("{}, {}", count(errors, "error"), count(warnings, "warning"))),
    }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
