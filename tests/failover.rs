//! Pairs of nodes with real packets: takeover, handover, reload, crash and abuse.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{
    Folder, Instance, SECOND_VIP, SOON, VIP, counted, group_text, has, host, lab, no_errors,
    statistics, stays, target, vipd, wait_for,
};
use vipd::lab::{EchoServer, Host, Lab, Prober, Process};

const MILLISECOND: Duration = Duration::from_millis(1);
const PORT: u16 = 7;

/// Two nodes that run vipd and answer probes, and a client.
struct Pair {
    folder: Folder,
    nodes: [Host; 2],
    daemons: [Process; 2],
    _servers: [EchoServer; 2],
    client: Host,
    lab: Lab,
}

impl Pair {
    /// Node 1 with the first configuration is Active when this returns.
    fn start(texts: [&str; 2]) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let nodes = [
            host(&lab, "node1", "192.168.1.1/24"),
            host(&lab, "node2", "192.168.1.2/24"),
        ];
        let client = host(&lab, "client", "192.168.1.50/24");
        let servers = [0, 1].map(|n| EchoServer::start(&nodes[n], PORT).unwrap());
        let daemons = [0, 1].map(|n| {
            vipd(
                &nodes[n],
                &folder.write(&format!("node{}.conf", n + 1), texts[n]),
            )
        });
        let pair = Self {
            folder,
            nodes,
            daemons,
            _servers: servers,
            client,
            lab,
        };
        wait_for("node 1 is active", SOON, || pair.holds(0) && !pair.holds(1));
        Some(pair)
    }

    fn holds(&self, node: usize) -> bool {
        has(&self.nodes[node], VIP)
    }

    fn restart(&mut self, node: usize) {
        let file = self.folder.0.join(format!("node{}.conf", node + 1));
        self.daemons[node] = vipd(&self.nodes[node], &file);
    }

    fn prober(&self) -> Prober {
        let prober = Prober::start(&self.client, target(PORT), MILLISECOND).unwrap();
        thread::sleep(Duration::from_millis(200));
        prober
    }
}

fn fast(priority: u8) -> String {
    Instance {
        version: 3,
        priority,
        interval: "0.1",
        ..Instance::default()
    }
    .text()
}

#[test]
fn a_sigterm_loses_no_probe() {
    let Some(mut pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let prober = pair.prober();
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || pair.holds(1) && !pair.holds(0));
    let status = pair.daemons[0].wait(SOON).expect("vipd ends");
    assert!(status.success(), "{status}");
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(report.lost, [], "of {} probes", report.sent);
    assert!(report.answered_by.contains_key("node2"), "{report:?}");
}

#[test]
fn a_preemption_loses_no_probe() {
    let Some(mut pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || pair.holds(1) && !pair.holds(0));
    pair.daemons[0].wait(SOON).expect("vipd ends");
    let prober = pair.prober();
    pair.restart(0);
    wait_for("node 1 is active again", SOON, || {
        pair.holds(0) && !pair.holds(1)
    });
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(report.lost, [], "of {} probes", report.sent);
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn a_reload_changes_what_it_should_and_loses_no_probe() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let prober = pair.prober();
    let more = Instance {
        version: 3,
        priority: 210,
        interval: "0.1",
        vips: &[VIP, "192.168.1.101"],
        ..Instance::default()
    };
    // Another name too: that moves nothing.
    pair.folder
        .write("node1.conf", &more.text().replace("VI_1", "OTHER"));
    pair.daemons[0].signal(libc::SIGHUP);
    wait_for("the second address", SOON, || {
        has(&pair.nodes[0], "192.168.1.101")
    });
    pair.folder.write("node1.conf", &fast(220));
    pair.daemons[0].signal(libc::SIGHUP);
    wait_for("the second address goes", SOON, || {
        !has(&pair.nodes[0], "192.168.1.101")
    });
    assert!(pair.holds(0) && !pair.holds(1));
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(report.lost, [], "of {} probes", report.sent);
    let entered = |n: usize| {
        pair.daemons[n]
            .output()
            .iter()
            .filter(|line| line.contains("Entering MASTER"))
            .count()
    };
    assert_eq!((entered(0), entered(1)), (1, 0));
}

