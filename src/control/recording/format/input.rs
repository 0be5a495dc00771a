//! One line of inputs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::OutOfRange;
use super::values::{self, Config, Fault, Ties, Tracking, interface, interval};
use crate::control::recording::Call;
use crate::types::{InstanceId, Instant, Priority};
use crate::vrrp::group::GroupId;
use crate::vrrp::instance::Input;
use crate::vrrp::router::Event;
use crate::vrrp::track::{RiseFall, TrackerId};
use crate::wire::vrrp::Advert;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    at: String,
    #[serde(flatten)]
    step: Told,
}

/// Everything that can be done to the core, with plain values.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Told {
    Tracker {
        tracker: u32,
        rise: u32,
        fall: u32,
        init_fail: bool,
    },
    TrackerCounts {
        tracker: u32,
        rise: u32,
        fall: u32,
    },
    TrackerGone {
        tracker: u32,
    },
    Add {
        instance: u32,
        config: Config,
        tracking: Tracking,
    },
    Groups(Vec<Group>),
    Reconfigure {
        instance: u32,
        config: Config,
        tracking: Tracking,
        announce: bool,
    },
    Gone {
        instance: u32,
    },
    Deadline {},
    TrackResult {
        tracker: u32,
        success: bool,
    },
    TrackValue {
        tracker: u32,
        value: i32,
    },
    Link {
        interface: String,
        up: bool,
    },
    Startup {
        instance: u32,
    },
    Shutdown {
        instance: u32,
    },
    InstanceDeadline {
        instance: u32,
    },
    Advert {
        instance: u32,
        from: IpAddr,
        priority: u8,
        interval_cs: u16,
        version: u8,
    },
    FaultRaised {
        instance: u32,
        fault: Fault,
    },
    FaultCleared {
        instance: u32,
        fault: Fault,
    },
    PriorityChanged {
        instance: u32,
        priority: u8,
    },
    PrimaryAddress {
        instance: u32,
        address: IpAddr,
    },
    Grouped {
        instance: u32,
        ties: Option<Ties>,
    },
    HoldUntil {
        instance: u32,
        until: String,
    },
    LinkProved {
        instance: u32,
    },
    RouterSolicited {
        instance: u32,
    },
    Reannounce {
        instance: u32,
    },
    TakeOver {
        instance: u32,
    },
    StepBack {
        instance: u32,
    },
    Reconfigured {
        instance: u32,
        config: Config,
        announce: bool,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: u32,
    members: Vec<u32>,
}

impl Line {
    pub(super) fn from_call(at: Instant, call: &Call) -> Self {
        Self {
            at: values::time(at),
            step: Told::from(call),
        }
    }

    pub(super) fn into_call(self) -> Result<(Instant, Call), OutOfRange> {
        Ok((values::instant(&self.at)?, self.step.into_call()?))
    }
}

impl From<&Call> for Told {
    fn from(call: &Call) -> Self {
        match call {
            Call::SetTracker(id, counter) => {
                let (rise, fall) = counter.counts();
                Self::Tracker {
                    tracker: id.0,
                    rise,
                    fall,
                    init_fail: counter.up() == Some(false),
                }
            }
            Call::SetTrackerCounts(id, rise, fall) => Self::TrackerCounts {
                tracker: id.0,
                rise: *rise,
                fall: *fall,
            },
            Call::RemoveTracker(id) => Self::TrackerGone { tracker: id.0 },
            Call::Add {
                id,
                config,
                tracking,
            } => Self::Add {
                instance: id.0,
                config: config.as_ref().into(),
                tracking: tracking.into(),
            },
            Call::SetGroups(groups) => Self::Groups(groups.iter().map(Group::from).collect()),
            Call::Reconfigure {
                id,
                config,
                tracking,
                announce,
            } => Self::Reconfigure {
                instance: id.0,
                config: config.as_ref().into(),
                tracking: tracking.into(),
                announce: *announce,
            },
            Call::Remove(id) => Self::Gone { instance: id.0 },
            Call::Handle(event) => Self::from(event),
        }
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Self {
        match event {
            Event::Deadline => Self::Deadline {},
            Event::Instance(id, input) => Self::of_instance(id.0, input),
            Event::TrackResult { tracker, success } => Self::TrackResult {
                tracker: tracker.0,
                success: *success,
            },
            Event::TrackValue { tracker, value } => Self::TrackValue {
                tracker: tracker.0,
                value: *value,
            },
            Event::Link { interface, up } => Self::Link {
                interface: interface.as_str().to_owned(),
                up: *up,
            },
        }
    }
}

impl Told {
    fn of_instance(instance: u32, input: &Input) -> Self {
        match input {
            Input::Startup => Self::Startup { instance },
            Input::Shutdown => Self::Shutdown { instance },
            Input::Deadline => Self::InstanceDeadline { instance },
            Input::Advert(advert) => Self::Advert {
                instance,
                from: advert.source,
                priority: advert.priority.get(),
                interval_cs: advert.interval.centis(),
                version: advert.version.number(),
            },
            Input::FaultRaised(fault) => Self::FaultRaised {
                instance,
                fault: fault.into(),
            },
            Input::FaultCleared(fault) => Self::FaultCleared {
                instance,
                fault: fault.into(),
            },
            Input::PriorityChanged(priority) => Self::PriorityChanged {
                instance,
                priority: priority.get(),
            },
            Input::PrimaryAddress(address) => Self::PrimaryAddress {
                instance,
                address: *address,
            },
            Input::Grouped(ties) => Self::Grouped {
                instance,
                ties: ties.map(Ties::from),
            },
            Input::HoldUntil(at) => Self::HoldUntil {
                instance,
                until: values::time(*at),
            },
            Input::LinkProved => Self::LinkProved { instance },
            Input::RouterSolicited => Self::RouterSolicited { instance },
            Input::Reannounce => Self::Reannounce { instance },
            Input::TakeOver => Self::TakeOver { instance },
            Input::StepBack => Self::StepBack { instance },
            Input::Reconfigured { config, announce } => Self::Reconfigured {
                instance,
                config: config.as_ref().into(),
                announce: *announce,
            },
        }
    }

