//! The core's values as plain ones, and back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::OutOfRange;
use super::router::Router;
use crate::types::{Family, Instant, InterfaceName, Interval, Priority, Version, Vrid};
use crate::vrrp::election::Weight;
use crate::vrrp::instance::{self, Announcement, InstanceConfig};
use crate::vrrp::router;
use crate::vrrp::track::TrackerId;

const NANOS: u64 = 1_000_000_000;

/// Seconds with nine decimals.
pub(super) fn time(at: Instant) -> String {
    format!("{}.{:09}", at.as_nanos() / NANOS, at.as_nanos() % NANOS)
}

pub(super) fn instant(text: &str) -> Result<Instant, OutOfRange> {
    let parsed = text.split_once('.').and_then(|(secs, nanos)| {
        let nanos: u64 = (nanos.len() == 9).then(|| nanos.parse().ok())??;
        secs.parse::<u64>()
            .ok()?
            .checked_mul(NANOS)?
            .checked_add(nanos)
    });
    parsed.map(Instant::from_nanos).ok_or(OutOfRange("a time"))
}

pub(super) fn interval(centis: u16) -> Result<Interval, OutOfRange> {
    Interval::from_centis(centis).ok_or(OutOfRange("interval_cs"))
}

pub(super) const fn version(number: u8) -> Result<Version, OutOfRange> {
    match number {
        2 => Ok(Version::V2),
        3 => Ok(Version::V3),
        _ => Err(OutOfRange("version")),
    }
}

