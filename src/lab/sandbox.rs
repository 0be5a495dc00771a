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

use super::Error;
use crate::sys::namespace;
use crate::sys::process::Identity;

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
        namespace::make_mounts_private().map_err(failed("make the mounts private"))?;
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

/// Being process 1 of a [`Sandbox`], set up.
#[derive(Debug)]
pub struct Inside {
    /// The number of this process outside, for nsenter(1).
    pub outside_id: Option<u32>,
}

impl Inside {
    /// Ties this process's life to the one outside, and gives it its own `/proc` and an empty
    /// `/run`.
    ///
    /// # Errors
    ///
    /// [`Error::Sandbox`] if the kernel forbids it.
    pub fn enter() -> Result<Self, Error> {
        namespace::die_with_parent().map_err(failed("be killed with the process outside"))?;
        thread::Builder::new()
            .name("outside".to_owned())
            .spawn(exit_with_outside)
            .map_err(Error::Thread)?;
        // Until here /proc is the outside's, and shows this process by its number there.
        let outside_id = fs::read_link("/proc/self")
            .ok()
            .and_then(|id| id.to_str()?.parse().ok());
        // A container that hides parts of /proc forbids a fresh one. The old one does, too: there,
        // /proc/self is right, and only the process numbers are the outside's.
        let _ = namespace::mount_over("proc", "/proc");
        namespace::mount_over("tmpfs", "/run").map_err(failed("mount an empty /run"))?;
        Ok(Self { outside_id })
    }
}

impl Inside {
    /// What somebody outside types before a command to run it in the network namespace of the
    /// process or thread `id`, which is a number inside.
    #[must_use]
    pub fn enter_command(&self, id: u32) -> Option<String> {
        let outside_id = self.outside_id?;
        let user = if is_own_user_namespace() {
            " --user --preserve-credentials"
        } else {
            ""
        };
        let network = format!("/proc/{outside_id}/root/proc/{id}/ns/net");
        Some(format!(
            "nsenter --target {outside_id}{user} --net={network}"
        ))
    }
}

/// The map of the first user namespace has all users in it; [`become_root`] maps one.
fn is_own_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().nth(2) == Some("1")
}

/// The process outside may have died before it could take us with it.
fn exit_with_outside() {
    let ended = io::stdin().read(&mut [0]);
    if matches!(ended, Ok(0)) {
        std::process::exit(1);
    }
}

fn leave_host() -> Result<(), Error> {
    let outside = Identity::own();
    // Root keeps real-time priority and large buffers if it stays itself.
    if outside.uid == 0 && namespace::leave_host(false).is_ok() {
        return Ok(());
    }
    namespace::leave_host(true).map_err(failed("make private namespaces"))?;
    become_root(outside).map_err(failed("become root of a user namespace"))
}

/// Root inside, the caller outside, and nobody else.
fn become_root(outside: Identity) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {} 1", outside.uid))?;
    fs::write("/proc/self/gid_map", format!("0 {} 1", outside.gid))
}

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Sandbox { step, source }
}
