//! Shows what everything is like now.

use std::sync::Arc;

use super::Driver;
use crate::runtime::clock;
use crate::runtime::look::{GroupLook, InstanceLook, Look};
use crate::runtime::member::Member;
use crate::types::InstanceId;
use crate::vrrp::instance::State;

impl Driver {
    pub(super) fn look(&self) -> Look {
        let members = self.members.iter();
        let group = |(id, name): (&_, &_)| {
            let look = GroupLook {
                name: Arc::clone(name),
                told: self.router.group_told(*id),
            };
            (*id, look)
        };
        Look {
            at: clock::now(),
            since_epoch: clock::since_epoch(),
            instances: members
                .filter_map(|(id, member)| self.look_at(*id, member))
                .collect(),
            groups: self.groups.iter().map(group).collect(),
            strangers: self.strangers.clone(),
        }
    }

    fn look_at(&self, id: InstanceId, member: &Member) -> Option<InstanceLook> {
        let instance = self.router.instance(id)?;
        let state = instance.state();
        let interval = match state {
            State::Backup {
                active_adver_interval,
                ..
            } => active_adver_interval,
            State::Initialize | State::Active { .. } => instance.config().advertisement_interval,
        };
        Some(InstanceLook {
            id,
            config: Arc::clone(&member.config),
            device: member.own_device().cloned(),
            state,
            since: member.since,
            priority: instance.priority(),
            parts: self.router.parts(id).collect(),
            faults: instance.faults().clone(),
            wants_active: instance.wants_active(),
            active_down_interval: instance.active_down_interval(interval),
            holds_addresses: instance.holds_addresses(),
            placements: Arc::clone(&member.placements),
            source: member.footing.source,
            active_router: instance.active_router(),
            heard: member.hearing.all(),
            statistics: member.statistics.clone(),
        })
    }
}
