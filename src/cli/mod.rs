//! The command line: what an operator can ask of the program.

mod beside;
mod check;
mod demo;
mod explain;
mod replay;
mod serve;
mod steer;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::wire::{Name, RType};

/// What was asked could not be done: a configuration with errors, an address in use.
const FAILURE: u8 = 1;

/// A hybrid DNS server: split view, private zones and conditional forwarding between AWS VPCs and an on-prem Active
/// Directory.
///
/// Begin with `kakehashi demo`: it serves a whole network on loopback and prints queries to try. Then write a
/// configuration (the shipped conf/ is commented throughout), `check` it, `explain` what a client will get, and `serve` it.
#[derive(Parser)]
#[command(name = "kakehashi", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 not done (the reason is on stderr), 2 the command line is wrong."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve DNS until SIGTERM.
    ///
    /// SIGHUP reads the configuration and all zones again and puts them in force at once, or not at all: with an error in
    /// them the old ones go on. SIGUSR1 opens the query log again, for logrotate. SIGTERM and SIGINT answer what was
    /// accepted, then end. RUST_LOG=debug says more on stderr.
    #[command(after_long_help = "Example:\n  kakehashi serve --config /etc/kakehashi/conf/kakehashi.toml")]
    Serve {
        /// The main configuration file.
        #[arg(long, short, value_name = "FILE")]
        config: PathBuf,
    },
    /// Find what is wrong in a configuration and its zones, without serving it.
    ///
    /// All errors and warnings are shown on stderr, each with its file, line and column and what would be right. Ends with 1
    /// if there is an error. Nothing is sent and no port is opened, so it runs anywhere: in CI, or beside the running server
    /// before `systemctl reload kakehashi`.
    #[command(after_long_help = "Example:\n  kakehashi check --config conf/kakehashi.toml --strict")]
    Check {
        /// The main configuration file.
        #[arg(long, short, value_name = "FILE")]
        config: PathBuf,
        /// End with 1 on a warning too.
        #[arg(long)]
        strict: bool,
    },
    /// Find what is wrong in one zone file.
    ///
    /// RFC 1035 master files; all errors and warnings are shown on stderr, each with its file, line and column. Ends with 1
    /// if there is an error: a server would load nothing of the zone.
    #[command(
        after_long_help = "Example:\n  kakehashi check-zone technova.internal zones/technova.internal.zone"
    )]
    CheckZone {
        /// The zone's origin: technova.internal
        origin: Name,
        /// The zone file.
        file: PathBuf,
    },
    /// Say what a client would be answered, and why.
    ///
    /// The client's network and view; every route that covers the name, in the order in which they are asked, with what
    /// becomes of each; the zone's records, or the upstream servers with their timeouts and TTL caps; the same for each
    /// CNAME of a chain. No packet is sent, and no server needs to run. Upstream servers are in the order of the file, as
    /// one asks them that has just started.
    #[command(after_long_help = "Examples:\n  \
        kakehashi explain --config conf/kakehashi.toml 10.0.30.100 api.technova.com\n  \
        kakehashi explain --config conf/kakehashi.toml 10.3.30.100 _grpc._tcp.alert.iot.technova.local SRV\n  \
        kakehashi explain --config conf/kakehashi.toml 192.168.1.10 101.30.0.10.in-addr.arpa PTR --json")]
    Explain {
        /// The main configuration file.
        #[arg(long, short, value_name = "FILE")]
        config: PathBuf,
        /// The client's address: 10.0.30.100
        client: std::net::IpAddr,
        /// The name that it asks for.
        name: Name,
        /// The type that it asks for.
        #[arg(default_value = "A", value_parser = rtype)]
        qtype: RType,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what a change of the configuration would change for those who asked.
    ///
    /// Each different question of a query log (network, name, type) is put to both configurations as `explain` does: route,
    /// zone, upstream, policy. No packet is sent. With --live they are put to two running servers instead, and what these
    /// answer is compared: RCODE and records, whatever their TTLs and order. The differences are grouped by network and route,
    /// with the queries that each affects. Ends with 1 if there are any that no --allow covers.
    #[command(after_long_help = "Examples:\n  \
        kakehashi replay --log query.log --old conf/kakehashi.toml --new /etc/kakehashi.2/conf/kakehashi.toml\n  \
        zcat query.log.*.gz | kakehashi replay --log - --old OLD --new NEW --allow '*:technova.local' --json diff.json\n  \
        kakehashi replay --log query.log --live 10.150.20.10:53 10.150.20.11:53 --source technova-mfg-prod-app=10.0.30.9\n  \
        kakehashi replay --log query.log --live unix:/run/kakehashi/control.sock unix:/run/kakehashi.2/control.sock")]
    Replay(replay::Order),
    /// Serve the TechNova network on loopback, with stand-ins for the domain controllers and AmazonProvidedDNS.
    ///
    /// Needs no root and no other program. Prints dig lines to try, and what each will answer. Ends with ctrl-c.
    Demo {
        /// The folder of the shipped configuration.
        #[arg(long, value_name = "FOLDER", default_value = "conf")]
        conf: PathBuf,
        /// The port on 127.0.0.1; the five above it are for the stand-ins and HTTP.
        #[arg(long, default_value_t = 5300, value_parser = clap::value_parser!(u16).range(1..=i64::from(u16::MAX - demo::LAST_PORT)))]
        port: u16,
        /// Ask the printed questions too, print what was answered, and end.
        #[arg(long)]
        once: bool,
    },
    #[command(flatten)]
    Steer(steer::Order),
    /// Say what the query log says: a report, a page with charts, or the answer to a question in SQL.
    ///
    /// Runs the program kakehashi-report, which is beside this one or in PATH; `kakehashi report --help` is its help.
    #[command(disable_help_flag = true)]
    Report {
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        arguments: Vec<OsString>,
    },
    /// Write completions for a shell to stdout.
    #[command(after_long_help = "Examples:\n  \
        kakehashi completions bash > /etc/bash_completion.d/kakehashi\n  \
        kakehashi completions zsh > /usr/local/share/zsh/site-functions/_kakehashi\n  \
        kakehashi completions fish > ~/.config/fish/completions/kakehashi.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

fn rtype(text: &str) -> Result<RType, String> {
    text.parse().map_err(|()| format!("{text} is no record type; examples: A, AAAA, SRV, PTR, TYPE65"))
}

/// Runs the command line.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Steer(order) => steer::run(order),
        Command::Serve { config } => serve::run(&config),
        Command::Check { config, strict } => check::configuration(
            &config,
            if strict { check::Strictness::Warnings } else { check::Strictness::Errors },
        ),
        Command::CheckZone { origin, file } => check::zone(&origin, &file),
        Command::Explain { config, client, name, qtype, json } => explain::run(
            &config,
            client,
            &name,
            qtype,
            if json { explain::Form::Json } else { explain::Form::Text },
        ),
        Command::Replay(order) => replay::run(&order),
        Command::Demo { conf, port, once } => {
            demo::run(&conf, port, if once { demo::Mode::Once } else { demo::Mode::Serve })
        }
        Command::Report { arguments } => beside::run("report", &arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "kakehashi", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Told) => ExitCode::from(FAILURE),
    }
}

/// It was not done, and the operator has been told why.
struct Told;

type Done = Result<(), Told>;

/// Tells the operator why it was not done.
fn tell(reason: impl std::fmt::Display) -> Told {
    eprintln!("{reason}");
    Told
}

/// Writes to stdout; a reader that went away (`| head`) is no error.
fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
