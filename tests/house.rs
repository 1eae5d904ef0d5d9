//! The house rules, as tests: what a reader may rely on wherever he opens the code.
//!
//! Every rule says in its failure where it is broken and why it is there. A rule that stands in the way is changed
//! here, with its reason, and not stepped around.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

#[path = "house/source.rs"]
mod source;

use std::fmt::Write;
use std::path::Path;

use source::{File, all_sources, balanced, line_of, sources, texts};

/// The rooms of `src/`, each with its rank.
const RANKS: [(&str, u8); 19] = [
    ("wire", 0),
    ("query", 1),
    ("route", 1),
    ("config", 1),
    ("exchange", 2),
    ("health", 3),
    ("policy", 4),
    ("cache", 4),
    ("zone", 4),
    ("upstream", 4),
    ("recurse", 4),
    ("observe", 4),
    ("detect", 4),
    ("pipeline", 5),
    ("listen", 6),
    ("control", 6),
    ("server", 7),
    ("cli", 8),
    ("main", 9),
];

/// Where clocks may be read: the edges, which hand `now` to the rest, and whoever waits for a server with a deadline.
const CLOCK_READERS: [&str; 10] = [
    "listen/",
    "control/",
    "exchange/",
    "observe/log/reader.rs",
    "observe/dnstap/sender.rs",
    "server",
    "cli/",
    "health/probe.rs",
    "upstream/",
    "recurse/",
];

/// The only file with `unsafe`: the system calls that move many datagrams at once.
const UNSAFE: &str = "src/listen/batch.rs";

/// The only file of the tests that pauses: it waits for conditions, with deadlines.
const WAITS: &str = "tests/lab/wait.rs";

const MOST_LINES: usize = 400;

#[test]
fn imports_go_down_in_rank() {
    let why = "rooms know only rooms of lower rank, so each can be read, tested and rewritten without those above or beside it";
    check(why, &sources("src"), |file| {
        let Some(own) = file.room() else { return vec![] };
        let upward = |(_, room): &(usize, String)| *room != own && rank(room) >= rank(&own);
        let imports =
            file.imports().into_iter().filter(|(_, room)| RANKS.iter().any(|(name, _)| name == room));
        let describe = |(line, room): (usize, String)| {
            (line, format!("`{own}` (rank {}) imports `{room}` (rank {})", rank(&own), rank(&room)))
        };
        imports.filter(upward).map(describe).collect()
    });
}

#[test]
fn every_room_has_a_rank() {
    let why = "a room without a rank may import anything; give it one in tests/house.rs and in src/lib.rs";
    check(why, &sources("src"), |file| match file.room() {
        Some(room) if RANKS.iter().all(|(name, _)| *name != room) => {
            vec![(1, format!("`{room}` has no rank"))]
        }
        _ => vec![],
    });
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let why = "a file is read in one sitting; what is longer holds two things and wants two names";
    check(why, &all_sources(), |file| {
        let lines = file.text.lines().count();
        if lines > MOST_LINES { vec![(lines, format!("{lines} lines"))] } else { vec![] }
    });
}

#[test]
fn every_file_says_what_it_is() {
    let why = "a newcomer reads the first lines only: `//!` says what the file does and what it may touch";
    check(why, &all_sources(), |file| {
        let header = file.text.lines().next().unwrap_or_default();
        let says = header.strip_prefix("//!").is_some_and(|words| words.split_whitespace().count() >= 3);
        if says { vec![] } else { vec![(1, format!("begins with `{header}`"))] }
    });
}

#[test]
fn unsafe_is_in_one_file() {
    let why = format!("memory safety is argued in one place only, {UNSAFE}");
    check(&why, &all_sources(), |file| {
        if file.path == UNSAFE { vec![] } else { file.lines_with(&["unsafe ", "unsafe{", "unsafe_code)"]) }
    });
}

#[test]
fn clocks_are_read_at_the_edges() {
    let why = "`now` is passed in, so every timer is tested without waiting; the edges that may read it are in CLOCK_READERS";
    check(why, &sources("src"), |file| {
        let inside = file.path.trim_start_matches("src/");
        if file.is_test() || CLOCK_READERS.iter().any(|edge| inside.starts_with(edge)) {
            return vec![];
        }
        file.without_tests().lines_with(&["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"])
    });
}

#[test]
fn tests_never_pause() {
    let why = format!(
        "a test that sleeps is slow when all is well and wrong when it is not: wait for a condition ({WAITS}), or pass `now`"
    );
    check(&why, &all_sources(), |file| {
        let virtual_time = file.code.contains("start_paused") || file.code.contains("time::pause");
        if file.path == WAITS || virtual_time {
            return vec![];
        }
        let sleeping = file.lines_with(&["sleep("]);
        let first = file.first_test_line();
        sleeping.into_iter().filter(|(line, _)| *line >= first).collect()
    });
}

