//! Peers far away: routed, named, without an interface, and with the checksums of old.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says why"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{
    Folder, Instance, SOON, VIP, VIP6, VIPS6, has, host, installed, keepalived, lab, no_errors,
    stays, vipd, wait_for,
};
use vipd::lab::{Captured, Host, Lab, Process};
use vipd::types::{Interval, Version};
use vipd::wire::ip::Packet;
use vipd::wire::vrrp::{Authentication, ChecksumForm, Demands, receive};

fn ip(host: &Host, arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace());
    let mut process = host.spawn(&mut command).unwrap();
    let status = process.wait(SOON);
    let output = process.output();
    assert!(
        status.is_some_and(|s| s.success()),
        "ip {arguments}: {output:?}"
    );
}

fn said(daemon: &Process, text: &str) -> usize {
    let output = daemon.output();
    output.iter().filter(|line| line.contains(text)).count()
}

/// Two nodes in networks of their own with a router between. The address of the first is on its
/// loopback, where only routes lead to.
struct Routed {
    folder: Folder,
    nodes: [Host; 2],
    _router: Host,
    lab: Lab,
}

impl Routed {
    fn new() -> Option<Self> {
        if !installed("ip") {
            return None;
        }
        let lab = lab()?;
        let router = host(&lab, "router", "192.168.1.254/24");
        let nodes = [
            host(&lab, "node1", "192.168.1.1/24"),
            host(&lab, "node2", "192.168.2.2/24"),
        ];
        for (key, value) in [
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv4/conf/all/send_redirects", "0"),
            ("net/ipv4/conf/eth0/send_redirects", "0"),
            ("net/ipv6/conf/all/forwarding", "1"),
        ] {
            router.namespace().set_sysctl(key, value).unwrap();
        }
        for address in ["192.168.2.254/24", "fd00:1::fe/64", "fd00:2::fe/64"] {
            router.add_address(address).unwrap();
        }
        nodes[0].add_address("fd00:1::1/64").unwrap();
        nodes[1].add_address("fd00:2::2/64").unwrap();
        for address in ["10.0.1.1/32", "fd00:a::1/128"] {
            ip(&nodes[0], &format!("address add {address} dev lo"));
        }
        ip(&router, "route add 10.0.1.1 via 192.168.1.1");
        ip(&router, "route add fd00:a::1 via fd00:1::1");
        for (node, net) in [(0, 1), (1, 2)] {
            ip(
                &nodes[node],
                &format!("route add default via 192.168.{net}.254"),
            );
            ip(
                &nodes[node],
                &format!("route add default via fd00:{net}::fe"),
            );
        }
        Some(Self {
            folder: Folder::new(),
            nodes,
            _router: router,
            lab,
        })
    }

    /// An instance without an interface for node 1, or one with an interface for node 2.
    fn text(&self, node: usize, priority: u8, v6: bool, ttls: &str) -> String {
        let (us, peer) = match (v6, node) {
            (false, 0) => ("10.0.1.1", "192.168.2.2"),
            (false, _) => ("192.168.2.2", "10.0.1.1"),
            (true, 0) => ("fd00:a::1", "fd00:2::2"),
            (true, _) => ("fd00:2::2", "fd00:a::1"),
        };
        let more =
            format!("unicast_src_ip {us}\n    unicast_peer {{\n        {peer} {ttls}\n    }}");
        let vips = if v6 { VIPS6 } else { &[VIP] };
        let with_carrier: Vec<String> = vips.iter().map(|vip| format!("{vip} dev eth0")).collect();
        let with_carrier: Vec<&str> = with_carrier.iter().map(String::as_str).collect();
        let text = Instance {
            version: 3,
            priority,
            interval: "0.3",
            vips: if node == 0 { &with_carrier } else { vips },
            more: &more,
            ..Instance::default()
        }
        .text();
        if node == 0 {
            text.replace("    interface eth0\n", "")
        } else {
            text
        }
    }

    fn start(&self, node: usize, with: fn(&Host, &Path) -> Process, text: &str) -> Process {
        let name = format!("node{}.conf", node + 1);
        with(&self.nodes[node], &self.folder.write(&name, text))
    }

    fn only(&self, node: usize, vip: &str) -> bool {
        has(&self.nodes[node], vip) && !has(&self.nodes[1 - node], vip)
    }
}

