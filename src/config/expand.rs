//! Includes, definitions, conditions and generators: from files to the lines they stand for.
//!
//! keepalived-syntax.md §5 to §8. Where keepalived hangs or runs out of memory (a definition that
//! refers to itself, an include of oneself, endless generators) this stops with a diagnostic.

mod file;
mod generate;
mod include;
mod parameter;
mod trace;

use std::collections::BTreeMap;

use super::Options;
use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::lex::{Line, is_blank};
use super::source::{FileId, Reader, SourceMap, Span};
use include::Checks;
use parameter::{Definition, is_definition};
pub(super) use trace::Trace;

/// Most lines a configuration may have after everything is expanded.
const MOST_LINES: usize = 1_000_000;
/// Most bytes it may have then.
const MOST_BYTES: usize = 128 << 20;

/// Something a definition or a generator put in front of what is read next.
#[derive(Debug)]
enum Item {
    Line(Line),
    /// The variable of a generator takes its next value.
    Set(String, String),
    /// The variable of a generator goes back to what it was.
    Restore(String, Option<Definition>),
}

/// Where lines come from at the moment; the innermost is last.
#[derive(Debug)]
enum Frame {
    File {
        id: FileId,
        path: String,
        directory: String,
        offset: usize,
        checks: Checks,
    },
    Items {
        name: Option<String>,
        items: std::vec::IntoIter<Item>,
    },
}

/// Reads a configuration line by line, as it is after expansion.
pub(super) struct Expander<'a> {
    reader: &'a dyn Reader,
    options: &'a Options,
    /// Everything that was read.
    pub(super) sources: SourceMap,
    /// Everything that was wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Which parameter stands behind which place.
    pub(super) trace: Trace,
    definitions: BTreeMap<String, Definition>,
    frames: Vec<Frame>,
    checks: Checks,
    random: u64,
    lines: usize,
    bytes: usize,
    files: usize,
}

impl<'a> Expander<'a> {
    pub(super) fn new(path: &str, options: &'a Options, reader: &'a dyn Reader) -> Self {
        let mut expander = Self {
            reader,
            options,
            sources: SourceMap::default(),
            diagnostics: Vec::new(),
            trace: Trace::default(),
            definitions: BTreeMap::new(),
            frames: Vec::new(),
            checks: if options.check_includes {
                Checks::ALL
            } else {
                Checks::NONE
            },
            random: options.random_seed,
            lines: 0,
            bytes: 0,
            files: 0,
        };
        expander.open_main(path);
        expander
    }

    /// The next line that is not empty, or nothing at the end.
    pub(super) fn next_line(&mut self) -> Option<Line> {
        while let Some(line) = self.next_raw(false) {
            if let Some(line) = self.expand(line) {
                return Some(line);
            }
        }
        None
    }

    /// The next line as it stands in its file or definition, without its comment.
    /// An empty one only counts where a definition may end at it.
    fn next_raw(&mut self, empty_counts: bool) -> Option<Line> {
        loop {
            if self.lines >= MOST_LINES || self.bytes >= MOST_BYTES {
                self.give_up();
                return None;
            }
            match self.frames.last_mut()? {
                Frame::File { id, offset, .. } => {
                    let (id, from) = (*id, *offset);
                    let Some((next, line)) = self.read_line(id, from, empty_counts) else {
                        self.leave_file();
                        continue;
                    };
                    if let Some(Frame::File { offset, .. }) = self.frames.last_mut() {
                        *offset = next;
                    }
                    if line.text.is_empty() && !empty_counts {
                        continue;
                    }
                    self.count(&line);
                    return Some(line);
                }
                Frame::Items { items, .. } => match items.next() {
                    None => {
                        self.frames.pop();
                    }
                    Some(Item::Line(line)) => {
                        self.count(&line);
                        return Some(line);
                    }
                    Some(Item::Set(name, value)) => {
                        let mut line = Line::empty();
                        line.push_derived(
                            &value,
                            Span {
                                file: FileId(0),
                                start: 0,
                                end: 0,
                            },
                        );
                        self.definitions
                            .insert(name, Definition { lines: vec![line] });
                    }
                    Some(Item::Restore(name, Some(old))) => {
                        self.definitions.insert(name, old);
                    }
                    Some(Item::Restore(name, None)) => {
                        self.definitions.remove(&name);
                    }
                },
            }
        }
    }

    const fn count(&mut self, line: &Line) {
        self.lines += 1;
        self.bytes += line.text.len();
    }

    fn give_up(&mut self) {
        self.frames.clear();
        self.diagnostics.push(Diagnostic::new(
            Severity::Error,
            Code(112),
            Class::General,
            format!("the configuration has more than {MOST_LINES} lines once it is expanded"),
        ));
    }

    fn leave_file(&mut self) {
        if let Some(Frame::File { checks, .. }) = self.frames.pop() {
            self.checks = checks;
        }
    }

    /// What a line stands for, or nothing if it only has an effect.
    fn expand(&mut self, mut line: Line) -> Option<Line> {
        line = self.condition(line)?;
        // A value may begin with a definition, a generator or an include of its own.
        for _ in 0..16 {
            if self.define(&line) || self.generate(&line) {
                return None;
            }
            let before = line.text.starts_with('$');
            if line.text.contains('$') {
                line = self.substitute(line)?;
            }
            let again = before && line.text.starts_with(['$', '~']);
            if again && (is_definition(&line.text).is_some() || line.text.starts_with('~')) {
                continue;
            }
            if before && line.text.starts_with('@') {
                line = self.condition(line)?;
            }
            break;
        }
        if line.text.starts_with(['#', '!']) {
            return None; // a comment that a parameter began
        }
        if line.text.starts_with("include") && self.include(&line) {
            return None;
        }
        (!line.text.is_empty()).then_some(line)
    }

    /// `@ID` and `@^ID`: the line without its marker, or nothing if it does not count.
    fn condition(&self, line: Line) -> Option<Line> {
        let Some(marker) = line.text.strip_prefix('@') else {
            return Some(line);
        };
        let length = marker.find(is_blank).unwrap_or(marker.len());
        let marker = marker.get(..length).unwrap_or_default();
        let counts = match marker.strip_prefix('^') {
            Some(id) => id != self.options.config_id,
            None => marker == self.options.config_id && !marker.is_empty(),
        };
        counts
            .then(|| line.part(length + 1, line.text.len()))
            .filter(|l| !l.text.is_empty())
    }
}

fn span(file: FileId, start: usize, length: usize) -> Span {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file,
        start: narrow(start),
        end: narrow(start + length),
    }
}

#[cfg(test)]
mod tests;
