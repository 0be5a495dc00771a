//! Every state against every input, also where nothing happens.

use super::*;
use proptest::prelude::*;

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

const TAKE_OVER: [Effect; 4] = [
    Effect::SendAdvert(Priority::DEFAULT),
    Effect::InstallAddresses,
    Effect::AnnounceAddresses { repeat: 5 },
    Effect::Notify(Transition::Active),
];

#[test]
fn a_start_removes_left_over_addresses_and_listens() {
    let mut bench = Bench::new(config(Version::V2, 100));
    let effects = bench.feed(0, Input::Startup);
    assert_eq!(
        effects,
        [Effect::RemoveAddresses, Effect::Notify(Transition::Backup)]
    );
    // 3 × 1 s + 156/256 s.
    assert_eq!(bench.down_in(0), Some(Duration::from_micros(3_609_375)));
}

#[test]
fn an_owner_with_state_master_starts_active_and_keeps_its_addresses() {
    let owner = InstanceConfig {
        start_active: true,
        ..config(Version::V2, 255)
    };
    let effects = Bench::new(owner).feed(0, Input::Startup);
    assert_eq!(effects.first(), Some(&Effect::SendAdvert(Priority::OWNER)));
    assert_eq!(effects.last(), Some(&Effect::Notify(Transition::Active)));
}

#[test]
fn an_owner_without_state_master_waits_its_down_interval() {
    let bench = Bench::backup(config(Version::V3, 255));
    assert_eq!(
        bench.down_in(0),
        Some(Duration::from_millis(3000) + Duration::from_secs(1) / 256)
    );
}

#[test]
fn silence_makes_a_backup_take_over_and_the_advert_leaves_first() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    let (when, effects) = bench.expire();
    assert_eq!(when, 3609);
    assert_eq!(effects, TAKE_OVER);
}

#[test]
fn an_early_or_stale_deadline_does_nothing() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    assert_eq!(bench.feed(3600, Input::Deadline), []);
    bench.feed(3605, advert(100, "10.0.0.1"));
    assert_eq!(bench.feed(3610, Input::Deadline), []);
}

#[test]
fn a_backup_obeys_an_equal_or_higher_advert() {
    for priority in [100, 101, 255] {
        let mut bench = Bench::backup(config(Version::V2, 100));
        assert_eq!(bench.feed(3000, advert(priority, "10.0.0.1")), []);
        assert_eq!(
            bench.down_in(3000),
            Some(Duration::from_micros(3_609_375)),
            "{priority}"
        );
    }
}

#[test]
fn a_backup_that_preempts_lets_a_lower_advert_pass_and_its_timer_run() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    bench.feed(3000, advert(99, "10.0.0.9"));
    assert_eq!(bench.down_in(3000), Some(Duration::from_micros(609_375)));
}

#[test]
fn a_backup_that_does_not_preempt_obeys_a_lower_advert() {
    let patient = InstanceConfig {
        preempt_mode: false,
        ..config(Version::V2, 100)
    };
    let mut bench = Bench::backup(patient);
    bench.feed(3000, advert(1, "10.0.0.9"));
    assert_eq!(bench.down_in(3000), Some(Duration::from_micros(3_609_375)));
}

#[test]
fn preempt_delay_counts_from_the_first_lower_advert() {
    let slow = InstanceConfig {
        preempt_delay: Duration::from_secs(10),
        ..config(Version::V2, 100)
    };
    let mut bench = Bench::backup(slow);
    let mut now = 1000;
    while now < 11_000 {
        bench.feed(now, advert(50, "10.0.0.9"));
        assert_eq!(
            bench.down_in(now),
            Some(Duration::from_micros(3_609_375)),
            "{now}"
        );
        now += 1000;
    }
    bench.feed(11_000, advert(50, "10.0.0.9"));
    assert_eq!(
        bench.down_in(11_000),
        Some(Duration::from_micros(2_609_375))
    );
}

#[test]
fn a_release_leaves_a_backup_its_skew_time() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    bench.feed(1000, advert(0, "10.0.0.1"));
    assert_eq!(bench.down_in(1000), Some(Duration::from_micros(609_375)));
}

