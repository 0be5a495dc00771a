//! What a reload does to the engine: instances come, go and change.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::Driver;
use crate::control::recording::Call;
use crate::runtime::clock;
use crate::runtime::command::{Assignment, Changes, Report, SyncedGroup};
use crate::runtime::executor::{Action, Job, Placement, Placements};
use crate::runtime::member::{Member, Router};
use crate::types::InstanceId;
use crate::vrrp::instance::{Input, Instance, State};
use crate::vrrp::router::Event;

impl Driver {
    pub(super) fn reload(&mut self, changes: Changes) {
        for (id, counter) in changes.trackers {
            self.change(Call::SetTracker(id, counter));
        }
        for (id, rise, fall) in changes.counts {
            self.change(Call::SetTrackerCounts(id, rise, fall));
        }
        for (tracker, value) in changes.values {
            self.handle(clock::now(), Event::TrackValue { tracker, value });
        }
        self.held_until = changes.held_until;
        self.log_strangers = changes.log_strangers;
        self.named_strangers.clear();
        self.pacing = changes.pacing;
        self.send_paces();
        self.set_groups(changes.groups);
        for id in changes.removed {
            self.leaving.insert(id);
            self.handle(clock::now(), Event::Instance(id, Input::Shutdown));
        }
        for assignment in changes.updated {
            self.update(assignment);
        }
        // All before the first starts: it may be in one sync group with the last.
        let added: Vec<_> = changes.added.iter().map(|a| a.id).collect();
        for assignment in changes.added {
            self.add(assignment);
        }
        for id in added {
            self.handle(clock::now(), Event::Instance(id, Input::Startup));
        }
        for id in changes.forgotten {
            self.change(Call::RemoveTracker(id));
        }
        self.forget_names();
        self.settle_all();
    }

    fn add(&mut self, assignment: Assignment) {
        let Assignment {
            id,
            config,
            tracking,
            devices,
            table,
        } = assignment;
        let protocol = Box::new(config.protocol.clone());
        let mut member = Member::new(config, devices, table);
        member.find_peers(&self.names, &self.links);
        self.members.insert(id, member);
        self.change(Call::Add {
            id,
            config: protocol,
            tracking,
        });
        if let Some(at) = self.held_until {
            self.handle(clock::now(), Event::Instance(id, Input::HoldUntil(at)));
        }
        self.feed_links();
        self.settle(id);
    }

    fn set_groups(&mut self, groups: Vec<SyncedGroup>) {
        let members = groups.iter().map(|g| (g.id, g.members.clone())).collect();
        self.groups = groups.into_iter().map(|g| (g.id, g.name)).collect();
        self.change(Call::SetGroups(members));
    }

    /// Has the router do something that is no event.
    fn change(&mut self, what: Call) {
        self.last_now = clock::now().max(self.last_now);
        let mut effects = std::mem::take(&mut self.effects);
        self.router.call(self.last_now, what, &mut effects);
        self.perform_all(&mut effects);
        self.effects = effects;
        self.flush();
    }

    fn feed_links(&mut self) {
        for interface in self.tracked_names() {
            let up = self.links.get(&interface).is_some_and(|link| link.up);
            self.handle(clock::now(), Event::Link { interface, up });
        }
    }

    fn update(&mut self, assignment: Assignment) {
        let Assignment {
            id,
            config,
            tracking,
            devices,
            table,
        } = assignment;
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let before = Arc::clone(&member.placements);
        let router = member.router();
        let farewell = member.router_advert(true);
        let protocol = Box::new(config.protocol.clone());
        member.reconfigure(config, devices, table);
        member.find_peers(&self.names, &self.links);
        self.settle(id);
        let announce = self.has_new_placements(id, &before);
        self.feed_links();
        self.change(Call::Reconfigure {
            id,
            config: protocol,
            tracking,
            announce,
        });
        if let (Some(router), Some(farewell)) = (router, farewell) {
            self.bid_farewell(id, &router, farewell);
        }
    }

    /// Tells hosts that the router they knew is gone, if it is another one since a reload. That
    /// one has been named before.
    fn bid_farewell(&mut self, id: InstanceId, before: &Router, farewell: (u32, Vec<u8>)) {
        let state = self.router.instance(id).map(Instance::state);
        let active = matches!(state, Some(State::Active { .. }));
        let same = |member: &Member| member.router().as_ref() == Some(before);
        if !active || self.members.get(&id).is_none_or(same) {
            return;
        }
        let (ifindex, frame) = farewell;
        let frames = Arc::from([frame]);
        self.enqueue(id, Action::Transmit { ifindex, frames });
        self.flush();
    }

    /// A name has an answer: the instances whose peer it is take it over.
    pub(super) fn peer_found(&mut self, name: String, addresses: BTreeSet<IpAddr>) {
        if self.names.get(&name) == Some(&addresses) {
            return;
        }
        let uses = |m: &Member| m.config.peer_names().any(|n| n == name);
        let ids = self.members.iter().filter(|(_, m)| uses(m));
        let ids: Vec<_> = ids.map(|(id, _)| *id).collect();
        self.names.insert(name, addresses);
        for id in ids {
            if let Some(member) = self.members.get_mut(&id) {
                member.find_peers(&self.names, &self.links);
            }
            self.settle(id);
        }
    }

    /// Names that nobody uses any more: they are looked up anew if they come back.
    fn forget_names(&mut self) {
        let members = &self.members;
        self.names.retain(|name, _| {
            let mut used = members.values().flat_map(|m| m.config.peer_names());
            used.any(|n| n == name)
        });
    }

    fn has_new_placements(&self, id: InstanceId, before: &Placements) -> bool {
        let old: BTreeSet<&Placement> = before.iter().collect();
        let member = self.members.get(&id);
        member.is_some_and(|m| m.placements.iter().any(|p| !old.contains(p)))
    }

    /// Has addresses removed that an instance no longer has where they were.
    pub(super) fn remove_what_went(&mut self, id: InstanceId, before: &Placements) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        if Arc::ptr_eq(before, &member.placements) {
            return;
        }
        let place = |p: &Placement| (p.ifindex, p.address.clone(), p.dropped_in.clone());
        let now: BTreeSet<_> = member.placements.iter().map(place).collect();
        let gone = before.iter().filter(|p| !now.contains(&place(p)));
        let gone: Vec<_> = gone.cloned().collect();
        if !gone.is_empty() {
            let name = Arc::clone(&member.name);
            self.batch.push(Job {
                id,
                name,
                placements: gone.into(),
                action: Action::Remove,
            });
        }
    }

    /// Forgets instances that a reload took away, once they have let go.
    pub(super) fn drop_finished(&mut self) {
        let router = &*self.router;
        let done = |id: &InstanceId| router.instance(*id).is_none_or(Instance::is_finished);
        let finished: Vec<_> = self.leaving.iter().copied().filter(done).collect();
        for id in finished {
            self.leaving.remove(&id);
            self.change(Call::Remove(id));
            self.members.remove(&id);
            self.pool.tidy(&self.members);
            (self.reporter)(Report::Departed(id));
        }
    }
}
