//! What a seed stands for: hosts, their configuration, and accidents.

use std::fmt;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xorshift::XorShiftRng;
use vipd::types::{Interval, Priority, Version, Vrid};
use vipd::vrrp::instance::InstanceConfig;

/// One host's configuration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// One for each member.
    pub configs: Vec<InstanceConfig>,
    /// Of the script; 0 makes it a fault.
    pub weight: i16,
    /// Of the tracked interface, if there is one.
    pub link_weight: Option<i16>,
    pub rise: u32,
    pub fall: u32,
}

#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub nodes: Vec<Plan>,
    /// Instances on each node, all in one sync group if there are several.
    pub members: u32,
    /// `vrrp_startup_delay` of every host.
    pub hold: Duration,
    pub accidents: Vec<(Duration, Accident)>,
    /// When everything is mended.
    pub chaos: Duration,
}

/// Something that happens to a host or to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accident {
    PowerLoss(usize),
    Kill(usize),
    Stop(usize),
    Start(usize),
    Side(usize, u8),
    /// The second no longer hears the first.
    Cut(usize, usize),
    Joined,
    Loss {
        percent: u64,
    },
    Delay {
        millis: u64,
    },
    Duplicates {
        percent: u64,
    },
    Service(usize, bool),
    SlowScript(usize, u64),
    Link(usize, bool),
    Fault {
        node: usize,
        member: u32,
        raised: bool,
    },
    /// The process stands still; the kernel goes on and stamps packets.
    Freeze(usize, u64),
    /// The whole host stands still, and its clock with it or not.
    Pause {
        node: usize,
        millis: u64,
        clock_runs: bool,
    },
    /// The monotonic clock jumps forward.
    Jump(usize, u64),
    Reload(usize, Change),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Nothing,
    Priority(u8),
    Interval(u16),
    Preempt(bool),
    DownTimer(u8),
    Weight(i16),
    Grouped(bool),
    NewAddress,
}

impl fmt::Display for Accident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = |up: bool| if up { "up" } else { "down" };
        match self {
            Self::PowerLoss(n) => write!(f, "node {n} loses power"),
            Self::Kill(n) => write!(f, "the daemon of node {n} is killed, its addresses stay"),
            Self::Stop(n) => write!(f, "the daemon of node {n} is stopped"),
            Self::Start(n) => write!(f, "the daemon of node {n} starts"),
            Self::Side(n, side) => write!(f, "node {n} is on side {side} of the network"),
            Self::Cut(from, to) => write!(f, "node {to} no longer hears node {from}"),
            Self::Joined => write!(f, "all nodes hear each other"),
            Self::Loss { percent } => write!(f, "{percent} % of packets are lost"),
            Self::Delay { millis } => write!(f, "packets take up to {millis} ms, in any order"),
            Self::Duplicates { percent } => write!(f, "{percent} % of packets come twice"),
            Self::Service(n, well) => write!(f, "the service of node {n} is {}", up(*well)),
            Self::SlowScript(n, ms) => write!(f, "the script of node {n} takes {ms} ms"),
            Self::Link(n, well) => write!(f, "the tracked interface of node {n} is {}", up(*well)),
            Self::Fault {
                node,
                member,
                raised,
            } => {
                write!(
                    f,
                    "the interface of member {member} of node {node} is {}",
                    up(!raised)
                )
            }
            Self::Freeze(n, ms) => write!(f, "the daemon of node {n} stands still for {ms} ms"),
            Self::Pause {
                node,
                millis,
                clock_runs: true,
            } => {
                write!(f, "node {node} stands still for {millis} ms")
            }
            Self::Pause {
                node,
                millis,
                clock_runs: false,
            } => {
                write!(f, "node {node} and its clock stand still for {millis} ms")
            }
            Self::Jump(n, ms) => write!(f, "the clock of node {n} jumps {ms} ms ahead"),
            Self::Reload(n, change) => write!(f, "node {n} reloads: {change:?}"),
        }
    }
}

