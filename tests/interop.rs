//! Mixed pairs with real keepalived, in both roles.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

mod common;

use std::time::Duration;

use common::{
    Folder, Instance, SECOND_VIP, SOON, VIP, VIP6, VIPS6, counted, group_text, has, host,
    installed, keepalived, lab, no_errors, statistics, stays, vipd, wait_for,
};
use vipd::lab::{Captured, Host, Lab, Process};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Vipd,
    Keepalived,
}

struct Node {
    host: Host,
    speaker: Speaker,
    file: std::path::PathBuf,
    process: Process,
}

impl Node {
    fn new(lab: &Lab, folder: &Folder, number: u8, speaker: Speaker, text: &str) -> Self {
        let name = format!("node{number}");
        let host = host(lab, &name, &format!("192.168.1.{number}/24"));
        host.add_address(&format!("fd00::{number}/64")).unwrap();
        let file = folder.write(&format!("{name}.conf"), text);
        let process = start(&host, speaker, &file);
        Self {
            host,
            speaker,
            file,
            process,
        }
    }

    fn holds(&self) -> bool {
        has(&self.host, VIP) || has(&self.host, VIP6)
    }

    fn restart(&mut self) {
        self.process = start(&self.host, self.speaker, &self.file);
    }

    /// Neither of them may find fault with the other's packets.
    fn heard_nothing_wrong(&self) {
        let wrong = [
            "discarded",
            "advertises other",
            "advertises every",
            "mismatch",
            "Invalid",
            "bad checksum",
            "not link-local",
        ];
        let output = self.process.output();
        let found = output
            .iter()
            .find(|line| wrong.iter().any(|word| line.contains(word)));
        assert_eq!(found, None, "{:?}", self.speaker);
        if self.speaker == Speaker::Vipd {
            no_errors(&self.process);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}: {:#?}", self.host.name(), self.process.output());
        }
    }
}

fn start(host: &Host, speaker: Speaker, file: &std::path::Path) -> Process {
    match speaker {
        Speaker::Vipd => vipd(host, file),
        Speaker::Keepalived => keepalived(host, file),
    }
}

/// Election, handover, preemption, crash and return, with `first` as the preferred node.
fn live_together(first: Speaker, second: Speaker, instance: &Instance<'_>) {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let with = |priority| {
        Instance {
            priority,
            ..*instance
        }
        .text()
    };
    let mut one = Node::new(&lab, &folder, 1, first, &with(150));
    let two = Node::new(&lab, &folder, 2, second, &with(100));
    let only_one = |one: &Node, two: &Node| one.holds() && !two.holds();

    wait_for("the higher priority wins", SOON, || only_one(&one, &two));
    one.heard_nothing_wrong();
    two.heard_nothing_wrong();

    one.process.terminate();
    wait_for("node 2 takes over at the handover", SOON, || {
        only_one(&two, &one)
    });
    one.process.wait(SOON).expect("node 1 ends");

    one.restart();
    wait_for("node 1 preempts", SOON, || only_one(&one, &two));

    one.host.unplug().unwrap();
    one.process.kill();
    wait_for("node 2 takes over after the crash", SOON, || two.holds());

    one.host.plug().unwrap();
    one.restart();
    wait_for("node 1 is back", SOON, || only_one(&one, &two));
    one.heard_nothing_wrong();
    two.heard_nothing_wrong();
}

#[test]
fn v2_with_a_password_vipd_preferred() {
    let instance = Instance {
        password: Some("1234"),
        ..Instance::default()
    };
    live_together(Speaker::Vipd, Speaker::Keepalived, &instance);
}

#[test]
fn v2_with_a_password_keepalived_preferred() {
    let instance = Instance {
        password: Some("1234"),
        ..Instance::default()
    };
    live_together(Speaker::Keepalived, Speaker::Vipd, &instance);
}

#[test]
fn v3_vipd_preferred() {
    let instance = Instance {
        version: 3,
        interval: "0.5",
        ..Instance::default()
    };
    live_together(Speaker::Vipd, Speaker::Keepalived, &instance);
}

#[test]
fn v3_keepalived_preferred() {
    let instance = Instance {
        version: 3,
        interval: "0.5",
        ..Instance::default()
    };
    live_together(Speaker::Keepalived, Speaker::Vipd, &instance);
}

const AH: &str = "authentication {\n        auth_type AH\n        auth_pass secret12\n    }";

#[test]
fn v2_with_an_authentication_header_vipd_preferred() {
    let instance = Instance {
        more: AH,
        ..Instance::default()
    };
    live_together(Speaker::Vipd, Speaker::Keepalived, &instance);
}

#[test]
fn v2_with_an_authentication_header_keepalived_preferred() {
    let instance = Instance {
        more: AH,
        ..Instance::default()
    };
    live_together(Speaker::Keepalived, Speaker::Vipd, &instance);
}

