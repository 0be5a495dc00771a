//! What threads ask of the scheduler, and the process of memory and of its limits.

use std::io;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::Pid;

use super::ffi;

/// Time that a real-time thread may run without sleeping, in microseconds, before the kernel
/// kills the process: far above any real work, far below a hung host.
const RUNAWAY_LIMIT_MICROS: u64 = 2_000_000;

/// Gives a thread of this process `SCHED_RR` at `priority`, 1–99, or ordinary scheduling.
///
/// Processes that it starts do not inherit the policy.
///
/// # Errors
/// The system's, mostly `EPERM` without `CAP_SYS_NICE`.
pub fn set_real_time(thread: u32, priority: Option<u8>) -> io::Result<()> {
    ffi::set_policy(thread.cast_signed(), priority.map(i32::from))
}

/// Has the kernel send `SIGXCPU` to the process when a real-time thread has run for `micros`
/// without a pause, and kill it at 2 s, or a second later if that is more.
///
/// # Errors
/// The system's, mostly `EPERM` where a limit would grow without `CAP_SYS_RESOURCE`.
pub fn limit_real_time(micros: u64) -> io::Result<()> {
    let kill = RUNAWAY_LIMIT_MICROS.max(micros.saturating_add(1_000_000));
    Ok(setrlimit(Resource::RLIMIT_RTTIME, micros, kill)?)
}

/// Gives a thread of this process a nice value, -20 to 19.
///
/// # Errors
/// The system's, mostly `EACCES` without `CAP_SYS_NICE`.
pub fn set_nice(thread: u32, nice: i8) -> io::Result<()> {
    ffi::set_nice(thread, i32::from(nice))
}

/// Keeps a thread of this process on these processors.
///
/// # Errors
/// The system's: `EINVAL` if none of them is there.
pub fn set_processors(thread: u32, processors: &[u16]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for processor in processors {
        set.set(usize::from(*processor))?;
    }
    Ok(sched_setaffinity(
        Pid::from_raw(thread.cast_signed()),
        &set,
    )?)
}

/// The threads of this process, its first one first.
///
/// # Errors
/// Those of reading `/proc`.
pub fn threads() -> io::Result<Vec<u32>> {
    let mut threads = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task")? {
        let name = entry?.file_name();
        threads.extend(name.to_str().and_then(|n| n.parse::<u32>().ok()));
    }
    threads.sort_by_key(|id| (*id != std::process::id(), *id));
    Ok(threads)
}

/// Names a thread of this process, in at most 15 bytes. The first one's name is the process's.
///
/// # Errors
/// Those of writing to `/proc`.
pub fn set_name(thread: u32, name: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/self/task/{thread}/comm"), name)
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

/// Has the kernel write an image of the process if it crashes, of any size.
///
/// # Errors
/// The system's, where the hard limit is lower and may not grow.
pub fn allow_core_dumps() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)?;
    Ok(prctl::set_dumpable(true)?)
}
