//! A network of routers under seeds: the real core, simulated packets, time and accidents.
//!
//! `VIPD_SIM_SEEDS=1000000 cargo test --release --test sim` runs more of them, and
//! `VIPD_SIM_SEED=42` one alone, with its story.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;
use vipd::types::{InstanceId, Instant, Interval, Priority, Version, Vrid};
use vipd::vrrp::election::Weight;
use vipd::vrrp::instance::{Effect, HANDOVER_OVERLAP, Input, InstanceConfig, State};
use vipd::vrrp::router::{Event, InstanceEffect, Router, Tracking};
use vipd::vrrp::track::{RiseFall, TrackerId};
use vipd::wire::vrrp::Advert;

const ID: InstanceId = InstanceId(1);
const SCRIPT: TrackerId = TrackerId(1);
const SEEDS: u64 = 2_000;
/// More events in a second than any sane network of four has.
const STORM: u32 = 20_000;
const CHAOS: Duration = Duration::from_secs(120);

struct Node {
    router: Option<Router>,
    config: InstanceConfig,
    address: IpAddr,
    weight: i16,
    installed: bool,
    /// Nodes of the same side hear each other.
    side: u8,
}

enum What {
    Deliver {
        to: usize,
        from: usize,
        advert: Advert,
    },
    Wake {
        node: usize,
    },
    Accident,
}

struct Network {
    rng: XorShiftRng,
    now: Instant,
    nodes: Vec<Node>,
    queue: BTreeMap<(Instant, u64), What>,
    sequence: u64,
    loss: f64,
    longest_delay: u64,
    chaos_ends: Instant,
    /// Since when nothing has happened to the network, the hosts or a packet.
    calm_since: Instant,
    story: Option<Vec<String>>,
}

impl Network {
    fn new(seed: u64, tell: bool) -> Self {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        let version = if rng.random_bool(0.5) {
            Version::V2
        } else {
            Version::V3
        };
        let secs = rng.random_range(1..=3);
        let nodes = (0..rng.random_range(2..=4u8)).map(|n| node(&mut rng, n, version, secs));
        let nodes: Vec<_> = nodes.collect();
        let mut network = Self {
            longest_delay: rng.random_range(1..=20),
            loss: rng.random_range(0.0..0.4),
            rng,
            now: Instant::default(),
            nodes,
            queue: BTreeMap::new(),
            sequence: 0,
            chaos_ends: Instant::default() + CHAOS,
            calm_since: Instant::default(),
            story: tell.then(Vec::new),
        };
        for node in 0..network.nodes.len() {
            network.boot(node);
        }
        network.schedule(Duration::from_secs(1), What::Accident);
        network
    }

    /// Longest time until the routers must agree once nothing disturbs them any more.
    fn bound(&self) -> Duration {
        let slowest = self.nodes.iter().map(|n| {
            let interval = n.config.advertisement_interval.duration();
            interval * (u32::from(n.config.down_timer_adverts) + 2) + n.config.preempt_delay
        });
        // One down interval for the slowest, another for a preemption after it.
        slowest.max().unwrap_or_default() * 2 + Duration::from_secs(2)
    }

    fn run(&mut self) {
        let end = self.chaos_ends + self.bound() * 3;
        let mut events = 0;
        while let Some(((at, _), what)) = self.queue.pop_first() {
            if at > end {
                break;
            }
            let second = at.as_nanos() / 1_000_000_000;
            events = if second == self.now.as_nanos() / 1_000_000_000 {
                events + 1
            } else {
                0
            };
            assert!(
                events < STORM,
                "{events} events in one second: a storm of adverts"
            );
            self.now = at;
            self.happen(what);
            self.check();
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Deliver { to, from, advert } => {
                if self.nodes[to].side == self.nodes[from].side {
                    self.feed(to, Event::Instance(ID, Input::Advert(advert)));
                }
            }
            What::Wake { node } => self.feed(node, Event::Deadline),
            What::Accident => self.accident(),
        }
    }

    fn accident(&mut self) {
        self.calm_since = self.now;
        if self.now >= self.chaos_ends {
            self.tell("everything is mended".to_owned());
            self.loss = 0.0;
            for node in 0..self.nodes.len() {
                self.nodes[node].side = 0;
                self.boot(node);
                self.feed(
                    node,
                    Event::TrackResult {
                        tracker: SCRIPT,
                        success: true,
                    },
                );
            }
            return;
        }
        let node = self.rng.random_range(0..self.nodes.len());
        match self.rng.random_range(0..6) {
            0 => self.crash(node),
            1 => self.boot(node),
            2 => {
                let side = self.rng.random_range(0..2);
                self.tell(format!("node {node} is on side {side}"));
                self.nodes[node].side = side;
            }
            3 => {
                let success = self.rng.random_bool(0.5);
                self.feed(
                    node,
                    Event::TrackResult {
                        tracker: SCRIPT,
                        success,
                    },
                );
            }
            4 => self.loss = if self.rng.random_bool(0.5) { 0.0 } else { 0.3 },
            _ => {}
        }
        // Mostly short gaps, sometimes one that is long enough to settle.
        let longest = if self.rng.random_bool(0.2) {
            60_000
        } else {
            4_000
        };
        let gap = Duration::from_millis(self.rng.random_range(1..longest));
        let left = self.chaos_ends.saturating_since(self.now);
        self.schedule(gap.min(left), What::Accident);
    }

    fn crash(&mut self, node: usize) {
        self.tell(format!("node {node} crashes"));
        self.nodes[node].router = None;
        // The kernel of a host that lost its power holds nothing.
        self.nodes[node].installed = false;
    }

