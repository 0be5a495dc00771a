//! The kernel's clocks: the lab measures real time, and packets are stamped with it.

use nix::time::{ClockId, clock_gettime};

use crate::types::Instant;

/// Time on the clock that never jumps (`CLOCK_MONOTONIC`).
#[must_use]
pub fn now() -> Instant {
    Instant::from_nanos(nanos(ClockId::CLOCK_MONOTONIC))
}

/// Nanoseconds since 1970 (`CLOCK_REALTIME`), the clock of captured frames.
#[must_use]
pub fn realtime_nanos() -> u64 {
    nanos(ClockId::CLOCK_REALTIME)
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("every Linux has both clocks");
    to_nanos(time.tv_sec(), time.tv_nsec())
}

/// Nanoseconds of a `timespec` after 1970.
pub(super) fn to_nanos(seconds: i64, nanos: i64) -> u64 {
    let part = |value| u64::try_from(value).unwrap_or(0);
    part(seconds)
        .saturating_mul(1_000_000_000)
        .saturating_add(part(nanos))
}