const ONE_ROUTER: &str = "min_ttl 254 max_ttl 254";

#[test]
fn an_instance_without_an_interface_elects_through_a_router_beside_keepalived() {
    if !installed("keepalived") {
        return;
    }
    for (ours, theirs) in [(150, 100), (100, 150)] {
        let Some(routed) = Routed::new() else { return };
        let preferred = usize::from(ours < theirs);
        let first_text = routed.text(0, ours, false, ONE_ROUTER);
        let mut daemons = [
            routed.start(0, vipd, &first_text),
            routed.start(1, keepalived, &routed.text(1, theirs, false, "")),
        ];
        wait_for("the preferred node wins", SOON, || {
            routed.only(preferred, VIP)
        });
        assert_eq!(said(&daemons[0], "discarded"), 0);
        daemons[preferred].terminate();
        wait_for("the other takes over", SOON, || {
            routed.only(1 - preferred, VIP)
        });
        daemons[preferred].wait(SOON).expect("it ends");
        if preferred == 0 {
            daemons[0] = routed.start(0, vipd, &first_text);
            wait_for("node 1 preempts", SOON, || routed.only(0, VIP));
        }
        no_errors(&daemons[0]);
    }
}

#[test]
fn routed_ipv6_peers_elect_and_a_hop_too_many_is_not_believed() {
    let Some(routed) = Routed::new() else { return };
    let capture = routed.lab.capture(|f| f.advert().is_some()).unwrap();
    let first = routed.start(0, vipd, &routed.text(0, 150, true, ONE_ROUTER));
    let second = routed.start(1, vipd, &routed.text(1, 100, true, ONE_ROUTER));
    wait_for("node 1 wins", SOON, || routed.only(0, VIP6));
    let forwarded = capture.find(SOON, |f| &*f.port == "router").unwrap();
    assert_eq!(forwarded.advert().unwrap().hop_limit, 254);

    let stricter = routed.text(1, 100, true, "min_ttl 255");
    routed.folder.write("node2.conf", &stricter);
    second.signal(libc::SIGHUP);
    let line = "from fd00:a::1 discarded: TTL is outside the peer's min_ttl and max_ttl";
    wait_for("the complaint", SOON, || said(&second, line) > 0);
    wait_for("node 2 is active too", SOON, || has(&routed.nodes[1], VIP6));
    no_errors(&first);
}

#[test]
fn without_an_interface_the_source_address_decides() {
    let Some(routed) = Routed::new() else { return };
    let first = routed.start(0, vipd, &routed.text(0, 150, false, ""));
    let _second = routed.start(1, vipd, &routed.text(1, 100, false, ""));
    wait_for("node 1 wins", SOON, || routed.only(0, VIP));
    ip(&routed.nodes[0], "address delete 10.0.1.1/32 dev lo");
    let fault = first.wait_for_line("NoPrimaryAddress", SOON);
    assert!(fault.is_some(), "{:#?}", first.output());
    wait_for("node 2 takes over", SOON, || routed.only(1, VIP));
    ip(&routed.nodes[0], "address add 10.0.1.1/32 dev lo");
    wait_for("node 1 returns", SOON, || routed.only(0, VIP));
    // The interface of an address counts like that of the instance.
    ip(&routed.nodes[0], "link set eth0 down");
    let fault = first.wait_for_line("AddressInterface", SOON);
    assert!(fault.is_some(), "{:#?}", first.output());
    wait_for("node 2 takes over again", SOON, || routed.only(1, VIP));
    no_errors(&first);
}

#[test]
fn three_peers_elect_and_hand_over_in_turn() {
    if !installed("keepalived") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = |n: u8, priority: u8, with: fn(&Host, &Path) -> Process| {
        let peers = (1..=3)
            .filter(|p| *p != n)
            .map(|p| format!("192.168.1.{p}\n"));
        let more = format!(
            "unicast_src_ip 192.168.1.{n}\ncheck_unicast_src\nunicast_peer {{\n{}}}",
            peers.collect::<String>()
        );
        let text = Instance {
            version: 3,
            priority,
            interval: "0.2",
            more: &more,
            ..Instance::default()
        }
        .text();
        let host = host(&lab, &format!("node{n}"), &format!("192.168.1.{n}/24"));
        let daemon = with(&host, &folder.write(&format!("node{n}.conf"), &text));
        (host, daemon)
    };
    let nodes = [
        node(1, 200, vipd),
        node(2, 150, keepalived),
        node(3, 100, vipd),
    ];
    let only = |n: usize| {
        let holds = nodes.iter().map(|(host, _)| has(host, VIP));
        holds.enumerate().all(|(at, holds)| holds == (at == n))
    };
    for (n, (_, daemon)) in nodes.iter().enumerate() {
        wait_for("the best one left holds the address", SOON, || only(n));
        daemon.terminate();
    }
}

