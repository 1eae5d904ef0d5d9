//! `kakehashi-archive`: rolled query logs → the archive's layout (SCHEMA.md), in a folder or an object store.
//!
//! `round` knows the order; `split` divides a rolled file by `line` and `layout`, `gather` packs, `columns` writes Parquet; `state`
//! remembers, `store` sends, `local` says what may be deleted here, `tally` counts. It may be ended at any moment.

mod athena;
mod columns;
mod gather;
mod layout;
mod line;
mod local;
mod round;
mod split;
mod state;
mod store;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use kakehashi::config::{self, Archive, Config};
use round::{Archiver, Left, Sources};

/// Brings rolled query logs to where they are kept for a year.
///
/// `[archive]` of the server's configuration says where, and `kakehashi check` judges it. A file is archived once,
/// however often this program is ended and started.
#[derive(Parser)]
#[command(name = "kakehashi-archive", version, max_term_width = 100)]
#[command(subcommand_negates_reqs = true, subcommand_precedence_over_arg = true)]
#[command(
    after_help = "Exit codes: 0 all is archived, 1 something is left (the reason is on stderr), 2 the command line is wrong."
)]
struct Arguments {
    /// The server's configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = "conf/kakehashi.toml")]
    config: PathBuf,
    /// Archive what has been rolled so far, and end.
    #[arg(long, global = true)]
    once: bool,
    /// Archive these files, packed or not; they stay where they are. A file called `watch` is written `./watch`.
    #[arg(value_name = "FILES", required_unless_present = "once", conflicts_with = "once")]
    files: Vec<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Archive what is rolled, as it is rolled.
    Watch,
    /// Print what makes the archive a table of Amazon Athena.
    Athena,
}

/// Tries before a run that is not to go on forever gives up.
const TRIES: u32 = 4;
/// The longest pause between two tries.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    kakehashi::server::log_to_stderr("info");
    match run(&arguments) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("kakehashi-archive: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let (config, settings) = load(&arguments.config)?;
    if let Some(Command::Athena) = arguments.command {
        print!("{}", athena::tables(&config, &settings));
        return Ok(ExitCode::SUCCESS);
    }
    let every = settings.every;
    let archiver = Archiver::new(&config, settings).map_err(|fault| fault.to_string())?;
    if matches!(arguments.command, Some(Command::Watch)) && !arguments.once {
        watch(&archiver, every);
    }
    let sources = if arguments.files.is_empty() { Sources::Rolled } else { Sources::These(&arguments.files) };
    refuse_the_live_log(&archiver, &arguments.files)?;
    let left = until_done(&archiver, sources)?;
    Ok(if left.is_nothing() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn load(path: &Path) -> Result<(Config, Archive), String> {
    let loaded = config::load(path).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the configuration has faults\n{}", lines.join("\n"))
    })?;
    let Some(archive) = loaded.config.archive.clone() else {
        return Err(format!(
            "{} has no [archive] table; write one such as\n\n[archive]\nto = \"/srv/archive\"",
            path.display()
        ));
    };
    Ok((loaded.config, archive))
}

/// What is still written to is archived when it is rolled.
fn refuse_the_live_log(archiver: &Archiver, files: &[PathBuf]) -> Result<(), String> {
    let Some(live) = archiver.live_log().and_then(|live| live.canonicalize().ok()) else { return Ok(()) };
    match files.iter().find(|file| file.canonicalize().is_ok_and(|file| file == live)) {
        Some(file) => {
            Err(format!("{} is the live log: it is archived when it has been rolled", file.display()))
        }
        None => Ok(()),
    }
}

/// Round after round. A full disk or a folder that is not there yet may be mended while it waits.
fn watch(archiver: &Archiver, every: Duration) -> ! {
    let mut failures = 0;
    loop {
        let fault = match archiver.round(Sources::Rolled) {
            Ok(left) => left.fault,
            Err(fault) => {
                tracing::error!("{fault}");
                Some(fault.to_string())
            }
        };
        failures = if fault.is_some() { failures + 1 } else { 0 };
        std::thread::sleep(if failures == 0 { every } else { pause(failures) });
    }
}

/// A few rounds, until nothing waits. What waits still is sent by the next run.
fn until_done(archiver: &Archiver, sources: Sources<'_>) -> Result<Left, String> {
    let mut sources = sources;
    for failures in 1.. {
        let left = archiver.round(sources).map_err(|fault| fault.to_string())?;
        let Some(fault) = &left.fault else { return Ok(left) };
        if failures == TRIES {
            eprintln!("kakehashi-archive: {} files wait for the next run: {fault}", left.waiting);
            return Ok(left);
        }
        // Their pieces wait by now.
        sources = match sources {
            Sources::These(_) if left.unread == 0 => Sources::These(&[]),
            as_before => as_before,
        };
        std::thread::sleep(pause(failures));
    }
    Err("no round was done".to_owned())
}

/// Twice as long each time.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(1 << (failures - 1).min(9)).min(PATIENCE)
}
