//! `vipd convert`: keepalived.conf as vipd.toml.

use std::io::{self, Write};
use std::process::ExitCode;

use vipd::config::source::{Disk, Reader};
use vipd::config::toml::{emit, is_toml};
use vipd::config::{Loaded, load};

use super::check::{ERRORS, UNREADABLE, from_here, options};
use super::render::{Printer, colours};

/// Write a keepalived.conf as vipd.toml, which means the same.
///
/// The text goes to the standard output. What has no place in it stands above it as comments,
/// with the reason. Passwords and keys are written out: keep the file to its owner.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if the file was converted, 1 if it has errors, 2 if it cannot \
                        be read."
)]
pub(crate) struct Convert {
    /// A configuration in keepalived's language
    #[arg(value_name = "FILE")]
    file: String,
}

impl Convert {
    /// Prints the file in TOML, or what is wrong with it.
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let mut complaints = io::stderr().lock();
        let unreadable = Disk.read(&self.file).err().map(|e| e.to_string());
        let in_toml = is_toml(&self.file).then(|| "it is in TOML already".to_owned());
        if let Some(why) = unreadable.or(in_toml) {
            writeln!(complaints, "vipd: {}: {why}", self.file)?;
            return Ok(ExitCode::from(UNREADABLE));
        }
        let loaded = load(&self.file, &options(), &Disk);
        if loaded.is_refused() {
            let printer = Printer::new(&loaded.sources, colours(&complaints));
            for diagnostic in &loaded.diagnostics {
                writeln!(complaints, "{}\n", printer.whole(diagnostic))?;
            }
            return Ok(ExitCode::from(ERRORS));
        }
        let text = comments(&loaded) + &emit(&loaded.config);
        io::stdout().lock().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Everything that was said of the file, as comments.
fn comments(loaded: &Loaded) -> String {
    let printer = Printer::new(&loaded.sources, false);
    let mut text = String::new();
    for diagnostic in &loaded.diagnostics {
        let place = diagnostic.labels.first().and_then(|l| printer.place(l));
        let place = place.map(|(file, line, _)| format!("{}:{line}: ", from_here(file)));
        let line = format!("{}{}", place.unwrap_or_default(), diagnostic.message);
        text += &format!("# {}\n", line.replace('\n', " "));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
