//! Reads the main file and what it includes, and merges their tables.
//!
//! An included file counts as if it stood where `include` stands: before the tables of the file that includes it.

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::diagnostic::Diagnostic;
use super::place::{Place, Placed, Source};
use super::spec::{
    ApplySpec, CacheSpec, ClientsSpec, ControlSpec, DetectSpec, DnstapSpec, FileSpec, ListenSpec, LogSpec,
    NetworkSpec, NodeSpec, QueryLogSpec, RuleSpec, UpstreamSpec, ZoneSpec,
};
use super::table::{Reader, Single, Table as _, Tables, Texts, Written};

/// Largest file that is read: an inventory of 100,000 routes is a tenth of it.
const FILE_MAX: u64 = 256 << 20;
/// Deepest chain of includes.
const DEPTH_MAX: usize = 16;

/// The tables of all files together.
#[derive(Debug, Default)]
pub(super) struct Spec {
    pub(super) special_use_names: Option<Placed<bool>>,
    pub(super) node: Option<Placed<Single<NodeSpec>>>,
    pub(super) listen: Option<Placed<Single<ListenSpec>>>,
    pub(super) cache: Option<Placed<Single<CacheSpec>>>,
    pub(super) clients: Option<Placed<Single<ClientsSpec>>>,
    pub(super) query_log: Option<Placed<Single<QueryLogSpec>>>,
    pub(super) control: Option<Placed<Single<ControlSpec>>>,
    pub(super) apply: Option<Placed<Single<ApplySpec>>>,
    pub(super) detect: Option<Placed<Single<DetectSpec>>>,
    pub(super) dnstap: Vec<Written<DnstapSpec>>,
    pub(super) log: Option<Placed<Single<LogSpec>>>,
    pub(super) networks: Vec<Written<NetworkSpec>>,
    pub(super) upstreams: Vec<Written<UpstreamSpec>>,
    pub(super) rules: Vec<Written<RuleSpec>>,
    pub(super) zones: Vec<Written<ZoneSpec>>,
}

/// What was read, and what was wrong with it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) spec: Spec,
    pub(super) sources: Vec<Arc<Source>>,
    pub(super) faults: Vec<Diagnostic>,
    /// Files that could not be read as TOML: what they would have said is unknown, so nothing can be called missing.
    pub(super) unreadable: usize,
    /// The files open at this moment, outermost first, to tell a cycle.
    chain: Vec<PathBuf>,
    /// Every file that was opened, and the place that named it.
    opened: Vec<(PathBuf, Option<Place>)>,
}

impl Reading {
    /// Reads the main file and everything it includes.
    pub(super) fn of_file(path: &Path) -> Self {
        let mut reading = Self::default();
        reading.read_file(path, None);
        reading
    }

    /// Reads a text that is no file, and everything it includes.
    pub(super) fn of_text(source: &Arc<Source>) -> Self {
        let mut reading = Self::default();
        reading.read_text(source);
        reading
    }

    fn read_file(&mut self, path: &Path, named_at: Option<&Place>) {
        let identity = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if let Some(place) = named_at
            && let Some(fault) = self.include_fault(&identity, place)
        {
            self.faults.push(fault);
            return;
        }
        self.opened.push((identity.clone(), named_at.cloned()));

        match read_text(path) {
            Ok(text) => {
                self.chain.push(identity);
                self.read_text(&Source::new(path, text));
                self.chain.pop();
            }
            Err(why) => {
                self.unreadable += 1;
                let message = format!("cannot read {}: {why}", path.display());
                self.faults.push(match named_at {
                    Some(place) => Diagnostic::error(place, message)
                        .with_hint("paths are relative to the folder of the file that names them"),
                    None => Diagnostic::error_without_place(message),
                });
            }
        }
    }

    /// Why a file may not be included here, if it may not.
    fn include_fault(&self, identity: &Path, place: &Place) -> Option<Diagnostic> {
        if self.chain.iter().any(|open| open == identity) {
            let message = "this file includes itself, directly or through others";
            return Some(Diagnostic::error(place, message).with_hint("take this include away"));
        }
        if self.chain.len() >= DEPTH_MAX {
            return Some(Diagnostic::error(place, format!("includes are nested more than {DEPTH_MAX} deep")));
        }
        let (_, first) = self.opened.iter().find(|(opened, _)| opened == identity)?;
        let fault = Diagnostic::error(place, "this file is included twice");
        Some(match first {
            Some(first) => fault.with_note(first, "the first time here"),
            None => fault,
        })
    }

    fn read_text(&mut self, source: &Arc<Source>) {
        self.sources.push(Arc::clone(source));
        let (document, errors) = DeTable::parse_recoverable(source.text());
        if !errors.is_empty() {
            self.unreadable += 1;
            self.faults.extend(syntax_faults(source, &errors));
            return;
        }

        let whole = Place::new(source, 0..0);
        let mut reader = Reader { source, faults: &mut self.faults };
        let file = FileSpec::read(document.get_ref(), &whole, &mut reader);
        self.merge(file);
    }

