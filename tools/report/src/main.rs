//! `kakehashi-report`: query logs and archives → a report, or the answer to a question in SQL.
//!
//! Files (`input`) are read once (`blocks`, `line`, `archive`) into the columns that are needed (`table`, `stage`); the
//! engine answers questions over those (`engine`, `figures`), and the answers are shown (`terminal`, `page`, `sql`).

mod archive;
mod blocks;
mod chart;
mod cli;
mod engine;
mod escape;
mod figures;
mod growth;
mod input;
mod latency;
mod line;
mod page;
mod period;
mod sql;
mod stage;
mod table;
mod terminal;
mod words;

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use cli::Cli;
use engine::Engine;
use figures::{Figures, Wish};
use input::Input;
use period::Period;
use stage::{Plan, Read, Stage};

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{}", escape::terminal(&reason));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    let period = Period::new(cli.since, cli.until);
    let inputs = input::find(&cli.files, &period)?;
    let engine = Engine::new(&cli.scratch).map_err(text)?;
    match &cli.sql {
        Some(question) => {
            let stage = read(cli, inputs, period, &engine.columns(question).map_err(text)?)?;
            engine.open(stage.folder()).map_err(text)?;
            let (schema, batches) = engine.ask(question).map_err(text)?;
            tell_faults(&stage.read);
            match &cli.json {
                Some(path) => save(path, sql::json(&schema, &batches).map_err(text)?.as_bytes()),
                None => say(&sql::table(&schema, &batches).map_err(text)?),
            }
        }
        None => {
            let mut columns = figures::COLUMNS.to_vec();
            columns.push(figures::DURATION);
            let stage = read(cli, inputs, period, &columns)?;
            engine.open(stage.folder()).map_err(text)?;
            tell_faults(&stage.read);
            show(cli, &ask(cli, &engine, &stage)?)
        }
    }
}

fn read(cli: &Cli, inputs: Vec<Input>, period: Period, columns: &[impl AsRef<str>]) -> Result<Stage, String> {
    let octets = inputs.iter().map(|input| input.size).sum();
    let progress = bar(octets, "reading  {bar:40} {bytes}/{total_bytes} {binary_bytes_per_sec}, {eta} left");
    let plan = Plan { columns: table::pick(columns), period, scratch: cli.scratch.clone(), progress };
    let stage = stage::fill(inputs, &plan);
    plan.progress.finish_and_clear();
    stage
}

fn ask(cli: &Cli, engine: &Engine, stage: &Stage) -> Result<Figures, String> {
    let progress = bar(figures::QUESTIONS, "asking   {bar:40} {pos}/{len} questions");
    let wish = Wish { top: usize::from(cli.top), capacity: f64::from(cli.capacity) };
    let figures = figures::figures(engine, stage.read.clone(), wish, || progress.inc(1)).map_err(text);
    progress.finish_and_clear();
    figures
}

fn show(cli: &Cli, figures: &Figures) -> Result<(), String> {
    if let Some(path) = &cli.html {
        save(path, page::page(figures).as_bytes())?;
    }
    if let Some(path) = &cli.json {
        let mut json = serde_json::to_vec_pretty(figures).map_err(text)?;
        json.push(b'\n');
        save(path, &json)?;
    }
    if cli.json.as_deref().is_some_and(|path| path.as_os_str() == input::STDIN) {
        return Ok(());
    }
    say(&terminal::report(figures))
}

/// What is wrong with the input is told once, on stderr; the report has it too.
fn tell_faults(read: &Read) {
    for fault in words::faults(read) {
        eprintln!("{}", escape::terminal(&fault));
    }
}

/// On stderr, if that is a terminal; else nothing is drawn.
fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // The templates are ours; one with a mistake would fall back to the default.
    ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style))
}

fn save(path: &Path, octets: &[u8]) -> Result<(), String> {
    if path.as_os_str() == input::STDIN {
        return say(&String::from_utf8_lossy(octets));
    }
    std::fs::write(path, octets).map_err(|error| format!("{}: {error}", path.display()))
}

/// To stdout; a reader that went away (`| head`) is no error.
fn say(what: &str) -> Result<(), String> {
    match std::io::stdout().write_all(what.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("stdout: {error}")),
        _ => Ok(()),
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
