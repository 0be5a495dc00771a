//! Version 2 beside version 3. RFC 9568 §8.4.2.

use proptest::prelude::*;

use super::*;

fn both(priority: u8, centis: u16) -> InstanceConfig {
    InstanceConfig {
        with_version_2: true,
        advertisement_interval: Interval::from_centis(centis).unwrap(),
        ..config(Version::V3, priority)
    }
}

fn heard(version: Version, priority: u8, source: &str, centis: u16) -> Input {
    Input::Advert(Advert {
        source: source.parse().unwrap(),
        priority: Priority::new(priority),
        interval: Interval::from_centis(centis).unwrap(),
        version,
    })
}

const PEER: &str = "10.0.0.1";

#[test]
fn a_backup_of_both_versions_times_out_by_the_active_routers_rate() {
    let mut bench = Bench::backup(both(128, 10));
    bench.feed(100, heard(Version::V2, 200, PEER, 200));
    assert_eq!(bench.down_in(100), Some(Duration::from_secs(7)));
    bench.feed(200, heard(Version::V3, 200, "10.0.0.3", 50));
    assert_eq!(bench.down_in(200), Some(Duration::from_millis(1750)));
}

#[test]
fn version_2_of_a_router_that_sends_version_3_does_not_count() {
    let mut bench = Bench::backup(both(128, 10));
    bench.feed(100, heard(Version::V3, 200, PEER, 10));
    bench.feed(101, heard(Version::V2, 200, PEER, 100));
    assert_eq!(bench.down_in(100), Some(Duration::from_millis(350)));
    // Another router's does.
    bench.feed(102, heard(Version::V2, 200, "10.0.0.3", 100));
    assert_eq!(bench.down_in(102), Some(Duration::from_millis(3500)));
}

#[test]
fn version_2_counts_again_before_the_timer_ends_when_version_3_stays_away() {
    let mut bench = Bench::backup(both(128, 10));
    bench.feed(100, heard(Version::V3, 200, PEER, 10));
    bench.feed(200, heard(Version::V2, 200, PEER, 100));
    assert_eq!(bench.down_in(100), Some(Duration::from_millis(350)));
    bench.feed(400, heard(Version::V2, 200, PEER, 100));
    assert_eq!(bench.down_in(400), Some(Duration::from_millis(3500)));
}

#[test]
fn a_release_in_both_versions_is_one_release() {
    let mut bench = Bench::active(both(100, 100));
    let answers = bench.feed(9000, heard(Version::V3, 0, PEER, 100));
    assert_eq!(answers, [Effect::SendAdvert(Priority::DEFAULT)]);
    assert_eq!(bench.feed(9000, heard(Version::V2, 0, PEER, 100)), []);
}

#[test]
fn an_active_router_of_both_versions_elects_against_either() {
    for version in [Version::V2, Version::V3] {
        let mut bench = Bench::active(both(100, 100));
        let effects = bench.feed(9000, heard(version, 101, PEER, 100));
        assert_eq!(effects.last(), Some(&Effect::Notify(Transition::Backup)));
        let mut bench = Bench::active(both(100, 100));
        let effects = bench.feed(9000, heard(version, 99, PEER, 100));
        let answer = Effect::SendAdvert(Priority::DEFAULT);
        assert_eq!(effects.first(), Some(&answer), "{version:?}");
    }
}

#[test]
fn it_advertises_at_its_own_rate_also_below_a_second() {
    let mut bench = Bench::active(both(100, 10));
    let first = bench.instance.deadline();
    bench.expire();
    let gap = bench.instance.deadline().zip(first);
    let gap = gap.map(|(next, first)| next.saturating_since(first));
    assert!(gap.is_some_and(|gap| gap <= Duration::from_millis(100)));
    let config = both(100, 10);
    assert_eq!(config.interval_in(Version::V2).centis(), 100);
    assert_eq!(config.interval_in(Version::V3).centis(), 10);
}

#[test]
fn a_shutdown_waits_for_a_successor_that_counts_in_whole_seconds() {
    let mut bench = Bench::active(both(100, 10));
    bench.feed(9000, Input::Shutdown);
    assert_eq!(bench.expire().0, 10_100);
}

proptest! {
    /// Whatever strangers send, what is repeated changes nothing, and nothing grows.
    #[test]
    fn a_repeated_advert_changes_nothing(
        sources in proptest::collection::vec(any::<u32>(), 1..40), priority in 1u8..=254,
        centis in 1u16..=4095,
    ) {
        let mut bench = Bench::backup(both(100, 100));
        for source in sources {
            let source = std::net::Ipv4Addr::from(source).to_string();
            bench.feed(1000, heard(Version::V3, priority, &source, centis));
            let before = (bench.instance.state(), bench.instance.active_router());
            let effects = bench.feed(1000, heard(Version::V2, priority, &source, 25_500));
            prop_assert_eq!(effects, []);
            prop_assert_eq!(before, (bench.instance.state(), bench.instance.active_router()));
        }
    }
}

#[test]
fn an_instance_speaks_its_version_and_version_2_beside_3_only_if_told_so() {
    let speaks = |config: InstanceConfig| [Version::V2, Version::V3].map(|v| config.speaks(v));
    assert_eq!(speaks(config(Version::V2, 100)), [true, false]);
    assert_eq!(speaks(config(Version::V3, 100)), [false, true]);
    assert_eq!(speaks(both(100, 100)), [true, true]);
}

#[test]
fn version_2_counts_again_at_the_end_of_two_intervals() {
    let mut bench = Bench::backup(both(128, 10));
    bench.feed(100, heard(Version::V3, 200, PEER, 10));
    bench.feed(300, heard(Version::V2, 200, PEER, 100));
    assert_eq!(bench.down_in(300), Some(Duration::from_millis(3500)));
}

#[test]
fn a_router_is_remembered_beside_others_and_each_once() {
    let mut bench = Bench::backup(both(128, 10));
    for _ in 0..9 {
        bench.feed(100, heard(Version::V3, 200, PEER, 10));
    }
    bench.feed(100, heard(Version::V3, 200, "10.0.0.3", 10));
    for source in [PEER, "10.0.0.3"] {
        bench.feed(110, heard(Version::V2, 200, source, 100));
        assert_eq!(bench.down_in(100), Some(Duration::from_millis(350)));
    }
}
