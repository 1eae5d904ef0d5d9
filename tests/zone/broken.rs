//! `broken/NAME.zone` cannot be loaded and gives exactly the diagnostics of `broken/NAME.expected`;
//! `odd/NAME.zone` can, with exactly those warnings. `BLESS=1` writes what is given as what is expected.

use std::path::{Path, PathBuf};

use kakehashi::config::diagnostic::render;
use kakehashi::zone::load;

use crate::name;

fn zone_files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new("tests/zone").join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "zone"));
    files.sort();
    files
}

fn compare(path: &Path, given: &str, differing: &mut Vec<String>) {
    let expected = path.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&expected, given).unwrap();
    }
    if std::fs::read_to_string(&expected).ok().as_deref() != Some(given) {
        differing.push(format!("{} is not what this gives:\n{given}", expected.display()));
    }
}

#[test]
fn every_broken_zone_gives_exactly_its_diagnostics() {
    let files = zone_files("broken");
    assert!(files.len() >= 50, "{} broken zones", files.len());
    let mut differing = Vec::new();
    for path in files {
        match load(&name("technova.internal"), &path) {
            Ok(loaded) => differing.push(format!("{} can be loaded: {:?}", path.display(), loaded.zone)),
            Err(errors) => compare(&path, &render(&errors), &mut differing),
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_odd_zone_is_loaded_with_exactly_its_warnings() {
    let mut differing = Vec::new();
    for path in zone_files("odd") {
        match load(&name("technova.internal"), &path) {
            Ok(loaded) => compare(&path, &render(&loaded.warnings), &mut differing),
            Err(errors) => differing.push(render(&errors)),
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_file_that_is_none_is_said_to_be_so() {
    let errors = load(&name("technova.internal"), Path::new("tests/zone/none.zone")).unwrap_err();
    assert!(render(&errors).starts_with("error: `tests/zone/none.zone` cannot be read: No such file"));
    let errors = load(&name("technova.internal"), Path::new("tests/zone")).unwrap_err();
    assert_eq!(render(&errors), "error: `tests/zone` is no regular file\n");
}

#[test]
fn octets_that_are_no_text_are_a_fault_outside_of_comments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.zone");
    let head = b"$TTL 1\n@ SOA ns hm 1 2 3 4 5 ; \x93\x8c\x8b\x9e\n@ NS ns\nns A 10.0.0.1\n";
    std::fs::write(&path, head).unwrap();
    assert_eq!(load(&name("technova.internal"), &path).unwrap().zone.record_count(), 3);
    std::fs::write(&path, [&head[..], b"@ TXT \"caf\xe9\"\n"].concat()).unwrap();
    let errors = render(&load(&name("technova.internal"), &path).unwrap_err());
    assert!(errors.starts_with("error: here stand octets that are no UTF-8 text\n"), "{errors}");
    assert!(errors.contains("old.zone:5:7\n"), "{errors}");
}
