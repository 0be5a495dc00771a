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

/// When a packet was received that the kernel stamped with the wall clock's time.
///
/// A stamp that the wall clock has since been set back behind counts as now.
///
/// # Panics
/// If the kernel has no `CLOCK_REALTIME`; every Linux has it.
#[must_use]
pub fn received_at(stamp: Option<Duration>) -> Instant {
    let now = now();
    let Some(stamp) = stamp else { return now };
    let wall = clock_gettime(ClockId::CLOCK_REALTIME).expect("Linux has a wall clock");
    now - Duration::from(wall).saturating_sub(stamp)
}
