//! Every schedule of up to a few accidents, on the real core with a bounded clock.
//!
//! At each advert the explorer may lose it for one peer or hold it back, and at each event it may
//! crash, restart or fault a router. It tries all of those choices, one run for each, and lets
//! every run settle: exactly one Active must remain among the routers that can be it, and only
//! Active routers may have the addresses.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vipd::types::{InstanceId, Instant, Interval, Priority, Version, Vrid};
use vipd::vrrp::instance::{Effect, Fault, Input, InstanceConfig, State};
use vipd::vrrp::router::{Event, Router, Tracking};
use vipd::wire::vrrp::Advert;

const ID: InstanceId = InstanceId(1);

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

struct Model {
    configs: Vec<InstanceConfig>,
    routers: Vec<Option<Router>>,
    faulty: Vec<bool>,
    installed: Vec<bool>,
    /// Adverts that were held back: when they arrive, at whom.
    late: BTreeMap<(Instant, usize), (usize, Advert)>,
    now: Instant,
    events: u64,
}

impl Model {
    fn new(configs: &[InstanceConfig], choices: &mut Choices) -> Self {
        let count = configs.len();
        let mut model = Self {
            configs: configs.to_vec(),
            routers: (0..count).map(|_| None).collect(),
            faulty: vec![false; count],
            installed: vec![false; count],
            late: BTreeMap::new(),
            now: Instant::default(),
            events: 0,
        };
        for node in 0..count {
            model.boot(node, choices);
        }
        model
    }

    fn address(node: usize) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, u8::try_from(node).unwrap() + 1).into()
    }

    fn boot(&mut self, node: usize, choices: &mut Choices) {
        let mut router = Router::new();
        router.add(
            self.now,
            ID,
            self.configs[node].clone(),
            Tracking::default(),
        );
        self.routers[node] = Some(router);
        self.faulty[node] = false;
        self.feed(node, Input::PrimaryAddress(Self::address(node)), choices);
        self.feed(node, Input::Startup, choices);
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

    fn arrive(&mut self, key: (Instant, usize), choices: &mut Choices) {
        self.now = self.now.max(key.0);
        if let Some((to, advert)) = self.late.remove(&key) {
            self.feed(to, Input::Advert(advert), choices);
        }
    }

    /// Crash or restart, fault or recovery of any router, if the explorer wants one now.
    fn accident(&mut self, choices: &mut Choices) {
        let nodes = u8::try_from(self.configs.len()).unwrap();
        let chosen = choices.pick(nodes * 2);
        if chosen == 0 {
            return;
        }
        let node = usize::from((chosen - 1) / 2);
        if chosen.is_multiple_of(2) {
            if self.routers[node].take().is_some() {
                self.installed[node] = false;
            } else {
                self.boot(node, choices);
            }
        } else if self.faulty[node] {
            self.faulty[node] = false;
            self.feed(node, Input::FaultCleared(Fault::Interface), choices);
        } else if self.routers[node].is_some() {
            self.faulty[node] = true;
            self.feed(node, Input::FaultRaised(Fault::Interface), choices);
        }
    }

    fn feed(&mut self, node: usize, input: Input, choices: &mut Choices) {
        self.pass(node, Event::Instance(ID, input), choices);
    }

    fn pass(&mut self, node: usize, event: Event, choices: &mut Choices) {
        let Some(router) = &mut self.routers[node] else {
            return;
        };
        let mut effects = Vec::new();
        router.handle(self.now, event, &mut effects);
        for (_, effect) in effects {
            match effect {
                Effect::AnnounceElsewhere
                | Effect::AdvertiseRouter { .. }
                | Effect::HeardLowerPriority
                | Effect::NotifyGroup(..) => {}
                Effect::InstallAddresses => self.installed[node] = true,
                Effect::RemoveAddresses => self.installed[node] = false,
                Effect::SendAdvert(priority) => self.send(node, priority, choices),
                Effect::AnnounceAddresses { .. } | Effect::Notify(_) => {}
            }
        }
        let holds = self.routers[node]
            .as_ref()
            .is_some_and(|r| r.instance(ID).unwrap().holds_addresses());
        assert_eq!(
            self.installed[node], holds,
            "addresses are there exactly while held"
        );
    }

    fn send(&mut self, from: usize, priority: Priority, choices: &mut Choices) {
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
            let mut slot = to;
            while self.late.contains_key(&(self.now + delay, slot)) {
                slot += self.configs.len();
            }
            self.late.insert((self.now + delay, slot), (to, advert));
        }
    }

    fn check_settled(&self) {
        let active = |r: &Router| matches!(r.instance(ID).unwrap().state(), State::Active { .. });
        let able = |n: usize| self.routers[n].is_some() && !self.faulty[n];
        let able = (0..self.configs.len()).filter(|n| able(*n)).count();
        let actives = self.routers.iter().flatten().filter(|r| active(r)).count();
        assert_eq!(
            actives,
            able.min(1),
            "active routers, of {able} that can be"
        );
        let holders = self.installed.iter().filter(|i| **i).count();
        assert_eq!(holders, actives, "routers with the addresses");
    }
}

/// Tries every schedule and returns how many runs, events and how deep a run went.
fn explore(configs: &[InstanceConfig], budget: u8, steps: u32) -> (u64, u64, usize) {
    let mut choices = Choices::default();
    let (mut runs, mut events, mut depth) = (0, 0, 0);
    loop {
        choices.at = 0;
        choices.budget = budget;
        let mut model = Model::new(configs, &mut choices);
        for _ in 0..steps {
            model.step(&mut choices);
            model.accident(&mut choices);
        }
        choices.budget = 0;
        let slowest = configs
            .iter()
            .map(|c| c.advertisement_interval.duration())
            .max()
            .unwrap();
        let settled = model.now + slowest * 12 + Duration::from_secs(3);
        while model.now < settled {
            model.step(&mut choices);
        }
        model.check_settled();
        runs += 1;
        events += model.events;
        depth = depth.max(choices.script.len());
        if !choices.advance() {
            return (runs, events, depth);
        }
    }
}

fn router(version: Version, priority: u8, preempt_mode: bool) -> InstanceConfig {
    InstanceConfig {
        version,
        priority: Priority::new(priority),
        preempt_mode,
        advertisement_interval: Interval::DEFAULT,
        ..InstanceConfig::new(Vrid::new(1).unwrap())
    }
}

fn report(what: &str, (runs, events, depth): (u64, u64, usize)) {
    println!("{what}: {runs} schedules, {events} events, {depth} choices deep, no disagreement");
}

#[test]
fn two_routers_agree_after_any_four_accidents() {
    for (name, priorities, preempt) in [
        ("200 and 100", [200, 100], true),
        ("equal priorities", [100, 100], true),
        ("without preemption", [200, 100], false),
    ] {
        for version in [Version::V2, Version::V3] {
            let configs = priorities.map(|p| router(version, p, preempt));
            report(
                &format!("two routers, {name}, {version:?}"),
                explore(&configs, 4, 12),
            );
        }
    }
}

#[test]
fn three_routers_agree_after_any_three_accidents() {
    for (name, priorities, preempt) in [
        ("200, 150 and 100", [200, 150, 100], true),
        ("two of them equal", [150, 150, 100], true),
        ("without preemption", [200, 150, 100], false),
    ] {
        let configs = priorities.map(|p| router(Version::V3, p, preempt));
        report(&format!("three routers, {name}"), explore(&configs, 3, 12));
    }
}
