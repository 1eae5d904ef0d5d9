//! Master files (RFC 1035 §5): directives, and what an entry may leave out — owner, TTL, class.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::build::{Builder, Span};
use super::field::{Fields, is_doubled, shortened};
use super::report::Report;
use super::text::{self, Written};
use super::token::{Flaw, Kind, Start, Token, Tokenizer};
use super::{file, generate, rdata};
use crate::config::{Diagnostic, Source};
use crate::wire::rtype::CLASS_IN;
use crate::wire::{Name, NameRef, RType, RecordRef};

/// How deep files may include files.
const MOST_NESTED: usize = 16;
/// How many files one zone may include.
const MOST_INCLUDED: usize = 1000;
const ENTRY: &str = "an entry is OWNER [TTL] [IN] TYPE RDATA, as in: www 300 IN A 10.0.30.100";

/// Reads a text and what it includes. What the builder got is a zone only if the report has no errors.
pub(super) fn read(apex: &Name, source: &Arc<Source>) -> (Builder, Report) {
    let mut reader = Reader {
        builder: Builder::new(apex),
        report: Report::default(),
        apex: apex.clone(),
        default_ttl: None,
        last_ttl: None,
        open: fs::canonicalize(source.path()).into_iter().collect(),
        included: 0,
        rdata: Vec::new(),
    };
    reader.text(source, apex.clone(), Owner::None);
    (reader.builder, reader.report)
}

struct Reader {
    builder: Builder,
    report: Report,
    apex: Name,
    /// What `$TTL` said last, in whatever file (RFC 2308 §4).
    default_ttl: Option<u32>,
    /// What a record said last (RFC 1035 §5.1).
    last_ttl: Option<u32>,
    /// The files being read at this moment, outermost first.
    open: Vec<PathBuf>,
    included: usize,
    rdata: Vec<u8>,
}

/// What holds within one file.
struct Scope {
    source: Arc<Source>,
    number: u32,
    origin: Name,
    owner: Owner,
}

/// The owner that a following entry may leave out.
#[derive(Clone)]
enum Owner {
    /// There was none yet.
    None,
    /// There was one, but it was wrong, and what follows it would be wrong with it.
    Lost,
    Known(Name),
}

/// One entry: tokens of a text, and where diagnostics say it stands.
struct Entry<'e> {
    text: &'e str,
    tokens: &'e [Token],
    start: Start,
    at: At,
}

/// Where an entry stands.
enum At {
    /// At its tokens.
    Tokens,
    /// At the directive that made it.
    Directive(Range<usize>),
}

impl Reader {
    fn text(&mut self, source: &Arc<Source>, origin: Name, owner: Owner) {
        let number = self.report.add_source(source);
        let mut scope = Scope { source: Arc::clone(source), number, origin, owner };
        let (mut tokenizer, mut tokens) = (Tokenizer::new(source.text()), Vec::new());
        let is_text = !source.text().contains(char::REPLACEMENT_CHARACTER);
        while !self.report.is_full()
            && let Some(start) = tokenizer.next_entry(&mut tokens)
        {
            let done = start.and_then(|start| {
                let text = source.text();
                if !is_text {
                    check_octets(text, &tokens)?;
                }
                let first = tokens[0];
                if start == Start::Owner && first.kind == Kind::Word && first.text(text).starts_with('$') {
                    self.directive(&mut scope, text, &tokens)
                } else {
                    self.record(&mut scope, &Entry { text, tokens: &tokens, start, at: At::Tokens })
                }
            });
            if let Err(flaw) = done {
                self.report.flaw(number, flaw);
            }
        }
    }