#[test]
fn a_reload_of_a_bad_file_changes_nothing_and_says_why() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    for (bad, complaint) in [
        (
            fast(200).replace("    virtual_router_id 51\n", ""),
            "virtual_router_id",
        ),
        (
            fast(200).replace("virtual_router_id 51", "virtual_router_id"),
            "node1.conf:3:",
        ),
    ] {
        pair.folder.write("node1.conf", &bad);
        let before = pair.daemons[0].output().len();
        pair.daemons[0].signal(libc::SIGHUP);
        wait_for("the refusal", SOON, || {
            pair.daemons[0]
                .output()
                .iter()
                .skip(before)
                .any(|l| l.contains("reload refused"))
        });
        let output = pair.daemons[0].output();
        assert!(
            output.iter().skip(before).any(|l| l.contains(complaint)),
            "{output:#?}"
        );
    }
    fs::remove_file(pair.folder.0.join("node1.conf")).unwrap();
    pair.daemons[0].signal(libc::SIGHUP);
    stays("node 1 is active", Duration::from_secs(1), || {
        pair.holds(0) && !pair.holds(1)
    });
}

#[test]
fn a_wrong_file_at_the_start_is_refused_with_its_line() {
    let folder = Folder::new();
    let missing = fast(100).replace("virtual_router_id 51", "virtual_router_id");
    let file = folder.write("bad.conf", &missing);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipd"));
        let output = command.args(arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let path = file.to_str().unwrap();
    let (status, text) = run(&["run", "-f", path]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("bad.conf:3:"), "{text}");
    let (status, _) = run(&["-n", "-l", "-f", path]);
    assert_eq!(status, Some(2));
    let (status, text) = run(&["-t", "-f", path]);
    assert_eq!(status, Some(2), "{text}");
    let (status, text) = run(&["run", "-f", "/nonexistent/keepalived.conf"]);
    assert_eq!(status, Some(6), "{text}");
}

#[test]
fn a_power_loss_moves_the_address_within_the_down_interval() {
    let Some(mut pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let prober = pair.prober();
    pair.nodes[0].unplug().unwrap();
    pair.daemons[0].kill();
    wait_for("node 2 is active", SOON, || pair.holds(1));
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    // 3 × 100 ms and a skew of 61 ms after the last advert, and some scheduling.
    assert!(
        report.longest_outage > Duration::from_millis(200),
        "{report:?}"
    );
    assert!(
        report.longest_outage < Duration::from_millis(500),
        "{report:?}"
    );
}

#[test]
fn a_killed_daemon_leaves_nothing_behind_that_its_successor_would_keep() {
    let Some(mut pair) = Pair::start([&fast(100), &fast(50)]) else {
        return;
    };
    pair.daemons[0].kill();
    assert!(
        pair.holds(0),
        "the kernel keeps the addresses of a killed process"
    );
    wait_for("node 2 is active", SOON, || pair.holds(1));
    // It comes back as a mere backup, and must not answer for the address.
    pair.folder.write("node1.conf", &fast(40));
    pair.restart(0);
    wait_for("the left-over address goes", SOON, || !pair.holds(0));
    stays("one holder", Duration::from_secs(1), || {
        pair.holds(1) && !pair.holds(0)
    });
}

#[test]
fn a_sync_group_hands_over_without_losing_a_probe_and_tells_of_itself() {
    let folder = Folder::new();
    let log = folder.0.join("log");
    let script = folder.write(
        "tell",
        &format!("#!/bin/sh\necho \"$*\" >> {}\n", log.display()),
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).unwrap();
    let notify = format!("notify {}", script.display());
    let first = group_text(200, "0.1", "", &notify);
    let Some(mut pair) = Pair::start([&first, &group_text(100, "0.1", "", "")]) else {
        return;
    };
    let second_holds = |n: usize| has(&pair.nodes[n], SECOND_VIP);
    wait_for("both", SOON, || second_holds(0) && !second_holds(1));
    let prober = pair.prober();
    let second: std::net::SocketAddr = format!("{SECOND_VIP}:{PORT}").parse().unwrap();
    let second = Prober::start(&pair.client, second, MILLISECOND).unwrap();
    thread::sleep(Duration::from_millis(200));
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || {
        pair.holds(1) && !pair.holds(0) && has(&pair.nodes[1], SECOND_VIP)
    });
    pair.daemons[0].wait(SOON).expect("vipd ends");
    thread::sleep(Duration::from_millis(300));
    for report in [prober.finish(), second.finish()] {
        assert_eq!(report.lost, [], "of {} probes", report.sent);
        assert!(report.answered_by.contains_key("node2"), "{report:?}");
    }
    let told = fs::read_to_string(&log).unwrap();
    let expected = "GROUP VG_1 BACKUP 0\nGROUP VG_1 MASTER 0\nGROUP VG_1 STOP 0\n";
    assert_eq!(told, expected);
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn a_link_that_goes_down_is_a_fault_and_its_return_a_recovery() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let (mut netlink, eth0) = (
        pair.nodes[0].netlink().unwrap(),
        pair.nodes[0].eth0().unwrap(),
    );
    netlink.set_up(eth0, false).unwrap();
    wait_for("a fault", SOON, || {
        pair.daemons[0]
            .output()
            .iter()
            .any(|line| line.contains("Entering FAULT STATE"))
    });
    wait_for("node 2 is active", SOON, || pair.holds(1));
    assert!(!pair.holds(0));
    netlink.set_up(eth0, true).unwrap();
    wait_for("node 1 takes it back", SOON, || {
        pair.holds(0) && !pair.holds(1)
    });
    pair.daemons.iter().for_each(no_errors);
}

#[test]
fn a_second_signal_ends_at_once() {
    let Some(mut pair) = Pair::start([
        &Instance {
            priority: 200,
            ..Instance::default()
        }
        .text(),
        &Instance {
            priority: 1,
            ..Instance::default()
        }
        .text(),
    ]) else {
        return;
    };
    pair.daemons[0].terminate();
    thread::sleep(Duration::from_millis(100));
    pair.daemons[0].signal(libc::SIGINT);
    let status = pair.daemons[0]
        .wait(Duration::from_millis(500))
        .expect("it ends at once");
    assert!(status.success());
    assert!(!pair.holds(0));
}

#[test]
fn a_tracked_interface_without_weight_decides_over_the_address() {
    let more = "track_interface {\n        spare\n    }";
    let tracking = Instance {
        version: 3,
        priority: 200,
        interval: "0.1",
        more,
        ..Instance::default()
    };
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let (node1, node2) = (
        host(&lab, "node1", "192.168.1.1/24"),
        host(&lab, "node2", "192.168.1.2/24"),
    );
    let first = vipd(&node1, &folder.write("node1.conf", &tracking.text()));
    let _second = vipd(&node2, &folder.write("node2.conf", &fast(100)));
    wait_for("node 2 is active", SOON, || has(&node2, VIP));
    assert!(
        !has(&node1, VIP),
        "an interface that does not exist is down"
    );
    let name = vipd::types::InterfaceName::new("spare").unwrap();
    let mut netlink = node1.netlink().unwrap();
    netlink.create_bridge(&name).unwrap();
    let index = netlink.link_by_name(&name).unwrap().unwrap().index;
    netlink.set_up(index, true).unwrap();
    let up = netlink.link_by_name(&name).unwrap().unwrap().up;
    if up {
        wait_for("node 1 takes over", SOON, || {
            has(&node1, VIP) && !has(&node2, VIP)
        });
        netlink.delete_link(index).unwrap();
        wait_for("node 2 takes over", SOON, || {
            has(&node2, VIP) && !has(&node1, VIP)
        });
    }
    no_errors(&first);
}

#[test]
fn ten_thousand_bad_packets_change_nothing_and_are_counted() {
    let text = |priority, more| {
        Instance {
            priority,
            password: Some("1234"),
            more,
            ..Instance::default()
        }
        .text()
    };
    let Some(pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    // One Active, one Backup, and one that a missing interface keeps at fault.
    let third = host(&pair.lab, "node3", "192.168.1.3/24");
    let file = |n| pair.folder.0.join(format!("node{n}.conf"));
    let fault = text(250, "track_interface {\n        nowhere\n    }");
    let faulty = vipd(&third, &pair.folder.write("node3.conf", &fault));
    let line = faulty.wait_for_line("Entering FAULT STATE", SOON);
    assert!(line.is_some(), "{:#?}", faulty.output());

    let sent = pair.client.enter(|| flood(10_000)).unwrap();
    assert_eq!(sent, 10_000);
    stays("nothing moves", Duration::from_secs(3), || {
        pair.holds(0) && !pair.holds(1) && !has(&third, VIP)
    });
    let [first, second] = &pair.daemons;
    for (daemon, number, entered) in [(first, 1, 2), (second, 2, 1), (&faulty, 3, 1)] {
        no_errors(daemon);
        let output = daemon.output();
        let count = |text: &str| output.iter().filter(|line| line.contains(text)).count();
        let complaints = count("discarded");
        assert!(
            (3..50).contains(&complaints),
            "{complaints} complaints\n{}",
            output.join("\n")
        );
        assert_eq!(count("Entering "), entered, "{output:#?}");
        // Each kind of mistake is counted where keepalived counts it.
        let statistics = statistics(daemon, &file(number));
        for label in ["Length", "TTL"] {
            let counted = counted(&statistics, "Packet Errors", label);
            assert!(counted >= 1000, "{label}: {statistics}");
        }
    }
}

#[test]
fn adverts_leave_as_the_standards_say() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let capture = pair.lab.capture(vipd::lab::Captured::is_protocol).unwrap();
    let frame = capture
        .find(SOON, |f| f.advert().is_some())
        .expect("an advert");
    let advert = frame.advert().unwrap();
    assert_eq!(&*frame.port, "node1", "only the active node advertises");
    assert_eq!((advert.version, advert.vrid, advert.priority), (3, 51, 200));
    assert_eq!((advert.hop_limit, advert.interval_centis), (255, 10));
    assert_eq!(advert.source.to_string(), "192.168.1.1");
    assert_eq!(advert.destination.to_string(), "224.0.0.18");
    // Ethernet: the group's MAC; IP: version 4 without options, TOS 0xc0, protocol 112.
    assert_eq!(frame.bytes[..6], [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
    assert_eq!(
        (frame.bytes[14], frame.bytes[15], frame.bytes[23]),
        (0x45, 0xc0, 112)
    );
}

#[test]
fn only_the_active_node_answers_for_the_address() {
    if !common::installed("arping") {
        return;
    }
    let Some(mut pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let answers = |pair: &Pair| {
        let mut command = Command::new("arping");
        command.args(["-c", "3", "-w", "2", "-i", "eth0", VIP]);
        let mut process = pair.client.spawn(&mut command).unwrap();
        process.wait(SOON).expect("arping ends");
        let mut macs: Vec<String> = process
            .output()
            .iter()
            .filter_map(|line| line.split(" from ").nth(1))
            .filter_map(|rest| rest.split_whitespace().next().map(str::to_owned))
            .collect();
        macs.dedup();
        macs
    };
    let mac = |pair: &Pair, n: usize| {
        let eth0 = vipd::types::InterfaceName::new("eth0").unwrap();
        let link = pair.nodes[n]
            .netlink()
            .unwrap()
            .link_by_name(&eth0)
            .unwrap()
            .unwrap();
        link.mac()
            .unwrap()
            .map(|byte| format!("{byte:02x}"))
            .join(":")
    };
    assert_eq!(answers(&pair), [mac(&pair, 0)]);
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || pair.holds(1) && !pair.holds(0));
    pair.daemons[0].wait(SOON).expect("vipd ends");
    assert_eq!(answers(&pair), [mac(&pair, 1)]);
}

#[test]
fn a_host_that_was_frozen_says_so_and_agrees_again() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    pair.daemons[0].signal(libc::SIGSTOP);
    wait_for("node 2 takes over", SOON, || pair.holds(1));
    pair.daemons[0].signal(libc::SIGCONT);
    wait_for("node 1 takes it back", SOON, || {
        pair.holds(0) && !pair.holds(1)
    });
    let line = pair.daemons[0].wait_for_line("this host is too busy", SOON);
    assert!(line.is_some(), "{:#?}", pair.daemons[0].output());
}

#[test]
fn a_backup_that_was_frozen_takes_nothing_over_from_a_live_peer() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    for _ in 0..5 {
        pair.daemons[1].signal(libc::SIGSTOP);
        thread::sleep(Duration::from_millis(700));
        pair.daemons[1].signal(libc::SIGCONT);
        thread::sleep(Duration::from_millis(300));
    }
    let output = pair.daemons[1].output();
    let masters = output
        .iter()
        .filter(|line| line.contains("Entering MASTER"))
        .count();
    assert_eq!(masters, 0, "{output:#?}");
}

#[test]
fn mistakes_between_peers_are_named_once() {
    let Some(pair) = Pair::start([&fast(200), &fast(100)]) else {
        return;
    };
    let stranger = |more: &str, n: u8| {
        let name = format!("stranger{n}");
        let node = host(&pair.lab, &name, &format!("192.168.1.{n}/24"));
        let daemon = vipd(&node, &pair.folder.write(&format!("{name}.conf"), more));
        (node, daemon)
    };
    let says = |text: &str| {
        pair.daemons[0]
            .output()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    };
    // Each becomes active, since it takes the other's adverts for somebody else's.
    let other = |change: &dyn Fn(String) -> String| change(fast(50));
    let _version = stranger(
        &other(&|t| t.replace("version 3", "version 2").replace("0.1", "1")),
        11,
    );
    let _vrid = stranger(&other(&|t| t.replace("router_id 51", "router_id 52")), 12);
    wait_for("another version", SOON, || {
        says("advert from 192.168.1.11 discarded: VRRP version differs") == 1
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(says("192.168.1.11"), 1, "named once");
    assert_eq!(
        says("192.168.1.12"),
        0,
        "another virtual router is no mistake"
    );

    // A peer that agrees on everything but interval and addresses.
    let file = pair.folder.0.join("node2.conf");
    let differs = fast(100)
        .replace("advert_int 0.1", "advert_int 0.2")
        .replace(VIP, "192.168.1.99");
    fs::write(&file, differs).unwrap();
    pair.daemons[1].signal(libc::SIGHUP);
    let says = |text: &str| {
        pair.daemons[1]
            .output()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    };
    wait_for("another list", SOON, || {
        says("192.168.1.1 advertises other addresses than ours") == 1
    });
    assert_eq!(
        says("192.168.1.1 advertises every 0.1 s, we every 0.2 s"),
        1
    );
    thread::sleep(Duration::from_secs(1));
    assert_eq!(says("advertises other addresses"), 1, "named once");
    let text = statistics(&pair.daemons[1], &file);
    assert!(
        counted(&text, "Packet Errors", "Address List") > 0,
        "{text}"
    );
    assert!(pair.holds(0));
}

/// Sends garbage of many kinds to the VRRP group and says how many packets left.
fn flood(count: u32) -> u32 {
    use rand::{Rng, RngExt, SeedableRng};
    use vipd::sys::socket::{AdvertSocket, Listen};
    use vipd::types::{InterfaceName, Interval, Priority, Secret, Version, Vrid};
    use vipd::wire::ip::{GROUP_V4, Protocol, emit_v4};
    use vipd::wire::vrrp::{Authentication, ChecksumForm, Outgoing, emit};

    let mut rng = rand_xorshift::XorShiftRng::seed_from_u64(1);
    let eth0 = InterfaceName::new("eth0").unwrap();
    let index = nix::net::if_::if_nametoindex("eth0").unwrap();
    let group = Listen::Group(GROUP_V4.into());
    let socket = AdvertSocket::open(&eth0, index, group, Protocol::Vrrp).unwrap();
    let source = Ipv4Addr::new(192, 168, 1, 50);
    let password = Authentication::Password(Secret::new(b"1234"));
    let vip: IpAddr = VIP.parse().unwrap();
    let good = emit(&Outgoing {
        version: Version::V2,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority::new(255),
        interval: Interval::DEFAULT,
        addresses: &[vip],
        authentication: &password,
        checksum: ChecksumForm::Message,
        source: source.into(),
        destination: GROUP_V4.into(),
    });
    let mut sent = 0;
    for number in 0..count {
        let mut message = good.clone();
        let mut ttl = 255;
        match number % 5 {
            0 => {
                let at = rng.random_range(0..message.len());
                message[at] ^= rng.random_range(1..=255_u8);
            }
            1 => message.truncate(rng.random_range(0..message.len())),
            2 => {
                message = vec![0; rng.random_range(0..200)];
                rng.fill_bytes(&mut message);
            }
            3 => ttl = rng.random_range(0..255),
            _ => message.extend_from_slice(&[0; 4]),
        }
        let packet = emit_v4(source, GROUP_V4, ttl, 1, &message);
        sent += u32::from(socket.send(GROUP_V4.into(), &packet).is_ok());
        if number % 100 == 0 {
            thread::sleep(MILLISECOND);
        }
    }
    sent
}
