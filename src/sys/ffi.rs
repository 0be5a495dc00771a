//! System calls that no safe wrapper offers: the only `unsafe` of the crate.
#![expect(
    unsafe_code,
    reason = "the one place for it; every block says why it is sound"
)]

use std::io;
use std::mem;
use std::process::Command;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, geteuid, getppid, setgid, setgroups, setuid};
use socket2::{SockAddr, SockAddrStorage};

#[expect(clippy::cast_possible_truncation, reason = "the value is 17")]
const AF_PACKET: u16 = libc::AF_PACKET as u16;
#[expect(clippy::cast_possible_truncation, reason = "the value is 20")]
const LINK_ADDRESS_LEN: libc::socklen_t = mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// Address of everybody on the link of `ifindex`, for an `AF_PACKET` socket.
pub(super) fn link_broadcast(ifindex: u32, protocol: u16) -> SockAddr {
    let address = libc::sockaddr_ll {
        sll_family: AF_PACKET,
        sll_protocol: protocol.to_be(),
        sll_ifindex: ifindex.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
    };
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the types that a `sockaddr_storage` is made to hold: it is
    // smaller, no stricter in alignment, and plain data.
    unsafe { *storage.view_as::<libc::sockaddr_ll>() = address };
    // SAFETY: the first `LINK_ADDRESS_LEN` bytes of `storage` are the `sockaddr_ll` written above.
    unsafe { SockAddr::new(storage, LINK_ADDRESS_LEN) }
}

/// Gives thread `thread` of this process the policy round robin with a priority (1–99), or the
/// ordinary one.
pub(super) fn set_policy(thread: libc::pid_t, priority: Option<i32>) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority.unwrap_or(0),
    };
    let kind = match priority {
        Some(_) => libc::SCHED_RR,
        None => libc::SCHED_OTHER,
    };
    let policy = kind | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the call reads `parameter`, which outlives it, and nothing else of this process.
    match unsafe { libc::sched_setscheduler(thread, policy, &raw const parameter) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives thread `thread` of this process a nice value.
pub(super) fn set_nice(thread: u32, nice: i32) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, thread, nice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a program becomes before it begins.
pub(super) struct Guise {
    /// Mode bits that its files do not get.
    pub(super) umask: Mode,
    /// Its user and group, if they are not this process's.
    pub(super) identity: Option<(Uid, Gid)>,
    /// All its groups, where it is to have more than its own.
    pub(super) groups: Option<Vec<Gid>>,
}

/// Has `command` take on `guise`, and get TERM from the kernel when the thread that starts it
/// ends.
pub(super) fn before_exec(command: &mut Command, guise: Guise) {
    use std::os::unix::process::CommandExt;
    let parent = std::process::id();
    let hook = move || {
        umask(guise.umask);
        match (&guise.groups, guise.identity) {
            (Some(groups), _) => setgroups(groups)?,
            (None, Some(_)) if geteuid().is_root() => setgroups(&[])?,
            (None, _) => {}
        }
        if let Some((uid, gid)) = guise.identity {
            setgid(gid)?;
            setuid(uid)?;
        }
        // A change of user takes it away again, so it comes last.
        prctl::set_pdeathsig(Signal::SIGTERM)?;
        // The parent may have died before the call above.
        if getppid().as_raw().cast_unsigned() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the hook makes system calls only, each of them async-signal-safe on Linux in a
    // process that has forked and has one thread, and allocates nothing.
    unsafe { command.pre_exec(hook) };
}
