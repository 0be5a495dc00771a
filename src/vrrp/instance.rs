//! One virtual router: its states, timers and transitions.

mod config;
mod doubles;
mod fault;
mod hearing;
mod life;
mod routing;
mod timing;
mod transition;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

pub use config::{Announcement, HANDOVER_OVERLAP, InstanceConfig, RouterAdvertisement};
pub use fault::Fault;

use doubles::Doubles;
use routing::Routing;

use super::group::GroupId;
use crate::types::{Instant, Interval, Priority, Version};
use crate::wire::vrrp::Advert;

/// Added to the longest skew time while a router that shuts down waits for its successor.
pub const SUCCESSOR_MARGIN: Duration = Duration::from_millis(100);

/// Longest time for which [`InstanceConfig::listen_before_lead`] holds a router back.
///
/// A bridge port forwards after twice its forward delay of 15 s at the latest (IEEE 802.1D). A
/// link on which nobody speaks proves nothing, and its addresses are needed all the same.
pub const LISTEN_LIMIT: Duration = Duration::from_secs(30);

/// What an owner that yields to another owner advertises. keepalived: 254.
const YIELDED: Priority = Priority::new(254);

/// When a router that took over from a live peer announces once more: the peer may have answered
/// ARP requests until its overlap ended.
const REANNOUNCE_AFTER_HANDOVER: Duration = Duration::from_millis(80);

/// State of one virtual router (RFC 9568 §6.3). Each state owns its timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not taking part: not started, shut down, or at fault.
    Initialize,
    /// Listening to the Active Router.
    Backup {
        /// When it takes over unless an advert comes. RFC 9568 Active_Down_Timer.
        active_down_at: Instant,
        /// Interval of the Active Router's adverts.
        active_adver_interval: Interval,
    },
    /// Holding the addresses.
    Active {
        /// When the next advert is due. RFC 9568 Adver_Timer.
        adver_at: Instant,
    },
}

/// What being in a sync group means for how long others may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ties {
    /// Longest skew time of a peer of any member: all take over within it once all have heard
    /// a release.
    pub longest_skew: Duration,
    /// Longest Active_Down_Interval of a peer of any member.
    pub longest_down: Duration,
}

/// Everything that can happen to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The daemon begins.
    Startup,
    /// The daemon ends, or a reload takes the instance away: hand over without a gap.
    Shutdown,
    /// Time has passed.
    Deadline,
    /// An advert that passed every receive check.
    Advert(Advert),
    /// A reason not to run.
    FaultRaised(Fault),
    /// That reason is gone.
    FaultCleared(Fault),
    /// The trackers' sum changed.
    PriorityChanged(Priority),
    /// The address that adverts are sent from; decides ties.
    PrimaryAddress(IpAddr),
    /// It is in a sync group now, or in none.
    Grouped(Option<Ties>),
    /// Adverts neither count nor leave before then. keepalived: `vrrp_startup_delay`.
    HoldUntil(Instant),
    /// Something has been received on its link.
    LinkProved,
    /// A host of its link asks for a router. RFC 4861 §6.2.6.
    RouterSolicited,
    /// Another member of its sync group has heard a lower priority while Active.
    Reannounce,
    /// Every member of its sync group is to be Active: so is this one.
    TakeOver,
    /// Another member of its sync group is no longer Active: nor is this one.
    StepBack,
    /// A reload changed the instance in place.
    Reconfigured {
        /// The new configuration.
        config: Box<InstanceConfig>,
        /// Addresses were added, which must be announced.
        announce: bool,
    },
}

/// A change of state as others are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transition {
    /// keepalived: `MASTER`.
    Active,
    /// keepalived: `BACKUP`.
    Backup,
    /// keepalived: `FAULT`.
    Fault,
    /// keepalived: `STOP`.
    Stopped,
    /// Taken away by a reload that says so. keepalived: `DELETED`.
    Deleted,
}

