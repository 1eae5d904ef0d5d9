//! What is wrong in a text of the operator's, where, and what would be right.
//!
//! Rendered the way rustc shows its errors, because an operator at night should see the line itself:
//!
//! ```text
//! error: 10.0.30.0/16 has host bits set; the network would be 10.0.0.0/16
//!   --> conf/networks.toml:12:9
//!    |
//! 12 | cidr = ["10.0.30.0/16"]
//!    |         ^^^^^^^^^^^^^^
//!    = help: for 10.0.30.x alone write "10.0.30.0/24"
//! ```

use std::fmt::{self, Write as _};

use super::place::Place;

/// Whether the text can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but it probably does not do what was meant.
    Warning,
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is; `None` only where no line is to blame (the main file cannot be read).
    pub place: Option<Place>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Other places that the message speaks of.
    pub notes: Vec<(Place, String)>,
    /// What would be right.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A fault that makes the text unusable.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Some(place.clone()), message.into())
    }

    /// A fault that the server can live with.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Some(place.clone()), message.into())
    }

    /// A fault outside any text.
    pub fn error_without_place(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, None, message.into())
    }

    /// A doubt about the configuration as a whole.
    pub fn warning_without_place(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, None, message.into())
    }

    fn new(severity: Severity, place: Option<Place>, message: String) -> Self {
        Self { severity, place, message, notes: Vec::new(), hint: None }
    }

    /// Says what would be right.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Shows another place that the message speaks of.
    #[must_use]
    pub fn with_note(mut self, place: &Place, message: impl Into<String>) -> Self {
        self.notes.push((place.clone(), message.into()));
        self
    }
}

/// Diagnostics as the operator reads them: an empty line between each two.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, place, message, notes, hint } = self;
        let places = place.iter().chain(notes.iter().map(|(place, _)| place));
        let gutter = places.map(|place| place.line().to_string().len()).max().unwrap_or(1);

        writeln!(f, "{severity}: {}", Printable(message))?;
        if let Some(place) = place {
            write_place(f, place, '^', gutter)?;
        }
        for (place, message) in notes {
            writeln!(f, "note: {}", Printable(message))?;
            write_place(f, place, '-', gutter)?;
        }
        match hint {
            Some(hint) => writeln!(f, "{:gutter$} = help: {}", "", Printable(hint)),
            None => Ok(()),
        }
    }
}

/// The position, and the line with a mark under the faulty part.
fn write_place(f: &mut fmt::Formatter<'_>, place: &Place, mark: char, gutter: usize) -> fmt::Result {
    let excerpt = Excerpt::of(place);
    writeln!(f, "{:gutter$}--> {place}", "")?;
    writeln!(f, "{:gutter$} |", "")?;
    writeln!(f, "{:>gutter$} | {}", place.line(), excerpt.line)?;
    write!(f, "{:gutter$} | {:indent$}", "", "", indent = excerpt.indent)?;
    for _ in 0..excerpt.marks {
        f.write_char(mark)?;
    }
    writeln!(f)
}

/// The part of a line that is worth showing, in terminal columns.
struct Excerpt {
    line: String,
    indent: usize,
    marks: usize,
}

impl Excerpt {
    /// Lines longer than this are shown in part: a thousand CIDRs on one line would hide the faulty one.
    const WIDTH: usize = 120;
    /// How much stands before the mark when a line is shown in part.
    const CONTEXT: usize = 40;

    fn of(place: &Place) -> Self {
        let (before, marked) = (shown(place.before()), shown(place.text()));
        let whole = shown(place.line_text());
        let whole = whole.trim_end();
        let (indent, marks) = (width(&before), width(marked.trim_end()).max(1));
        if width(whole) <= Self::WIDTH {
            return Self { line: whole.to_owned(), indent, marks };
        }

        let skipped = indent.saturating_sub(Self::CONTEXT);
        let mut line = String::from(if skipped > 0 { "…" } else { "" });
        let (mut column, mut cut_at) = (0, None);
        for character in whole.chars() {
            if column >= skipped {
                if column > skipped + Self::WIDTH {
                    line.push('…');
                    break;
                }
                cut_at.get_or_insert(column);
                line.push(character);
            }
            column += char_width(character);
        }
        let indent = indent - cut_at.unwrap_or(0) + usize::from(skipped > 0);
        Self { line, indent, marks: marks.min(Self::WIDTH + 1 - indent.min(Self::WIDTH)) }
    }
}

/// A line as a terminal may show it: tabs become spaces, other control characters cannot act.
fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => line.push_str("    "),
            '\u{feff}' => {}
            c if is_unprintable(c) => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
    line
}

/// A message may quote what the file says; what a terminal would obey is escaped.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if is_unprintable(c) => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// Control characters, and those that turn the direction of the text around.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Columns of a terminal that a character takes: two for the scripts of East Asia, so that the mark stands under
/// the right word in a file with Japanese names.
fn char_width(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f9ff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::place::Source;

    fn place_of(text: &str, part: &str) -> Place {
        let source = Source::new("x.toml", text);
        let start = text.find(part).unwrap_or_default();
        Place::new(&source, start..start + part.len())
    }

    #[test]
    fn an_error_shows_its_line_a_mark_a_note_and_help() {
        let text = "cidr = [\"10.0.0.0/8\"]\n\n\n\n\n\n\n\n\ncidr = [\"10.0.0.0/8\"] # again";
        let source = Source::new("x.toml", text);
        let diagnostic = Diagnostic::error(&Place::new(&source, 38..50), "10.0.0.0/8 is listed twice")
            .with_note(&Place::new(&source, 8..20), "the first time here")
            .with_hint("take one of them away");
        assert_eq!(
            diagnostic.to_string(),
            r#"error: 10.0.0.0/8 is listed twice
  --> x.toml:10:9
   |
10 | cidr = ["10.0.0.0/8"] # again
   |         ^^^^^^^^^^^^
note: the first time here
  --> x.toml:1:9
   |
 1 | cidr = ["10.0.0.0/8"]
   |         ------------
   = help: take one of them away
"#
        );
    }

    #[test]
    fn the_mark_stands_under_the_word_after_wide_characters_and_tabs() {
        let text = "\tname = \"製造\", groups = [\"vcp\"]";
        let rendered = Diagnostic::error(&place_of(text, "\"vcp\""), "no such group").to_string();
        let lines: Vec<&str> = rendered.lines().collect();
        assert_eq!(lines[3], "1 |     name = \"製造\", groups = [\"vcp\"]");
        assert_eq!(lines[4], format!("  | {}^^^^^", " ".repeat(4 + 8 + 4 + 13)));
    }

    #[test]
    fn a_very_long_line_is_shown_around_the_fault() {
        let text =
            format!("cidr = [{}\"bad\", {}]", "\"10.0.0.0/8\", ".repeat(50), "\"11.0.0.0/8\", ".repeat(50));
        let rendered = Diagnostic::error(&place_of(&text, "\"bad\""), "x").to_string();
        let lines: Vec<&str> = rendered.lines().collect();
        let at = lines[4].chars().position(|c| c == '^').unwrap_or_default();
        let marked: String = lines[3].chars().skip(at).take(5).collect();
        assert_eq!(marked, "\"bad\"");
        assert!(lines[3].chars().count() < 140, "{}", lines[3]);
    }

    #[test]
    fn nothing_in_a_file_can_command_the_terminal() {
        let text = "name = \"\u{1b}[2J\"";
        let rendered = Diagnostic::error(&place_of(text, "\u{1b}"), "bad name \u{1b}[2J").to_string();
        assert!(!rendered.contains('\u{1b}'), "{rendered}");
    }
}
