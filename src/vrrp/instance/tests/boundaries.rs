//! What happens exactly at a limit, and one step beside it.

use super::*;

fn reconfigured(config: &InstanceConfig) -> Input {
    Input::Reconfigured {
        config: Box::new(config.clone()),
        announce: false,
    }
}

#[test]
fn a_reload_that_changes_the_timing_moves_the_deadline() {
    let before = config(Version::V2, 128);
    let slower = InstanceConfig {
        advertisement_interval: Interval::from_secs(2).unwrap(),
        ..before.clone()
    };
    let more_patient = InstanceConfig {
        down_timer_adverts: 5,
        ..before.clone()
    };
    for (after, down_millis) in [(slower, 6500), (more_patient, 5500)] {
        let mut bench = Bench::backup(before.clone());
        bench.feed(1000, reconfigured(&after));
        let down_in = Duration::from_millis(down_millis);
        assert_eq!(bench.down_in(1000), Some(down_in));
    }
}

#[test]
fn it_is_finished_when_it_has_stopped_and_let_the_addresses_go() {
    let mut bench = Bench::active(config(Version::V2, 100));
    assert!(!bench.instance.is_finished(), "it runs");
    bench.feed(4000, Input::Shutdown);
    assert!(!bench.instance.is_finished(), "it waits for a successor");
    bench.expire();
    assert!(bench.instance.is_finished());
}

#[test]
fn an_advert_that_is_late_by_one_interval_is_sent_once() {
    let mut bench = Bench::active(config(Version::V2, 128));
    // It took over at 3.5 s, and its next advert was due at 4.5 s.
    let effects = bench.feed(5500, Input::Deadline);
    assert_eq!(effects, [Effect::SendAdvert(Priority::new(128))]);
    let adver_at = at(6500);
    assert_eq!(bench.instance.state(), State::Active { adver_at });
}

#[test]
fn a_timer_is_too_late_only_past_a_peers_down_interval() {
    let late = |millis: u64| {
        let mut bench = Bench::active(InstanceConfig {
            late_timer_priority: Some(Priority::new(128)),
            ..config(Version::V2, 128)
        });
        bench.feed(3500 + millis, Input::Deadline);
        matches!(bench.instance.state(), State::Backup { .. })
    };
    assert!(!late(3500), "a peer takes over at this moment");
    assert!(late(3501));
}

#[test]
fn addresses_elsewhere_are_announced_once_in_each_period() {
    let announcement = Announcement {
        delay: None,
        elsewhere: Some(Duration::from_secs(2)),
        ..Announcement::default()
    };
    let mut bench = Bench::active(InstanceConfig {
        announcement,
        ..config(Version::V2, 128)
    });
    let mut announced = Vec::new();
    for _ in 0..6 {
        let (millis, effects) = bench.expire();
        if effects.contains(&Effect::AnnounceElsewhere) {
            announced.push(millis);
        }
    }
    assert_eq!(announced, [5500, 7500, 9500]);
}

#[test]
fn an_owner_answers_a_lower_priority_as_any_other_router_does() {
    let mut bench = Bench::active(owner());
    let effects = bench.feed(10_500, advert(100, "10.0.0.1"));
    let sent = |effect: &&Effect| matches!(effect, Effect::SendAdvert(_));
    assert_eq!(effects.iter().filter(sent).count(), 1, "{effects:?}");
}

#[test]
fn an_owner_yields_to_another_one_from_1_2_to_4_8_intervals_after_its_first_advert() {
    for (second, yields) in [
        (2199, false),
        (2200, true),
        (5799, true),
        // It had stopped in between, and is asked anew.
        (5800, false),
    ] {
        let mut bench = Bench::backup(owner());
        bench.feed(1000, advert(255, "10.0.0.1"));
        bench.feed(second, advert(255, "10.0.0.1"));
        let backup = matches!(bench.instance.state(), State::Backup { .. });
        assert_eq!(backup, yields, "{second}");
    }
}

/// The times, in milliseconds, and sizes of what is announced after a lower advert at 10 s.
fn announced_after_a_lower_advert(config: InstanceConfig, until: u64) -> Vec<(u64, u32)> {
    let mut bench = Bench::active(config);
    let mut announced = Vec::new();
    let note = |announced: &mut Vec<(u64, u32)>, millis, effects: Vec<Effect>| {
        for effect in effects {
            if let Effect::AnnounceAddresses { repeat } = effect {
                announced.push((millis, repeat));
            }
        }
    };
    bench.feed(9999, Input::Deadline);
    let effects = bench.feed(10_000, advert(1, "10.0.0.1"));
    note(&mut announced, 10_000, effects);
    while bench.instance.deadline() < Some(at(until)) {
        let (millis, effects) = bench.expire();
        note(&mut announced, millis, effects);
    }
    announced
}

#[test]
fn a_lower_advert_is_followed_by_two_blocks_and_one_more_announcement() {
    let announced = announced_after_a_lower_advert(config(Version::V2, 128), 30_000);
    assert_eq!(announced, [(10_000, 5), (10_080, 1), (15_000, 5)]);
}

#[test]
fn addresses_are_announced_again_after_half_a_short_interval() {
    let mut bench = Bench::active(InstanceConfig {
        advertisement_interval: Interval::from_centis(20).unwrap(),
        ..config(Version::V3, 128)
    });
    let mut announces = |millis| {
        let effects = bench.feed(millis, advert(1, "10.0.0.1"));
        effects.contains(&Effect::AnnounceAddresses { repeat: 5 })
    };
    assert!(announces(10_000));
    assert!(!announces(10_099));
    assert!(announces(10_100));
}

#[test]
fn a_reload_begins_the_periods_of_an_active_router_anew() {
    let announcement = Announcement {
        delay: None,
        refresh: Some(Duration::from_secs(3)),
        elsewhere: Some(Duration::from_secs(2)),
        ..Announcement::default()
    };
    let config = InstanceConfig {
        announcement,
        ..config(Version::V2, 128)
    };
    let mut bench = Bench::active(config.clone());
    let changed = InstanceConfig {
        preempt_mode: false,
        ..config
    };
    bench.feed(4000, reconfigured(&changed));
    let advert = Effect::SendAdvert(Priority::new(128));
    assert_eq!(bench.expire(), (5000, vec![advert]));
    let elsewhere = vec![advert, Effect::AnnounceElsewhere];
    assert_eq!(bench.expire(), (6000, elsewhere));
    let refresh = vec![advert, Effect::AnnounceAddresses { repeat: 1 }];
    assert_eq!(bench.expire(), (7000, refresh));
}
