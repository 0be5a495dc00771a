//! Two members against everything that can happen to one of them.

use std::time::Duration;

use super::*;
use crate::types::{Instant, Interval, Priority, Version, Vrid};
use crate::vrrp::election::Weight;
use crate::vrrp::instance::Transition::{Active, Backup, Stopped};
use crate::vrrp::instance::{Effect, InstanceConfig};
use crate::vrrp::router::{Event, InstanceEffect, Router, Tracking};
use crate::vrrp::track::{RiseFall, TrackerId};
use crate::wire::vrrp::Advert;

const A: InstanceId = InstanceId(1);
const B: InstanceId = InstanceId(2);
const GROUP: GroupId = GroupId(1);
const SCRIPT: TrackerId = TrackerId(1);
/// Active_Down_Interval at priority 100 and 1 s.
const DOWN: u64 = 3610;

fn at(millis: u64) -> Instant {
    Instant::default() + Duration::from_millis(millis)
}

fn config(priority: u8) -> InstanceConfig {
    InstanceConfig {
        priority: Priority::new(priority),
        start_active: priority == 255,
        ..InstanceConfig::new(Vrid::new(51).unwrap())
    }
}

fn advert(priority: u8) -> Input {
    Input::Advert(Advert {
        source: "10.0.0.9".parse().unwrap(),
        priority: Priority::new(priority),
        interval: Interval::DEFAULT,
        version: Version::V3,
    })
}

struct Bench(Router);

impl Bench {
    /// A group of A and B that has not started, with a script that each tracks or not.
    fn new(priority: u8, tracking: [bool; 2]) -> Self {
        let mut router = Router::new();
        router.set_tracker(SCRIPT, RiseFall::new(1, 1, false));
        router.set_groups(at(0), vec![(GROUP, vec![A, B])], &mut Vec::new());
        for (id, tracks) in [A, B].into_iter().zip(tracking) {
            let tracking = Tracking {
                trackers: tracks
                    .then_some((SCRIPT, Weight::new(0)))
                    .into_iter()
                    .collect(),
                ..Tracking::default()
            };
            router.add(at(0), id, config(priority), tracking);
            let address = Input::PrimaryAddress("10.0.0.2".parse().unwrap());
            router.handle(at(0), Event::Instance(id, address), &mut Vec::new());
        }
        Self(router)
    }

    fn backup() -> Self {
        let mut bench = Self::new(100, [false, false]);
        bench.feed(0, A, Input::Startup);
        bench.feed(0, B, Input::Startup);
        bench
    }

    fn active() -> Self {
        let mut bench = Self::backup();
        bench.pass(DOWN);
        assert_eq!(bench.roles(), [Role::Active, Role::Active]);
        bench
    }

    fn event(&mut self, millis: u64, event: Event) -> Vec<InstanceEffect> {
        let mut effects = Vec::new();
        self.0.handle(at(millis), event, &mut effects);
        effects
    }

    fn feed(&mut self, millis: u64, id: InstanceId, input: Input) -> Vec<InstanceEffect> {
        self.event(millis, Event::Instance(id, input))
    }

    fn pass(&mut self, millis: u64) -> Vec<InstanceEffect> {
        self.event(millis, Event::Deadline)
    }

    fn roles(&self) -> [Role; 2] {
        [A, B].map(|id| Standing::of(id, self.0.instance(id)).role)
    }

    fn holds(&self) -> [bool; 2] {
        [A, B].map(|id| self.0.instance(id).unwrap().holds_addresses())
    }
}

/// Who was told what, the group under the number 0.
fn told(effects: &[InstanceEffect]) -> Vec<(u32, Transition)> {
    let of = |(id, effect): &InstanceEffect| match effect {
        Effect::Notify(transition) => Some((id.0, *transition)),
        Effect::NotifyGroup(_, transition) => Some((0, *transition)),
        Effect::SendAdvert(_)
        | Effect::InstallAddresses
        | Effect::RemoveAddresses
        | Effect::AnnounceAddresses { .. }
        | Effect::AnnounceElsewhere
        | Effect::AdvertiseRouter { .. }
        | Effect::HeardLowerPriority => None,
    };
    effects.iter().filter_map(of).collect()
}

