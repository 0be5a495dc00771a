//! How the process itself runs: where, under which name, how urgently, and what it does around
//! its life and its reloads.

use std::path::PathBuf;
use std::time::Duration;

use super::Command;

/// What `startup_script` and `shutdown_script` may take, unless the file says otherwise.
pub const ERRAND_TIMEOUT: Duration = Duration::from_secs(10);

/// What the process is and may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Network namespace under `/run/netns` that the daemon joins at its start; its own when
    /// `None`. keepalived: `net_namespace`, `-s`.
    pub namespace: Option<String>,
    /// Tells several daemons of one host apart in names of pid files and in the log.
    /// keepalived: `instance`.
    pub instance: Option<String>,
    /// Pid files lie in a folder of their own. keepalived: `use_pid_dir`.
    pub pid_folder: bool,
    /// Name that `ps` and `pgrep` show. keepalived: `process_name`, else `vrrp_process_name`.
    pub name: Option<String>,
    /// Name of the thread that speaks VRRP. keepalived: `vrrp_process_name`, `process_names`.
    pub engine_name: Option<String>,
    /// What its threads get of the processors.
    pub precedence: Precedence,
    /// Mode bits that files written by the daemon and by its scripts do not get, 0–0o777; 0o177
    /// when `None`. keepalived: `umask`.
    pub umask: Option<u32>,
    /// Run before anything else. keepalived: `startup_script`.
    pub startup: Option<Errand>,
    /// Run when everything has ended. keepalived: `shutdown_script`.
    pub shutdown: Option<Errand>,
    /// What happens around a reload.
    pub reload: Reload,
    /// Adverts for no instance of this host are logged. keepalived: `log_unknown_vrids`.
    pub log_strangers: bool,
}

/// What threads get of the processors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precedence {
    /// Nice value of all threads but the one that starts scripts, -20 to 19. keepalived:
    /// `vrrp_priority`.
    pub nice: Option<i8>,
    /// Priority of the engine within `SCHED_RR`, 1–99. keepalived: `vrrp_rt_priority`.
    pub real_time: Option<u8>,
    /// The most that the daemon may take of that by itself, 0–99; 0 is none at all.
    /// keepalived: `max_auto_priority`.
    pub ceiling: Option<u8>,
    /// Time that a real-time thread may run without a pause before the log says so, in
    /// microseconds. keepalived: `vrrp_rlimit_rttime`.
    pub limit_micros: Option<u32>,
    /// Processors that the daemon and its scripts may use; all when empty. keepalived:
    /// `vrrp_cpu_affinity`.
    pub processors: Vec<u16>,
}

impl Precedence {
    /// Priority of the engine within `SCHED_RR`, where nothing says otherwise.
    pub const USUAL: u8 = 50;

    /// Priority that the engine asks for within `SCHED_RR`; `None` is ordinary scheduling.
    #[must_use]
    pub fn engine_priority(&self) -> Option<u8> {
        let most = self.ceiling.unwrap_or(99);
        let wanted = self.real_time.unwrap_or(Self::USUAL.min(most));
        (wanted > 0).then_some(wanted)
    }
}

/// A script that the daemon waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// What is run.
    pub command: Command,
    /// It is ended after that; default [`ERRAND_TIMEOUT`].
    pub timeout: Duration,
}

/// What happens around a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reload {
    /// File that says when to reload. keepalived: `reload_time_file`.
    pub time_file: Option<PathBuf>,
    /// A time without a date holds for every day. keepalived: `reload_repeat`.
    pub daily: bool,
    /// A file that exists while the configuration is read. keepalived: `reload_file`.
    pub mark: Option<Mark>,
    /// Every complaint refuses the new file. keepalived: `reload_check_config`.
    pub strict: bool,
    /// Where the complaints of a refused file go, besides the log. keepalived: the value of
    /// `reload_check_config`.
    pub report: Option<PathBuf>,
    /// Folder that gets a copy of each configuration that runs. keepalived: `config_save_dir`.
    pub archive: Option<PathBuf>,
}

/// Where the mark of a reload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// `keepalived.reload` beside the pid files.
    Usual,
    /// This file.
    At(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_priority_wins_over_the_ceiling() {
        let with = |real_time, ceiling| {
            let precedence = Precedence {
                real_time,
                ceiling,
                ..Precedence::default()
            };
            precedence.engine_priority()
        };
        assert_eq!(with(None, None), Some(50));
        assert_eq!(with(Some(20), None), Some(20));
        assert_eq!(with(Some(20), Some(0)), Some(20));
        assert_eq!(with(None, Some(10)), Some(10));
        assert_eq!(with(None, Some(99)), Some(50));
        assert_eq!(with(None, Some(0)), None);
    }
}
