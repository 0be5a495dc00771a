//! What others want to know of the command line: shells, and readers of manual pages.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::flags;

/// Print a completion script for a shell.
///
/// For bash: `vipd completion bash > /usr/share/bash-completion/completions/vipd`.
#[derive(Debug, clap::Args)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
    /// For keepalived's command line, where vipd is called so
    #[arg(long)]
    keepalived: bool,
}

/// Print the manual page.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// That of keepalived's command line, as vipd takes it
    #[arg(long)]
    keepalived: bool,
}

impl Completion {
    pub(crate) fn run(&self, own: Command) -> io::Result<ExitCode> {
        let (mut command, name) = if self.keepalived {
            (flags::command(), "keepalived")
        } else {
            (own, "vipd")
        };
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        print(&script)
    }
}

impl Man {
    pub(crate) fn run(&self, own: &Command) -> io::Result<ExitCode> {
        let mut page = Vec::new();
        if self.keepalived {
            render(flags::command(), &mut page)?;
            return print(&page);
        }
        render(own.clone(), &mut page)?;
        for command in own.get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = format!("vipd {}", command.get_name());
            writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
            let page_of = clap_mangen::Man::new(command.clone().bin_name(name));
            page_of.render_synopsis_section(&mut page)?;
            page_of.render_description_section(&mut page)?;
            page_of.render_options_section(&mut page)?;
        }
        print(&page)
    }
}

/// The page without a date, which would make each build another one.
fn render(command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = clap_mangen::Man::new(command).section("8");
    man.render(page)
}

fn print(text: &[u8]) -> io::Result<ExitCode> {
    match io::stdout().lock().write_all(text) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(ExitCode::SUCCESS),
    }
}
