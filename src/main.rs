//! `vipd`: flags, exit statuses and the rendering of diagnostics.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// Keeps virtual IP addresses alive on pairs and groups of Linux hosts.
#[derive(Debug, Parser)]
#[command(name = "vipd", version)]
enum Call {
    Check(cli::check::Check),
    Demo(cli::demo::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    match Call::parse() {
        Call::Check(check) => Ok(check.run()?),
        Call::Demo(options) => Ok(cli::demo::run(&options)?),
    }
}
