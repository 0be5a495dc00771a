//! Any inputs in any order.

use super::*;
use proptest::prelude::*;

fn any_input() -> impl Strategy<Value = Input> {
    let fault = prop_oneof![
        Just(Fault::Interface),
        Just(Fault::NoPrimaryAddress),
        (0u32..3).prop_map(|t| Fault::Tracker(TrackerId(t))),
        (0u32..3).prop_map(|t| Fault::TrackerPending(TrackerId(t))),
    ];
    let version = prop_oneof![Just(Version::V2), Just(Version::V3)];
    let advert = (any::<u8>(), any::<u32>(), 1u16..=4095, version);
    let advert = advert.prop_map(|(priority, source, centis, version)| {
        Input::Advert(Advert {
            source: std::net::Ipv4Addr::from(source).into(),
            priority: Priority::new(priority),
            interval: Interval::from_centis(centis).unwrap(),
            version,
        })
    });
    prop_oneof![
        2 => Just(Input::Startup),
        1 => Just(Input::Shutdown),
        6 => Just(Input::Deadline),
        6 => advert,
        2 => fault.clone().prop_map(Input::FaultRaised),
        4 => fault.prop_map(Input::FaultCleared),
        2 => (1u8..=254).prop_map(|p| Input::PriorityChanged(Priority::new(p))),
        1 => Just(Input::LinkProved),
        1 => Just(Input::Reannounce),
        1 => Just(Input::TakeOver),
        1 => Just(Input::StepBack),
        1 => any::<bool>().prop_map(|grouped| Input::Grouped(grouped.then_some(Ties {
            longest_skew: Duration::from_secs(1),
            longest_down: Duration::from_secs(4),
        }))),
        1 => any::<u32>().prop_map(|a| Input::PrimaryAddress(std::net::Ipv4Addr::from(a).into())),
    ]
}

fn any_config() -> impl Strategy<Value = InstanceConfig> {
    (
        any::<bool>(),
        prop_oneof![3 => 1u8..=254, 1 => Just(255)],
        any::<bool>(),
        0u64..5000,
        any::<bool>(),
        1u8..=10,
        1u16..=400,
    )
        .prop_map(
            |(v3, priority, preempt, delay, start_active, adverts, centis)| InstanceConfig {
                preempt_mode: preempt,
                preempt_delay: Duration::from_millis(delay),
                start_active,
                listen_before_lead: delay % 2 == 0,
                with_version_2: v3 && delay % 5 == 0,
                late_timer_priority: (delay % 3 == 0).then_some(Priority::new(100)),
                down_timer_adverts: adverts,
                advertisement_interval: if v3 {
                    Interval::from_centis(centis).unwrap()
                } else {
                    Interval::from_secs(1 + u8::try_from(centis / 100).unwrap()).unwrap()
                },
                ..config(if v3 { Version::V3 } else { Version::V2 }, priority)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Addresses are there exactly while the instance says that it holds them; it holds them
    /// while Active and for a bounded handover; a deadline that is due never stays due.
    #[test]
    fn addresses_are_installed_exactly_while_held(
        config in any_config(),
        steps in proptest::collection::vec((0u64..2000, any_input()), 1..120),
    ) {
        let mut instance = Instance::new(config);
        let (mut now, mut installed) = (Instant::default(), false);
        for (gap, input) in steps {
            now = now + Duration::from_millis(gap);
            let was_active = matches!(instance.state(), State::Active { .. });
            let mut effects = Vec::new();
            instance.handle(now, input, &mut effects);
            let due = matches!(effects.as_slice(), _ if instance.deadline().is_some_and(|d| d <= now));
            if due {
                instance.handle(now, Input::Deadline, &mut effects);
                prop_assert!(instance.deadline().is_none_or(|d| d > now), "a deadline stays due");
            }
            for (position, effect) in effects.iter().enumerate() {
                match effect {
                    Effect::InstallAddresses => {
                        let advert = |e: &Effect| matches!(e, Effect::SendAdvert(_));
                        prop_assert!(effects.iter().take(position).any(advert), "advert first");
                        installed = true;
                    }
                    Effect::RemoveAddresses => installed = false,
                    Effect::AnnounceAddresses { repeat } => {
                        prop_assert!(installed && *repeat > 0, "announced what is not there");
                    }
                    Effect::SendAdvert(priority) => {
                        let active = matches!(instance.state(), State::Active { .. });
                        prop_assert!(*priority != Priority::RELEASE || was_active);
                        prop_assert!(*priority == Priority::RELEASE || active || was_active);
                    }
                    Effect::AnnounceElsewhere | Effect::AdvertiseRouter { .. } => {
                        prop_assert!(installed);
                    }
                    Effect::HeardLowerPriority
                    | Effect::Notify(_)
                    | Effect::NotifyGroup(..) => {}
                }
            }
            prop_assert_eq!(installed, instance.holds_addresses());
            if !matches!(instance.state(), State::Initialize) {
                let pending = |f: &Fault| matches!(f, Fault::TrackerPending(_));
                prop_assert!(instance.faults().iter().all(pending), "runs in spite of a fault");
            }
        }
    }
}