#[test]
fn an_instance_without_peers_stays_at_fault_until_it_gets_one() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let one = host(&lab, "node1", "192.168.1.1/24");
    let text = |peers: &str| {
        let more = format!("unicast_fault_no_peer\nunicast_peer {{\n{peers}\n}}");
        Instance {
            version: 3,
            interval: "0.1",
            more: &more,
            ..Instance::default()
        }
        .text()
    };
    let daemon = vipd(&one, &folder.write("node1.conf", &text("")));
    let line = daemon.wait_for_line("Entering FAULT STATE", SOON);
    assert!(line.unwrap().contains("NoPeers"));
    stays("nobody", Duration::from_millis(800), || !has(&one, VIP));
    folder.write("node1.conf", &text("192.168.1.2"));
    daemon.signal(libc::SIGHUP);
    wait_for("it is active", SOON, || has(&one, VIP));
}

/// A node with a list of hosts and a name server of its own.
struct Named {
    host: Host,
    hosts: PathBuf,
    servers: PathBuf,
    daemon: Process,
}

impl Named {
    fn start(lab: &Lab, folder: &Folder, number: u8, text: &str) -> Self {
        let host = host(
            lab,
            &format!("node{number}"),
            &format!("192.168.1.{number}/24"),
        );
        let file = folder.write(&format!("node{number}.conf"), text);
        let hosts = folder.write(&format!("hosts{number}"), "127.0.0.1 localhost\n");
        let servers = folder.write(&format!("servers{number}"), "nameserver 127.0.0.1\n");
        let script = format!(
            "mount --bind {} /etc/hosts && mount --bind {} /etc/resolv.conf && exec {} run -v -f {}",
            hosts.display(),
            servers.display(),
            env!("CARGO_BIN_EXE_vipd"),
            file.display()
        );
        let mut command = Command::new("unshare");
        command.env("RUNTIME_DIRECTORY", &folder.0);
        command.args(["--mount", "sh", "-c", &script]);
        let daemon = host.spawn(&mut command).unwrap();
        Self {
            host,
            hosts,
            servers,
            daemon,
        }
    }

    fn holds(&self) -> bool {
        has(&self.host, VIP)
    }
}

fn named(priority: u8) -> String {
    Instance {
        version: 3,
        priority,
        interval: "0.1",
        more: "unicast_peer {\n        cluster.test\n    }",
        ..Instance::default()
    }
    .text()
}

/// Longest time between adverts of `port` to `destination`, and how many there were.
fn gaps(frames: &[Captured], port: &str, destination: &str) -> (Duration, usize) {
    let destination: std::net::IpAddr = destination.parse().unwrap();
    let ours = frames.iter().filter(|f| &*f.port == port);
    let to = ours.filter(|f| f.advert().is_some_and(|a| a.destination == destination));
    let times: Vec<u64> = to.map(|f| f.at_nanos).collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    (
        Duration::from_nanos(gaps.max().unwrap_or(u64::MAX)),
        times.len(),
    )
}

