//! Files, line by line: ends of lines, comments, and what keepalived makes of odd bytes.
//!
//! keepalived-syntax.md §1.

use super::{Expander, Frame, span};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::lex::{self, LONGEST_LINE, Line, is_blank};
use crate::config::source::{FileId, directory};

impl Expander<'_> {
    /// Puts a file in front of what is read next.
    pub(super) fn enter(&mut self, path: &str, content: Vec<u8>) {
        let (text, replaced) = match String::from_utf8(content) {
            Ok(text) => (text, None),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let first = text.find('\u{fffd}');
                (text, first)
            }
        };
        let has_mark = text.starts_with('\u{feff}');
        let id = self.sources.add(path, text);
        self.files += 1;
        if let Some(at) = replaced {
            self.diagnostics.push(
                Diagnostic::new(
                    Severity::Advice,
                    Code(104),
                    Class::Silent,
                    "the file is not valid UTF-8: what is not is replaced",
                )
                .label(span(id, at, 3), ""),
            );
        }
        let mut offset = 0;
        if has_mark {
            offset = 3;
            self.diagnostics.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(102),
                    Class::UnknownKeyword,
                    "the file begins with a byte order mark, which is skipped",
                )
                .label(span(id, 0, 3), "")
                .help("keepalived takes it for part of the first keyword: save without it"),
            );
        }
        self.frames.push(Frame::File {
            id,
            path: path.to_owned(),
            directory: directory(path),
            offset,
            checks: self.checks,
        });
    }

    /// The line of a file that begins at `from`, and where the next one does.
    pub(super) fn read_line(
        &mut self,
        id: FileId,
        from: usize,
        in_definition: bool,
    ) -> Option<(usize, Line)> {
        let text = &self.sources.file(id)?.text;
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').unwrap_or(rest.len());
        let next = from + (length + 1).min(rest.len());
        let raw = rest.get(..length).unwrap_or_default();
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        if raw.contains('\0') {
            let span = span(id, from, raw.len());
            self.diagnostics.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(101),
                    Class::General,
                    "the line has a NUL byte and is ignored",
                )
                .label(span, ""),
            );
            return Some((next, Line::empty()));
        }
        if raw.len() > LONGEST_LINE {
            return Some((self.too_long(id, from, length, next), Line::empty()));
        }
        let mut line = lex::strip(raw, id, from, &mut self.diagnostics);
        // A definition goes on behind a comment that ends in `\\`.
        let definition = in_definition || line.text.starts_with('$');
        let end = raw.trim_end_matches(is_blank);
        if definition && end.ends_with('\\') && !line.text.ends_with('\\') {
            line.push_verbatim("\\", id, from + end.len() - 1);
        }
        Some((next, line))
    }

    /// keepalived drops the first buffer of a long line and reads the rest as a line of its own.
    fn too_long(&mut self, id: FileId, from: usize, length: usize, next: usize) -> usize {
        let text = self
            .sources
            .file(id)
            .map(|f| f.text.as_str())
            .unwrap_or_default();
        let mut cut = from + LONGEST_LINE;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        self.diagnostics.push(
            Diagnostic::new(
                Severity::Warning,
                Code(103),
                Class::General,
                format!("the line is longer than {LONGEST_LINE} bytes: its first part is ignored"),
            )
            .label(span(id, from, cut - from), "ignored")
            .help("the rest is read as a line of its own; split the line"),
        );
        if cut >= from + length { next } else { cut }
    }
}