/// Everything an instance asks of the world, in the order it must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send an advert with this priority.
    SendAdvert(Priority),
    /// See to it that every address is there.
    InstallAddresses,
    /// See to it that no address is there.
    RemoveAddresses,
    /// Announce every address so many times.
    AnnounceAddresses {
        /// Rounds over all addresses, at least 1.
        repeat: u32,
    },
    /// Announce once every address that is not on the instance's own interface.
    AnnounceElsewhere,
    /// Send a router advertisement.
    AdvertiseRouter {
        /// It says that this is a default router no longer.
        last: bool,
    },
    /// Tell others that an Active Router has heard a lower priority.
    HeardLowerPriority,
    /// Tell others.
    Notify(Transition),
    /// Tell others of the instance's sync group.
    NotifyGroup(GroupId, Transition),
}

/// One virtual router.
#[derive(Debug, Clone)]
pub struct Instance {
    config: InstanceConfig,
    state: State,
    priority: Priority,
    primary_address: Option<IpAddr>,
    faults: BTreeSet<Fault>,
    running: bool,
    /// Set while the addresses outlive the Active state: when they go at the latest.
    handover_ends_at: Option<Instant>,
    /// Announcement blocks still to come, each with its repeat count.
    announcements: Vec<(Instant, u32)>,
    refresh_at: Option<Instant>,
    elsewhere_at: Option<Instant>,
    routing: Routing,
    /// End of `preempt_delay`, once a lower-priority Active Router has been heard.
    preempt_at: Option<Instant>,
    /// The Active Router heard last while Backup.
    active_router: Option<(IpAddr, Priority)>,
    /// When an advert of an Active Router came last, also one that released the addresses.
    heard_at: Option<Instant>,
    /// It became Active without having heard anybody lately: another may be so as well.
    alone: bool,
    told: Option<Transition>,
    /// Set while it is in a sync group, which then decides when it becomes Active.
    ties: Option<Ties>,
    /// A Backup whose timer has expired, and that its sync group holds back.
    wants_active: bool,
    /// Nothing is heard or sent before then.
    held_until: Option<Instant>,
    /// The link has received since it came up.
    link_proved: bool,
    /// A Backup that waits for the proof.
    listening: bool,
    /// When an own advert left last while Active.
    advertised_at: Option<Instant>,
    /// When others' adverts made us send one last.
    answered_at: Option<Instant>,
    /// The next advert is such an answer, and not on the beat.
    answer_due: bool,
    /// When others' adverts made us announce last.
    reannounced_at: Option<Instant>,
    /// Another owner of lower address that advertises too: who, and when it should have stopped.
    other_owner: Option<(IpAddr, Instant)>,
    /// The other owner that would not stop, and has the addresses now.
    yielded_to: Option<IpAddr>,
    /// Who has sent version 3 lately, where both versions are heard.
    doubles: Doubles,
}

impl Instance {
    /// A virtual router that has not started.
    #[must_use]
    pub fn new(config: InstanceConfig) -> Self {
        Self {
            priority: config.priority,
            config,
            state: State::Initialize,
            primary_address: None,
            faults: BTreeSet::new(),
            running: false,
            handover_ends_at: None,
            announcements: Vec::new(),
            refresh_at: None,
            elsewhere_at: None,
            routing: Routing::default(),
            preempt_at: None,
            active_router: None,
            heard_at: None,
            alone: false,
            told: None,
            ties: None,
            wants_active: false,
            held_until: None,
            link_proved: false,
            listening: false,
            advertised_at: None,
            answered_at: None,
            answer_due: false,
            reannounced_at: None,
            other_owner: None,
            yielded_to: None,
            doubles: Doubles::default(),
        }
    }

