//! `vipd.toml`: text → document → the statements it stands for → `lower`.
//!
//! Every check of a value and of a finished instance is in `lower`, which reads both languages.
//! What keepalived passes over with a warning is an error here.

mod defaults;
mod emit;
mod format;
mod kept;
mod process;
mod read;
mod router;
mod secrets;
mod translate;
mod value;
mod words;
mod writer;

pub use emit::emit;
pub(super) use emit::router::text as router_text;
pub use secrets::secrets;
pub(super) use words::speak;

use std::collections::{BTreeMap, BTreeSet};

use format::Document;
use read::{error, read, span};
use translate::{Translated, Translator};
use value::{At, Number, OneOrMore};
use writer::Weights;

use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::expand::Trace;
use super::key_files::KeyFiles;
use super::lower::{Beyond, Lowered, NAMED_PEER, lower};
use super::parse::Parsed;
use super::source::{FileId, ReadError, Reader, SourceMap, directory, join};
use super::{Loaded, Options};

/// Whether a file of this name is in TOML.
#[must_use]
pub fn is_toml(path: &str) -> bool {
    path.ends_with(".toml")
}

/// The JSON schema of `vipd.toml`, for editors.
#[must_use]
pub fn schema() -> String {
    let mut schema = schemars::schema_for!(Document).to_value();
    without_null(&mut schema);
    format!("{schema:#}\n")
}

