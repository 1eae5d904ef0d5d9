//! `serve`: run until told to stop.

use std::path::Path;

use super::{Done, tell};
use crate::config;
use crate::server::{self, Origin, Server};

/// Serves a configuration until SIGTERM or SIGINT.
pub(super) fn run(path: &Path) -> Done {
    server::log_to_stderr("info");
    let loaded = config::load(path).map_err(|faults| super::check::show(&faults))?;
    super::check::show(&loaded.warnings);
    let server = Server::start(loaded.config, Origin::File(path.to_path_buf())).map_err(tell)?;
    server.run_until_signalled().map_err(tell)
}
