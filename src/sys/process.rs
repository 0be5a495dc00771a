//! Programs that are started, and who may start them.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::stat::Mode;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::ffi;

/// Search path when the environment has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program cannot be run, or should not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such user.
    #[error("user {0} does not exist")]
    NoUser(String),
    /// No such group.
    #[error("group {0} does not exist")]
    NoGroup(String),
    /// Not found, neither as a path nor in the search path.
    #[error("program {0} is not found")]
    NotFound(String),
    /// Found, but its user may not execute it.
    #[error("program {} is not executable by user {uid}", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// The user.
        uid: u32,
    },
    /// Somebody who is not root could change what root runs.
    #[error("{} {reason}, so somebody who is not root could change {}", component.display(), program.display())]
    Insecure {
        /// The program.
        program: PathBuf,
        /// The file or folder at fault.
        component: PathBuf,
        /// What is wrong with it.
        reason: Weakness,
    },
    /// The file system refuses.
    #[error("cannot look at {}", path.display())]
    Stat {
        /// What was looked at.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// What is wrong with a file or folder on the way to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Not owned by root.
    Owner(u32),
    /// Writable by a group that is not root's.
    GroupWritable,
    /// Writable by everybody.
    WorldWritable,
}

impl std::fmt::Display for Weakness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Owner(uid) => write!(f, "is owned by user {uid}"),
            Self::GroupWritable => f.write_str("is writable by its group (mode bit 020)"),
            Self::WorldWritable => f.write_str("is writable by everybody (mode bit 002)"),
        }
    }
}

/// User and group that a program runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
}

impl Identity {
    /// The daemon's own.
    #[must_use]
    pub fn own() -> Self {
        Self {
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        }
    }

    /// Looks up a user and, if given, a group, each by name or number.
    ///
    /// # Errors
    /// [`Error::NoUser`] or [`Error::NoGroup`].
    pub fn look_up(user: &str, group: Option<&str>) -> Result<Self, Error> {
        let found = User::from_name(user).ok().flatten().or_else(|| {
            let uid = user.parse().ok()?;
            User::from_uid(nix::unistd::Uid::from_raw(uid))
                .ok()
                .flatten()
        });
        let found = found.ok_or_else(|| Error::NoUser(user.to_owned()))?;
        let gid = match group {
            None => found.gid.as_raw(),
            Some(group) => group_number(group).ok_or_else(|| Error::NoGroup(group.to_owned()))?,
        };
        Ok(Self {
            uid: found.uid.as_raw(),
            gid,
        })
    }
}

fn group_number(group: &str) -> Option<u32> {
    let by_name = Group::from_name(group)
        .ok()
        .flatten()
        .map(|g| g.gid.as_raw());
    by_name.or_else(|| group.parse().ok())
}

/// The file that running `program` would execute: a path as it stands, a name from `PATH`.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::NotExecutable`].
pub fn locate(program: &str, identity: Identity) -> Result<PathBuf, Error> {
    let not_found = || Error::NotFound(program.to_owned());
    let found = if program.contains('/') {
        Some(PathBuf::from(program)).filter(|path| path.is_file())
    } else {
        let path = std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned());
        path.split(':')
            .map(|dir| Path::new(dir).join(program))
            .find(|path| path.is_file())
    };
    let program = found.ok_or_else(not_found)?;
    let metadata = std::fs::metadata(&program).map_err(|source| Error::Stat {
        path: program.clone(),
        source,
    })?;
    if executable(&metadata, identity) {
        Ok(program)
    } else {
        Err(Error::NotExecutable {
            program,
            uid: identity.uid,
        })
    }
}

fn executable(metadata: &std::fs::Metadata, identity: Identity) -> bool {
    let mode = metadata.mode();
    if identity.uid == 0 {
        mode & 0o111 != 0
    } else if metadata.uid() == identity.uid {
        mode & 0o100 != 0
    } else if metadata.gid() == identity.gid {
        mode & 0o010 != 0
    } else {
        mode & 0o001 != 0
    }
}

