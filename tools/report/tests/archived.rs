//! What the archiver itself writes, in each of its forms, says what the log said.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Ask, figures, log, run, save, text};
use serde_json::Value;
use tempfile::TempDir;

const FORMS: [(&str, &str); 3] =
    [("json-gzip", "json.gz"), ("json-zstd", "json.zst"), ("parquet", "parquet")];

/// The program that archives, beside the one that reports.
fn archiver() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_kakehashi-report")).with_file_name("kakehashi-archive");
    if path.exists() {
        return Some(path);
    }
    let why = "kakehashi-archive is not built: cargo build -p kakehashi-archive";
    assert!(std::env::var_os("CI").is_none(), "{why}");
    println!("SKIPPED: {why}");
    None
}

/// A log, and the folder that the archiver brings it to.
struct Place {
    folder: TempDir,
    log: String,
    archive: String,
}

impl Place {
    fn new(archiver: &Path, format: &str, asks: &[Ask]) -> Place {
        let folder = TempDir::new().unwrap();
        let configuration = format!(
            "[node]\nid = \"kakehashi-1a\"\n[query-log]\nto = \"./log/query.log\"\nrotate-every = \"1h\"\n\
             [archive]\nstate = \"./state\"\nto = \"./archive\"\nformat = \"{format}\"\n"
        );
        save(&folder, "kakehashi.toml", configuration.as_bytes());
        let log = save(&folder, "log/query.log.20261124-030000", log(asks).as_bytes());
        let mut command = Command::new(archiver);
        command.args(["--config", "kakehashi.toml", "--once"]).current_dir(folder.path());
        let output = command.env_remove("RUST_LOG").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let archive = text(&folder.path().join("archive"));
        Place { folder, log, archive }
    }

    /// Pieces of a form in the archive.
    fn pieces(&self, ending: &str) -> usize {
        let (mut folders, mut pieces) = (vec![self.folder.path().join("archive")], 0);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                pieces += usize::from(path.to_str().unwrap().ends_with(ending));
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        pieces
    }
}

/// Three hours, two accounts and clients of none; every fifth line stands for more queries.
fn asks() -> Vec<Ask> {
    let ask = |nth: u64| Ask {
        name: format!("Host-{}.technova.local.", nth % 17),
        client: format!("10.0.30.{}", nth % 23),
        account: ["123456789012", "210987654321", ""][(nth % 3) as usize],
        rcode: if nth.is_multiple_of(7) { "NXDOMAIN" } else { "NOERROR" },
        source: ["forward", "answer-cache", "zone"][(nth % 4 % 3) as usize],
        micros: 20 + nth * nth % 9_000,
        sample: if nth.is_multiple_of(5) { 40 } else { 1 },
        ..Ask::new(nth * 6)
    };
    (0..1_500).map(ask).collect()
}

/// The figures without what is said of the files.
fn told(arguments: &[&str]) -> Value {
    let mut figures = figures(arguments);
    let read = figures.as_object_mut().unwrap().remove("read").unwrap();
    assert_eq!((&read["bad"], &read["broken"]), (&0.into(), &serde_json::json!([])), "{read}");
    figures
}

#[test]
fn every_form_of_archive_has_the_figures_of_the_log() {
    let Some(archiver) = archiver() else { return };
    let hour = ["--since", "2026-11-24T01:00", "--until", "2026-11-24T02:00"];
    let of = |path: &str| (told(&[path]), told(&[&hour[..], &[path]].concat()));
    let folder = TempDir::new().unwrap();
    let (whole, part) = of(&save(&folder, "query.log", log(&asks()).as_bytes()));
    assert_eq!((&whole["queries"], &part["queries"]), (&(300 * 40 + 1_200).into(), &(120 * 40 + 480).into()));
    for (format, ending) in FORMS {
        let place = Place::new(&archiver, format, &asks());
        assert_eq!(place.pieces(ending), 9, "three owners in three hours: {format}");
        let archived = of(&place.archive);
        assert_eq!((&archived.0, &archived.1), (&whole, &part), "{format}");
    }
}

#[test]
fn every_column_of_every_form_is_what_the_line_said() {
    let Some(archiver) = archiver() else { return };
    // All but the answers, which Parquet has as a list.
    let question = "SELECT asked_at, weight, node, account_id, region, vpc_id, network, \"groups\", \"view\", srcaddr, srcport, \
                    transport, query_name, query_type, query_class, rcode, route, source, upstream, dnssec_ok, \
                    checking_disabled, answer_size, duration_us, ede FROM queries ORDER BY asked_at";
    for (format, _) in FORMS {
        let place = Place::new(&archiver, format, &asks()[..200]);
        let rows = |path: &str| {
            let done = run(&["--sql", question, "--json", "-", path]);
            assert_eq!(done.code, 0, "{}", done.err);
            serde_json::from_str::<Value>(&done.out).unwrap()
        };
        let archived = rows(&place.archive);
        assert_eq!(archived.as_array().unwrap().len(), 200);
        assert_eq!((&archived[5]["weight"], &archived[6]["weight"]), (&40.into(), &1.into()), "{archived}");
        assert_eq!(archived, rows(&place.log), "{format}");
    }
}