#[test]
fn peers_are_found_by_name_without_holding_the_engine_up() {
    if !installed("unshare") {
        return;
    }
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let nodes = [(1, 200), (2, 100)].map(|(n, priority)| {
        let text = named(priority);
        Named::start(&lab, &folder, n, &text)
    });
    let [one, two] = &nodes;

    // Who cannot speak to anybody does not claim the address.
    for node in &nodes {
        let line = node
            .daemon
            .wait_for_line("the peer cluster.test cannot be found", SOON);
        assert!(line.is_some(), "{:#?}", node.daemon.output());
        let line = node.daemon.wait_for_line("Entering FAULT STATE", SOON);
        assert!(line.unwrap().contains("PeersUnknown"));
    }
    stays("nobody", Duration::from_millis(700), || {
        !one.holds() && !two.holds()
    });

    // One name for the whole cluster, ourselves included.
    let cluster = "192.168.1.1 cluster.test\n192.168.1.2 cluster.test\n";
    nodes
        .iter()
        .for_each(|node| fs::write(&node.hosts, cluster).unwrap());
    wait_for("node 1 wins", SOON, || one.holds() && !two.holds());
    assert_eq!(
        said(&one.daemon, "(VI_1) the peer cluster.test is 192.168.1.2"),
        1
    );
    assert_eq!(
        said(&two.daemon, "(VI_1) the peer cluster.test is 192.168.1.1"),
        1
    );
    assert_eq!(said(&two.daemon, "Entering MASTER"), 0);

    // A reload looks again.
    let capture = lab.capture(|f| f.advert().is_some()).unwrap();
    let more = format!("{cluster}192.168.1.3 cluster.test\n");
    fs::write(&one.hosts, more).unwrap();
    one.daemon.signal(libc::SIGHUP);
    let line = "(VI_1) the peer cluster.test is 192.168.1.2, 192.168.1.3";
    assert!(one.daemon.wait_for_line(line, SOON).is_some());

    // A name server that does not answer costs no advert and no peer.
    fs::write(&one.servers, "nameserver 192.168.1.77\n").unwrap();
    fs::write(&one.hosts, "").unwrap();
    let _ = capture.drain();
    one.daemon.signal(libc::SIGHUP);
    let line = "names of peers are still being looked up";
    assert!(
        one.daemon.wait_for_line(line, SOON).is_some(),
        "{:#?}",
        one.daemon.output()
    );
    wait_for("the reload", SOON, || {
        said(&one.daemon, "Reload complete") == 2
    });
    let (gap, count) = gaps(&capture.drain(), "node1", "192.168.1.2");
    assert!(count > 10, "{count} adverts");
    assert!(
        gap < Duration::from_millis(150),
        "{gap:?} without an advert"
    );
    assert!(one.holds() && !two.holds());
    nodes.iter().for_each(|node| no_errors(&node.daemon));
}

fn form(frame: &Captured) -> Option<ChecksumForm> {
    let advert = frame.advert()?;
    let packet = Packet {
        source: advert.source,
        destination: advert.destination,
        hop_limit: 255,
        payload: &advert.message,
    };
    let demands = Demands {
        version: Version::V3,
        authentication: &Authentication::None,
        interval: Some(Interval::DEFAULT),
        link_local_first: false,
        check_hop_limit: false,
    };
    receive(&packet, &demands).ok().map(|r| r.checksum)
}

#[test]
fn the_checksum_of_old_is_answered_and_sent_as_asked_for() {
    if !installed("keepalived") {
        return;
    }
    let text = |us: u8, priority: u8, option: &str| {
        let more = format!(
            "unicast_src_ip 192.168.1.{us}\nunicast_peer {{\n192.168.1.{}\n}}\n{option}",
            3 - us
        );
        Instance {
            version: 3,
            priority,
            interval: "0.2",
            more: &more,
            ..Instance::default()
        }
        .text()
    };
    let group = Some(ChecksumForm::GroupPseudoHeader);
    let usual = Some(ChecksumForm::PseudoHeader);
    // keepalived's option, ours, and what ours sends once it has heard keepalived.
    for (theirs, ours, expected) in [
        ("old_unicast_checksum", "", group),
        ("", "old_unicast_checksum", group),
        ("", "", usual),
    ] {
        let Some(lab) = lab() else { return };
        let folder = Folder::new();
        let capture = lab.capture(|f| f.advert().is_some()).unwrap();
        let one = host(&lab, "node1", "192.168.1.1/24");
        let two = host(&lab, "node2", "192.168.1.2/24");
        let [first_file, second_file] = [("1", text(1, 100, theirs)), ("2", text(2, 150, ours))]
            .map(|(n, text)| folder.write(&format!("node{n}.conf"), &text));
        let mut first = keepalived(&one, &first_file);
        wait_for("keepalived is active", SOON, || has(&one, VIP));
        let mut second = vipd(&two, &second_file);
        wait_for("vipd preempts", SOON, || has(&two, VIP) && !has(&one, VIP));
        thread::sleep(Duration::from_millis(300));
        let by = |port: &str, frames: &[Captured]| {
            let last = frames.iter().rev().find(|f| &*f.port == port);
            last.and_then(form)
        };
        let frames = capture.drain();
        assert_eq!(by("node2", &frames), expected, "{theirs:?} {ours:?}");
        let old = if theirs.is_empty() { usual } else { group };
        assert_eq!(by("node1", &frames), old, "{theirs:?}");
        assert_eq!(said(&second, "discarded"), 0, "{:#?}", second.output());
        let named = said(&second, "192.168.1.1 sends ");
        let differs = !theirs.is_empty() || !ours.is_empty();
        assert_eq!(named > 0, differs, "{:#?}", second.output());
        // keepalived has believed what it heard: it takes over at once.
        second.terminate();
        wait_for("keepalived takes over", SOON, || {
            has(&one, VIP) && !has(&two, VIP)
        });
        second.wait(SOON).expect("vipd ends");
        first.kill();
    }
}

