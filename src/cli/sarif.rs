//! Diagnostics in SARIF 2.1.0, which code hosts and editors read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vipd::config::diagnostic::{Diagnostic, Label, Severity};
use vipd::config::explain::explain;
use vipd::config::source::{SourceMap, Span};

use super::render::Printer;

/// The whole report.
pub(crate) fn report(sources: &SourceMap, printer: &Printer<'_>, found: &[Diagnostic]) -> Value {
    let codes: BTreeSet<_> = found.iter().map(|d| d.code).collect();
    let rules: Vec<_> = codes
        .into_iter()
        .map(|code| match explain(code) {
            Some(explanation) => json!({
                "id": code.to_string(),
                "fullDescription": { "text": explanation.meaning },
                "help": { "text": explanation.mend },
            }),
            None => json!({ "id": code.to_string() }),
        })
        .collect();
    let results: Vec<_> = found.iter().map(|d| result(sources, printer, d)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "vipd",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(sources: &SourceMap, printer: &Printer<'_>, diagnostic: &Diagnostic) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    };
    let text = match &diagnostic.help {
        Some(help) => format!("{} (help: {help})", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let place = |label: &Label| {
        let (file, line, column) = printer.place(label)?;
        let end = Span {
            start: label.span.end,
            ..label.span
        };
        let (end_line, end_column) = sources.position(end);
        Some(json!({
            "physicalLocation": {
                "artifactLocation": { "uri": uri(file) },
                "region": {
                    "startLine": line,
                    "startColumn": column,
                    "endLine": end_line,
                    "endColumn": end_column,
                },
            },
            "message": { "text": label.text },
        }))
    };
    let mut places = diagnostic.labels.iter().filter_map(place);
    let first: Vec<_> = places.next().into_iter().collect();
    json!({
        "ruleId": diagnostic.code.to_string(),
        "level": level,
        "message": { "text": text },
        "locations": first,
        "relatedLocations": places.collect::<Vec<_>>(),
    })
}

/// A path as part of an address.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    path.bytes().fold(String::new(), |uri, byte| match byte {
        byte if plain(byte) => uri + &char::from(byte).to_string(),
        byte => uri + &format!("%{byte:02X}"),
    })
}