    fn directive(&mut self, scope: &mut Scope, text: &str, tokens: &[Token]) -> Result<(), Flaw> {
        let (name, arguments) = (tokens[0], &tokens[1..]);
        match (name.text(text).to_ascii_uppercase().as_str(), arguments) {
            ("$ORIGIN", [origin]) => {
                scope.origin = scope.name(text, *origin)?.0;
                Ok(())
            }
            ("$ORIGIN", _) => Err(Flaw::new(name.range(), "$ORIGIN has one argument")
                .hint("as in: $ORIGIN manufacturing.technova.internal.")),
            ("$TTL", [ttl]) => {
                self.default_ttl = Some(read_ttl(text, *ttl).ok_or_else(|| not_a_ttl(text, *ttl))??);
                Ok(())
            }
            ("$TTL", _) => Err(Flaw::new(name.range(), "$TTL has one argument").hint("as in: $TTL 300")),
            ("$INCLUDE", [file]) => self.include(scope, text, *file, scope.origin.clone()),
            ("$INCLUDE", [file, origin]) => {
                let origin = scope.name(text, *origin)?.0;
                self.include(scope, text, *file, origin)
            }
            ("$INCLUDE", _) => Err(Flaw::new(name.range(), "$INCLUDE has one argument, or two")
                .hint("as in: $INCLUDE services/iot.inc iot.technova.internal.")),
            ("$GENERATE", _) => self.generate(scope, text, tokens),
            (other, _) => Err(Flaw::new(name.range(), format!("there is no directive {}", shortened(other)))
                .hint("there are $ORIGIN, $TTL, $INCLUDE and $GENERATE; an owner that begins with `$` is written `\\$`")),
        }
    }

    fn include(&mut self, scope: &Scope, text: &str, file: Token, origin: Name) -> Result<(), Flaw> {
        let mut octets = Vec::new();
        text::octets(file.text(text), &mut octets)
            .map_err(|wrong| Flaw::new(file.range(), format!("the file name {wrong}")))?;
        let path =
            String::from_utf8(octets).map_err(|_| Flaw::new(file.range(), "the file name is no text"))?;
        let path = scope.source.folder().join(path);
        let identity = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        self.included += 1;
        if self.open.contains(&identity) {
            return Err(Flaw::new(file.range(), format!("`{}` includes itself", path.display())));
        }
        if self.open.len() > MOST_NESTED || self.included > MOST_INCLUDED {
            let message =
                format!("a zone may include {MOST_INCLUDED} files, {MOST_NESTED} deep; this is one too many");
            return Err(Flaw::new(file.range(), message));
        }
        let source = file::read(&path).map_err(|message| {
            Flaw::new(file.range(), message).hint("the path starts from the folder of this file")
        })?;
        self.open.push(identity);
        // RFC 1035 §5.1: the origin of the including file is unchanged behind it, and so is its last owner.
        self.text(&source, origin, scope.owner.clone());
        self.open.pop();
        Ok(())
    }

    fn generate(&mut self, scope: &mut Scope, text: &str, tokens: &[Token]) -> Result<(), Flaw> {
        let directive = tokens[0].range().start..tokens[tokens.len() - 1].range().end;
        let template = generate::Template::read(text, tokens)?;
        let (mut line, mut parts) = (String::new(), Vec::new());
        for number in template.numbers() {
            template.expand(number, &mut line);
            let mut tokenizer = Tokenizer::new(&line);
            let Some(start) = tokenizer.next_entry(&mut parts) else { break };
            let done = start.and_then(|start| {
                let at = At::Directive(directive.clone());
                self.record(scope, &Entry { text: &line, tokens: &parts, start, at })
            });
            done.map_err(|flaw| Flaw {
                range: directive.clone(),
                message: format!("{} (in the record for {number})", flaw.message),
                ..flaw
            })?;
        }
        Ok(())
    }

