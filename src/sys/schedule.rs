//! What the engine's thread asks of the scheduler and of memory.

use std::io;

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

use super::ffi;

/// Priority of the engine's thread within `SCHED_RR`.
pub const ENGINE_PRIORITY: i32 = 50;

/// Time that a real-time thread may run without sleeping, in microseconds, before the kernel
/// warns it and then kills the process: far above any real work, far below a hung host.
const RUNAWAY_LIMIT_MICROS: u64 = 2_000_000;

/// Gives the calling thread `SCHED_RR` at `priority`, 1–99.
///
/// Processes that it starts do not inherit the policy.
///
/// # Errors
/// The system's, mostly `EPERM` without `CAP_SYS_NICE`.
pub fn become_real_time(priority: i32) -> io::Result<()> {
    // A limit that cannot be set is no reason to go without the policy.
    let _ = setrlimit(
        Resource::RLIMIT_RTTIME,
        RUNAWAY_LIMIT_MICROS,
        RUNAWAY_LIMIT_MICROS * 2,
    );
    ffi::set_round_robin(priority)
}

/// Lets timers of the calling thread fire when they are due, not up to 50 µs later.
///
/// # Errors
/// The system's.
pub fn set_exact_timers() -> io::Result<()> {
    Ok(prctl::set_timerslack(1)?)
}

/// Keeps in RAM all memory of the process that is used, now or later.
///
/// Pages are locked when they are first touched: a thread's unused stack costs nothing.
///
/// # Errors
/// The system's, mostly `EPERM` or `ENOMEM` without `CAP_IPC_LOCK`.
pub fn lock_memory() -> io::Result<()> {
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    Ok(mlockall(
        MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault,
    )?)
}
