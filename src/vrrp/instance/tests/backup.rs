//! Starting, listening, taking over.

use super::*;

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
                version: Version::V3,
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
            version: Version::V3,
        }),
    );
    bench.expire();
    bench.feed(20_000, Input::FaultRaised(Fault::Interface));
    bench.feed(21_000, Input::FaultCleared(Fault::Interface));
    assert_eq!(bench.down_in(21_000), Some(Duration::from_millis(3500)));
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
