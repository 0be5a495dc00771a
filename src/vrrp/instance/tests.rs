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
            Effect::HeardLowerPriority,
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
        [
            Effect::HeardLowerPriority,
            Effect::AnnounceAddresses { repeat: 5 }
        ]
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
            | Effect::AnnounceElsewhere
            | Effect::HeardLowerPriority
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
fn a_start_into_a_handover_that_time_alone_has_ended_leaves_no_address_behind() {
    for listens in [false, true] {
        let mut bench = Bench::new(InstanceConfig {
            listen_before_lead: listens,
            ..owner()
        });
        bench.feed(0, Input::LinkProved);
        bench.feed(0, Input::Startup);
        assert!(bench.instance.holds_addresses());
        bench.feed(1000, Input::Shutdown);
        bench.feed(1000, Input::FaultRaised(Fault::Interface));
        bench.feed(1000, Input::FaultCleared(Fault::Interface));
        let effects = bench.feed(9000, Input::Startup);
        let removed = effects.first() == Some(&Effect::RemoveAddresses);
        assert_eq!(removed, listens, "{effects:?}");
        assert_eq!(bench.instance.holds_addresses(), !listens);
    }
}

#[test]
fn an_owner_that_listens_first_removes_what_was_left_over() {
    let mut bench = Bench::new(InstanceConfig {
        listen_before_lead: true,
        ..owner()
    });
    let told = [Effect::RemoveAddresses, Effect::Notify(Transition::Backup)];
    assert_eq!(bench.feed(0, Input::Startup), told);
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
fn reloads_that_change_nothing_do_not_hold_a_takeover_up() {
    let config = config(Version::V3, 100);
    let mut bench = Bench::backup(config.clone());
    let before = bench.instance.deadline();
    let input = Input::Reconfigured {
        config: Box::new(config),
        announce: false,
    };
    assert_eq!(bench.feed(3000, input), []);
    assert_eq!(bench.instance.deadline(), before);
}

#[test]
fn a_tracker_without_a_result_keeps_from_starting_and_not_from_going_on() {
    let pending = Fault::TrackerPending(TrackerId(1));
    let mut bench = Bench::active(config(Version::V3, 100));
    assert_eq!(bench.feed(4000, Input::FaultRaised(pending.clone())), []);
    assert_eq!(bench.feed(4100, Input::FaultCleared(pending.clone())), []);
    assert!(matches!(bench.instance.state(), State::Active { .. }));

    let mut bench = Bench::new(config(Version::V3, 100));
    bench.feed(0, Input::FaultRaised(pending));
    bench.feed(0, Input::Startup);
    assert_eq!(bench.instance.state(), State::Initialize);
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

/// What an Active Router at priority 100 sends and announces for a stream of adverts, and when.
fn answers(config: InstanceConfig, every_millis: u64, seconds: u64) -> (usize, usize) {
    let mut bench = Bench::active(config);
    let (mut adverts, mut announcements) = (0, 0);
    let mut now = 4000;
    while now < 4000 + seconds * 1000 {
        let mut effects = bench.feed(now, advert(1, "10.0.0.1"));
        effects.extend(bench.feed(now, Input::Deadline));
        for effect in effects {
            adverts += usize::from(matches!(effect, Effect::SendAdvert(_)));
            announcements += usize::from(matches!(effect, Effect::AnnounceAddresses { .. }));
        }
        now += every_millis;
    }
    (adverts, announcements)
}

#[test]
fn a_flood_of_lower_adverts_is_no_amplifier() {
    let (adverts, announcements) = answers(config(Version::V2, 100), 1, 10);
    assert!((38..=42).contains(&adverts), "{adverts} adverts in 10 s");
    assert!(announcements <= 45, "{announcements} announcements in 10 s");
}

#[test]
fn each_advert_of_a_peer_that_keeps_its_interval_is_answered_at_once() {
    let (adverts, _) = answers(config(Version::V2, 100), 1000, 10);
    assert_eq!(adverts, 10);
}

#[test]
fn an_answer_that_would_come_too_soon_comes_a_quarter_interval_after_the_last() {
    let mut bench = Bench::active(config(Version::V2, 100));
    bench.feed(4000, advert(1, "10.0.0.1"));
    assert_eq!(bench.feed(4100, advert(1, "10.0.0.1")), []);
    let (when, effects) = bench.expire();
    assert_eq!(when, 4080, "the announcement after the first");
    assert_eq!(effects, [Effect::AnnounceAddresses { repeat: 1 }]);
    let (when, effects) = bench.expire();
    assert_eq!((when, effects.len()), (4250, 1));
    assert_eq!(bench.instance.deadline(), Some(at(5250)), "then the beat");
}

#[test]
fn a_flood_of_releases_is_no_amplifier_either() {
    let mut bench = Bench::active(config(Version::V2, 100));
    let count = (4000..5000).map(|now| bench.feed(now, advert(0, "10.0.0.1")).len());
    assert_eq!(
        count.sum::<usize>(),
        4,
        "one in each quarter of an interval"
    );
}

#[test]
fn after_a_split_the_winner_announces_at_once_and_again_when_the_loser_has_let_go() {
    for delay in [None, Some(Duration::from_secs(5))] {
        let announcement = Announcement {
            delay: None,
            lower_priority_delay: delay,
            lower_priority_repeat: 1,
            ..Announcement::default()
        };
        let mut bench = Bench::active(InstanceConfig {
            announcement,
            ..config(Version::V2, 100)
        });
        let effects = bench.feed(4000, advert(90, "10.0.0.1"));
        let expected = [
            Effect::SendAdvert(Priority::DEFAULT),
            Effect::HeardLowerPriority,
            Effect::AnnounceAddresses { repeat: 1 },
        ];
        assert_eq!(effects, expected);
        let again = (4080, vec![Effect::AnnounceAddresses { repeat: 1 }]);
        assert_eq!(bench.expire(), again);
    }
}

#[test]
fn a_winner_that_does_not_answer_announces_again_after_its_next_advert() {
    let mut bench = Bench::active(InstanceConfig {
        answer_lower_priority: false,
        ..config(Version::V2, 128)
    });
    bench.feed(4000, advert(90, "10.0.0.1"));
    assert_eq!(bench.expire().0, 4500);
    let again = (5080, vec![Effect::AnnounceAddresses { repeat: 1 }]);
    assert_eq!(bench.expire(), again);
}

#[test]
fn nothing_is_announced_after_a_lower_advert_where_none_is_wanted() {
    let announcement = Announcement {
        lower_priority_repeat: 0,
        ..Announcement::default()
    };
    let mut bench = Bench::active(InstanceConfig {
        announcement,
        ..config(Version::V2, 100)
    });
    let effects = bench.feed(4000, advert(90, "10.0.0.1"));
    assert!(!effects.contains(&Effect::AnnounceAddresses { repeat: 0 }));
    assert_eq!(effects.len(), 2);
}

fn owner() -> InstanceConfig {
    InstanceConfig {
        start_active: true,
        ..config(Version::V2, 255)
    }
}

#[test]
fn of_two_owners_the_one_with_the_lower_address_yields() {
    let mut bench = Bench::backup(owner());
    let effects = bench.feed(10, advert(255, "10.0.0.3"));
    assert_eq!(effects, [Effect::Notify(Transition::Backup)]);
    assert_eq!(bench.instance.priority(), Priority::OWNER);
}

#[test]
fn an_owner_reminds_another_one_twice_and_yields_to_it_after_1_2_intervals() {
    let mut bench = Bench::backup(owner());
    let other = || advert(255, "10.0.0.1");
    let effects = bench.feed(1000, other());
    let reminders = effects
        .iter()
        .filter(|e| **e == Effect::SendAdvert(Priority::OWNER));
    assert_eq!(reminders.count(), 3, "an answer and two more");
    assert_eq!(bench.feed(2000, other()), []);
    assert_eq!(
        bench.feed(2300, other()),
        [Effect::Notify(Transition::Backup)]
    );
    assert_eq!(bench.instance.priority(), Priority::new(254));
    bench.feed(3300, other());
    assert_eq!(bench.instance.priority(), Priority::new(254));
}

#[test]
fn an_owner_that_yielded_is_an_owner_again_when_it_hears_another_active_router() {
    let yielded = || {
        let mut bench = Bench::backup(owner());
        for now in [1000, 2300] {
            bench.feed(now, advert(255, "10.0.0.1"));
        }
        bench
    };
    for next in [advert(100, "10.0.0.7"), advert(254, "10.0.0.1")] {
        let mut bench = yielded();
        bench.feed(3000, next);
        assert_eq!(bench.instance.priority(), Priority::OWNER);
    }
    let mut bench = yielded();
    let effects = loop {
        let (_, effects) = bench.expire();
        if effects.contains(&Effect::InstallAddresses) {
            break effects;
        }
    };
    assert_eq!(effects[0], Effect::SendAdvert(Priority::OWNER));
}

#[test]
fn another_owner_that_stops_is_no_reason_to_yield() {
    let mut bench = Bench::backup(owner());
    bench.feed(1000, advert(255, "10.0.0.1"));
    bench.feed(60_000, advert(255, "10.0.0.1"));
    assert!(matches!(bench.instance.state(), State::Active { .. }));
}

#[test]
fn owner_ignore_adverts_says_what_it_does() {
    let hears = |owner_hears_adverts, priority| {
        let mut bench = Bench::backup(InstanceConfig {
            owner_hears_adverts,
            start_active: priority == 255,
            ..config(Version::V2, priority)
        });
        bench.feed(1000, advert(255, "10.0.0.3"));
        bench.instance.active_router().is_some()
    };
    assert!(hears(true, 255));
    assert!(!hears(false, 255));
    assert!(hears(false, 254), "only owners may");
}

#[test]
fn the_lowest_the_highest_and_the_owners_priority_elect_as_any_other() {
    for (ours, theirs, yields) in [
        (1, 1, true),
        (1, 2, true),
        (2, 1, false),
        (254, 254, true),
        (254, 255, true),
        (254, 253, false),
        (1, 255, true),
    ] {
        let mut bench = Bench::active(config(Version::V2, ours));
        bench.feed(4500, advert(theirs, "10.0.0.3"));
        let active = matches!(bench.instance.state(), State::Active { .. });
        assert_eq!(active, !yields, "{ours} hears {theirs}");
    }
}

#[test]
fn a_late_timer_sends_an_active_router_back_if_a_peer_would_have_taken_over() {
    let late = |late_timer_priority, millis: u64| {
        let mut bench = Bench::active(InstanceConfig {
            late_timer_priority,
            ..config(Version::V2, 128)
        });
        bench.feed(3500 + millis, Input::Deadline)
    };
    let backup = [Effect::Notify(Transition::Backup)];
    let priority = Some(Priority::new(128));
    assert_eq!(late(priority, 3501), backup);
    assert_ne!(late(priority, 3499), backup);
    assert_ne!(late(None, 60_000), backup);
}

#[test]
fn a_router_that_is_held_back_hears_and_sends_nothing() {
    let mut bench = Bench::new(config(Version::V2, 100));
    bench.feed(0, Input::HoldUntil(at(5000)));
    bench.feed(0, Input::Startup);
    assert_eq!(bench.down_in(5000), Some(Duration::from_micros(3_609_375)));
    bench.feed(4999, advert(0, "10.0.0.9"));
    bench.feed(4999, advert(200, "10.0.0.9"));
    assert_eq!(bench.instance.active_router(), None);
    bench.feed(5000, advert(200, "10.0.0.9"));
    assert!(bench.instance.active_router().is_some());
}

#[test]
fn an_owner_that_is_held_back_is_active_when_that_ends() {
    let mut bench = Bench::new(owner());
    bench.feed(0, Input::HoldUntil(at(5000)));
    let effects = bench.feed(0, Input::Startup);
    let told = [Effect::RemoveAddresses, Effect::Notify(Transition::Backup)];
    assert_eq!(effects, told);
    let (when, effects) = bench.expire();
    assert_eq!(when, 5000);
    assert_eq!(effects.last(), Some(&Effect::Notify(Transition::Active)));
}

fn listener() -> Bench {
    Bench::backup(InstanceConfig {
        listen_before_lead: true,
        preempt_mode: false,
        ..config(Version::V2, 100)
    })
}

#[test]
fn a_listener_counts_from_the_moment_its_link_has_received_something() {
    let mut bench = listener();
    assert_eq!(bench.feed(20_000, Input::Deadline), []);
    bench.feed(20_000, Input::LinkProved);
    assert_eq!(
        bench.down_in(20_000),
        Some(Duration::from_micros(3_609_375))
    );
    bench.feed(21_000, Input::LinkProved);
    assert_eq!(
        bench.down_in(20_000),
        Some(Duration::from_micros(3_609_375)),
        "once is enough"
    );
}

#[test]
fn nopreempt_holds_after_a_boot_before_the_link_works() {
    let mut bench = listener();
    // The switch's port forwards after 15 s, and there the Active Router is.
    bench.feed(15_000, advert(50, "10.0.0.9"));
    assert_eq!(
        bench.down_in(15_000),
        Some(Duration::from_micros(3_609_375))
    );
    assert!(matches!(bench.instance.state(), State::Backup { .. }));
}

#[test]
fn a_listener_that_hears_nothing_leads_all_the_same_after_the_limit() {
    let mut bench = listener();
    let (when, _) = bench.expire();
    assert_eq!(when, 33_609);
    assert!(matches!(bench.instance.state(), State::Active { .. }));
}

#[test]
fn a_link_that_was_down_has_to_prove_itself_again_and_a_script_has_not() {
    for (fault, proved) in [
        (Fault::Interface, false),
        (Fault::Tracker(TrackerId(1)), true),
    ] {
        let mut bench = listener();
        bench.feed(1000, Input::LinkProved);
        bench.feed(2000, Input::FaultRaised(fault.clone()));
        bench.feed(3000, Input::FaultCleared(fault));
        let soon = bench.down_in(3000) < Some(Duration::from_secs(4));
        assert_eq!(soon, proved);
    }
}

#[test]
fn addresses_elsewhere_are_announced_while_active_and_only_then() {
    let announcement = Announcement {
        delay: None,
        elsewhere: Some(Duration::from_secs(2)),
        ..Announcement::default()
    };
    let mut bench = Bench::active(InstanceConfig {
        announcement,
        ..config(Version::V2, 128)
    });
    bench.expire();
    assert_eq!(
        bench.expire().1,
        [
            Effect::SendAdvert(Priority::new(128)),
            Effect::AnnounceElsewhere
        ]
    );
    bench.feed(5600, advert(200, "10.0.0.9"));
    bench.expire();
    assert!(bench.instance.deadline() > Some(at(8000)));
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
                    Effect::AnnounceElsewhere => prop_assert!(installed),
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
