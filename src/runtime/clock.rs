//! The only place where time is read.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::types::Instant;

/// Now, on a clock that never jumps.
///
/// # Panics
/// If the kernel has no `CLOCK_MONOTONIC`; every Linux has it.
#[must_use]
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    Instant::default() + Duration::from(time)
}

/// The wall clock: time since 1970 in UTC. It may jump.
///
/// # Panics
/// If the kernel has no `CLOCK_REALTIME`; every Linux has it.
#[must_use]
pub fn since_epoch() -> Duration {
    let wall = clock_gettime(ClockId::CLOCK_REALTIME).expect("Linux has a wall clock");
    Duration::from(wall)
}

/// When a packet was received that the kernel stamped with the wall clock's time.
///
/// A stamp that the wall clock has since been set back behind counts as now.
#[must_use]
pub fn received_at(stamp: Option<Duration>) -> Instant {
    let now = now();
    let Some(stamp) = stamp else { return now };
    now - since_epoch().saturating_sub(stamp)
}