#[test]
fn v3_adopts_the_active_routers_interval_and_v2_does_not() {
    let slow = |bench: &mut Bench| {
        bench.feed(
            100,
            Input::Advert(Advert {
                source: "10.0.0.1".parse().unwrap(),
                priority: Priority::new(200),
                interval: Interval::from_centis(200).unwrap(),
            }),
        );
        bench.down_in(100).unwrap()
    };
    let mut v3 = Bench::backup(config(Version::V3, 128));
    assert_eq!(slow(&mut v3), Duration::from_millis(7000));
    let mut v2 = Bench::backup(config(Version::V2, 128));
    assert_eq!(slow(&mut v2), Duration::from_millis(3500));
}

#[test]
fn a_former_backup_of_a_slow_router_counts_with_its_own_interval_again() {
    let mut bench = Bench::backup(config(Version::V3, 128));
    bench.feed(
        0,
        Input::Advert(Advert {
            source: "10.0.0.1".parse().unwrap(),
            priority: Priority::new(200),
            interval: Interval::from_centis(400).unwrap(),
        }),
    );
    bench.expire();
    bench.feed(20_000, Input::FaultRaised(Fault::Interface));
    bench.feed(21_000, Input::FaultCleared(Fault::Interface));
    assert_eq!(bench.down_in(21_000), Some(Duration::from_millis(3500)));
}

#[test]
fn an_active_router_advertises_on_a_fixed_beat() {
    let mut bench = Bench::active(config(Version::V2, 128));
    assert_eq!(bench.instance.deadline(), Some(at(4500)));
    // 30 ms late, and the next one is not.
    assert_eq!(
        bench.feed(4530, Input::Deadline),
        [Effect::SendAdvert(Priority::new(128))]
    );
    assert_eq!(bench.instance.deadline(), Some(at(5500)));
}

#[test]
fn an_active_router_that_slept_sends_one_advert_not_a_burst() {
    let mut bench = Bench::active(config(Version::V2, 128));
    let effects = bench.feed(60_000, Input::Deadline);
    let adverts = effects
        .iter()
        .filter(|e| matches!(e, Effect::SendAdvert(_)))
        .count();
    assert_eq!(adverts, 1);
    assert!(bench.instance.deadline() > Some(at(60_000)));
}

#[test]
fn an_active_router_gives_way_to_a_higher_priority_or_address() {
    for (priority, source) in [(101, "10.0.0.1"), (255, "10.0.0.1"), (100, "10.0.0.3")] {
        let mut bench = Bench::active(config(Version::V2, 100));
        let effects = bench.feed(4000, advert(priority, source));
        assert_eq!(
            effects,
            [Effect::Notify(Transition::Backup)],
            "{priority} {source}"
        );
        assert!(bench.instance.holds_addresses(), "the peer needs a moment");
        let (when, effects) = bench.expire();
        assert_eq!((when, effects), (4020, vec![Effect::RemoveAddresses]));
        assert!(!bench.instance.holds_addresses());
    }
}

#[test]
fn an_active_router_answers_what_does_not_outrank_it() {
    for (priority, source) in [(99, "10.0.0.9"), (100, "10.0.0.1"), (1, "10.0.0.1")] {
        let mut bench = Bench::active(config(Version::V2, 100));
        let effects = bench.feed(4000, advert(priority, source));
        let expected = [
            Effect::SendAdvert(Priority::DEFAULT),
            Effect::AnnounceAddresses { repeat: 5 },
        ];
        assert_eq!(effects, expected, "{priority} {source}");
    }
}

#[test]
fn preempt_mode_plays_no_part_in_active() {
    for preempt_mode in [true, false] {
        let config = InstanceConfig {
            preempt_mode,
            ..config(Version::V2, 100)
        };
        let effects = Bench::active(config.clone()).feed(4000, advert(101, "10.0.0.1"));
        assert_eq!(effects, [Effect::Notify(Transition::Backup)]);
        let effects = Bench::active(config).feed(4000, advert(99, "10.0.0.1"));
        assert_eq!(
            effects.first(),
            Some(&Effect::SendAdvert(Priority::DEFAULT))
        );
    }
}

#[test]
fn lower_prio_no_advert_keeps_an_active_router_quiet_and_its_beat() {
    let quiet = InstanceConfig {
        answer_lower_priority: false,
        ..config(Version::V2, 128)
    };
    let mut bench = Bench::active(quiet);
    assert_eq!(
        bench.feed(4000, advert(1, "10.0.0.9")),
        [Effect::AnnounceAddresses { repeat: 5 }]
    );
    assert_eq!(bench.instance.deadline(), Some(at(4500)));
}

