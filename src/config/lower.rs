//! From statements to a [`Config`], with keepalived's corrections.
//!
//! Reports every problem and asks nothing of the system: interfaces, users and programs that
//! must exist are listed for who may look.

mod address;
mod complete;
mod file;
mod globals;
mod group;
mod hmac;
mod instance;
mod ipvlan;
mod later;
mod peer;
pub(crate) mod process;
mod router;
mod script;
mod track;
mod value;
mod virtual_mac;
mod virtual_server;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::diagnostic::{Class, Code, Diagnostic, Label, Severity};
use super::key_files::KeyFiles;
use super::keyword::Support;
use super::model::{Command, Config};
use super::parse::{Body, Statement};
use super::source::Span;
use crate::types::InterfaceName;
use crate::vrrp::election::Weight;
use crate::vrrp::instance::RouterAdvertisement;
use globals::Defaults;
use group::GroupDraft;
use instance::Draft;
pub(super) use peer::NAMED_PEER;
pub(super) use script::inner_words;

/// Where the parts of a [`Config`] are written.
///
/// The key is the name of a block (`global_defs` for itself) and a keyword in it. The keyword
/// that opens a block stands for its name; an entry of a block of entries has its own text as
/// key, without options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Index of each block by its name.
    names: BTreeMap<String, usize>,
    blocks: Vec<BTreeMap<Cow<'static, str>, Span>>,
    /// The block that was written to last, which is nearly always the next one too.
    latest: Option<(String, usize)>,
}

impl Provenance {
    /// Where `keyword` of `block` is written last.
    #[must_use]
    pub fn span(&self, block: &str, keyword: &str) -> Option<Span> {
        let index = *self.names.get(block)?;
        self.blocks.get(index)?.get(keyword).copied()
    }

    /// What is written in all blocks that have `keyword`: keywords, and texts of entries.
    pub(super) fn keys_beside<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        let blocks = self.names.values().filter_map(|i| self.blocks.get(*i));
        let blocks = blocks.filter(move |keys| keys.contains_key(keyword));
        blocks.flat_map(|keys| keys.keys().map(AsRef::as_ref))
    }

    fn insert(&mut self, block: &str, keyword: impl Into<Cow<'static, str>>, span: Span) {
        let index = self.index(block);
        if let Some(spans) = self.blocks.get_mut(index) {
            spans.insert(keyword.into(), span);
        }
    }

    /// Where the spans of `block` are, from now on if they were nowhere.
    fn index(&mut self, block: &str) -> usize {
        if let Some((name, index)) = &self.latest
            && name == block
        {
            return *index;
        }
        let index = self.names.get(block).copied().unwrap_or_else(|| {
            self.blocks.push(BTreeMap::new());
            self.names.insert(block.to_owned(), self.blocks.len() - 1);
            self.blocks.len() - 1
        });
        self.latest = Some((block.to_owned(), index));
        index
    }
}

/// An interface that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceUse {
    /// Its name.
    pub name: InterfaceName,
    /// The instance that needs it.
    pub instance: String,
    /// Where it is written.
    pub span: Span,
}

/// A program that a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandUse {
    /// What is run.
    pub command: Command,
    /// The `vrrp_script` or `vrrp_instance` it belongs to.
    pub block: String,
    /// Where it is written.
    pub span: Span,
}

/// What statements mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lowered {
    /// What can run.
    pub config: Config,
    /// Where each part of it is written.
    pub provenance: Provenance,
    /// Everything that is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// Interfaces that must exist.
    pub interfaces: Vec<InterfaceUse>,
    /// Programs that will run.
    pub commands: Vec<CommandUse>,
}

/// What `vipd.toml` may ask of instances and no statement of keepalived's can say, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Those that speak both versions.
    pub both_versions: BTreeSet<String>,
    /// Those that discard adverts without a link-local address in front.
    pub require_link_local: BTreeSet<String>,
    /// Those that send router advertisements, with the place that says so.
    pub router_advertisements: BTreeMap<String, (RouterAdvertisement, Span)>,
}

