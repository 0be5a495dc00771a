//! Version 2 beside version 3, on the wire and beside real keepalived. RFC 9568 §8.4.2.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::time::Duration;

use common::{
    Folder, Instance, SOON, VIP, has, host, installed, keepalived, lab, no_errors, stays, vipd,
    wait_for,
};
use vipd::lab::{Capture, Lab, Process, SeenAdvert};

fn both(priority: u8, interval: &str, more: &str) -> String {
    format!(
        "[instance.web]\ninterface = \"eth0\"\nvrid = 51\nversion = \"both\"\n\
         priority = {priority}\ninterval = \"{interval}\"\naddresses = [\"{VIP}/24\"]\n{more}"
    )
}

fn adverts(lab: &Lab) -> Capture {
    lab.capture(|frame| frame.advert().is_some()).unwrap()
}

/// The next advert of `version` from 192.168.1.1, with the time at which it came.
fn next(frames: &Capture, version: u8, priority: u8) -> (u64, SeenAdvert) {
    let from: std::net::IpAddr = "192.168.1.1".parse().unwrap();
    let wanted = |advert: &SeenAdvert| {
        (advert.source, advert.version, advert.priority) == (from, version, priority)
    };
    let frame = frames.find(SOON, |frame| frame.advert().is_some_and(|a| wanted(&a)));
    let frame = frame.unwrap_or_else(|| panic!("no version {version} at {priority}"));
    (frame.at_nanos, frame.advert().unwrap())
}

fn nothing_discarded(process: &Process) {
    let output = process.output();
    let found = output.iter().find(|line| line.contains("discarded"));
    assert_eq!(found, None);
    no_errors(process);
}

#[test]
fn both_versions_leave_at_the_configured_rate_below_a_second() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = host(&lab, "node1", "192.168.1.1/24");
    let frames = adverts(&lab);
    let mut daemon = vipd(&node, &folder.write("node1.toml", &both(200, "100ms", "")));
    let mut last: Option<u64> = None;
    for _ in 0..10 {
        let (_, new) = next(&frames, 3, 200);
        let (at, old) = next(&frames, 2, 200);
        assert_eq!((new.interval_centis, old.interval_centis), (10, 100));
        assert_eq!(old.hop_limit, 255);
        if let Some(last) = last {
            let gap = Duration::from_nanos(at - last);
            assert!(gap < Duration::from_millis(500), "{gap:?}");
        }
        last = Some(at);
    }
    daemon.terminate();
    next(&frames, 3, 0);
    next(&frames, 2, 0);
    assert!(daemon.wait(SOON).expect("vipd ends").success());
    nothing_discarded(&daemon);
}

/// keepalived of either version obeys, and takes over at once when both are released.
#[test]
fn keepalived_of_each_version_obeys_a_router_of_both() {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [1, 2, 3].map(|n| host(&lab, &format!("node{n}"), &format!("192.168.1.{n}/24")));
    let password = "auth.password = \"1234\"\n";
    let mut one = vipd(
        &nodes[0],
        &folder.write("node1.toml", &both(200, "1s", password)),
    );
    wait_for("vipd is active", SOON, || has(&nodes[0], VIP));
    let old = Instance {
        password: Some("1234"),
        ..Instance::default()
    };
    let new = Instance {
        version: 3,
        ..Instance::default()
    };
    let _old = keepalived(&nodes[1], &folder.write("node2.conf", &old.text()));
    let _new = keepalived(&nodes[2], &folder.write("node3.conf", &new.text()));
    let holders = || [0, 1, 2].map(|n: usize| has(&nodes[n], VIP));
    // Longer than either would wait in silence.
    stays("only vipd is active", Duration::from_secs(5), || {
        holders() == [true, false, false]
    });
    one.terminate();
    // Neither of them hears the other.
    wait_for("both take over", Duration::from_secs(3), || {
        holders() == [false, true, true]
    });
    one.wait(SOON).expect("vipd ends");
    nothing_discarded(&one);
}

/// A Backup of both versions follows keepalived of either, and takes over from it.
#[test]
fn a_router_of_both_versions_obeys_keepalived_of_either() {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [1, 2].map(|n| host(&lab, &format!("node{n}"), &format!("192.168.1.{n}/24")));
    let holders = || [0, 1].map(|n: usize| has(&nodes[n], VIP));
    let one = vipd(&nodes[0], &folder.write("node1.toml", &both(100, "1s", "")));
    for (version, interval) in [(2, "2"), (3, "0.5")] {
        let preferred = Instance {
            version,
            interval,
            priority: 200,
            ..Instance::default()
        };
        let file = folder.write("node2.conf", &preferred.text());
        let mut two = keepalived(&nodes[1], &file);
        wait_for("keepalived is active", SOON, || holders() == [false, true]);
        // Longer than vipd's own interval would have it wait.
        stays("vipd obeys", Duration::from_secs(4), || {
            holders() == [false, true]
        });
        two.terminate();
        wait_for("vipd takes over", SOON, || holders() == [true, false]);
        two.wait(SOON).expect("keepalived ends");
    }
    nothing_discarded(&one);
}