impl Scenario {
    /// The scenario of a seed, with so many instances on each host.
    pub fn of_seed(seed: u64, members: u32) -> Self {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        let v2 = rng.random_bool(0.5);
        let version = if v2 { Version::V2 } else { Version::V3 };
        // In version 2 all must agree on it: the codec discards everything else.
        let secs: Vec<u8> = (0..members).map(|_| rng.random_range(1..=2)).collect();
        let count = rng.random_range(2..=4);
        let mut nodes: Vec<Plan> = Vec::new();
        for _ in 0..count {
            nodes.push(plan(&mut rng, version, &secs));
        }
        own_addresses(&mut rng, &mut nodes);
        let hold = if rng.random_bool(0.1) { 3 } else { 0 };
        let chaos = Duration::from_secs(rng.random_range(30..=100));
        let mut accidents = Vec::new();
        if rng.random_bool(0.5) {
            let percent = rng.random_range(0..40);
            accidents.push((Duration::ZERO, Accident::Loss { percent }));
        }
        let mut at = Duration::ZERO;
        loop {
            // Mostly short gaps, sometimes one that is long enough to settle.
            let longest = if rng.random_bool(0.2) { 60_000 } else { 4_000 };
            at += Duration::from_millis(rng.random_range(1..longest));
            if at >= chaos {
                break;
            }
            let accident = accident(&mut rng, count, members, version);
            accidents.push((at, accident));
        }
        Self {
            seed,
            nodes,
            members,
            hold: Duration::from_secs(hold),
            accidents,
            chaos,
        }
    }

    /// Hosts and accidents as a person reads them.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (number, plan) in self.nodes.iter().enumerate() {
            let config = &plan.configs[0];
            text += &format!(
                "  node {number}: {:?}, priority {}, {} s, preempt {} after {:?}, {} adverts, weight {}, link {:?}\n",
                config.version,
                config.priority,
                plan.configs
                    .iter()
                    .map(|c| c.advertisement_interval.to_string())
                    .collect::<Vec<_>>()
                    .join("/"),
                config.preempt_mode,
                config.preempt_delay,
                config.down_timer_adverts,
                plan.weight,
                plan.link_weight,
            );
        }
        for (at, accident) in &self.accidents {
            text += &format!("  {:>8.3} s  {accident}\n", at.as_secs_f64());
        }
        text + &format!(
            "  {:>8.3} s  everything is mended\n",
            self.chaos.as_secs_f64()
        )
    }

    /// Longest time until the routers must agree once nothing disturbs them any more.
    ///
    /// RFC 9568 §6.1: a Backup takes over `n × interval + skew` after the last advert, with the
    /// interval of the Active Router and a skew of at most one interval (one second in VRRPv2).
    /// One such time until every address has an Active Router, another after `preempt_delay`
    /// until the best one has preempted it. In a sync group a member waits for the slowest twice:
    /// its timer may have begun anew just before.
    pub fn bound(&self) -> Duration {
        let configs = || self.nodes.iter().flat_map(|n| &n.configs);
        let interval = configs()
            .map(|c| c.advertisement_interval)
            .max()
            .unwrap()
            .duration();
        let interval = match self.accidents.iter().any(|(_, a)| changes_interval(a)) {
            true => interval.max(Duration::from_secs(2)),
            false => interval,
        };
        let skew = interval.max(Duration::from_secs(1));
        let once = |c: &InstanceConfig| {
            interval * u32::from(c.down_timer_adverts.max(4)) + skew + c.preempt_delay
        };
        let rounds = if self.members > 1 { 4 } else { 2 };
        let listens = configs().any(|c| c.listen_before_lead);
        let listening = if listens { 30 } else { 0 };
        let owners = configs().filter(|c| c.priority == Priority::OWNER).count();
        let arguing = if owners > self.members as usize {
            interval * 8
        } else {
            Duration::ZERO
        };
        configs().map(once).max().unwrap() * rounds
            + Duration::from_millis(500)
            + Duration::from_secs(listening)
            + self.hold
            + arguing
    }
}

fn changes_interval(accident: &Accident) -> bool {
    matches!(accident, Accident::Reload(_, Change::Interval(_)))
}

