//! Reads the daemon's configuration, at its start and at each reload, and leaves the traces that
//! the configuration asks for.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vipd::config::diagnostic::{Class, Code, Diagnostic, Severity};
use vipd::config::model::{Mark, Process, Reload};
use vipd::config::source::Disk;
use vipd::config::toml::is_toml;
use vipd::config::{self, Loaded};
use vipd::runtime::transaction::{self, Candidate, Occasion};
use vipd::sys::{file, process};

use super::mask::Masked;
use super::render::{Printer, summary};

/// The main file cannot be read, which `-t` does not count.
const UNREADABLE: Code = Code(301);

/// keepalived's exit statuses. keepalived-cli.md §2.
pub(super) mod status {
    pub(crate) const FATAL: u8 = 1;
    pub(crate) const CONFIG: u8 = 2;
    pub(crate) const MISSING_PERMISSION: u8 = 4;
    /// Of `-t`, for most things that can be said of a file.
    pub(crate) const COMPLAINT: u8 = 5;
    pub(crate) const NO_CONFIG: u8 = 6;
    pub(crate) const PROGRAM_ERROR: u8 = 70;
}

/// Reads one configuration again and again.
pub(super) struct Loader {
    file: PathBuf,
    options: config::Options,
    /// Has the configuration logged each time it is read.
    dump: bool,
    /// What the command line says of the process, which no file changes.
    overrides: Overrides,
    /// `keepalived.reload` beside the pid files.
    usual_mark: PathBuf,
    /// What runs now.
    running: Mutex<Process>,
    /// Copies written so far.
    copies: AtomicU32,
}

/// What the command line says of the process.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides {
    pub(super) namespace: Option<String>,
    pub(super) umask: Option<u32>,
}

impl Overrides {
    fn apply(&self, process: &mut Process) {
        process.umask = self.umask.or(process.umask);
        if self.namespace.is_some() {
            process.namespace.clone_from(&self.namespace);
        }
    }
}

impl Loader {
    pub(super) fn new(
        file: PathBuf,
        options: config::Options,
        dump: bool,
        overrides: Overrides,
    ) -> Self {
        Self {
            file,
            options,
            dump,
            overrides,
            usual_mark: PathBuf::new(),
            running: Mutex::default(),
            copies: AtomicU32::new(0),
        }
    }

    /// What the daemon begins with.
    pub(super) fn first(&self) -> Loaded {
        let mut loaded = load(&self.file, &self.options);
        self.overrides.apply(&mut loaded.config.globals.process);
        self.running().clone_from(&loaded.config.globals.process);
        loaded
    }

    /// Where `keepalived.reload` would be.
    pub(super) fn set_usual_mark(&mut self, path: PathBuf) {
        self.usual_mark = path;
    }

    /// Logs the first configuration, and keeps a copy if it asks for one.
    pub(super) fn record(&self, loaded: &Loaded) {
        transaction::log(&lines(loaded));
        self.show(loaded);
        self.copy(loaded);
    }

    /// The configuration as it is on the disk now. Only a reload leaves traces of it.
    pub(super) fn candidate(&self, occasion: &Occasion) -> Candidate {
        match occasion {
            Occasion::Reload => self.reload(),
            Occasion::Look(other) => {
                let file = other.as_deref().map_or(self.file.as_path(), Path::new);
                let mut candidate = candidate(file, &self.options);
                if let Some(config) = &mut candidate.config {
                    self.overrides.apply(&mut config.globals.process);
                    let kept = self.keep_identity(&mut config.globals.process);
                    candidate.remarks.extend(kept);
                }
                candidate
            }
        }
    }

    fn reload(&self) -> Candidate {
        let rules = self.running().reload.clone();
        let mark = self.put_mark(rules.mark.as_ref());
        let mut loaded = load(&self.file, &self.options);
        take_away(mark);
        let mut remarks = remarks(&self.file, &loaded);
        let strictly = self.strictly_refused(&rules, &loaded);
        let refused = strictly.is_some() || is_refused(&loaded);
        remarks.extend(strictly);
        if refused {
            write_report(&rules, &loaded);
        } else {
            self.overrides.apply(&mut loaded.config.globals.process);
            remarks.extend(self.keep_identity(&mut loaded.config.globals.process));
            self.running().clone_from(&loaded.config.globals.process);
            self.show(&loaded);
            self.copy(&loaded);
        }
        Candidate {
            file: self.file.display().to_string(),
            config: (!refused).then_some(loaded.config),
            remarks,
        }
    }

    /// `reload_check_config`: what `-t` would complain of is refused.
    fn strictly_refused(&self, rules: &Reload, loaded: &Loaded) -> Option<Remark> {
        let refused = rules.strict && loaded.exit_status() != 0;
        let file = self.file.display();
        let why = format!("reload_check_config refuses {file} for what was said of it");
        refused.then_some((Severity::Error, why))
    }

    /// What is decided once, at the start.
    fn keep_identity(&self, new: &mut Process) -> Vec<Remark> {
        let running = self.running();
        let mut remarks = Vec::new();
        for (keyword, old, new) in [
            ("net_namespace", &running.namespace, &mut new.namespace),
            ("instance", &running.instance, &mut new.instance),
        ] {
            if old != new {
                let why = format!("{keyword} cannot change while vipd runs: restart it");
                remarks.push((Severity::Warning, why));
                new.clone_from(old);
            }
        }
        remarks
    }

