//! `vipd`: flags, exit statuses and the rendering of diagnostics.

mod cli;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

/// Keeps virtual IP addresses alive on pairs and groups of Linux hosts.
///
/// Called as `keepalived`, or with an option instead of a command, it takes keepalived's own
/// command line: `vipd -n -l -D -f FILE`.
#[derive(Debug, Parser)]
#[command(name = "vipd", version)]
enum Call {
    Run(cli::daemon::Run),
    Check(cli::check::Check),
    Convert(cli::convert::Convert),
    Demo(cli::demo::Demo),
    Reload(cli::reload::Reload),
    Status(cli::status::Status),
    Completion(cli::describe::Completion),
    #[command(hide = true)]
    Man(cli::describe::Man),
}

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_else(|| "vipd".into());
    let rest: Vec<OsString> = arguments.collect();
    if is_keepalived(&program, rest.first()) {
        let name = Path::new(&program)
            .file_name()
            .unwrap_or(&program)
            .to_string_lossy();
        return Ok(cli::daemon::keepalived(&name, rest)?);
    }
    match Call::parse() {
        Call::Run(run) => Ok(run.run()?),
        Call::Check(check) => Ok(check.run()?),
        Call::Convert(convert) => Ok(convert.run()?),
        Call::Demo(demo) => Ok(demo.run()?),
        Call::Reload(reload) => Ok(reload.run()?),
        Call::Status(status) => Ok(status.run()?),
        Call::Completion(completion) => Ok(completion.run(Call::command())?),
        Call::Man(man) => Ok(man.run(&Call::command())?),
    }
}

/// keepalived's command line has options where ours has a command. `--help` alone is ours.
fn is_keepalived(program: &OsString, first: Option<&OsString>) -> bool {
    let called = Path::new(program)
        .file_name()
        .is_some_and(|name| name == "keepalived");
    let option = first.and_then(|word| word.to_str()).is_some_and(|word| {
        word.starts_with('-') && !["-h", "--help", "--version"].contains(&word)
    });
    called || option
}
