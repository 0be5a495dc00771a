//! Mixed pairs with FRR's vrrpd, in both roles.
#![allow(clippy::unwrap_used, reason = "a test may panic, and says why")]

mod common;

use std::time::Duration;

use common::frr::{self, Frr, Router};
use common::{Folder, Instance, SOON, host, lab, no_errors, vipd, wait_for};
use vipd::lab::{Capture, Captured, Lab};

/// Who has sent the newest advert, if it does not step down.
fn speaker(capture: &Capture, last: &mut String) -> String {
    for frame in capture.drain() {
        if frame.advert().is_some_and(|advert| advert.priority > 0) {
            *last = frame.port.to_string();
        }
    }
    last.clone()
}

fn setting(version: u8) -> Option<(Lab, Folder, Capture)> {
    if !frr::installed() {
        return None;
    }
    let lab = lab()?;
    let capture = lab.capture(Captured::is_protocol).unwrap();
    assert!(version == 2 || version == 3);
    Some((lab, Folder::new(), capture))
}

fn text(version: u8, priority: u8) -> String {
    let interval = if version == 2 { "1" } else { "0.5" };
    Instance {
        version,
        priority,
        interval,
        ..Instance::default()
    }
    .text()
}

fn router(version: u8, priority: u8) -> Router {
    let interval_millis = if version == 2 { 1000 } else { 500 };
    Router {
        version,
        priority,
        interval_millis,
        ..Router::default()
    }
}

/// vipd is preferred: it hands over, preempts, crashes and returns.
fn vipd_is_preferred(version: u8) {
    let Some((lab, folder, capture)) = setting(version) else {
        return;
    };
    let (one, two) = (
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    );
    let router = router(version, 100);
    frr::prepare(&two, &router);
    let _frr = frr::start(&two, &folder, &router);
    let file = folder.write("node1.conf", &text(version, 150));
    let mut last = String::new();
    wait_for("FRR is active alone", SOON, || {
        speaker(&capture, &mut last) == "node2"
    });

    let mut first = vipd(&one, &file);
    let mut only = |who: &str| {
        wait_for(&format!("{who} speaks"), SOON, || {
            speaker(&capture, &mut last) == who
        });
    };
    only("node1");
    first.terminate();
    only("node2");
    first.wait(SOON).expect("vipd ends");

    let mut first = vipd(&one, &file);
    only("node1");
    no_errors(&first);
    one.unplug().unwrap();
    first.kill();
    only("node2");
    one.plug().unwrap();
    let first = vipd(&one, &file);
    only("node1");
    let wrong = first
        .output()
        .into_iter()
        .find(|line| line.contains("discarded"));
    assert_eq!(wrong, None);
}

/// FRR is preferred: vipd takes over when it ends, gives way when it is back.
fn frr_is_preferred(version: u8) {
    let Some((lab, folder, capture)) = setting(version) else {
        return;
    };
    let (one, two) = (
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    );
    let router = router(version, 150);
    frr::prepare(&one, &router);
    let second = vipd(&two, &folder.write("node2.conf", &text(version, 100)));
    let mut last = String::new();
    let mut only = |who: &str| {
        wait_for(&format!("{who} speaks"), SOON, || {
            speaker(&capture, &mut last) == who
        });
    };
    only("node2");
    let mut frr: Frr = frr::start(&one, &folder, &router);
    only("node1");
    frr.vrrpd.terminate();
    only("node2");
    frr.vrrpd.wait(SOON).expect("vrrpd ends");
    drop(frr);
    let mut frr: Frr = frr::start(&one, &folder, &router);
    only("node1");
    one.unplug().unwrap();
    frr.vrrpd.kill();
    only("node2");
    std::thread::sleep(Duration::from_millis(100));
    no_errors(&second);
    let wrong = second
        .output()
        .into_iter()
        .find(|line| line.contains("discarded"));
    assert_eq!(wrong, None);
}

#[test]
fn v3_vipd_preferred() {
    vipd_is_preferred(3);
}

#[test]
fn v3_frr_preferred() {
    frr_is_preferred(3);
}

#[test]
fn v2_vipd_preferred() {
    vipd_is_preferred(2);
}

#[test]
fn v2_frr_preferred() {
    frr_is_preferred(2);
}