    /// Advances the state machine at `now`, which never goes backwards, and appends what must
    /// be done to `effects`. Cannot fail; no input makes it panic.
    pub fn handle(&mut self, now: Instant, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Startup => self.startup(now, effects),
            Input::Shutdown => self.shutdown(now, effects),
            Input::Deadline => self.deadline_passed(now, effects),
            Input::Advert(advert) => self.advert_received(now, &advert, effects),
            Input::FaultRaised(fault) => self.fault_raised(fault, now, effects),
            Input::FaultCleared(fault) => self.fault_cleared(&fault, now, effects),
            Input::PriorityChanged(priority) => self.priority_changed(now, priority),
            Input::PrimaryAddress(address) => self.primary_address = Some(address),
            Input::Grouped(ties) => self.ties = ties,
            Input::HoldUntil(at) => self.held_until = Some(at),
            Input::LinkProved => self.link_proved(now),
            Input::RouterSolicited => self.router_solicited(now),
            Input::Reannounce => self.reannounce(now, effects),
            Input::TakeOver => self.take_over(now, effects),
            Input::StepBack => self.step_back(now, effects),
            Input::Reconfigured { config, announce } => {
                self.reconfigured(now, *config, announce, effects);
            }
        }
    }

    /// When [`Input::Deadline`] is next due; `None` when nothing waits for time. One that comes
    /// early, late or twice is harmless: the state compares `now` with its own timer.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let timer = match self.state {
            State::Initialize => None,
            State::Backup { active_down_at, .. } => Some(active_down_at),
            State::Active { adver_at } => Some(adver_at),
        };
        let announcement = self.announcements.iter().map(|a| a.0).min();
        let periodic = [self.refresh_at, self.elsewhere_at, self.routing.due_at()];
        [timer, self.handover_ends_at, announcement]
            .into_iter()
            .chain(periodic)
            .flatten()
            .min()
    }

    /// The state with its timer.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// What the instance was built from.
    #[must_use]
    pub const fn config(&self) -> &InstanceConfig {
        &self.config
    }

    /// The effective priority: what adverts say while it is Active.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        match self.yielded_to {
            Some(_) => YIELDED,
            None => self.priority,
        }
    }

    /// Why it does not run; empty while it does.
    #[must_use]
    pub const fn faults(&self) -> &BTreeSet<Fault> {
        &self.faults
    }

    /// The Active Router heard last while Backup: its address and priority.
    #[must_use]
    pub const fn active_router(&self) -> Option<(IpAddr, Priority)> {
        self.active_router
    }

    /// Whether the addresses are installed: while Active, and for the moments of a handover.
    #[must_use]
    pub const fn holds_addresses(&self) -> bool {
        matches!(self.state, State::Active { .. }) || self.handover_ends_at.is_some()
    }

    /// Whether it has been started and not shut down.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// Whether it is a Backup that would be Active if its sync group let it.
    #[must_use]
    pub const fn wants_active(&self) -> bool {
        self.wants_active
    }

    /// Whether it has been shut down and others know.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        !self.running && self.told == Some(Transition::Stopped)
    }

    /// How long the takeover of a peer may last: after a release, and without one.
    #[must_use]
    pub fn ties(&self) -> Ties {
        // A peer that knows version 2 alone counts in whole seconds.
        let interval = match self.config.speaks(Version::V2) {
            true => self.config.interval_in(Version::V2),
            false => self.config.advertisement_interval,
        };
        let longest_skew = self.skew_time(interval, Priority::RELEASE);
        Ties {
            longest_skew,
            longest_down: interval.duration() * u32::from(self.config.down_timer_adverts)
                + longest_skew,
        }
    }

    /// Whether it has been shut down and has nothing left to do.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        !self.running && self.handover_ends_at.is_none()
    }

    /// Time a Backup waits in silence before it takes over.
    ///
    /// `3 × active_adver_interval + skew_time`: 3 to 4 intervals, shorter at higher priority.
    /// RFC 9568 §6.1, Active_Down_Interval. keepalived: the 3 is `down_timer_adverts`, 1..=100.
    #[must_use]
    pub fn active_down_interval(&self, active_adver_interval: Interval) -> Duration {
        active_adver_interval.duration() * u32::from(self.config.down_timer_adverts)
            + self.skew_time(active_adver_interval, self.priority)
    }
}

#[cfg(test)]
mod tests;
