//! What a node makes of adverts that somebody else sends.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{Folder, Instance, SOON, has, host, lab, no_errors, raw_socket, vipd, wait_for};
use vipd::lab::{Host, Lab, Process};
use vipd::runtime::clock::since_epoch;
use vipd::types::{Interval, Priority, Version, Vrid};
use vipd::wire::auth::hmac::{Key, KeyId, Sequence, sign};
use vipd::wire::ip::{GROUP_V4, emit_v4};
use vipd::wire::vrrp::{Authentication, ChecksumForm, Outgoing, emit};

const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 50);

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

/// A node, and somebody on its link who knows how to speak.
struct Stage {
    folder: Folder,
    node: Host,
    stranger: Host,
    _lab: Lab,
}

impl Stage {
    fn new() -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        // Scripts run as a user who owns nothing here.
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self {
            folder,
            node: host(&lab, "node1", "192.168.1.1/24"),
            stranger: host(&lab, "stranger", &format!("{STRANGER}/24")),
            _lab: lab,
        })
    }

    fn start(&self, text: &str) -> Process {
        vipd(&self.node, &self.folder.write("node1.conf", text))
    }

    fn holds(&self, vrid: u8) -> bool {
        has(&self.node, &format!("10.9.0.{vrid}"))
    }

    fn says(&self, message: &[u8]) {
        let packet = emit_v4(STRANGER, GROUP_V4, 255, 1, message);
        let send = || raw_socket().send(GROUP_V4.into(), &packet).unwrap();
        self.stranger.enter(send).unwrap();
    }
}

/// How often an instance said that it is in `state` now.
fn entered(daemon: &Process, vrid: u8, state: &str) -> usize {
    let line = format!("(V{vrid}) Entering {state} STATE");
    let output = daemon.output();
    output.iter().filter(|l| l.contains(&line)).count()
}

fn advert(vrid: u8, priority: u8) -> Vec<u8> {
    emit(&Outgoing {
        version: Version::V3,
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority::new(priority),
        interval: Interval::from_centis(20).unwrap(),
        addresses: &[Ipv4Addr::new(10, 9, 0, vrid).into()],
        authentication: &Authentication::None,
        checksum: ChecksumForm::PseudoHeader,
        source: STRANGER.into(),
        destination: GROUP_V4.into(),
    })
}

#[test]
fn an_owner_yields_to_another_unless_it_ignores_adverts() {
    let Some(stage) = Stage::new() else { return };
    let owner = |vrid, more: &str| instance(vrid, 255, &format!("state MASTER\n{more}"));
    let text = owner(1, "") + &owner(2, "owner_ignore_adverts");
    let daemon = stage.start(&text);
    wait_for("it leads", SOON, || stage.holds(1) && stage.holds(2));
    for vrid in [2, 1] {
        stage.says(&advert(vrid, 255));
    }
    let line = daemon.wait_for_line("(V1) Entering BACKUP STATE", SOON);
    assert!(line.is_some(), "{:#?}", daemon.output());
    let led = |vrid| entered(&daemon, vrid, "MASTER");
    wait_for("it leads again", SOON, || led(1) == 2);
    assert_eq!(led(2), 1);

    // For all of them, save one that says no. keepalived makes a yes of it.
    let globals = "global_defs {\nvrrp_owner_ignore_adverts\n}\n".to_owned();
    let text = globals + &owner(1, "") + &owner(2, "owner_ignore_adverts no");
    stage.folder.write("node1.conf", &text);
    daemon.signal(libc::SIGHUP);
    assert!(daemon.wait_for_line("Reload complete", SOON).is_some());
    for vrid in [1, 2] {
        stage.says(&advert(vrid, 255));
    }
    let line = daemon.wait_for_line("(V2) Entering BACKUP STATE", SOON);
    assert!(line.is_some(), "{:#?}", daemon.output());
    wait_for("it leads again", SOON, || led(2) == 2);
    assert_eq!(led(1), 2);
    assert!(stage.holds(1));
    no_errors(&daemon);
}

