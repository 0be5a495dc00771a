//! keepalived.conf as vipd.toml, and vipd.toml as keepalived.conf.
//!
//! What was written is read again and compared: whatever the other language cannot say is told
//! by name, and no option can be forgotten here.

use super::comments::{carry, written};
use super::diagnostic::Severity;
use super::keyword::Block;
use super::plan::{BlockOutcome, Change, Fate, Outlook, outlook};
use super::source::{Memory, Reader};
use super::toml::{emit, is_toml};
use super::{Loaded, Options, load, statements, write};

/// A file in the other language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// All of it, comments included.
    pub text: String,
    /// What it cannot say and leaves out, a line each.
    pub left_out: Vec<String>,
}

/// Why a file is not converted.
#[derive(Debug)]
pub enum Refusal {
    /// It has errors itself.
    Wrong(Box<Loaded>),
    /// The other language has no way to write something that cannot be left out.
    Inexpressible(Vec<String>),
}

const TO_TOML: &str = "Converted from keepalived.conf; includes and definitions are expanded.";
const TO_CONF: &str =
    "Converted from vipd.toml; includes and [defaults] are expanded, secrets are written out.";

/// The file at `path` in the other language. `remarks` says what else belongs on top of it, of
/// what was found in the file.
///
/// # Errors
/// [`Refusal`]; what an instance is, and its addresses, are never left out.
pub fn convert(
    path: &str,
    options: &Options,
    reader: &dyn Reader,
    remarks: impl Fn(&Loaded) -> Vec<String>,
) -> Result<Converted, Refusal> {
    let loaded = load(path, options, reader);
    if loaded.is_refused() {
        return Err(Refusal::Wrong(Box::new(loaded)));
    }
    let source = statements(path, options, reader);
    let (name, note, text) = if is_toml(path) {
        let text = write::keepalived_conf(&source.statements);
        ("converted.conf", TO_CONF, text)
    } else {
        ("converted.toml", TO_TOML, emit(&loaded.config))
    };
    let target = Memory::default().with(name, text.as_str());
    let again = load(name, options, &target);
    let left_out = left_out(&outlook(&loaded.config, &again.config))?;
    if again.config.instances.len() != loaded.config.instances.len() || again.is_refused() {
        let errors = again.diagnostics.iter();
        let errors = errors.filter(|d| d.severity == Severity::Error);
        return Err(Refusal::Inexpressible(
            errors.map(|d| d.message.clone()).collect(),
        ));
    }
    let target = statements(name, options, &target);
    let is_own = |comment: &str| [TO_TOML, TO_CONF].contains(&comment);
    let (mut head, body) = carry(&source, &target, &text, is_own);
    for line in remarks(&loaded).iter().chain(&left_out) {
        let line = line.replace('\n', " ");
        if !head.contains(&line) {
            head.push(line);
        }
    }
    let mut out = format!("{}\n", written(note));
    for line in head {
        out += &format!("{}\n", written(&line));
    }
    Ok(Converted {
        text: out + "\n" + &body,
        left_out,
    })
}

/// What keepalived has no word for may be left out, a line each; nothing else may differ.
fn left_out(outlook: &Outlook) -> Result<Vec<String>, Refusal> {
    let (mut lines, mut lost) = (Vec::new(), Vec::new());
    for outcome in &outlook.instances {
        let name = outcome.renamed_from.as_ref();
        let is_same = name.is_none() && outcome.loses.is_empty() && outcome.gains.is_empty();
        let name = name.unwrap_or(&outcome.instance);
        let is_told = match outcome.fate {
            Fate::Untouched => true,
            Fate::Changed => is_same && !outcome.changes.is_empty(),
            Fate::Restarted | Fate::New | Fate::Removed => false,
        };
        if !is_told {
            lost.push(format!("{name} cannot be written: it would be another"));
        }
        for Change { keyword, .. } in &outcome.changes {
            if is_keepaliveds(keyword) {
                lost.push(format!(
                    "`{keyword}` of {name} cannot be written: its value has no form there"
                ));
            } else {
                lines.push(format!(
                    "`{keyword}` of {name} has no place here and is left out"
                ));
            }
        }
    }
    let block = |b: &BlockOutcome| format!("`{}` cannot be written: it would be another", b.block);
    lost.extend(outlook.blocks.iter().map(block));
    if lost.is_empty() {
        Ok(lines)
    } else {
        Err(Refusal::Inexpressible(lost))
    }
}

fn is_keepaliveds(keyword: &str) -> bool {
    let word = keyword.split(' ').next().unwrap_or_default();
    Block::ALL.iter().any(|block| block.keyword(word).is_some())
}