#[test]
fn higher_prio_send_advert_sends_one_before_giving_way() {
    let polite = InstanceConfig {
        answer_higher_priority: true,
        ..config(Version::V2, 100)
    };
    let effects = Bench::active(polite).feed(4000, advert(200, "10.0.0.9"));
    let expected = [
        Effect::SendAdvert(Priority::DEFAULT),
        Effect::Notify(Transition::Backup),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn an_active_router_answers_a_release() {
    let mut bench = Bench::active(config(Version::V2, 100));
    let effects = bench.feed(4000, advert(0, "10.0.0.9"));
    assert_eq!(effects, [Effect::SendAdvert(Priority::DEFAULT)]);
}

#[test]
fn addresses_are_announced_again_after_the_delay_and_at_every_refresh() {
    let announcement = Announcement {
        refresh: Some(Duration::from_secs(3)),
        ..Announcement::default()
    };
    let mut bench = Bench::active(InstanceConfig {
        announcement,
        ..config(Version::V2, 128)
    });
    let mut announced = Vec::new();
    while announced.len() < 4 {
        let (when, effects) = bench.expire();
        announced.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::AnnounceAddresses { repeat } => Some((when, repeat)),
            Effect::SendAdvert(_)
            | Effect::InstallAddresses
            | Effect::RemoveAddresses
            | Effect::Notify(_)
            | Effect::NotifyGroup(..) => None,
        }));
    }
    assert_eq!(announced, [(6500, 1), (8500, 5), (9500, 1), (12_500, 1)]);
}

#[test]
fn a_fault_releases_and_removes_at_once() {
    let mut bench = Bench::active(config(Version::V2, 100));
    let effects = bench.feed(4000, Input::FaultRaised(Fault::Interface));
    assert_eq!(
        effects,
        [
            Effect::SendAdvert(Priority::RELEASE),
            Effect::RemoveAddresses,
            Effect::Notify(Transition::Fault),
        ]
    );
    assert_eq!(bench.instance.deadline(), None);
}

#[test]
fn faults_are_a_set_and_the_last_one_to_go_starts_the_instance() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    assert_eq!(
        bench.feed(1, Input::FaultRaised(Fault::Interface)),
        [Effect::Notify(Transition::Fault)]
    );
    assert_eq!(bench.feed(2, Input::FaultRaised(Fault::Interface)), []);
    assert_eq!(
        bench.feed(3, Input::FaultRaised(Fault::NoPrimaryAddress)),
        []
    );
    assert_eq!(bench.feed(4, Input::FaultCleared(Fault::Interface)), []);
    let effects = bench.feed(5, Input::FaultCleared(Fault::NoPrimaryAddress));
    assert_eq!(effects, [Effect::Notify(Transition::Backup)]);
    assert_eq!(bench.down_in(5), Some(Duration::from_micros(3_609_375)));
}

#[test]
fn a_shutdown_releases_and_keeps_the_addresses_until_a_successor_is_heard() {
    let mut bench = Bench::active(config(Version::V2, 100));
    let effects = bench.feed(4000, Input::Shutdown);
    assert_eq!(effects, [Effect::SendAdvert(Priority::RELEASE)]);
    assert!(bench.instance.holds_addresses());
    assert_eq!(bench.feed(4600, advert(99, "10.0.0.9")), []);
    let (when, effects) = bench.expire();
    assert_eq!(when, 4620);
    assert_eq!(
        effects,
        [Effect::RemoveAddresses, Effect::Notify(Transition::Stopped)]
    );
    assert!(bench.instance.is_finished());
}

#[test]
fn a_shutdown_without_a_successor_ends_after_the_longest_skew_time() {
    let mut bench = Bench::active(config(Version::V2, 100));
    bench.feed(4000, Input::Shutdown);
    let (when, effects) = bench.expire();
    assert_eq!(when, 5100);
    assert_eq!(
        effects,
        [Effect::RemoveAddresses, Effect::Notify(Transition::Stopped)]
    );
}

#[test]
fn a_release_is_no_successor() {
    let mut bench = Bench::active(config(Version::V2, 100));
    bench.feed(4000, Input::Shutdown);
    bench.feed(4100, advert(0, "10.0.0.9"));
    assert_eq!(bench.expire().0, 5100);
}