fn releases(effects: &[InstanceEffect]) -> Vec<u32> {
    let released = |e: &&InstanceEffect| e.1 == Effect::SendAdvert(Priority::RELEASE);
    effects.iter().filter(released).map(|e| e.0.0).collect()
}

const WAITING: Role = Role::Backup {
    wants_active: false,
};
const WANTING: Role = Role::Backup { wants_active: true };

#[test]
fn a_group_starts_as_backup_and_says_so_once_all_members_do() {
    let mut bench = Bench::new(100, [false, false]);
    assert_eq!(told(&bench.feed(0, A, Input::Startup)), [(1, Backup)]);
    assert_eq!(
        told(&bench.feed(0, B, Input::Startup)),
        [(2, Backup), (0, Backup)]
    );
}

#[test]
fn the_last_member_that_wants_it_takes_all_to_active_at_once() {
    let mut bench = Bench::backup();
    bench.feed(500, B, advert(200));
    assert_eq!(bench.pass(DOWN), [], "B still hears its Active Router");
    assert_eq!(bench.roles(), [WANTING, WAITING]);
    let effects = bench.pass(DOWN + 500);
    assert_eq!(told(&effects), [(1, Active), (2, Active), (0, Active)]);
    assert_eq!(bench.holds(), [true, true]);
}

#[test]
fn a_member_that_is_held_back_counts_its_timer_anew_and_keeps_wanting() {
    let mut bench = Bench::backup();
    for second in 1..20 {
        bench.feed(second * 1000, B, advert(200));
        bench.pass(second * 1000);
    }
    assert_eq!(bench.roles(), [WANTING, WAITING]);
    assert!(bench.0.deadline() > Some(at(19_000)));
}

#[test]
fn a_member_that_is_held_back_obeys_the_next_better_advert() {
    let mut bench = Bench::backup();
    bench.feed(500, B, advert(200));
    bench.pass(DOWN);
    bench.feed(DOWN, A, advert(100));
    assert_eq!(bench.roles(), [WAITING, WAITING]);
    bench.pass(DOWN + 500);
    assert_eq!(bench.roles(), [WAITING, WANTING], "now A holds B back");
}

#[test]
fn one_that_is_outranked_takes_all_back_and_no_release_goes_out() {
    let mut bench = Bench::active();
    let effects = bench.feed(5000, A, advert(200));
    assert_eq!(told(&effects), [(1, Backup), (2, Backup), (0, Backup)]);
    assert_eq!(releases(&effects), [] as [u32; 0]);
    assert_eq!(
        bench.holds(),
        [true, true],
        "both until the peers are heard"
    );
    bench.pass(5020);
    assert_eq!(
        bench.holds(),
        [false, true],
        "B has not heard its successor"
    );
    bench.feed(5030, B, advert(200));
    bench.pass(5050);
    assert_eq!(bench.holds(), [false, false]);
}

#[test]
fn a_fault_of_one_is_a_fault_of_all_and_the_healthy_one_waits_for_its_successor() {
    let mut bench = Bench::active();
    let effects = bench.feed(5000, A, Input::FaultRaised(Fault::Interface));
    assert_eq!(
        told(&effects),
        [
            (1, Transition::Fault),
            (2, Transition::Fault),
            (0, Transition::Fault)
        ]
    );
    assert_eq!(releases(&effects), [1, 2]);
    assert_eq!(bench.holds(), [false, true]);
    bench.feed(8600, B, advert(50));
    bench.pass(8620);
    assert_eq!(bench.holds(), [false, false]);
}

#[test]
fn a_healthy_member_without_a_successor_lets_go_after_the_longest_down_interval() {
    let mut bench = Bench::active();
    bench.feed(5000, A, Input::FaultRaised(Fault::Interface));
    bench.pass(9000);
    assert_eq!(bench.holds(), [false, true]);
    bench.pass(9100);
    assert_eq!(bench.holds(), [false, false]);
}

#[test]
fn a_healthy_member_that_fails_too_lets_go_at_once() {
    let mut bench = Bench::active();
    bench.feed(5000, A, Input::FaultRaised(Fault::Interface));
    bench.feed(5100, B, Input::FaultRaised(Fault::Interface));
    assert_eq!(bench.holds(), [false, false]);
}

