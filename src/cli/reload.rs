//! `vipd reload`: what a changed file does, before and after.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use vipd::config::model::Config;
use vipd::config::plan;
use vipd::control::request::{Considered, Reply, Request, socket_pid};

use super::daemon::state_folder;
use super::loader::{candidate, load_options};

/// Exit status when the file would not run.
const REFUSED: u8 = 1;
/// Exit status when there is no daemon, or no answer.
const NO_ANSWER: u8 = 2;
/// Longest wait for the daemon: a reload waits for devices and for the engine.
const PATIENCE: Duration = Duration::from_secs(30);

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
        let request = if self.dry_run {
            // The daemon has another working directory.
            let file = self.file.as_deref().map(std::path::absolute).transpose()?;
            Request::Plan {
                file: file.map(|path| path.to_string_lossy().into_owned()),
            }
        } else {
            Request::Reload
        };
        let folder = state_folder(&[]);
        let socket = match find(&folder, self.pid) {
            Ok(socket) => socket,
            Err(why) => return Ok(Err(why)),
        };
        let cannot = |error| format!("{} gives no answer: {error}", socket.display());
        Ok(exchange(&socket, &request).map_err(cannot))
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

/// The socket of the daemon; that of the only one unless `pid` says which.
fn find(folder: &Path, pid: Option<u32>) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder);
    let entries = entries.map_err(|error| {
        let folder = folder.display();
        if error.kind() == io::ErrorKind::NotFound {
            format!("no daemon runs: there is no {folder}")
        } else {
            format!("{folder} cannot be read: {error}")
        }
    })?;
    // Daemons of another namespace or instance have a folder of their own in there.
    let entries: Vec<_> = entries.flatten().collect();
    let below = entries
        .iter()
        .filter_map(|e| std::fs::read_dir(e.path()).ok());
    let below: Vec<_> = below.flatten().flatten().collect();
    let sockets = entries.iter().chain(&below).filter_map(|entry| {
        let pid = socket_pid(entry.file_name().to_str()?)?;
        let path = entry.path();
        // A daemon that crashed leaves its socket behind.
        let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
        let is_orphan = UnixStream::connect(&path).is_err_and(refused);
        (!is_orphan).then_some((pid, path))
    });
    let mut sockets: Vec<_> = sockets
        .filter(|(of, _)| pid.is_none_or(|pid| pid == *of))
        .collect();
    sockets.sort();
    match sockets.as_slice() {
        [(_, only)] => Ok(only.clone()),
        [] => Err(format!("no daemon listens in {}", folder.display())),
        several => {
            let pids: Vec<_> = several.iter().map(|(pid, _)| pid.to_string()).collect();
            let pids = pids.join(", ");
            Err(format!("several daemons run: say which by --pid ({pids})"))
        }
    }
}

fn exchange(socket: &Path, request: &Request) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
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
