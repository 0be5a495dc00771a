//! All virtual routers and trackers of a host behind one [`Router::handle`].

use std::collections::{BTreeMap, BTreeSet};

use super::election::{Weight, effective_priority};
use super::group::{self, Group, GroupId, Standing};
use super::instance::{Effect, Fault, Input, Instance, InstanceConfig, State, Ties, Transition};
use super::track::{RiseFall, TrackerId};
use crate::types::{InstanceId, Instant, InterfaceName};

/// What an instance tracks, each with its weight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracking {
    /// Scripts and other trackers with results.
    pub trackers: BTreeMap<TrackerId, Weight>,
    /// Trackers with numbers: files.
    pub values: BTreeMap<TrackerId, Weight>,
    /// Interfaces.
    pub interfaces: BTreeMap<InterfaceName, Weight>,
}

/// What a tracker does to an instance at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What is tracked.
    pub of: Tracked,
    /// Its weight there.
    pub weight: Weight,
    /// Whether it is up; `None` before its first result, or if it has a number.
    pub up: Option<bool>,
    /// The number of a tracker that has one.
    pub value: Option<i32>,
}

impl Part {
    /// What it adds to the priority.
    #[must_use]
    pub fn points(&self) -> i32 {
        let result = self.up.map_or(0, |up| self.weight.contribution(up));
        let number = self.value.and_then(|value| self.weight.product(value));
        number.unwrap_or(result)
    }
}

/// What an instance tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// A script or another tracker with results.
    Tracker(TrackerId),
    /// An interface.
    Interface(InterfaceName),
}

/// Everything that can happen to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Deadline,
    /// Something for one instance.
    Instance(InstanceId, Input),
    /// A tracker has a result.
    TrackResult {
        /// Which one.
        tracker: TrackerId,
        /// Whether it succeeded.
        success: bool,
    },
    /// A tracker has a number. It counts as 0 until the first such event.
    TrackValue {
        /// Which one.
        tracker: TrackerId,
        /// The number.
        value: i32,
    },
    /// An interface is up, or down, or gone. Interfaces count as down until the first such event.
    Link {
        /// Which one.
        interface: InterfaceName,
        /// Whether it can carry packets.
        up: bool,
    },
}

/// Something to be done for one instance.
pub type InstanceEffect = (InstanceId, Effect);

#[derive(Debug)]
struct Slot {
    instance: Instance,
    tracking: Tracking,
    armed: Option<Instant>,
}

/// All virtual routers of a host. Maps are ordered: a run depends on nothing but its inputs.
#[derive(Debug, Default)]
pub struct Router {
    slots: BTreeMap<InstanceId, Slot>,
    trackers: BTreeMap<TrackerId, RiseFall>,
    values: BTreeMap<TrackerId, i32>,
    links: BTreeMap<InterfaceName, bool>,
    timers: BTreeSet<(Instant, InstanceId)>,
    groups: BTreeMap<GroupId, Group>,
    membership: BTreeMap<InstanceId, GroupId>,
    scratch: Vec<Effect>,
}

impl Router {
    /// A host without virtual routers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a tracker. Do so before the instances that track it.
    pub fn set_tracker(&mut self, id: TrackerId, counter: RiseFall) {
        self.trackers.insert(id, counter);
    }

    /// Changes the counts of a tracker whose results survive a reload.
    pub fn set_tracker_counts(&mut self, id: TrackerId, rise: u32, fall: u32) {
        if let Some(counter) = self.trackers.get_mut(&id) {
            counter.set_counts(rise, fall);
        }
    }

    /// Forgets a tracker that no instance tracks any more.
    pub fn remove_tracker(&mut self, id: TrackerId) {
        self.trackers.remove(&id);
        self.values.remove(&id);
    }

    /// Whether a tracker is up; `None` before its first result, or if there is none.
    #[must_use]
    pub fn tracker_up(&self, id: TrackerId) -> Option<bool> {
        self.trackers.get(&id).and_then(RiseFall::up)
    }

    /// The number of a tracker; 0 if it has none.
    #[must_use]
    pub fn value(&self, id: TrackerId) -> i32 {
        self.values.get(&id).copied().unwrap_or(0)
    }

