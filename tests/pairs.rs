//! Options that decide between two nodes, each on an instance of its own beside the others.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SOON, has, host, installed, lab, no_errors, stays, vipd, wait_for};
use vipd::lab::{Captured, Host, Lab, Process};

/// An instance with VRID `vrid` and the address 10.9.0.`vrid`; three adverts are 300 ms.
fn instance(vrid: u8, priority: u8, more: &str) -> String {
    let vip = format!("10.9.0.{vrid}");
    let text = Instance {
        version: 3,
        priority,
        interval: "0.1",
        vips: &[&vip],
        more,
        ..Instance::default()
    }
    .text();
    text.replace("VI_1", &format!("V{vrid}"))
        .replace("virtual_router_id 51", &format!("virtual_router_id {vrid}"))
}

struct Pair {
    folder: Folder,
    nodes: [Host; 2],
    lab: Lab,
}

impl Pair {
    fn new() -> Option<Self> {
        let lab = lab()?;
        let nodes = [1, 2].map(|n| host(&lab, &format!("node{n}"), &format!("192.168.1.{n}/24")));
        let folder = Folder::new();
        // Scripts run as a user who owns nothing here.
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { folder, nodes, lab })
    }

    fn start(&self, node: usize, text: &str) -> Process {
        let file = self.folder.write(&format!("node{}.conf", node + 1), text);
        vipd(&self.nodes[node], &file)
    }

    fn holds(&self, node: usize, vrid: u8) -> bool {
        has(&self.nodes[node], &format!("10.9.0.{vrid}"))
    }

    /// Node `node` has the address of `vrid`, and the other one has not.
    fn leads(&self, node: usize, vrid: u8) -> bool {
        self.holds(node, vrid) && !self.holds(1 - node, vrid)
    }
}

fn seen(frames: &[Captured], vrid: u8) -> impl Iterator<Item = &Captured> {
    let of = move |f: &&Captured| f.advert().is_some_and(|a| a.vrid == vrid);
    frames.iter().filter(of)
}

/// When the first advert of `vrid` was seen, in milliseconds.
fn first(frames: &[Captured], vrid: u8) -> u64 {
    seen(frames, vrid).next().expect("an advert").at_nanos / 1_000_000
}

#[test]
fn preemption_delays_and_down_timers_are_as_configured() {
    let Some(pair) = Pair::new() else { return };
    let capture = pair.lab.capture(|f| f.advert().is_some()).unwrap();
    let slow = "down_timer_adverts 10";
    let second = [
        instance(1, 100, ""),
        instance(2, 100, ""),
        instance(3, 100, ""),
        instance(4, 100, slow),
    ];
    let mut second = pair.start(1, &second.concat());
    let all = || (1..=4).all(|vrid| pair.leads(1, vrid));
    wait_for("the only node leads", SOON, all);
    let frames = capture.drain();
    // 3 or 10 intervals, and the skew.
    let later = first(&frames, 4) - first(&frames, 1);
    assert!((600..1000).contains(&later), "{later} ms");

    let first_node = [
        instance(1, 200, ""),
        instance(2, 200, "nopreempt"),
        instance(3, 200, "preempt_delay 1"),
        instance(4, 200, ""),
    ];
    let first_node = pair.start(0, &first_node.concat());
    wait_for("it takes over", SOON, || {
        pair.leads(0, 1) && pair.leads(0, 4)
    });
    stays("it is not time yet", Duration::from_millis(300), || {
        pair.leads(1, 2) && pair.leads(1, 3)
    });
    wait_for("it has waited", SOON, || pair.leads(0, 3));
    let frames = capture.drain();
    let from_first = |vrid: u8| {
        let mut ours = seen(&frames, vrid).filter(|f| &*f.port == "node1");
        ours.next().map(|f| f.at_nanos / 1_000_000)
    };
    // The delay counts from the first advert of lower priority, the timer from the start.
    let later = from_first(3).unwrap() - from_first(1).unwrap();
    assert!((600..1100).contains(&later), "{later} ms");
    assert_eq!(from_first(2), None);
    second.kill();
    wait_for("nobody is left but it", SOON, || pair.holds(0, 2));
    no_errors(&first_node);
}

