//! From text to a [`Document`], with every mistake and its place.

use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue, Deserializer};

use super::format::Document;
use super::words;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::keyword::did_you_mean;
use crate::config::source::{FileId, Span};

/// More mistakes than anyone mends at once.
const MOST_MISTAKES: usize = 100;

/// A place of `file`.
pub(super) fn span(file: FileId, place: &Range<usize>) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        file,
        start: offset(place.start),
        end: offset(place.end),
    }
}

/// An error at a place.
pub(super) fn error(code: u16, message: impl Into<String>, at: Span, label: &str) -> Diagnostic {
    Diagnostic::new(Severity::Error, Code(code), Class::General, message).label(at, label)
}

/// Reads `text`. What is wrong is taken out, piece by piece, until the rest makes sense.
pub(super) fn read(text: &str, file: FileId, diagnostics: &mut Vec<Diagnostic>) -> Document {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    for wrong in errors.iter().take(MOST_MISTAKES) {
        let place = wrong.span().unwrap_or_default();
        let (what, expected) = halves(wrong.message());
        diagnostics.push(error(501, what, span(file, &place), &expected));
    }
    if !errors.is_empty() {
        return Document::default();
    }
    for _ in 0..MOST_MISTAKES {
        let wrong = match Document::deserialize(Deserializer::from(table.clone())) {
            Ok(document) => return document,
            Err(wrong) => wrong,
        };
        let place = wrong.span().unwrap_or_default();
        let key = take_out(table.get_mut(), &place);
        diagnostics.push(mistake(wrong.message(), key.as_deref(), span(file, &place)));
        if key.is_none() {
            break;
        }
    }
    Document::default()
}

/// Takes the key or value at `place` out of a table, and returns the name of the key.
fn take_out(table: &mut DeTable<'_>, place: &Range<usize>) -> Option<String> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        if let Some(inner) = take_out_of(value.get_mut(), place) {
            return Some(inner.unwrap_or_else(|| key.get_ref().to_string()));
        }
        if key.span() == *place || value.span() == *place {
            found = Some(key.get_ref().to_string());
            break;
        }
    }
    let name = found?;
    table.remove(name.as_str());
    Some(name)
}

/// The same inside a value; the name is missing if an element of a list went.
fn take_out_of(value: &mut DeValue<'_>, place: &Range<usize>) -> Option<Option<String>> {
    match value {
        DeValue::Table(table) => take_out(table, place).map(Some),
        DeValue::Array(list) => {
            for element in list.iter_mut() {
                if let Some(inner) = take_out_of(element.get_mut(), place) {
                    return Some(inner);
                }
            }
            let wrong = list.iter().any(|element| element.span() == *place);
            let right = list.iter().filter(|element| element.span() != *place);
            *list = right.cloned().collect();
            wrong.then_some(None)
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

/// What is wrong, in our words; `key` is where it was found.
fn mistake(message: &str, key: Option<&str>, at: Span) -> Diagnostic {
    let (what, expected) = halves(message);
    let key = key.unwrap_or("this file");
    if what.starts_with("unknown field") {
        return unknown(key, message, at);
    }
    if what.starts_with("unknown variant") {
        return error(503, format!("`{key}` has no such value"), at, &expected);
    }
    if let Some(field) = what.strip_prefix("missing field ") {
        return error(503, format!("{field} is missing in `{key}`"), at, "");
    }
    let kind = match what.strip_prefix("invalid type: ") {
        Some(found) => format!("`{key}` cannot be {}", kind_of(found)),
        None => format!("`{key}` has a value that it cannot have"),
    };
    error(503, kind, at, &expected)
}

fn unknown(key: &str, message: &str, at: Span) -> Diagnostic {
    let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
    let help = if key == "state" {
        "the router with the highest `priority` becomes active".to_owned()
    } else if let Some(ours) = words::key(key) {
        format!("in vipd.toml it is `{ours}`")
    } else if let Some(near) = did_you_mean(key, known.iter().copied()) {
        format!("did you mean `{near}`?")
    } else {
        format!("there are {}", known.join(", "))
    };
    error(502, format!("`{key}` is unknown here"), at, "").help(help)
}

/// What was found, without the value: it may be a secret.
fn kind_of(found: &str) -> &'static str {
    match found.split_whitespace().next() {
        Some("string") => "a text",
        Some("integer") => "a whole number",
        Some("floating") => "a number with decimals",
        Some("boolean") => "true or false",
        Some("sequence") => "a list",
        Some("map") => "a table",
        _ => "this",
    }
}

/// What was found and what was expected.
fn halves(message: &str) -> (String, String) {
    match message.split_once(", expected ") {
        Some((what, "a string")) => (what.to_owned(), "expected a text in quotes".to_owned()),
        Some((what, "a boolean")) => (what.to_owned(), "expected true or false".to_owned()),
        Some((what, expected)) => (what.to_owned(), format!("expected {expected}")),
        None => (message.to_owned(), String::new()),
    }
}
