//! Lines and words: comments, quotes and braces.
//!
//! keepalived-syntax.md §1 to §3. A [`Line`] remembers where each of its bytes came from, so a
//! word that came out of a definition points to where the definition is used.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::source::{FileId, Span};

/// Longest line in bytes; keepalived's buffer has one byte more.
pub(super) const LONGEST_LINE: usize = 1023;

/// Text of one line with the place each part came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text, without comment and without white space around it.
    pub text: String,
    /// Nearly always one.
    pieces: SmallVec<[Piece; 1]>,
}

/// A part of a line, up to the next piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the text of the line.
    at: usize,
    /// Where it came from.
    origin: Span,
    /// Whether it stands there byte for byte.
    verbatim: bool,
}

impl Line {
    /// A line without text that came from `origin`.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            text: String::new(),
            pieces: SmallVec::new(),
        }
    }

    /// Appends text that stands at `origin` byte for byte.
    pub(super) fn push_verbatim(&mut self, text: &str, file: FileId, start: usize) {
        let begin = u32::try_from(start).unwrap_or(u32::MAX);
        let end = u32::try_from(start + text.len()).unwrap_or(u32::MAX);
        self.push(
            text,
            Span {
                file,
                start: begin,
                end,
            },
            true,
        );
    }

    /// Appends text that is written differently at `origin`.
    pub(super) fn push_derived(&mut self, text: &str, origin: Span) {
        self.push(text, origin, false);
    }

    fn push(&mut self, text: &str, origin: Span, verbatim: bool) {
        if !text.is_empty() {
            self.pieces.push(Piece {
                at: self.text.len(),
                origin,
                verbatim,
            });
            self.text.push_str(text);
        }
    }

    /// Where the byte at `at` came from.
    fn origin(&self, at: usize) -> Option<Span> {
        let index = self.pieces.partition_point(|p| p.at <= at).checked_sub(1)?;
        let piece = self.pieces.get(index)?;
        if !piece.verbatim {
            return Some(piece.origin);
        }
        let start = piece.origin.start + u32::try_from(at - piece.at).unwrap_or(0);
        Some(Span {
            start,
            end: start + 1,
            ..piece.origin
        })
    }

    /// Where the bytes `start..end` came from.
    #[must_use]
    pub fn span(&self, start: usize, end: usize) -> Span {
        let nowhere = Span {
            file: FileId(0),
            start: 0,
            end: 0,
        };
        let first = self
            .origin(start)
            .or_else(|| self.origin(start.saturating_sub(1)));
        let last = self.origin(end.saturating_sub(1).max(start));
        match (first, last) {
            (Some(first), Some(last)) => first.to(last),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => nowhere,
        }
    }

    /// Where the whole line came from.
    #[must_use]
    pub fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }

    /// A part of this line as a line of its own, without white space around it.
    #[must_use]
    pub fn part(&self, start: usize, end: usize) -> Self {
        let text = self.text.get(start..end).unwrap_or_default();
        let begin = start + (text.len() - text.trim_start_matches(is_blank).len());
        let text = text.trim_matches(is_blank);
        let mut part = Self::empty();
        part.append_range(self, begin, begin + text.len());
        part
    }

    /// Appends the bytes `start..end` of `other`.
    pub(super) fn append_range(&mut self, other: &Self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let index = other.pieces.partition_point(|p| p.at <= at);
            let stop = other.pieces.get(index).map_or(end, |next| next.at.min(end));
            let Some(text) = other.text.get(at..stop) else {
                return;
            };
            let piece = index.checked_sub(1).and_then(|i| other.pieces.get(i));
            let Some(piece) = piece else { return };
            let mut origin = piece.origin;
            if piece.verbatim {
                origin.start += u32::try_from(at - piece.at).unwrap_or(0);
                origin.end = origin.start + u32::try_from(text.len()).unwrap_or(0);
            }
            self.push(text, origin, piece.verbatim);
            at = stop;
        }
    }
}

/// Whether `c` separates words. A no-break space does not.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// What kind of thing a [`Token`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word.
    Word,
    /// A word in double quotes; the quotes are not part of its text.
    Quoted,
    /// `{`
    Open,
    /// `}`
    Close,
}

/// A word or a brace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its text.
    pub text: String,
    /// Where it came from, quotes included.
    pub span: Span,
    /// First byte in the line, quotes included.
    pub(super) at: usize,
    /// First byte after it in the line.
    pub(super) end: usize,
}

impl Token {
    /// Whether it is a word, bare or quoted.
    #[must_use]
    pub const fn is_word(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Quoted)
    }
}

/// Whether the mark of a comment at `at` may be meant as a letter, as in the password `abc!`.
fn is_inside_a_word(bytes: &[u8], lead: usize, at: usize) -> bool {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r');
    let before = at.checked_sub(1).filter(|i| *i >= lead);
    let before = before.and_then(|i| bytes.get(i));
    let marks = |b: &u8| blank(b) || matches!(b, b'{' | b'}' | b'#' | b'!' | b'"');
    let after = bytes.get(at + 1).is_none_or(|b| !blank(b)) || bytes.get(at + 1) == Some(&b'\r');
    before.is_some_and(|b| !marks(b)) && after
}