/// `auth_hmac` with one key in a certain mode.
fn signed(mode: &str) -> String {
    let key = "0a".repeat(32);
    format!("auth_hmac {{\nkey 1 hex:{key}\nactive_key 1\nmode {mode}\n}}")
}

#[test]
fn signatures_can_be_introduced_node_by_node() {
    let Some(pair) = Pair::new() else { return };
    let all = |priority: u8, modes: [&str; 5]| {
        let numbered = (1..).zip(modes);
        let one = |(vrid, mode): (u8, &str)| match mode {
            "" => instance(vrid, priority, ""),
            mode => instance(vrid, priority, &signed(mode)),
        };
        numbered.map(one).collect::<String>()
    };
    let first = all(
        200,
        ["receive-only", "permissive", "enforce", "enforce", ""],
    );
    let second = all(
        100,
        ["", "receive-only", "permissive", "receive-only", "enforce"],
    );
    let daemons = [pair.start(0, &first), pair.start(1, &second)];
    // The last pair is a mistake: what is not signed does not count.
    let settled =
        || (1..=4).all(|vrid| pair.leads(0, vrid)) && pair.holds(0, 5) && pair.holds(1, 5);
    wait_for("all have elected", SOON, settled);
    stays("nothing changes", Duration::from_millis(800), settled);
    let line = "(V5) advert from 192.168.1.1 discarded: not signed, and auth_hmac demands it";
    let output = daemons[1].output();
    let named = output.iter().filter(|l| l.contains(line)).count();
    // Once as a backup, once as the active router.
    assert!((1..=2).contains(&named), "{output:#?}");
    daemons.iter().for_each(no_errors);
}

