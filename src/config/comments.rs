//! The comments of a file, carried over to the same statements of another file.
//!
//! A comment above a statement or at the end of its line goes with it, an entry of a list
//! included. Where the other file has no such statement, it goes above the block; where it has
//! no such block, to the top of the file.

use std::collections::BTreeMap;
use std::ops::Range;

use super::parse::{Body, Entry, Parsed, Statement};
use super::source::{FileId, SourceFile, Span};
use super::toml::is_toml;

/// Names of the blocks around a statement, then its own; an entry has its first word.
type Path = Vec<String>;

/// Where something is written.
struct Place {
    path: Path,
    file: FileId,
    /// From zero.
    line: usize,
}

/// A comment with what it is about; about the whole file without a path.
struct Comment {
    path: Path,
    text: String,
    /// It stands at the end of a line.
    beside: bool,
}

/// `text`, which was parsed to `to`, with the comments of `from`.
///
/// `is_own` says of a comment that this program has written it, and will again.
pub(super) fn carry(
    from: &Parsed,
    to: &Parsed,
    text: &str,
    is_own: impl Fn(&str) -> bool,
) -> (Vec<String>, String) {
    let mut lines: BTreeMap<Path, usize> = BTreeMap::new();
    for place in places(to) {
        lines.entry(place.path).or_insert(place.line);
    }
    let mut top = Vec::new();
    let mut above: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut beside: BTreeMap<usize, String> = BTreeMap::new();
    let comments = comments(from).into_iter().filter(|c| !is_own(&c.text));
    for comment in comments {
        let mut path = comment.path.as_slice();
        while !path.is_empty() && !lines.contains_key(path) {
            path = path.split_last().map_or(&[], |(_, rest)| rest);
        }
        let is_at_home = path.len() == comment.path.len();
        let Some(line) = lines.get(path) else {
            top.push(comment.text);
            continue;
        };
        if comment.beside && is_at_home && !beside.contains_key(line) {
            beside.insert(*line, comment.text);
            continue;
        }
        let about = comment
            .path
            .last()
            .filter(|_| comment.beside && !is_at_home);
        above.entry(*line).or_default().push(match about {
            Some(what) => format!("{what}: {}", comment.text),
            None => comment.text,
        });
    }
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        let indent = line
            .get(..line.len() - line.trim_start().len())
            .unwrap_or_default();
        for comment in above.get(&number).into_iter().flatten() {
            out += &format!("{indent}{}\n", written(comment));
        }
        out += line;
        if let Some(comment) = beside.get(&number) {
            out += &format!(" {}", written(comment));
        }
        out.push('\n');
    }
    (top, out)
}

/// A comment as both languages have it.
pub(super) fn written(text: &str) -> String {
    format!("# {text}").trim_end().to_owned()
}

/// The places of all statements, an outer one before those in it.
fn places(parsed: &Parsed) -> Vec<Place> {
    let starts: Vec<Vec<usize>> = parsed
        .sources
        .files()
        .map(|f| line_starts(&f.text))
        .collect();
    let mut found = Vec::new();
    let mut finder = Finder {
        starts: &starts,
        found: &mut found,
    };
    for statement in &parsed.statements {
        finder.statement(statement, &Path::new());
    }
    found
}

struct Finder<'a> {
    starts: &'a [Vec<usize>],
    found: &'a mut Vec<Place>,
}

impl Finder<'_> {
    fn statement(&mut self, statement: &Statement, outside: &Path) {
        let mut path = outside.clone();
        path.push(name(statement));
        self.add(&path, statement.span);
        match &statement.body {
            Body::None => {}
            Body::Block(inner) => inner.iter().for_each(|s| self.statement(s, &path)),
            Body::Entries(entries) => entries.iter().for_each(|e| self.entry(e, &path)),
        }
    }

    fn entry(&mut self, entry: &Entry, outside: &Path) {
        let Some(first) = entry.words.first() else {
            return;
        };
        // The length of a prefix is written out by one of the two languages.
        let word = first.text.split('/').next().unwrap_or_default();
        let mut path = outside.clone();
        path.push(word.to_owned());
        self.add(&path, entry.span);
    }

    fn add(&mut self, path: &Path, span: Span) {
        let starts = self.starts.get(span.file.0 as usize);
        let start = span.start as usize;
        let line = starts.map_or(0, |starts| starts.partition_point(|s| *s <= start));
        self.found.push(Place {
            path: path.clone(),
            file: span.file,
            line: line.saturating_sub(1),
        });
    }
}

