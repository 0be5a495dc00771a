//! The signals that the daemon heeds.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// See the module. Each is caught from the moment that this value exists.
pub(super) struct Signals {
    pub(super) hangup: Signal,
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    pub(super) data: Signal,
    pub(super) statistics: Signal,
    /// keepalived: `JSON`, `STATS_CLEAR` and `TDUMP`. Unheeded, they would end the process.
    pub(super) json: Signal,
    pub(super) clear: Signal,
    pub(super) threads: Signal,
    /// A real-time thread does not pause.
    pub(super) processor: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            data: signal(SignalKind::user_defined1())?,
            statistics: signal(SignalKind::user_defined2())?,
            json: signal(SignalKind::from_raw(libc::SIGRTMIN() + 2))?,
            clear: signal(SignalKind::from_raw(libc::SIGRTMAX() - 1))?,
            threads: signal(SignalKind::from_raw(libc::SIGRTMAX()))?,
            processor: signal(SignalKind::from_raw(libc::SIGXCPU))?,
        })
    }
}
