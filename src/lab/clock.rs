//! Real time: the lab measures it, and nothing that it does is ever replayed.
#![expect(clippy::disallowed_methods, reason = "the lab measures real time")]

use std::sync::LazyLock;
use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use crate::types::Instant;

/// Where [`now`] counts from.
static ORIGIN: LazyLock<StdInstant> = LazyLock::new(StdInstant::now);

/// Time since the first call, on a clock that never jumps.
#[must_use]
pub fn now() -> Instant {
    Instant::default() + ORIGIN.elapsed()
}

/// Nanoseconds since 1970, on the clock of captured frames.
#[must_use]
pub fn realtime_nanos() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
