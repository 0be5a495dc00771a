//! What the fuzzer runs, and what the tests replay its corpus with.
#![allow(dead_code, reason = "each target uses one of them")]

use std::net::Ipv4Addr;
use std::time::Duration;

use vipd::config::source::Memory;
use vipd::config::{Options, load};
use vipd::types::{InstanceId, Instant, Interval, Priority, Secret, Version, Vrid};
use vipd::vrrp::election::Weight;
use vipd::vrrp::instance::{Effect, Fault, Input, InstanceConfig};
use vipd::vrrp::router::{Event, Router, Tracking};
use vipd::vrrp::track::{RiseFall, TrackerId};
use vipd::wire::vrrp::{Advert, Authentication, Demands};
use vipd::wire::{ip, ndisc, vrrp};

/// A packet from the network, for an instance that the first byte chooses.
pub(crate) fn packet(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let password = Authentication::Password(Secret::new(b"1234"));
    let demands = Demands {
        version: if choice & 1 == 0 {
            Version::V2
        } else {
            Version::V3
        },
        authentication: if choice & 2 == 0 {
            &Authentication::None
        } else {
            &password
        },
        interval: (choice & 16 == 0).then_some(Interval::DEFAULT),
        link_local_first: choice & 32 != 0,
        check_hop_limit: choice & 4 == 0,
    };
    if choice & 0x80 != 0 {
        let message = ip::Packet {
            source: std::net::Ipv6Addr::LOCALHOST.into(),
            destination: ip::GROUP_V6.into(),
            hop_limit: ip::HOP_LIMIT,
            payload: bytes,
        };
        let _ = vrrp::receive(&message, &demands);
        let _ = ndisc::NeighbourAdvert::parse(bytes);
        let _ = ndisc::RouterAdvert::parse(bytes);
    }
    if let Ok(packet) = ip::parse_v4(bytes)
        && vrrp::vrid(&packet).is_ok()
    {
        let _ = vrrp::receive(&packet, &demands);
    }
}

/// A router fed with any sequence of events: it must keep its addresses and its state in step.
pub(crate) fn inputs(data: &[u8]) {
    const ID: InstanceId = InstanceId(1);
    const SCRIPT: TrackerId = TrackerId(1);
    let mut bytes = data.iter().copied();
    let mut byte = || bytes.next();
    let (Some(shape), Some(priority), Some(weight)) = (byte(), byte(), byte()) else {
        return;
    };
    let Some(vrid) = Vrid::new(1) else { return };
    let config = InstanceConfig {
        version: if shape & 1 == 0 {
            Version::V2
        } else {
            Version::V3
        },
        preempt_mode: shape & 2 == 0,
        start_active: shape & 4 == 0,
        preempt_delay: Duration::from_secs(u64::from(shape >> 5)),
        priority: Priority::new(priority.max(1)),
        ..InstanceConfig::new(vrid)
    };
    let mut router = Router::new();
    router.set_tracker(SCRIPT, RiseFall::new(1, 2, shape & 8 == 0));
    let tracking = Tracking {
        trackers: [(SCRIPT, Weight::new(i16::from(weight) - 128))].into(),
        ..Tracking::default()
    };
    let mut now = Instant::default();
    router.add(now, ID, config, tracking);
    let mut installed = false;
    while let (Some(what), Some(value)) = (byte(), byte()) {
        now = now + Duration::from_millis(u64::from(value) * 8);
        let event = match what % 10 {
            0 => Event::Instance(ID, Input::Startup),
            1 => Event::Instance(ID, Input::Shutdown),
            2 => Event::TrackResult {
                tracker: SCRIPT,
                success: value & 1 == 0,
            },
            3 => Event::Instance(ID, Input::FaultRaised(Fault::Interface)),
            4 => Event::Instance(ID, Input::FaultCleared(Fault::Interface)),
            5 | 6 => Event::Instance(
                ID,
                Input::Advert(Advert {
                    source: Ipv4Addr::new(10, 0, 0, value).into(),
                    priority: Priority::new(what),
                    interval: Interval::from_centis(u16::from(value) + 1)
                        .unwrap_or(Interval::DEFAULT),
                    version: Version::V3,
                }),
            ),
            _ => Event::Deadline,
        };
        let mut effects = Vec::new();
        router.handle(now, event, &mut effects);
        router.handle(now, Event::Deadline, &mut effects);
        for (_, effect) in effects {
            match effect {
                Effect::InstallAddresses => installed = true,
                Effect::RemoveAddresses => installed = false,
                Effect::SendAdvert(_)
                | Effect::AnnounceAddresses { .. }
                | Effect::AnnounceElsewhere
                | Effect::AdvertiseRouter { .. }
                | Effect::HeardLowerPriority
                | Effect::Notify(_)
                | Effect::NotifyGroup(..) => {}
            }
        }
        let holds = router.instance(ID).is_some_and(|i| i.holds_addresses());
        assert_eq!(
            installed, holds,
            "addresses are there exactly while they are held"
        );
        assert!(
            router.deadline().is_none_or(|due| due > now),
            "a deadline stays due"
        );
    }
}

/// Any bytes as a configuration.
pub(crate) fn config(data: &[u8]) {
    let files = Memory::default().with("main", data);
    let loaded = load("main", &Options::default(), &files);
    let _ = (loaded.is_refused(), loaded.exit_status());
}
