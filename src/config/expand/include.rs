//! `include` and its stricter forms.
//!
//! keepalived-syntax.md §5.

use super::{Expander, Frame};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::lex::{Line, Token, is_blank};
use crate::config::source::{ReadError, Span, brace_alternatives, has_wildcard, join};

/// Most files one configuration may have.
const MOST_FILES: usize = 10_000;

/// What about an include is an error rather than skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct Checks {
    /// A file that is there but cannot be read.
    read: bool,
    /// A name without wildcard that does not exist.
    exact: bool,
    /// A wildcard that matches nothing.
    wildcard: bool,
    /// One alternative of `{a,b}` that matches nothing.
    brace: bool,
}

impl Checks {
    pub(super) const NONE: Self = Self {
        read: false,
        exact: false,
        wildcard: false,
        brace: false,
    };
    pub(super) const ALL: Self = Self {
        read: true,
        exact: true,
        wildcard: true,
        brace: true,
    };

    /// What a word asks for; `plain` is what `include` itself asks for now.
    fn of(word: &str, plain: Self) -> Option<Self> {
        let read = Self {
            read: true,
            ..Self::NONE
        };
        Some(match word {
            "include" => plain,
            "includer" => read,
            "includem" => Self {
                exact: true,
                ..read
            },
            "includew" => Self {
                exact: true,
                wildcard: true,
                ..read
            },
            "includeb" => Self {
                brace: true,
                ..read
            },
            "includea" => Self::ALL,
            _ => return None,
        })
    }

    fn set(&mut self, word: &str, on: bool) -> bool {
        match word {
            "read" => self.read = on,
            "match" => self.exact = on,
            "wildcard_match" => self.wildcard = on,
            "brace_match" => self.brace = on,
            _ => return false,
        }
        true
    }
}

