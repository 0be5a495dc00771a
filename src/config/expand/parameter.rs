//! Definitions and what they are replaced with.
//!
//! keepalived-syntax.md §6.

use super::{Expander, Frame, Item};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword;
use crate::config::lex::{Line, Token, is_blank};
use crate::config::source::Span;

/// Longest line that definitions may build, in bytes.
const LONGEST_EXPANSION: usize = 65_536;
/// A parameter: its lines, one unless its definition was continued with `\`.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) lines: Vec<Line>,
}

impl Expander<'_> {
    /// Takes in a `$NAME=VALUE` line; false if it is none.
    pub(super) fn define(&mut self, line: &Line) -> bool {
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
    pub(super) fn substitute(&mut self, line: Line) -> Option<Line> {
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
    pub(super) fn directory(&self) -> String {
        let file = self.frames.iter().rev().find_map(|f| match f {
            Frame::File { directory, .. } => Some(directory.clone()),
            Frame::Items { .. } => None,
        });
        file.unwrap_or_default()
    }

    /// `random_seed`: the same numbers from here on.
    pub(in crate::config) fn seed(&mut self, value: Option<&Token>) {
        if let Some(seed) = value.and_then(|word| word.text.parse::<u32>().ok()) {
            self.random = seed.into();
        }
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
pub(super) fn identifier(text: &str) -> Option<&str> {
    let good = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let length = text.bytes().take_while(good).count();
    text.get(..length)
        .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

/// The name a line defines.
pub(super) fn is_definition(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let name = identifier(rest)?;
    rest.get(name.len()..)?.starts_with('=').then_some(name)
}
