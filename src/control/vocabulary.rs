//! The state words of keepalived. Nothing else spells them.

use crate::vrrp::instance::{Instance, State, Transition};

/// As scripts, FIFOs and logs have it.
#[must_use]
pub const fn transition(transition: Transition) -> &'static str {
    match transition {
        Transition::Active => "MASTER",
        Transition::Backup => "BACKUP",
        Transition::Fault => "FAULT",
        Transition::Stopped => "STOP",
        Transition::Deleted => "DELETED",
    }
}

/// The state of an instance: Initialize is `FAULT` when something keeps it there.
#[must_use]
pub fn state(instance: &Instance) -> &'static str {
    match instance.state() {
        State::Active { .. } => "MASTER",
        State::Backup { .. } => "BACKUP",
        State::Initialize if instance.faults().is_empty() => "INIT",
        State::Initialize => "FAULT",
    }
}