    /// Adds an instance in Initialize, or replaces one; it begins with [`Input::Startup`].
    pub fn add(
        &mut self,
        now: Instant,
        id: InstanceId,
        config: InstanceConfig,
        tracking: Tracking,
    ) {
        self.remove(id);
        let slot = Slot {
            instance: Instance::new(config),
            tracking,
            armed: None,
        };
        self.slots.insert(id, slot);
        if let Some(group) = self.membership.get(&id).copied() {
            self.tie(now, group);
        }
        // Faults of an instance that has not started have no effects; its group looks at them
        // when it starts.
        for input in self.assessment(id) {
            self.feed(now, id, input, &mut Vec::new());
        }
    }

    /// Replaces all sync groups. An instance is in one at most: the first that lists it.
    ///
    /// Members may still be to come: a group does nothing before all of them have started.
    pub fn set_groups(
        &mut self,
        now: Instant,
        groups: Vec<(GroupId, Vec<InstanceId>)>,
        effects: &mut Vec<InstanceEffect>,
    ) {
        let mut before = std::mem::take(&mut self.groups);
        let left = std::mem::take(&mut self.membership);
        for (group, members) in groups {
            let mut members = members;
            members.retain(|id| *self.membership.entry(*id).or_insert(group) == group);
            let told = before.remove(&group).and_then(|g| g.told);
            self.groups.insert(group, Group { members, told });
        }
        for id in left.into_keys() {
            if !self.membership.contains_key(&id) {
                self.feed(now, id, Input::Grouped(None), effects);
                for fault in [Fault::Group, Fault::GroupPending] {
                    self.feed(now, id, Input::FaultCleared(fault), effects);
                }
            }
        }
        let all: Vec<_> = self.groups.keys().copied().collect();
        for group in all {
            self.tie(now, group);
            self.balance(now, group, effects);
        }
    }

