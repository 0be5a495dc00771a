//! Faults, shutdown, reload.

use super::*;

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
fn reloads_that_change_nothing_leave_an_active_router_alone() {
    let mut config = config(Version::V3, 100);
    config.announcement.refresh = Some(Duration::from_secs(10));
    let mut bench = Bench::active(config.clone());
    let before = bench.instance.deadline();
    let input = Input::Reconfigured {
        config: Box::new(config),
        announce: false,
    };
    assert_eq!(bench.feed(4010, input), []);
    assert_eq!(bench.instance.deadline(), before);
}

#[test]
fn what_bars_a_start_keeps_from_starting_and_not_from_going_on() {
    for fault in [Fault::TrackerPending(TrackerId(1)), Fault::PeersUnknown] {
        let mut bench = Bench::active(config(Version::V3, 100));
        assert_eq!(bench.feed(4000, Input::FaultRaised(fault.clone())), []);
        assert_eq!(bench.feed(4100, Input::FaultCleared(fault.clone())), []);
        assert!(matches!(bench.instance.state(), State::Active { .. }));

        let mut bench = Bench::new(config(Version::V3, 100));
        bench.feed(0, Input::FaultRaised(fault));
        bench.feed(0, Input::Startup);
        assert_eq!(bench.instance.state(), State::Initialize);
    }
}

#[test]
fn peers_that_are_not_known_are_told_as_a_fault_and_a_pending_tracker_is_not() {
    let told = |fault| {
        let mut bench = Bench::new(config(Version::V3, 100));
        bench.feed(0, Input::FaultRaised(fault));
        bench.feed(0, Input::Startup)
    };
    let fault = Effect::Notify(Transition::Fault);
    assert!(told(Fault::PeersUnknown).contains(&fault));
    assert!(!told(Fault::TrackerPending(TrackerId(1))).contains(&fault));
}

#[test]
fn down_timer_adverts_is_how_many_adverts_a_backup_misses_first() {
    for (adverts, millis) in [(1, 1609), (3, 3609), (100, 100_609)] {
        let bench = Bench::backup(InstanceConfig {
            down_timer_adverts: adverts,
            ..config(Version::V3, 100)
        });
        let down = bench.down_in(0).unwrap();
        assert_eq!(down.as_millis(), millis, "{adverts}");
    }
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
