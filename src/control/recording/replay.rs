//! Runs a recording again.

use super::format::{Error, Reader, Writer};
use crate::vrrp::router::Router;

/// Feeds the recorded `inputs` to a new router and returns its effects as they would have been
/// written down.
///
/// # Errors
/// When a line of `inputs` says nothing that can be done.
pub fn effects(inputs: &str) -> Result<String, Error> {
    let mut router = Router::new();
    let mut writer = Writer::default();
    let mut text = String::new();
    for step in Reader::new(inputs)? {
        let (at, call) = step?;
        let mut effects = Vec::new();
        call.apply(&mut router, at, &mut effects);
        text.push_str(&writer.effects(at, &effects, router.deadline()));
    }
    Ok(text)
}

/// The first line in which two texts differ, with both; `None` if they are the same.
#[must_use]
pub fn first_difference(recorded: &str, replayed: &str) -> Option<String> {
    let (mut left, mut right) = (recorded.lines(), replayed.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => {
                let shown = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
                let (a, b) = (shown(a), shown(b));
                return Some(format!("line {number}\n  recorded: {a}\n  replayed: {b}"));
            }
        }
    }
}
