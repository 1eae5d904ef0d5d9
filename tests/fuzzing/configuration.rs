//! A configuration text: faults that can be shown, at least one of them an error, or a configuration that can be served.

use kakehashi::config::diagnostic::render;
use kakehashi::config::{Severity, load_text};
use kakehashi::server::build::{Inventory, build};

/// There is no such folder: files of this machine are no part of the input.
const NOWHERE: &str = "/nowhere";

pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if text.contains("include") {
        return;
    }
    match load_text("fuzz.toml", &text, NOWHERE) {
        Ok(loaded) => {
            assert!(loaded.warnings.iter().all(|fault| fault.severity == Severity::Warning));
            render(&loaded.warnings);
            // Zone files would be read, and recursion is not ours to build by the thousand.
            if !text.contains("file")
                && !text.contains("recurse")
                && let Err(faults) = build(&loaded.config, &Inventory::default())
            {
                panic!("{}", render(&faults));
            }
        }
        Err(faults) => {
            assert!(faults.iter().any(|fault| fault.severity == Severity::Error));
            assert!(!render(&faults).is_empty());
        }
    }
}
