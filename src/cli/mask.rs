//! Passwords and keys stay out of what is shown of a file.

use std::collections::BTreeSet;
use std::ops::Range;

use vipd::config::toml::{self, is_toml};

/// Shown instead of a secret, whatever its length.
const MASK: &str = "********";

/// Misspellings of `auth_pass` hide what follows them too.
const SECRET_KEYWORD: &str = "auth_pass";

/// A text without its secrets, that knows where its places went.
#[derive(Debug, Clone)]
pub(crate) struct Masked {
    text: String,
    secrets: Vec<Range<usize>>,
}

impl Masked {
    /// The text of the file `name`.
    pub(crate) fn new(name: &str, original: &str) -> Self {
        let secrets = if is_toml(name) {
            toml::secrets(original)
        } else {
            secrets(original)
        };
        let mut text = String::with_capacity(original.len());
        let mut from = 0;
        for secret in &secrets {
            text += original.get(from..secret.start).unwrap_or_default();
            text += MASK;
            from = secret.end;
        }
        text += original.get(from..).unwrap_or_default();
        Self { text, secrets }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A range of the original in the masked text; one that cuts a secret covers all of it.
    pub(crate) fn range(&self, original: Range<usize>) -> Range<usize> {
        let start = self.offset(original.start, 0);
        let end = self.offset(original.end, MASK.len());
        start..end.max(start)
    }

    fn offset(&self, original: usize, in_mask: usize) -> usize {
        let mut grown = 0;
        let mut hidden = 0;
        for secret in &self.secrets {
            if original >= secret.end {
                grown += MASK.len();
                hidden += secret.len();
            } else if original > secret.start {
                return secret.start + grown - hidden + in_mask;
            }
        }
        (original + grown - hidden).min(self.text.len())
    }
}

/// Where the secrets are, in order.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let definitions = secret_definitions(text);
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let secret = keyword_value(line).or_else(|| definition_value(line, &definitions));
        found.extend(secret.map(|range| start + range.start..start + range.end));
        start += line.len();
    }
    found
}

/// Names of the `$definitions` that stand where a secret belongs.
fn secret_definitions(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| line.get(keyword_value(line)?))
        .filter_map(|value| value.split('$').nth(1))
        .map(|name| name.trim_start_matches('{'))
        .map(|name| name.split(|c: char| !is_name(c)).next().unwrap_or_default())
        .collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What follows a keyword whose argument is a secret.
fn keyword_value(line: &str) -> Option<Range<usize>> {
    let mut before = None;
    let (keyword, end) = words(line).find_map(|(word, end)| {
        let opens = before.replace(word);
        let is_key = word == "key" && matches!(opens, None | Some("auth_hmac"));
        (is_key || is_secret(word)).then_some((word, end))
    })?;
    let rest = line.get(end..)?;
    let value = rest.split('}').next().unwrap_or_default();
    let blank = value.len() - value.trim_start().len();
    let length = value.trim().len();
    (length > 0 && !keyword.is_empty()).then(|| end + blank..end + blank + length)
}

fn is_secret(word: &str) -> bool {
    let word = word
        .trim_matches(|c| c == '"' || c == '\'')
        .to_ascii_lowercase();
    // A longer or shorter word is further away than that.
    let near = word.len().abs_diff(SECRET_KEYWORD.len()) <= 2 || !word.is_ascii();
    word.contains("passw") || near && strsim::osa_distance(&word, SECRET_KEYWORD) <= 2
}

/// The words of `line`, each with the place after it.
fn words(line: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut at = 0;
    line.split_inclusive(|c: char| c.is_whitespace() || c == '{' || c == '}')
        .filter_map(move |piece| {
            let word = piece.trim_end_matches(|c: char| c.is_whitespace() || c == '{' || c == '}');
            let end = at + word.len();
            at += piece.len();
            (!word.is_empty()).then_some((word, end))
        })
}

/// What `$NAME=` gives to a definition that holds a secret.
fn definition_value(line: &str, names: &BTreeSet<&str>) -> Option<Range<usize>> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().strip_prefix('$')?;
    let start = line.len() - value.len();
    let length = value.trim_end().len();
    (names.contains(name) && length > 0).then(|| start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        Masked::new("keepalived.conf", text).text().to_owned()
    }

    #[test]
    fn a_password_is_not_shown_whatever_surrounds_it() {
        for line in [
            "    auth_pass 1234\n",
            "auth_pass \"se cret\"",
            "auth_pass 12 34 # the old one",
            "authentication { auth_type PASS auth_pass 1234 }",
            "auth_pas 1234",
            "auth_passs 1234",
            "password 1234",
            "key 1 hex:1234",
        ] {
            let text = masked(line);
            assert!(text.contains(MASK), "{text}");
            assert!(!text.contains("34") && !text.contains("cret"), "{text}");
        }
    }

    #[test]
    fn everything_else_is_shown_as_it_is() {
        for text in [
            "",
            "auth_pass",
            "auth_type PASS\n",
            "virtual_router_id 51\n}\n",
            "ö {",
        ] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(
            masked("a { auth_pass xy }\nb"),
            format!("a {{ auth_pass {MASK} }}\nb")
        );
    }

    #[test]
    fn a_definition_that_holds_the_password_is_masked() {
        let text = masked("$PW=1234\n$ID=51\nauth_pass ${PW}\nvirtual_router_id $ID\n");
        assert!(!text.contains("1234") && text.contains("$ID=51"), "{text}");
    }

    #[test]
    fn places_after_a_secret_move_with_the_text() {
        let original = "auth_pass ab\npriority 100\nauth_pass cd\nend";
        let masked = Masked::new("keepalived.conf", original);
        for word in ["priority", "end", "auth_pass"] {
            let at = original.find(word).unwrap();
            let range = masked.range(at..at + word.len());
            assert_eq!(masked.text().get(range), Some(word));
        }
        let secret = original.find("ab").unwrap();
        for range in [secret..secret + 2, secret + 1..secret + 2] {
            assert_eq!(masked.text().get(masked.range(range)), Some(MASK));
        }
    }

    #[test]
    fn a_key_is_masked_on_the_line_of_its_block_too() {
        let masked = Masked::new(
            "keepalived.conf",
            "auth_hmac { key 1 hex:0011 active_key 1 }\nkey 2 plain\n",
        );
        assert!(!masked.text().contains("0011"), "{}", masked.text());
        assert!(!masked.text().contains("plain"), "{}", masked.text());
        assert_eq!(
            Masked::new("keepalived.conf", "the key 1 is here").text(),
            "the key 1 is here"
        );
    }
}
