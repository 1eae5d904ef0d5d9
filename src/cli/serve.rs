//! `serve`: run until told to stop.

use std::path::Path;

use super::{Done, tell};
use crate::config;
use crate::server::{self, Origin};

/// Serves a configuration until SIGTERM or SIGINT.
pub(super) fn run(path: &Path) -> Done {
    let loaded = config::load(path).map_err(|faults| super::check::show(&faults))?;
    server::begin_log(&loaded.config.log);
    super::check::show(&loaded.warnings);
    server::run(loaded.config, Origin::File(path.to_path_buf())).map_err(tell)
}
