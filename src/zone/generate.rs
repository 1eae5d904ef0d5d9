//! `$GENERATE 1-50[/2] OWNER [TTL] [IN] TYPE RDATA`: one entry for each number (as BIND and NSD have it).
//!
//! `$` is the number, `${OFFSET,WIDTH,BASE}` the number plus an offset, padded with zeros, in base d, o, x, X, or n
//! and N for its nibbles in reverse with dots between; `$$` and `\$` are a dollar sign.

use super::token::{Flaw, Kind, Token};

/// How many entries one directive may make: a /16.
const MOST: u64 = 65_536;
const EXAMPLE: &str = "as in: $GENERATE 1-50 host-$ A 10.0.0.$";

/// A range of numbers and an entry with places for them.
pub(super) struct Template {
    first: u32,
    last: u32,
    step: u32,
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    Number { offset: i64, width: usize, base: Base },
}

#[derive(Clone, Copy)]
enum Base {
    Decimal,
    Octal,
    Lower,
    Upper,
    Nibbles,
    UpperNibbles,
}

impl Template {
    pub(super) fn read(text: &str, tokens: &[Token]) -> Result<Template, Flaw> {
        let [directive, range, entry @ ..] = tokens else {
            return Err(Flaw::new(tokens[0].range(), "$GENERATE has a range and an entry").hint(EXAMPLE));
        };
        if entry.len() < 3 {
            return Err(Flaw::new(directive.range(), "$GENERATE has a range and an entry").hint(EXAMPLE));
        }
        let word = range.text(text);
        let Some((first, last, step)) = read_range(word) else {
            let message = format!("`{word}` is no range FIRST-LAST or FIRST-LAST/STEP");
            return Err(Flaw::new(range.range(), message).hint(EXAMPLE));
        };
        if u64::from(last - first) / u64::from(step) >= MOST {
            return Err(Flaw::new(range.range(), format!("$GENERATE makes at most {MOST} entries")));
        }
        let mut parts = Vec::new();
        for (at, token) in entry.iter().enumerate() {
            let separator = if at == 0 { "" } else { " " };
            let quote = if token.kind == Kind::Quoted { "\"" } else { "" };
            push_text(&mut parts, separator);
            push_text(&mut parts, quote);
            read_parts(token.text(text), &mut parts).map_err(|wrong| {
                Flaw::new(token.range(), wrong)
                    .hint("the forms are $, ${OFFSET}, ${OFFSET,WIDTH} and ${OFFSET,WIDTH,BASE}")
            })?;
            push_text(&mut parts, quote);
        }
        Ok(Template { first, last, step, parts })
    }

    /// The numbers that the directive counts through.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        (self.first..=self.last).step_by(self.step as usize)
    }

    /// Writes the entry for a number into `line` (cleared first).
    pub(super) fn expand(&self, number: u32, line: &mut String) {
        line.clear();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Number { offset, width, base } => {
                    line.push_str(&digits(i64::from(number) + offset, *width, *base));
                }
            }
        }
    }
}

fn read_range(word: &str) -> Option<(u32, u32, u32)> {
    let (range, step) = word.split_once('/').unwrap_or((word, "1"));
    let (first, last) = range.split_once('-')?;
    let (first, last, step) = (first.parse().ok()?, last.parse().ok()?, step.parse().ok()?);
    (first <= last && step > 0).then_some((first, last, step))
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

fn read_parts(word: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let mut rest = word;
    while let Some(at) = rest.find(['$', '\\']) {
        push_text(parts, &rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("$$").or_else(|| rest.strip_prefix("\\$")) {
            push_text(parts, "\\$");
            rest = behind;
        } else if rest.starts_with('\\') {
            // Any other escape stays one, so that what it escapes is not looked at.
            let end = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            push_text(parts, &rest[..end]);
            rest = &rest[end..];
        } else if let Some(braced) = rest.strip_prefix("${") {
            let (inside, behind) = braced.split_once('}').ok_or("`${` is not closed with `}`")?;
            parts.push(read_number(inside).ok_or_else(|| format!("`${{{inside}}}` is not understood"))?);
            rest = behind;
        } else {
            parts.push(Part::Number { offset: 0, width: 0, base: Base::Decimal });
            rest = &rest[1..];
        }
    }
    push_text(parts, rest);
    Ok(())
}

fn read_number(inside: &str) -> Option<Part> {
    let mut fields = inside.split(',');
    let offset = fields.next()?.parse::<i32>().ok()?;
    let width = fields.next().map_or(Some(0), |width| width.parse().ok().filter(|width| *width <= 63))?;
    let base = match fields.next() {
        None | Some("d") => Base::Decimal,
        Some("o") => Base::Octal,
        Some("x") => Base::Lower,
        Some("X") => Base::Upper,
        Some("n") => Base::Nibbles,
        Some("N") => Base::UpperNibbles,
        Some(_) => return None,
    };
    fields.next().is_none().then_some(Part::Number { offset: i64::from(offset), width, base })
}

fn digits(number: i64, width: usize, base: Base) -> String {
    match base {
        Base::Decimal => format!("{number:0width$}"),
        Base::Octal => format!("{number:0width$o}"),
        Base::Lower => format!("{number:0width$x}"),
        Base::Upper => format!("{number:0width$X}"),
        Base::Nibbles | Base::UpperNibbles => {
            // The width counts the dots too.
            let plain = format!("{number:0width$x}", width = width.div_ceil(2));
            let dotted: Vec<String> = plain.chars().rev().map(String::from).collect();
            let dotted = dotted.join(".");
            if matches!(base, Base::UpperNibbles) { dotted.to_ascii_uppercase() } else { dotted }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::token::Tokenizer;
    use super::*;

    fn lines(text: &str) -> Result<Vec<String>, Flaw> {
        let mut tokens = Vec::new();
        Tokenizer::new(text).next_entry(&mut tokens).unwrap().unwrap();
        let template = Template::read(text, &tokens)?;
        let mut line = String::new();
        Ok(template
            .numbers()
            .map(|number| {
                template.expand(number, &mut line);
                line.clone()
            })
            .collect())
    }

    #[test]
    fn each_number_of_the_range_makes_an_entry() {
        assert_eq!(
            lines("$GENERATE 8-12/2 h${-8,3,d} 60 IN A 10.0.0.$").unwrap(),
            ["h000 60 IN A 10.0.0.8", "h002 60 IN A 10.0.0.10", "h004 60 IN A 10.0.0.12"]
        );
        assert_eq!(
            lines(r#"$GENERATE 26-26 ${0,3,n} TXT "$$ \$ ${0,0,X} \065""#).unwrap(),
            [r#"a.1 TXT "\$ \$ 1A \065""#]
        );
    }

    #[test]
    fn a_range_that_is_none_or_too_long_is_refused() {
        for text in [
            "$GENERATE 5-1 a A 10.0.0.$",
            "$GENERATE 1-5/0 a A 10.0.0.$",
            "$GENERATE x a A 10.0.0.$",
            "$GENERATE 0-65536 a A 10.0.0.$",
            "$GENERATE 0-4294967295 a A 10.0.0.$",
            "$GENERATE 1-2 a${0,99} A 10.0.0.$",
            "$GENERATE 1-2 a${1 A 10.0.0.$",
            "$GENERATE 1-2 a A",
            "$GENERATE",
        ] {
            assert!(lines(text).is_err(), "{text}");
        }
    }
}