#[test]
fn weights_of_a_group_move_its_members_and_changes_have_their_words() {
    let Some(pair) = Pair::new() else { return };
    let said = pair.folder.0.join("said");
    let script = |name: &str, text: &str| {
        let path = pair.folder.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let well = pair.folder.write("well", "");
    let check = script(
        "check.sh",
        &format!("#!/bin/sh\ntest -e {}\n", well.display()),
    );
    let tell = script(
        "tell.sh",
        &format!("#!/bin/sh\necho \"$@\" >>{}\n", said.display()),
    );
    let head = format!(
        "global_defs {{\nscript_user root\n}}\nvrrp_script check {{\nscript {check}\ninterval 1\n}}\n\
         vrrp_sync_group G {{\ngroup {{\nV1\nV2\n}}\nsync_group_tracking_weight\n\
         track_script {{\ncheck weight -150\n}}\n}}\n"
    );
    let notify = format!("notify_deleted \"{tell} gone\"\nnotify_stop \"{tell} stopped\"");
    let third = instance(3, 200, &notify);
    let group = head + &instance(1, 200, "") + &instance(2, 200, "");
    let capture = pair.lab.capture(|f| f.advert().is_some()).unwrap();
    let mut first = pair.start(0, &(group.clone() + &third));
    let second = pair.start(1, &(instance(1, 100, "") + &instance(2, 100, "")));
    let leads = |node: usize| pair.leads(node, 1) && pair.leads(node, 2);
    wait_for("the better node leads", SOON, || {
        leads(0) && pair.holds(0, 3)
    });
    fs::remove_file(&well).unwrap();
    wait_for("the other one is better now", SOON, || leads(1));
    let lowered = |f: &Captured| {
        let advert = f.advert().unwrap();
        &*f.port == "node1" && advert.priority == 50
    };
    assert!(capture.drain().iter().any(lowered), "200 and -150 are 50");
    pair.folder.write("well", "");
    wait_for("the better node leads", SOON, || leads(0));

    pair.folder.write("node1.conf", &group);
    first.signal(libc::SIGHUP);
    wait_for("the third has been told", SOON, || read(&said) == "gone\n");
    first.terminate();
    assert!(first.wait(SOON).expect("vipd ends").success());
    assert_eq!(read(&said), "gone\n");
    no_errors(&first);
    no_errors(&second);
}

#[test]
fn who_was_away_for_too_long_leaves_the_address_where_it_is() {
    let Some(pair) = Pair::new() else { return };
    let late = "nopreempt\ntimer_expired_backup 100";
    let first = pair.start(
        0,
        &(instance(1, 200, late) + &instance(2, 200, "nopreempt")),
    );
    let leads = |node: usize| pair.leads(node, 1) && pair.leads(node, 2);
    wait_for("the first node leads", SOON, || leads(0));
    let second = pair.start(1, &(instance(1, 100, "") + &instance(2, 100, "")));
    for name in ["(V1)", "(V2)"] {
        let line = format!("{name} Entering BACKUP STATE");
        assert!(second.wait_for_line(&line, SOON).is_some());
    }
    first.signal(libc::SIGSTOP);
    wait_for("the second node takes over", SOON, || {
        pair.holds(1, 1) && pair.holds(1, 2)
    });
    first.signal(libc::SIGCONT);
    let settled = || pair.leads(1, 1) && pair.leads(0, 2);
    wait_for("one comes back, and one does not", SOON, settled);
    stays("nothing changes", Duration::from_millis(600), settled);
    no_errors(&second);
}

#[test]
fn a_winner_that_hears_the_loser_of_a_split_tells_everybody_at_once_and_once_more() {
    let Some(pair) = Pair::new() else { return };
    let daemons = [200, 100].map(|priority| instance(1, priority, ""));
    let daemons = [0, 1].map(|node| pair.start(node, &daemons[node]));
    wait_for("node 1 leads", SOON, || pair.leads(0, 1));
    pair.nodes[1].isolate().unwrap();
    wait_for("both lead", SOON, || pair.holds(0, 1) && pair.holds(1, 1));
    let capture = pair.lab.capture(Captured::is_protocol).unwrap();
    pair.nodes[1].rejoin().unwrap();
    wait_for("node 1 leads", SOON, || pair.leads(0, 1));
    thread::sleep(Duration::from_millis(400));
    let frames = capture.drain();
    let vip = "10.9.0.1".parse().unwrap();
    let told = |f: &&Captured| &*f.port == "node1" && f.announced() == Some(vip);
    let told: Vec<u64> = frames.iter().filter(told).map(|f| f.at_nanos).collect();
    // What the loser answered before it has let go is put right too.
    let begun = *told.first().expect("it is announced");
    let again = *told.last().unwrap() - begun;
    assert!((70_000_000..400_000_000).contains(&again), "{again} ns");
    // The loser has heard that when it speaks for the last time.
    let theirs = seen(&frames, 1).filter(|f| &*f.port == "node2");
    let last = theirs.last().expect("it was there").at_nanos;
    let answered = seen(&frames, 1).any(|f| &*f.port == "node1" && f.at_nanos > last);
    assert!(answered && last < begun + 150_000_000);
    daemons.iter().for_each(no_errors);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn strict_mode_and_groups_of_ones_own_are_on_the_wire() {
    let Some(pair) = Pair::new() else { return };
    let capture = pair.lab.capture(|f| f.advert().is_some()).unwrap();
    let globals = "global_defs {\nvrrp_mcast_group6 ff02::99\n}\n";
    let six = Instance {
        interval: "0.1",
        ..Instance::v6()
    };
    let strict = instance(
        1,
        100,
        "strict_mode on\naccept\ndown_timer_adverts 9\nstate MASTER",
    );
    pair.nodes[0].add_address("fd00::1/64").unwrap();
    let daemon = pair.start(0, &(globals.to_owned() + &strict + &six.text()));
    wait_for("both lead", SOON, || {
        pair.holds(0, 1) && has(&pair.nodes[0], common::VIP6)
    });
    let frames = capture.drain();
    let advert = seen(&frames, 51).next().unwrap().advert().unwrap();
    assert_eq!(advert.destination.to_string(), "ff02::99");
    for corrected in [
        "strict mode waits for 3 adverts",
        "in strict mode, MASTER is the owner",
    ] {
        assert!(daemon.output().iter().any(|l| l.contains(corrected)));
    }
    let heard = host(&pair.lab, "client", "10.9.0.200/24");
    if installed("ping") && installed("nft") {
        // `accept` stays in version 3.
        let ping = || {
            let mut ping = std::process::Command::new("ping");
            ping.args(["-c1", "-W2", "10.9.0.1"]).output().unwrap()
        };
        pair.nodes[0].add_address("10.9.0.201/24").unwrap();
        assert!(heard.enter(ping).unwrap().status.success());
    }
    no_errors(&daemon);
}
