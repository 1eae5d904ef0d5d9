//! `serve`: run until told to stop.

use std::path::Path;

use super::{Done, tell};
use crate::config;
use crate::server::{self, Origin};

/// Serves a configuration until SIGTERM or SIGINT.
pub(super) fn run(path: &Path) -> Done {
    server::log_to_stderr("info");
    let loaded = config::load(path).map_err(|faults| super::check::show(&faults))?;
    super::check::show(&loaded.warnings);
    server::run(loaded.config, Origin::File(path.to_path_buf())).map_err(tell)
}
