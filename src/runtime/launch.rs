//! From a configured command to a program that may be started, and its run.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::config::model::{Command, Globals, ScriptUser};
use crate::config::programs::Program;
use crate::sys::process::{self, Identity, Manner};

/// keepalived's default user of scripts, where it exists.
const DEFAULT_USER: &str = "keepalived_script";
/// Time between TERM and KILL. keepalived-behaviour.md §7.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// A program that was found, with its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    program: PathBuf,
    argv: Vec<String>,
    identity: Identity,
    manner: Manner,
}

/// Why a script is not run at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The system's reason.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// `enable_script_security` without anybody to run scripts as.
    #[error("enable_script_security needs a script_user, or a user called keepalived_script")]
    NobodyToRunAs,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It ended by itself.
    Ended(ExitStatus),
    /// It took too long and was killed.
    TimedOut,
    /// It could not be started.
    NotStarted,
}

impl Outcome {
    /// Whether it could be started at all.
    pub(super) fn ran(self) -> bool {
        !matches!(self, Self::NotStarted)
    }

    pub(super) fn is_success(self) -> bool {
        matches!(self, Self::Ended(status) if status.success())
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::os::unix::process::ExitStatusExt;
        match self {
            Self::Ended(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "exited with status {code}"),
                (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
                (None, None) => f.write_str("ended"),
            },
            Self::TimedOut => f.write_str("timed out"),
            Self::NotStarted => f.write_str("could not be started"),
        }
    }
}

/// Finds the program and its user, and applies the rules for scripts.
///
/// keepalived-behaviour.md §13: what root runs, only root may be able to change. Without
/// `enable_script_security` a weakness is a warning.
pub(super) fn resolve(command: &Command, globals: &Globals, what: &str) -> Result<Launch, Refused> {
    let user = command.user.as_ref().or(globals.script_user.as_ref());
    let identity = identity(user, globals)?;
    let name = command.argv.first().map(String::as_str).unwrap_or_default();
    let found = process::locate(name, identity)?;
    let program = match found.canonicalize() {
        Ok(real) if !globals.follow_links => real,
        _ => found,
    };
    if identity.uid == 0
        && let Err(error) = process::check_only_root_can_change(&program)
    {
        if globals.script_security {
            return Err(error.into());
        }
        tracing::warn!("{what}: {error}; enable_script_security would refuse it");
    }
    Ok(Launch {
        program,
        argv: command.argv.clone(),
        identity,
        manner: Manner {
            umask: globals.process.umask.unwrap_or(Manner::UMASK),
            all_groups: globals.all_groups || user.is_some_and(|u| u.all_groups),
        },
    })
}

/// What the rules for scripts say of a command, without a word to the log. For `-t`.
pub(super) fn examine(command: &Command, globals: &Globals) -> Program {
    let user = command.user.as_ref().or(globals.script_user.as_ref());
    let identity = match identity(user, globals) {
        Ok(identity) => identity,
        Err(why) => return Program::Missing(why.to_string()),
    };
    let name = command.argv.first().map(String::as_str).unwrap_or_default();
    match process::locate(name, identity) {
        Err(why) => Program::Missing(why.to_string()),
        Ok(program) if identity.uid == 0 => match process::check_only_root_can_change(&program) {
            Ok(()) => Program::Usable,
            Err(why) => Program::Insecure(why.to_string()),
        },
        Ok(_) => Program::Usable,
    }
}

fn identity(user: Option<&ScriptUser>, globals: &Globals) -> Result<Identity, Refused> {
    if let Some(ScriptUser { user, group, .. }) = user {
        return Ok(Identity::look_up(user, group.as_deref())?);
    }
    match Identity::look_up(DEFAULT_USER, None) {
        Ok(identity) => Ok(identity),
        Err(_) if globals.script_security => Err(Refused::NobodyToRunAs),
        Err(_) => Ok(Identity::own()),
    }
}

/// Ends the processes of a run when it is dropped while it runs: by a reload, or at the end.
struct Abandoned(u32);

impl Drop for Abandoned {
    fn drop(&mut self) {
        process::terminate_group(self.0);
    }
}

impl Launch {
    /// Runs the program to its end, for at most `timeout`.
    pub(super) async fn run(&self, timeout: Duration) -> Outcome {
        let command = process::prepare(&self.program, &self.argv, self.identity, self.manner);
        let mut child = match tokio::process::Command::from(command).spawn() {
            Ok(child) => child,
            Err(error) => {
                tracing::warn!(program = %self.program.display(), "cannot start: {error}");
                return Outcome::NotStarted;
            }
        };
        let leader = child.id().unwrap_or_default();
        // A run that nobody waits for any more must not go on for ever.
        let abandoned = Abandoned(leader);
        let ended = tokio::time::timeout(timeout, child.wait()).await;
        std::mem::forget(abandoned);
        match ended {
            Ok(Ok(status)) => return Outcome::Ended(status),
            Ok(Err(_)) => return Outcome::NotStarted,
            Err(_) => process::terminate_group(leader),
        }
        if tokio::time::timeout(KILL_AFTER, child.wait())
            .await
            .is_err()
        {
            process::kill_group(leader);
            // KILL cannot be refused; a process stuck in the kernel is reaped when it returns.
            let _ = tokio::time::timeout(KILL_AFTER, child.wait()).await;
        }
        Outcome::TimedOut
    }
}
