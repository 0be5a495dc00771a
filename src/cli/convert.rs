//! `vipd convert`: keepalived.conf as vipd.toml, and vipd.toml as keepalived.conf.

use std::io::{self, Write};
use std::process::ExitCode;

use vipd::config::Loaded;
use vipd::config::convert::{Refusal, convert};
use vipd::config::diagnostic::Severity;
use vipd::config::source::{Disk, Reader};

use super::check::{ERRORS, UNREADABLE, from_here, options};
use super::render::{Printer, colours};

/// Write a keepalived.conf as vipd.toml, or a vipd.toml as keepalived.conf; it means the same.
///
/// The text goes to the standard output, with the comments of the file. What has no place in it
/// stands above it as comments, with the reason, and is said on the standard error. Passwords and
/// keys are written out: keep the file to its owner.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if the file was converted, 1 if it has errors or cannot be \
                        written in the other language, 2 if it cannot be read."
)]
pub(crate) struct Convert {
    /// A configuration: in TOML if its name ends in `.toml`, else in keepalived's language
    #[arg(value_name = "FILE")]
    file: String,
}

impl Convert {
    /// Prints the file in the other language, or what is wrong with it.
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let mut complaints = io::stderr().lock();
        if let Err(why) = Disk.read(&self.file) {
            writeln!(complaints, "vipd: {}: {why}", self.file)?;
            return Ok(ExitCode::from(UNREADABLE));
        }
        match convert(&self.file, &options(), &Disk, remarks) {
            Ok(converted) => {
                for line in &converted.left_out {
                    writeln!(complaints, "vipd: {}: {line}", self.file)?;
                }
                io::stdout().lock().write_all(converted.text.as_bytes())?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(Refusal::Wrong(loaded)) => {
                let printer = Printer::new(&loaded.sources, colours(&complaints));
                for diagnostic in &loaded.diagnostics {
                    writeln!(complaints, "{}\n", printer.whole(diagnostic))?;
                }
            }
            Err(Refusal::Inexpressible(lines)) => {
                for line in lines {
                    writeln!(complaints, "vipd: {}: {line}", self.file)?;
                }
            }
        }
        Ok(ExitCode::from(ERRORS))
    }
}

/// What was said of the file and does not show in what it became.
fn remarks(loaded: &Loaded) -> Vec<String> {
    let printer = Printer::new(&loaded.sources, false);
    let said = loaded.diagnostics.iter();
    let said = said.filter(|d| d.severity > Severity::Advice);
    said.map(|diagnostic| {
        let place = diagnostic.labels.first().and_then(|l| printer.place(l));
        let place = place.map(|(file, line, _)| format!("{}:{line}: ", from_here(file)));
        format!("{}{}", place.unwrap_or_default(), diagnostic.message)
    })
    .collect()
}