#[test]
fn a_lower_priority_is_told_of_by_an_active_router_alone() {
    let Some(stage) = Stage::new() else { return };
    let said = stage.folder.0.join("said");
    let text = format!("#!/bin/sh\necho \"$@\" >>{}\n", said.display());
    let tell = stage.folder.write("tell.sh", &text);
    fs::set_permissions(&tell, fs::Permissions::from_mode(0o755)).unwrap();
    let option = format!("notify_master_rx_lower_pri \"{} lower\"", tell.display());
    let globals = "global_defs {\nscript_user root\n}\n".to_owned();
    let mut daemon = stage.start(&(globals + &instance(1, 100, &option)));
    wait_for("it leads", SOON, || stage.holds(1));
    stage.says(&advert(1, 200));
    wait_for("it gives way", SOON, || !stage.holds(1));
    stage.says(&advert(1, 50));
    wait_for("it leads again", SOON, || stage.holds(1));
    assert!(!said.exists(), "a backup has nothing to say");
    stage.says(&advert(1, 50));
    let told = || fs::read_to_string(&said).unwrap_or_default();
    wait_for("the script has run", SOON, || told() == "lower\n");
    daemon.terminate();
    assert!(daemon.wait(SOON).expect("vipd ends").success());
    assert_eq!(told(), "lower\n");
    no_errors(&daemon);
}

#[test]
fn signed_adverts_count_once_and_within_the_window() {
    let Some(stage) = Stage::new() else { return };
    let key = "0a".repeat(32);
    let signed = |vrid, more: &str| {
        let block = format!("auth_hmac {{\nkey 1 hex:{key}\nactive_key 1\n{more}\n}}");
        instance(vrid, 100, &block)
    };
    let text = [
        signed(1, ""),
        signed(2, "time_window 300"),
        signed(3, "anti_replay monotonic"),
    ];
    let daemon = stage.start(&text.concat());
    let from_before = |vrid, seconds| {
        let mut message = advert(vrid, 200);
        let key = Key::new(&[10; 32]).unwrap();
        let sequence = Sequence::at(since_epoch() - Duration::from_secs(seconds));
        let id = KeyId::new(1).unwrap();
        message.extend(sign(&key, id, sequence, STRANGER.into(), &message));
        message
    };
    let count = |text: &str| daemon.output().iter().filter(|l| l.contains(text)).count();
    let gave_way = || [1, 2, 3].map(|vrid| entered(&daemon, vrid, "BACKUP") - 1);
    let all_lead = |times: [usize; 3]| {
        let led = || [1, 2, 3].map(|vrid| entered(&daemon, vrid, "MASTER"));
        wait_for("all lead", SOON, || led() == times);
    };
    all_lead([1, 1, 1]);
    let discarded = |vrid: u8, why: &str| {
        let line = format!("(V{vrid}) advert from {STRANGER} discarded: {why}");
        wait_for(&line, SOON, || count(&line) == 1);
    };
    let stale = "signed too long ago, or the clocks differ";
    let replayed = "signed advert came before";

    let old = [1, 2, 3].map(|vrid| from_before(vrid, 1000));
    old.iter().for_each(|message| stage.says(message));
    wait_for("only the third may", SOON, || gave_way() == [0, 0, 1]);
    discarded(1, stale);
    discarded(2, stale);
    all_lead([1, 1, 2]);
    let younger = [1, 2, 3].map(|vrid| from_before(vrid, 100));
    younger.iter().for_each(|message| stage.says(message));
    wait_for("two of them may", SOON, || gave_way() == [0, 1, 2]);
    all_lead([1, 2, 3]);
    for message in [&old[2], &younger[1], &younger[2]] {
        stage.says(message);
    }
    discarded(2, replayed);
    discarded(3, replayed);
    assert_eq!(gave_way(), [0, 1, 2]);
    for vrid in 1..=3 {
        stage.says(&from_before(vrid, 0));
    }
    wait_for("all of them may", SOON, || gave_way() == [1, 2, 3]);
    no_errors(&daemon);
}
