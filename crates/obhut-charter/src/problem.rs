//! What is wrong with a charter, where, and how to mend it: as data, as a marked snippet, and as one line for a log.
//!
//! Texts are for the people who write charters and are English, like the keys they write; what patients and staff read comes from
//! [`crate::explain`]. INVARIANT: a message quotes the file only through `shown`, so a hostile charter cannot steer a terminal.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

mod codes;
pub use codes::{ProblemCode, Severity};

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which; stable across versions.
    pub code: ProblemCode,
    /// What is wrong, one sentence without a final stop.
    pub message: String,
    /// A few words for the marked place.
    pub label: String,
    /// How to mend it.
    pub hint: String,
    /// Byte range in the text.
    pub span: Range<usize>,
    /// A second place that has to do with it.
    pub related: Option<(Range<usize>, String)>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Problem {
    /// A problem at `span`; line and column are filled in when the list is complete.
    pub(crate) fn new(code: ProblemCode, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            label: String::new(),
            hint: String::new(),
            span,
            related: None,
            line: 1,
            column: 1,
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(crate) fn related(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }

    /// Error or warning.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Everything wrong with one charter, in the order of the file. Holds the text, so that it can show the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file_name: Arc<str>,
    text: Arc<str>,
    list: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    pub(crate) fn new(file_name: &str, text: &str, mut list: Vec<Problem>) -> Self {
        let places = Lines::of(text);
        for problem in &mut list {
            problem.span = clamp(text, problem.span.clone());
            problem.related = problem.related.take().map(|(span, label)| (clamp(text, span), label));
            (problem.line, problem.column) = places.at(text, problem.span.start);
        }
        list.sort_by(|a, b| {
            (a.span.start, a.code.as_str(), &a.message).cmp(&(b.span.start, b.code.as_str(), &b.message))
        });
        list.dedup();
        let left_out = list.len().saturating_sub(crate::limits::PROBLEMS_MAX);
        list.truncate(crate::limits::PROBLEMS_MAX);
        Self { file_name: Arc::from(escaped(file_name, usize::MAX)), text: Arc::from(text), list, left_out }
    }

    /// The file's name as given.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many, those beyond [`crate::limits::PROBLEMS_MAX`] included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len() + self.left_out
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.left_out > 0 || self.list.iter().any(|problem| problem.severity() == Severity::Error)
    }

    /// `demo.toml:12:3: error[charter::unknown_key]: … (and 2 more)`, for a log or a status line. Empty if there is no problem.
    #[must_use]
    pub fn one_line(&self) -> String {
        let first = self.list.iter().find(|problem| problem.severity() == Severity::Error).or(self.list.first());
        let Some(first) = first else { return String::new() };
        let more = match self.count() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let severity = first.severity().as_str();
        format!(
            "{}:{}:{}: {severity}[{}]: {}{more}",
            self.file_name, first.line, first.column, first.code, first.message
        )
    }

    /// Every problem with its marked place and how to mend it, and a last line that counts. `colour` adds terminal escapes.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in &self.list {
            let level = match problem.severity() {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let mut primary = AnnotationKind::Primary.span(problem.span.clone());
            if !problem.label.is_empty() {
                primary = primary.label(problem.label.as_str());
            }
            let mut snippet = Snippet::source(&*self.text).path(&*self.file_name).annotation(primary);
            if let Some((span, label)) = &problem.related {
                snippet = snippet.annotation(AnnotationKind::Context.span(span.clone()).label(label.as_str()));
            }
            let mut group = level.primary_title(problem.message.as_str()).id(problem.code.as_str()).element(snippet);
            if !problem.hint.is_empty() {
                group = group.element(Level::HELP.message(problem.hint.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push_str("\n\n");
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    fn summary(&self) -> String {
        let errors = self.list.iter().filter(|problem| problem.severity() == Severity::Error).count();
        let warnings = self.list.len() - errors;
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let more = if self.left_out > 0 { format!(", {} more not shown", self.left_out) } else { String::new() };
        format!("{}: {}, {}{more}", self.file_name, plural(errors, "error"), plural(warnings, "warning"))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one_line())
    }
}

impl std::error::Error for Problems {}

/// What a message may quote from the file: nothing that steers, at most 60 characters.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, 60)
}

fn escaped(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == chars_max {
            out.push('…');
            break;
        }
        if steers(character) { out.extend(character.escape_unicode()) } else { out.push(character) }
    }
    out
}

/// Control characters, and the invisible marks that make a text read otherwise than it is.
pub(crate) fn steers(character: char) -> bool {
    let mark =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    character.is_control() || mark
}

/// A range that lies in `text` on character boundaries.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

/// Byte offsets of line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1))
                .collect(),
        )
    }

    fn at(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = self.0.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line.max(1), text.get(start..offset).map_or(1, |before| before.chars().count() + 1))
    }
}
