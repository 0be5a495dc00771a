//! One virtual router: its states, timers and transitions.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::election::outranks;
use super::group::GroupId;
use super::track::TrackerId;
use crate::types::{Family, Instant, InterfaceName, Interval, Priority, Version, Vrid};
use crate::wire::vrrp::Advert;

/// How often, and when, the addresses are announced by gratuitous ARP or unsolicited NA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Announcements per block on becoming Active, at least 1. keepalived: `garp_master_repeat`, 5.
    pub repeat: u32,
    /// Time to the second block; `None` for no second block. keepalived: `garp_master_delay`, 5 s.
    pub delay: Option<Duration>,
    /// Period of the refresh blocks while Active. keepalived: `garp_master_refresh`, none.
    pub refresh: Option<Duration>,
    /// Announcements per refresh block. keepalived: `garp_master_refresh_repeat`, 1.
    pub refresh_repeat: u32,
    /// Announcements after a lower-priority advert; 0 for none. keepalived:
    /// `garp_lower_prio_repeat`, default `repeat`.
    pub lower_priority_repeat: u32,
    /// Time to their second block. keepalived: `garp_lower_prio_delay`, default `delay`.
    pub lower_priority_delay: Option<Duration>,
    /// Period of announcements on interfaces other than the instance's own. keepalived:
    /// `garp_extra_if`, none.
    pub elsewhere: Option<Duration>,
}

impl Default for Announcement {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Some(Duration::from_secs(5)),
            refresh: None,
            refresh_repeat: 1,
            lower_priority_repeat: 5,
            lower_priority_delay: Some(Duration::from_secs(5)),
            elsewhere: None,
        }
    }
}

/// What the protocol needs to know of one virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceConfig {
    /// Virtual Router Identifier. keepalived: `virtual_router_id`.
    pub vrid: Vrid,
    /// Family of the adverts and of the addresses they carry.
    pub family: Family,
    /// Version spoken. keepalived: `version`, `vrrp_version`.
    pub version: Version,
    /// Base priority, 1–255; trackers change it. keepalived: `priority`, 100.
    pub priority: Priority,
    /// Time between adverts. keepalived: `advert_int`, 1 s.
    pub advertisement_interval: Interval,
    /// Take over from a live Active Router of lower priority. RFC 9568 Preempt_Mode, true.
    /// keepalived: `nopreempt` inverted.
    pub preempt_mode: bool,
    /// Obey a live lower-priority Active Router for so long first. keepalived: `preempt_delay`, 0.
    pub preempt_delay: Duration,
    /// An owner (255) that may start as Active at once. keepalived: `state MASTER`.
    pub start_active: bool,
    /// Adverts missed before a Backup takes over, 1–100. keepalived: `down_timer_adverts`, 3.
    pub down_timer_adverts: u8,
    /// Answer a lower-priority advert with an own one. keepalived: `lower_prio_no_advert` inverted.
    pub answer_lower_priority: bool,
    /// Answer a higher-priority advert with a last own one. keepalived:
    /// `higher_prio_send_advert`, false.
    pub answer_higher_priority: bool,
    /// An owner (255) takes part in elections, as RFC 9568 §6.4.3 has it. keepalived:
    /// `owner_ignore_adverts` inverted, true.
    pub owner_hears_adverts: bool,
    /// An Active Router whose timers were so late that a peer of this priority has taken over
    /// goes back to Backup. keepalived: `timer_expired_backup`, none.
    pub late_timer_priority: Option<Priority>,
    /// The down timer counts only once the link has proved that it receives, or after
    /// [`LISTEN_LIMIT`]. keepalived has no such option, false.
    pub listen_before_lead: bool,
    /// Announcement of the addresses.
    pub announcement: Announcement,
    /// Longest time for which addresses stay after a peer's advert. Zero where the advert itself
    /// moves the clients, because it comes from the virtual MAC address.
    pub handover_overlap: Duration,
}