/// What `statements` mean, with the key files that they name.
///
/// Takes each statement apart before the next one, so that a long file needs little memory.
#[must_use]
pub fn lower(statements: Vec<Statement>, key_files: KeyFiles, beyond: Beyond) -> Lowered {
    let mut lowering = Lowering {
        key_files,
        beyond,
        ..Lowering::default()
    };
    for statement in statements {
        lowering.top(&statement);
    }
    lowering.complete();
    lowering.out
}

/// The work in progress.
#[derive(Debug, Default)]
struct Lowering {
    out: Lowered,
    key_files: KeyFiles,
    beyond: Beyond,
    defaults: Defaults,
    drafts: Vec<Draft>,
    /// Index of each draft by its name.
    draft_names: BTreeMap<String, usize>,
    groups: Vec<GroupDraft>,
    /// Weight of each script by its name.
    script_weights: BTreeMap<String, Weight>,
    /// Weight of each file by its name.
    file_weights: BTreeMap<String, Weight>,
    /// Names of blocks that are declared but not active yet, by the keyword that tracks them.
    declared: BTreeSet<(&'static str, String)>,
    /// What `startup_script` and `shutdown_script` may take, where that was said.
    errand_timeouts: (Option<Duration>, Option<Duration>),
    /// The diagnostic that says what the block does without, by what it needs.
    inactive: BTreeMap<&'static str, usize>,
}

impl Lowering {
    fn top(&mut self, statement: &Statement) {
        self.inactive.clear();
        match statement.keyword.name {
            "global_defs" => self.globals(statement),
            "net_namespace" | "instance" => self.process_identity(statement),
            "use_pid_dir" => self.out.config.globals.process.pid_folder = true,
            "vrrp_script" => self.track_script(statement),
            "vrrp_instance" => self.instance(statement),
            "garp_group" => self.pacing_group(statement),
            "vrrp_sync_group" => self.sync_group(statement),
            "track_file" | "vrrp_track_file" => self.track_file(statement),
            "vrrp_track_process" => self.other_block(statement, Some("track_process")),
            "bfd_instance" => self.other_block(statement, Some("track_bfd")),
            "virtual_server" => {
                self.other_block(statement, None);
                self.virtual_server(statement);
            }
            _ => self.other_block(statement, None),
        }
    }

    /// A block or keyword that does nothing yet: checked all the same.
    fn other_block(&mut self, statement: &Statement, tracked_by: Option<&'static str>) {
        let name = statement.argument(0).unwrap_or(statement.keyword.name);
        self.out
            .provenance
            .insert(name, statement.keyword.name, statement.whole());
        if let Some(kind) = tracked_by {
            self.declared.insert((kind, name.to_owned()));
        }
        self.support(statement);
        self.validate(statement);
        self.incomplete(statement);
        self.routes_and_rules(statement);
        self.validate_inside(statement);
    }

    /// Checks the words of everything in a block.
    fn validate_inside(&mut self, statement: &Statement) {
        if let Body::Block(inner) = &statement.body {
            for statement in inner {
                self.validate(statement);
                self.deprecated(statement);
                self.validate_inside(statement);
            }
        }
    }

    /// Says so if vipd does not yet do what a keyword asks for: once in a block for all that
    /// lack the same thing.
    fn support(&mut self, statement: &Statement) {
        let Support::Inactive(needs) = statement.keyword.support else {
            return;
        };
        let known = self.inactive.get(needs).copied();
        if let Some(said) = known.and_then(|index| self.out.diagnostics.get_mut(index)) {
            said.labels.push(Label {
                span: statement.whole(),
                text: "as well".to_owned(),
            });
            return;
        }
        self.inactive.insert(needs, self.out.diagnostics.len());
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(401),
                Class::Silent,
                format!("`{}` is not active yet", statement.keyword.name),
            )
            .label(statement.whole(), "accepted without effect")
            .help(format!("it needs {needs}, still to come")),
        );
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    /// Something is ignored or corrected.
    fn warn(&mut self, code: u16, class: Class, message: impl Into<String>, at: Span) {
        self.push(Diagnostic::new(Severity::Warning, Code(code), class, message).label(at, ""));
    }
}