    fn merge(&mut self, file: FileSpec) {
        let FileSpec {
            include,
            special_use_names,
            node,
            listen,
            cache,
            clients,
            query_log,
            control,
            apply,
            detect,
            dnstap,
            log,
            network,
            upstream,
            rule,
            zone,
        } = file;
        for include in include.map(|include: Placed<Texts>| include.value).unwrap_or_default() {
            let path = resolve(include.place.source().folder(), &include.value);
            self.read_file(&path, Some(&include.place));
        }

        let Self { spec, faults, .. } = self;
        only_one("special-use-names", &mut spec.special_use_names, special_use_names, faults);
        only_one("[node]", &mut spec.node, node, faults);
        only_one("[listen]", &mut spec.listen, listen, faults);
        only_one("[cache]", &mut spec.cache, cache, faults);
        only_one("[clients]", &mut spec.clients, clients, faults);
        only_one("[query-log]", &mut spec.query_log, query_log, faults);
        only_one("[control]", &mut spec.control, control, faults);
        only_one("[apply]", &mut spec.apply, apply, faults);
        only_one("[detect]", &mut spec.detect, detect, faults);
        append(&mut spec.dnstap, dnstap);
        only_one("[log]", &mut spec.log, log, faults);
        append(&mut spec.networks, network);
        append(&mut spec.upstreams, upstream);
        append(&mut spec.rules, rule);
        append(&mut spec.zones, zone);
    }
}

fn append<T>(all: &mut Vec<Written<T>>, more: Option<Placed<Tables<T>>>) {
    all.extend(more.into_iter().flat_map(|Placed { value: Tables(tables), .. }| tables));
}

/// What there can be once only must not stand in two files.
fn only_one<T>(
    title: &str,
    known: &mut Option<Placed<T>>,
    found: Option<Placed<T>>,
    faults: &mut Vec<Diagnostic>,
) {
    match (&known, found) {
        (Some(first), Some(second)) => faults.push(
            Diagnostic::error(&second.place, format!("{title} stands in two files"))
                .with_note(&first.place, "the first one is here")
                .with_hint("there can be one only: join them"),
        ),
        (None, found @ Some(_)) => *known = found,
        (_, None) => {}
    }
}

/// The text of a file, or why there is none, in words that need no manual.
fn read_text(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| describe(&error))?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| describe(&error))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err("it is larger than 256 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let readable = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..readable].split(|&byte| byte == b'\n').count();
        format!("line {line} is not UTF-8 text")
    })
}

/// An operating system's error without its number.
pub(super) fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// A path that a text names, relative to the text's folder. `conf/../zones` becomes `zones`, unless `conf` is a
/// symbolic link, where the two are not the same.
pub(super) fn resolve(folder: &Path, named: &str) -> PathBuf {
    let mut path = folder.to_path_buf();
    for component in Path::new(named).components() {
        let can_step_back = matches!(path.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::CurDir => {}
            Component::ParentDir if can_step_back && !path.is_symlink() => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path
}

/// The parser goes on after a fault; what is only the same fault again is not worth an operator's time.
fn syntax_faults(source: &Arc<Source>, errors: &[toml::de::Error]) -> Vec<Diagnostic> {
    let mut errors: Vec<&toml::de::Error> = errors.iter().collect();
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut faults: Vec<Diagnostic> = Vec::new();
    let mut last_line = None;
    for error in errors {
        let place = Place::new(source, error.span().unwrap_or(0..0));
        if last_line == Some(place.line()) {
            continue;
        }
        last_line = Some(place.line());
        // A list that is not closed swallows the lines below it, and each would look wrong.
        let list_runs_on = error.message().contains("missing comma") && place.before().trim().is_empty();
        if list_runs_on && !faults.is_empty() {
            break;
        }
        faults.push(syntax_fault(error.message(), &place));
        if list_runs_on {
            break;
        }
    }
    faults
}

fn syntax_fault(message: &str, place: &Place) -> Diagnostic {
    let line = place.line_text();
    let (message, hint) = if message.contains("duplicate key") {
        (format!("`{}` stands twice in this table", place.text()), "keep one of the two".to_owned())
    } else if message.contains("string values must be quoted") {
        ("a value without quotes".to_owned(), format!("write \"{}\"", place.text()))
    } else if message.contains("missing comma") && place.before().trim().is_empty() {
        ("the list above this line is not closed".to_owned(), "close it with `]`".to_owned())
    } else if message.contains("missing comma") {
        ("a comma is missing between two values".to_owned(), "write a comma before this one".to_owned())
    } else if message.contains("unclosed array table") {
        ("the header is not closed".to_owned(), format!("write {}]", line.trim()))
    } else if message.contains("unclosed table") {
        ("the header is not closed".to_owned(), "close it with `]`".to_owned())
    } else if message.contains("basic string") && line.matches('"').count() % 2 == 1 {
        ("the string is not closed".to_owned(), "a quote is missing on this line".to_owned())
    } else {
        return Diagnostic::error(place, format!("this is not TOML: {message}"));
    };
    Diagnostic::error(place, message).with_hint(hint)
}