impl InstanceConfig {
    /// Virtual router `vrid` with every option at its default.
    #[must_use]
    pub fn new(vrid: Vrid) -> Self {
        Self {
            vrid,
            family: Family::V4,
            version: Version::V2,
            priority: Priority::DEFAULT,
            advertisement_interval: Interval::DEFAULT,
            preempt_mode: true,
            preempt_delay: Duration::ZERO,
            start_active: false,
            down_timer_adverts: 3,
            answer_lower_priority: true,
            answer_higher_priority: false,
            owner_hears_adverts: true,
            late_timer_priority: None,
            listen_before_lead: false,
            announcement: Announcement::default(),
            handover_overlap: HANDOVER_OVERLAP,
        }
    }

    /// Whether a Backup waits just as long with `other`.
    fn times_like(&self, other: &Self) -> bool {
        let times = |c: &Self| (c.version, c.advertisement_interval, c.down_timer_adverts);
        times(self) == times(other)
    }
}

/// Longest time for which a router that has given up its addresses still answers for them after
/// a peer's advert: the peer needs it to install and announce them.
///
/// Neither the RFC nor keepalived has it. Without it a client's packet that is on its way when
/// the peer takes over finds nobody.
pub const HANDOVER_OVERLAP: Duration = Duration::from_millis(20);

/// Added to the longest skew time while a router that shuts down waits for its successor.
pub const SUCCESSOR_MARGIN: Duration = Duration::from_millis(100);

/// Longest time for which [`InstanceConfig::listen_before_lead`] holds a router back.
///
/// A bridge port forwards after twice its forward delay of 15 s at the latest (IEEE 802.1D). A
/// link on which nobody speaks proves nothing, and its addresses are needed all the same.
pub const LISTEN_LIMIT: Duration = Duration::from_secs(30);

/// Adverts in answer to others', at most so many in each interval.
///
/// RFC 9568 §6.4.3 answers every advert that does not outrank ours, and the addresses are
/// announced too: a stream of small packets from one peer must not become a storm for all. One
/// multicast answer is heard by every peer, so an answer that would come too soon is sent a
/// little later instead.
const ANSWERS_PER_INTERVAL: u32 = 4;

/// Shortest time between announcements, and notices, that others' adverts cause.
const LOWER_PRIORITY_GAP: Duration = Duration::from_millis(500);

/// What an owner that yields to another owner advertises. keepalived: 254.
const YIELDED: Priority = Priority::new(254);

/// Adverts with which an owner asks another one to stop, besides the answer. keepalived: 2.
const OWNER_REMINDERS: usize = 2;

/// When a router that took over from a live peer announces once more: the peer may have answered
/// ARP requests until its overlap ended.
const REANNOUNCE_AFTER_HANDOVER: Duration = Duration::from_millis(80);

/// A reason why a virtual router does not run. It runs when there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The own interface is down, or does not exist.
    Interface,
    /// The own interface has no address of the family to send from.
    NoPrimaryAddress,
    /// Adverts go to peers, and there are none. keepalived: `unicast_fault_no_peer`.
    NoPeers,
    /// None of the addresses could be installed.
    Addresses,
    /// No socket could be opened.
    Socket,
    /// An interface that carries one of the addresses is down.
    AddressInterface(InterfaceName),
    /// An interface that is tracked with weight 0 is down.
    TrackedInterface(InterfaceName),
    /// A tracker with weight 0 is down.
    Tracker(TrackerId),
    /// A tracker with weight 0 has no result yet. Not reported as a fault.
    TrackerPending(TrackerId),
    /// Another member of its sync group has a fault.
    Group,
    /// Another member of its sync group waits for a tracker. Not reported as a fault.
    GroupPending,
}

impl Fault {
    /// Whether it comes from the instance's trackers rather than from itself.
    #[must_use]
    pub const fn is_tracked(&self) -> bool {
        match self {
            Self::Interface
            | Self::NoPrimaryAddress
            | Self::Addresses
            | Self::NoPeers
            | Self::Socket
            | Self::AddressInterface(_)
            | Self::Group
            | Self::GroupPending => false,
            Self::TrackedInterface(_) | Self::Tracker(_) | Self::TrackerPending(_) => true,
        }
    }

