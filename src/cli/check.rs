//! `vipd check`: what is wrong in a file, between the files of a group of nodes, and whether
//! every failure that they track moves the address.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use vipd::config::diagnostic::{Diagnostic, Severity};
use vipd::config::lint::{Detail, lint};
use vipd::config::lower::Provenance;
use vipd::config::model::Config;
use vipd::config::peers::failover::{Cause, Holders, Member, Row, truth_table};
use vipd::config::peers::{self, VirtualRouter, virtual_routers};
use vipd::config::source::{Disk, FileId, ReadError, Reader, SourceMap, Span};
use vipd::config::{Options, load};
use vipd::sys::process::host_name;
use vipd::types::Priority;

use super::explain::{Topic, explain};
use super::nodes::{Node, Nodes};
use super::render::{Printer, colours, summary, word};
use super::{host, sarif, table};

/// Exit status when a file has errors, alone or beside its peers.
pub(super) const ERRORS: u8 = 1;
/// Exit status when a file cannot be read.
pub(super) const UNREADABLE: u8 = 2;

/// Say what is wrong in a file, and between the files of nodes that share an address.
///
/// With the files of all nodes, check also prints where the address goes for every failure that
/// the nodes can tell: a dead host, a link that is down, a script that fails.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if there is no error (there may be warnings), 1 if there is \
                        one, 2 if a file cannot be read or the call is wrong."
)]
pub(crate) struct Check {
    #[command(flatten)]
    nodes: Nodes,
    /// Say what a code such as K0203 means and what to do about it, or what a keyword does
    #[arg(
        long,
        value_name = "CODE|KEYWORD",
        value_parser = Topic,
        hide_possible_values = true,
        conflicts_with_all = ["files", "format"]
    )]
    explain: Option<String>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Also say what is usual and worth to know: common VRIDs, owners, missing prefix lengths
    #[arg(long)]
    notes: bool,
    /// Also look at this host: interfaces, programs and who could change them, networks of addresses
    #[arg(long)]
    here: bool,
    /// The same as `--format short`
    #[arg(long, conflicts_with_all = ["json", "format"])]
    short: bool,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// How to print what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Everything with its lines, then where the address goes for each failure
    Text,
    /// One line for each problem
    Short,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

impl Check {
    /// Prints everything found on the standard output.
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        if let Some(topic) = &self.explain {
            return explain(topic);
        }
        let mut checked = Checked::default();
        let detail = if self.notes {
            Detail::Notes
        } else {
            Detail::Problems
        };
        for (number, node) in self.nodes.0.iter().enumerate() {
            // The others are the files of other hosts.
            let here = self.here && number == 0;
            if let Err(error) = checked.read(node, detail, here) {
                writeln!(io::stderr(), "vipd: {}: {error}", node.file)?;
                return Ok(ExitCode::from(UNREADABLE));
            }
        }
        checked.compare();
        let mut out = io::stdout().lock();
        let printed = match self.format() {
            Format::Json => checked.print_json(&mut out),
            Format::Short => checked.print_short(&mut out),
            Format::Sarif => checked.print_sarif(&mut out),
            Format::Text => {
                let colours = colours(&out);
                checked.print(&mut out, colours)
            }
        };
        match printed {
            // Who reads may have seen enough: `vipd check FILE | head`.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        }
        Ok(if checked.has_errors() {
            ExitCode::from(ERRORS)
        } else {
            ExitCode::SUCCESS
        })
    }
}

impl Check {
    const fn format(&self) -> Format {
        match (self.json, self.short) {
            (true, _) => Format::Json,
            (false, true) => Format::Short,
            (false, false) => self.format,
        }
    }
}

/// All files with what was found in them and between them.
#[derive(Default)]
struct Checked {
    sources: SourceMap,
    nodes: Vec<File>,
    diagnostics: Vec<Diagnostic>,
}

/// One node's file.
struct File {
    name: String,
    /// Where its sources begin in the common source map.
    first_file: u32,
    config: Config,
    provenance: Provenance,
}

impl File {
    fn locate(&self) -> impl Fn(&str, &str) -> Option<Span> {
        |block, keyword| {
            Some(moved(
                self.provenance.span(block, keyword)?,
                self.first_file,
            ))
        }
    }
}

/// `span` of a node's own source map in the common one.
fn moved(span: Span, first_file: u32) -> Span {
    Span {
        file: FileId(first_file.saturating_add(span.file.0)),
        ..span
    }
}

/// A path as it is written from the current directory.
pub(super) fn from_here(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let inside = Path::new(path)
        .strip_prefix(here)
        .ok()
        .and_then(Path::to_str);
    inside.unwrap_or(path).to_owned()
}

/// What the daemon would load a file with on this host.
pub(super) fn options() -> Options {
    Options {
        config_id: host_name(),
        environment: std::env::vars().collect(),
        ..Options::default()
    }
}

impl Checked {
    /// Adds a node. Its places move behind those of the files before it.
    fn read(&mut self, node: &Node, detail: Detail, here: bool) -> Result<(), ReadError> {
        let path = node.file.as_str();
        Disk.read(path)?;
        let mut options = options();
        if let Some(id) = &node.id {
            options.config_id.clone_from(id);
        }
        let mut loaded = load(path, &options, &Disk);
        let mut lints = lint(&loaded, detail);
        if here {
            host::look(&mut loaded);
        }
        loaded.diagnostics.append(&mut lints);
        let first_file = u32::try_from(self.sources.files().count()).unwrap_or(u32::MAX);
        for file in loaded.sources.files() {
            self.sources.add(&from_here(&file.name), &file.text);
        }
        self.nodes.push(File {
            name: node.name(),
            first_file,
            config: loaded.config,
            provenance: loaded.provenance,
        });
        for mut diagnostic in loaded.diagnostics {
            for label in &mut diagnostic.labels {
                label.span = moved(label.span, first_file);
            }
            self.diagnostics.push(diagnostic);
        }
        Ok(())
    }

