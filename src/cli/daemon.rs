//! The daemon from the command line: `vipd run`, and keepalived's own options.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use vipd::config::model::{Config, Process};
use vipd::runtime::daemon;
use vipd::runtime::transaction;
use vipd::sys::pidfile::{self, PidFile};
use vipd::sys::{namespace, process, schedule};

use super::flags::{self, Flags};
use super::host;
use super::loader::{Loader, Overrides, append, load, load_options, print, refusal, status};
use super::logging::{self, Sinks};
use super::render::colours;

/// keepalived's default configuration.
const CONFIG: &str = "/etc/keepalived/keepalived.conf";
/// Where keepalived's pid files are.
const PID_FOLDER: &str = "/run";
/// Where they are if they have a folder of their own.
const OWN_PID_FOLDER: &str = "/run/keepalived";

/// Keep addresses alive, in the foreground, until a signal ends it.
///
/// SIGTERM and SIGINT hand over to a peer without a gap (a second one ends at once), SIGHUP
/// reloads, SIGUSR2 writes statistics.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// Configuration in keepalived's language, or in TOML if its name ends in `.toml`
    #[arg(short, long, default_value = CONFIG, value_name = "FILE")]
    file: PathBuf,
    /// Identity for lines that begin with `@ID`; default: host name up to the first dot
    #[arg(short = 'i', long, value_name = "ID")]
    config_id: Option<String>,
    /// Write the process number here while running
    #[arg(short, long, value_name = "FILE")]
    pid: Option<PathBuf>,
    /// Log more: decisions, then every packet
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Run {
    pub(crate) fn run(self) -> io::Result<ExitCode> {
        let settings = Settings {
            file: self.file,
            config_id: self.config_id,
            pid_files: PidFiles::Only(self.pid),
            sinks: Sinks {
                console: true,
                ..Sinks::default()
            },
            detail: self.verbose + 1,
            ..Settings::default()
        };
        settings.run()
    }
}

