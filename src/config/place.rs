//! Where something was written: a text of the operator's (configuration or zone file) and a range of it.
//!
//! A [`Place`] is an `Arc` and two offsets; line and column are worked out only when somebody looks, because a
//! configuration of 100,000 routes keeps as many places and shows none of them on a good day.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One text that the operator wrote, and the file it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    folder: PathBuf,
    text: String,
    first_line: usize,
    line_starts: Vec<usize>,
}

impl Source {
    /// The whole text of a file. Paths that the text names are relative to the file's folder.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        let path = path.into();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::build(path, folder, text.into(), 1)
    }

    /// A text that is no file: `name` is what diagnostics call it, paths that it names are relative to `folder`.
    pub fn in_memory(name: &str, folder: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Self::build(PathBuf::from(name), folder.into(), text.into(), 1)
    }

    fn build(path: PathBuf, folder: PathBuf, text: String, first_line: usize) -> Arc<Self> {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { path, folder, text, first_line, line_starts })
    }

    /// The file, as diagnostics show it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that relative paths in this text start from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The text itself.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Index of the line that holds a byte offset, counted from zero.
    fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset) - 1
    }

    /// The bytes of a line, without its line ending.
    fn line_range(&self, index: usize) -> Range<usize> {
        let start = self.line_starts[index];
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        start..start + self.text[start..end].trim_end_matches('\r').len()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({}, {} bytes)", self.path.display(), self.text.len())
    }
}

/// A range of a [`Source`].
///
/// All places are equal: where a thing was written is no part of what it means, so two routes that differ only in
/// their lines compare equal, and a reload sees that nothing changed.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

impl Place {
    /// A byte range of a source. A range that leaves the text, or cuts a character, is moved inside it.
    pub fn new(source: &Arc<Source>, range: Range<usize>) -> Self {
        let start = floor_char_boundary(&source.text, range.start);
        let end = floor_char_boundary(&source.text, range.end.max(start));
        Self { source: Arc::clone(source), start, end }
    }

    /// A range of one line, for readers that keep no whole text: `line` counts from one, `columns` are characters
    /// counted from one, `text` is the line.
    pub fn on_line(file: impl Into<PathBuf>, line: usize, columns: Range<usize>, text: &str) -> Self {
        let offset = |column: usize| {
            text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(offset, _)| offset)
        };
        let (start, end) = (offset(columns.start), offset(columns.end));
        let source = Source::build(file.into(), PathBuf::new(), text.to_owned(), line);
        Self::new(&source, start..end)
    }

    /// The text this is a part of.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The file, as diagnostics show it.
    pub fn file(&self) -> &Path {
        &self.source.path
    }

    /// Line number, counted from one.
    pub fn line(&self) -> usize {
        self.source.line_index(self.start) + self.source.first_line
    }

    /// Column of the first character, counted in characters from one.
    pub fn column(&self) -> usize {
        self.before().chars().count() + 1
    }

    /// The whole line that the place begins on.
    pub fn line_text(&self) -> &str {
        &self.source.text[self.line_range()]
    }

    /// The part of the line before the place.
    pub fn before(&self) -> &str {
        let line = self.line_range();
        &self.source.text[line.start..self.start.min(line.end)]
    }

    /// What stands at the place, as far as its first line goes.
    pub fn text(&self) -> &str {
        let line = self.line_range();
        &self.source.text[self.start.min(line.end)..self.end.min(line.end)]
    }

    /// Byte offset of the first character: the order of places in one source.
    pub fn offset(&self) -> usize {
        self.start
    }

    fn line_range(&self) -> Range<usize> {
        self.source.line_range(self.source.line_index(self.start))
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `conf/networks.toml:12:8`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file().display(), self.line(), self.column())
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_line_column_and_text() {
        let source = Source::new("conf/x.toml", "one = 1\r\ntwo = \"zwei\"\n");
        let place = Place::new(&source, 15..21);
        assert_eq!(place.to_string(), "conf/x.toml:2:7");
        assert_eq!(
            (place.line_text(), place.before(), place.text()),
            ("two = \"zwei\"", "two = ", "\"zwei\"")
        );
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source::new("x", "名前 = 1");
        assert_eq!(Place::new(&source, "名前 = ".len().."名前 = 1".len()).column(), 6);
    }

    #[test]
    fn a_place_past_the_end_is_the_end() {
        let source = Source::new("x", "a\n");
        let place = Place::new(&source, 90..99);
        assert_eq!((place.to_string().as_str(), place.line_text(), place.text()), ("x:2:1", "", ""));
        assert_eq!(Place::new(&Source::new("x", ""), 0..0).line_text(), "");
    }

    #[test]
    fn a_place_that_crosses_lines_shows_its_first() {
        let source = Source::new("x", "cidr = [\n 1,\n]");
        assert_eq!(Place::new(&source, 7..14).text(), "[");
    }

    #[test]
    fn a_line_alone_is_a_place() {
        let place = Place::on_line("zones/a.zone", 41, 5..7, "www IN A 10.0.0.1");
        assert_eq!(place.to_string(), "zones/a.zone:41:5");
        assert_eq!(place.text(), "IN");
    }
}