    /// Changes an instance in place. See [`Input::Reconfigured`].
    pub fn reconfigure(
        &mut self,
        now: Instant,
        id: InstanceId,
        config: InstanceConfig,
        tracking: Tracking,
        announce: bool,
        effects: &mut Vec<InstanceEffect>,
    ) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.tracking = tracking;
        let input = Input::Reconfigured {
            config: Box::new(config),
            announce,
        };
        self.pass(now, id, input, effects);
        if let Some(group) = self.membership.get(&id).copied() {
            self.tie(now, group);
        }
        self.reassess(now, id, effects);
    }

    /// Drops an instance that has been shut down.
    pub fn remove(&mut self, id: InstanceId) {
        if let Some(armed) = self.slots.remove(&id).and_then(|slot| slot.armed) {
            self.timers.remove(&(armed, id));
        }
    }

    /// Advances every instance that `event` concerns and appends what must be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event, effects: &mut Vec<InstanceEffect>) {
        match event {
            Event::Deadline => self.deadlines_passed(now, effects),
            Event::Instance(id, input) => self.pass(now, id, input, effects),
            Event::TrackResult { tracker, success } => {
                let changed = self
                    .trackers
                    .get_mut(&tracker)
                    .and_then(|t| t.record(success));
                if changed.is_some() {
                    self.reassess_all(now, effects, |t| t.trackers.contains_key(&tracker));
                }
            }
            Event::TrackValue { tracker, value } => {
                if self.values.insert(tracker, value) != Some(value) {
                    self.reassess_all(now, effects, |t| t.values.contains_key(&tracker));
                }
            }
            Event::Link { interface, up } => {
                if self.links.insert(interface.clone(), up) != Some(up) {
                    self.reassess_all(now, effects, |t| t.interfaces.contains_key(&interface));
                }
            }
        }
    }

    /// When [`Event::Deadline`] is next due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The instance whose deadline is next.
    #[must_use]
    pub fn next_due(&self) -> Option<(Instant, InstanceId)> {
        self.timers.first().copied()
    }

    /// The next deadline, if it is the one at which a Backup takes over.
    #[must_use]
    pub fn takeover_due(&self) -> Option<Instant> {
        let (at, id) = self.timers.first()?;
        match self.instance(*id)?.state() {
            State::Backup { active_down_at, .. } => (active_down_at == *at).then_some(*at),
            State::Initialize | State::Active { .. } => None,
        }
    }

    /// The instance `id`, if there is one.
    #[must_use]
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.slots.get(&id).map(|slot| &slot.instance)
    }

    /// All instances in order.
    pub fn instances(&self) -> impl Iterator<Item = (InstanceId, &Instance)> {
        self.slots.iter().map(|(id, slot)| (*id, &slot.instance))
    }

    /// What the trackers of instance `id` do to it.
    pub fn parts(&self, id: InstanceId) -> impl Iterator<Item = Part> + '_ {
        let slot = self.slots.get(&id).into_iter();
        slot.flat_map(|slot| self.parts_of(slot))
    }

    /// What others were told last of a sync group.
    #[must_use]
    pub fn group_told(&self, id: GroupId) -> Option<Transition> {
        self.groups.get(&id).and_then(|group| group.told)
    }

    fn deadlines_passed(&mut self, now: Instant, effects: &mut Vec<InstanceEffect>) {
        while let Some((at, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.pass(now, id, Input::Deadline, effects);
            if self.timers.contains(&(at, id)) {
                // An instance must not keep a timer that has fired, or this would never end.
                self.timers.remove(&(at, id));
                debug_assert!(false, "{id} did not act on its deadline");
            }
        }
    }

    /// Gives `input` to an instance, and to its sync group what follows from it.
    fn pass(
        &mut self,
        now: Instant,
        id: InstanceId,
        input: Input,
        effects: &mut Vec<InstanceEffect>,
    ) {
        let Some(group) = self.membership.get(&id).copied() else {
            return self.feed(now, id, input, effects);
        };
        if input == Input::Startup {
            // It may start into a fault of another member.
            self.balance(now, group, effects);
        }
        let first = effects.len();
        self.feed(now, id, input, effects);
        let heard = (id, Effect::HeardLowerPriority);
        if effects.iter().skip(first).any(|effect| *effect == heard) {
            // Neighbours that were taught wrong for one were so for all.
            let members = self.groups.get(&group).map(|g| g.members.clone());
            for other in members.unwrap_or_default() {
                self.feed(now, other, Input::Reannounce, effects);
            }
        }
        self.balance(now, group, effects);
    }

    /// Tells the members of a group how long the peers of all of them may take.
    fn tie(&mut self, now: Instant, group: GroupId) {
        let members = self.groups.get(&group).map(|g| g.members.clone());
        let members = members.unwrap_or_default();
        let each = members.iter().filter_map(|id| self.slots.get(id));
        let ties = each.map(|slot| slot.instance.ties()).reduce(|a, b| Ties {
            longest_skew: a.longest_skew.max(b.longest_skew),
            longest_down: a.longest_down.max(b.longest_down),
        });
        for id in members {
            self.feed(now, id, Input::Grouped(ties), &mut Vec::new());
        }
    }

    /// Brings the members of a group into one state, and says which if it is another one.
    fn balance(&mut self, now: Instant, group: GroupId, effects: &mut Vec<InstanceEffect>) {
        let members = self.groups.get(&group).map(|g| g.members.clone());
        let members = members.unwrap_or_default();
        // Faults first, then a takeover or its opposite: more rounds there are not.
        for _ in 0..group::ROUNDS {
            let orders = group::orders(&self.standings(&members));
            if orders.is_empty() {
                break;
            }
            for (id, input) in orders {
                self.feed(now, id, input, effects);
            }
        }
        let state = group::state(&self.standings(&members));
        if let (Some(state), Some(first), Some(group_of)) =
            (state, members.first(), self.groups.get_mut(&group))
            && group_of.told != Some(state)
        {
            group_of.told = Some(state);
            effects.push((*first, Effect::NotifyGroup(group, state)));
        }
    }

    fn standings(&self, members: &[InstanceId]) -> Vec<Standing> {
        let instance = |id: &InstanceId| self.slots.get(id).map(|slot| &slot.instance);
        members
            .iter()
            .map(|id| Standing::of(*id, instance(id)))
            .collect()
    }

    fn feed(
        &mut self,
        now: Instant,
        id: InstanceId,
        input: Input,
        effects: &mut Vec<InstanceEffect>,
    ) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.instance.handle(now, input, &mut self.scratch);
        effects.extend(self.scratch.drain(..).map(|effect| (id, effect)));
        let due = slot.instance.deadline();
        if due != slot.armed {
            slot.armed.map(|at| self.timers.remove(&(at, id)));
            due.map(|at| self.timers.insert((at, id)));
            slot.armed = due;
        }
    }

    fn reassess_all(
        &mut self,
        now: Instant,
        effects: &mut Vec<InstanceEffect>,
        concerned: impl Fn(&Tracking) -> bool,
    ) {
        let ids: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, s)| concerned(&s.tracking))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.reassess(now, id, effects);
        }
    }

    /// Works out priority and tracked faults of an instance anew from all its trackers.
    fn reassess(&mut self, now: Instant, id: InstanceId, effects: &mut Vec<InstanceEffect>) {
        for input in self.assessment(id) {
            self.pass(now, id, input, effects);
        }
    }

    fn assessment(&self, id: InstanceId) -> Vec<Input> {
        let Some(slot) = self.slots.get(&id) else {
            return Vec::new();
        };
        let priority = self.priority_of(slot);
        let wanted = self.tracked_faults(id);
        let present = slot.instance.faults().iter();
        let present: BTreeSet<Fault> = present.filter(|f| f.is_tracked()).cloned().collect();
        let changed = priority != slot.instance.priority();
        let priority = changed.then_some(Input::PriorityChanged(priority));
        // Raised before cleared: an instance must not run between the two.
        let raised = wanted.difference(&present).cloned();
        let cleared = present.difference(&wanted).cloned();
        priority
            .into_iter()
            .chain(raised.map(Input::FaultRaised))
            .chain(cleared.map(Input::FaultCleared))
            .collect()
    }

    fn priority_of(&self, slot: &Slot) -> crate::types::Priority {
        let points = self.parts_of(slot).map(|part| part.points());
        effective_priority(slot.instance.config().priority, points)
    }

    fn parts_of<'a>(&'a self, slot: &'a Slot) -> impl Iterator<Item = Part> + 'a {
        let trackers = slot.tracking.trackers.iter().map(|(id, weight)| Part {
            of: Tracked::Tracker(*id),
            weight: *weight,
            up: self.tracker_up(*id),
            value: None,
        });
        let values = slot.tracking.values.iter().map(|(id, weight)| Part {
            of: Tracked::Tracker(*id),
            weight: *weight,
            up: None,
            value: Some(self.value(*id)),
        });
        let interfaces = slot.tracking.interfaces.iter();
        let interfaces = interfaces.map(|(name, weight)| Part {
            of: Tracked::Interface(name.clone()),
            weight: *weight,
            up: Some(self.links.get(name).copied().unwrap_or(false)),
            value: None,
        });
        trackers.chain(values).chain(interfaces)
    }

    fn tracked_faults(&self, id: InstanceId) -> BTreeSet<Fault> {
        let Some(slot) = self.slots.get(&id) else {
            return BTreeSet::new();
        };
        let trackers = slot.tracking.trackers.iter().filter(|(_, w)| w.is_fault());
        let interfaces = slot
            .tracking
            .interfaces
            .iter()
            .filter(|(_, w)| w.is_fault());
        let values = slot.tracking.values.iter();
        let values = values.filter(|(id, weight)| weight.product(self.value(**id)).is_none());
        trackers
            .filter_map(|(id, weight)| match self.tracker_up(*id) {
                None => Some(Fault::TrackerPending(*id)),
                Some(up) if weight.is_good(up) => None,
                Some(_) => Some(Fault::Tracker(*id)),
            })
            .chain(values.map(|(id, _)| Fault::Tracker(*id)))
            .chain(interfaces.filter_map(|(name, weight)| {
                let up = self.links.get(name).copied().unwrap_or(false);
                (!weight.is_good(up)).then(|| Fault::TrackedInterface(name.clone()))
            }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Priority, Vrid};
    use crate::vrrp::instance::Transition;
    use std::time::Duration;

    const ID: InstanceId = InstanceId(1);
    const SCRIPT: TrackerId = TrackerId(1);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(0) + Duration::from_millis(millis)
    }

    fn router(weight: i16) -> (Router, Vec<InstanceEffect>) {
        let mut router = Router::new();
        router.set_tracker(SCRIPT, RiseFall::new(1, 1, false));
        let tracking = Tracking {
            trackers: [(SCRIPT, Weight::new(weight))].into(),
            ..Tracking::default()
        };
        router.add(
            at(0),
            ID,
            InstanceConfig::new(Vrid::new(51).unwrap()),
            tracking,
        );
        let mut effects = Vec::new();
        router.handle(at(0), Event::Instance(ID, Input::Startup), &mut effects);
        (router, effects)
    }

    fn result(router: &mut Router, millis: u64, success: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        let event = Event::TrackResult {
            tracker: SCRIPT,
            success,
        };
        router.handle(at(millis), event, &mut effects);
        effects.into_iter().map(|(_, effect)| effect).collect()
    }

    #[test]
    fn a_script_without_weight_holds_the_start_back_until_its_first_result() {
        let (mut router, effects) = router(0);
        assert_eq!(effects, [(ID, Effect::RemoveAddresses)]);
        assert_eq!(
            result(&mut router, 10, true),
            [Effect::Notify(Transition::Backup)]
        );
    }

    #[test]
    fn a_script_without_weight_that_fails_is_a_fault_until_it_succeeds() {
        let (mut router, _) = router(0);
        assert_eq!(
            result(&mut router, 10, false),
            [Effect::Notify(Transition::Fault)]
        );
        assert_eq!(
            result(&mut router, 20, true),
            [Effect::Notify(Transition::Backup)]
        );
    }

    #[test]
    fn a_weight_changes_the_priority_and_nothing_else() {
        let (mut router, _) = router(2);
        assert_eq!(result(&mut router, 10, true), []);
        assert_eq!(router.instance(ID).unwrap().priority(), Priority::new(102));
        assert_eq!(result(&mut router, 20, false), []);
        assert_eq!(router.instance(ID).unwrap().priority(), Priority::new(100));
    }

    #[test]
    fn a_number_changes_the_priority_until_it_is_a_fault() {
        let mut router = Router::new();
        let tracking = Tracking {
            values: [(SCRIPT, Weight::new(-10))].into(),
            ..Tracking::default()
        };
        let number = |value| Event::TrackValue {
            tracker: SCRIPT,
            value,
        };
        router.handle(at(0), number(3), &mut Vec::new());
        let config = InstanceConfig::new(Vrid::new(51).unwrap());
        router.add(at(0), ID, config, tracking);
        assert_eq!(router.instance(ID).unwrap().priority(), Priority::new(70));
        router.handle(at(0), Event::Instance(ID, Input::Startup), &mut Vec::new());
        let mut told = |value| {
            let mut effects = Vec::new();
            router.handle(at(1), number(value), &mut effects);
            let told = [Transition::Fault, Transition::Backup].into_iter();
            let mut told = told.filter(|t| effects.contains(&(ID, Effect::Notify(*t))));
            let priority = router.instance(ID).unwrap().priority();
            (priority.get(), told.next())
        };
        assert_eq!(told(-2), (120, None));
        assert_eq!(told(26), (100, Some(Transition::Fault)));
        assert_eq!(told(0), (100, Some(Transition::Backup)));
    }

    #[test]
    fn an_instance_that_replaces_another_inherits_no_timer() {
        let (mut router, _) = router(5);
        let due = router.deadline().unwrap();
        let config = InstanceConfig::new(Vrid::new(51).unwrap());
        router.add(at(1), ID, config, Tracking::default());
        assert_eq!(router.deadline(), None);
        let mut effects = Vec::new();
        router.handle(due, Event::Deadline, &mut effects);
        assert_eq!(effects, []);
    }

    #[test]
    fn an_owner_that_yielded_and_is_none_after_a_reload_takes_its_new_priority() {
        let owner = InstanceConfig {
            priority: Priority::OWNER,
            start_active: true,
            ..InstanceConfig::new(Vrid::new(51).unwrap())
        };
        let mut router = Router::new();
        router.add(at(0), ID, owner.clone(), Tracking::default());
        let mut feed = |millis, input| {
            router.handle(at(millis), Event::Instance(ID, input), &mut Vec::new());
        };
        feed(0, Input::PrimaryAddress("10.0.0.2".parse().unwrap()));
        feed(0, Input::Startup);
        for millis in [1000, 2300] {
            feed(
                millis,
                Input::Advert(crate::wire::vrrp::Advert {
                    source: "10.0.0.1".parse().unwrap(),
                    priority: Priority::OWNER,
                    interval: crate::types::Interval::DEFAULT,
                    version: crate::types::Version::V2,
                }),
            );
        }
        let config = InstanceConfig {
            priority: Priority::new(254),
            ..owner
        };
        router.reconfigure(
            at(3000),
            ID,
            config,
            Tracking::default(),
            false,
            &mut Vec::new(),
        );
        let mut effects = Vec::new();
        while !effects.contains(&(ID, Effect::InstallAddresses)) {
            router.handle(router.deadline().unwrap(), Event::Deadline, &mut effects);
        }
        let advert = effects
            .iter()
            .find(|(_, e)| matches!(e, Effect::SendAdvert(_)));
        assert_eq!(advert, Some(&(ID, Effect::SendAdvert(Priority::new(254)))));
    }

    #[test]
    fn two_tracked_interfaces_down_are_two_faults() {
        let name = |n| InterfaceName::new(n).unwrap();
        let mut router = Router::new();
        let interfaces = [
            (name("eth1"), Weight::new(0)),
            (name("eth2"), Weight::new(0)),
        ]
        .into();
        let tracking = Tracking {
            interfaces,
            ..Tracking::default()
        };
        router.add(
            at(0),
            ID,
            InstanceConfig::new(Vrid::new(1).unwrap()),
            tracking,
        );
        let mut effects = Vec::new();
        router.handle(at(0), Event::Instance(ID, Input::Startup), &mut effects);
        for (interface, expected) in [("eth1", 1), ("eth2", 0)] {
            let event = Event::Link {
                interface: name(interface),
                up: true,
            };
            router.handle(at(1), event, &mut effects);
            assert_eq!(router.instance(ID).unwrap().faults().len(), expected);
        }
        assert_eq!(
            effects.last(),
            Some(&(ID, Effect::Notify(Transition::Backup)))
        );
    }

    #[test]
    fn a_tracker_lives_until_it_is_removed_and_takes_new_counts() {
        let (mut router, _) = router(2);
        result(&mut router, 10, true);
        router.set_tracker_counts(SCRIPT, 1, 2);
        result(&mut router, 20, false);
        assert_eq!(router.tracker_up(SCRIPT), Some(true), "two it takes now");
        result(&mut router, 30, false);
        assert_eq!(router.tracker_up(SCRIPT), Some(false));
        router.remove_tracker(SCRIPT);
        assert_eq!(router.tracker_up(SCRIPT), None);
    }

    #[test]
    fn it_says_who_is_due_next_and_whether_to_take_over() {
        let (mut router, _) = router(2);
        let due = router.deadline().unwrap();
        assert_eq!(router.next_due(), Some((due, ID)));
        assert_eq!(router.takeover_due(), Some(due));
        let all: Vec<InstanceId> = router.instances().map(|(id, _)| id).collect();
        assert_eq!(all, [ID]);
        router.handle(due, Event::Deadline, &mut Vec::new());
        assert!(
            router
                .next_due()
                .is_some_and(|(at, id)| at > due && id == ID)
        );
        assert_eq!(router.takeover_due(), None, "an Active Router only adverts");
    }

    #[test]
    fn the_end_of_a_delay_to_preempt_is_no_takeover_of_silence() {
        let config = InstanceConfig {
            preempt_delay: Duration::from_secs(1),
            ..InstanceConfig::new(Vrid::new(51).unwrap())
        };
        let mut router = Router::new();
        router.add(at(0), ID, config, Tracking::default());
        let mut feed = |input| router.handle(at(0), Event::Instance(ID, input), &mut Vec::new());
        feed(Input::HoldUntil(at(500)));
        feed(Input::Startup);
        assert_eq!(
            router.takeover_due(),
            router.deadline(),
            "it counts from then"
        );
    }
}
