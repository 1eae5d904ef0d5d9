//! Master-file text → entries of tokens, each with its range in the text (RFC 1035 §5.1).
//!
//! A token is a range, not a string: a file of 100,000 records makes no string of any of them.

use std::ops::Range;

/// What is wrong with a range of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) range: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Flaw {
    pub(super) fn new(range: Range<usize>, message: impl Into<String>) -> Flaw {
        Flaw { range, message: message.into(), hint: None }
    }

    /// Says what would be right.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Flaw {
        self.hint = Some(hint.into());
        self
    }
}

/// One word or quoted string of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    start: u32,
    end: u32,
}

/// How a token is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without quotes, though a part after `=` may have them: `alpn="h2,h3"`.
    Word,
    /// Inside quotes, which are no part of the token.
    Quoted,
}

impl Token {
    fn new(kind: Kind, range: Range<usize>) -> Token {
        Token { kind, start: range.start as u32, end: range.end as u32 }
    }

    /// What stands there, still with its escapes.
    pub(super) fn text(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Where it stands, its quotes included.
    pub(super) fn range(self) -> Range<usize> {
        let quote = usize::from(self.kind == Kind::Quoted);
        self.start as usize - quote..self.end as usize + quote
    }
}

/// How an entry begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// With its owner name, or a directive.
    Owner,
    /// With white space: the owner is that of the entry before.
    Blank,
}

/// Walks a text entry by entry.
pub(super) struct Tokenizer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokenizer<'t> {
    /// Starts at the top; a byte order mark is no part of the text.
    pub(super) fn new(text: &'t str) -> Tokenizer<'t> {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Tokenizer { text, at }
    }

    /// Reads the next entry that has tokens into `tokens` (cleared first); `None` at the end of the text.
    /// After a flaw the walk goes on with the entry behind the faulty one.
    pub(super) fn next_entry(&mut self, tokens: &mut Vec<Token>) -> Option<Result<Start, Flaw>> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() {
            tokens.clear();
            let start = if matches!(bytes[self.at], b' ' | b'\t') { Start::Blank } else { Start::Owner };
            match self.entry(tokens) {
                Err(flaw) => return Some(Err(flaw)),
                Ok(()) if !tokens.is_empty() => return Some(Ok(start)),
                Ok(()) => {}
            }
        }
        None
    }

    /// Reads to the end of the line, or beyond it as far as parentheses reach.
    fn entry(&mut self, tokens: &mut Vec<Token>) -> Result<(), Flaw> {
        let bytes = self.text.as_bytes();
        let mut open = Vec::new();
        // A flaw inside parentheses must not make entries of the lines that they still hold together.
        let mut flaw = None;
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.at += 1;
                    if open.is_empty() {
                        break;
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.at = self.line_end(),
                b'(' => {
                    open.push(self.at);
                    self.at += 1;
                }
                b')' => {
                    if open.pop().is_none() {
                        let message = "`)` closes nothing: no `(` is open here";
                        flaw.get_or_insert_with(|| Flaw::new(self.at..self.at + 1, message));
                    }
                    self.at += 1;
                }
                b'"' => match self.quoted() {
                    Ok(token) => tokens.push(token),
                    Err(fault) => drop(flaw.get_or_insert(fault)),
                },
                _ => match self.word() {
                    Ok(token) => tokens.push(token),
                    Err(fault) => drop(flaw.get_or_insert(fault)),
                },
            }
        }
        if let Some(at) = open.pop() {
            let unclosed =
                Flaw::new(at..at + 1, "this `(` is never closed, so it swallows the rest of the file");
            return Err(unclosed.hint("put a `)` behind the record's last field"));
        }
        flaw.map_or(Ok(()), Err)
    }

    fn quoted(&mut self) -> Result<Token, Flaw> {
        let open = self.at;
        self.at = self.closing_quote(open)?;
        Ok(Token::new(Kind::Quoted, open + 1..self.at - 1))
    }

    fn word(&mut self) -> Result<Token, Flaw> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b'\\' => self.at = self.behind_escape(self.at),
                b'"' if bytes[self.at - 1] == b'=' => self.at = self.closing_quote(self.at)?,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        Ok(Token::new(Kind::Word, start..self.at))
    }

    /// The position behind the quote that closes the one at `open`.
    fn closing_quote(&mut self, open: usize) -> Result<usize, Flaw> {
        let bytes = self.text.as_bytes();
        let mut at = open + 1;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => return Ok(at + 1),
                b'\n' => break,
                b'\\' => at = self.behind_escape(at),
                _ => at += 1,
            }
        }
        self.at = at;
        let unclosed = Flaw::new(open..at, "the quoted string is not closed on its line");
        Err(unclosed
            .hint("a longer text is several strings, each in its own quotes; a quote inside is written \\\""))
    }

    /// An escape takes its next character along, but never the end of the line.
    fn behind_escape(&self, at: usize) -> usize {
        let next = self.text[at + 1..].chars().next();
        at + 1 + next.filter(|next| *next != '\n').map_or(0, char::len_utf8)
    }

    fn line_end(&self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        rest.iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |length| self.at + length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entries(text: &str) -> Vec<Result<(Start, Vec<&str>), Flaw>> {
        let (mut tokenizer, mut tokens, mut all) = (Tokenizer::new(text), Vec::new(), Vec::new());
        while let Some(start) = tokenizer.next_entry(&mut tokens) {
            all.push(start.map(|start| (start, tokens.iter().map(|token| token.text(text)).collect())));
        }
        all
    }

    #[test]
    fn parentheses_join_lines_and_comments_are_left_out() {
        let text =
            "\u{feff}@ SOA a b ( 1 ; serial ( not a parenthesis\n 2\r\n )\n\n ; nothing\n\tNS ns ; last";
        let found: Vec<_> = entries(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(
            found,
            [(Start::Owner, vec!["@", "SOA", "a", "b", "1", "2"]), (Start::Blank, vec!["NS", "ns"])]
        );
    }

    #[test]
    fn quotes_and_escapes_protect_what_would_end_a_token() {
        let text = r#"a\;b\ c "x;y \"z\" (" "" "p""q" alpn="h 2" end\"#;
        let found = entries(text).remove(0).unwrap().1;
        assert_eq!(found, [r"a\;b\ c", r#"x;y \"z\" ("#, "", "p", "q", "alpn=\"h 2\"", r"end\"]);
    }

    #[test]
    fn a_flaw_costs_its_own_entry_only() {
        let text = "a TXT ( \"open\n b )\nc TXT d )\ne TXT \"é\nf A (\n";
        let found = entries(text);
        let messages: Vec<_> = found.iter().map(|entry| entry.as_ref().unwrap_err().range.clone()).collect();
        assert_eq!(messages, [8..13, 27..28, 35..38, 43..44]);
    }
}
