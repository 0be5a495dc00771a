//! Pauses of threads that have the processor before everybody else.

use std::time::Duration;

use super::clock;
use crate::types::Instant;

/// Longest work without a pause: well below the time after which the kernel ends a process whose
/// real-time threads never sleep (`RLIMIT_RTTIME`), so that no flood of packets can have that done.
const LONGEST_WORK: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_micros(20);
/// A wait of that length was a sleep.
const SLEEP: Duration = Duration::from_micros(500);

/// When a thread has slept last.
#[derive(Debug)]
pub(super) struct Breath {
    slept_at: Instant,
}

impl Breath {
    /// Begins now.
    pub(super) fn new() -> Self {
        Self {
            slept_at: clock::now(),
        }
    }

    /// Takes note of a wait that began at `began`.
    pub(super) fn waited(&mut self, began: Instant) {
        let now = clock::now();
        if now.saturating_since(began) >= SLEEP {
            self.slept_at = now;
        }
    }

    /// Sleeps for a moment if the thread has not for long.
    pub(super) fn take_if_due(&mut self) {
        if clock::now().saturating_since(self.slept_at) >= LONGEST_WORK {
            std::thread::sleep(PAUSE);
            self.slept_at = clock::now();
        }
    }
}