/// TOML has no null: a key that may be absent says nothing of its kind.
fn without_null(schema: &mut serde_json::Value) {
    use serde_json::Value;
    let is_null = |value: &Value| *value == "null" || value["type"] == "null";
    match schema {
        Value::Object(members) => {
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            if let Some(Value::Array(choices)) = members.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            for key in ["type", "anyOf"] {
                let Some(Value::Array(kinds)) = members.get_mut(key) else {
                    continue;
                };
                kinds.retain(|kind| !is_null(kind));
                if let [only] = kinds.as_slice() {
                    let only = only.clone();
                    members.remove(key);
                    if let Value::Object(inner) = only {
                        members.extend(inner);
                    } else {
                        members.insert(key.to_owned(), only);
                    }
                }
            }
            members.values_mut().for_each(without_null);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads the configuration that begins at `path`. Never fails: see [`Loaded::diagnostics`].
pub(super) fn load(path: &str, options: &Options, reader: &dyn Reader) -> Loaded {
    let Translation {
        parsed,
        listeners,
        beyond,
    } = translate(path, options, reader);
    let is_empty = parsed.statements.is_empty();
    let key_files = KeyFiles::read(&parsed.statements, reader);
    let Lowered {
        mut config,
        provenance,
        diagnostics,
        interfaces,
        commands,
    } = lower(parsed.statements, key_files, beyond);
    for instance in &mut config.instances {
        instance.protocol.listen_before_lead |= listeners.contains(&instance.name);
    }
    let mut said = parsed.diagnostics;
    // keepalived could not read this file anyway.
    let ours = diagnostics.into_iter().filter(|d| d.code != NAMED_PEER);
    said.extend(ours.map(|mut diagnostic| {
        words::speak(&mut diagnostic);
        diagnostic
    }));
    let mut loaded = Loaded {
        sources: parsed.sources,
        config,
        provenance,
        diagnostics: said,
        interfaces,
        commands,
        is_empty,
    };
    loaded.sort_diagnostics();
    loaded
}

/// The statements that the configuration at `path` stands for.
pub(super) fn parse(path: &str, options: &Options, reader: &dyn Reader) -> Parsed {
    translate(path, options, reader).parsed
}

/// A configuration in statements, and what none of keepalived's could say.
struct Translation {
    parsed: Parsed,
    /// Names of the instances with `listen_before_lead`.
    listeners: BTreeSet<String>,
    /// What `lower` has to know of.
    beyond: Beyond,
}

fn translate(path: &str, options: &Options, reader: &dyn Reader) -> Translation {
    let mut loading = Loading {
        sources: SourceMap::default(),
        reader,
        diagnostics: Vec::new(),
        documents: Vec::new(),
    };
    loading.main(path);
    let mut weights = Weights::default();
    for (_, document) in &loading.documents {
        let number = |weight: &Option<At<Number>>, usual| weight.as_ref().map_or(usual, |w| w.0);
        let scripts = document.script.0.iter();
        let scripts = scripts.map(|(name, s)| (name.value.clone(), number(&s.weight, 0)));
        weights.scripts.extend(scripts);
        let files = document.track_file.0.iter();
        let files = files.map(|(name, f)| (name.value.clone(), number(&f.weight, 1)));
        weights.files.extend(files);
    }
    let main = loading.documents.first();
    let mut translator = Translator {
        weights,
        defaults: main.and_then(|(file, document)| Some((document.defaults()?, *file))),
        options,
        reader,
        diagnostics: loading.diagnostics,
    };
    let mut all = Translated::default();
    for (file, document) in &loading.documents {
        translator.document(document, *file, &mut all);
    }
    let mut router_advertisements = BTreeMap::new();
    for (file, document) in &loading.documents {
        for (name, instance) in &document.instance.0 {
            if let Some(table) = &instance.router_advertisement {
                let meaning = table.meaning(*file, &mut translator.diagnostics);
                let wanted = (meaning, span(*file, &table.place));
                router_advertisements.insert(name.value.clone(), wanted);
            }
        }
    }
    let parts = [all.globals, all.scripts, all.instances, all.groups];
    Translation {
        parsed: Parsed {
            statements: parts.into_iter().flatten().collect(),
            sources: loading.sources,
            diagnostics: translator.diagnostics,
            trace: Trace::default(),
        },
        listeners: named(&loading.documents, |i| {
            i.listen_before_lead.as_ref().map(|l| l.value)
        }),
        beyond: Beyond {
            both_versions: named(&loading.documents, |i| {
                i.version.as_ref().map(|v| v.value.is_both())
            }),
            require_link_local: named(&loading.documents, |i| {
                i.require_link_local.as_ref().map(|r| r.value)
            }),
            router_advertisements,
        },
    }
}

/// Names of the instances that `written` is true of, by themselves or by default.
fn named(
    documents: &[(FileId, Document)],
    written: impl Fn(&format::Instance) -> Option<bool>,
) -> BTreeSet<String> {
    let usual = documents.first().and_then(|(_, d)| written(d.defaults()?));
    let is_so = |i: &format::Instance| written(i).or(usual).unwrap_or(false);
    let instances = documents.iter().flat_map(|(_, d)| &d.instance.0);
    instances
        .filter(|(_, instance)| is_so(instance))
        .map(|(name, _)| name.value.clone())
        .collect()
}

/// The files of a configuration while they are read.
struct Loading<'a> {
    sources: SourceMap,
    reader: &'a dyn Reader,
    diagnostics: Vec<Diagnostic>,
    documents: Vec<(FileId, Document)>,
}

impl Loading<'_> {
    fn main(&mut self, path: &str) {
        let path = self.reader.absolute(path);
        let (file, document) = match self.file(&path) {
            Ok(read) => read,
            Err(why) => {
                let message = format!("{path} cannot be read: {why}");
                let class = Class::FileNotFound;
                let missing = Diagnostic::new(Severity::Error, Code(301), class, message);
                self.diagnostics.push(missing);
                return;
            }
        };
        let defaults = document.defaults.as_ref();
        for (key, place) in defaults.map(|d| d.misplaced(&d.place)).unwrap_or_default() {
            let message = format!("`{key}` is an instance's own");
            let misplaced = error(504, message, span(file, &place), "");
            let help = "write it in each `[instance.NAME]`";
            self.diagnostics.push(misplaced.help(help));
        }
        let include = document.include.clone();
        self.documents.push((file, document));
        let Some(include) = include else { return };
        let at = span(file, &include.place);
        let patterns = match include.value {
            OneOrMore::One(pattern) => vec![pattern],
            OneOrMore::More(patterns) => patterns,
        };
        for pattern in patterns {
            for path in self.reader.matches(&join(&directory(&path), &pattern)) {
                match self.file(&path) {
                    Ok(read) => self.included(read),
                    Err(why) => {
                        let message = format!("{path} cannot be read: {why}");
                        self.diagnostics
                            .push(error(506, message, at, "included here"));
                    }
                }
            }
        }
    }

    fn included(&mut self, (file, document): (FileId, Document)) {
        if let Some(include) = &document.include {
            let message = "a file that is included cannot include others";
            let at = span(file, &include.place);
            self.diagnostics.push(error(506, message, at, ""));
        }
        if let Some(defaults) = &document.defaults {
            let message = "a file that is included has no `[defaults]` of its own";
            let misplaced = error(506, message, span(file, &defaults.place), "");
            self.diagnostics
                .push(misplaced.help("write them in the file that includes it"));
        }
        self.documents.push((file, document));
    }

    fn file(&mut self, path: &str) -> Result<(FileId, Document), ReadError> {
        let bytes = self.reader.read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        let file = self.sources.add(path, &*text);
        let document = read(&text, file, &mut self.diagnostics);
        Ok((file, document))
    }
}
