//! Every schedule of up to a few accidents, on the real core with a bounded clock.
//!
//! At each advert the explorer may lose it for one peer or hold it back, and at each event it may
//! crash, restart or fault a router, or one member of its sync group. It tries all of those
//! choices, one run for each, and lets every run settle: exactly one Active must remain among the
//! routers that can be it, with every member of its group, and only Active routers may have the
//! addresses. From then on, nothing may change any more.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vipd::types::{InstanceId, Instant, Interval, Priority, Version, Vrid};
use vipd::vrrp::group::GroupId;
use vipd::vrrp::instance::{Effect, Fault, Input, Instance, InstanceConfig, State};
use vipd::vrrp::router::{Event, Router, Tracking};
use vipd::wire::vrrp::Advert;

const GROUP: GroupId = GroupId(1);

/// What the explorer decides: a number for each point of choice, 0 for "nothing happens".
#[derive(Default)]
struct Choices {
    script: Vec<(u8, u8)>,
    at: usize,
    budget: u8,
}

impl Choices {
    /// One of `count` alternatives besides 0; only 0 once the budget is spent.
    fn pick(&mut self, count: u8) -> u8 {
        if self.budget == 0 {
            return 0;
        }
        if self.at == self.script.len() {
            self.script.push((0, count));
        }
        let chosen = self.script[self.at].0;
        self.at += 1;
        if chosen > 0 {
            self.budget -= 1;
        }
        chosen
    }

    /// The next script in order; false when all have been tried.
    fn advance(&mut self) -> bool {
        while let Some((chosen, count)) = self.script.pop() {
            if chosen < count {
                self.script.push((chosen + 1, count));
                return true;
            }
        }
        false
    }
}

struct Model<'a> {
    configs: &'a [InstanceConfig],
    /// Instances on each router, in one sync group if there are several.
    members: u32,
    routers: Vec<Option<Router>>,
    faulty: BTreeSet<(usize, InstanceId)>,
    installed: BTreeSet<(usize, InstanceId)>,
    /// Adverts on their way: when they arrive, at whom.
    late: BTreeMap<(Instant, u64), (usize, InstanceId, Advert)>,
    sent: u64,
    now: Instant,
    events: u64,
}

impl<'a> Model<'a> {
    fn new(configs: &'a [InstanceConfig], members: u32, choices: &mut Choices) -> Self {
        let mut model = Self {
            configs,
            members,
            routers: configs.iter().map(|_| None).collect(),
            faulty: BTreeSet::new(),
            installed: BTreeSet::new(),
            late: BTreeMap::new(),
            sent: 0,
            now: Instant::default(),
            events: 0,
        };
        for node in 0..configs.len() {
            model.boot(node, choices);
        }
        model
    }

    fn ids(&self) -> impl Iterator<Item = InstanceId> + use<> {
        (1..=self.members).map(InstanceId)
    }