/// The keyword, with the name of what it opens or counts.
fn name(statement: &Statement) -> String {
    let keyword = statement.keyword.name;
    let is_named = matches!(statement.body, Body::Block(_)) || keyword == "key";
    match statement.argument(0).filter(|_| is_named) {
        Some(argument) => format!("{keyword} {argument}"),
        None => keyword.to_owned(),
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(breaks).collect()
}

/// Every comment of every file, with what it is about.
fn comments(parsed: &Parsed) -> Vec<Comment> {
    let places = places(parsed);
    let mut found = Vec::new();
    for (number, file) in parsed.sources.files().enumerate() {
        let here = |p: &&Place| p.file.0 as usize == number;
        let mut here: Vec<_> = places.iter().filter(here).collect();
        here.sort_by_key(|place| place.line);
        found.extend(of_file(file, &here, number == 0));
    }
    found
}

/// The comments of one file; `places` are in the order of their lines.
fn of_file(file: &SourceFile, places: &[&Place], is_main: bool) -> Vec<Comment> {
    let lines: Vec<&str> = file.text.lines().collect();
    let starts = line_starts(&file.text);
    let line_of = |at: usize| starts.partition_point(|s| *s <= at).saturating_sub(1);
    let block_of = |place: Option<&&Place>| {
        let path = place.map(|p| p.path.as_slice()).unwrap_or_default();
        path.first().cloned().into_iter().collect::<Path>()
    };
    let head = head_length(&lines);
    let mut found = Vec::new();
    for range in raw_comments(file) {
        let line = line_of(range.start);
        let text = file.text.get(range.clone()).unwrap_or_default();
        let text = text.get(1..).unwrap_or_default();
        let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
        let from = starts.get(line).copied().unwrap_or_default();
        let before = file.text.get(from..range.start).unwrap_or_default();
        let next = places.partition_point(|p| p.line <= line);
        let last = next.checked_sub(1).and_then(|at| places.get(at));
        let same = places.partition_point(|p| p.line < line);
        let beside = !before.trim().is_empty();
        let here = places.get(same..next).unwrap_or_default();
        let path = match innermost(here) {
            Some(place) if beside => place.path.clone(),
            _ if beside => block_of(last),
            _ if is_main && line < head => Path::new(),
            _ => match below(&lines, line, places.get(next..).unwrap_or_default()) {
                Some(place) => place.path.clone(),
                None => block_of(last),
            },
        };
        let beside = beside && !here.is_empty();
        found.push(Comment { path, text, beside });
    }
    found
}

/// Lines of the comments that a file begins with, if an empty line follows.
fn head_length(lines: &[&str]) -> usize {
    let is_comment = |line: &&&str| line.trim_start().starts_with(['#', '!']);
    let length = lines.iter().take_while(is_comment).count();
    match lines.get(length) {
        Some(line) if line.trim().is_empty() => length,
        _ => 0,
    }
}

/// Of what is written on one line, the piece that is not a part of something else there; or all
/// of it, if there are several.
fn innermost<'a>(here: &[&'a Place]) -> Option<&'a Place> {
    let mut place = here.first()?;
    loop {
        let is_inside =
            |p: &&&Place| p.path.len() == place.path.len() + 1 && p.path.starts_with(&place.path);
        let mut inside = here.iter().filter(is_inside);
        match (inside.next(), inside.next()) {
            (Some(only), None) => place = only,
            _ => return Some(place),
        }
    }
}

/// What a comment on the line `from` stands above; `places` are those below it.
fn below<'a>(lines: &[&str], from: usize, places: &[&'a Place]) -> Option<&'a Place> {
    let first = places.first()?;
    let between = lines.get(from + 1..first.line).unwrap_or_default();
    let begins = |sign: char| {
        between
            .iter()
            .any(|line| line.trim_start().starts_with(sign))
    };
    if begins('}') {
        return None;
    }
    // A table of TOML begins with its header; `[global]` is known by what is in it.
    let inside = places.get(1).filter(|second| second.line == first.line);
    let is_global = first.path.iter().all(|name| name == "global_defs") && !begins('[');
    Some(inside.filter(|_| is_global).unwrap_or(first))
}

/// Where the comments of a file are, their signs included.
fn raw_comments(file: &SourceFile) -> Vec<Range<usize>> {
    if is_toml(&file.name) {
        return toml_comments(&file.text);
    }
    let mut at = 0;
    let mut found = Vec::new();
    for line in file.text.split_inclusive('\n') {
        if let Some(start) = conf_comment(line) {
            found.push(at + start..at + line.len());
        }
        at += line.len();
    }
    found
}

/// Where the comment of a line of keepalived.conf begins.
fn conf_comment(line: &str) -> Option<usize> {
    let mut is_quoted = false;
    let mut bytes = line.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, next)| *next);
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if !is_quoted && matches!(next, Some(b'#' | b'!')) => {
                bytes.next();
            }
            b'#' | b'!' if !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn toml_comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let to_end = rest.find('\n').unwrap_or(rest.len());
        at += match rest.as_bytes().first() {
            Some(b'#') => {
                found.push(at..at + to_end);
                to_end
            }
            Some(b'"') => string(rest, "\"", true),
            Some(b'\'') => string(rest, "'", false),
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    found
}

/// Length of the string that `text` begins with, in one or three `quote`s.
fn string(text: &str, quote: &str, has_escapes: bool) -> usize {
    let three = quote.repeat(3);
    let quote = if text.starts_with(&three) {
        three.as_str()
    } else {
        quote
    };
    let mut at = quote.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quote) {
            return at + quote.len();
        }
        let mut chars = rest.chars();
        let first = chars.next().map_or(1, char::len_utf8);
        at += first;
        if has_escapes && rest.starts_with('\\') {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}