    fn running(&self) -> MutexGuard<'_, Process> {
        // Nothing that holds it can panic half way.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_mark(&self, mark: Option<&Mark>) -> Option<PathBuf> {
        let path = match mark? {
            Mark::Usual => &self.usual_mark,
            Mark::At(path) => path,
        };
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o644);
        match options.custom_flags(libc::O_NOFOLLOW).open(path) {
            Ok(_) => Some(path.clone()),
            Err(error) => {
                tracing::warn!("{} cannot be written: {error}", path.display());
                None
            }
        }
    }

    /// `-d`: the configuration in the log, without its secrets.
    fn show(&self, loaded: &Loaded) {
        if !self.dump {
            return;
        }
        let text = config::consolidated(loaded, &self.options);
        let masked = Masked::new(&self.file.to_string_lossy(), &text);
        tracing::info!("------< {} >------", self.file.display());
        for line in masked.text().lines() {
            tracing::info!("{line}");
        }
    }

    /// `config_save_dir`: a copy of everything that runs, for its owner alone.
    fn copy(&self, loaded: &Loaded) {
        let Some(folder) = &loaded.config.globals.process.reload.archive else {
            return;
        };
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let stem = if is_toml(&self.file.to_string_lossy()) {
            "vipd.toml"
        } else {
            "keepalived.conf"
        };
        let path = folder.join(format!("{stem}.{}.{number}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        let made = match builder.mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        let text = || config::consolidated(loaded, &self.options);
        if let Err(error) = made.and_then(|()| file::replace(&path, &text(), 0o600)) {
            tracing::warn!("{} cannot be written: {error}", path.display());
        }
    }
}

fn take_away(mark: Option<PathBuf>) {
    if let Some(path) = mark
        && let Err(error) = fs::remove_file(&path)
    {
        tracing::warn!("{} cannot be removed: {error}", path.display());
    }
}

/// The complaints of a refused file, where `reload_check_config` wants them.
fn write_report(rules: &Reload, loaded: &Loaded) {
    let Some(path) = &rules.report else { return };
    let written = append(path).and_then(|mut file| print(loaded, false, &mut file));
    if let Err(error) = written {
        tracing::warn!("{} cannot be written: {error}", path.display());
    }
}

/// Opens a file to add to it; a link is not followed.
pub(super) fn append(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.append(true).create(true).mode(0o644);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

pub(super) fn load_options(config_id: Option<String>, check_includes: bool) -> config::Options {
    config::Options {
        config_id: config_id.unwrap_or_else(process::host_name),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        // keepalived's numbers differ from run to run as well.
        random_seed: vipd::runtime::clock::now().as_nanos(),
        check_includes,
    }
}

pub(super) fn load(file: &Path, options: &config::Options) -> Loaded {
    config::load(&file.to_string_lossy(), options, &Disk)
}

pub(super) fn print(loaded: &Loaded, colours: bool, to: &mut impl Write) -> io::Result<()> {
    let printer = Printer::new(&loaded.sources, colours);
    for diagnostic in &loaded.diagnostics {
        writeln!(to, "{}\n", printer.whole(diagnostic))?;
    }
    if !loaded.diagnostics.is_empty() {
        writeln!(to, "{}", summary(&loaded.diagnostics))?;
    }
    Ok(())
}

/// Why a configuration cannot run at all, as keepalived's exit status.
pub(super) fn refusal(loaded: &Loaded) -> Option<u8> {
    let unread = |d: &&Diagnostic| d.code == UNREADABLE || d.class == Class::IncludeFailed;
    let missing = loaded.diagnostics.iter().any(|d| unread(&d));
    let status = if missing {
        status::NO_CONFIG
    } else {
        status::CONFIG
    };
    loaded.is_refused().then_some(status)
}

/// What is said of a file, and how bad it is.
type Remark = (Severity, String);

/// A file that a reload could go over to.
pub(super) fn candidate(file: &Path, options: &config::Options) -> Candidate {
    let loaded = load(file, options);
    Candidate {
        remarks: remarks(file, &loaded),
        file: file.display().to_string(),
        config: (!is_refused(&loaded)).then_some(loaded.config),
    }
}

/// Also a file without a statement: one that is being written, or that was emptied by mistake.
fn is_refused(loaded: &Loaded) -> bool {
    loaded.is_empty || refusal(loaded).is_some()
}

fn remarks(file: &Path, loaded: &Loaded) -> Vec<Remark> {
    let mut remarks = lines(loaded);
    if loaded.is_empty && refusal(loaded).is_none() {
        let nothing = "there is nothing in it; to give up every address, stop the daemon";
        let file = file.display();
        remarks.push((Severity::Error, format!("{file}: error: {nothing}")));
    }
    remarks
}

/// Every problem as one line with its place.
fn lines(loaded: &Loaded) -> Vec<Remark> {
    let printer = Printer::new(&loaded.sources, false);
    let all = loaded.diagnostics.iter();
    all.map(|d| (d.severity, printer.line(d))).collect()
}