fn comment_in_a_word(raw: &str, file: FileId, at: usize, mark: u8) -> Diagnostic {
    let mark = char::from(mark);
    let mut place = Line::empty();
    place.push_verbatim(raw.get(..1).unwrap_or("#"), file, at);
    Diagnostic::new(
        Severity::Warning,
        Code(106),
        Class::Silent,
        format!("`{mark}` begins a comment here, in the middle of a word"),
    )
    .label(place.whole(), "the rest of the line does not count")
    .help(format!(
        "write `\\{mark}` or quote the word, the same on all nodes"
    ))
}

/// Takes blanks and the comment off a line and turns `\#` and `\!` into what they mean.
///
/// `start` is where `raw` stands in `file`.
pub(super) fn strip(
    raw: &str,
    file: FileId,
    start: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Line {
    let lead = raw.len() - raw.trim_start_matches(is_blank).len();
    let mut line = Line::empty();
    let (mut from, mut quote, mut end) = (lead, None, raw.len());
    let bytes = raw.as_bytes();
    let mut at = lead;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        match byte {
            b'"' if quote.is_some() => quote = None,
            b'"' => quote = Some(at),
            b'\\' if quote.is_none() && matches!(next, Some(b'#' | b'!')) => {
                line.push_verbatim(raw.get(from..at).unwrap_or_default(), file, start + from);
                from = at + 1;
                at += 1;
            }
            b'#' | b'!' if quote.is_none() => {
                if is_inside_a_word(bytes, lead, at) {
                    diagnostics.push(comment_in_a_word(raw, file, start + at, byte));
                }
                end = at;
                break;
            }
            _ => {}
        }
        at += 1;
    }
    let rest = raw
        .get(from..end)
        .unwrap_or_default()
        .trim_end_matches(is_blank);
    line.push_verbatim(rest, file, start + from);
    if let Some(open) = quote {
        let mut whole = Line::empty();
        whole.push_verbatim(raw, file, start);
        diagnostics.push(
            Diagnostic::new(
                Severity::Warning,
                Code(105),
                Class::UnmatchedQuote,
                "unterminated quote",
            )
            .label(
                whole.span(open, raw.len()),
                "this quote has no other half on its line",
            )
            .help("end the word with `\"`"),
        );
    }
    line
}

/// Appends the words and braces of a line.
pub(super) fn push_words(line: &Line, tokens: &mut VecDeque<Token>) {
    let text = &line.text;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (kind, from, to, next) = match byte {
            b' ' | b'\t' => {
                at += 1;
                continue;
            }
            b'{' => (TokenKind::Open, at, at + 1, at + 1),
            b'}' => (TokenKind::Close, at, at + 1, at + 1),
            b'"' => {
                let inner = at + 1;
                let length = bytes
                    .get(inner..)
                    .and_then(|b| b.iter().position(|c| *c == b'"'));
                let to = length.map_or(bytes.len(), |l| inner + l);
                (TokenKind::Quoted, inner, to, (to + 1).min(bytes.len()))
            }
            _ => {
                let rest = bytes.get(at..).unwrap_or_default();
                let stops = |b: &u8| matches!(b, b' ' | b'\t' | b'{' | b'}' | b'"');
                let to = at + rest.iter().position(stops).unwrap_or(rest.len());
                (TokenKind::Word, at, to, to)
            }
        };
        tokens.push_back(Token {
            kind,
            text: text.get(from..to).unwrap_or_default().to_owned(),
            span: line.span(at, next),
            at,
            end: next,
        });
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(raw: &str) -> Line {
        strip(raw, FileId(0), 0, &mut Vec::new())
    }

    fn words(line: &Line) -> VecDeque<Token> {
        let mut tokens = VecDeque::new();
        push_words(line, &mut tokens);
        tokens
    }

    fn texts(raw: &str) -> Vec<String> {
        words(&line(raw)).into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn a_comment_may_begin_inside_a_word() {
        assert_eq!(line("  auth_pass Test123!x").text, "auth_pass Test123");
        assert_eq!(line("a#b").text, "a");
        assert_eq!(line("\"a # b\" # c").text, "\"a # b\"");
        assert_eq!(line("a\\#b \\! c").text, "a#b ! c");
    }

    #[test]
    fn a_quote_begins_a_new_word() {
        assert_eq!(texts("ab\"c d\"e \"\""), ["ab", "c d", "e", ""]);
        assert_eq!(texts("\"a \\\" b\""), ["a \\", "b", ""]);
    }

    #[test]
    fn braces_separate_words() {
        assert_eq!(
            texts("vrrp_instance V{ priority 5}}"),
            ["vrrp_instance", "V", "{", "priority", "5", "}", "}"]
        );
    }

    #[test]
    fn an_open_quote_is_reported_where_it_begins() {
        let mut diagnostics = Vec::new();
        strip("  script \"x y", FileId(0), 10, &mut diagnostics);
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(diagnostics[0].class, Class::UnmatchedQuote);
        assert_eq!(
            diagnostics[0].labels[0].span,
            Span {
                file: FileId(0),
                start: 19,
                end: 23
            }
        );
    }

    #[test]
    fn a_word_knows_where_it_came_from() {
        let tokens = words(&strip("  a\\#b cd", FileId(0), 100, &mut Vec::new()));
        assert_eq!(tokens[0].text, "a#b");
        assert_eq!(
            tokens[0].span,
            Span {
                file: FileId(0),
                start: 102,
                end: 106
            }
        );
        assert_eq!(
            tokens[1].span,
            Span {
                file: FileId(0),
                start: 107,
                end: 109
            }
        );
    }
}