    fn boot(&mut self, node: usize) {
        let Node {
            router: None,
            config,
            address,
            weight,
            ..
        } = &self.nodes[node]
        else {
            return;
        };
        let mut router = Router::new();
        router.set_tracker(SCRIPT, RiseFall::new(1, 1, false));
        let tracking = Tracking {
            trackers: [(SCRIPT, Weight::new(*weight))].into(),
            interfaces: BTreeMap::new(),
        };
        router.add(self.now, ID, config.clone(), tracking);
        let address = Input::PrimaryAddress(*address);
        self.nodes[node].router = Some(router);
        self.tell(format!("node {node} starts"));
        self.feed(node, Event::Instance(ID, address));
        self.feed(node, Event::Instance(ID, Input::Startup));
        self.feed(
            node,
            Event::TrackResult {
                tracker: SCRIPT,
                success: true,
            },
        );
    }

    fn feed(&mut self, node: usize, event: Event) {
        let Some(router) = &mut self.nodes[node].router else {
            return;
        };
        let mut effects: Vec<InstanceEffect> = Vec::new();
        router.handle(self.now, event, &mut effects);
        let due = router.deadline();
        for (_, effect) in effects {
            self.perform(node, effect);
        }
        if let Some(due) = due {
            let wait = due.saturating_since(self.now);
            self.schedule(wait, What::Wake { node });
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::SendAdvert(priority) => self.send(node, priority),
            Effect::InstallAddresses => self.nodes[node].installed = true,
            Effect::RemoveAddresses => self.nodes[node].installed = false,
            Effect::AnnounceAddresses { .. } | Effect::NotifyGroup(..) => {}
            Effect::Notify(transition) => self.tell(format!("node {node} is {transition:?}")),
        }
    }

    fn send(&mut self, from: usize, priority: Priority) {
        let advert = Advert {
            source: self.nodes[from].address,
            priority,
            interval: self.nodes[from].config.advertisement_interval,
        };
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            if self.rng.random_bool(self.loss) {
                self.calm_since = self.now;
                continue;
            }
            let delay = Duration::from_millis(self.rng.random_range(0..self.longest_delay));
            self.schedule(delay, What::Deliver { to, from, advert });
        }
    }

    fn schedule(&mut self, after: Duration, what: What) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), what);
    }

    fn check(&self) {
        for node in &self.nodes {
            let holds = node
                .router
                .as_ref()
                .is_some_and(|r| r.instance(ID).unwrap().holds_addresses());
            assert_eq!(
                node.installed, holds,
                "addresses are there exactly while held"
            );
        }
        if self.now.saturating_since(self.calm_since) <= self.bound() {
            return;
        }
        for side in 0..2 {
            let members = || self.nodes.iter().filter(|n| n.side == side);
            let eligible = members()
                .filter(|n| n.router.as_ref().is_some_and(is_well))
                .count();
            let active = members()
                .filter(|n| n.router.as_ref().is_some_and(is_active))
                .count();
            assert_eq!(
                active,
                eligible.min(1),
                "active routers of side {side}, {eligible} eligible"
            );
            let holding = members().filter(|n| n.installed).count();
            assert_eq!(
                holding, active,
                "hosts of side {side} that hold the addresses"
            );
        }
    }

    fn tell(&mut self, line: String) {
        if let Some(story) = &mut self.story {
            let millis = self.now.as_nanos() / 1_000_000;
            story.push(format!("{millis:>7} ms  {line}"));
        }
    }
}

fn node(rng: &mut XorShiftRng, number: u8, version: Version, secs: u8) -> Node {
    let config = InstanceConfig {
        version,
        // Few values, so that some are equal.
        priority: Priority::new([90, 100, 100, 110, 150, 200][rng.random_range(0..6)]),
        advertisement_interval: match version {
            Version::V2 => Interval::from_secs(secs).unwrap(),
            Version::V3 => Interval::from_centis(rng.random_range(10..=200)).unwrap(),
        },
        preempt_mode: rng.random_bool(0.7),
        preempt_delay: Duration::from_secs(if rng.random_bool(0.2) { 5 } else { 0 }),
        down_timer_adverts: rng.random_range(2..=4),
        ..InstanceConfig::new(Vrid::new(7).unwrap())
    };
    Node {
        router: None,
        config,
        address: Ipv4Addr::new(10, 0, 0, number + 1).into(),
        weight: [-60, -5, 0, 5, 60][rng.random_range(0..5)],
        installed: false,
        side: 0,
    }
}

fn is_well(router: &Router) -> bool {
    router.instance(ID).unwrap().faults().is_empty()
}

fn is_active(router: &Router) -> bool {
    matches!(router.instance(ID).unwrap().state(), State::Active { .. })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn routers_agree_on_one_active_whatever_happened_before() {
    assert!(
        HANDOVER_OVERLAP < Duration::from_millis(100),
        "the bound leaves room for it"
    );
    if let Some(seed) = number("VIPD_SIM_SEED") {
        let mut network = Network::new(seed, true);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| network.run()));
        println!("{}", network.story.unwrap_or_default().join("\n"));
        return outcome.unwrap();
    }
    let seeds = number("VIPD_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in 0..seeds {
        let run = || Network::new(seed, false).run();
        if let Err(panic) = std::panic::catch_unwind(run) {
            println!("seed {seed} fails; VIPD_SIM_SEED={seed} tells its story");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{seeds} seeds, no disagreement");
}
