//! From statements to the text of a `keepalived.conf`.

use super::lex::{Token, is_blank};
use super::parse::{Body, Entry, Statement};

/// The text that is read as `statements` again.
///
/// A word with a double quote in it has no place in the language: what is read then is not what
/// was meant, which the caller finds out by reading it.
pub(super) fn keepalived_conf(statements: &[Statement]) -> String {
    let mut out = String::new();
    for statement in statements {
        if !out.is_empty() {
            out.push('\n');
        }
        write(statement, 0, &mut out);
    }
    out
}

/// The keyword with the words after it, on one line.
pub(super) fn line(statement: &Statement) -> String {
    let words = words(statement);
    if words.is_empty() {
        statement.keyword.name.to_owned()
    } else {
        format!("{} {words}", statement.keyword.name)
    }
}

/// What stands after the keyword.
pub(super) fn words(statement: &Statement) -> String {
    if statement.script.text.is_empty() {
        joined(&statement.arguments)
    } else {
        statement.script.text.clone()
    }
}

/// A line of a block of entries.
pub(super) fn entry(entry: &Entry) -> String {
    joined(&entry.words)
}

fn joined(words: &[Token]) -> String {
    let words: Vec<_> = words.iter().map(|token| word(&token.text)).collect();
    words.join(" ")
}

/// In quotes if it would not be one word without them.
fn word(text: &str) -> String {
    // A quote in it has no form: what is written is another word, and told from this one.
    let ends = |c: char| is_blank(c) || "{}#!\\\"".contains(c);
    if text.is_empty() || text.contains(ends) {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}

fn write(statement: &Statement, depth: usize, out: &mut String) {
    let indent = "    ".repeat(depth);
    *out += &format!("{indent}{}", line(statement));
    match &statement.body {
        Body::None => out.push('\n'),
        Body::Block(inner) => {
            *out += " {\n";
            for statement in inner {
                write(statement, depth + 1, out);
            }
            *out += &format!("{indent}}}\n");
        }
        Body::Entries(entries) => {
            *out += " {\n";
            for one in entries {
                *out += &format!("{indent}    {}\n", entry(one));
            }
            *out += &format!("{indent}}}\n");
        }
    }
}
