//! Router advertisements. RFC 4861 §6.2.4, RFC 9568 §6.4.3.

use proptest::prelude::*;

use super::*;
use crate::wire::ndisc::RouterAdvert;

const SENT: Effect = Effect::AdvertiseRouter { last: false };
const LAST: Effect = Effect::AdvertiseRouter { last: true };
const PEER: &str = "fe80::2";

fn routes(interval: u64) -> RouterAdvertisement {
    RouterAdvertisement {
        interval: Duration::from_secs(interval),
        content: RouterAdvert::default(),
    }
}

fn router(interval: u64) -> InstanceConfig {
    InstanceConfig {
        router_advertisement: Some(routes(interval)),
        ..config(Version::V3, 100)
    }
}

fn sent(effects: &[Effect]) -> bool {
    effects.contains(&SENT)
}

/// When the next `count` are sent, in milliseconds.
fn times(bench: &mut Bench, count: usize) -> Vec<u64> {
    let mut times = Vec::new();
    while times.len() < count {
        let (at, effects) = bench.expire();
        if sent(&effects) {
            times.push(at);
        }
    }
    times
}

#[test]
fn one_is_sent_on_becoming_active_after_the_addresses_are_there() {
    let mut bench = Bench::backup(router(200));
    let (_, effects) = bench.expire();
    let at = |wanted: Effect| effects.iter().position(|e| *e == wanted);
    assert!(at(SENT).unwrap() > at(Effect::InstallAddresses).unwrap());
    let announced = effects
        .iter()
        .position(|e| matches!(e, Effect::AnnounceAddresses { .. }));
    assert!(at(SENT) > announced);
}

#[test]
fn none_is_sent_unless_asked_for() {
    let mut bench = Bench::backup(config(Version::V3, 100));
    for _ in 0..500 {
        let (at, effects) = bench.expire();
        let more = bench.feed(at + 1, Input::RouterSolicited);
        assert!(!sent(&effects) && more.is_empty());
    }
}

#[test]
fn a_backup_and_an_instance_at_fault_send_none() {
    let mut bench = Bench::backup(router(4));
    for second in 0..100 {
        let now = second * 1000;
        assert!(!sent(&bench.feed(now, advert(200, PEER))));
        assert_eq!(bench.feed(now, Input::RouterSolicited), []);
        assert!(!sent(&bench.feed(now + 600, Input::Deadline)));
    }
    bench.feed(100_000, Input::FaultRaised(Fault::Interface));
    assert_eq!(bench.feed(100_000, Input::RouterSolicited), []);
    assert_eq!(bench.instance.deadline(), None);
}

#[test]
fn the_first_three_follow_each_other_within_16_seconds_and_then_the_interval_holds() {
    let mut bench = Bench::backup(router(1800));
    let (first, effects) = bench.expire();
    assert!(sent(&effects));
    let times = times(&mut bench, 5);
    assert_eq!(times[0], first + 16_000);
    assert_eq!(times[1], times[0] + 16_000);
    for pair in times[1..].windows(2) {
        assert!((600_000..=1_800_000).contains(&(pair[1] - pair[0])));
    }
    assert_ne!(times[2] - times[1], times[3] - times[2], "they vary");
}

#[test]
fn a_solicitation_is_answered_soon_but_not_sooner_than_3_seconds_after_the_last() {
    let mut bench = Bench::active(router(1800));
    let became = 3609;
    assert_eq!(bench.feed(became + 100, Input::RouterSolicited), []);
    let first = times(&mut bench, 1)[0];
    assert!((became..=became + 1).contains(&(first - 3000)), "{first}");
    assert_eq!(bench.feed(first + 9000, Input::RouterSolicited), []);
    // Another one does not put the answer off.
    assert_eq!(bench.feed(first + 9001, Input::RouterSolicited), []);
    let second = times(&mut bench, 1)[0];
    assert!((9000..=9500).contains(&(second - first)), "{second}");
}

#[test]
fn giving_way_ends_them_without_a_farewell() {
    let mut bench = Bench::active(router(4));
    let mut effects = bench.feed(9000, advert(200, PEER));
    effects.extend(bench.feed(9020, Input::Deadline));
    assert!(effects.contains(&Effect::RemoveAddresses));
    for now in (9100..60_000).step_by(100) {
        effects.extend(bench.feed(now, advert(200, PEER)));
        effects.extend(bench.feed(now, Input::Deadline));
    }
    assert!(!sent(&effects) && !effects.contains(&LAST));
}

#[test]
fn a_shutdown_says_farewell_only_if_no_successor_is_heard() {
    for successor in [false, true] {
        let mut bench = Bench::active(router(200));
        assert!(!bench.feed(9000, Input::Shutdown).contains(&LAST));
        if successor {
            bench.feed(9100, advert(90, PEER));
        }
        let (_, effects) = bench.expire();
        assert_eq!(effects.contains(&LAST), !successor);
        assert!(effects.contains(&Effect::RemoveAddresses));
        assert!(bench.instance.is_finished());
    }
}

#[test]
fn a_fault_says_no_farewell_since_a_peer_takes_over() {
    let mut bench = Bench::active(router(200));
    let effects = bench.feed(9000, Input::FaultRaised(Fault::Interface));
    assert!(!effects.contains(&LAST));
    assert_eq!(bench.instance.deadline(), None);
}

#[test]
fn a_reload_that_drops_them_says_farewell_and_one_that_changes_them_tells_the_hosts() {
    let reconfigured = |config| Input::Reconfigured {
        config: Box::new(config),
        announce: false,
    };
    let mut bench = Bench::active(router(200));
    let mut other = router(200);
    other.priority = Priority::new(120);
    assert!(!sent(&bench.feed(9000, reconfigured(other))), "nothing new");
    assert!(sent(&bench.feed(9500, reconfigured(router(100)))));
    let effects = bench.feed(20_000, reconfigured(config(Version::V3, 100)));
    assert!(effects.contains(&LAST) && !sent(&effects));
    assert!(sent(&bench.feed(30_000, reconfigured(router(100)))));
    let mut bench = Bench::backup(router(200));
    let effects = bench.feed(10, reconfigured(config(Version::V3, 100)));
    assert!(!effects.contains(&LAST), "it was none");
}

proptest! {
    /// RFC 4861 §10: however often it is asked, and however states change.
    #[test]
    fn two_are_never_closer_than_3_seconds(
        interval in 4_u64..=1800,
        steps in proptest::collection::vec((0_u64..3000, 0_u8..6), 1..200),
    ) {
        let mut bench = Bench::backup(router(interval));
        let (mut now, mut last) = (0, None);
        for (wait, what) in steps {
            now += wait;
            let input = match what {
                0..3 => Input::RouterSolicited,
                3 => advert(200, PEER),
                4 => Input::TakeOver,
                _ => Input::Deadline,
            };
            for input in [Input::Deadline, input] {
                let effects = bench.feed(now, input);
                let active = matches!(bench.instance.state(), State::Active { .. });
                for _ in effects.iter().filter(|e| **e == SENT) {
                    prop_assert!(active);
                    prop_assert!(last.is_none_or(|last| now - last >= 3000));
                    last = Some(now);
                }
            }
        }
    }
}
