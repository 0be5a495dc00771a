//! `vipd check --explain`: what a code or a keyword means.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use vipd::config::diagnostic::Code;
use vipd::config::explain;
use vipd::config::keyword::{self, Block, did_you_mean};

use super::check::UNREADABLE;

/// Takes every word, and tells shells which ones mean something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic;

impl TypedValueParser for Topic {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let codes = explain::all().iter().map(|e| e.code.to_string());
        let all = codes.chain(keywords().into_iter().map(str::to_owned));
        Some(Box::new(all.map(PossibleValue::new)))
    }
}

/// Every keyword once, in order.
fn keywords() -> Vec<&'static str> {
    let all = Block::ALL.into_iter().flat_map(Block::keywords);
    let mut names: Vec<_> = all.map(|k| k.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Prints what a code or a keyword means: `K0203`, `k203` and `203` are the same.
pub(super) fn explain(topic: &str) -> io::Result<ExitCode> {
    let number = topic.trim_start_matches(['K', 'k']).parse().ok();
    let text = match number {
        Some(number) => explain::explain(Code(number)).map(code),
        None => keyword::explanation(topic),
    };
    let Some(text) = text else {
        let kind = if number.is_some() { "code" } else { "keyword" };
        let hint = did_you_mean(topic, keywords().into_iter()).filter(|_| number.is_none());
        let hint = hint.map(|hint| format!(": did you mean {hint}?"));
        let hint = hint.unwrap_or_default();
        writeln!(io::stderr(), "vipd: there is no {kind} {topic}{hint}")?;
        return Ok(ExitCode::from(UNREADABLE));
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn code(found: &explain::Explanation) -> String {
    let mut text = format!("{}: {}\n", found.code, found.meaning);
    if !found.example.is_empty() {
        text += "\nFor example:\n\n";
        for line in found.example.lines() {
            text += format!("    {line}").trim_end();
            text.push('\n');
        }
    }
    text += &format!("\nWhat to do: {}\n", found.mend);
    text
}