    fn record(&mut self, scope: &mut Scope, entry: &Entry<'_>) -> Result<(), Flaw> {
        let Entry { text, tokens, .. } = *entry;
        let mut rest = tokens;
        if entry.start == Start::Owner {
            scope.owner = Owner::Lost;
            scope.owner = Owner::Known(self.owner(scope, entry)?);
            rest = &tokens[1..];
        }
        let owner = match &scope.owner {
            Owner::Known(owner) => owner.clone(),
            Owner::Lost => return Ok(()),
            Owner::None => {
                let flaw = Flaw::new(
                    tokens[0].range(),
                    "the first entry begins with white space, so it has no owner",
                );
                return Err(flaw.hint("names begin in the first column; `@` is the origin"));
            }
        };
        let header = header(entry, rest)?;
        let fields_at = &rest[header.length..];
        let mut fields =
            Fields::new(text, fields_at, header.type_at.end, scope.origin.as_ref(), self.apex.as_ref());
        self.rdata.clear();
        rdata::read(header.rtype, &mut fields, &mut self.rdata)?;
        let range = header.type_at.start..fields.all().end.max(header.type_at.end);
        if let Some(doubled) = fields.doubled.take() {
            self.warn_doubled(scope.span(entry, doubled));
        }
        let ttl = self.ttl(scope, &header, entry)?;
        let record = RecordRef {
            owner: owner.as_ref(),
            rtype: header.rtype,
            class: CLASS_IN,
            ttl,
            rdata: &self.rdata,
        };
        self.builder
            .add(&record, scope.span(entry, range.clone()))
            .map_err(|_| Flaw::new(range, "the zone is larger than 2 GiB"))
    }

    fn owner(&mut self, scope: &Scope, entry: &Entry<'_>) -> Result<Name, Flaw> {
        let token = entry.tokens[0];
        let (owner, written) = scope.name(entry.text, token)?;
        if !owner.as_ref().is_under(self.apex.as_ref()) {
            let message = format!("the name {owner} is outside of the zone {}", self.apex);
            return Err(Flaw::new(token.range(), message));
        }
        if written == Written::Relative && is_doubled(owner.wire(), scope.origin.as_ref(), self.apex.as_ref())
        {
            self.warn_doubled(scope.span(entry, token.range()));
        }
        Ok(owner)
    }

    /// A record's own TTL, or `$TTL` (RFC 2308 §4), or the last one stated (RFC 1035 §5.1); the SOA, as the first
    /// record, may take its own MINIMUM.
    fn ttl(&mut self, scope: &Scope, header: &Header, entry: &Entry<'_>) -> Result<u32, Flaw> {
        if let Some(ttl) = header.ttl {
            self.last_ttl = Some(ttl);
            return Ok(ttl);
        }
        if let Some(ttl) = self.default_ttl.or(self.last_ttl) {
            return Ok(ttl);
        }
        let record = RecordRef {
            owner: NameRef::ROOT,
            rtype: header.rtype,
            class: CLASS_IN,
            ttl: text::MAX_TTL,
            rdata: &self.rdata,
        };
        let minimum = record.soa_negative_ttl();
        // Said once: the records that follow lack it for the same reason.
        self.last_ttl = Some(minimum.unwrap_or(0));
        let Some(minimum) = minimum else {
            let flaw =
                Flaw::new(header.type_at.clone(), "the record has no TTL, and no $TTL stands before it");
            return Err(flaw.hint("begin the file with a line such as: $TTL 300"));
        };
        let place = self.report.place(scope.span(entry, header.type_at.clone()));
        let message =
            format!("the SOA has no TTL and no $TTL stands before it, so its minimum {minimum} is used");
        self.report.warning(Diagnostic::warning(&place, message).with_hint(format!("write: $TTL {minimum}")));
        Ok(minimum)
    }

    fn warn_doubled(&mut self, span: Span) {
        let place = self.report.place(span);
        let message = format!("the name without a final dot is completed, so it ends in {} twice", self.apex);
        self.report.warning(Diagnostic::warning(&place, message).with_hint("put a dot behind it"));
    }
}

impl Scope {
    fn name(&self, text: &str, token: Token) -> Result<(Name, Written), Flaw> {
        let word = token.text(text);
        let wrong = |wrong: &str| Flaw::new(token.range(), format!("`{}` {wrong}", shortened(word)));
        if token.kind == Kind::Quoted {
            return Err(wrong("stands in quotes, which are for character strings only"));
        }
        let mut wire = Vec::with_capacity(word.len() + 2 + self.origin.wire().len());
        let written = text::name(word, self.origin.as_ref(), &mut wire).map_err(|message| wrong(&message))?;
        let name = Name::from_wire(&wire).map_err(|fault| wrong(&format!("is no name: {fault}")))?;
        Ok((name, written))
    }