impl Expander<'_> {
    /// Opens the main file; a failure is a diagnostic.
    pub(super) fn open_main(&mut self, path: &str) {
        let path = self.reader.absolute(path);
        let names: Vec<String> = if has_wildcard(&path) || path.contains('{') {
            brace_alternatives(&path)
                .iter()
                .flat_map(|p| self.reader.matches(p))
                .collect()
        } else {
            vec![path.clone()]
        };
        if names.len() > 1 {
            self.diagnostics.push(Diagnostic::new(
                Severity::Warning,
                Code(304),
                Class::MultipleFiles,
                format!("`{path}` matches {} files; all are read", names.len()),
            ));
        }
        if names.is_empty() {
            self.no_main(&path, &ReadError::NotFound);
        }
        // The last file entered is read first.
        for name in names.iter().rev() {
            match self.reader.read(name) {
                Ok(content) => self.enter(name, content),
                Err(error) => self.no_main(name, &error),
            }
        }
    }

    fn no_main(&mut self, path: &str, error: &ReadError) {
        self.diagnostics.push(Diagnostic::new(
            Severity::Error,
            Code(301),
            Class::Silent,
            format!("the configuration `{path}` cannot be read: {error}"),
        ));
    }

    /// Takes in an include line; false if it is none.
    pub(super) fn include(&mut self, line: &Line) -> bool {
        let end = line.text.find(is_blank).unwrap_or(line.text.len());
        let word = line.text.get(..end).unwrap_or_default();
        let Some(checks) = Checks::of(word, self.checks) else {
            return false;
        };
        let rest = line.part(end, line.text.len());
        let pattern = rest.text.trim_matches('"');
        if pattern.is_empty() {
            self.diagnostics.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(201),
                    Class::MissingParameter,
                    format!("`{word}` needs the name of a file"),
                )
                .label(line.whole(), ""),
            );
            return true;
        }
        let at = rest.whole();
        let pattern = join(&self.directory(), pattern);
        let alternatives = brace_alternatives(&pattern);
        let many = alternatives.len() > 1;
        let mut contents = Vec::new();
        for name in &alternatives {
            if has_wildcard(name) {
                let names = self.reader.matches(name);
                if names.is_empty() {
                    let fatal = if many { checks.brace } else { checks.wildcard };
                    self.nothing_matches(name, at, fatal);
                }
                for name in names {
                    self.collect(&name, at, checks, many, &mut contents);
                }
            } else {
                self.collect(name, at, checks, many, &mut contents);
            }
        }
        // The last file entered is read first.
        for (name, content) in contents.into_iter().rev() {
            self.enter(&name, content);
        }
        true
    }

    fn collect(
        &mut self,
        name: &str,
        at: Span,
        checks: Checks,
        many: bool,
        contents: &mut Vec<(String, Vec<u8>)>,
    ) {
        let open = |f: &Frame| matches!(f, Frame::File { path, .. } if path == name);
        if self.frames.iter().any(open) || self.files + contents.len() >= MOST_FILES {
            self.diagnostics.push(
                Diagnostic::new(
                    Severity::Error,
                    Code(303),
                    Class::General,
                    format!("`{name}` includes itself"),
                )
                .label(at, "it is being read already"),
            );
            return;
        }
        match self.reader.read(name) {
            Ok(content) => contents.push((name.to_owned(), content)),
            Err(ReadError::NotFound) => {
                let fatal = if many { checks.brace } else { checks.exact };
                self.nothing_matches(name, at, fatal);
            }
            Err(error) => {
                self.skipped(format!("`{name}` is not read: {error}"), at, checks.read);
            }
        }
    }

    fn nothing_matches(&mut self, name: &str, at: Span, fatal: bool) {
        self.skipped(format!("no file matches `{name}`"), at, fatal);
    }

    fn skipped(&mut self, message: String, at: Span, fatal: bool) {
        let (severity, class) = if fatal {
            (Severity::Error, Class::IncludeFailed)
        } else {
            (Severity::Warning, Class::Silent)
        };
        self.diagnostics
            .push(Diagnostic::new(severity, Code(302), class, message).label(at, ""));
    }

    /// `include_check` of `global_defs`: what later plain includes ask for.
    pub(in crate::config) fn include_check(&mut self, words: &[Token]) {
        if words.is_empty() {
            self.checks = Checks::ALL;
        }
        for (index, token) in words.iter().enumerate() {
            let text = token.text.as_str();
            let mut checks = self.checks;
            let known = match (text.strip_prefix('+'), text.strip_prefix('-')) {
                (Some(word), _) => checks.set(word, true),
                (None, Some(word)) => checks.set(word, false),
                (None, None) if index == 0 => {
                    checks = Checks {
                        read: true,
                        ..Checks::NONE
                    };
                    checks.set(text, true)
                }
                (None, None) => false,
            };
            if known {
                self.checks = checks;
            } else {
                self.diagnostics.push(
                    Diagnostic::new(
                        Severity::Warning,
                        Code(204),
                        Class::General,
                        format!("`{text}` is no include check"),
                    )
                    .label(token.span, "ignored")
                    .help(
                        "one of read, match, wildcard_match and brace_match, then +WORD or -WORD",
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Options;
    use crate::config::diagnostic::Class;
    use crate::config::expand::Expander;
    use crate::config::source::Memory;

    fn read(reader: &Memory) -> (Vec<String>, Vec<Class>) {
        let options = Options::default();
        let mut expander = Expander::new("/etc/k/main", &options, reader);
        let mut lines = Vec::new();
        while let Some(line) = expander.next_line() {
            lines.push(line.text);
        }
        (
            lines,
            expander.diagnostics.iter().map(|d| d.class).collect(),
        )
    }

    #[test]
    fn names_are_seen_from_the_including_file() {
        let reader = Memory::default()
            .with("/etc/k/main", "a\ninclude d/x*.conf\nz")
            .with("/etc/k/d/x2.conf", "two ${_PWD}")
            .with("/etc/k/d/x1.conf", "one\ninclude y")
            .with("/etc/k/d/y", "inner");
        assert_eq!(read(&reader).0, ["a", "one", "inner", "two /etc/k/d", "z"]);
    }

    #[test]
    fn alternatives_keep_their_order() {
        let reader = Memory::default()
            .with("/etc/k/main", "include {b,a}")
            .with("/etc/k/a", "a")
            .with("/etc/k/b", "b");
        assert_eq!(read(&reader).0, ["b", "a"]);
    }

    #[test]
    fn a_missing_file_counts_as_its_word_says() {
        let cases = [
            ("include x", Class::Silent),
            ("includer x", Class::Silent),
            ("includem x", Class::IncludeFailed),
            ("includem x*", Class::Silent),
            ("includew x*", Class::IncludeFailed),
            ("includeb {y,x}", Class::IncludeFailed),
            ("includea x", Class::IncludeFailed),
        ];
        for (line, class) in cases {
            let (_, classes) = read(&Memory::default().with("/etc/k/main", line));
            assert!(classes.contains(&class), "{line}: {classes:?}");
        }
    }

    #[test]
    fn a_file_that_includes_itself_is_refused() {
        let reader = Memory::default()
            .with("/etc/k/main", "include b\nend")
            .with("/etc/k/b", "include main");
        let (lines, classes) = read(&reader);
        assert_eq!(lines, ["end"]);
        assert_eq!(classes, [Class::General]);
    }

    #[test]
    fn a_main_file_that_is_missing_is_an_error() {
        let (lines, classes) = read(&Memory::default());
        assert!(lines.is_empty());
        assert_eq!(classes, [Class::Silent]);
    }
}
