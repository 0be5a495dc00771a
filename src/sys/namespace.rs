//! Namespaces of threads and of whole programs, and what a program inside needs.

use std::io;
use std::os::fd::AsFd;

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