pub(super) fn interface(name: &str) -> Result<InterfaceName, OutOfRange> {
    InterfaceName::new(name).ok_or(OutOfRange("interface"))
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    vrid: u8,
    family: u8,
    version: u8,
    with_version_2: bool,
    priority: u8,
    interval_cs: u16,
    preempt: bool,
    preempt_delay_ns: u64,
    start_active: bool,
    down_timer_adverts: u8,
    answer_lower_priority: bool,
    answer_higher_priority: bool,
    owner_hears_adverts: bool,
    late_timer_priority: Option<u8>,
    listen_before_lead: bool,
    handover_overlap_ns: u64,
    announcement: Announce,
    router_advertisement: Option<Router>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announce {
    repeat: u32,
    delay_ns: Option<u64>,
    refresh_ns: Option<u64>,
    refresh_repeat: u32,
    lower_priority_repeat: u32,
    lower_priority_delay_ns: Option<u64>,
    elsewhere_ns: Option<u64>,
    elsewhere_devices_only: bool,
}

// Every field is named here: one that is new does not compile before a recording has it.
impl From<&InstanceConfig> for Config {
    fn from(config: &InstanceConfig) -> Self {
        let InstanceConfig {
            vrid,
            family,
            version,
            with_version_2,
            priority,
            advertisement_interval,
            preempt_mode,
            preempt_delay,
            start_active,
            down_timer_adverts,
            answer_lower_priority,
            answer_higher_priority,
            owner_hears_adverts,
            late_timer_priority,
            listen_before_lead,
            announcement,
            router_advertisement,
            handover_overlap,
        } = config;
        Self {
            vrid: vrid.get(),
            family: match family {
                Family::V4 => 4,
                Family::V6 => 6,
            },
            version: version.number(),
            with_version_2: *with_version_2,
            priority: priority.get(),
            interval_cs: advertisement_interval.centis(),
            preempt: *preempt_mode,
            preempt_delay_ns: nanos(*preempt_delay),
            start_active: *start_active,
            down_timer_adverts: *down_timer_adverts,
            answer_lower_priority: *answer_lower_priority,
            answer_higher_priority: *answer_higher_priority,
            owner_hears_adverts: *owner_hears_adverts,
            late_timer_priority: late_timer_priority.map(Priority::get),
            listen_before_lead: *listen_before_lead,
            handover_overlap_ns: nanos(*handover_overlap),
            announcement: announcement.into(),
            router_advertisement: router_advertisement.as_ref().map(Router::from),
        }
    }
}

impl From<&Announcement> for Announce {
    fn from(announcement: &Announcement) -> Self {
        let Announcement {
            repeat,
            delay,
            refresh,
            refresh_repeat,
            lower_priority_repeat,
            lower_priority_delay,
            elsewhere,
            elsewhere_devices_only,
        } = announcement;
        Self {
            repeat: *repeat,
            delay_ns: delay.map(nanos),
            refresh_ns: refresh.map(nanos),
            refresh_repeat: *refresh_repeat,
            lower_priority_repeat: *lower_priority_repeat,
            lower_priority_delay_ns: lower_priority_delay.map(nanos),
            elsewhere_ns: elsewhere.map(nanos),
            elsewhere_devices_only: *elsewhere_devices_only,
        }
    }
}

impl Config {
    pub(super) fn into_core(self) -> Result<InstanceConfig, OutOfRange> {
        Ok(InstanceConfig {
            vrid: Vrid::new(self.vrid).ok_or(OutOfRange("vrid"))?,
            family: match self.family {
                4 => Family::V4,
                6 => Family::V6,
                _ => return Err(OutOfRange("family")),
            },
            version: version(self.version)?,
            with_version_2: self.with_version_2,
            priority: Priority::new(self.priority),
            advertisement_interval: interval(self.interval_cs)?,
            preempt_mode: self.preempt,
            preempt_delay: Duration::from_nanos(self.preempt_delay_ns),
            start_active: self.start_active,
            down_timer_adverts: self.down_timer_adverts,
            answer_lower_priority: self.answer_lower_priority,
            answer_higher_priority: self.answer_higher_priority,
            owner_hears_adverts: self.owner_hears_adverts,
            late_timer_priority: self.late_timer_priority.map(Priority::new),
            listen_before_lead: self.listen_before_lead,
            announcement: self.announcement.into(),
            router_advertisement: self.router_advertisement.map(Into::into),
            handover_overlap: Duration::from_nanos(self.handover_overlap_ns),
        })
    }
}

impl From<Announce> for Announcement {
    fn from(announce: Announce) -> Self {
        let duration = |nanos: Option<u64>| nanos.map(Duration::from_nanos);
        Self {
            repeat: announce.repeat,
            delay: duration(announce.delay_ns),
            refresh: duration(announce.refresh_ns),
            refresh_repeat: announce.refresh_repeat,
            lower_priority_repeat: announce.lower_priority_repeat,
            lower_priority_delay: duration(announce.lower_priority_delay_ns),
            elsewhere: duration(announce.elsewhere_ns),
            elsewhere_devices_only: announce.elsewhere_devices_only,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tracking {
    trackers: Vec<Tracked<u32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<Tracked<u32>>,
    interfaces: Vec<Tracked<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tracked<T> {
    what: T,
    weight: i16,
    reverse: bool,
}

impl<T> Tracked<T> {
    const fn new(what: T, weight: Weight) -> Self {
        let Weight { points, reverse } = weight;
        Self {
            what,
            weight: points,
            reverse,
        }
    }

    const fn weight(&self) -> Weight {
        Weight {
            points: self.weight,
            reverse: self.reverse,
        }
    }
}

impl From<&router::Tracking> for Tracking {
    fn from(tracking: &router::Tracking) -> Self {
        let router::Tracking {
            trackers,
            values,
            interfaces,
        } = tracking;
        let values = values.iter().map(|(id, w)| Tracked::new(id.0, *w));
        let trackers = trackers.iter().map(|(id, w)| Tracked::new(id.0, *w));
        let name = |name: &InterfaceName| name.as_str().to_owned();
        let interfaces = interfaces.iter().map(|(n, w)| Tracked::new(name(n), *w));
        Self {
            trackers: trackers.collect(),
            values: values.collect(),
            interfaces: interfaces.collect(),
        }
    }
}

impl Tracking {
    pub(super) fn into_core(self) -> Result<router::Tracking, OutOfRange> {
        let tracked = |t: &Tracked<u32>| (TrackerId(t.what), t.weight());
        let trackers = self.trackers.iter().map(tracked);
        let values = self.values.iter().map(tracked);
        let interfaces = self.interfaces.iter();
        let interfaces = interfaces.map(|t| Ok((interface(&t.what)?, t.weight())));
        Ok(router::Tracking {
            trackers: trackers.collect(),
            values: values.collect(),
            interfaces: interfaces.collect::<Result<_, _>>()?,
        })
    }
}

/// A reason not to run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    Interface,
    NoPrimaryAddress,
    NoPeers,
    PeersUnknown,
    Addresses,
    Socket,
    AddressInterface(String),
    TrackedInterface(String),
    Tracker(u32),
    TrackerPending(u32),
    Group,
    GroupPending,
}

impl From<&instance::Fault> for Fault {
    fn from(fault: &instance::Fault) -> Self {
        use instance::Fault as Core;
        match fault {
            Core::Interface => Self::Interface,
            Core::NoPrimaryAddress => Self::NoPrimaryAddress,
            Core::NoPeers => Self::NoPeers,
            Core::PeersUnknown => Self::PeersUnknown,
            Core::Addresses => Self::Addresses,
            Core::Socket => Self::Socket,
            Core::AddressInterface(name) => Self::AddressInterface(name.as_str().to_owned()),
            Core::TrackedInterface(name) => Self::TrackedInterface(name.as_str().to_owned()),
            Core::Tracker(id) => Self::Tracker(id.0),
            Core::TrackerPending(id) => Self::TrackerPending(id.0),
            Core::Group => Self::Group,
            Core::GroupPending => Self::GroupPending,
        }
    }
}

impl Fault {
    pub(super) fn into_core(self) -> Result<instance::Fault, OutOfRange> {
        use instance::Fault as Core;
        Ok(match self {
            Self::Interface => Core::Interface,
            Self::NoPrimaryAddress => Core::NoPrimaryAddress,
            Self::NoPeers => Core::NoPeers,
            Self::PeersUnknown => Core::PeersUnknown,
            Self::Addresses => Core::Addresses,
            Self::Socket => Core::Socket,
            Self::AddressInterface(name) => Core::AddressInterface(interface(&name)?),
            Self::TrackedInterface(name) => Core::TrackedInterface(interface(&name)?),
            Self::Tracker(id) => Core::Tracker(TrackerId(id)),
            Self::TrackerPending(id) => Core::TrackerPending(TrackerId(id)),
            Self::Group => Core::Group,
            Self::GroupPending => Core::GroupPending,
        })
    }
}

/// What a sync group lets its members wait.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ties {
    longest_skew_ns: u64,
    longest_down_ns: u64,
}

impl From<instance::Ties> for Ties {
    fn from(ties: instance::Ties) -> Self {
        let instance::Ties {
            longest_skew,
            longest_down,
        } = ties;
        Self {
            longest_skew_ns: nanos(longest_skew),
            longest_down_ns: nanos(longest_down),
        }
    }
}

impl From<Ties> for instance::Ties {
    fn from(ties: Ties) -> Self {
        Self {
            longest_skew: Duration::from_nanos(ties.longest_skew_ns),
            longest_down: Duration::from_nanos(ties.longest_down_ns),
        }
    }
}
