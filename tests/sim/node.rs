//! One host: the router with its clock and kernel, and the truth about what it stands on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::Sender;
use std::time::Duration;

use vipd::control::recording::{Call, Entry, Recorded, Sink};
use vipd::types::{InstanceId, Instant, InterfaceName, Priority};
use vipd::vrrp::election::Weight;
use vipd::vrrp::group::GroupId;
use vipd::vrrp::instance::{Effect, Fault, Input, InstanceConfig};
use vipd::vrrp::router::{Event, InstanceEffect, Tracking};
use vipd::vrrp::track::{RiseFall, TrackerId};

use super::oracle::{Broken, Oracle};
use super::scenario::{Change, Plan};

pub const GROUP: GroupId = GroupId(1);
pub const SCRIPT: TrackerId = TrackerId(1);
/// Where every host's clock begins: one that has stood still must not run out of numbers.
const UPTIME: u64 = 3_600_000_000_000;
/// Packets that wait for a process that stands still; the kernel's buffer holds no more.
const BUFFER: usize = 200;

/// A rule that is broken on purpose, on node 0, to show that the simulator notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    #[default]
    None,
    /// Adverts that outrank its own are dropped.
    DeafToHigher,
    /// Adverts say priority 1.
    LiesAboutPriority,
    /// Faults are dropped.
    LosesFaults,
    /// Nobody is told of Backup.
    SwallowsNotices,
    /// Addresses stay for ever.
    KeepsAddresses,
    /// Timers come 50 ms late.
    WakesLate,
    /// Its sync group is not made.
    ForgetsGroup,
}

/// What the kernel keeps for a process that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standstill {
    /// Packets with the time of their arrival.
    Process,
    /// Packets that arrive when it goes on.
    Host,
}

/// What the configuration file says.
#[derive(Debug, Clone)]
struct File {
    plan: Plan,
    grouped: bool,
}

pub struct Node {
    pub number: usize,
    /// What the daemon goes by.
    plan: Plan,
    grouped: bool,
    pub address: IpAddr,
    pub router: Option<Recorded>,
    pub stopping: bool,
    /// Which instances have their addresses in the kernel.
    pub installed: BTreeSet<InstanceId>,
    pub side: u8,
    /// When it is woken next.
    pub wakes_at: Option<Instant>,
    pub standstill: Option<Standstill>,
    /// What the clock is ahead, in nanoseconds.
    pub clock: u64,
    pub waiting_packets: Vec<(Option<Instant>, Event)>,
    pub waiting_commands: Vec<Event>,
    /// Counts starts of the daemon: scripts of an earlier one report nothing.
    pub boot: u32,
    pub service_up: bool,
    pub script_takes: Duration,
    pub link_up: bool,
    pub down: BTreeSet<u32>,
    pub oracle: Oracle,
    pub sabotage: Sabotage,
    /// Where to tell what the core was told and did, each with the start it belongs to.
    pub recording: Option<Sender<(u32, Entry)>>,
    original: File,
    /// A daemon reads it when it starts and when it reloads, but not while it is being stopped.
    file: File,
    /// What the instances run with, which within a reload is still the old one for some.
    in_force: Vec<InstanceConfig>,
    last_now: Instant,
}

pub fn eth1() -> InterfaceName {
    InterfaceName::new("eth1").unwrap()
}

impl Node {
    pub fn new(number: usize, plan: Plan) -> Self {
        let file = File {
            grouped: plan.configs.len() > 1,
            plan: plan.clone(),
        };
        Self {
            number,
            address: Ipv4Addr::new(10, 0, 0, number as u8 + 1).into(),
            router: None,
            stopping: false,
            installed: BTreeSet::new(),
            side: 0,
            wakes_at: None,
            standstill: None,
            clock: UPTIME,
            waiting_packets: Vec::new(),
            waiting_commands: Vec::new(),
            boot: 0,
            service_up: true,
            script_takes: Duration::from_millis(10),
            link_up: true,
            down: BTreeSet::new(),
            oracle: Oracle::default(),
            sabotage: Sabotage::None,
            recording: None,
            grouped: file.grouped,
            original: file.clone(),
            file,
            in_force: plan.configs.clone(),
            plan,
            last_now: Instant::default(),
        }
    }

    pub fn ids(&self) -> impl Iterator<Item = InstanceId> + use<> {
        (1..=self.plan.configs.len() as u32).map(InstanceId)
    }

    pub fn config(&self, id: InstanceId) -> &InstanceConfig {
        &self.plan.configs[id.0 as usize - 1]
    }

    pub fn in_force(&self) -> &[InstanceConfig] {
        &self.in_force
    }

    pub const fn is_grouped(&self) -> bool {
        self.grouped
    }

    /// The host's own time.
    pub fn local(&self, now: Instant) -> Instant {
        now + Duration::from_nanos(self.clock)
    }

    pub fn tracking(&self) -> Tracking {
        let link = self.plan.link_weight.map(|w| (eth1(), Weight::new(w)));
        Tracking {
            trackers: [(SCRIPT, Weight::new(self.plan.weight))].into(),
            interfaces: link.into_iter().collect(),
            ..Tracking::default()
        }
    }

