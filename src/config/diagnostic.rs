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
    /// A file that an include insists on is missing: exit status 6 at once.
    IncludeFailed,
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

/// Exit status of `-t`, as keepalived 2.4.3 returns it.
///
/// 0: nothing to report. 2: an argument is missing, which ends keepalived's reading at once.
/// 4: only missing files, interfaces or objects. 5: anything else. 6: a security report, or an
/// include that insists on its file. keepalived-syntax.md §10.
#[must_use]
pub fn exit_status(diagnostics: &[Diagnostic]) -> u8 {
    let has = |class| diagnostics.iter().any(|d| d.class == class);
    if has(Class::IncludeFailed) {
        return 6;
    }
    if has(Class::MissingParameter) {
        return 2;
    }
    let highest = diagnostics
        .iter()
        .map(|d| d.class)
        .max()
        .unwrap_or(Class::Silent);
    match highest {
        Class::Silent => 0,
        Class::FileNotFound | Class::BadInterface | Class::Fatal => 4,
        Class::Security | Class::IncludeFailed => 6,
        Class::MultipleFiles
        | Class::UnknownKeyword
        | Class::UnexpectedOpen
        | Class::MissingOpen
        | Class::UnexpectedClose
        | Class::MissingClose
        | Class::UnmatchedQuote
        | Class::MissingParameter
        | Class::InvalidNumber
        | Class::General
        | Class::Warning
        | Class::Deprecated => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(classes: &[Class]) -> u8 {
        let one = |class: &Class| Diagnostic::new(Severity::Warning, Code(1), *class, "x");
        exit_status(&classes.iter().map(one).collect::<Vec<_>>())
    }

    #[test]
    fn the_highest_class_decides_the_exit_status() {
        assert_eq!(status(&[]), 0);
        assert_eq!(status(&[Class::Silent]), 0);
        assert_eq!(status(&[Class::Fatal, Class::BadInterface]), 4);
        assert_eq!(status(&[Class::Fatal, Class::UnknownKeyword]), 5);
        assert_eq!(status(&[Class::Warning]), 5);
        assert_eq!(status(&[Class::General, Class::Security]), 6);
    }

    #[test]
    fn what_ends_the_reading_at_once_decides_alone() {
        assert_eq!(status(&[Class::Security, Class::MissingParameter]), 2);
        assert_eq!(status(&[Class::IncludeFailed, Class::General]), 6);
    }
}