/// Walks from the root to the file behind `program` and demands that only root could change it.
///
/// Symbolic links are followed first, so the file that really runs is judged. A sticky folder
/// is fine. keepalived: `enable_script_security`.
///
/// # Errors
/// [`Error::Insecure`] for the first weakness, [`Error::Stat`] if a component cannot be read.
pub fn check_only_root_can_change(program: &Path) -> Result<(), Error> {
    let stat = |path: &Path, source| Error::Stat {
        path: path.to_owned(),
        source,
    };
    let real = program
        .canonicalize()
        .map_err(|source| stat(program, source))?;
    let mut components: Vec<&Path> = real.ancestors().collect();
    components.reverse();
    for component in components {
        let metadata = component
            .metadata()
            .map_err(|source| stat(component, source))?;
        if let Some(reason) = weakness(&metadata) {
            let (program, component) = (program.to_owned(), component.to_owned());
            return Err(Error::Insecure {
                program,
                component,
                reason,
            });
        }
    }
    Ok(())
}

fn weakness(metadata: &std::fs::Metadata) -> Option<Weakness> {
    let mode = metadata.mode();
    let sticky = metadata.is_dir() && mode & 0o1000 != 0;
    if metadata.uid() != 0 {
        Some(Weakness::Owner(metadata.uid()))
    } else if sticky {
        None
    } else if mode & 0o002 != 0 {
        Some(Weakness::WorldWritable)
    } else if mode & 0o020 != 0 && metadata.gid() != 0 {
        Some(Weakness::GroupWritable)
    } else {
        None
    }
}

/// How programs are started, besides who runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Mode bits that their files do not get. keepalived: `umask`.
    pub umask: u32,
    /// They get all groups of their user. keepalived: `set_supplementary_groups`.
    pub all_groups: bool,
}

impl Manner {
    /// keepalived's umask, where no other is given.
    pub const UMASK: u32 = 0o177;
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            umask: Self::UMASK,
            all_groups: false,
        }
    }
}

/// Prepares `argv` to be started as keepalived starts scripts: own process group, nothing open,
/// another user if asked, and an end when the daemon ends.
#[must_use]
pub fn prepare(program: &Path, argv: &[String], identity: Identity, manner: Manner) -> Command {
    let mut command = Command::new(program);
    if let Some((name, arguments)) = argv.split_first() {
        command.arg0(name).args(arguments);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for variable in ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    command.process_group(0);
    let other = (identity != Identity::own())
        .then(|| (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid)));
    let groups = manner.all_groups.then(|| all_groups(identity)).flatten();
    let guise = ffi::Guise {
        umask: Mode::from_bits_truncate(manner.umask),
        identity: other,
        groups,
    };
    ffi::before_exec(&mut command, guise);
    command
}

/// Every group of a user; nothing if the user has no name.
fn all_groups(identity: Identity) -> Option<Vec<Gid>> {
    let user = User::from_uid(Uid::from_raw(identity.uid)).ok().flatten()?;
    let name = CString::new(user.name).ok()?;
    getgrouplist(&name, Gid::from_raw(identity.gid)).ok()
}

/// The host's name up to the first dot. keepalived: the default of `-i` and `router_id`.
#[must_use]
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// Asks every process of the group that `prepare` made for `leader` to end.
pub fn terminate_group(leader: u32) {
    signal_group(leader, nix::sys::signal::Signal::SIGTERM);
}

/// Ends every process of the group that `prepare` made for `leader`.
pub fn kill_group(leader: u32) {
    signal_group(leader, nix::sys::signal::Signal::SIGKILL);
}

/// Sends signal `number` to one process; nothing happens if it has ended.
pub fn signal(process: u32, number: i32) {
    let process = i32::try_from(process).ok().filter(|pid| *pid > 1);
    let signal = nix::sys::signal::Signal::try_from(number);
    if let (Some(process), Ok(signal)) = (process, signal) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), signal);
    }
}

/// Waits for children in the group of `leader` that were killed with it.
///
/// Process 1 of a namespace inherits them from their dead parent; anybody else has none there.
pub fn reap_group(leader: u32) {
    let group = i32::try_from(leader).ok().filter(|pid| *pid > 1);
    let Some(group) = group else { return };
    while nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(-group), None).is_ok() {}
}

fn signal_group(leader: u32, signal: nix::sys::signal::Signal) {
    // Group 0 and 1 would be our own and init's.
    let group = i32::try_from(leader).ok().filter(|pid| *pid > 1);
    if let Some(group) = group {
        // It fails when the group is gone, which is what was wanted.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), signal);
    }
}

/// Goes on in the background: a new session, `/` as working directory, nothing open.
///
/// Call it before there is any other thread.
///
/// # Errors
/// The system's, when no process can be made.
pub fn go_to_background() -> io::Result<()> {
    Ok(nix::unistd::daemon(false, false)?)
}
