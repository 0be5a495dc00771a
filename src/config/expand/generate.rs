//! `~SEQ` and `~LST`: one line for each of several values.
//!
//! keepalived-syntax.md §8.

use super::parameter::identifier;
use super::{Expander, Frame, Item};
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::lex::{Line, is_blank};

/// Most lines one generator may make.
const MOST_VALUES: u64 = 100_000;

impl Expander<'_> {
    /// Takes in a generator line; false if it is none.
    pub(super) fn generate(&mut self, line: &Line) -> bool {
        let kinds = [
            ("~SEQx", Kind::Hexadecimal),
            ("~SEQ", Kind::Decimal),
            ("~LST", Kind::List),
        ];
        let Some((kind, after)) = kinds.into_iter().find_map(|(word, kind)| {
            let rest = line.text.strip_prefix(word)?.trim_start_matches(is_blank);
            rest.starts_with('(')
                .then(|| (kind, line.text.len() - rest.len() + 1))
        }) else {
            return false;
        };
        let Some(close) = closing(&line.text, after) else {
            self.bad_generator(line, "the `)` of the generator is missing");
            return true;
        };
        let Some(arguments) = self.substitute(line.part(after, close)) else {
            return true;
        };
        let body = line.part(close + 1, line.text.len());
        let rounds = match kind {
            Kind::List => list(&arguments.text),
            Kind::Decimal => sequence(&arguments.text, false),
            Kind::Hexadecimal => sequence(&arguments.text, true),
        };
        match rounds {
            Ok(rounds) => self.repeat(&body, &rounds),
            Err(message) => self.bad_generator(line, message),
        }
        true
    }

    /// Puts `body` once for each round in front of what is read next.
    fn repeat(&mut self, body: &Line, rounds: &[Vec<(String, String)>]) {
        let Some(first) = rounds.first() else { return };
        let before: Vec<_> = first
            .iter()
            .map(|(name, _)| Item::Restore(name.clone(), self.definitions.get(name).cloned()))
            .collect();
        let mut items = Vec::with_capacity(rounds.len() * 2 + before.len());
        for round in rounds {
            items.extend(round.iter().map(|(n, v)| Item::Set(n.clone(), v.clone())));
            items.push(Item::Line(body.clone()));
        }
        items.extend(before);
        self.frames.push(Frame::Items {
            name: None,
            items: items.into_iter(),
        });
    }

    fn bad_generator(&mut self, line: &Line, message: &str) {
        self.diagnostics.push(
            Diagnostic::new(Severity::Warning, Code(113), Class::General, message)
                .label(line.whole(), "the line is ignored")
                .help("write `~SEQ(VAR, START, STEP, END) TEXT` or `~LST(VAR, V1, V2) TEXT`"),
        );
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Decimal,
    Hexadecimal,
    List,
}

/// Where the `)` is that ends the arguments beginning at `from`.
fn closing(text: &str, from: usize) -> Option<usize> {
    let mut escaped = false;
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The rounds of `VAR, [START, [STEP,]] END`.
fn sequence(text: &str, hexadecimal: bool) -> Result<Vec<Vec<(String, String)>>, &'static str> {
    let mut parts = text.split(',').map(str::trim);
    let name = parts
        .next()
        .and_then(variable)
        .ok_or("the generator needs a variable")?;
    let numbers: Result<Vec<i64>, _> = parts.map(str::parse).collect();
    let numbers = numbers.map_err(|_| "the generator needs whole numbers")?;
    let down = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match *numbers.as_slice() {
        [end] => (1, down(1, end), end),
        [start, end] => (start, down(start, end), end),
        [start, step, end] => (start, step, end),
        _ => return Err("the generator needs one to three numbers"),
    };
    if step == 0 || (step > 0 && end < start) || (step < 0 && end > start) {
        return Err("the generator would never end");
    }
    if hexadecimal && (start < 0 || end < 0) {
        return Err("a hexadecimal generator needs positive numbers");
    }
    if end.abs_diff(start) / step.unsigned_abs() >= MOST_VALUES {
        return Err("the generator makes too many lines");
    }
    let mut rounds = Vec::new();
    let mut value = start;
    while if step > 0 { value <= end } else { value >= end } {
        let text = if hexadecimal {
            format!("{value:x}")
        } else {
            value.to_string()
        };
        rounds.push(vec![(name.clone(), text)]);
        value = value.saturating_add(step);
    }
    Ok(rounds)
}

/// The rounds of `VAR, V1, V2 …` or `{VAR1, VAR2}, {A1, A2} …`.
fn list(text: &str) -> Result<Vec<Vec<(String, String)>>, &'static str> {
    let mut groups = split(text)?.into_iter();
    let names = groups.next().ok_or("the generator needs a variable")?;
    let names: Option<Vec<_>> = names.iter().map(|n| variable(n)).collect();
    let names = names.ok_or("the generator needs a variable")?;
    groups
        .map(|values| {
            if values.len() > names.len() {
                return Err("a group of the generator has more values than variables");
            }
            let values = values.into_iter().chain(std::iter::repeat(String::new()));
            Ok(names.iter().cloned().zip(values).collect())
        })
        .collect()
}

/// Splits at commas; `{…}` makes a group and `\` takes the next character as it is.
fn split(text: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut groups = Vec::new();
    let mut group: Option<Vec<String>> = None;
    let mut word = String::new();
    let mut closed = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, &mut group) {
            ('\\', _) => word.extend(chars.next()),
            ('{', None) if word.trim().is_empty() => {
                word.clear();
                group = Some(Vec::new());
            }
            ('}', Some(values)) => {
                values.push(std::mem::take(&mut word).trim().to_owned());
                groups.push(group.take().unwrap_or_default());
                closed = true;
            }
            (',', Some(values)) => values.push(std::mem::take(&mut word).trim().to_owned()),
            (',', None) if closed => closed = false,
            (',', None) => groups.push(vec![std::mem::take(&mut word).trim().to_owned()]),
            (c, _) => word.push(c),
        }
    }
    if group.is_some() {
        return Err("a `{` of the generator is not closed");
    }
    if !closed {
        groups.push(vec![word.trim().to_owned()]);
    }
    Ok(groups)
}

fn variable(name: &str) -> Option<String> {
    identifier(name)
        .filter(|found| *found == name)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        let rounds = sequence(text, false).unwrap();
        rounds.into_iter().map(|r| r[0].1.clone()).collect()
    }

    #[test]
    fn a_sequence_counts_up_and_down() {
        assert_eq!(values("I, 3"), ["1", "2", "3"]);
        assert_eq!(values("I,5,3"), ["5", "4", "3"]);
        assert_eq!(values("I,5,-2,1"), ["5", "3", "1"]);
        assert_eq!(sequence("I,8,4,16", true).unwrap()[1][0].1, "c");
    }

    #[test]
    fn a_sequence_that_never_ends_is_refused() {
        for text in ["I,1,0,3", "I,1,-1,3", "I,x", "", "I", "I,1,9999999999"] {
            assert!(sequence(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_may_have_several_variables() {
        let rounds = list("{A,B},{1,2}, {3, x\\,y}").unwrap();
        let pair = |a: &str, b: &str| vec![("A".into(), a.into()), ("B".into(), b.into())];
        assert_eq!(rounds, [pair("1", "2"), pair("3", "x,y")]);
        assert_eq!(list("V,a,b").unwrap().len(), 2);
    }
}