/// keepalived's command line, with its exit statuses.
pub(crate) fn keepalived(
    program: &str,
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
) -> io::Result<ExitCode> {
    let flags = match flags::parse(arguments) {
        Ok(flags) => flags,
        Err(errors) => {
            for error in errors {
                writeln!(io::stderr(), "{program}: {error}")?;
            }
            return Ok(ExitCode::from(status::FATAL));
        }
    };
    if flags.version {
        writeln!(
            io::stderr(),
            "Keepalived v2.4.3 (vipd {})",
            env!("CARGO_PKG_VERSION")
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    if flags.help {
        write!(io::stderr(), "{}", flags::help(program))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(word) = &flags.signal_name {
        return signal_number(word);
    }
    for (complaint, _) in &flags.complaints {
        writeln!(io::stderr(), "{program}: {complaint}")?;
    }
    if !flags.extra.is_empty() {
        writeln!(
            io::stdout(),
            "Unexpected argument(s): {}",
            flags.extra.join(" ")
        )?;
    }
    match flags.test.clone() {
        Some(log) => test(&flags, log.as_deref()),
        None if flags.refusals.is_empty() => Settings::from(flags).run(),
        None => {
            for refusal in &flags.refusals {
                writeln!(io::stderr(), "{program}: {refusal}")?;
            }
            Ok(ExitCode::from(status::FATAL))
        }
    }
}

fn signal_number(word: &str) -> io::Result<ExitCode> {
    if let Some(number) = flags::signal_number(word) {
        writeln!(io::stdout(), "{number}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(io::stderr(), "Unknown sigfunc {word}")?;
    Ok(ExitCode::from(status::FATAL))
}

/// `-t`: every problem on the standard error or at the end of a file, and keepalived's status.
fn test(flags: &Flags, log: Option<&Path>) -> io::Result<ExitCode> {
    let file = flags.file.clone().unwrap_or_else(|| CONFIG.into());
    let options = load_options(flags.config_id.clone(), flags.check_includes);
    let mut loaded = load(&file, &options);
    host::interfaces_and_programs(&mut loaded);
    loaded.sort_diagnostics();
    match log {
        None => {
            let colours = colours(&io::stderr());
            print(&loaded, colours, &mut io::stderr())?;
        }
        Some(path) => print(&loaded, false, &mut append(path)?)?,
    }
    let complained = flags.complaints.iter().any(|(_, counts)| *counts);
    let least = if complained { status::COMPLAINT } else { 0 };
    let status = loaded.exit_status().max(least);
    // The process ends here, and freeing a long configuration piece by piece takes a while.
    std::mem::forget(loaded);
    Ok(ExitCode::from(status))
}

/// How a daemon is to run.
#[derive(Debug, Default)]
struct Settings {
    file: PathBuf,
    config_id: Option<String>,
    check_includes: bool,
    pid_files: PidFiles,
    background: bool,
    ignore_interrupt: bool,
    leave_addresses: bool,
    log_addresses: bool,
    core_dump: bool,
    dump: bool,
    overrides: Overrides,
    sinks: Sinks,
    detail: u8,
    notes: Vec<String>,
}

/// Which pid files are written.
#[derive(Debug)]
enum PidFiles {
    /// This one, or none.
    Only(Option<PathBuf>),
    /// keepalived's two, some of them elsewhere.
    Usual {
        parent: Option<PathBuf>,
        vrrp: Option<PathBuf>,
    },
}

impl Default for PidFiles {
    fn default() -> Self {
        Self::Only(None)
    }
}

impl PidFiles {
    /// Their paths. keepalived-cli.md §4.
    fn paths(&self, process: &Process) -> Vec<PathBuf> {
        let folder = pid_folder(process);
        let usual = |stem: &str, given: &Option<PathBuf>| {
            let name = file_name(stem, "pid", process);
            given.clone().unwrap_or_else(|| folder.join(name))
        };
        match self {
            Self::Only(one) => one.iter().cloned().collect(),
            Self::Usual { parent, vrrp } => {
                vec![usual("keepalived", parent), usual("vrrp", vrrp)]
            }
        }
    }
}

/// `STEM[_INSTANCE].END`
fn file_name(stem: &str, end: &str, process: &Process) -> String {
    match &process.instance {
        Some(instance) => format!("{stem}_{instance}.{end}"),
        None => format!("{stem}.{end}"),
    }
}

/// keepalived's folder for pid files.
fn pid_folder(process: &Process) -> &'static Path {
    let apart = process.pid_folder || process.instance.is_some() || process.namespace.is_some();
    Path::new(if apart { OWN_PID_FOLDER } else { PID_FOLDER })
}

impl From<Flags> for Settings {
    fn from(flags: Flags) -> Self {
        let log_file = flags.log_file.map(|file| {
            let usual = || temporary_folder().join("keepalived.log");
            file.unwrap_or_else(usual)
        });
        Self {
            file: flags.file.unwrap_or_else(|| CONFIG.into()),
            config_id: flags.config_id,
            check_includes: flags.check_includes,
            pid_files: PidFiles::Usual {
                parent: flags.pid,
                vrrp: flags.vrrp_pid,
            },
            background: !flags.foreground,
            ignore_interrupt: flags.ignore_interrupt,
            leave_addresses: flags.leave_addresses,
            log_addresses: flags.log_addresses,
            core_dump: flags.core_dump,
            dump: flags.dump,
            overrides: Overrides {
                namespace: flags.namespace,
                umask: flags.umask,
            },
            sinks: Sinks {
                console: flags.console,
                syslog: !flags.no_syslog,
                facility: flags.facility,
                file: log_file,
                marks: Vec::new(),
            },
            detail: flags.detail + u8::from(flags.detail == 0),
            notes: flags.notes,
        }
    }
}

impl Settings {
    fn run(mut self) -> io::Result<ExitCode> {
        // The background has another working directory, and a reload must find the file again.
        let file = std::path::absolute(&self.file)?;
        let options = load_options(self.config_id.clone(), self.check_includes);
        let overrides = self.overrides.clone();
        let mut loader = Loader::new(file.clone(), options, self.dump, overrides);
        let loaded = loader.first();
        if let Some(refusal) = refusal(&loaded) {
            print(&loaded, colours(&io::stderr()), &mut io::stderr())?;
            writeln!(io::stderr(), "vipd: {} cannot run", self.file.display())?;
            return Ok(ExitCode::from(refusal));
        }
        let process = &loaded.config.globals.process;
        if let Err(error) = process.namespace.as_deref().map_or(Ok(()), join) {
            writeln!(io::stderr(), "vipd: {error}")?;
            return Ok(ExitCode::from(status::FATAL));
        }
        if self.background {
            process::go_to_background()?;
        }
        let core_dump = self.core_dump.then(schedule::allow_core_dumps);
        let marks = [&process.namespace, &process.instance];
        self.sinks.marks = marks.into_iter().flatten().cloned().collect();
        let _guards = match logging::start(&self.sinks, self.detail) {
            Ok(guards) => guards,
            Err(error) => {
                writeln!(io::stderr(), "vipd: the log file cannot be opened: {error}")?;
                return Ok(ExitCode::from(status::FATAL));
            }
        };
        let _pid_files = match self.pid_files(process) {
            Ok(held) => held,
            Err(error @ pidfile::Error::Running { .. }) => {
                // keepalived's own answer, also its status.
                writeln!(io::stderr(), "vipd: {error}")?;
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => {
                tracing::error!("{}", daemon::chain(&error));
                return Ok(ExitCode::from(status::FATAL));
            }
        };
        tracing::info!(
            "vipd {} reads {}",
            env!("CARGO_PKG_VERSION"),
            file.display()
        );
        for note in &self.notes {
            tracing::info!("{note}");
        }
        if let Some(Err(error)) = core_dump {
            tracing::warn!("core dumps are not allowed: {error}");
        }
        let mark = file_name("keepalived", "reload", process);
        loader.set_usual_mark(pid_folder(process).join(mark));
        loader.record(&loaded);
        let reload: transaction::Load = Arc::new(move |occasion| loader.candidate(occasion));
        Ok(self.serve(loaded.config, file, &reload))
    }

    fn serve(&self, config: Config, file: PathBuf, reload: &transaction::Load) -> ExitCode {
        let options = daemon::Options {
            ignore_interrupt: self.ignore_interrupt,
            leave_addresses: self.leave_addresses,
            log_addresses: self.log_addresses,
            file,
            statistics_file: temporary_folder().join("keepalived.stats"),
            state_folder: state_folder(&self.sinks.marks),
            recording: recording(),
        };
        let result = daemon::run(config, reload, &options);
        let Err(error) = result else {
            return ExitCode::SUCCESS;
        };
        tracing::error!("{}", daemon::chain(&error));
        ExitCode::from(match error {
            daemon::Error::Engine => status::PROGRAM_ERROR,
            _ if error.is_permission() => status::MISSING_PERMISSION,
            daemon::Error::Netlink(_) | daemon::Error::Socket(_) | daemon::Error::Start(_) => {
                status::FATAL
            }
        })
    }

    fn pid_files(&self, process: &Process) -> Result<Vec<PidFile>, pidfile::Error> {
        let paths = self.pid_files.paths(process);
        if paths.iter().any(|path| path.starts_with(OWN_PID_FOLDER)) {
            // What cannot be made shows when the first file is written.
            let _ = std::fs::create_dir_all(OWN_PID_FOLDER);
        }
        paths.iter().map(|path| PidFile::create(path)).collect()
    }
}

/// An error with its causes, on one line.
fn join(name: &str) -> Result<(), String> {
    namespace::join_network(name).map_err(|error| daemon::chain(&error))
}

/// The one that systemd made for the service, else `/run/vipd`; daemons of several namespaces
/// or instances do not share it.
pub(super) fn state_folder(marks: &[String]) -> PathBuf {
    let folder = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    let folder = folder
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| "/run/vipd".into());
    folder.join(marks.join("_"))
}

/// `VIPD_RECORD`, for a report that can be run again. See docs/recording.md.
fn recording() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("VIPD_RECORD")?);
    if path.is_relative() {
        tracing::warn!("VIPD_RECORD is not an absolute path: nothing is recorded");
        return None;
    }
    Some(path)
}

/// keepalived's: `TMPDIR` if it is absolute, else `/tmp`.
fn temporary_folder() -> PathBuf {
    let folder = std::env::var_os("TMPDIR").map(PathBuf::from);
    folder
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| "/tmp".into())
}