/// Both become active, as keepalived's do; vipd says once why, and counts it where keepalived has a
/// counter.
fn at_odds(
    vipd: &Instance<'_>,
    keepalived: &Instance<'_>,
    complaint: &str,
    counter: Option<(&str, &str)>,
) {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let one = Node::new(&lab, &folder, 1, Speaker::Vipd, &vipd.text());
    let two = Node::new(&lab, &folder, 2, Speaker::Keepalived, &keepalived.text());
    wait_for("both are active", SOON, || one.holds() && two.holds());
    let complaints = || {
        let output = one.process.output();
        let says = |line: &&String| line.contains(complaint) && line.contains("from 192.168.1.2");
        output.iter().filter(says).count()
    };
    // A change of state lets each be said again, so there may be one for each state.
    wait_for("a complaint", SOON, || complaints() > 0);
    let before = complaints();
    stays("both are active", Duration::from_secs(3), || {
        one.holds() && two.holds()
    });
    assert!(complaints() <= before.max(2), "{:#?}", one.process.output());
    no_errors(&one.process);
    if let Some((heading, label)) = counter {
        let text = statistics(&one.process, &one.file);
        assert!(counted(&text, heading, label) > 0, "{text}");
    }
}

#[test]
fn what_does_not_fit_leaves_both_active_and_is_said_once() {
    let wrong = AH.replace("secret12", "secret13");
    let ah = Instance {
        more: AH,
        ..Instance::default()
    };
    let other = Instance {
        more: &wrong,
        ..Instance::default()
    };
    let plain = Instance::default();
    let password = |password| Instance {
        password: Some(password),
        ..Instance::default()
    };
    let slower = Instance {
        interval: "2",
        ..Instance::default()
    };
    let newer = Instance {
        version: 3,
        ..Instance::default()
    };
    let failure = Some(("Authentication Errors", "Failure"));
    let mismatch = Some(("Authentication Errors", "Type Mismatch"));
    let interval = Some(("Packet Errors", "Advertisement Interval"));
    let type_differs = "authentication type differs";
    let (long, short) = (password("12345"), password("1234"));
    let cases = [
        (&ah, &other, "wrong password", failure),
        (&ah, &plain, type_differs, mismatch),
        (&plain, &ah, type_differs, mismatch),
        (&short, &long, "wrong password", failure),
        (&short, &plain, type_differs, mismatch),
        (&plain, &slower, "advertisement interval differs", interval),
        // keepalived's text has no counter for it.
        (&plain, &newer, "VRRP version differs", None),
    ];
    // They only wait for each other's timers.
    std::thread::scope(|scope| {
        for (ours, theirs, complaint, counter) in cases {
            scope.spawn(move || at_odds(ours, theirs, complaint, counter));
        }
    });
}

#[test]
fn unicast_with_an_authentication_header_in_both_roles() {
    for (first, second) in [
        (Speaker::Vipd, Speaker::Keepalived),
        (Speaker::Keepalived, Speaker::Vipd),
    ] {
        let instance = Instance::default();
        unicast(first, second, &instance, AH);
    }
}

#[test]
fn v3_over_ipv6_vipd_preferred() {
    live_together(Speaker::Vipd, Speaker::Keepalived, &Instance::v6());
}

#[test]
fn v3_over_ipv6_keepalived_preferred() {
    live_together(Speaker::Keepalived, Speaker::Vipd, &Instance::v6());
}

/// No RFC has it, but keepalived does.
#[test]
fn v2_over_ipv6_in_both_roles() {
    let instance = Instance {
        version: 2,
        interval: "1",
        ..Instance::v6()
    };
    live_together(Speaker::Vipd, Speaker::Keepalived, &instance);
    live_together(Speaker::Keepalived, Speaker::Vipd, &instance);
}

#[test]
fn unicast_over_ipv6_in_both_roles() {
    for (first, second) in [
        (Speaker::Vipd, Speaker::Keepalived),
        (Speaker::Keepalived, Speaker::Vipd),
    ] {
        unicast(first, second, &Instance::v6(), "");
    }
}

/// Neighbour adverts differ in the hardware address alone, and what follows from it.
#[test]
fn neighbour_adverts_are_keepaliveds_to_the_byte() {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let vip = VIP6.parse().unwrap();
    let announces = move |frame: &Captured| frame.announced() == Some(vip);
    let capture = lab.capture(announces).unwrap();
    let folder = Folder::new();
    let mut seen = Vec::new();
    for (number, speaker) in [(1, Speaker::Vipd), (2, Speaker::Keepalived)] {
        let mut node = Node::new(&lab, &folder, number, speaker, &Instance::v6().text());
        let mut bytes = capture.find(SOON, |_| true).unwrap().bytes;
        node.process.kill();
        // Ethernet source, checksum, target link-layer address.
        for own in [6..12, 56..58, 80..86] {
            bytes[own].fill(0);
        }
        seen.push(bytes);
        node.host.unplug().unwrap();
        let _ = capture.drain();
    }
    assert_eq!(seen[0], seen[1]);
}

