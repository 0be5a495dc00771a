//! vipd beside real keepalived and FRR, in both roles.
//!
//! `VIPD_INTEROP='keepalived v3' cargo test --test interop` runs those cells of the matrix alone.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test may panic, and says why"
)]

mod common;

#[path = "interop/cell.rs"]
mod cell;
#[path = "interop/life.rs"]
mod life;
#[path = "interop/node.rs"]
mod node;
#[path = "interop/page.rs"]
mod page;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use cell::Cell;
use common::{
    Folder, Instance, SECOND_VIP, SOON, VIP, VIP6, counted, frr, group_text, has, installed, lab,
    no_errors, statistics, stays, wait_for,
};
use node::{Node, Speaker};
use vipd::lab::Captured;

/// So many pairs live at once: most of a life is waiting.
const AT_ONCE: usize = 8;

/// A cell with the speakers in the order of their priority.
type Run = (Cell, Speaker, Speaker);

/// The runs of every cell that can be, and whose name holds `filter`.
fn runs(filter: &str) -> VecDeque<Run> {
    let [keepalived, frr] = [installed("keepalived"), frr::installed()];
    let has_peer = |cell: &Cell| match cell.peer {
        Speaker::Vipd => true,
        Speaker::Keepalived => keepalived,
        Speaker::Frr => frr,
    };
    let mut runs = VecDeque::new();
    for cell in Cell::all() {
        if cell.obstacle().is_some() || !has_peer(&cell) || !cell.to_string().contains(filter) {
            continue;
        }
        runs.push_back((cell, Speaker::Vipd, cell.peer));
        if cell.peer != Speaker::Vipd {
            runs.push_back((cell, cell.peer, Speaker::Vipd));
        }
    }
    runs
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Skipped,
    Failed,
}

/// Lives through one run.
fn outcome((cell, first, second): Run) -> Outcome {
    let name = format!("{cell}, {} preferred", first.name());
    let life = thread::scope(|scope| scope.spawn(|| life::live(cell, first, second)).join());
    match life {
        Ok(Some(life)) => {
            println!("{name}: {life}");
            Outcome::Passed
        }
        Ok(None) => Outcome::Skipped, // and has said why
        Err(_) => {
            println!("{name}: FAILED");
            Outcome::Failed
        }
    }
}

#[test]
fn every_cell_of_the_matrix_passes_and_is_on_the_page() {
    let filter = std::env::var("VIPD_INTEROP").unwrap_or_default();
    let waiting = Mutex::new(runs(&filter));
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some(run) = waiting.lock().unwrap().pop_front() else {
                return;
            };
            let came_of_it = outcome(run);
            outcomes.lock().unwrap().push((run, came_of_it));
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let with = |wanted| outcomes.iter().filter(move |(_, found)| *found == wanted);
    let failed: Vec<_> = with(Outcome::Failed).map(|(run, _)| run).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    if filter.is_empty() {
        let complete = page::peers_are_those_of_the_page() && with(Outcome::Skipped).count() == 0;
        let writes = std::env::var_os("UPDATE_DOCS").is_some();
        assert!(
            !writes || complete,
            "not every cell has run: nothing is written"
        );
        common::page("interop.md", &page::render());
    }
}

const AH: &str = "authentication {\n        auth_type AH\n        auth_pass secret12\n    }";

fn holds(node: &Node) -> bool {
    node.holds(&[VIP, VIP6]) == Some(true)
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
    wait_for("both are active", SOON, || holds(&one) && holds(&two));
    let complaints = || {
        let output = one.process.output();
        let says = |line: &&String| line.contains(complaint) && line.contains("from 192.168.1.2");
        output.iter().filter(says).count()
    };
    // A change of state lets each be said again, so there may be one for each state.
    wait_for("a complaint", SOON, || complaints() > 0);
    let before = complaints();
    stays("both are active", Duration::from_secs(3), || {
        holds(&one) && holds(&two)
    });
    assert!(complaints() <= before.max(2), "{:#?}", one.process.output());
    no_errors(&one.process);
    if let Some((heading, label)) = counter {
        let text = statistics(&one.process, one.file());
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
        wait_for("it is active", SOON, || holds(&node));
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
    wait_for("node 1 is active", SOON, || holds(&one) && !holds(&two));
    std::fs::remove_file(&flag).unwrap();
    wait_for("node 2 takes over", SOON, || holds(&two) && !holds(&one));
    folder.write("well", "");
    wait_for("node 1 returns", SOON + Duration::from_secs(5), || {
        holds(&one) && !holds(&two)
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
    let both = |node: &Node| holds(node) && has(&node.host, SECOND_VIP);
    let none = |node: &Node| !holds(node) && !has(&node.host, SECOND_VIP);

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
