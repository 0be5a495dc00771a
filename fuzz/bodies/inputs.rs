//! A router fed with any sequence of events: addresses, states and groups must keep in step.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use vipd::types::{InstanceId, Instant, InterfaceName, Interval, Priority, Version, Vrid};
use vipd::vrrp::election::Weight;
use vipd::vrrp::group::GroupId;
use vipd::vrrp::instance::{Effect, Fault, Input, InstanceConfig, State};
use vipd::vrrp::router::{Event, InstanceEffect, Router, Tracking};
use vipd::vrrp::track::{RiseFall, TrackerId};
use vipd::wire::vrrp::Advert;

use super::Bytes;

const INSTANCES: [InstanceId; 3] = [InstanceId(1), InstanceId(2), InstanceId(3)];
const SCRIPT: TrackerId = TrackerId(1);
const FILE: TrackerId = TrackerId(2);
const STEP: Duration = Duration::from_millis(8);

pub(crate) fn inputs(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if let Some(mut run) = Run::begin(&mut bytes) {
        while run.step(&mut bytes).is_some() {}
    }
}

struct Run {
    router: Router,
    now: Instant,
    held: BTreeMap<InstanceId, bool>,
    effects: Vec<InstanceEffect>,
}

impl Run {
    fn begin(bytes: &mut Bytes<'_>) -> Option<Self> {
        let groups = bytes.next()?;
        let mut run = Self {
            router: Router::new(),
            now: Instant::default(),
            held: BTreeMap::new(),
            effects: Vec::new(),
        };
        run.router
            .set_tracker(SCRIPT, RiseFall::new(1, 2, groups & 0x10 == 0));
        for id in INSTANCES {
            let (config, tracking) = (config(bytes)?, tracking(bytes)?);
            run.router.add(run.now, id, config, tracking);
        }
        run.group(groups);
        Some(run)
    }

    /// The lowest bits choose who is in one group.
    fn group(&mut self, members: u8) {
        let chosen = |(at, id): (usize, InstanceId)| (members >> at & 1 == 1).then_some(id);
        let members: Vec<_> = INSTANCES
            .into_iter()
            .enumerate()
            .filter_map(chosen)
            .collect();
        self.router
            .set_groups(self.now, vec![(GroupId(1), members)], &mut self.effects);
        self.settle();
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        let (what, value) = (bytes.next()?, bytes.next()?);
        self.now = self.now + STEP * u32::from(value);
        let id = INSTANCES[usize::from(what >> 5) % INSTANCES.len()];
        let instance = |input| Event::Instance(id, input);
        let event = match what % 16 {
            0 => instance(Input::Startup),
            1 => instance(Input::Shutdown),
            2 => Event::TrackResult {
                tracker: SCRIPT,
                success: value & 1 == 0,
            },
            15 => Event::TrackValue {
                tracker: FILE,
                value: i32::from(value) - 128,
            },
            3 => instance(Input::FaultRaised(fault(value))),
            4 => instance(Input::FaultCleared(fault(value))),
            5..=8 => instance(Input::Advert(advert(value, bytes.next()?))),
            9 => instance(Input::PrimaryAddress(Ipv4Addr::new(10, 0, 0, value).into())),
            10 => instance(Input::HoldUntil(self.now + STEP * 20)),
            11 => instance(Input::LinkProved),
            12 => Event::Link {
                interface: uplink(),
                up: value & 1 == 0,
            },
            13 => {
                let (config, tracking) = (config(bytes)?, tracking(bytes)?);
                let announce = value & 1 == 0;
                self.router.reconfigure(
                    self.now,
                    id,
                    config,
                    tracking,
                    announce,
                    &mut self.effects,
                );
                Event::Deadline
            }
            14 => {
                self.group(value);
                Event::Deadline
            }
            _ => Event::Deadline,
        };
        self.router.handle(self.now, event, &mut self.effects);
        self.router
            .handle(self.now, Event::Deadline, &mut self.effects);
        self.settle();
        assert!(
            self.router.deadline().is_none_or(|due| due > self.now),
            "a deadline stays due"
        );
        Some(())
    }

    fn settle(&mut self) {
        for (id, effect) in self.effects.drain(..) {
            match effect {
                Effect::InstallAddresses => {
                    self.held.insert(id, true);
                }
                Effect::RemoveAddresses => {
                    self.held.insert(id, false);
                }
                _ => {}
            }
        }
        for id in INSTANCES {
            let Some(instance) = self.router.instance(id) else {
                continue;
            };
            let held = self.held.get(&id).copied().unwrap_or_default();
            assert_eq!(
                held,
                instance.holds_addresses(),
                "addresses are there exactly while they are held"
            );
            if let State::Active { .. } = instance.state() {
                assert!(held, "an active router has its addresses");
            }
        }
    }
}

fn config(bytes: &mut Bytes<'_>) -> Option<InstanceConfig> {
    let (shape, more, priority) = (bytes.next()?, bytes.next()?, bytes.next()?);
    Some(InstanceConfig {
        version: if shape & 1 == 0 {
            Version::V2
        } else {
            Version::V3
        },
        preempt_mode: shape & 2 == 0,
        start_active: shape & 4 == 0,
        answer_lower_priority: shape & 8 == 0,
        answer_higher_priority: shape & 0x10 != 0,
        preempt_delay: Duration::from_secs(u64::from(shape >> 5)),
        owner_hears_adverts: more & 1 == 0,
        listen_before_lead: more & 2 != 0,
        late_timer_priority: (more & 4 != 0).then_some(Priority::new(priority)),
        down_timer_adverts: 1 + (more >> 3),
        priority: Priority::new(priority.max(1)),
        ..InstanceConfig::new(Vrid::new(1)?)
    })
}

fn tracking(bytes: &mut Bytes<'_>) -> Option<Tracking> {
    let weight = Weight::new(i16::from(bytes.next()?) - 128);
    Some(Tracking {
        trackers: [(SCRIPT, weight)].into(),
        values: [(FILE, weight)].into(),
        interfaces: [(uplink(), weight)].into(),
    })
}

fn uplink() -> InterfaceName {
    InterfaceName::new("uplink").expect("a short name")
}

fn fault(value: u8) -> Fault {
    match value % 4 {
        0 => Fault::Interface,
        1 => Fault::NoPrimaryAddress,
        2 => Fault::Addresses,
        _ => Fault::Socket,
    }
}

fn advert(source: u8, priority: u8) -> Advert {
    Advert {
        source: Ipv4Addr::new(10, 0, 0, source).into(),
        priority: Priority::new(priority),
        interval: Interval::from_centis(u16::from(source) + 1).unwrap_or(Interval::DEFAULT),
        version: Version::V3,
    }
}