fn plan(rng: &mut XorShiftRng, version: Version, secs: &[u8]) -> Plan {
    let common = InstanceConfig {
        version,
        // Few values, so that some are equal.
        priority: Priority::new([90, 100, 100, 110, 150, 200][rng.random_range(0..6)]),
        preempt_mode: rng.random_bool(0.7),
        preempt_delay: Duration::from_secs(if rng.random_bool(0.2) { 5 } else { 0 }),
        down_timer_adverts: rng.random_range(2..=4),
        answer_lower_priority: rng.random_bool(0.9),
        answer_higher_priority: rng.random_bool(0.1),
        late_timer_priority: rng.random_bool(0.2).then_some(Priority::DEFAULT),
        listen_before_lead: rng.random_bool(0.02),
        ..InstanceConfig::new(Vrid::new(7).unwrap())
    };
    let centis = rng.random_range(20..=200);
    let configs = secs
        .iter()
        .enumerate()
        .map(|(member, secs)| InstanceConfig {
            vrid: Vrid::new(7 + member as u8).unwrap(),
            advertisement_interval: match version {
                Version::V2 => Interval::from_secs(*secs).unwrap(),
                Version::V3 => Interval::from_centis(centis + 10 * member as u16).unwrap(),
            },
            ..common.clone()
        });
    Plan {
        configs: configs.collect(),
        weight: [-60, -5, 0, 5, 60][rng.random_range(0..5)],
        link_weight: [None, Some(0), Some(-30)][rng.random_range(0..3)],
        rise: rng.random_range(1..=2),
        fall: rng.random_range(1..=3),
    }
}

/// Now and then one host owns the addresses, and rarely two believe that they do.
fn own_addresses(rng: &mut XorShiftRng, nodes: &mut [Plan]) {
    let owners = [0, 0, 0, 0, 0, 0, 0, 1, 1, 2][rng.random_range(0..10)];
    let deaf = owners == 1 && rng.random_bool(0.2);
    for plan in nodes.iter_mut().take(owners) {
        let start_active = rng.random_bool(0.5);
        for config in &mut plan.configs {
            config.priority = Priority::OWNER;
            config.preempt_mode = true;
            config.preempt_delay = Duration::ZERO;
            config.start_active = start_active;
            config.owner_hears_adverts = !deaf;
        }
    }
}

fn accident(rng: &mut XorShiftRng, nodes: usize, members: u32, version: Version) -> Accident {
    let node = rng.random_range(0..nodes);
    let millis = |rng: &mut XorShiftRng, most: u64| rng.random_range(1..=most);
    match rng.random_range(0..24) {
        0 | 1 => Accident::PowerLoss(node),
        2 => Accident::Kill(node),
        3 => Accident::Stop(node),
        4..=6 => Accident::Start(node),
        7 => Accident::Side(node, rng.random_range(0..2)),
        8 => Accident::Cut(node, rng.random_range(0..nodes)),
        9 => Accident::Joined,
        10 => Accident::Loss {
            percent: [0, 0, 10, 30, 60][rng.random_range(0..5)],
        },
        11 => Accident::Delay {
            millis: [10, 10, 200, 3_000][rng.random_range(0..4)],
        },
        12 => Accident::Duplicates {
            percent: [0, 20][rng.random_range(0..2)],
        },
        13 | 14 => Accident::Service(node, rng.random_bool(0.5)),
        15 => Accident::SlowScript(node, [10, 3_000, 9_000][rng.random_range(0..3)]),
        16 => Accident::Link(node, rng.random_bool(0.5)),
        17 | 18 => Accident::Fault {
            node,
            member: rng.random_range(1..=members),
            raised: rng.random_bool(0.5),
        },
        19 => Accident::Freeze(node, millis(rng, 9_000)),
        20 => Accident::Pause {
            node,
            millis: millis(rng, 9_000),
            clock_runs: rng.random_bool(0.5),
        },
        21 => Accident::Jump(node, millis(rng, 3_600_000)),
        _ => Accident::Reload(node, change(rng, members, version)),
    }
}

fn change(rng: &mut XorShiftRng, members: u32, version: Version) -> Change {
    match rng.random_range(0..8) {
        0 => Change::Priority([80, 100, 120, 254][rng.random_range(0..4)]),
        1 if version == Version::V3 => Change::Interval(rng.random_range(20..=200)),
        2 => Change::Preempt(rng.random_bool(0.5)),
        3 => Change::DownTimer(rng.random_range(2..=4)),
        4 => Change::Weight([-60, 0, 60][rng.random_range(0..3)]),
        5 if members > 1 => Change::Grouped(rng.random_bool(0.5)),
        6 => Change::NewAddress,
        _ => Change::Nothing,
    }
}
