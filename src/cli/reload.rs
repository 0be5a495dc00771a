//! `vipd reload`: what a changed file does, before and after.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vipd::config::model::Config;
use vipd::config::plan;
use vipd::control::request::{Considered, Planned, Reply};

use super::ask;
use super::loader::{candidate, load_options};

/// Exit status when the file would not run.
const REFUSED: u8 = 1;
/// Exit status when there is no daemon, or no answer.
const NO_ANSWER: u8 = 2;

/// Make the running daemon read its file anew, and say what that did.
///
/// A file that has errors is refused whole: the daemon goes on as it was. With `--dry-run`
/// nothing is changed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if it was done, 1 if the file would not run, 2 if there is no \
                        daemon to ask or the call is wrong."
)]
pub(crate) struct Reload {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The file to go over to; default: that of the daemon
    #[arg(value_name = "FILE", requires = "dry_run")]
    file: Option<PathBuf>,
    /// Compare with this file instead of what the daemon runs; asks no daemon
    #[arg(long, value_name = "OLD", requires = "dry_run", requires = "file")]
    from: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Process number of the daemon, if there are several
    #[arg(short, long, value_name = "PID", conflicts_with = "from")]
    pid: Option<u32>,
}

impl Reload {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let reply = match (&self.from, &self.file) {
            (Some(old), Some(new)) => compare(old, new),
            _ => self.ask()?,
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(why) => {
                writeln!(io::stderr(), "vipd: {why}")?;
                return Ok(ExitCode::from(NO_ANSWER));
            }
        };
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&reply)?)?;
        } else {
            print(&reply, &mut out)?;
        }
        Ok(match reply {
            Reply::Reloaded(_) | Reply::Planned(_) => ExitCode::SUCCESS,
            Reply::Refused { .. } => ExitCode::from(REFUSED),
            Reply::Failed { .. } => ExitCode::from(NO_ANSWER),
        })
    }

    /// The daemon's answer, or why there is none.
    fn ask(&self) -> io::Result<Result<Reply, String>> {
        let (path, planned) = if self.dry_run {
            // The daemon has another working directory.
            let file = self.file.as_deref().map(std::path::absolute).transpose()?;
            let file = file.map(|path| path.to_string_lossy().into_owned());
            ("/v1/plan", Planned { file })
        } else {
            ("/v1/reload", Planned::default())
        };
        let found = ask::only(ask::daemons(), self.pid);
        let socket = match found {
            Ok(daemon) => daemon.socket,
            Err(why) => return Ok(Err(why)),
        };
        let body = serde_json::to_vec(&planned)?;
        let answer = ask::exchange(&socket, "POST", path, body);
        let answer = answer.and_then(|(_, body)| Ok(serde_json::from_slice(&body)?));
        Ok(answer.map_err(|error| format!("{} gives no answer: {error}", socket.display())))
    }
}

/// What going from one file to another does; neither of them has to run.
fn compare(old: &Path, new: &Path) -> Result<Reply, String> {
    let options = load_options(None, false);
    let read = |file: &Path| {
        let candidate = candidate(file, &options);
        let warnings = candidate.warnings();
        let file = candidate.file;
        match candidate.config {
            Some(config) => Ok((file, warnings, config)),
            None => Err(Reply::Refused {
                file,
                problems: warnings,
            }),
        }
    };
    let before: Config = match read(old) {
        Ok((_, _, config)) => config,
        Err(refused) => return Ok(refused),
    };
    Ok(match read(new) {
        Ok((file, warnings, after)) => Reply::Planned(Considered {
            outlook: plan::outlook(&before, &after),
            file,
            warnings,
        }),
        Err(refused) => refused,
    })
}

fn print(reply: &Reply, out: &mut impl Write) -> io::Result<()> {
    match reply {
        Reply::Reloaded(Considered {
            file,
            warnings,
            outlook,
        }) => {
            print_lines(warnings, out)?;
            writeln!(out, "{file} runs now:")?;
            write!(out, "{outlook}")
        }
        Reply::Planned(Considered {
            file,
            warnings,
            outlook,
        }) => {
            print_lines(warnings, out)?;
            writeln!(out, "{file} would run; nothing was changed:")?;
            write!(out, "{outlook}")
        }
        Reply::Refused { file, problems } => {
            print_lines(problems, out)?;
            writeln!(out, "{file} would not run; nothing was changed")
        }
        Reply::Failed { reason } => writeln!(out, "{reason}"),
    }
}

fn print_lines(lines: &[String], out: &mut impl Write) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}
