//! As many virtual routers as one interface can have.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use common::{Folder, host, lab, no_errors, vipd, wait_for};
use vipd::lab::{Captured, Host};

const INSTANCES: u8 = 255;
const LONG: Duration = Duration::from_secs(20);

/// Begin of the virtual addresses of each family.
const V4: &str = "10.9.0.";
const V6: &str = "fe80::9:";

fn text(prefix: &str, priority: u8) -> String {
    let mut text = String::new();
    for vrid in 1..=INSTANCES {
        let _ = write!(
            text,
            "vrrp_instance V{vrid} {{\n    interface eth0\n    version 3\n    \
             virtual_router_id {vrid}\n    priority {priority}\n    advert_int 1\n    \
             virtual_ipaddress {{\n        {prefix}{vrid}\n    }}\n}}\n"
        );
    }
    text
}

/// How many of the virtual addresses `host` has.
fn count(host: &Host, prefix: &str) -> usize {
    let addresses = host
        .netlink()
        .unwrap()
        .addresses(Some(host.eth0().unwrap()))
        .unwrap();
    addresses
        .iter()
        .filter(|a| a.address.to_string().starts_with(prefix))
        .count()
}

/// Longest and shortest gap between adverts of the same virtual router.
fn gaps(frames: &[Captured], port: &str) -> (Duration, Duration, usize) {
    let mut last: BTreeMap<u8, u64> = BTreeMap::new();
    let (mut longest, mut shortest) = (0, u64::MAX);
    for frame in frames.iter().filter(|frame| &*frame.port == port) {
        let Some(advert) = frame.advert() else {
            continue;
        };
        if let Some(before) = last.insert(advert.vrid, frame.at_nanos) {
            longest = longest.max(frame.at_nanos - before);
            shortest = shortest.min(frame.at_nanos - before);
        }
    }
    (
        Duration::from_nanos(longest),
        Duration::from_nanos(shortest),
        last.len(),
    )
}

#[test]
fn two_hundred_and_fifty_five_instances_elect_hand_over_and_are_never_late() {
    elect_hand_over_and_are_never_late(V4);
}

#[test]
fn two_hundred_and_fifty_five_instances_over_ipv6_do_so_too() {
    elect_hand_over_and_are_never_late(V6);
}

/// One after the other: what is measured is the daemon and not the machine.
static ALONE: Mutex<()> = Mutex::new(());

fn elect_hand_over_and_are_never_late(prefix: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(lab) = lab() else { return };
    let count = |host: &Host| count(host, prefix);
    let text = |priority| text(prefix, priority);
    let folder = Folder::new();
    let (one, two) = (
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    );
    let capture = lab.capture(Captured::is_protocol).unwrap();
    let mut first = vipd(&one, &folder.write("node1.conf", &text(200)));
    let second = vipd(&two, &folder.write("node2.conf", &text(100)));
    wait_for("node 1 has all", LONG, || {
        count(&one) == 255 && count(&two) == 0
    });

    let _ = capture.drain();
    thread::sleep(Duration::from_secs(4));
    let (longest, shortest, routers) = gaps(&capture.drain(), "node1");
    println!("{routers} virtual routers, gaps between adverts {shortest:?} to {longest:?}");
    assert_eq!(routers, 255);
    assert!(
        longest < Duration::from_millis(1100),
        "late by more than a tenth: {longest:?}"
    );

    // A reload that changes nothing makes nobody late.
    first.signal(libc::SIGHUP);
    thread::sleep(Duration::from_secs(3));
    let (longest, _, routers) = gaps(&capture.drain(), "node1");
    assert_eq!(routers, 255);
    assert!(
        longest < Duration::from_millis(1100),
        "late at the reload: {longest:?}"
    );
    assert_eq!((count(&one), count(&two)), (255, 0));

    first.terminate();
    wait_for("node 2 has all", LONG, || {
        count(&two) == 255 && count(&one) == 0
    });
    assert!(first.wait(LONG).expect("vipd ends").success());
    no_errors(&first);
    no_errors(&second);
}
