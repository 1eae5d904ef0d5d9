//! What was found wrong while a zone was read: all of it, up to a bound.

use std::sync::Arc;

use super::build::Span;
use super::token::Flaw;
use crate::config::{Diagnostic, Place, Source};

/// How many errors, and how many warnings, one zone may show: a file that is no zone file has one on every line.
const MOST: usize = 100;

/// The faults of one zone, and the texts that they are in.
#[derive(Default)]
pub(super) struct Report {
    sources: Vec<Arc<Source>>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    more_warnings: usize,
}

impl Report {
    /// Takes a text; the number that spans name it by.
    pub(super) fn add_source(&mut self, source: &Arc<Source>) -> u32 {
        self.sources.push(Arc::clone(source));
        self.sources.len() as u32 - 1
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place::new(&self.sources[span.source as usize], span.start as usize..span.end as usize)
    }

    pub(super) fn error(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.errors.push(diagnostic);
        }
    }

    pub(super) fn flaw(&mut self, source: u32, flaw: Flaw) {
        let span = Span { source, start: flaw.range.start as u32, end: flaw.range.end as u32 };
        let diagnostic = Diagnostic::error(&self.place(span), flaw.message);
        self.error(match flaw.hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
    }

    pub(super) fn warning(&mut self, diagnostic: Diagnostic) {
        if self.warnings.len() < MOST {
            self.warnings.push(diagnostic);
        } else {
            self.more_warnings += 1;
        }
    }

    /// Whether another error would not be shown: then reading on is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= MOST
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The warnings of a zone that can be used, or the errors of one that cannot.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        if self.is_full() {
            let message = format!("{MOST} errors are shown; what follows them was not looked at");
            self.errors.push(Diagnostic::error_without_place(message));
        }
        if self.more_warnings > 0
            && let Some(last) = self.warnings.last().and_then(|warning| warning.place.clone())
        {
            let message = format!("{MOST} warnings are shown; there are {} more", self.more_warnings);
            self.warnings.push(Diagnostic::warning(&last, message));
        }
        if self.errors.is_empty() { Ok(self.warnings) } else { Err(self.errors) }
    }
}