#[test]
fn all_return_together_when_the_last_fault_ends() {
    let mut bench = Bench::active();
    bench.feed(5000, A, Input::FaultRaised(Fault::Interface));
    bench.feed(5001, B, Input::FaultRaised(Fault::Interface));
    assert_eq!(
        told(&bench.feed(6000, A, Input::FaultCleared(Fault::Interface))),
        []
    );
    assert_eq!(bench.roles(), [Role::Initialize, Role::Initialize]);
    let effects = bench.feed(7000, B, Input::FaultCleared(Fault::Interface));
    assert_eq!(told(&effects), [(2, Backup), (1, Backup), (0, Backup)]);
    bench.pass(7000 + DOWN);
    assert_eq!(bench.roles(), [Role::Active, Role::Active]);
}

#[test]
fn a_member_that_starts_into_a_fault_of_another_says_fault_first() {
    let mut bench = Bench::new(100, [false, false]);
    bench.feed(0, B, Input::FaultRaised(Fault::Interface));
    assert_eq!(
        told(&bench.feed(0, A, Input::Startup)),
        [(1, Transition::Fault)]
    );
    assert_eq!(
        told(&bench.feed(0, B, Input::Startup)),
        [(2, Transition::Fault), (0, Transition::Fault)]
    );
}

#[test]
fn a_script_of_one_member_without_a_result_holds_all_back_in_silence() {
    let mut bench = Bench::new(100, [true, false]);
    let started = [A, B].map(|id| told(&bench.feed(0, id, Input::Startup)));
    assert_eq!(started, [vec![], vec![]]);
    let result = |success| Event::TrackResult {
        tracker: SCRIPT,
        success,
    };
    let effects = bench.event(10, result(true));
    assert_eq!(told(&effects), [(1, Backup), (2, Backup), (0, Backup)]);
    let effects = bench.event(20, result(false));
    assert_eq!(
        told(&effects),
        [
            (1, Transition::Fault),
            (2, Transition::Fault),
            (0, Transition::Fault)
        ]
    );
}

#[test]
fn what_only_bars_the_start_of_a_running_member_leaves_the_others_alone() {
    for fault in [Fault::TrackerPending(SCRIPT), Fault::PeersUnknown] {
        let mut bench = Bench::new(100, [false, false]);
        bench.feed(0, A, Input::Startup);
        bench.feed(0, B, Input::Startup);
        let effects = bench.feed(10, A, Input::FaultRaised(fault.clone()));
        assert_eq!(effects, [], "{fault:?}");
        let effects = bench.feed(20, A, Input::FaultCleared(fault));
        assert_eq!(effects, []);
    }
}

#[test]
fn a_tracker_of_all_members_moves_all_of_them_once() {
    let mut bench = Bench::new(100, [true, true]);
    bench.feed(0, A, Input::Startup);
    bench.feed(0, B, Input::Startup);
    let result = |success| Event::TrackResult {
        tracker: SCRIPT,
        success,
    };
    bench.event(0, result(true));
    bench.pass(DOWN);
    let effects = bench.event(5000, result(false));
    assert_eq!(
        told(&effects),
        [
            (1, Transition::Fault),
            (2, Transition::Fault),
            (0, Transition::Fault)
        ]
    );
    assert_eq!(bench.holds(), [false, false]);
    let effects = bench.event(6000, result(true));
    assert_eq!(told(&effects), [(2, Backup), (1, Backup), (0, Backup)]);
}

#[test]
fn owners_in_a_group_wait_for_one_interval_and_a_skew_time() {
    let mut bench = Bench::new(255, [false, false]);
    bench.feed(0, A, Input::Startup);
    bench.feed(0, B, Input::Startup);
    bench.pass(1003);
    assert_eq!(bench.roles(), [WAITING, WAITING]);
    bench.pass(1004);
    assert_eq!(bench.roles(), [Role::Active, Role::Active]);
}

