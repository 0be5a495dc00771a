//! What the protocol needs to know of one virtual router.

use std::time::Duration;

use crate::types::{Family, Interval, Priority, Version, Vrid};
use crate::wire::ndisc::RouterAdvert;

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
    /// Of these, only interfaces with a virtual MAC address. keepalived: no `all`; false.
    pub elsewhere_devices_only: bool,
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
            elsewhere_devices_only: false,
        }
    }
}

/// An IPv6 virtual router is a default router of its link. RFC 9568 §6.4.3 (725); keepalived has
/// no such option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterAdvertisement {
    /// Longest time between router advertisements, 4–1800 s. RFC 4861 MaxRtrAdvInterval.
    pub interval: Duration,
    /// What they say; the link-layer address is put in when one leaves.
    pub content: RouterAdvert,
}

impl RouterAdvertisement {
    /// RFC 4861 §6.2.1 has 600 s; hosts that come to know the router by them wait a third of it.
    pub const USUAL_INTERVAL: Duration = Duration::from_secs(200);

    /// For how long hosts keep the router when nothing else is said. RFC 4861 AdvDefaultLifetime.
    #[must_use]
    pub fn usual_lifetime(interval: Duration) -> Duration {
        interval * 3
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
    /// Version 2 is spoken beside version 3, for a migration. RFC 9568 §8.4.2; keepalived has no
    /// such option, false.
    pub with_version_2: bool,
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
    /// [`super::LISTEN_LIMIT`]. keepalived has no such option, false.
    pub listen_before_lead: bool,
    /// Announcement of the addresses.
    pub announcement: Announcement,
    /// Router advertisements while Active; over IPv6 only. keepalived has no such option, none.
    pub router_advertisement: Option<RouterAdvertisement>,
    /// Longest time for which addresses stay after a peer's advert. Zero with a virtual
    /// MAC address: who answers from it draws the switch to itself.
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
            with_version_2: false,
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
            router_advertisement: None,
            handover_overlap: HANDOVER_OVERLAP,
        }
    }

    /// Whether adverts of `version` are sent and heard.
    #[must_use]
    pub fn speaks(&self, version: Version) -> bool {
        self.version == version || (self.with_version_2 && version == Version::V2)
    }

    /// The interval that our adverts of `version` carry. Version 2 has whole seconds only: where
    /// it is spoken beside version 3, a part of one counts as a whole one.
    #[must_use]
    pub fn interval_in(&self, version: Version) -> Interval {
        let whole = Interval::from_secs(self.advertisement_interval.whole_secs());
        match version {
            Version::V2 => whole.unwrap_or(self.advertisement_interval),
            Version::V3 => self.advertisement_interval,
        }
    }

    /// Whether a Backup waits just as long with `other`.
    pub(super) fn times_like(&self, other: &Self) -> bool {
        let times = |c: &Self| {
            let versions = (c.version, c.with_version_2);
            (versions, c.advertisement_interval, c.down_timer_adverts)
        };
        times(self) == times(other)
    }
}

/// Longest time for which a router that has given up its addresses still answers for them after
/// a peer's advert: the peer needs it to install and announce them.
///
/// Neither the RFC nor keepalived has it. Without it a client's packet that is on its way when
/// the peer takes over finds nobody.
pub const HANDOVER_OVERLAP: Duration = Duration::from_millis(20);