#[test]
fn a_backup_shuts_down_at_once() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    assert_eq!(
        bench.feed(10, Input::Shutdown),
        [Effect::Notify(Transition::Stopped)]
    );
    assert!(bench.instance.is_finished());
    assert_eq!(bench.instance.deadline(), None);
}

#[test]
fn initialize_ignores_adverts_and_time() {
    let mut bench = Bench::new(config(Version::V2, 100));
    assert_eq!(bench.feed(1, advert(200, "10.0.0.9")), []);
    assert_eq!(bench.feed(99_999, Input::Deadline), []);
    assert_eq!(bench.instance.state(), State::Initialize);
}

#[test]
fn a_priority_change_moves_a_backups_deadline_by_the_difference_in_skew() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    assert_eq!(
        bench.feed(1000, Input::PriorityChanged(Priority::new(164))),
        []
    );
    assert_eq!(bench.down_in(1000), Some(Duration::from_micros(2_359_375)));
}

#[test]
fn a_priority_change_goes_out_with_the_next_advert() {
    let mut bench = Bench::active(config(Version::V2, 128));
    assert_eq!(
        bench.feed(4000, Input::PriorityChanged(Priority::new(90))),
        []
    );
    assert_eq!(
        bench.expire(),
        (4500, vec![Effect::SendAdvert(Priority::new(90))])
    );
}

#[test]
fn a_takeover_from_a_live_peer_is_announced_once_more_after_the_overlap() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    bench.feed(1000, advert(0, "10.0.0.9"));
    bench.expire();
    let (when, effects) = bench.expire();
    assert_eq!(
        (when, effects),
        (1689, vec![Effect::AnnounceAddresses { repeat: 1 }])
    );
}

#[test]
fn a_takeover_from_a_dead_peer_is_not() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    bench.feed(1000, advert(200, "10.0.0.9"));
    bench.expire();
    assert!(matches!(
        bench.expire().1.as_slice(),
        [Effect::SendAdvert(_)]
    ));
}

#[test]
fn a_reload_in_place_keeps_the_state_and_makes_sure_of_the_addresses() {
    let mut bench = Bench::active(config(Version::V2, 100));
    let config = Box::new(config(Version::V2, 90));
    let effects = bench.feed(
        4000,
        Input::Reconfigured {
            config,
            announce: true,
        },
    );
    assert_eq!(
        effects,
        [
            Effect::SendAdvert(Priority::DEFAULT),
            Effect::InstallAddresses,
            Effect::AnnounceAddresses { repeat: 5 },
        ]
    );
    assert!(matches!(bench.instance.state(), State::Active { .. }));
}

#[test]
fn a_reload_never_makes_a_backup_take_over_sooner() {
    let mut bench = Bench::backup(config(Version::V2, 100));
    bench.feed(0, advert(200, "10.0.0.9"));
    let mut faster = config(Version::V2, 254);
    faster.down_timer_adverts = 1;
    bench.feed(
        1000,
        Input::Reconfigured {
            config: Box::new(faster),
            announce: false,
        },
    );
    assert_eq!(bench.down_in(0), Some(Duration::from_micros(3_609_375)));
}

fn any_input() -> impl Strategy<Value = Input> {
    let fault = prop_oneof![
        Just(Fault::Interface),
        Just(Fault::NoPrimaryAddress),
        (0u32..3).prop_map(|t| Fault::Tracker(TrackerId(t))),
        (0u32..3).prop_map(|t| Fault::TrackerPending(TrackerId(t))),
    ];
    let advert = (any::<u8>(), any::<u32>(), 1u16..=4095).prop_map(|(priority, source, centis)| {
        Input::Advert(Advert {
            source: std::net::Ipv4Addr::from(source).into(),
            priority: Priority::new(priority),
            interval: Interval::from_centis(centis).unwrap(),
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
        1 => any::<u32>().prop_map(|a| Input::PrimaryAddress(std::net::Ipv4Addr::from(a).into())),
    ]
}

fn any_config() -> impl Strategy<Value = InstanceConfig> {
    (
        any::<bool>(),
        1u8..=255,
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
                    Effect::Notify(_) | Effect::NotifyGroup(..) => {}
                }
            }
            prop_assert_eq!(installed, instance.holds_addresses());
            if !matches!(instance.state(), State::Initialize) {
                prop_assert!(instance.faults().is_empty(), "runs in spite of a fault");
            }
        }
    }
}