    fn span(&self, entry: &Entry<'_>, range: Range<usize>) -> Span {
        let range = match &entry.at {
            At::Tokens => range,
            At::Directive(directive) => directive.clone(),
        };
        Span { source: self.number, start: range.start as u32, end: range.end as u32 }
    }
}

/// Octets that are no UTF-8 belong in comments only: what they mean elsewhere depends on who wrote them.
fn check_octets(text: &str, tokens: &[Token]) -> Result<(), Flaw> {
    match tokens.iter().find(|token| token.text(text).contains(char::REPLACEMENT_CHARACTER)) {
        None => Ok(()),
        Some(token) => Err(Flaw::new(token.range(), "here stand octets that are no UTF-8 text")
            .hint("save the file as UTF-8, or write each of them as \\DDD, its decimal value")),
    }
}

/// What stands between owner and RDATA.
struct Header {
    ttl: Option<u32>,
    rtype: RType,
    type_at: Range<usize>,
    /// How many tokens it takes.
    length: usize,
}

/// TTL and class may stand in either order, and be left out (RFC 1035 §5.1).
fn header(entry: &Entry<'_>, tokens: &[Token]) -> Result<Header, Flaw> {
    let (mut ttl, mut class) = (None, None);
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text(entry.text);
        if ttl.is_none()
            && let Some(read) = read_ttl(entry.text, *token)
        {
            ttl = Some(read?);
        } else if class.is_none()
            && let Some(read) = read_class(word)
        {
            if read != CLASS_IN {
                let message = format!("the class `{word}` is not served; zones here are of class IN");
                return Err(Flaw::new(token.range(), message));
            }
            class = Some(read);
        } else {
            let rtype = read_type(entry, *token, at)?;
            return Ok(Header { ttl, rtype, type_at: token.range(), length: at + 1 });
        }
    }
    let end = entry.tokens[entry.tokens.len() - 1].range().end;
    Err(Flaw::new(end..end, "the entry ends before its record type").hint(ENTRY))
}

fn read_type(entry: &Entry<'_>, token: Token, at: usize) -> Result<RType, Flaw> {
    let word = token.text(entry.text);
    let wrong = |message: &str| Flaw::new(token.range(), format!("`{}` {message}", shortened(word)));
    match word.parse::<RType>() {
        Ok(rtype) if rtype.is_meta() || rtype.0 == 0 => {
            Err(wrong("is a type for queries and messages; no zone holds it"))
        }
        Ok(rtype) if token.kind == Kind::Word => Ok(rtype),
        _ if entry.start == Start::Blank && at == 0 => Err(wrong("is no record type").hint(
            "an entry that begins with white space has the owner of the entry before; names begin in the first column",
        )),
        _ => Err(wrong("is no record type").hint(ENTRY)),
    }
}

fn read_class(word: &str) -> Option<u16> {
    match word.to_ascii_uppercase().as_str() {
        "IN" => Some(1),
        "CS" => Some(2),
        "CH" => Some(3),
        "HS" => Some(4),
        upper => upper.strip_prefix("CLASS")?.parse().ok(),
    }
}

/// `None` where the word is no time at all.
fn read_ttl(text: &str, token: Token) -> Option<Result<u32, Flaw>> {
    let word = token.text(text);
    let seconds = text::time(word).filter(|_| token.kind == Kind::Word)?;
    Some(if seconds <= text::MAX_TTL {
        Ok(seconds)
    } else {
        Err(Flaw::new(token.range(), format!("the TTL `{word}` is more than {} seconds", text::MAX_TTL)))
    })
}

fn not_a_ttl(text: &str, token: Token) -> Flaw {
    Flaw::new(token.range(), format!("`{}` is no TTL", shortened(token.text(text))))
        .hint("seconds, or numbers with w, d, h, m or s, as in: $TTL 1h30m")
}