    fn address(node: usize) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, u8::try_from(node).unwrap() + 1).into()
    }

    fn boot(&mut self, node: usize, choices: &mut Choices) {
        let mut router = Router::new();
        if self.members > 1 {
            let groups = vec![(GROUP, self.ids().collect())];
            router.set_groups(self.now, groups, &mut Vec::new());
        }
        for id in self.ids() {
            let config = self.configs[node].clone();
            router.add(self.now, id, config, Tracking::default());
        }
        self.routers[node] = Some(router);
        self.faulty.retain(|(of, _)| *of != node);
        for input in [Input::PrimaryAddress(Self::address(node)), Input::Startup] {
            for id in self.ids() {
                self.feed(node, id, input.clone(), choices);
            }
        }
    }

    /// Lets the next thing happen: a late advert or a timer.
    fn step(&mut self, choices: &mut Choices) {
        let timers = self.routers.iter().enumerate();
        let due = timers
            .filter_map(|(n, r)| Some((r.as_ref()?.deadline()?, n)))
            .min();
        let late = self.late.first_key_value().map(|(key, _)| *key);
        match (due, late) {
            (Some((at, _)), Some(key)) if key.0 <= at => self.arrive(key, choices),
            (None, Some(key)) => self.arrive(key, choices),
            (Some((at, node)), _) => {
                self.now = self.now.max(at);
                self.pass(node, Event::Deadline, choices);
            }
            (None, None) => self.now = self.now + Duration::from_secs(1),
        }
        self.events += 1;
    }

    fn arrive(&mut self, key: (Instant, u64), choices: &mut Choices) {
        self.now = self.now.max(key.0);
        if let Some((to, id, advert)) = self.late.remove(&key) {
            self.feed(to, id, Input::Advert(advert), choices);
        }
    }

    /// Crash or restart of any router, fault or recovery of any member, if the explorer wants
    /// one now.
    fn accident(&mut self, choices: &mut Choices) {
        let nodes = u8::try_from(self.configs.len()).unwrap();
        let kinds = u8::try_from(self.members).unwrap() + 1;
        let Some(chosen) = choices.pick(nodes * kinds).checked_sub(1) else {
            return;
        };
        let node = usize::from(chosen / kinds);
        let id = InstanceId(u32::from(chosen % kinds));
        if id.0 == 0 {
            if self.routers[node].take().is_some() {
                self.installed.retain(|(of, _)| *of != node);
            } else {
                self.boot(node, choices);
            }
        } else if self.faulty.remove(&(node, id)) {
            let mended = Input::FaultCleared(Fault::Interface);
            self.feed(node, id, mended, choices);
        } else if self.routers[node].is_some() {
            self.faulty.insert((node, id));
            self.feed(node, id, Input::FaultRaised(Fault::Interface), choices);
        }
    }

    fn feed(&mut self, node: usize, id: InstanceId, input: Input, choices: &mut Choices) {
        self.pass(node, Event::Instance(id, input), choices);
    }

    fn pass(&mut self, node: usize, event: Event, choices: &mut Choices) {
        let Some(router) = &mut self.routers[node] else {
            return;
        };
        let mut effects = Vec::new();
        router.handle(self.now, event, &mut effects);
        for (id, effect) in effects {
            match effect {
                Effect::InstallAddresses => {
                    self.installed.insert((node, id));
                }
                Effect::RemoveAddresses => {
                    self.installed.remove(&(node, id));
                }
                Effect::SendAdvert(priority) => self.send(node, id, priority, choices),
                Effect::AnnounceElsewhere
                | Effect::AdvertiseRouter { .. }
                | Effect::HeardLowerPriority
                | Effect::NotifyGroup(..)
                | Effect::AnnounceAddresses { .. }
                | Effect::Notify(_) => {}
            }
        }
        let Some(router) = &self.routers[node] else {
            return;
        };
        for (id, instance) in router.instances() {
            let installed = self.installed.contains(&(node, id));
            let holds = instance.holds_addresses();
            assert_eq!(installed, holds, "addresses are there exactly while held");
        }
        let active = self.active_members(node);
        assert!(
            active == 0 || active == self.members,
            "{active} of {} members of node {node} are Active",
            self.members
        );
    }

    fn active_members(&self, node: usize) -> u32 {
        let router = self.routers[node].iter();
        let active = |(_, i): &(InstanceId, &Instance)| matches!(i.state(), State::Active { .. });
        let count = router.flat_map(|r| r.instances()).filter(active).count();
        u32::try_from(count).unwrap()
    }

    fn send(&mut self, from: usize, id: InstanceId, priority: Priority, choices: &mut Choices) {
        let interval = self.configs[from].advertisement_interval;
        let advert = Advert {
            source: Self::address(from),
            priority,
            interval,
            version: Version::V3,
        };
        for to in (0..self.configs.len()).filter(|to| *to != from) {
            // A millisecond on the way; lost; or held back for a third of the interval.
            let delay = match choices.pick(2) {
                0 => Duration::from_millis(1),
                1 => continue,
                _ => interval.duration() / 3,
            };
            self.sent += 1;
            self.late
                .insert((self.now + delay, self.sent), (to, id, advert));
        }
    }

    fn check_settled(&self) {
        let nodes = || 0..self.configs.len();
        let well = |n: usize| self.ids().all(|id| !self.faulty.contains(&(n, id)));
        let able = nodes().filter(|n| self.routers[*n].is_some() && well(*n));
        let able = able.count();
        let actives = nodes().filter(|n| self.active_members(*n) > 0).count();
        assert_eq!(
            actives,
            able.min(1),
            "active routers, of {able} that can be"
        );
        let holders: BTreeSet<usize> = self.installed.iter().map(|(n, _)| *n).collect();
        assert_eq!(holders.len(), actives, "routers with the addresses");
    }

    /// What the next steps depend on: states, timers and packets as times from now.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let from_now = |at: Instant| at.saturating_since(self.now);
        for router in &self.routers {
            router.is_some().hash(&mut hasher);
            for (_, instance) in router.iter().flat_map(Router::instances) {
                let (kind, timer) = match instance.state() {
                    State::Initialize => (0, None),
                    State::Backup { active_down_at, .. } => (1, Some(active_down_at)),
                    State::Active { adver_at } => (2, Some(adver_at)),
                };
                (kind, timer.map(from_now), instance.wants_active()).hash(&mut hasher);
                (instance.deadline().map(from_now), instance.faults()).hash(&mut hasher);
            }
        }
        self.installed.hash(&mut hasher);
        for ((at, _), (to, id, advert)) in &self.late {
            (from_now(*at), to, id, advert.source, advert.priority).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// What an exploration went through.
#[derive(Default)]
struct Explored {
    schedules: u64,
    events: u64,
    states: BTreeSet<u64>,
    depth: usize,
}

/// Tries every schedule with up to `budget` choices among the first `steps` events.
fn explore(configs: &[InstanceConfig], members: u32, budget: u8, steps: u32) -> Explored {
    let mut choices = Choices::default();
    let mut explored = Explored::default();
    let slowest = configs.iter().map(|c| c.advertisement_interval.duration());
    let slowest = slowest.max().unwrap();
    loop {
        choices.at = 0;
        choices.budget = budget;
        let mut model = Model::new(configs, members, &mut choices);
        for _ in 0..steps {
            model.step(&mut choices);
            model.accident(&mut choices);
            explored.states.insert(model.fingerprint());
        }
        choices.budget = 0;
        let settled = model.now + slowest * 12 * members + Duration::from_secs(3);
        while model.now < settled {
            model.step(&mut choices);
        }
        for _ in 0..steps {
            model.check_settled();
            model.step(&mut choices);
        }
        explored.schedules += 1;
        explored.events += model.events;
        explored.depth = explored.depth.max(choices.script.len());
        if !choices.advance() {
            return explored;
        }
    }
}

fn router(version: Version, priority: u8, preempt_mode: bool) -> InstanceConfig {
    InstanceConfig {
        version,
        priority: Priority::new(priority),
        preempt_mode,
        // At one second the skew times of both versions are the same.
        advertisement_interval: match version {
            Version::V2 => Interval::from_secs(2).unwrap(),
            Version::V3 => Interval::DEFAULT,
        },
        ..InstanceConfig::new(Vrid::new(1).unwrap())
    }
}

fn report(what: &str, explored: &Explored) {
    println!(
        "{what}: {} schedules, {} events, {} states, {} choices deep, no disagreement",
        explored.schedules,
        explored.events,
        explored.states.len(),
        explored.depth
    );
}

/// Accidents in each schedule: `VIPD_MODEL_ACCIDENTS=1` adds one to what every test run has time
/// for, at about a hundred times the time.
fn accidents(usual: u8) -> u8 {
    let more = std::env::var("VIPD_MODEL_ACCIDENTS").ok();
    usual + more.and_then(|n| n.parse::<u8>().ok()).unwrap_or(0)
}

const PAIRS: [(&str, [u8; 2], bool); 3] = [
    ("200 and 100", [200, 100], true),
    ("equal priorities", [100, 100], true),
    ("without preemption", [200, 100], false),
];

#[test]
fn two_routers_agree_after_any_three_accidents() {
    for (name, priorities, preempt) in PAIRS {
        for version in [Version::V2, Version::V3] {
            let configs = priorities.map(|p| router(version, p, preempt));
            report(
                &format!("two routers, {name}, {version:?}"),
                &explore(&configs, 1, accidents(3), 12),
            );
        }
    }
}

#[test]
fn three_routers_agree_after_any_two_accidents() {
    for (name, priorities, preempt) in [
        ("200, 150 and 100", [200, 150, 100], true),
        ("two of them equal", [150, 150, 100], true),
        ("without preemption", [200, 150, 100], false),
    ] {
        let configs = priorities.map(|p| router(Version::V3, p, preempt));
        report(
            &format!("three routers, {name}"),
            &explore(&configs, 1, accidents(2), 12),
        );
    }
}

#[test]
fn a_sync_group_of_two_on_two_routers_is_never_split_after_any_two_accidents() {
    for (name, priorities, preempt) in PAIRS {
        for version in [Version::V2, Version::V3] {
            let configs = priorities.map(|p| router(version, p, preempt));
            report(
                &format!("a sync group on two routers, {name}, {version:?}"),
                &explore(&configs, 2, accidents(2), 14),
            );
        }
    }
}
