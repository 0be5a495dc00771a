//! Virtual MAC addresses beside keepalived, in both roles.

use std::path::Path;

use vipd::lab::{Host, Process};
use vipd::types::Family;

use super::common::{
    Folder, Instance, SOON, VIP, VIPS6, installed, keepalived, lab, vipd, wait_for,
};
use super::{MAC, MAC6, holds, node};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Vipd,
    Keepalived,
}

fn speak(host: &Host, speaker: Speaker, file: &Path) -> Process {
    match speaker {
        Speaker::Vipd => vipd(host, file),
        Speaker::Keepalived => keepalived(host, file),
    }
}

/// Election, handover, preemption, crash and return with a virtual MAC, beside keepalived.
fn live_together(family: Family, first: Speaker, second: Speaker) {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [node(&lab, "node1", 1), node(&lab, "node2", 2)];
    let (mac, vips) = match family {
        Family::V4 => (MAC, &[VIP][..]),
        Family::V6 => (MAC6, VIPS6),
    };
    let text = |priority| {
        Instance {
            version: 3,
            priority,
            interval: "0.5",
            vips,
            more: "use_vmac",
            ..Instance::default()
        }
        .text()
    };
    let files = [
        folder.write("node1.conf", &text(150)),
        folder.write("node2.conf", &text(100)),
    ];
    let mut one = speak(&nodes[0], first, &files[0]);
    let two = speak(&nodes[1], second, &files[1]);
    let learned = |name: &str| lab.learned(mac).unwrap().as_deref() == Some(name);
    let only = |a: usize, b: usize| holds(&nodes[a]) && !holds(&nodes[b]);
    wait_for("the higher priority wins", SOON, || only(0, 1));
    wait_for("the switch knows it", SOON, || learned("node1"));
    one.terminate();
    wait_for("node 2 takes over", SOON, || only(1, 0));
    wait_for("the switch knows it", SOON, || learned("node2"));
    one.wait(SOON).expect("node 1 ends");
    one = speak(&nodes[0], first, &files[0]);
    wait_for("node 1 preempts", SOON, || only(0, 1));
    wait_for("the switch knows it", SOON, || learned("node1"));
    nodes[0].unplug().unwrap();
    one.kill();
    wait_for("node 2 takes over after the crash", SOON, || {
        holds(&nodes[1])
    });
    nodes[0].plug().unwrap();
    one = speak(&nodes[0], first, &files[0]);
    wait_for("node 1 is back", SOON, || only(0, 1));
    wait_for("the switch knows it", SOON, || learned("node1"));
    for process in [&one, &two] {
        let output = process.output();
        let wrong = [
            "discarded",
            "advertises other",
            "mismatch",
            "Invalid",
            "ERROR",
        ];
        let found = output.iter().find(|l| wrong.iter().any(|w| l.contains(w)));
        assert_eq!(found, None, "{}", output.join("\n"));
    }
}

#[test]
fn beside_keepalived_vipd_preferred() {
    live_together(Family::V4, Speaker::Vipd, Speaker::Keepalived);
}

#[test]
fn beside_keepalived_keepalived_preferred() {
    live_together(Family::V4, Speaker::Keepalived, Speaker::Vipd);
}

#[test]
fn beside_keepalived_over_ipv6_vipd_preferred() {
    live_together(Family::V6, Speaker::Vipd, Speaker::Keepalived);
}

#[test]
fn beside_keepalived_over_ipv6_keepalived_preferred() {
    live_together(Family::V6, Speaker::Keepalived, Speaker::Vipd);
}