#[test]
fn a_shutdown_releases_each_member_and_keeps_all_addresses_for_the_slowest() {
    let mut bench = Bench::active();
    let first = bench.feed(5000, A, Input::Shutdown);
    let second = bench.feed(5000, B, Input::Shutdown);
    assert_eq!((releases(&first), releases(&second)), (vec![1], vec![2]));
    assert_eq!((told(&first), told(&second)), (vec![], vec![]));
    assert_eq!(bench.holds(), [true, true]);
    bench.feed(5600, A, advert(50));
    bench.feed(5600, B, advert(50));
    let effects = bench.pass(5620);
    assert_eq!(told(&effects), [(1, Stopped), (2, Stopped), (0, Stopped)]);
    assert_eq!(bench.holds(), [false, false]);
}

#[test]
fn a_fast_member_that_is_shut_down_waits_for_the_peers_of_a_slow_one() {
    let mut router = Router::new();
    let fast = InstanceConfig {
        version: crate::types::Version::V3,
        advertisement_interval: Interval::from_centis(10).unwrap(),
        ..config(100)
    };
    router.set_groups(at(0), vec![(GROUP, vec![A, B])], &mut Vec::new());
    for (id, config) in [(A, fast), (B, config(100))] {
        router.add(at(0), id, config, Tracking::default());
    }
    let mut bench = Bench(router);
    bench.feed(0, A, Input::Startup);
    bench.feed(0, B, Input::Startup);
    bench.pass(DOWN);
    bench.feed(5000, A, Input::Shutdown);
    bench.pass(6099);
    assert_eq!(bench.holds(), [true, true]);
    bench.pass(6100);
    assert_eq!(bench.holds(), [false, true]);
}

#[test]
fn a_reload_that_joins_an_active_and_a_waiting_instance_elects_anew() {
    let mut bench = Bench::backup();
    bench.0.set_groups(at(0), Vec::new(), &mut Vec::new());
    bench.feed(3000, B, advert(100));
    bench.pass(DOWN);
    assert_eq!(bench.roles(), [Role::Active, WAITING]);
    let mut effects = Vec::new();
    let groups = vec![(GROUP, vec![A, B])];
    bench.0.set_groups(at(5000), groups, &mut effects);
    assert_eq!(told(&effects), [(1, Backup), (0, Backup)]);
    assert_eq!(bench.holds(), [true, false], "until a successor is heard");
    bench.pass(5000 + DOWN + 3000);
    assert_eq!(bench.roles(), [Role::Active, Role::Active]);
}

#[test]
fn a_reload_that_keeps_a_group_moves_nothing_and_one_that_drops_it_frees_its_members() {
    let mut bench = Bench::active();
    let mut effects = Vec::new();
    bench
        .0
        .set_groups(at(5000), vec![(GROUP, vec![A, B])], &mut effects);
    assert_eq!(effects, []);
    bench.feed(5000, A, Input::FaultRaised(Fault::Interface));
    bench.0.set_groups(at(6000), Vec::new(), &mut effects);
    assert_eq!(told(&effects), [(2, Backup)]);
    bench.pass(6000 + DOWN);
    assert_eq!(bench.roles(), [Role::Initialize, Role::Active]);
}

#[test]
fn an_instance_is_in_the_first_group_that_lists_it() {
    let mut bench = Bench::backup();
    let groups = vec![(GroupId(1), vec![A]), (GroupId(2), vec![A, B])];
    bench.0.set_groups(at(0), groups, &mut Vec::new());
    bench.feed(0, A, Input::FaultRaised(Fault::Interface));
    assert_eq!(bench.roles(), [Role::Initialize, WAITING]);
}

#[test]
fn a_reload_that_adds_a_script_without_a_result_leaves_a_running_group_alone() {
    let mut bench = Bench::active();
    let tracking = || Tracking {
        trackers: [(SCRIPT, Weight::new(0))].into(),
        ..Tracking::default()
    };
    let mut effects = Vec::new();
    for id in [A, B] {
        bench
            .0
            .reconfigure(at(5000), id, config(100), tracking(), false, &mut effects);
        assert_eq!(bench.roles(), [Role::Active, Role::Active]);
    }
    assert_eq!(told(&effects), []);
    let result = |success| Event::TrackResult {
        tracker: SCRIPT,
        success,
    };
    assert_eq!(told(&bench.event(6000, result(true))), []);
    bench.event(7000, result(false));
    assert_eq!(bench.roles(), [Role::Initialize, Role::Initialize]);
}
