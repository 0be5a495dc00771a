//! What every host must keep to by itself, worked out beside the core from RFC 9568 and
//! docs/compatibility.md: timers to the nanosecond, addresses, faults, priorities, notices.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vipd::control::recording::{Call, Recorded};
use vipd::types::{InstanceId, Instant, Interval, Priority, Version};
use vipd::vrrp::election::outranks;
use vipd::vrrp::instance::{
    Effect, Fault, Input, Instance, InstanceConfig, SUCCESSOR_MARGIN, State, Transition,
};
use vipd::vrrp::router::{Event, InstanceEffect};
use vipd::wire::vrrp::Advert;

use super::node::{GROUP, Node, SCRIPT};

const GROUP_RULE: &str = "members of a sync group stand alike, and others are told so";

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub rule: &'static str,
    pub detail: String,
}

pub fn broken<T>(rule: &'static str, detail: impl Into<String>) -> Result<T, Broken> {
    Err(Broken {
        rule,
        detail: detail.into(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Role {
    #[default]
    Initialize,
    Backup,
    Active,
}

impl Role {
    const fn of(instance: &Instance) -> Self {
        match instance.state() {
            State::Initialize => Self::Initialize,
            State::Backup { .. } => Self::Backup,
            State::Active { .. } => Self::Active,
        }
    }
}

/// What is known of one instance without asking it.
#[derive(Debug, Clone, Default)]
struct Watch {
    role: Role,
    told: Option<Transition>,
    priority: Option<Priority>,
    /// When a Backup takes over; `None` where the reference is silent: owners, after a reload
    /// that changed times, and while it listens for its link.
    due: Option<Instant>,
    /// It was due, and its sync group held it back.
    expired: bool,
    active_interval: Option<Interval>,
    preempt_at: Option<Instant>,
    held_until: Option<Instant>,
    /// Until when addresses outlive the Active state at most.
    grace: Option<Instant>,
    /// Until when they do at least.
    kept_until: Option<Instant>,
    advertised_at: Option<Instant>,
}

/// See the module. One for each host.
#[derive(Debug, Default)]
pub struct Oracle {
    pub started: bool,
    watches: BTreeMap<InstanceId, Watch>,
    script: Script,
    group_told: Option<Transition>,
    /// Timers may be late until then: the host stood still, or its clock jumped.
    pub excused_until: Instant,
    /// Within a reload the members may disagree with the new configuration.
    reloading: bool,
    shut_down: BTreeSet<InstanceId>,
}

/// Rise and fall, counted beside the core.
#[derive(Debug, Default)]
struct Script {
    rise: u32,
    fall: u32,
    up: Option<bool>,
    in_a_row: u32,
}

impl Script {
    fn record(&mut self, success: bool) {
        self.in_a_row = if self.up == Some(success) {
            0
        } else {
            self.in_a_row + 1
        };
        let needed = match self.up {
            None => 1,
            Some(true) => self.fall,
            Some(false) => self.rise,
        };
        if self.in_a_row >= needed {
            self.up = Some(success);
            self.in_a_row = 0;
        }
    }
}

impl Oracle {
    pub fn restart(&mut self, ids: impl Iterator<Item = InstanceId>, rise: u32, fall: u32) {
        *self = Self {
            watches: ids.map(|id| (id, Watch::default())).collect(),
            script: Script {
                rise,
                fall,
                ..Script::default()
            },
            excused_until: self.excused_until,
            ..Self::default()
        };
    }

    pub fn hold(&mut self, id: InstanceId, until: Instant) {
        self.watches.entry(id).or_default().held_until = Some(until);
    }

    pub fn reloaded(&mut self) {
        self.reloading = true;
        for watch in self.watches.values_mut() {
            watch.due = None;
        }
    }

    pub const fn reload_ended(&mut self) {
        self.reloading = false;
    }

    pub const fn script_up(&self) -> Option<bool> {
        self.script.up
    }

    /// Judges what the core made of `call`.
    pub fn observe(
        &mut self,
        now: Instant,
        call: &Call,
        effects: &[InstanceEffect],
        node: &Node,
    ) -> Result<(), Broken> {
        if let Call::Handle(Event::TrackResult { success, .. }) = call {
            self.script.record(*success);
        }
        if let Call::Handle(Event::Instance(id, Input::Shutdown)) = call {
            self.shut_down.insert(*id);
        }
        let Some(router) = &node.router else {
            return Ok(());
        };
        self.group_notices(effects)?;
        if !self.started {
            return Ok(());
        }
        let last = self.is_last_of_reload(call, node);
        for id in node.ids() {
            let Some(instance) = router.instance(id) else {
                continue;
            };
            let mut watch = self.watches.remove(&id).unwrap_or_default();
            let verdict = self.observe_one(&mut watch, now, call, effects, node, id, instance);
            self.watches.insert(id, watch);
            verdict?;
            if !self.reloading || last {
                self.faults(router, node, id, instance)?;
            }
        }
        if !self.reloading || last {
            self.group(now, call, node, router)?;
        }
        Ok(())
    }

    fn is_last_of_reload(&self, call: &Call, node: &Node) -> bool {
        matches!(call, Call::Reconfigure { id, .. } if Some(*id) == node.ids().last())
    }

    #[expect(clippy::too_many_arguments, reason = "one observation")]
    fn observe_one(
        &self,
        watch: &mut Watch,
        now: Instant,
        call: &Call,
        effects: &[InstanceEffect],
        node: &Node,
        id: InstanceId,
        instance: &Instance,
    ) -> Result<(), Broken> {
        let own = || effects.iter().filter(|(of, _)| *of == id).map(|(_, e)| *e);
        let config = node.config(id);
        let (before, after) = (watch.role, Role::of(instance));
        let advert = match call {
            Call::Handle(Event::Instance(to, Input::Advert(advert))) if *to == id => Some(advert),
            _ => None,
        };
        let deaf = config.priority == Priority::OWNER && !config.owner_hears_adverts;
        let advert = advert.filter(|_| !deaf && watch.held_until.is_none_or(|at| at <= now));
        let was = watch.priority;
        let priority = node.expected_priority(id, self.script.up);
        watch.priority = Some(priority);
        let late = was_replaced(config, watch.advertised_at, now);
        let successor = late && advert.is_some_and(|a| a.priority != Priority::RELEASE);
        let replaced = late && matches!(call, Call::Handle(Event::Deadline)) || successor;
        self.notices(watch, own(), after, instance, node, id)?;
        self.adverts(watch, now, own(), before, after, priority, config)?;
        let outranked = successor
            || advert
                .is_some_and(|a| outranks((a.priority, a.source), (priority, Some(node.address))));
        // An owner gives way to another owner of lower address too; its group steps back unheard.
        let yielded = config.priority == Priority::OWNER && advert.is_some();
        self.addresses(
            watch,
            now,
            before,
            after,
            advert,
            outranked || yielded,
            replaced,
            own(),
            node,
            id,
            instance.is_running(),
        )?;
        self.timer(
            watch, now, call, advert, outranked, before, after, was, config, node,
        )?;
        watch.role = after;
        let State::Backup { active_down_at, .. } = instance.state() else {
            return Ok(());
        };
        if let Some(due) = watch
            .due
            .filter(|due| *due != active_down_at && !self.reloading)
        {
            return broken(
                "a Backup takes over exactly n intervals and the skew time after the last advert",
                format!("{id} does so at {active_down_at:?} instead of {due:?}"),
            );
        }
        Ok(())
    }

    fn notices(
        &self,
        watch: &mut Watch,
        effects: impl Iterator<Item = Effect>,
        after: Role,
        instance: &Instance,
        node: &Node,
        id: InstanceId,
    ) -> Result<(), Broken> {
        const RULE: &str = "others are told of every state, once and in order";
        for effect in effects {
            let Effect::Notify(transition) = effect else {
                continue;
            };
            if watch.told == Some(transition) {
                return broken(RULE, format!("{id} says {transition:?} twice"));
            }
            if transition == Transition::Active && !node.installed.contains(&id) {
                return broken(RULE, format!("{id} says {transition:?} without addresses"));
            }
            watch.told = Some(transition);
        }
        let pending = instance.faults().iter().all(Fault::is_pending);
        let expected = match after {
            Role::Active => Some(Transition::Active),
            Role::Backup => Some(Transition::Backup),
            Role::Initialize if !instance.is_running() && instance.holds_addresses() => watch.told,
            Role::Initialize if !instance.is_running() => Some(Transition::Stopped),
            Role::Initialize if pending => watch.told,
            Role::Initialize => Some(Transition::Fault),
        };
        // Before its own Startup it says nothing.
        let begun = instance.is_running() || self.shut_down.contains(&id);
        if begun && watch.told != expected {
            let told = watch.told;
            return broken(RULE, format!("{id} is {after:?}, and told was {told:?}"));
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one observation")]
    fn adverts(
        &self,
        watch: &mut Watch,
        now: Instant,
        effects: impl Iterator<Item = Effect>,
        before: Role,
        after: Role,
        priority: Priority,
        config: &InstanceConfig,
    ) -> Result<(), Broken> {
        const RULE: &str =
            "an Active Router advertises its priority in every interval, others nothing";
        for effect in effects {
            let Effect::SendAdvert(says) = effect else {
                continue;
            };
            let active = before == Role::Active || after == Role::Active;
            let release = says == Priority::RELEASE;
            let yielded = config.priority == Priority::OWNER && says == Priority::new(254);
            if !active || (release && after == Role::Active && before == Role::Active) {
                return broken(
                    RULE,
                    format!("{before:?}, then {after:?}, sends priority {says}"),
                );
            }
            if !release && says != priority && !yielded && !self.reloading {
                return broken(
                    RULE,
                    format!("priority {says} is sent instead of {priority}"),
                );
            }
            watch.advertised_at = Some(now);
        }
        let left_with_fault = before == Role::Active && after == Role::Initialize;
        if left_with_fault && watch.advertised_at != Some(now) {
            return broken(RULE, "it stops without priority 0");
        }
        let interval = config.advertisement_interval.duration();
        let late = |at: Instant| at + interval < now && now > self.excused_until;
        if after == Role::Active && watch.advertised_at.is_none_or(late) && !self.reloading {
            let last = watch.advertised_at;
            return broken(
                RULE,
                format!("the last advert left at {last:?}, now is {now:?}"),
            );
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one observation")]
    fn addresses(
        &self,
        watch: &mut Watch,
        now: Instant,
        before: Role,
        after: Role,
        advert: Option<&Advert>,
        outranked: bool,
        replaced: bool,
        effects: impl Iterator<Item = Effect>,
        node: &Node,
        id: InstanceId,
        running: bool,
    ) -> Result<(), Broken> {
        const RULE: &str = "addresses are there exactly while Active, and for a handover";
        let own_fault = !node.own_faults(id, self.script.up).is_empty();
        let overlap = node.config(id).handover_overlap;
        if before == Role::Active && after != Role::Active {
            let stopping = self.shut_down.contains(&id);
            watch.grace = match after {
                _ if stopping => Some(now + longest(node, id, skew_of_release) + SUCCESSOR_MARGIN),
                Role::Backup if outranked || !node.is_grouped() => Some(now + overlap),
                Role::Initialize if own_fault => None,
                Role::Initialize | Role::Backup | Role::Active => {
                    Some(now + longest(node, id, down_of_release) + SUCCESSOR_MARGIN)
                }
            };
            // Of a group whose timers were late, the first to see it knows of a successor; the
            // others step back with it, and know of none.
            let least = watch.grace.map(|at| at.min(now + overlap));
            watch.kept_until = if replaced { least } else { watch.grace };
        } else if let (Some(grace), Some(_)) = (
            &mut watch.grace,
            advert.filter(|a| a.priority != Priority::RELEASE),
        ) {
            *grace = (*grace).min(now + overlap);
            watch.kept_until = watch.kept_until.min(watch.grace);
        }
        let installed = node.installed.contains(&id);
        if after == Role::Active {
            (watch.grace, watch.kept_until) = (None, None);
            return match installed {
                true => Ok(()),
                false => broken(RULE, format!("{id} is Active without addresses")),
            };
        }
        let removed = effects.into_iter().any(|e| e == Effect::RemoveAddresses);
        let early = watch.kept_until.is_some_and(|at| now < at);
        if removed && early && !own_fault && !self.reloading {
            let until = watch.kept_until;
            return broken(RULE, format!("{id} lets go at {now:?}, before {until:?}"));
        }
        // What else happens at that very instant may come before its timer.
        let over = |at: Instant| at < now && now > self.excused_until;
        // What an earlier run has left goes at Startup.
        let begun = running || self.shut_down.contains(&id);
        if installed && begun && watch.grace.is_none_or(over) && !self.reloading {
            let until = watch.grace;
            return broken(
                RULE,
                format!("{id} is {after:?} with addresses, allowed until {until:?}"),
            );
        }
        if !installed {
            (watch.grace, watch.kept_until) = (None, None);
        }
        Ok(())
    }

    /// RFC 9568 §6.4 as far as it says when a Backup takes over.
    #[expect(clippy::too_many_arguments, reason = "one observation")]
    fn timer(
        &self,
        watch: &mut Watch,
        now: Instant,
        call: &Call,
        advert: Option<&Advert>,
        outranked: bool,
        before: Role,
        after: Role,
        was: Option<Priority>,
        config: &InstanceConfig,
        node: &Node,
    ) -> Result<(), Broken> {
        let priority = watch.priority.unwrap_or(config.priority);
        let silent = config.priority == Priority::OWNER || config.listen_before_lead;
        let adopted = |advert: &Advert| match config.version {
            Version::V2 => config.advertisement_interval,
            Version::V3 => advert.interval,
        };
        match (before, after) {
            (Role::Backup, Role::Backup) => {
                if let (Some(due), Some(was)) = (&mut watch.due, was)
                    && was != priority
                {
                    let interval = watch
                        .active_interval
                        .unwrap_or(config.advertisement_interval);
                    let moved = *due + skew(config, interval, priority);
                    *due = (moved - skew(config, interval, was)).max(now);
                }
                if let Some(advert) = advert {
                    self.heard(watch, now, advert, adopted(advert), priority, config);
                }
                let is_deadline = matches!(call, Call::Handle(Event::Deadline));
                if let Some(due) = watch.due.filter(|due| is_deadline && *due <= now) {
                    if !node.is_grouped() {
                        return broken(
                            "a Backup that hears nothing takes over",
                            format!("it was due at {due:?} and did not at {now:?}"),
                        );
                    }
                    watch.expired = true;
                    let interval = watch
                        .active_interval
                        .unwrap_or(config.advertisement_interval);
                    watch.due = Some(now + down(config, interval, priority));
                }
            }
            (_, Role::Backup) => {
                let interval = match advert.filter(|_| before == Role::Active && outranked) {
                    Some(advert) => adopted(advert),
                    None => config.advertisement_interval,
                };
                let from = match before {
                    Role::Initialize => watch.held_until.map_or(now, |at| at.max(now)),
                    Role::Backup | Role::Active => now,
                };
                watch.due = (!silent).then(|| from + down(config, interval, priority));
                watch.active_interval = Some(interval);
                watch.expired = false;
                watch.preempt_at = None;
            }
            (Role::Backup, Role::Active) => {
                let due = watch.due.take();
                watch.preempt_at = None;
                let expired = std::mem::take(&mut watch.expired);
                return self.takeover_on_time(now, due, expired, node);
            }
            (_, Role::Initialize | Role::Active) => {
                watch.due = None;
                watch.expired = false;
            }
        }
        if self.reloading {
            // It may have become Backup with the old times, which are no longer known here.
            watch.due = None;
        }
        Ok(())
    }

    fn heard(
        &self,
        watch: &mut Watch,
        now: Instant,
        advert: &Advert,
        interval: Interval,
        priority: Priority,
        config: &InstanceConfig,
    ) {
        let adopted = watch
            .active_interval
            .unwrap_or(config.advertisement_interval);
        if advert.priority == Priority::RELEASE {
            let known = watch.due.is_some();
            watch.due = known.then(|| now + skew(config, adopted, priority));
            return;
        }
        let obeyed = if advert.priority >= priority || !config.preempt_mode {
            watch.preempt_at = None;
            true
        } else if config.preempt_delay.is_zero() {
            false
        } else {
            now < *watch.preempt_at.get_or_insert(now + config.preempt_delay)
        };
        if obeyed {
            let silent = config.priority == Priority::OWNER || config.listen_before_lead;
            watch.active_interval = Some(interval);
            watch.expired = false;
            watch.due = (!silent).then(|| now + down(config, interval, priority));
        }
    }

    fn takeover_on_time(
        &self,
        now: Instant,
        due: Option<Instant>,
        expired: bool,
        node: &Node,
    ) -> Result<(), Broken> {
        const RULE: &str = "a takeover comes neither early nor late";
        let Some(due) = due else { return Ok(()) };
        if now < due && !expired {
            return broken(
                RULE,
                format!("at {now:?}, {:?} early", due.saturating_since(now)),
            );
        }
        let late = now > due && now > self.excused_until;
        if late && !node.is_grouped() {
            return broken(
                RULE,
                format!("at {now:?}, {:?} late", now.saturating_since(due)),
            );
        }
        Ok(())
    }

    fn faults(
        &self,
        router: &Recorded,
        node: &Node,
        id: InstanceId,
        instance: &Instance,
    ) -> Result<(), Broken> {
        const RULE: &str = "no fault is lost, and none is made up";
        if !instance.is_running() {
            return Ok(());
        }
        if router.tracker_up(SCRIPT) != self.script.up {
            return broken(RULE, format!("the script is {:?}", self.script.up));
        }
        let present = || instance.faults().iter();
        let own: BTreeSet<Fault> = present().filter(|f| !f.is_of_group()).cloned().collect();
        let expected = node.own_faults(id, self.script.up);
        if own != expected {
            return broken(RULE, format!("{id} has {own:?} instead of {expected:?}"));
        }
        let failed = |f: &Fault| !f.is_pending();
        let failing = |other: InstanceId| {
            let running = router.instance(other).is_some_and(Instance::is_running);
            running && node.own_faults(other, self.script.up).iter().any(failed)
        };
        let others = node.ids().filter(|other| *other != id);
        let of_group = node.is_grouped() && others.into_iter().any(failing);
        let all_run = router.instances().all(|(_, i)| i.is_running());
        if all_run && of_group != instance.faults().contains(&Fault::Group) {
            return broken(
                RULE,
                format!("{id} shares a fault of its group: {of_group}"),
            );
        }
        let runs = !matches!(instance.state(), State::Initialize);
        if runs && instance.faults().iter().any(failed) {
            return broken(RULE, format!("{id} runs with {:?}", instance.faults()));
        }
        if !runs && instance.faults().is_empty() {
            return broken(RULE, format!("{id} does not run, for no reason"));
        }
        Ok(())
    }

    fn group_notices(&mut self, effects: &[InstanceEffect]) -> Result<(), Broken> {
        for (_, effect) in effects {
            let Effect::NotifyGroup(group, transition) = effect else {
                continue;
            };
            if *group != GROUP || self.group_told == Some(*transition) {
                return broken(
                    GROUP_RULE,
                    format!("the group says {transition:?} once more"),
                );
            }
            self.group_told = Some(*transition);
        }
        Ok(())
    }

    fn group(
        &mut self,
        now: Instant,
        call: &Call,
        node: &Node,
        router: &Recorded,
    ) -> Result<(), Broken> {
        if matches!(call, Call::SetGroups(_)) || !node.is_grouped() {
            self.group_told = self.group_told.filter(|_| node.is_grouped());
            return Ok(());
        }
        let roles: Vec<Role> = router.instances().map(|(_, i)| Role::of(i)).collect();
        if !router.instances().all(|(_, i)| i.is_running()) {
            return Ok(());
        }
        let active = roles.iter().filter(|r| **r == Role::Active).count();
        if active != 0 && active != roles.len() {
            return broken(GROUP_RULE, format!("{roles:?} at {now:?}"));
        }
        let told = self.group_told == Some(Transition::Active);
        if told != (active != 0) {
            return broken(
                GROUP_RULE,
                format!("{roles:?}, and told was {:?}", self.group_told),
            );
        }
        let wants = |id: &InstanceId| self.watches.get(id).is_some_and(|w| w.expired);
        if active == 0 && node.ids().all(|id| wants(&id)) {
            return broken(GROUP_RULE, "all are due, and none takes over");
        }
        Ok(())
    }
}

/// RFC 9568 §6.1: `(256 − priority) / 256` of an interval; of a second in RFC 3768 §6.1.
fn skew(config: &InstanceConfig, interval: Interval, priority: Priority) -> Duration {
    let whole = match config.version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval.duration(),
    };
    whole * (256 - u32::from(priority.get())) / 256
}

/// RFC 9568 §6.1, Active_Down_Interval.
fn down(config: &InstanceConfig, interval: Interval, priority: Priority) -> Duration {
    interval.duration() * u32::from(config.down_timer_adverts) + skew(config, interval, priority)
}

/// Whether a peer with the priority of `timer_expired_backup` has taken over since the last advert.
fn was_replaced(config: &InstanceConfig, last: Option<Instant>, now: Instant) -> bool {
    let (Some(priority), Some(last)) = (config.late_timer_priority, last) else {
        return false;
    };
    let interval = config.advertisement_interval;
    last + interval.duration() * 3 + skew(config, interval, priority) < now
}

fn skew_of_release(config: &InstanceConfig) -> Duration {
    skew(config, config.advertisement_interval, Priority::RELEASE)
}

fn down_of_release(config: &InstanceConfig) -> Duration {
    down(config, config.advertisement_interval, Priority::RELEASE)
}

/// The longest of a sync group's members, or its own where there is no group.
fn longest(node: &Node, id: InstanceId, time: fn(&InstanceConfig) -> Duration) -> Duration {
    if !node.is_grouped() {
        return node
            .in_force()
            .get(id.0 as usize - 1)
            .map_or_else(Duration::default, time);
    }
    node.in_force().iter().map(time).max().unwrap_or_default()
}
