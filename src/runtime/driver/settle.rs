//! What the host's interfaces mean for the instances: sockets, addresses, faults.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Driver, REPAIR, SOCKET_RETRY};
use crate::runtime::clock;
use crate::runtime::executor::{Action, Chain, Placement, Placements};
use crate::runtime::links::Links;
use crate::runtime::member::Footing;
use crate::sys::socket;
use crate::types::{InstanceId, InterfaceName};
use crate::vrrp::instance::{Fault, Input};
use crate::vrrp::router::Event;

impl Driver {
    /// Applies what the host's interfaces are now to every instance.
    pub(super) fn settle_all(&mut self) {
        self.links = self.bridge_over(self.host.clone());
        let names: BTreeSet<InterfaceName> = self.tracked_names();
        for interface in names {
            let up = self.links.get(&interface).is_some_and(|link| link.up);
            self.handle(clock::now(), Event::Link { interface, up });
        }
        let ids: Vec<_> = self.members.keys().copied().collect();
        for id in ids {
            let before = self.members.get(&id).map(|m| Arc::clone(&m.placements));
            self.settle(id);
            if let Some(before) = before {
                self.follow(id, &before);
            }
        }
        self.pool.tidy(&self.members);
    }

    /// A device with a virtual MAC address that somebody has deleted is made again in a moment:
    /// to wait for it costs clients less than a takeover.
    fn bridge_over(&mut self, mut links: Links) -> Links {
        let now = clock::now();
        let all = self.members.values();
        let all: BTreeSet<_> = all.flat_map(|m| m.missing_devices(&links)).collect();
        let missing = all.into_iter().filter_map(|device| {
            let before = self.links.get(device).filter(|link| link.up)?;
            let until = self.vanished.get(device).copied();
            let until = until.unwrap_or(now + REPAIR);
            (now < until).then(|| (device.clone(), before.clone(), until))
        });
        let missing: Vec<_> = missing.collect();
        let before = std::mem::take(&mut self.vanished).into_keys();
        self.returned = before
            .filter(|name| !missing.iter().any(|m| m.0 == *name))
            .collect();
        for (device, before, until) in missing {
            self.retry_at = Some(self.retry_at.map_or(until, |at| at.min(until)));
            links.insert(device.clone(), before);
            self.vanished.insert(device, until);
        }
        links
    }

    /// Interfaces of addresses that are installed have changed under them.
    fn follow(&mut self, id: InstanceId, before: &Placements) {
        let (Some(member), Some(instance)) = (self.members.get(&id), self.router.instance(id))
        else {
            return;
        };
        let place = |p: &Placement| (p.ifindex, p.mac, p.address.address);
        let old: BTreeSet<_> = before.iter().map(place).collect();
        let moved = member.placements.iter().any(|p| !old.contains(&place(p)));
        // Its addresses may have gone with it.
        let returned = member.devices.values().any(|d| self.returned.contains(d));
        if (moved || returned) && instance.holds_addresses() {
            let repeat = instance.config().announcement.repeat;
            self.enqueue(id, Action::Install);
            self.enqueue(id, Action::Announce { repeat });
            self.flush();
        }
    }

    /// Interfaces seen so far or now: one that is gone is down.
    pub(super) fn tracked_names(&self) -> BTreeSet<InterfaceName> {
        let tracked = self
            .members
            .values()
            .flat_map(|m| &m.config.track_interfaces);
        tracked.map(|t| t.interface.clone()).collect()
    }

    pub(super) fn settle(&mut self, id: InstanceId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let before = std::mem::take(&mut member.footing);
        let placements = Arc::clone(&member.placements);
        member.settle(&self.links);
        let mut now = member.footing.clone();
        if !now.faults.contains(&Fault::Interface)
            && let Err(error) = self.join_pool(id)
        {
            if !before.faults.contains(&Fault::Socket) {
                tracing::warn!("{}", Chain(&error));
            }
            self.retry_at = Some(clock::now() + SOCKET_RETRY);
            now.faults.insert(Fault::Socket);
        }
        self.apply_footing(id, &before, &now);
        // An interface that was renamed keeps no address of ours.
        self.remove_what_went(id, &placements);
        self.flush();
    }

    fn apply_footing(&mut self, id: InstanceId, before: &Footing, now: &Footing) {
        if let Some(member) = self.members.get_mut(&id) {
            member.footing = now.clone();
        }
        let mut inputs = Vec::new();
        if let Some(source) = now.source.filter(|_| now.source != before.source) {
            inputs.push(Input::PrimaryAddress(source));
        }
        // Raised before cleared: the instance must not run between the two.
        inputs.extend(
            now.faults
                .difference(&before.faults)
                .cloned()
                .map(Input::FaultRaised),
        );
        inputs.extend(
            before
                .faults
                .difference(&now.faults)
                .cloned()
                .map(Input::FaultCleared),
        );
        for input in inputs {
            self.handle(clock::now(), Event::Instance(id, input));
        }
    }

    fn join_pool(&mut self, id: InstanceId) -> Result<(), socket::Error> {
        match self.members.get(&id) {
            Some(member) => self.pool.join(id, member),
            None => Ok(()),
        }
    }
}
