//! `vipd.toml`: text → document → the statements it stands for → `lower`.
//!
//! Every check of a value and of a finished instance is in `lower`, which reads both languages.
//! What keepalived passes over with a warning is an error here.

mod emit;
mod format;
mod read;
mod secrets;
mod translate;
mod value;
mod words;

pub use emit::emit;
pub use secrets::secrets;
pub(super) use words::speak;

use format::Document;
use read::{error, read, span};
use translate::{Translated, Translator};
use value::OneOrMore;

use super::diagnostic::{Class, Code, Diagnostic, Severity};
use super::key_files::KeyFiles;
use super::lower::{Lowered, lower};
use super::model::Config;
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
    let mut loading = Loading {
        sources: SourceMap::default(),
        reader,
        diagnostics: Vec::new(),
        documents: Vec::new(),
    };
    loading.main(path);
    let scripts = loading.documents.iter().flat_map(|(_, d)| &d.script.0);
    let weights = scripts.filter_map(|(name, s)| Some((name.value.clone(), s.weight.as_ref()?.0)));
    let mut translator = Translator {
        weights: weights.collect(),
        options,
        reader,
        diagnostics: loading.diagnostics,
    };
    let mut all = Translated::default();
    for (file, document) in &loading.documents {
        translator.document(document, *file, &mut all);
    }
    let parts = [all.globals, all.scripts, all.instances, all.groups];
    let statements: Vec<_> = parts.into_iter().flatten().collect();
    let Lowered {
        mut config,
        provenance,
        diagnostics,
        interfaces,
        commands,
    } = lower(&statements, KeyFiles::read(&statements, reader));
    for (_, document) in &loading.documents {
        beyond_keepalived(document, &mut config);
    }
    let mut said = translator.diagnostics;
    said.extend(diagnostics.into_iter().map(|mut diagnostic| {
        words::speak(&mut diagnostic);
        diagnostic
    }));
    let mut loaded = Loaded {
        sources: loading.sources,
        config,
        provenance,
        diagnostics: said,
        interfaces,
        commands,
    };
    loaded.sort_diagnostics();
    loaded
}

/// What no statement of keepalived's could say.
fn beyond_keepalived(document: &Document, config: &mut Config) {
    for (name, instance) in &document.instance.0 {
        let listens = instance
            .listen_before_lead
            .as_ref()
            .is_some_and(|l| l.value);
        let here = config.instances.iter_mut().find(|i| i.name == name.value);
        if let Some(here) = here {
            here.protocol.listen_before_lead |= listens;
        }
    }
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
        self.documents.push((file, document));
    }

    fn file(&mut self, path: &str) -> Result<(FileId, Document), ReadError> {
        let bytes = self.reader.read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        let file = self.sources.add(path, &text);
        let document = read(&text, file, &mut self.diagnostics);
        Ok((file, document))
    }
}
