//! Advertising, answering, giving way, announcing.

use super::*;

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
        let expected = [
            Effect::SendAdvert(Priority::DEFAULT),
            Effect::Notify(Transition::Backup),
        ];
        assert_eq!(effects, expected, "{priority} {source}");
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

/// One that is alone may be so because of a split: its winner would not know that neighbours were
/// taught wrong. After an ordinary handover nothing is to be mended.
#[test]
fn who_took_over_from_silence_lets_the_winner_know() {
    let said = |config: InstanceConfig, heard: Option<u8>| {
        let mut bench = Bench::backup(config);
        if let Some(priority) = heard {
            bench.feed(3000, advert(priority, "10.0.0.1"));
        }
        let (now, _) = bench.expire();
        assert!(matches!(bench.instance.state(), State::Active { .. }));
        let effects = bench.feed(now + 5000, advert(200, "10.0.0.1"));
        assert!(effects.contains(&Effect::Notify(Transition::Backup)));
        effects.contains(&Effect::SendAdvert(Priority::DEFAULT))
    };
    let own = config(Version::V2, 100);
    assert!(said(own.clone(), None));
    assert!(!said(own.clone(), Some(0)), "its peer was told to end");
    assert!(!said(own.clone(), Some(50)), "its peer was outranked");
    assert!(said(own.clone(), Some(150)), "its peer is gone");
    let virtual_mac = InstanceConfig {
        handover_overlap: Duration::ZERO,
        ..own
    };
    assert!(!said(virtual_mac, None));
}

#[test]
fn preempt_mode_plays_no_part_in_active() {
    for preempt_mode in [true, false] {
        let config = InstanceConfig {
            preempt_mode,
            ..config(Version::V2, 100)
        };
        let effects = Bench::active(config.clone()).feed(4000, advert(101, "10.0.0.1"));
        assert_eq!(effects.last(), Some(&Effect::Notify(Transition::Backup)));
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
            | Effect::AdvertiseRouter { .. }
            | Effect::HeardLowerPriority
            | Effect::Notify(_)
            | Effect::NotifyGroup(..) => None,
        }));
    }
    assert_eq!(announced, [(6500, 1), (8500, 5), (9500, 1), (12_500, 1)]);
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
fn who_took_over_while_a_timer_was_late_is_heard_before_the_timer() {
    let late = |late_timer_priority, millis: u64| {
        let mut bench = Bench::active(InstanceConfig {
            late_timer_priority,
            preempt_mode: false,
            answer_higher_priority: true,
            ..config(Version::V2, 128)
        });
        bench.feed(3500 + millis, advert(100, "10.0.0.1"))
    };
    let backup = [Effect::Notify(Transition::Backup)];
    let priority = Some(Priority::new(128));
    assert_eq!(late(priority, 3501), backup);
    let answered = Effect::SendAdvert(Priority::new(128));
    assert_eq!(late(priority, 3499).first(), Some(&answered));
    assert_eq!(late(None, 60_000).first(), Some(&answered));
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
