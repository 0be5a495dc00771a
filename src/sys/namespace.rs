//! Namespaces of threads and of whole programs, and what a program inside needs.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Moves the calling thread to a new network namespace with nothing but a loopback.
///
/// # Errors
///
/// The kernel's: it takes `CAP_SYS_ADMIN`.
pub fn leave_network() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNET)?)
}

/// Moves the calling thread to the network namespace that `namespace` is open on.
///
/// # Errors
///
/// The kernel's: it takes `CAP_SYS_ADMIN` over both.
pub fn enter_network(namespace: impl AsFd) -> io::Result<()> {
    Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?)
}

/// Where `ip netns add` makes network namespaces.
const NAMED: &str = "/run/netns";
/// Where keepalived's pid files of such a namespace lie.
const PID_FOLDER: &str = "/run/keepalived";

/// A network namespace that cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// There is none of this name.
    #[error("network namespace {name} cannot be opened: `ip netns add {name}` makes it")]
    Open {
        /// Its name.
        name: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The process may not go there.
    #[error("network namespace {name} cannot be entered")]
    Enter {
        /// Its name.
        name: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Its own folder for pid files cannot be had.
    #[error("{PID_FOLDER}/{name} cannot take the place of {PID_FOLDER}")]
    Folder {
        /// Name of the namespace.
        name: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Joins the network namespace `name`, and gives the process a view of `/run` of its own in which
/// `/run/keepalived` is `/run/keepalived/NAME`, so that daemons of several namespaces do not
/// meet. keepalived: `net_namespace`. Nothing else of the file system changes, not even
/// `/etc/netns`.
///
/// The calling thread and those it starts later are moved: call it before there is any other.
///
/// # Errors
///
/// [`JoinError`]; the process is somewhere in between then and should end.
pub fn join_network(name: &str) -> Result<(), JoinError> {
    let named = || name.to_owned();
    let open = |source| JoinError::Open {
        name: named(),
        source,
    };
    let enter = |source| JoinError::Enter {
        name: named(),
        source,
    };
    let folder = |source| JoinError::Folder {
        name: named(),
        source,
    };
    let namespace = File::open(Path::new(NAMED).join(name)).map_err(open)?;
    enter_network(namespace).map_err(enter)?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|e| enter(e.into()))?;
    // What is mounted outside later is still seen here, but not the other way round.
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).map_err(|e| folder(e.into()))?;
    let own = Path::new(PID_FOLDER).join(name);
    fs::create_dir_all(&own).map_err(folder)?;
    let bind = mount(
        Some(&own),
        PID_FOLDER,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    );
    bind.map_err(|e| folder(e.into()))
}

/// Moves this process to new namespaces of networks and mounts, and its children to one of
/// processes. `users` makes a new one of users first, which anybody may where the kernel allows
/// it; the process must have one thread then.
///
/// # Errors
///
/// The kernel's; nothing has changed then.
pub fn leave_host(users: bool) -> io::Result<()> {
    let mut spaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    spaces.set(CloneFlags::CLONE_NEWUSER, users);
    Ok(unshare(spaces)?)
}

/// Keeps mounts of this namespace from spreading to others, and theirs from coming here.
///
/// # Errors
///
/// The kernel's: it takes `CAP_SYS_ADMIN`.
pub fn make_mounts_private() -> io::Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
}

/// Mounts a new file system of the kernel's, such as `proc` or `tmpfs`, over `target`.
///
/// # Errors
///
/// The kernel's: it takes `CAP_SYS_ADMIN`, and a user namespace may not mount everything.
pub fn mount_over(kind: &str, target: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some(kind), target, Some(kind), flags, None::<&str>)?)
}

/// Has the kernel kill this process when the thread that started it ends.
///
/// # Errors
///
/// The kernel's.
pub fn die_with_parent() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// The kernel's number for the calling thread.
#[must_use]
pub fn thread_id() -> u32 {
    nix::unistd::gettid().as_raw().unsigned_abs()
}