/// What keepalived sends, and what it is sent, are the same but for the sender.
#[test]
fn adverts_over_ipv6_are_keepaliveds_to_the_byte() {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let capture = lab.capture(|frame| frame.advert().is_some()).unwrap();
    let folder = Folder::new();
    let mut seen = Vec::new();
    for (number, speaker) in [(1, Speaker::Vipd), (2, Speaker::Keepalived)] {
        let mut node = Node::new(&lab, &folder, number, speaker, &Instance::v6().text());
        wait_for("it is active", SOON, || node.holds());
        let mut bytes = capture.find(SOON, |_| true).unwrap().bytes;
        node.process.kill();
        bytes.drain(..14);
        // Flow label, source and checksum are each one's own.
        for own in [1..4, 8..24, 46..48] {
            bytes[own].fill(0);
        }
        seen.push(bytes);
        node.host.unplug().unwrap();
        let _ = capture.drain();
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn unicast_in_both_roles() {
    for (first, second) in [
        (Speaker::Vipd, Speaker::Keepalived),
        (Speaker::Keepalived, Speaker::Vipd),
    ] {
        let instance = Instance {
            version: 3,
            interval: "0.3",
            ..Instance::default()
        };
        unicast(first, second, &instance, "");
    }
}

fn unicast(first: Speaker, second: Speaker, instance: &Instance<'_>, authentication: &str) {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let net = if instance.vips == VIPS6 {
        "fd00::"
    } else {
        "192.168.1."
    };
    let with = |priority, us: u8, peer: u8| {
        let more = format!(
            "unicast_src_ip {net}{us}\n    unicast_peer {{\n        {net}{peer}\n    }}\n    \
             {authentication}"
        );
        Instance {
            priority,
            more: &more,
            ..*instance
        }
        .text()
    };
    let mut one = Node::new(&lab, &folder, 1, first, &with(150, 1, 2));
    let two = Node::new(&lab, &folder, 2, second, &with(100, 2, 1));
    wait_for("the higher priority wins", SOON, || {
        one.holds() && !two.holds()
    });
    one.process.terminate();
    wait_for("node 2 takes over", SOON, || two.holds() && !one.holds());
    one.process.wait(SOON).expect("node 1 ends");
    one.restart();
    wait_for("node 1 preempts", SOON, || one.holds() && !two.holds());
    one.heard_nothing_wrong();
    two.heard_nothing_wrong();
}

#[test]
fn a_script_with_weight_moves_the_address_beside_keepalived() {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let flag = folder.write("well", "");
    let script = format!(
        "vrrp_script check {{\n    script \"/usr/bin/test -e {}\"\n    interval 1\n    weight -60\n}}\n",
        flag.display()
    );
    let more = "track_script {\n        check\n    }";
    let tracked = Instance {
        version: 3,
        interval: "0.2",
        more,
        priority: 150,
        ..Instance::default()
    };
    let plain = Instance {
        version: 3,
        interval: "0.2",
        ..Instance::default()
    };
    let one = Node::new(&lab, &folder, 1, Speaker::Vipd, &(script + &tracked.text()));
    let two = Node::new(&lab, &folder, 2, Speaker::Keepalived, &plain.text());
    wait_for("node 1 is active", SOON, || one.holds() && !two.holds());
    std::fs::remove_file(&flag).unwrap();
    wait_for("node 2 takes over", SOON, || two.holds() && !one.holds());
    folder.write("well", "");
    wait_for("node 1 returns", SOON + Duration::from_secs(5), || {
        one.holds() && !two.holds()
    });
}

/// A fault of one member moves both addresses, and its end brings both back.
fn a_group_moves_as_one(first: Speaker, second: Speaker) {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let flag = folder.write("well", "");
    let script = format!(
        "vrrp_script check {{\n    script \"/usr/bin/test -e {}\"\n    interval 1\n}}\n",
        flag.display()
    );
    let more = "track_script {\n        check\n    }";
    let text = script + &group_text(150, "0.2", more, "");
    let mut one = Node::new(&lab, &folder, 1, first, &text);
    let two = Node::new(&lab, &folder, 2, second, &group_text(100, "0.2", "", ""));
    let both = |node: &Node| node.holds() && has(&node.host, SECOND_VIP);
    let none = |node: &Node| !node.holds() && !has(&node.host, SECOND_VIP);

    wait_for("node 1 holds both", SOON, || both(&one) && none(&two));
    std::fs::remove_file(&flag).unwrap();
    wait_for("both move to node 2", SOON, || both(&two) && none(&one));
    folder.write("well", "");
    wait_for("both return", SOON + SOON, || both(&one) && none(&two));
    stays("both stay", Duration::from_secs(1), || {
        both(&one) && none(&two)
    });
    one.process.terminate();
    wait_for("both move at the handover", SOON, || {
        both(&two) && none(&one)
    });
    one.process.wait(SOON).expect("node 1 ends");
    one.heard_nothing_wrong();
    two.heard_nothing_wrong();
}

#[test]
fn a_sync_group_moves_as_one_vipd_preferred() {
    a_group_moves_as_one(Speaker::Vipd, Speaker::Keepalived);
}

#[test]
fn a_sync_group_moves_as_one_keepalived_preferred() {
    a_group_moves_as_one(Speaker::Keepalived, Speaker::Vipd);
}