    /// Starts the daemon as `runtime` does. Effects come in order.
    pub fn start(&mut self, now: Instant, hold: Duration) -> Result<Vec<InstanceEffect>, Broken> {
        self.boot += 1;
        self.stopping = false;
        self.wakes_at = None;
        self.last_now = self.local(now);
        let (recording, boot) = (self.recording.clone(), self.boot);
        self.read_file();
        self.in_force = self.plan.configs.clone();
        self.router = Some(Recorded::new(recording.map(|to| -> Sink {
            Box::new(move |entry| to.send((boot, entry)).unwrap())
        })));
        self.oracle
            .restart(self.ids(), self.plan.rise, self.plan.fall);
        let counter = RiseFall::new(self.plan.rise, self.plan.fall, false);
        let mut effects = self.change(now, Call::SetTracker(SCRIPT, counter))?;
        effects.extend(self.change(now, Call::SetGroups(self.groups()))?);
        for id in self.ids() {
            let add = Call::Add {
                id,
                config: Box::new(self.config(id).clone()),
                tracking: self.tracking(),
            };
            effects.extend(self.change(now, add)?);
            let mut inputs = vec![Input::PrimaryAddress(self.address)];
            if !hold.is_zero() {
                let until = self.local(now) + hold;
                self.oracle.hold(id, until);
                inputs.push(Input::HoldUntil(until));
            }
            if self.down.contains(&id.0) {
                inputs.push(Input::FaultRaised(Fault::Interface));
            }
            for input in inputs {
                effects.extend(self.feed(now, Event::Instance(id, input))?);
            }
        }
        let link = Event::Link {
            interface: eth1(),
            up: self.link_up,
        };
        effects.extend(self.feed(now, link)?);
        self.oracle.started = true;
        for id in self.ids() {
            effects.extend(self.feed(now, Event::Instance(id, Input::Startup))?);
        }
        Ok(effects)
    }

    fn groups(&self) -> Vec<(GroupId, Vec<InstanceId>)> {
        let made = self.grouped && self.sabotage != Sabotage::ForgetsGroup;
        made.then(|| (GROUP, self.ids().collect()))
            .into_iter()
            .collect()
    }

    fn read_file(&mut self) {
        self.plan = self.file.plan.clone();
        self.grouped = self.file.grouped;
    }

    pub fn reload(&mut self, now: Instant, change: &Change) -> Result<Vec<InstanceEffect>, Broken> {
        let mut announce = false;
        for config in &mut self.file.plan.configs {
            match change {
                Change::Priority(p) => config.priority = Priority::new(*p),
                Change::Interval(centis) => {
                    config.advertisement_interval =
                        vipd::types::Interval::from_centis(*centis).unwrap();
                }
                Change::Preempt(preempt) => config.preempt_mode = *preempt,
                Change::DownTimer(count) => config.down_timer_adverts = *count,
                Change::Nothing | Change::Weight(_) | Change::Grouped(_) => {}
                Change::NewAddress => announce = true,
            }
        }
        match change {
            Change::Weight(weight) => self.file.plan.weight = *weight,
            Change::Grouped(grouped) => self.file.grouped = *grouped,
            _ => {}
        }
        self.apply(now, announce)
    }

    /// Takes every reload back.
    pub fn restore(&mut self, now: Instant) -> Result<Vec<InstanceEffect>, Broken> {
        self.file = self.original.clone();
        self.apply(now, false)
    }

    fn apply(&mut self, now: Instant, announce: bool) -> Result<Vec<InstanceEffect>, Broken> {
        let mut effects = Vec::new();
        // A daemon that is being stopped reloads nothing.
        if self.router.is_none() || self.stopping {
            return Ok(effects);
        }
        self.read_file();
        self.oracle.reloaded();
        effects.extend(self.change(now, Call::SetGroups(self.groups()))?);
        for id in self.ids() {
            self.in_force[id.0 as usize - 1] = self.config(id).clone();
            let change = Call::Reconfigure {
                id,
                config: Box::new(self.config(id).clone()),
                tracking: self.tracking(),
                announce,
            };
            effects.extend(self.change(now, change)?);
        }
        self.oracle.reload_ended();
        Ok(effects)
    }

    pub fn feed(&mut self, now: Instant, event: Event) -> Result<Vec<InstanceEffect>, Broken> {
        self.feed_at(self.local(now), event)
    }

    /// At the host's own time, which may be that of a packet's arrival.
    pub fn feed_at(&mut self, at: Instant, event: Event) -> Result<Vec<InstanceEffect>, Broken> {
        self.last_now = at.max(self.last_now);
        self.pass(Call::Handle(event))
    }

    fn change(&mut self, now: Instant, call: Call) -> Result<Vec<InstanceEffect>, Broken> {
        self.last_now = self.local(now).max(self.last_now);
        self.pass(call)
    }

