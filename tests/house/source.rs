//! Reads the project's files for the house rules: the text, and what of it is code.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
pub struct File {
    /// Its path from the top of the project.
    pub path: String,
    /// The whole of it.
    pub text: String,
    /// The text with comments, strings and characters blanked: what the compiler takes for code.
    pub code: String,
}

impl File {
    /// Reads a file, its path given from the top of the project.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        Self::of(path.to_str().unwrap(), text)
    }

    /// A file that need not exist.
    pub fn of(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), code: blank(&text), text }
    }

    /// The room of `src/` that it belongs to; `lib.rs` belongs to none.
    pub fn room(&self) -> Option<String> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split('/').next()?.trim_end_matches(".rs");
        (room != "lib").then(|| room.to_owned())
    }

    /// Whether the whole file is a test.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The line from which on all is test code.
    pub fn first_test_line(&self) -> usize {
        if self.is_test() {
            return 1;
        }
        self.code.find("#[cfg(test)]").map_or(usize::MAX, |at| line_of(&self.code, at))
    }

    /// The code before the test module, which ends a file in this house.
    pub fn without_tests(&self) -> Self {
        let code = self.code.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
        Self { path: self.path.clone(), text: String::new(), code }
    }

    /// The lines whose code holds one of the words, each with the word.
    pub fn lines_with(&self, words: &[&str]) -> Vec<(usize, String)> {
        let hit = |line: &str| words.iter().find(|word| line.contains(**word)).map(|word| (*word).to_owned());
        (1..)
            .zip(self.code.lines())
            .filter_map(|(number, line)| hit(line).map(|word| (number, word)))
            .collect()
    }

    /// The first step of every path into the crate, `crate::X` and `kakehashi::X`, in groups too.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for root in ["crate::", "kakehashi::"] {
            for (at, _) in self.code.match_indices(root) {
                let line = line_of(&self.code, at);
                let rest = &self.code[at + root.len()..];
                let steps =
                    if rest.starts_with('{') { top_level(balanced(rest).unwrap()) } else { vec![rest] };
                found.extend(steps.into_iter().map(|step| (line, first_word(step))));
            }
        }
        found
    }
}

/// The number of the line that holds this place.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// What is between the bracket that `text` begins with and its partner.
pub fn balanced(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(1..at);
        }
    }
    None
}

/// The parts of a group that are separated by its own commas.
fn top_level(group: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    group
        .split(move |character| {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && character == ','
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}

/// Blanks comments, string and character literals, and keeps the lines.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = literal_length(rest);
        let length = literal.unwrap_or(first.len_utf8());
        let (taken, after) = rest.split_at(length);
        match literal {
            None => code.push_str(taken),
            Some(_) => code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = after;
    }
    code
}

/// How long the comment or literal is that `text` begins with, if it begins with one.
fn literal_length(text: &str) -> Option<usize> {
    let until =
        |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(until("*/", 2));
    }
    if text.starts_with("r\"") {
        return Some(until("\"", 2));
    }
    if text.starts_with("r#\"") {
        return Some(until("\"#", 3));
    }
    if text.starts_with('"') {
        return Some(quoted(text, '"'));
    }
    // A character, not a lifetime: 'x' or an escape.
    let mut characters = text.strip_prefix('\'')?.chars();
    let (first, second) = (characters.next()?, characters.next()?);
    (first == '\\' || second == '\'').then(|| quoted(text, '\''))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            end if end == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// All Rust files below a folder.
pub fn sources(folder: &str) -> Vec<File> {
    files(Path::new(folder), &["rs"])
}

/// All Rust files of the project.
pub fn all_sources() -> Vec<File> {
    ["src", "tests", "bench", "tools"].iter().flat_map(|folder| sources(folder)).collect()
}

/// The project's other texts.
pub fn texts() -> Vec<File> {
    let kinds = ["toml", "json", "py", "zone", "inc", "md", "service", "socket", "sh", "txt", "conf"];
    let mut found: Vec<File> = ["conf", "zones", "systemd", "bench", "tests", "tools"]
        .iter()
        .flat_map(|folder| files(Path::new(folder), &kinds))
        .collect();
    for name in ["README.md", "README.ja.md", "CHANGELOG.md", "Cargo.toml"] {
        found.push(File::read(Path::new(name)));
    }
    found
}

fn files(folder: &Path, kinds: &[&str]) -> Vec<File> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = fs::read_dir(top.join(folder)) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let relative = path.strip_prefix(top).unwrap();
        if path.is_dir() {
            found.extend(files(relative, kinds));
        } else if kinds.iter().any(|kind| path.extension().is_some_and(|extension| extension == *kind)) {
            found.push(File::read(relative));
        }
    }
    found
}
