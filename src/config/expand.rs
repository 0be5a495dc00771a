//! Includes, definitions, conditions and generators: from files to the lines they stand for.
//!
//! keepalived-syntax.md §5 to §8. Where keepalived hangs or runs out of memory (a definition that
//! refers to itself, an include of oneself, endless generators) this stops with a diagnostic.

mod generate;
mod include;
mod trace;

use std::collections::BTreeMap;

use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::lex::{self, LONGEST_LINE, Line, is_blank};
use super::source::{FileId, Reader, SourceMap, Span, directory};
use super::{Options, keyword};
use include::Checks;
pub(super) use trace::Trace;

/// Longest line that definitions may build, in bytes.
const LONGEST_EXPANSION: usize = 65_536;
/// Most lines a configuration may have after everything is expanded.
const MOST_LINES: usize = 1_000_000;
/// Most bytes it may have then.
const MOST_BYTES: usize = 128 << 20;

/// A parameter: its lines, one unless its definition was continued with `\`.
#[derive(Debug, Clone)]
struct Definition {
    lines: Vec<Line>,
}

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

    /// The line of a file that begins at `from`, and where the next one does.
    fn read_line(&mut self, id: FileId, from: usize, in_definition: bool) -> Option<(usize, Line)> {
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

    /// Takes in a `$NAME=VALUE` line; false if it is none.
    fn define(&mut self, line: &Line) -> bool {
        let Some(name) = is_definition(&line.text) else {
            return false;
        };
        let name = name.to_owned();
        let mut value = line.part(name.len() + 2, line.text.len());
        let mut lines = Vec::new();
        while value.text.ends_with('\\') {
            lines.push(value.part(0, value.text.len() - 1));
            value = match self.next_raw(true) {
                Some(next) => next,
                None => break,
            };
        }
        if !value.text.ends_with('\\') {
            lines.push(value);
        }
        lines.retain(|l| !l.text.is_empty());
        self.definitions.insert(name, Definition { lines });
        true
    }

    /// Replaces every parameter; nothing if that went wrong.
    fn substitute(&mut self, line: Line) -> Option<Line> {
        let mut line = line;
        let mut from = 0;
        // Names whose value is being read, each with how much text follows that value.
        let mut open: Vec<(String, usize)> = Vec::new();
        let mut budget = 10_000_u32;
        while let Some(found) = line.text.get(from..).and_then(|rest| rest.find('$')) {
            let dollar = from + found;
            let Some(reference) = Reference::at(&line.text, dollar) else {
                from = dollar + 1;
                continue;
            };
            let (name, end) = (reference.name.to_owned(), reference.end);
            let Some(value) = self.value(&reference, line.span(dollar, end)) else {
                from = dollar + 1;
                continue;
            };
            let length = line.text.len();
            open.retain(|(_, tail)| dollar < length - tail);
            budget = budget.saturating_sub(1);
            let selfish = open.iter().any(|(n, _)| *n == name) || self.is_open(&name);
            if selfish || budget == 0 || length > LONGEST_EXPANSION {
                self.endless(&name, line.span(dollar, end), selfish);
                return None;
            }
            let use_span = line.span(dollar, end);
            let tail = length - end;
            if let Value::Lines(lines) = &value
                && let (Some(first), Some(last)) = (lines.first(), lines.last())
            {
                let defined = first.whole().to(last.whole());
                self.trace.record(&name, use_span, defined, lines.len());
            }
            let mut next = Line::empty();
            next.append_range(&line, 0, dollar);
            match value {
                Value::Text(text) => next.push_derived(&text, use_span),
                Value::Lines(lines) if lines.len() <= 1 => {
                    let text = lines.first().map(|l| l.text.as_str()).unwrap_or_default();
                    next.push_derived(text, use_span);
                }
                Value::Lines(mut lines) => {
                    let first = lines.remove(0);
                    next.append_range(&first, 0, first.text.len());
                    if tail > 0 {
                        self.text_after_block(&name, line.span(end, length));
                    }
                    let items: Vec<_> = lines.into_iter().map(Item::Line).collect();
                    self.frames.push(Frame::Items {
                        name: Some(name),
                        items: items.into_iter(),
                    });
                    line = next;
                    from = dollar;
                    continue;
                }
            }
            next.append_range(&line, end, length);
            open.push((name, tail));
            line = next;
            from = dollar;
        }
        let length = line.text.len();
        Some(line.part(0, length))
    }

    /// Whether the lines of a multi-line parameter are being read.
    fn is_open(&self, name: &str) -> bool {
        self.frames
            .iter()
            .rev()
            .any(|f| matches!(f, Frame::Items { name: Some(open), .. } if open == name))
    }

    fn endless(&mut self, name: &str, at: Span, selfish: bool) {
        let (code, message) = if selfish {
            (111, format!("the parameter `{name}` refers to itself"))
        } else {
            (
                112,
                format!("the line grows beyond {LONGEST_EXPANSION} bytes by its parameters"),
            )
        };
        self.diagnostics.push(
            Diagnostic::new(Severity::Error, Code(code), Class::General, message)
                .label(at, "the line is ignored"),
        );
    }

    fn text_after_block(&mut self, name: &str, at: Span) {
        self.diagnostics.push(
            Diagnostic::new(
                Severity::Warning,
                Code(115),
                Class::General,
                format!("nothing may follow the parameter `{name}`, which has several lines"),
            )
            .label(at, "ignored"),
        );
    }

    /// The value of a reference; nothing leaves it as it stands.
    fn value(&mut self, reference: &Reference<'_>, at: Span) -> Option<Value> {
        if reference.arguments.is_empty()
            && let Some(definition) = self.definitions.get(reference.name)
        {
            return Some(Value::Lines(definition.lines.clone()));
        }
        let text = match (reference.name, reference.arguments) {
            ("_PWD", "") => self.directory(),
            ("_INSTANCE", "") => self.options.config_id.clone(),
            ("_HASH", "") => "#".to_owned(),
            ("_BANG", "") => "!".to_owned(),
            ("_ENV", name) if !name.is_empty() => self
                .options
                .environment
                .get(name.trim())
                .cloned()
                .unwrap_or_default(),
            ("_RANDOM", range) => self.random_number(range, at)?,
            (name, "") => {
                self.undefined(name, at);
                return None;
            }
            _ => return None,
        };
        Some(Value::Text(text))
    }

    fn undefined(&mut self, name: &str, at: Span) {
        let hint = keyword::did_you_mean(name, self.definitions.keys().map(String::as_str));
        let help = hint.map(|hint| format!("did you mean `${{{hint}}}`?"));
        let mut diagnostic = Diagnostic::new(
            Severity::Advice,
            Code(110),
            Class::Silent,
            format!("the parameter `{name}` is not defined here"),
        )
        .label(at, "stays as it is written");
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    /// Directory of the file being read.
    fn directory(&self) -> String {
        let file = self.frames.iter().rev().find_map(|f| match f {
            Frame::File { directory, .. } => Some(directory.clone()),
            Frame::Items { .. } => None,
        });
        file.unwrap_or_default()
    }

    /// `${_RANDOM [MIN [MAX]]}`
    fn random_number(&mut self, range: &str, at: Span) -> Option<String> {
        let mut numbers = range.split_whitespace().map(str::parse::<u32>);
        let (min, max) = match (numbers.next(), numbers.next(), numbers.next()) {
            (None, None, None) => (0, 32_767),
            (Some(Ok(min)), None, None) => (min, 32_767),
            (Some(Ok(min)), Some(Ok(max)), None) => (min, max),
            _ => {
                self.bad_random("_RANDOM takes one or two numbers", at);
                return None;
            }
        };
        if min > max {
            self.bad_random(
                "the range of _RANDOM is empty: its first number is used",
                at,
            );
            return Some(min.to_string());
        }
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        Some((u64::from(min) + z % (u64::from(max - min) + 1)).to_string())
    }

    fn bad_random(&mut self, message: &str, at: Span) {
        self.diagnostics.push(
            Diagnostic::new(Severity::Warning, Code(114), Class::General, message).label(at, ""),
        );
    }

    /// Puts a file in front of what is read next.
    fn enter(&mut self, path: &str, content: &[u8]) {
        let text = String::from_utf8_lossy(content);
        let id = self.sources.add(path, &text);
        self.files += 1;
        if matches!(text, std::borrow::Cow::Owned(_)) {
            let at = text.find('\u{fffd}').unwrap_or_default();
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
        if text.starts_with('\u{feff}') {
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
}

/// What a reference stands for.
enum Value {
    Text(String),
    Lines(Vec<Line>),
}

/// `$NAME`, `${NAME}` or `${NAME ARGUMENTS}`.
struct Reference<'a> {
    name: &'a str,
    arguments: &'a str,
    end: usize,
}

impl<'a> Reference<'a> {
    /// The reference that begins with the `$` at `dollar`.
    fn at(text: &'a str, dollar: usize) -> Option<Self> {
        let rest = text.get(dollar + 1..)?;
        if let Some(inner) = rest.strip_prefix('{') {
            let close = inner.find('}')?;
            let inside = inner.get(..close)?;
            let name = identifier(inside)?;
            let arguments = inside.get(name.len()..)?;
            if !arguments.is_empty() && !arguments.starts_with(is_blank) {
                return None;
            }
            return Some(Self {
                name,
                arguments: arguments.trim(),
                end: dollar + 3 + close,
            });
        }
        let name = identifier(rest)?;
        let ends = match rest.as_bytes().get(name.len()) {
            None => true,
            Some(byte) => matches!(byte, b' ' | b'\t' | b',' | b')'),
        };
        ends.then_some(Self {
            name,
            arguments: "",
            end: dollar + 1 + name.len(),
        })
    }
}

/// The identifier `text` begins with.
fn identifier(text: &str) -> Option<&str> {
    let good = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let length = text.bytes().take_while(good).count();
    text.get(..length)
        .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// The name a line defines.
fn is_definition(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let name = identifier(rest)?;
    rest.get(name.len()..)?.starts_with('=').then_some(name)
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
mod tests {
    use super::super::source::Memory;
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<Diagnostic>) {
        let options = Options {
            config_id: "node1".to_owned(),
            ..Options::default()
        };
        let reader = Memory::default().with("/etc/main", text);
        let mut expander = Expander::new("/etc/main", &options, &reader);
        let mut lines = Vec::new();
        while let Some(line) = expander.next_line() {
            lines.push(line.text);
        }
        (lines, expander.diagnostics)
    }

    fn lines(text: &str) -> Vec<String> {
        read(text).0
    }

    #[test]
    fn a_definition_is_expanded_at_its_use() {
        assert_eq!(lines("$A=x\n$B=${A}1\n$A=y\nkw $B\n"), ["kw y1"]);
        assert_eq!(lines("$J=7\na 10.9.$J.1 b\n"), ["a 10.9.$J.1 b"]);
        assert_eq!(
            lines("$J=7\na 10.9.${J}.1 $J,$J) $J\n"),
            ["a 10.9.7.1 7,7) 7"]
        );
        assert_eq!(lines("$A =x\n"), ["$A =x"]);
    }

    #[test]
    fn a_definition_may_have_several_lines() {
        assert_eq!(
            lines("$B=one \\\n  two \\\n  three\nx $B\ny"),
            ["x one", "two", "three", "y"]
        );
    }

    #[test]
    fn a_definition_that_refers_to_itself_is_refused() {
        for text in [
            "$IF=$IF\nx $IF\ny",
            "$A=${B}\n$B=${A}\nx $A\ny",
            "$A=${A}${A}\nx ${A}\ny",
        ] {
            let (lines, diagnostics) = read(text);
            assert_eq!(lines, ["y"], "{text}");
            assert_eq!(diagnostics[0].code, Code(111), "{text}");
        }
        let (_, diagnostics) = read("$A=x \\\n$A\n$A\n");
        assert_eq!(diagnostics[0].code, Code(111));
    }

    #[test]
    fn doubling_definitions_stop_at_a_limit() {
        let mut text = "$A0=xxxxxxxxxx\n".to_owned();
        for i in 1..40 {
            text += &format!("$A{i}=${{A{0}}}${{A{0}}}\n", i - 1);
        }
        let (lines, diagnostics) = read(&(text + "a $A39\nb"));
        assert_eq!(lines, ["b"]);
        assert_eq!(diagnostics[0].code, Code(112));
    }

    #[test]
    fn conditions_depend_on_the_config_id() {
        assert_eq!(
            lines("@node1 a\n@node2 b\n@^node1 c\n@^node2 d\n@ e\n@^ f\n@node1x\n@node1 @node1 g"),
            ["a", "d", "f", "@node1 g"]
        );
    }

    #[test]
    fn predefined_parameters_are_there() {
        assert_eq!(
            lines("a ${_PWD} ${_INSTANCE} x${_HASH}y${_BANG}"),
            ["a /etc node1 x#y!"]
        );
        let (random, _) = read("${_RANDOM 3 5}");
        assert!(["3", "4", "5"].contains(&random[0].as_str()));
        assert_eq!(lines("a ${_ENV NOT_SET_AT_ALL}b"), ["a b"]);
    }

    #[test]
    fn lines_lose_carriage_returns_and_byte_order_marks() {
        let (lines, diagnostics) = read("\u{feff}a b\r\nc\r\n");
        assert_eq!(lines, ["a b", "c"]);
        assert_eq!(diagnostics[0].code, Code(102));
    }

    #[test]
    fn a_line_with_a_nul_is_ignored() {
        let (lines, diagnostics) = read("a\0b\nc");
        assert_eq!(lines, ["c"]);
        assert_eq!(diagnostics[0].code, Code(101));
    }

    #[test]
    fn the_rest_of_a_long_line_is_a_line() {
        let (lines, diagnostics) = read(&format!("{}tail\nnext", "x".repeat(LONGEST_LINE)));
        assert_eq!(lines, ["tail", "next"]);
        assert_eq!(diagnostics[0].code, Code(103));
    }
}
