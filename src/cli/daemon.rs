//! The daemon from the command line: `vipd run`, and keepalived's own options.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vipd::config::diagnostic::{Class, Code, Diagnostic, Severity};
use vipd::config::model::Config;
use vipd::config::source::Disk;
use vipd::config::{self, Loaded};
use vipd::runtime::daemon;
use vipd::sys::pidfile::{self, PidFile};
use vipd::sys::process;

use super::flags::{self, Flags};
use super::host;
use super::logging::{self, Target};
use super::render::{Printer, colours, summary};

/// keepalived's default configuration.
const CONFIG: &str = "/etc/keepalived/keepalived.conf";
/// The main file cannot be read, which `-t` does not count.
const UNREADABLE: Code = Code(301);
/// keepalived's default pid files.
const PID: &str = "/run/keepalived.pid";
const VRRP_PID: &str = "/run/vrrp.pid";

/// keepalived's exit statuses. keepalived-cli.md §2.
mod status {
    pub(super) const FATAL: u8 = 1;
    pub(super) const CONFIG: u8 = 2;
    pub(super) const MISSING_PERMISSION: u8 = 4;
    pub(super) const NO_CONFIG: u8 = 6;
    pub(super) const PROGRAM_ERROR: u8 = 70;
}

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
            pid_files: self.pid.into_iter().collect(),
            background: false,
            ignore_interrupt: false,
            target: Target::Console,
            detail: self.verbose + 1,
            notes: Vec::new(),
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
    if !flags.extra.is_empty() {
        writeln!(
            io::stdout(),
            "Unexpected argument(s): {}",
            flags.extra.join(" ")
        )?;
    }
    match flags.test.clone() {
        Some(log) => test(&flags, log.as_deref()),
        None => Settings::from(flags).run(),
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
    let mut loaded = load(&file, &load_options(flags.config_id.clone()));
    host::interfaces_and_programs(&mut loaded);
    loaded.sort_diagnostics();
    match log {
        None => {
            let colours = colours(&io::stderr());
            print(&loaded, colours, &mut io::stderr())?;
        }
        Some(path) => {
            use std::os::unix::fs::OpenOptionsExt;
            let mut options = std::fs::OpenOptions::new();
            options
                .append(true)
                .create(true)
                .mode(0o644)
                .custom_flags(libc::O_NOFOLLOW);
            print(&loaded, false, &mut options.open(path)?)?;
        }
    }
    Ok(ExitCode::from(loaded.exit_status()))
}

fn load_options(config_id: Option<String>) -> config::Options {
    config::Options {
        config_id: config_id.unwrap_or_else(process::host_name),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        // keepalived's numbers differ from run to run as well.
        random_seed: vipd::runtime::clock::now().as_nanos(),
        ..config::Options::default()
    }
}

fn load(file: &Path, options: &config::Options) -> Loaded {
    config::load(&file.to_string_lossy(), options, &Disk)
}

fn print(loaded: &Loaded, colours: bool, to: &mut impl Write) -> io::Result<()> {
    let printer = Printer::new(&loaded.sources, colours);
    for diagnostic in &loaded.diagnostics {
        writeln!(to, "{}\n", printer.whole(diagnostic))?;
    }
    if !loaded.diagnostics.is_empty() {
        writeln!(to, "{}", summary(&loaded.diagnostics))?;
    }
    Ok(())
}

/// How a daemon is to run.
#[derive(Debug)]
struct Settings {
    file: PathBuf,
    config_id: Option<String>,
    pid_files: Vec<PathBuf>,
    background: bool,
    ignore_interrupt: bool,
    target: Target,
    detail: u8,
    notes: Vec<String>,
}

impl From<Flags> for Settings {
    fn from(flags: Flags) -> Self {
        let pid = flags.pid.unwrap_or_else(|| PID.into());
        let vrrp_pid = flags.vrrp_pid.unwrap_or_else(|| VRRP_PID.into());
        Self {
            file: flags.file.unwrap_or_else(|| CONFIG.into()),
            config_id: flags.config_id,
            pid_files: vec![pid, vrrp_pid],
            background: !flags.foreground,
            ignore_interrupt: flags.ignore_interrupt,
            target: if flags.console || flags.no_syslog {
                Target::Console
            } else {
                Target::Syslog
            },
            detail: flags.detail + u8::from(flags.detail == 0),
            notes: flags.notes,
        }
    }
}

impl Settings {
    fn run(self) -> io::Result<ExitCode> {
        // The background has another working directory, and a reload must find the file again.
        let file = std::path::absolute(&self.file)?;
        let options = load_options(self.config_id.clone());
        let loaded = load(&file, &options);
        if let Some(refusal) = refusal(&loaded) {
            print(&loaded, colours(&io::stderr()), &mut io::stderr())?;
            writeln!(io::stderr(), "vipd: {} cannot run", self.file.display())?;
            return Ok(ExitCode::from(refusal));
        }
        if self.background {
            process::go_to_background()?;
        }
        let _guard = logging::start(self.target, self.detail);
        let _pid_files = match self.pid_files() {
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
        log(&loaded);
        let reload = move || {
            let loaded = load(&file, &options);
            log(&loaded);
            refusal(&loaded).is_none().then_some(loaded.config)
        };
        let reload: daemon::Load = Box::new(reload);
        Ok(self.serve(loaded.config, &reload))
    }

    fn serve(&self, config: Config, reload: &daemon::Load) -> ExitCode {
        let options = daemon::Options {
            ignore_interrupt: self.ignore_interrupt,
            statistics_file: temporary_folder().join("keepalived.stats"),
            state_folder: state_folder(),
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

    fn pid_files(&self) -> Result<Vec<PidFile>, pidfile::Error> {
        self.pid_files
            .iter()
            .map(|path| PidFile::create(path))
            .collect()
    }
}

/// Why a configuration cannot run at all, as keepalived's exit status.
fn refusal(loaded: &Loaded) -> Option<u8> {
    let unread = |d: &&Diagnostic| d.code == UNREADABLE || d.class == Class::IncludeFailed;
    let missing = loaded.diagnostics.iter().any(|d| unread(&d));
    let status = if missing {
        status::NO_CONFIG
    } else {
        status::CONFIG
    };
    loaded.is_refused().then_some(status)
}

/// Every problem as one line with its place.
fn log(loaded: &Loaded) {
    let printer = Printer::new(&loaded.sources, false);
    for diagnostic in &loaded.diagnostics {
        let line = printer.line(diagnostic);
        match diagnostic.severity {
            Severity::Advice => tracing::info!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Error => tracing::error!("{line}"),
        }
    }
}

/// The one that systemd made for the service, else `/run/vipd`.
fn state_folder() -> PathBuf {
    let folder = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    folder
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| "/run/vipd".into())
}

/// keepalived's: `TMPDIR` if it is absolute, else `/tmp`.
fn temporary_folder() -> PathBuf {
    let folder = std::env::var_os("TMPDIR").map(PathBuf::from);
    folder
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| "/tmp".into())
}