/// A node with a peer, and that peer, which speaks to a group with `more` in its file.
fn one_with_peers_and_one_with_a_group(instance: &Instance<'_>, network: &str, more: &str) {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let [one, two] = [1, 2].map(|n| {
        let node = host(&lab, &format!("node{n}"), &format!("192.168.1.{n}/24"));
        node.add_address(&format!("fd00::{n}/64")).unwrap();
        node
    });
    let source = |n: u8| format!("{network}{n}");
    let peers = format!("unicast_peer {{\n{}\n}}", source(2));
    let first = instance.text().replace(
        "VI_1 {",
        &format!("VI_1 {{\nunicast_src_ip {}\n{peers}", source(1)),
    );
    let second = instance.text().replace(
        "VI_1 {",
        &format!("VI_1 {{\nmcast_src_ip {}\n{more}", source(2)),
    );
    let daemons = [
        vipd(&one, &folder.write("one.conf", &first)),
        vipd(&two, &folder.write("two.conf", &second)),
    ];
    let says = |n: usize, text: &str| {
        let output = daemons[n].output();
        output.iter().filter(|line| line.contains(text)).count()
    };
    let words = |n| format!("advert from {} discarded: sent to a group", source(n));
    let counts = || [says(0, &words(2)), says(1, &words(1))];
    let vip = instance.vips[0];
    // On a device with the virtual MAC address, if there is one.
    let active = |n: usize| says(n, "Entering MASTER") > 0;
    wait_for("both are active, and say why", SOON, || {
        active(0) && active(1) && counts().iter().all(|n| *n > 0)
    });
    assert!(has(&one, vip));
    thread::sleep(Duration::from_millis(300));
    // Once in each state, not with each advert.
    let before = counts();
    assert!(before.iter().all(|n| *n <= 2), "{before:?}");
    thread::sleep(Duration::from_millis(600));
    assert_eq!(counts(), before);
    daemons.iter().for_each(no_errors);
}

#[test]
fn a_peer_that_speaks_the_other_way_is_named_once() {
    let four = Instance {
        version: 3,
        interval: "0.1",
        ..Instance::default()
    };
    one_with_peers_and_one_with_a_group(&four, "192.168.1.", "");
    one_with_peers_and_one_with_a_group(&four, "192.168.1.", "use_vmac");
    let six = Instance {
        interval: "0.1",
        ..Instance::v6()
    };
    one_with_peers_and_one_with_a_group(&six, "fd00::", "");
}

#[test]
fn a_virtual_router_of_others_with_our_number_is_no_mistake() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let one = host(&lab, "node1", "192.168.1.1/24");
    let other = host(&lab, "node3", "192.168.1.3/24");
    let instance = |more: &str| {
        let instance = Instance {
            version: 3,
            interval: "0.1",
            more,
            ..Instance::default()
        };
        instance.text()
    };
    let peers = "unicast_peer {\n192.168.1.2\n}";
    let daemon = vipd(&one, &folder.write("one.conf", &instance(peers)));
    let _other = vipd(&other, &folder.write("other.conf", &instance("")));
    let words = "192.168.1.3 uses our VRID with multicast; it is none of our peers";
    assert!(daemon.wait_for_line(words, SOON).is_some());
    let output = daemon.output();
    let warns = |line: &&String| line.contains("WARN") && line.contains("192.168.1.3");
    assert_eq!(output.iter().filter(warns).count(), 0, "{output:#?}");
}