#[test]
fn parameters_are_no_bools() {
    let why = "a call must read aloud: `resolve(query, Recursion::Desired)`, not `resolve(query, true)`; an enum of two says it";
    check(why, &sources("src"), |file| {
        let code = &file.without_tests().code;
        let signatures = code.match_indices("fn ").filter_map(|(start, _)| {
            let open = start + code[start..].find('(')?;
            let inside = balanced(&code[open..])?;
            inside.contains(": bool").then(|| line_of(code, start))
        });
        signatures.map(|line| (line, "a bool parameter".to_owned())).collect()
    });
}

#[test]
fn names_are_of_the_field() {
    let why =
        "names say what a thing is in the words of RFC 9499; Manager, Handler, Helper and Utils say nothing";
    check(why, &all_sources(), |file| {
        let mut found = Vec::new();
        for (number, line) in (1..).zip(file.code.lines()) {
            let mut words =
                line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            while let Some(word) = words.next() {
                if ["struct", "enum", "trait", "type", "mod"].contains(&word) {
                    let name = words.next().unwrap_or_default();
                    let lower = name.to_lowercase();
                    if ["manager", "handler", "helper", "util"].iter().any(|empty| lower.contains(empty)) {
                        found.push((number, format!("`{name}`")));
                    }
                }
            }
        }
        found
    });
}

#[test]
fn text_is_finished_and_of_no_ones_machine() {
    let why =
        "an open end is an issue, not a comment; and a path of somebody's machine means nothing on another";
    // Written in two parts, or this file would break its own rule.
    let words =
        [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["/wo", "rk/"], ["/ro", "ot/"]].map(|p| p.concat());
    let mut files = texts();
    files.extend(all_sources());
    check(why, &files, |file| {
        let hits = |line: &str| words.iter().find(|word| line.contains(word.as_str())).cloned();
        (1..)
            .zip(file.text.lines())
            .filter_map(|(number, line)| hits(line).map(|word| (number, format!("`{word}`"))))
            .collect()
    });
}

#[test]
fn every_dependency_says_why() {
    let why = "a dependency earns its line in Cargo.toml with a comment of what it is for";
    let manifest = File::read(Path::new("Cargo.toml"));
    check(why, &[manifest], |file| {
        let mut inside = false;
        let mut bare = Vec::new();
        for (number, line) in (1..).zip(file.text.lines()) {
            if line.starts_with('[') {
                inside = line.contains("dependencies]");
            } else if inside && line.contains(" = ") && !line.contains(" # ") {
                bare.push((number, line.to_owned()));
            }
        }
        bare
    });
}

/// A rule that finds nothing anywhere may be blind; these files break the rules that are hardest to check.
#[test]
fn the_rules_see_what_breaks_them() {
    let upward = File::of(
        "src/wire/name.rs",
        "use crate::{zone::{Tree, Node}, wire};\nuse kakehashi::cli;".to_owned(),
    );
    assert_eq!(upward.imports(), [(1, "zone".to_owned()), (1, "wire".to_owned()), (2, "cli".to_owned())]);
    assert!(rank("zone") > rank("wire") && upward.room().as_deref() == Some("wire"));

    let blanked =
        "let a = \"unsafe \\\" unsafe \"; // unsafe {\nlet b: &'static str = r#\"unsafe \"#; let c = '\"';";
    assert_eq!(File::of("src/x.rs", blanked.to_owned()).lines_with(&["unsafe"]), []);
    let bare = File::of("src/x.rs", "// no\nlet d = '{'; unsafe { e() }".to_owned());
    assert_eq!(bare.lines_with(&["unsafe"]), [(2, "unsafe".to_owned())]);

    let tested = File::of(
        "src/x.rs",
        "fn a() {}\n\n#[cfg(test)]\nmod tests { fn b() { Instant::now(); } }".to_owned(),
    );
    assert_eq!(tested.first_test_line(), 3);
    assert_eq!(tested.without_tests().lines_with(&["Instant::now"]), []);
}

/// Fails with every place that breaks the rule, and the reason for the rule.
fn check(why: &str, files: &[File], broken: impl Fn(&File) -> Vec<(usize, String)>) {
    assert!(!files.is_empty(), "no files were found to check");
    let mut report = String::new();
    for file in files {
        for (line, what) in broken(file) {
            writeln!(report, "    {}:{line}: {what}", file.path).unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}\n    The rule: {why}.\n");
}

fn rank(room: &str) -> u8 {
    RANKS.iter().find(|(name, _)| *name == room).map_or(u8::MAX, |(_, rank)| *rank)
}
