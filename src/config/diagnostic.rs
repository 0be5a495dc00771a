//! What is wrong in a file, as plain data; `main` renders it.

use std::fmt;

use super::source::Span;

/// How bad it is for the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know; keepalived says nothing.
    Advice,
    /// Something is ignored or corrected; the rest runs.
    Warning,
    /// The configuration cannot run.
    Error,
}

/// keepalived's class of a report; the numerically highest decides the exit status of `-t`.
///
/// keepalived-syntax.md §10. The order is keepalived's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// keepalived does not report it.
    Silent,
    /// A file is missing.
    FileNotFound,
    /// An interface does not exist.
    BadInterface,
    /// Cannot run: exit status 2 at start.
    Fatal,
    /// The main file's pattern matches several.
    MultipleFiles,
    /// Unknown keyword.
    UnknownKeyword,
    /// `{` where none belongs.
    UnexpectedOpen,
    /// `{` missing.
    MissingOpen,
    /// `}` where none belongs.
    UnexpectedClose,
    /// `}` missing.
    MissingClose,
    /// A quote without its other half.
    UnmatchedQuote,
    /// An argument is missing: exit status 2 at once.
    MissingParameter,
    /// Not a number, or out of range.
    InvalidNumber,
    /// Any other error.
    General,
    /// Any other warning.
    Warning,
    /// An outdated keyword.
    Deprecated,
    /// A script or key that others could change.
    Security,
}

/// Stable number of a kind of problem, printed as `K0214`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "K{:04}", self.0)
    }
}

/// A place with what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// What kind.
    pub code: Code,
    /// keepalived's class, for the exit status of `-t`.
    pub class: Class,
    /// One line, lower case, without a full stop.
    pub message: String,
    /// The places: the first is where it is, the others are related.
    pub labels: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem without a place yet.
    #[must_use]
    pub fn new(severity: Severity, code: Code, class: Class, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            class,
            message: message.into(),
            labels: Vec::new(),
            help: None,
        }
    }

    /// Adds a place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}
