//! System calls that no safe wrapper offers: the only `unsafe` of the crate.
#![expect(
    unsafe_code,
    reason = "the one place for it; every block says why it is sound"
)]

use std::io;
use std::mem;
use std::process::Command;

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

/// Gives the calling thread the real-time policy round robin with `priority` (1–99).
pub(super) fn set_round_robin(priority: i32) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: pid 0 is the calling thread, and `parameter` outlives the call.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the kernel send TERM to the process of `command` when the thread that starts it ends.
pub(super) fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let parent = std::process::id();
    let hook = move || {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGTERM)?;
        // The parent may have died before the call above.
        if nix::unistd::getppid().as_raw().cast_unsigned() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: the hook calls prctl(2) and getppid(2), both async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(hook) };
}
