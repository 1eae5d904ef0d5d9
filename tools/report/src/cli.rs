//! The command line.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Parser;
use jiff::Timestamp;

use crate::period::moment;
use crate::table::COLUMNS;

/// What the query log says: a report, or the answer to a question in SQL.
///
/// Reads JSON lines (plain, gzip, zstd), the archive's folders and its Parquet files, in any mixture; `-` is standard
/// input. Every file is read once. The report is on stdout; figures of a sampled log are those of the whole traffic.
#[derive(Parser)]
#[command(name = "kakehashi-report", bin_name = "kakehashi report", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 not done (the reason is on stderr), 2 the command line is wrong.", after_long_help = long_help())]
pub struct Cli {
    /// Log files, and folders with them.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// Nothing before this: 2026-11-24, 2026-11-24T08:00, …+09:00, or 30m, 24h, 7d ago. UTC without an offset.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Timestamp>,
    /// Nothing from this on.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Write the report as a page too: one file, with charts.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the figures, or the rows of --sql, as JSON; to `-`, in place of the report.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Answer this question instead; the table is `queries`.
    #[arg(long, value_name = "QUERY", conflicts_with = "html")]
    pub sql: Option<String>,
    /// Names, clients and so on in each list.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub top: u16,
    /// Queries a second that one node can answer: to say when growth reaches it.
    #[arg(long, default_value_t = 50_000, value_name = "QPS", value_parser = clap::value_parser!(u32).range(1..))]
    pub capacity: u32,
    /// Where to keep what was read, as columns: some 20 octets a line, until the end.
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    pub scratch: PathBuf,
}

fn time(text: &str) -> Result<Timestamp, String> {
    moment(text, Timestamp::now())
}

fn long_help() -> String {
    let mut help = String::from("Columns of `queries`; what a line does not say is NULL:\n");
    for column in COLUMNS {
        // Writing to a String does not fail.
        let _ = writeln!(help, "  {:18}{:10} {}", column.name, column.sql_type(), column.says);
    }
    help.push_str(
        "\nExamples:\n  \
        kakehashi report /var/log/kakehashi/query.log*\n  \
        kakehashi report --since 7d --html week.html /var/log/kakehashi/\n  \
        kakehashi report --since 2026-11-01 --until 2026-12-01 archive/123456789012/\n  \
        kakehashi report --sql \"SELECT srcaddr, sum(weight) AS n FROM queries WHERE rcode = 'NXDOMAIN' \
        GROUP BY srcaddr ORDER BY n DESC LIMIT 10\" query.log\n\n\
        Exit codes: 0 done, 1 not done (the reason is on stderr), 2 the command line is wrong.",
    );
    help
}