    /// Whether it only waits for a first result: held back, not failed.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self, Self::TrackerPending(_) | Self::GroupPending)
    }

    /// Whether it comes from another member of the sync group.
    #[must_use]
    pub const fn is_of_group(&self) -> bool {
        matches!(self, Self::Group | Self::GroupPending)
    }
}

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
    /// End of `preempt_delay`, once a lower-priority Active Router has been heard.
    preempt_at: Option<Instant>,
    /// The Active Router heard last while Backup.
    active_router: Option<(IpAddr, Priority)>,
    /// When an advert of an Active Router came last, also one that released the addresses.
    heard_at: Option<Instant>,
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
            preempt_at: None,
            active_router: None,
            heard_at: None,
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
        let periodic = [self.refresh_at, self.elsewhere_at];
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
        let interval = self.config.advertisement_interval;
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

    /// `(256 − priority) / 256` of the Active Router's interval, of a second in VRRPv2.
    ///
    /// RFC 9568 §6.1, RFC 3768 §6.1, Skew_Time.
    fn skew_time(&self, active_adver_interval: Interval, priority: Priority) -> Duration {
        let interval = match self.config.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => active_adver_interval.duration(),
        };
        interval * (256 - u32::from(priority.get())) / 256
    }

    fn startup(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.running {
            return;
        }
        self.running = true;
        self.handover_ends_at = None;
        let first = effects.len();
        self.start_if_well(now, effects);
        // A run that crashed, or a handover that is not over, may have left them. An owner that
        // goes on at once keeps them: they may be the host's own.
        if !matches!(self.state, State::Active { .. }) {
            effects.insert(first, Effect::RemoveAddresses);
        }
    }

    /// Leaves Initialize if nothing keeps it there. RFC 9568 §6.4.1.
    fn start_if_well(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if !self.running || !matches!(self.state, State::Initialize) {
            return;
        }
        if !self.faults.is_empty() {
            if !self.faults.iter().all(Fault::is_pending) {
                self.tell(Transition::Fault, effects);
            }
            return;
        }
        self.preempt_at = None;
        self.active_router = None;
        self.heard_at = None;
        self.yielded_to = None;
        self.listening = self.config.listen_before_lead && !self.link_proved;
        if self.starts_active(now) {
            self.transition(now, State::Active { adver_at: now }, effects);
        } else {
            let backup = self.first_backup(now);
            self.transition(now, backup, effects);
        }
    }

    /// Backup with the timer of a start, which counts once nothing holds the start back.
    fn first_backup(&self, now: Instant) -> State {
        let interval = self.config.advertisement_interval;
        let mut from = self.held_until.map_or(now, |at| at.max(now));
        if self.listening {
            from = from + LISTEN_LIMIT;
        }
        let wait = match self.is_starting_owner() {
            false => self.active_down_interval(interval),
            true if self.ties.is_none() => Duration::ZERO,
            // The group decides: keepalived lets its owners wait for one interval.
            true => interval.duration() + self.skew_time(interval, self.priority),
        };
        State::Backup {
            active_down_at: from + wait,
            active_adver_interval: interval,
        }
    }

    fn link_proved(&mut self, now: Instant) {
        self.link_proved = true;
        if std::mem::take(&mut self.listening) && matches!(self.state, State::Backup { .. }) {
            self.state = self.first_backup(now);
        }
    }

    fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|at| now < at)
    }

    /// Whether Startup leads to Active without a word from others. RFC 9568 §6.4.1.
    fn starts_active(&self, now: Instant) -> bool {
        let waits = self.ties.is_some() || self.is_held(now) || self.listening;
        self.is_starting_owner() && !waits && self.faults.is_empty()
    }

    fn is_starting_owner(&self) -> bool {
        self.config.priority == Priority::OWNER && self.config.start_active
    }

    /// Steps down so that no client's packet is lost: priority 0 goes out, the addresses stay
    /// until a successor is heard or none can be expected any more.
    fn shutdown(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if !self.running {
            return;
        }
        self.running = false;
        if matches!(self.state, State::Active { .. }) {
            effects.push(Effect::SendAdvert(Priority::RELEASE));
            let longest_skew = self.ties.map_or(Duration::ZERO, |ties| ties.longest_skew);
            let longest_skew = longest_skew.max(self.ties().longest_skew);
            self.begin_handover(now + longest_skew + SUCCESSOR_MARGIN);
            self.state = State::Initialize;
            return;
        }
        self.state = State::Initialize;
        self.wants_active = false;
        if self.handover_ends_at.is_none() {
            self.tell(Transition::Stopped, effects);
        }
    }

    fn begin_handover(&mut self, ends_at: Instant) {
        self.announcements.clear();
        self.refresh_at = None;
        self.elsewhere_at = None;
        self.handover_ends_at = Some(ends_at);
    }

    fn deadline_passed(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.handover_ends_at.is_some_and(|at| at <= now) {
            self.end_handover(effects);
        }
        match self.state {
            State::Backup {
                active_down_at,
                active_adver_interval,
            } if active_down_at <= now => {
                if self.ties.is_some() {
                    self.wants_active = true;
                    self.rearm_down(now + self.active_down_interval(active_adver_interval));
                } else {
                    self.transition(now, State::Active { adver_at: now }, effects);
                }
            }
            State::Active { adver_at } if adver_at <= now && self.was_replaced(now) => {
                let backup = self.backup(now, self.config.advertisement_interval);
                self.transition(now, backup, effects);
            }
            State::Active { adver_at } if adver_at <= now => {
                if std::mem::take(&mut self.answer_due) {
                    self.answered_at = Some(now);
                }
                self.send_advert(now, effects);
                let next = adver_at + self.config.advertisement_interval.duration();
                // A timer that came late by more than an interval does not send a burst.
                self.rearm_adver(if next > now {
                    next
                } else {
                    self.next_adver(now)
                });
            }
            State::Initialize | State::Backup { .. } | State::Active { .. } => {}
        }
        self.announce_if_due(now, effects);
    }

    /// Whether a late timer has let a peer take over. keepalived: `timer_expired_backup`; always
    /// 3 intervals, whatever `down_timer_adverts` says.
    fn was_replaced(&self, now: Instant) -> bool {
        let (Some(priority), Some(last)) = (self.config.late_timer_priority, self.advertised_at)
        else {
            return false;
        };
        let interval = self.config.advertisement_interval;
        let patience = interval.duration() * 3 + self.skew_time(interval, priority);
        now.saturating_since(last) > patience
    }

    fn end_handover(&mut self, effects: &mut Vec<Effect>) {
        self.handover_ends_at = None;
        effects.push(Effect::RemoveAddresses);
        if !self.running {
            self.tell(Transition::Stopped, effects);
        }
    }

    fn announce_if_due(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        for (_, repeat) in self.announcements.extract_if(.., |(at, _)| *at <= now) {
            effects.push(Effect::AnnounceAddresses { repeat });
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            let repeat = self.config.announcement.refresh_repeat.max(1);
            effects.push(Effect::AnnounceAddresses { repeat });
            self.refresh_at = self.config.announcement.refresh.map(|period| now + period);
        }
        if self.elsewhere_at.is_some_and(|at| at <= now) {
            effects.push(Effect::AnnounceElsewhere);
            self.elsewhere_at = self.config.announcement.elsewhere.map(|p| now + p);
        }
    }

    fn advert_received(&mut self, now: Instant, advert: &Advert, effects: &mut Vec<Effect>) {
        self.link_proved(now);
        let deaf = self.config.priority == Priority::OWNER && !self.config.owner_hears_adverts;
        if deaf || self.is_held(now) {
            return;
        }
        match self.state {
            State::Initialize => self.successor_heard(now, advert),
            State::Backup {
                active_adver_interval,
                ..
            } if advert.priority == Priority::RELEASE => {
                self.heard_at = Some(now);
                self.rearm_down(now + self.skew_time(active_adver_interval, self.priority));
            }
            State::Backup { .. } => {
                self.successor_heard(now, advert);
                self.active_router = Some((advert.source, advert.priority));
                self.heard_at = Some(now);
                let other = Some(advert.source) != self.yielded_to;
                if other || advert.priority != Priority::OWNER {
                    self.yielded_to = None;
                }
                if self.yields_to(now, advert) {
                    self.wants_active = false;
                    self.state = self.backup(now, self.interval_of(advert));
                }
                // Otherwise lower priority and Preempt_Mode: the timer runs on.
            }
            State::Active { .. } if advert.priority == Priority::RELEASE => {
                self.answer(now, effects);
            }
            State::Active { .. } if self.outranked_by(advert) => {
                self.give_way(now, advert, effects)
            }
            State::Active { .. }
                if advert.priority == Priority::OWNER && self.priority == Priority::OWNER =>
            {
                self.argue(now, advert, effects);
            }
            State::Active { .. } => self.answer_lower_priority(now, effects),
        }
    }

    /// While it holds the addresses only for a successor's sake, the successor's first advert
    /// begins the short overlap in which both have them.
    fn successor_heard(&mut self, now: Instant, advert: &Advert) {
        if advert.priority == Priority::RELEASE {
            return;
        }
        if let Some(ends_at) = &mut self.handover_ends_at {
            *ends_at = (*ends_at).min(now + self.config.handover_overlap);
        }
    }

    /// Whether a Backup obeys an advert. RFC 9568 §6.4.2 (435); keepalived: `preempt_delay`.
    fn yields_to(&mut self, now: Instant, advert: &Advert) -> bool {
        if advert.priority >= self.priority() || !self.config.preempt_mode {
            self.preempt_at = None;
            return true;
        }
        if self.config.preempt_delay.is_zero() {
            return false;
        }
        now < *self
            .preempt_at
            .get_or_insert(now + self.config.preempt_delay)
    }

    /// A higher priority wins; on a tie, the higher primary address. RFC 9568 §6.4.3.
    fn outranked_by(&self, advert: &Advert) -> bool {
        outranks(
            (advert.priority, advert.source),
            (self.priority(), self.primary_address),
        )
    }

    fn give_way(&mut self, now: Instant, advert: &Advert, effects: &mut Vec<Effect>) {
        if self.config.answer_higher_priority {
            effects.push(Effect::SendAdvert(self.priority()));
        }
        self.active_router = Some((advert.source, advert.priority));
        self.heard_at = Some(now);
        let backup = self.backup(now, self.interval_of(advert));
        self.transition(now, backup, effects);
    }

    /// Two owners: the lower address has to yield. One that does not is reminded, and after a
    /// while it gets the addresses: better the wrong owner than two. keepalived-behaviour.md §3.
    fn argue(&mut self, now: Instant, advert: &Advert, effects: &mut Vec<Effect>) {
        let interval = self.config.advertisement_interval.max(advert.interval);
        let patience = interval.duration() * 6 / 5;
        match self.other_owner {
            Some((source, until)) if source == advert.source && now < until => {}
            // It was silent for a while: it has stopped, and begins anew.
            Some((source, until)) if source == advert.source && now < until + patience * 3 => {
                self.other_owner = None;
                self.yielded_to = Some(source);
                self.give_way(now, advert, effects);
            }
            Some(_) | None => {
                self.other_owner = Some((advert.source, now + patience));
                for _ in 0..OWNER_REMINDERS {
                    self.send_advert(now, effects);
                }
                self.answer_lower_priority(now, effects);
            }
        }
    }

    /// RFC 9568 §6.4.3: an Active Router answers every advert that does not outrank it. What the
    /// other one has taught switches and neighbours is put right at once, and once more when it
    /// has let go.
    fn answer_lower_priority(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.config.answer_lower_priority {
            self.answer(now, effects);
        }
        if self.may_reannounce(now) {
            effects.push(Effect::HeardLowerPriority);
        }
        self.reannounce(now, effects);
    }

    /// Sends an advert out of turn, or as soon as the last answer is old enough.
    fn answer(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let gap = self.config.advertisement_interval.duration() / ANSWERS_PER_INTERVAL;
        let may_at = self.answered_at.map_or(now, |at| at + gap);
        if may_at <= now {
            self.answered_at = Some(now);
            self.advertise(now, effects);
            return;
        }
        if let State::Active { adver_at } = &mut self.state
            && may_at < *adver_at
        {
            *adver_at = may_at;
            self.answer_due = true;
        }
    }

    fn may_reannounce(&self, now: Instant) -> bool {
        let gap = LOWER_PRIORITY_GAP.min(self.config.advertisement_interval.duration() / 2);
        self.reannounced_at
            .is_none_or(|at| now.saturating_since(at) >= gap)
    }

    fn reannounce(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if !matches!(self.state, State::Active { .. }) || !self.may_reannounce(now) {
            return;
        }
        self.reannounced_at = Some(now);
        let announcement = &self.config.announcement;
        let repeat = announcement.lower_priority_repeat;
        if repeat == 0 {
            return;
        }
        effects.push(Effect::AnnounceAddresses { repeat });
        if let Some(delay) = announcement.lower_priority_delay {
            self.announcements.clear();
            self.announcements.push((now + delay, repeat));
        }
        // The other one lets go when it hears us: now, or at the next beat.
        let heard = match self.config.answer_lower_priority {
            true => now,
            false => self.next_adver(now),
        };
        let once_more = heard + REANNOUNCE_AFTER_HANDOVER;
        self.announcements.retain(|(at, _)| *at != once_more);
        self.announcements.push((once_more, 1));
    }

    fn take_over(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Backup { .. }) {
            self.transition(now, State::Active { adver_at: now }, effects);
        }
    }

    /// No peer has outranked it, so it answers for its addresses until one is heard.
    fn step_back(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Active { .. }) {
            let backup = self.backup(now, self.config.advertisement_interval);
            self.transition(now, backup, effects);
            self.handover_ends_at = Some(now + self.patience());
        }
    }

    /// Longest time until a peer's group has taken over, which may have heard nothing.
    fn patience(&self) -> Duration {
        let ties = self.ties.unwrap_or_else(|| self.ties());
        ties.longest_down + SUCCESSOR_MARGIN
    }

    fn advertise(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.send_advert(now, effects);
        self.rearm_adver(self.next_adver(now));
    }

    fn send_advert(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.advertised_at = Some(now);
        effects.push(Effect::SendAdvert(self.priority()));
    }

    fn fault_raised(&mut self, fault: Fault, now: Instant, effects: &mut Vec<Effect>) {
        let own = !fault.is_of_group();
        // A tracker without a result keeps an instance from starting, not from going on.
        let pending = fault.is_pending();
        if fault == Fault::Interface {
            self.link_proved = false;
        }
        self.faults.insert(fault);
        match self.state {
            State::Initialize => {
                // What it kept for its successor's sake it cannot serve any more.
                if own && self.running && self.handover_ends_at.is_some() {
                    self.end_handover(effects);
                }
                self.start_if_well(now, effects);
            }
            State::Backup { .. } | State::Active { .. } if pending => {}
            State::Backup { .. } | State::Active { .. } => {
                self.transition(now, State::Initialize, effects);
            }
        }
    }

    fn fault_cleared(&mut self, fault: &Fault, now: Instant, effects: &mut Vec<Effect>) {
        if self.faults.remove(fault) {
            self.start_if_well(now, effects);
        }
    }

    fn priority_changed(&mut self, now: Instant, priority: Priority) {
        let State::Backup {
            active_down_at,
            active_adver_interval,
        } = self.state
        else {
            self.priority = priority;
            return;
        };
        // The timer moves with the skew: keepalived does so, the RFC knows no such change.
        let before = self.skew_time(active_adver_interval, self.priority);
        self.priority = priority;
        let after = self.skew_time(active_adver_interval, self.priority);
        self.rearm_down((active_down_at + after - before).max(now));
    }

    fn reconfigured(
        &mut self,
        now: Instant,
        config: InstanceConfig,
        announce: bool,
        effects: &mut Vec<Effect>,
    ) {
        let before = std::mem::replace(&mut self.config, config);
        if self.config.priority != Priority::OWNER {
            // The priority of one that yielded hid the change that comes next.
            self.yielded_to = None;
        }
        match self.state {
            State::Initialize => {}
            // Reloads that change nothing here, however many, must not hold a takeover up.
            State::Backup { .. } if before.times_like(&self.config) => {}
            State::Backup {
                active_down_at,
                active_adver_interval,
            } => {
                let interval = match self.config.version {
                    Version::V2 => self.config.advertisement_interval,
                    Version::V3 => active_adver_interval,
                };
                // Never sooner than before: a peer with the old interval must not be overrun.
                let down_at = now + self.active_down_interval(interval);
                self.state = State::Backup {
                    active_down_at: active_down_at.max(down_at),
                    active_adver_interval: interval,
                };
            }
            State::Active { .. } => {
                // At once, so that no peer misses one because the interval changed.
                self.advertise(now, effects);
                effects.push(Effect::InstallAddresses);
                if announce {
                    self.announce_as_new(now, effects);
                }
                self.refresh_at = self.config.announcement.refresh.map(|period| now + period);
                self.elsewhere_at = self.config.announcement.elsewhere.map(|p| now + p);
            }
        }
    }

    /// First announcement block now, second one after its delay.
    fn announce_as_new(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let repeat = self.config.announcement.repeat.max(1);
        effects.push(Effect::AnnounceAddresses { repeat });
        self.announcements.clear();
        let second = self
            .config
            .announcement
            .delay
            .map(|delay| (now + delay, repeat));
        self.announcements.extend(second);
    }

    fn backup(&self, now: Instant, active_adver_interval: Interval) -> State {
        State::Backup {
            active_down_at: now + self.active_down_interval(active_adver_interval),
            active_adver_interval,
        }
    }

    /// VRRPv3 adopts the Active Router's interval; in VRRPv2 it equals our own.
    const fn interval_of(&self, advert: &Advert) -> Interval {
        match self.config.version {
            Version::V2 => self.config.advertisement_interval,
            Version::V3 => advert.interval,
        }
    }

    fn next_adver(&self, now: Instant) -> Instant {
        now + self.config.advertisement_interval.duration()
    }

    const fn rearm_adver(&mut self, at: Instant) {
        if let State::Active { adver_at } = &mut self.state {
            *adver_at = at;
        }
    }

    const fn rearm_down(&mut self, at: Instant) {
        if let State::Backup { active_down_at, .. } = &mut self.state {
            *active_down_at = at;
        }
    }

    /// The only way between states: leaves the old one, then enters the new one.
    fn transition(&mut self, now: Instant, next: State, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Active { .. }) {
            self.leave_active(now, next, effects);
        }
        let from_backup = matches!(self.state, State::Backup { .. });
        self.state = next;
        self.wants_active = false;
        match next {
            State::Initialize => self.tell(Transition::Fault, effects),
            State::Backup { .. } => self.tell(Transition::Backup, effects),
            State::Active { .. } => self.enter_active(now, from_backup, effects),
        }
    }

    fn leave_active(&mut self, now: Instant, next: State, effects: &mut Vec<Effect>) {
        match next {
            // Outranked by a live peer: it needs a moment to announce itself.
            State::Backup { .. } => self.begin_handover(now + self.config.handover_overlap),
            // It is well itself: its clients do not wait for the peer of another member.
            State::Initialize if self.faults.iter().all(Fault::is_of_group) => {
                effects.push(Effect::SendAdvert(Priority::RELEASE));
                self.begin_handover(now + self.patience());
            }
            State::Initialize | State::Active { .. } => {
                self.begin_handover(now);
                self.handover_ends_at = None;
                effects.push(Effect::SendAdvert(Priority::RELEASE));
                effects.push(Effect::RemoveAddresses);
            }
        }
    }

    fn enter_active(&mut self, now: Instant, from_backup: bool, effects: &mut Vec<Effect>) {
        self.handover_ends_at = None;
        self.listening = false;
        self.yielded_to = None;
        self.other_owner = None;
        self.answered_at = None;
        self.answer_due = false;
        self.reannounced_at = None;
        self.send_advert(now, effects);
        effects.push(Effect::InstallAddresses);
        self.announce_as_new(now, effects);
        if from_backup && self.heard_lately(now) {
            self.announcements
                .push((now + REANNOUNCE_AFTER_HANDOVER, 1));
        }
        self.refresh_at = self.config.announcement.refresh.map(|period| now + period);
        self.elsewhere_at = self.config.announcement.elsewhere.map(|p| now + p);
        self.preempt_at = None;
        self.rearm_adver(self.next_adver(now));
        self.tell(Transition::Active, effects);
    }

    /// Whether an Active Router still lives, or has just stepped down: one that died has been
    /// silent for longer.
    fn heard_lately(&self, now: Instant) -> bool {
        let lately = self.config.advertisement_interval.duration() * 2;
        self.heard_at
            .is_some_and(|at| now.saturating_since(at) <= lately)
    }

    /// Tells others once per state.
    fn tell(&mut self, transition: Transition, effects: &mut Vec<Effect>) {
        if self.told != Some(transition) {
            self.told = Some(transition);
            effects.push(Effect::Notify(transition));
        }
    }
}

#[cfg(test)]
mod tests;
