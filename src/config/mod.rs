//! From files to a [`model::Config`]: source → lex → expand → parse → lower.
//! `vipd.toml` joins at the statements, and leaves there for keepalived.conf.

mod comments;
pub mod convert;
pub mod diagnostic;
pub mod diff;
mod expand;
pub mod explain;
pub mod key_files;
pub mod keyword;
pub mod lex;
pub mod lint;
pub mod lower;
pub mod model;
pub mod parse;
pub mod peers;
pub mod plan;
pub mod programs;
pub mod source;
pub mod toml;
mod write;

pub use lower::process::c_number;

use std::collections::BTreeMap;

use diagnostic::{Code, Diagnostic, Severity};
use key_files::KeyFiles;
use lower::{Beyond, CommandUse, InterfaceUse, Lowered, Provenance};
use model::Config;
use source::{Reader, SourceMap};

/// What a configuration depends on besides its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What `@ID` and `${_INSTANCE}` mean: `-i`, else the host name up to its first dot.
    pub config_id: String,
    /// What `${_ENV NAME}` reads.
    pub environment: BTreeMap<String, String>,
    /// Where `${_RANDOM}` begins; the same seed gives the same numbers.
    pub random_seed: u64,
    /// Every include insists on its files. keepalived: `-e`.
    pub check_includes: bool,
}

/// A configuration with all there is to say about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Every file that was read.
    pub sources: SourceMap,
    /// What can run.
    pub config: Config,
    /// Where each part of it is written.
    pub provenance: Provenance,
    /// Everything that is wrong, in the order it was met.
    pub diagnostics: Vec<Diagnostic>,
    /// Interfaces that must exist, for who may look.
    pub interfaces: Vec<InterfaceUse>,
    /// Programs that will run, for who may look.
    pub commands: Vec<CommandUse>,
    /// Whether there is not one statement in it.
    pub is_empty: bool,
}

impl Loaded {
    /// Whether keepalived would not run with it: no main file, a file that an include insists on
    /// is missing, a value is missing, or an instance cannot be what it says.
    ///
    /// An instance that only vipd cannot run yet is left out, with an error; the others run.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let left_out = |d: &Diagnostic| d.code == Code(413);
        self.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error && !left_out(d))
    }

    /// Brings the diagnostics into the order of the places they are about.
    pub fn sort_diagnostics(&mut self) {
        self.diagnostics
            .sort_by_key(|d| d.labels.first().map(|label| label.span));
    }

    /// Exit status of `-t`.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        diagnostic::exit_status(&self.diagnostics)
    }
}

/// The lines that the files of `loaded` stand for, without comments, includes and definitions;
/// in TOML what they mean. `options` are those that it was read with.
#[must_use]
pub fn consolidated(loaded: &Loaded, options: &Options) -> String {
    let first = loaded.sources.files().next();
    let path = first.map(|file| file.name.as_str()).unwrap_or_default();
    if toml::is_toml(path) {
        return toml::emit(&loaded.config);
    }
    let mut reader = source::Memory::default();
    for file in loaded.sources.files() {
        reader = reader.with(&file.name, file.text.as_str());
    }
    let mut text = String::new();
    let mut expander = expand::Expander::new(path, options, &reader);
    while let Some(line) = expander.next_line() {
        text += &line.text;
        text.push('\n');
    }
    text
}

/// Reads the configuration that begins at `path`, in TOML if that is how its name ends.
///
/// Never fails: see [`Loaded::diagnostics`].
#[must_use]
pub fn load(path: &str, options: &Options, reader: &dyn Reader) -> Loaded {
    if toml::is_toml(path) {
        return toml::load(path, options, reader);
    }
    let parsed = statements(path, options, reader);
    let is_empty = parsed.statements.is_empty();
    let key_files = KeyFiles::read(&parsed.statements, reader);
    let Lowered {
        config,
        provenance,
        diagnostics,
        interfaces,
        commands,
    } = lower::lower(parsed.statements, key_files, Beyond::default());
    let mut all = parsed.diagnostics;
    all.extend(diagnostics);
    parsed.trace.explain(&mut all);
    Loaded {
        sources: parsed.sources,
        config,
        provenance,
        diagnostics: all,
        interfaces,
        commands,
        is_empty,
    }
}

/// The statements of the configuration that begins at `path`, in either language.
fn statements(path: &str, options: &Options, reader: &dyn Reader) -> parse::Parsed {
    if toml::is_toml(path) {
        return toml::parse(path, options, reader);
    }
    parse::parse(expand::Expander::new(path, options, reader))
}