    fn into_call(self) -> Result<Call, OutOfRange> {
        Ok(match self {
            Self::Tracker {
                tracker,
                rise,
                fall,
                init_fail,
            } => Call::SetTracker(TrackerId(tracker), RiseFall::new(rise, fall, init_fail)),
            Self::TrackerCounts {
                tracker,
                rise,
                fall,
            } => Call::SetTrackerCounts(TrackerId(tracker), rise, fall),
            Self::TrackerGone { tracker } => Call::RemoveTracker(TrackerId(tracker)),
            Self::Add {
                instance,
                config,
                tracking,
            } => Call::Add {
                id: InstanceId(instance),
                config: Box::new(config.into_core()?),
                tracking: tracking.into_core()?,
            },
            Self::Groups(groups) => Call::SetGroups(groups.into_iter().map(Into::into).collect()),
            Self::Reconfigure {
                instance,
                config,
                tracking,
                announce,
            } => Call::Reconfigure {
                id: InstanceId(instance),
                config: Box::new(config.into_core()?),
                tracking: tracking.into_core()?,
                announce,
            },
            Self::Gone { instance } => Call::Remove(InstanceId(instance)),
            Self::Deadline {} => Call::Handle(Event::Deadline),
            Self::TrackResult { tracker, success } => Call::Handle(Event::TrackResult {
                tracker: TrackerId(tracker),
                success,
            }),
            Self::TrackValue { tracker, value } => Call::Handle(Event::TrackValue {
                tracker: TrackerId(tracker),
                value,
            }),
            Self::Link {
                interface: name,
                up,
            } => Call::Handle(Event::Link {
                interface: interface(&name)?,
                up,
            }),
            Self::Startup { instance } => to(instance, Input::Startup),
            Self::Shutdown { instance } => to(instance, Input::Shutdown),
            Self::InstanceDeadline { instance } => to(instance, Input::Deadline),
            Self::Advert {
                instance,
                from,
                priority,
                interval_cs,
                version,
            } => {
                let advert = Advert {
                    source: from,
                    priority: Priority::new(priority),
                    interval: interval(interval_cs)?,
                    version: values::version(version)?,
                };
                to(instance, Input::Advert(advert))
            }
            Self::FaultRaised { instance, fault } => {
                to(instance, Input::FaultRaised(fault.into_core()?))
            }
            Self::FaultCleared { instance, fault } => {
                to(instance, Input::FaultCleared(fault.into_core()?))
            }
            Self::PriorityChanged { instance, priority } => {
                to(instance, Input::PriorityChanged(Priority::new(priority)))
            }
            Self::PrimaryAddress { instance, address } => {
                to(instance, Input::PrimaryAddress(address))
            }
            Self::Grouped { instance, ties } => to(instance, Input::Grouped(ties.map(Into::into))),
            Self::HoldUntil { instance, until } => {
                to(instance, Input::HoldUntil(values::instant(&until)?))
            }
            Self::LinkProved { instance } => to(instance, Input::LinkProved),
            Self::RouterSolicited { instance } => to(instance, Input::RouterSolicited),
            Self::Reannounce { instance } => to(instance, Input::Reannounce),
            Self::TakeOver { instance } => to(instance, Input::TakeOver),
            Self::StepBack { instance } => to(instance, Input::StepBack),
            Self::Reconfigured {
                instance,
                config,
                announce,
            } => {
                let config = Box::new(config.into_core()?);
                to(instance, Input::Reconfigured { config, announce })
            }
        })
    }
}

const fn to(instance: u32, input: Input) -> Call {
    Call::Handle(Event::Instance(InstanceId(instance), input))
}

impl From<&(GroupId, Vec<InstanceId>)> for Group {
    fn from((group, members): &(GroupId, Vec<InstanceId>)) -> Self {
        Self {
            group: group.0,
            members: members.iter().map(|id| id.0).collect(),
        }
    }
}

impl From<Group> for (GroupId, Vec<InstanceId>) {
    fn from(group: Group) -> Self {
        let members = group.members.into_iter().map(InstanceId).collect();
        (GroupId(group.group), members)
    }
}
