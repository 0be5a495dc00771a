//! What is on the wire, and what a switch learns from it.

use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use vipd::lab::Captured;

use super::common::{Folder, SOON, VIP, host, installed, lab, no_errors, stays, vipd, wait_for};
use super::{MAC, Pair, ends_well, holds, link, run, settings, source_mac, text};

#[test]
fn everything_that_moves_an_address_comes_from_the_virtual_mac() {
    let Some(pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    let capture = pair.lab.capture(|f| f.is_protocol()).unwrap();
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || pair.holds(1));
    thread::sleep(Duration::from_millis(500));
    let frames = capture.drain();
    let adverts: Vec<_> = frames.iter().filter(|f| f.advert().is_some()).collect();
    let announced: Vec<_> = frames.iter().filter(|f| f.announced().is_some()).collect();
    assert!(adverts.len() > 3 && announced.len() >= 5, "{frames:#?}");
    for frame in adverts.iter().chain(&announced) {
        assert_eq!(frame.bytes[6..12], MAC, "{frame:?}");
    }
    for frame in &adverts {
        let advert = frame.advert().unwrap();
        let node = if &*frame.port == "node1" { 1 } else { 2 };
        assert_eq!(advert.source, IpAddr::from([192, 168, 1, node]));
        assert_eq!(frame.bytes[..6], [1, 0, 0x5e, 0, 0, 18]);
    }
    for frame in &announced {
        assert_eq!(frame.arp().unwrap().sender_mac, MAC);
    }
}

#[test]
fn adverts_leave_from_the_base_when_asked_to() {
    let Some(pair) = Pair::start([&text(200, "vmac_xmit_base"), &text(100, "vmac_xmit_base")])
    else {
        return;
    };
    let own = link(&pair.nodes[0], "eth0").unwrap().mac().unwrap();
    let capture = pair.lab.capture(|f| f.is_protocol()).unwrap();
    let advert = capture.find(SOON, |f| f.advert().is_some()).unwrap();
    assert_eq!(advert.bytes[6..12], own);
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || pair.holds(1));
    let announced = capture.find(SOON, |f| f.announced().is_some()).unwrap();
    assert_eq!(announced.bytes[6..12], MAC);
}

#[test]
fn a_backup_never_teaches_the_switch_and_a_takeover_moves_the_address() {
    if !installed("nft") {
        return;
    }
    let Some(mut pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    let learned = |pair: &Pair| pair.lab.learned(MAC).unwrap();
    assert_eq!(learned(&pair).as_deref(), Some("node1"));
    let capture = pair.capture();
    pair.daemons[1].terminate();
    pair.daemons[1].wait(SOON).expect("vipd ends");
    pair.restart(1);
    // Joining groups, asking and answering: nothing of it may come from node 2's virtual MAC.
    let asks = || {
        let _ = run(
            &pair.client,
            "arping",
            &["-c", "1", "-w", "1", "-I", "eth0", VIP],
        );
    };
    asks();
    stays("the switch knows node 1", Duration::from_secs(3), || {
        learned(&pair).as_deref() == Some("node1")
    });
    let from_backup = |f: &Captured| &*f.port == "node2" && source_mac(f) == MAC;
    let wrong: Vec<_> = capture.drain().into_iter().filter(from_backup).collect();
    assert_eq!(wrong, []);
    pair.daemons[0].terminate();
    wait_for("the switch knows node 2", SOON, || {
        learned(&pair).as_deref() == Some("node2")
    });
    pair.daemons[0].wait(SOON).expect("vipd ends");
    let _ = capture.drain();
    pair.take_back();
    wait_for("the switch knows node 1", SOON, || {
        learned(&pair).as_deref() == Some("node1")
    });
    thread::sleep(Duration::from_millis(300));
    let _ = capture.drain();
    stays("node 2 is silent", Duration::from_secs(2), || {
        !capture.drain().iter().any(from_backup)
    });
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn the_address_is_answered_with_the_virtual_mac_only() {
    let Some(pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    if !installed("arping") {
        return;
    }
    thread::sleep(Duration::from_millis(500));
    let capture = pair
        .lab
        .capture(|f| f.arp().is_some_and(|a| a.operation == 2))
        .unwrap();
    for _ in 0..3 {
        run(
            &pair.client,
            "arping",
            &["-c", "1", "-w", "1", "-I", "eth0", VIP],
        );
        run(
            &pair.client,
            "arping",
            &["-c", "1", "-w", "1", "-I", "eth0", "192.168.1.1"],
        );
    }
    let own = link(&pair.nodes[0], "eth0").unwrap().mac().unwrap();
    let answers: Vec<_> = capture.drain().iter().map(|f| f.arp().unwrap()).collect();
    let of = |address: &str| {
        let wanted: std::net::Ipv4Addr = address.parse().unwrap();
        let ours = answers.iter().filter(move |a| a.sender == wanted);
        ours.map(|a| a.sender_mac).collect::<Vec<_>>()
    };
    assert!(of(VIP).len() >= 3, "{answers:#?}");
    assert!(of(VIP).iter().all(|mac| *mac == MAC), "{answers:#?}");
    assert!(
        of("192.168.1.1").iter().all(|mac| *mac == own),
        "{answers:#?}"
    );
}

#[test]
fn a_sigterm_and_a_preemption_lose_no_probe() {
    if let Some(pair) = Pair::start([&text(200, ""), &text(100, "")]) {
        pair.loses_no_probe(VIP);
    }
}

#[test]
fn without_nft_a_backup_is_silent_too() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    ];
    let before = settings(&nodes[1]);
    let _first = vipd(&nodes[0], &folder.write("node1.conf", &text(200, "")));
    wait_for("node 1 is active", SOON, || holds(&nodes[0]));
    let capture = lab.capture(|_| true).unwrap();
    let file = folder.write("node2.conf", &text(100, ""));
    let hidden = "for p in /usr/sbin/nft /sbin/nft /usr/bin/nft /usr/local/sbin/nft; do \
                  [ ! -e $p ] || mount --bind /dev/null $p; done; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", hidden, "sh", env!("CARGO_BIN_EXE_vipd")]);
    command.args(["run", "-v", "-f"]).arg(&file);
    command.env("RUNTIME_DIRECTORY", &folder.0);
    let mut second = nodes[1].spawn(&mut command).unwrap();
    second
        .wait_for_line("cannot be redirected", SOON)
        .expect("it says so");
    second.wait_for_line("Entering BACKUP", SOON).unwrap();
    thread::sleep(Duration::from_secs(2));
    let of_backup = |f: &Captured| &*f.port == "node2" && source_mac(f) == MAC;
    let wrong: Vec<_> = capture.drain().into_iter().filter(of_backup).collect();
    assert_eq!(wrong, []);
    ends_well(&mut second);
    assert_eq!(settings(&nodes[1]), before);
}
