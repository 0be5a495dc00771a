//! Every state against every input, also where nothing happens.

mod active;
mod backup;
mod both;
mod boundaries;
mod life;
mod owners;
mod properties;
mod routing;

use super::*;
use crate::types::{Version, Vrid};
use crate::vrrp::track::TrackerId;

const US: &str = "10.0.0.2";

fn at(millis: u64) -> Instant {
    Instant::default() + Duration::from_millis(millis)
}

fn config(version: Version, priority: u8) -> InstanceConfig {
    InstanceConfig {
        version,
        priority: Priority::new(priority),
        ..InstanceConfig::new(Vrid::new(51).unwrap())
    }
}

fn advert(priority: u8, source: &str) -> Input {
    Input::Advert(Advert {
        source: source.parse().unwrap(),
        priority: Priority::new(priority),
        interval: Interval::DEFAULT,
        version: Version::V3,
    })
}

/// An instance with a log of what it asked for.
struct Bench {
    instance: Instance,
}

impl Bench {
    fn new(config: InstanceConfig) -> Self {
        let mut instance = Instance::new(config);
        let address = Input::PrimaryAddress(US.parse().unwrap());
        instance.handle(at(0), address, &mut Vec::new());
        Self { instance }
    }

    fn backup(config: InstanceConfig) -> Self {
        let mut bench = Self::new(config);
        bench.feed(0, Input::Startup);
        bench
    }

    fn active(config: InstanceConfig) -> Self {
        let mut bench = Self::backup(config);
        bench.expire();
        assert!(matches!(bench.instance.state(), State::Active { .. }));
        bench
    }

    fn feed(&mut self, millis: u64, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.instance.handle(at(millis), input, &mut effects);
        effects
    }

    /// Lets the next deadline pass and says when it was, in milliseconds.
    fn expire(&mut self) -> (u64, Vec<Effect>) {
        let due = self.instance.deadline().expect("a timer runs");
        let mut effects = Vec::new();
        self.instance.handle(due, Input::Deadline, &mut effects);
        (due.as_nanos() / 1_000_000, effects)
    }

    fn down_in(&self, now: u64) -> Option<Duration> {
        match self.instance.state() {
            State::Backup { active_down_at, .. } => Some(active_down_at.saturating_since(at(now))),
            State::Initialize | State::Active { .. } => None,
        }
    }
}

fn owner() -> InstanceConfig {
    InstanceConfig {
        start_active: true,
        ..config(Version::V2, 255)
    }
}
