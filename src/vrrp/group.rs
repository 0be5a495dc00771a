//! Sync groups: instances that are Active together or not at all.
//!
//! A group owns no timer and no packet. After every input to a member it compares how the members
//! stand and says what the others are to do; [`Router`](super::router::Router) passes that on
//! within the same call. keepalived-behaviour.md §8.

use super::instance::{Fault, Input, Instance, State, Transition};
use crate::types::InstanceId;

/// Names one sync group for as long as the daemon lives, also across reloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

/// Rounds of orders after which the members agree: faults, then states, and one to spare.
pub(super) const ROUNDS: usize = 4;

/// The members of a sync group, and what others know of it.
#[derive(Debug)]
pub(super) struct Group {
    /// In configured order.
    pub members: Vec<InstanceId>,
    pub told: Option<Transition>,
}

/// Whether an instance has reasons of its own not to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Well,
    Pending,
    Faulty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Not added yet.
    Absent,
    /// Not started yet, or handing over while it is shut down.
    Idle,
    Stopped,
    Initialize,
    Backup {
        wants_active: bool,
    },
    Active,
}

/// How one member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    id: InstanceId,
    role: Role,
    /// Faults that do not come from the group.
    own: Health,
    /// Faults that do.
    group: Health,
}

impl Standing {
    pub(super) fn of(id: InstanceId, instance: Option<&Instance>) -> Self {
        let Some(instance) = instance else {
            return Self {
                id,
                role: Role::Absent,
                own: Health::Well,
                group: Health::Well,
            };
        };
        let runs = !matches!(instance.state(), State::Initialize);
        let health = |of_group| {
            let faults = instance.faults().iter();
            // What does not stop this member must not stop the others.
            let counts = |f: &&Fault| f.is_of_group() == of_group && !(runs && f.only_bars_start());
            let faults = faults.filter(counts);
            let each = faults.map(|f| match f.is_pending() {
                true => Health::Pending,
                false => Health::Faulty,
            });
            each.max().unwrap_or(Health::Well)
        };
        let role = match instance.state() {
            _ if instance.is_stopped() => Role::Stopped,
            _ if !instance.is_running() => Role::Idle,
            State::Initialize => Role::Initialize,
            State::Backup { .. } => Role::Backup {
                wants_active: instance.wants_active(),
            },
            State::Active { .. } => Role::Active,
        };
        Self {
            id,
            role,
            own: health(false),
            group: health(true),
        }
    }

    const fn is_running(&self) -> bool {
        match self.role {
            Role::Absent | Role::Idle | Role::Stopped => false,
            Role::Initialize | Role::Backup { .. } | Role::Active => true,
        }
    }
}

/// What the members are to do so that they stand alike; nothing if they do.
///
/// A fault of one is a fault of all. One that waits while another is Active takes it back; when
/// all others want to be Active or are, all become so. Members that are shut down hand over by
/// themselves and take nobody with them.
pub(super) fn orders(members: &[Standing]) -> Vec<(InstanceId, Input)> {
    let faults = fault_orders(members);
    if !faults.is_empty() {
        return faults;
    }
    if !members.iter().all(Standing::is_running) {
        return Vec::new();
    }
    let to_all = |role: &dyn Fn(Role) -> bool, input: Input| {
        let concerned = members.iter().filter(|m| role(m.role));
        concerned.map(|m| (m.id, input.clone())).collect()
    };
    let is_active = |role| role == Role::Active;
    let wants = |role| role == Role::Backup { wants_active: true };
    if members.iter().all(|m| is_active(m.role) || wants(m.role)) {
        to_all(&wants, Input::TakeOver)
    } else {
        to_all(&is_active, Input::StepBack)
    }
}

fn fault_orders(members: &[Standing]) -> Vec<(InstanceId, Input)> {
    let (mut raised, mut cleared) = (Vec::new(), Vec::new());
    for member in members.iter().filter(|m| m.role != Role::Absent) {
        let others = members.iter().filter(|other| other.id != member.id);
        let worst = others.map(|other| other.own).max().unwrap_or(Health::Well);
        if worst == member.group {
            continue;
        }
        raised.extend(fault(worst).map(|f| (member.id, Input::FaultRaised(f))));
        cleared.extend(fault(member.group).map(|f| (member.id, Input::FaultCleared(f))));
    }
    // Raised before cleared: no member may run between the two.
    raised.append(&mut cleared);
    raised
}

const fn fault(health: Health) -> Option<Fault> {
    match health {
        Health::Well => None,
        Health::Pending => Some(Fault::GroupPending),
        Health::Faulty => Some(Fault::Group),
    }
}

/// The state of a whole group as others are told of it; nothing while it is not settled.
pub(super) fn state(members: &[Standing]) -> Option<Transition> {
    if members.iter().all(|m| m.role == Role::Stopped) {
        return Some(Transition::Stopped);
    }
    if !members.iter().all(Standing::is_running) {
        return None;
    }
    match members.iter().map(|m| m.own).max()? {
        Health::Faulty => Some(Transition::Fault),
        Health::Pending if members.iter().all(|m| m.role == Role::Initialize) => None,
        _ if members.iter().all(|m| m.role == Role::Active) => Some(Transition::Active),
        Health::Pending | Health::Well => Some(Transition::Backup),
    }
}

#[cfg(test)]
mod tests;