    fn pass(&mut self, call: Call) -> Result<Vec<InstanceEffect>, Broken> {
        let mut effects = Vec::new();
        let now = self.last_now;
        let Some(router) = &mut self.router else {
            return Ok(effects);
        };
        if !drops(self.sabotage, router, &call) {
            router.call(now, call.clone(), &mut effects);
        }
        spoil(self.sabotage, &mut effects);
        for (id, effect) in &effects {
            match effect {
                Effect::InstallAddresses => {
                    self.installed.insert(*id);
                }
                Effect::RemoveAddresses => {
                    self.installed.remove(id);
                }
                Effect::Notify(_)
                | Effect::SendAdvert(_)
                | Effect::AnnounceAddresses { .. }
                | Effect::AnnounceElsewhere
                | Effect::AdvertiseRouter { .. }
                | Effect::HeardLowerPriority
                | Effect::NotifyGroup(..) => {}
            }
        }
        let mut oracle = std::mem::take(&mut self.oracle);
        let verdict = oracle.observe(now, &call, &effects, self);
        self.oracle = oracle;
        verdict.map(|()| effects)
    }

    /// Keeps a packet or a command for later if the host stands still; `None` if it does.
    pub fn hold_back(&mut self, now: Instant, event: Event, is_packet: bool) -> Option<Event> {
        let Some(standstill) = self.standstill else {
            return Some(event);
        };
        if !is_packet {
            self.waiting_commands.push(event);
        } else if self.waiting_packets.len() < BUFFER {
            let stamp = (standstill == Standstill::Process).then(|| self.local(now));
            self.waiting_packets.push((stamp, event));
        }
        None
    }

    /// What kernel and members say of an instance's faults.
    pub fn own_faults(&self, id: InstanceId, script: Option<bool>) -> BTreeSet<Fault> {
        let mut faults = BTreeSet::new();
        if self.down.contains(&id.0) {
            faults.insert(Fault::Interface);
        }
        if self.plan.weight == 0 {
            match script {
                None => faults.insert(Fault::TrackerPending(SCRIPT)),
                Some(false) => faults.insert(Fault::Tracker(SCRIPT)),
                Some(true) => false,
            };
        }
        if self.plan.link_weight == Some(0) && !self.link_up {
            faults.insert(Fault::TrackedInterface(eth1()));
        }
        faults
    }

    /// Base and weights, worked out anew: RFC 9568 knows 1 to 254, and 255 for an owner.
    pub fn expected_priority(&self, id: InstanceId, script: Option<bool>) -> Priority {
        let base = self.config(id).priority;
        if base == Priority::OWNER {
            return base;
        }
        let counts = |weight: i16, up: bool| (weight > 0) == up;
        let mut sum = i32::from(base.get());
        if script.is_some_and(|up| counts(self.plan.weight, up)) {
            sum += i32::from(self.plan.weight);
        }
        if let Some(weight) = self.plan.link_weight.filter(|w| counts(*w, self.link_up)) {
            sum += i32::from(weight);
        }
        Priority::new(sum.clamp(1, 254) as u8)
    }

    pub fn is_well(&self) -> bool {
        let router = self.router.as_ref().filter(|_| !self.stopping);
        router.is_some_and(|r| r.instances().all(|(_, i)| i.faults().is_empty()))
    }

    pub fn is_active(&self, id: InstanceId) -> bool {
        use vipd::vrrp::instance::State;
        let instance = self.router.as_ref().and_then(|r| r.instance(id));
        instance.is_some_and(|i| matches!(i.state(), State::Active { .. }))
    }

    pub fn states(&self) -> BTreeMap<InstanceId, &'static str> {
        let router = self.router.iter();
        let all = router.flat_map(|r| r.instances());
        all.map(|(id, i)| (id, vipd::control::vocabulary::state(i)))
            .collect()
    }
}

fn drops(sabotage: Sabotage, router: &Recorded, call: &Call) -> bool {
    let Call::Handle(Event::Instance(id, input)) = call else {
        return false;
    };
    match (sabotage, input) {
        (Sabotage::DeafToHigher, Input::Advert(advert)) => router
            .instance(*id)
            .is_some_and(|i| advert.priority > i.priority()),
        (Sabotage::LosesFaults, Input::FaultRaised(_)) => true,
        _ => false,
    }
}

fn spoil(sabotage: Sabotage, effects: &mut Vec<InstanceEffect>) {
    use vipd::vrrp::instance::Transition;
    match sabotage {
        Sabotage::LiesAboutPriority => {
            for (_, effect) in effects {
                if let Effect::SendAdvert(priority) = effect
                    && *priority != Priority::RELEASE
                {
                    *priority = Priority::new(1);
                }
            }
        }
        Sabotage::SwallowsNotices => {
            effects.retain(|(_, e)| *e != Effect::Notify(Transition::Backup));
        }
        Sabotage::KeepsAddresses => effects.retain(|(_, e)| *e != Effect::RemoveAddresses),
        Sabotage::None
        | Sabotage::DeafToHigher
        | Sabotage::LosesFaults
        | Sabotage::WakesLate
        | Sabotage::ForgetsGroup => {}
    }
}
