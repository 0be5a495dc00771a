//! Two routers with priority 255.

use super::*;

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
