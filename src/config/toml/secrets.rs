//! Where the secrets of a file are, so that nobody prints them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Keys inside of `auth` whose texts are no secrets.
const PUBLIC: [&str; 6] = ["env", "file", "credential", "window", "anti_replay", "mode"];

/// The places of all passwords and keys in a `vipd.toml`, in order, quotes included.
///
/// Also of a text that is not TOML, as far as it can be made out.
#[must_use]
pub fn secrets(text: &str) -> Vec<Range<usize>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    for (key, value) in table.get_ref() {
        look(
            key.get_ref(),
            value.get_ref(),
            value.span(),
            false,
            &mut found,
        );
    }
    found.sort_by_key(|place| place.start);
    found
}

fn look(
    key: &str,
    value: &DeValue<'_>,
    place: Range<usize>,
    inside: bool,
    found: &mut Vec<Range<usize>>,
) {
    let inside = (inside || key == "auth" || key.contains("passw")) && !PUBLIC.contains(&key);
    match value {
        DeValue::Table(table) => {
            for (key, value) in table {
                look(key.get_ref(), value.get_ref(), value.span(), inside, found);
            }
        }
        DeValue::Array(list) => {
            for value in list.iter() {
                look(key, value.get_ref(), value.span(), inside, found);
            }
        }
        DeValue::String(_) if inside => found.push(place),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_keys_are_found_wherever_they_stand() {
        let text = "[instance.a]\nauth.password = \"one\"\n[instance.b]\n\
            auth = { hmac = { keys = { 1 = \"two\", 2 = { env = \"NO\" } }, mode = \"no\" } }\n\
            [instance.c]\nauth = \"three\"\naddresses = [\"no\"]\npassword = \"four\"\n";
        let found: Vec<_> = secrets(text).into_iter().map(|at| &text[at]).collect();
        assert_eq!(found, ["\"one\"", "\"two\"", "\"three\"", "\"four\""]);
    }
}
