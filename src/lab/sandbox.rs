//! Private namespaces for a whole program, with or without root.
//!
//! A process cannot move itself into a new process namespace, so it makes the namespaces and
//! starts its own program again inside, as process 1. When process 1 dies, the kernel kills
//! everything in there; and it dies with the one outside, even if that is killed with `SIGKILL`.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getgid, getuid};

use super::Error;

/// This program, running again in namespaces of its own: network, mounts, processes, and users
/// where the process is not root.
#[derive(Debug)]
pub struct Sandbox {
    child: Child,
}

impl Sandbox {
    /// Makes the namespaces and starts this program again inside, with `arguments`. The new
    /// process calls [`Inside::enter`] first.
    ///
    /// Afterwards the calling process is in the new namespaces as well, and of no use for
    /// anything but waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] if the kernel forbids it, or if this process has a second thread.
    pub fn start(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Self, Error> {
        leave_host()?;
        private_mounts().map_err(failed("make the mounts private"))?;
        let child = Command::new("/proc/self/exe")
            .arg0("vipd")
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(failed("start the program again in its own namespaces"))?;
        Ok(Self { child })
    }

    /// Waits until the program inside has ended.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] if it cannot be waited for.
    pub fn wait(mut self) -> Result<ExitStatus, Error> {
        // It takes the end of its standard input for our death, so that stays open until here.
        let input = self.child.stdin.take();
        let status = self
            .child
            .wait()
            .map_err(failed("wait for the program inside"));
        drop(input);
        status
    }
}

/// Proof of being process 1 of a [`Sandbox`], set up.
#[derive(Debug)]
pub struct Inside(());

impl Inside {
    /// Ties this process's life to the one outside, and gives it its own `/proc` and an empty
    /// `/run`.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] if the kernel forbids it.
    pub fn enter() -> Result<Self, Error> {
        set_pdeathsig(Signal::SIGKILL).map_err(failed("be killed with the process outside"))?;
        thread::Builder::new()
            .name("outside".to_owned())
            .spawn(exit_with_outside)
            .map_err(Error::Thread)?;
        // A container that hides parts of /proc forbids a fresh one. The old one does, too: there,
        // /proc/self is right, and only the process numbers are the outside's.
        let _ = mount_over("proc", "/proc");
        mount_over("tmpfs", "/run").map_err(failed("mount an empty /run"))?;
        Ok(Self(()))
    }
}

/// The process outside may have died before it could take us with it.
fn exit_with_outside() {
    let ended = io::stdin().read(&mut [0]);
    if matches!(ended, Ok(0)) {
        std::process::exit(1);
    }
}

fn leave_host() -> Result<(), Error> {
    let spaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    let (uid, gid) = (getuid(), getgid());
    // Root keeps real-time priority and large buffers if it stays itself.
    if uid.is_root() && unshare(spaces).is_ok() {
        return Ok(());
    }
    unshare(spaces | CloneFlags::CLONE_NEWUSER).map_err(failed("make private namespaces"))?;
    become_root(uid, gid).map_err(failed("become root of a user namespace"))
}

/// Root inside, the caller outside, and nobody else.
fn become_root(uid: Uid, gid: Gid) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

fn private_mounts() -> Result<(), Errno> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
}

fn mount_over(kind: &str, target: &str) -> Result<(), Errno> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some(kind), target, Some(kind), flags, None::<&str>)
}

fn failed<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::Sandbox {
        step,
        source: source.into(),
    }
}