    /// Adds what is wrong between the nodes.
    fn compare(&mut self) {
        let locate: Vec<_> = self.nodes.iter().map(File::locate).collect();
        let nodes: Vec<peers::Node<'_>> = self
            .nodes
            .iter()
            .zip(&locate)
            .map(|(file, locate)| peers::Node {
                config: &file.config,
                sources: &self.sources,
                locate,
            })
            .collect();
        self.diagnostics.extend(peers::check(&nodes));
    }

    fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    }

    fn configs(&self) -> Vec<&Config> {
        self.nodes.iter().map(|node| &node.config).collect()
    }

    fn files(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// The virtual routers that more than one node has, with what becomes of each failure.
    fn tables(&self) -> Vec<(VirtualRouter<'_>, Vec<Row>)> {
        virtual_routers(&self.configs())
            .into_iter()
            .filter(|router| router.members.len() > 1)
            .map(|router| {
                let rows = truth_table(&router.members);
                (router, rows)
            })
            .collect()
    }

    fn print(&self, out: &mut impl Write, colours: bool) -> io::Result<()> {
        let printer = Printer::new(&self.sources, colours);
        for diagnostic in &self.diagnostics {
            writeln!(out, "{}\n", printer.whole(diagnostic))?;
        }
        let files = self.files();
        let tables = self.tables();
        if !tables.is_empty() && self.has_errors() {
            writeln!(out, "once the errors are mended:\n")?;
        }
        for (router, rows) in tables {
            writeln!(out, "{}", table::truth_table(&router, &rows, &files))?;
        }
        writeln!(out, "{}", summary(&self.diagnostics))
    }

    fn print_short(&self, out: &mut impl Write) -> io::Result<()> {
        let printer = Printer::new(&self.sources, false);
        self.diagnostics
            .iter()
            .try_for_each(|d| writeln!(out, "{}", printer.line(d)))
    }

    fn print_sarif(&self, out: &mut impl Write) -> io::Result<()> {
        let printer = Printer::new(&self.sources, false);
        let report = sarif::report(&self.sources, &printer, &self.diagnostics);
        writeln!(out, "{report:#}")
    }

    fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let printer = Printer::new(&self.sources, false);
        let tables = self.tables();
        let files = self.files();
        let report = Report {
            files: &files,
            diagnostics: self
                .diagnostics
                .iter()
                .map(|d| Problem::new(&printer, d))
                .collect(),
            virtual_routers: tables
                .iter()
                .map(|(r, rows)| Router::new(r, rows))
                .collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)
    }
}

/// What `--json` prints. Nodes are counted from 1, in the order of `files`.
#[derive(Serialize)]
struct Report<'a> {
    files: &'a [String],
    diagnostics: Vec<Problem<'a>>,
    virtual_routers: Vec<Router<'a>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    severity: &'static str,
    code: String,
    message: &'a str,
    places: Vec<Place<'a>>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    text: &'a str,
}

#[derive(Serialize)]
struct Router<'a> {
    vrid: u8,
    addresses: Vec<String>,
    members: Vec<Instance<'a>>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
struct Instance<'a> {
    node: usize,
    instance: &'a str,
}

/// One row of the table; `what` is null in the rest state.
#[derive(Serialize)]
struct Failure {
    kind: &'static str,
    what: Option<String>,
    nodes: Vec<usize>,
    /// Nodes that are dead meanwhile.
    dead: Vec<usize>,
    priorities: Vec<Option<u8>>,
    holders: Vec<usize>,
    mended: Vec<usize>,
    stuck: bool,
}

impl<'a> Problem<'a> {
    fn new(printer: &Printer<'a>, diagnostic: &'a Diagnostic) -> Self {
        let places = diagnostic.labels.iter().filter_map(|label| {
            let (file, line, column) = printer.place(label)?;
            Some(Place {
                file,
                line,
                column,
                text: &label.text,
            })
        });
        Self {
            severity: word(diagnostic.severity),
            code: diagnostic.code.to_string(),
            message: &diagnostic.message,
            places: places.collect(),
            help: diagnostic.help.as_deref(),
        }
    }
}

impl<'a> Router<'a> {
    fn new(router: &VirtualRouter<'a>, rows: &[Row]) -> Self {
        let member = |m: &Member<'a>| Instance {
            node: m.node + 1,
            instance: &m.instance.name,
        };
        Self {
            vrid: router.vrid.get(),
            addresses: table::addresses(router),
            members: router.members.iter().map(member).collect(),
            failures: rows.iter().map(Failure::new).collect(),
        }
    }
}

impl Failure {
    fn new(row: &Row) -> Self {
        let counted = |nodes: &Holders| nodes.iter().map(|node| node + 1).collect();
        Self {
            kind: match row.cause {
                None => "none",
                Some(Cause::Host) => "host",
                Some(Cause::Interface(_)) => "interface",
                Some(Cause::Script(_)) => "script",
            },
            what: row.cause.as_ref().map(ToString::to_string),
            nodes: row.nodes.iter().map(|node| node + 1).collect(),
            dead: row.dead.iter().map(|node| node + 1).collect(),
            priorities: row
                .standings
                .iter()
                .map(|s| s.priority().map(Priority::get))
                .collect(),
            holders: counted(&row.holders),
            mended: counted(&row.mended),
            stuck: row.stuck.is_some(),
        }
    }
}
