//! Virtual MAC addresses and accept mode: devices, settings, what a switch learns, and the wire.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

mod common;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{
    Folder, Instance, SOON, VIP, host, installed, lab, no_errors, stays, target, vipd, wait_for,
};
use vipd::lab::{Capture, EchoServer, Host, Lab, Prober, Process};
use vipd::sys::netlink::Link;
use vipd::types::InterfaceName;

const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];
const MILLISECOND: Duration = Duration::from_millis(1);
const PORT: u16 = 7;

/// One instance with a virtual MAC; three adverts are 300 ms.
fn text(priority: u8, more: &str) -> String {
    Instance {
        version: 3,
        priority,
        interval: "0.1",
        more: &format!("use_vmac\n    {more}"),
        ..Instance::default()
    }
    .text()
}

fn link(host: &Host, name: &str) -> Option<Link> {
    let name = InterfaceName::new(name).unwrap();
    host.netlink().unwrap().link_by_name(&name).unwrap()
}

/// Names of the macvlans on `host`.
fn macvlans(host: &Host) -> Vec<String> {
    let links = host.netlink().unwrap().links().unwrap();
    let ours = links
        .iter()
        .filter(|l| l.kind.as_deref() == Some("macvlan"));
    ours.map(|l| l.name.as_str().to_owned()).collect()
}

/// Whether `address` is on the interface `name`.
fn has_on(host: &Host, name: &str, address: &str) -> bool {
    let wanted: IpAddr = address.parse().unwrap();
    let Some(link) = link(host, name) else {
        return false;
    };
    let addresses = host.netlink().unwrap().addresses(Some(link.index)).unwrap();
    addresses.iter().any(|a| a.address == wanted)
}

fn holds(host: &Host) -> bool {
    has_on(host, "vrrp.51", VIP)
}

/// Every IPv4 setting of every interface.
fn settings(host: &Host) -> BTreeMap<PathBuf, String> {
    host.enter(|| {
        let mut found = BTreeMap::new();
        for folder in ["/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv6/conf"] {
            for interface in std::fs::read_dir(folder).unwrap().flatten() {
                for file in std::fs::read_dir(interface.path()).unwrap().flatten() {
                    let value = std::fs::read_to_string(file.path()).unwrap_or_default();
                    found.insert(file.path(), value);
                }
            }
        }
        let reports = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";
        let value = std::fs::read_to_string(reports).unwrap_or_default();
        found.insert(reports.into(), value);
        found
    })
    .unwrap()
}

fn run(host: &Host, program: &str, arguments: &[&str]) -> String {
    let output = host
        .enter(|| Command::new(program).args(arguments).output().unwrap())
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn ruleset(host: &Host) -> String {
    run(host, "nft", &["list", "ruleset"])
}

/// Where a successor in the network of `host` would look for what is to be undone.
fn state_file(folder: &Folder, host: &Host) -> PathBuf {
    let number = host
        .enter(|| std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino())
        .unwrap();
    folder.0.join(format!("network-{number}.json"))
}

struct One {
    folder: Folder,
    node: Host,
    lab: Lab,
}

impl One {
    fn new() -> Option<Self> {
        let lab = lab()?;
        let node = host(&lab, "node1", "192.168.1.1/24");
        let folder = Folder::new();
        Some(Self { folder, node, lab })
    }

    fn start(&self, text: &str) -> Process {
        vipd(&self.node, &self.folder.write("node1.conf", text))
    }
}

fn ends_well(process: &mut Process) {
    process.terminate();
    let status = process.wait(SOON).expect("vipd ends");
    assert!(
        status.success(),
        "{status}\n{}",
        process.output().join("\n")
    );
    no_errors(process);
}

#[test]
fn a_device_comes_with_the_daemon_and_goes_with_it() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let device = link(&one.node, "vrrp.51").unwrap();
    assert_eq!(device.mac(), Some(MAC));
    assert!(device.private_macvlan && device.up);
    assert_eq!(device.parent, Some(one.node.eth0().unwrap()));
    assert!(!has_on(&one.node, "eth0", VIP));
    let during = settings(&one.node);
    let value = |family: &str, interface: &str, key: &str| {
        let path = format!("/proc/sys/net/{family}/conf/{interface}/{key}");
        during[&PathBuf::from(path)].trim().to_owned()
    };
    assert_eq!(value("ipv4", "vrrp.51", "arp_ignore"), "1");
    assert_eq!(value("ipv4", "vrrp.51", "accept_local"), "1");
    assert_eq!(value("ipv4", "vrrp.51", "rp_filter"), "0");
    assert_eq!(value("ipv4", "vrrp.51", "promote_secondaries"), "1");
    assert_eq!(value("ipv6", "vrrp.51", "disable_ipv6"), "1");
    assert_eq!(value("ipv4", "eth0", "arp_ignore"), "1");
    assert_eq!(value("ipv4", "eth0", "arp_filter"), "1");
    let file = std::fs::metadata(state_file(&one.folder, &one.node)).unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    ends_well(&mut daemon);
    assert_eq!(macvlans(&one.node), [""; 0]);
    assert_eq!(settings(&one.node), before);
    assert!(!state_file(&one.folder, &one.node).exists());
    if installed("nft") {
        assert_eq!(ruleset(&one.node), "");
    }
}

#[test]
fn the_reverse_path_filter_of_all_moves_to_each_and_back() {
    let Some(one) = One::new() else { return };
    let set = |key: &str, value| one.node.namespace().set_sysctl(key, value).unwrap();
    let get = |key: &str| one.node.namespace().sysctl(key).unwrap();
    set("net/ipv4/conf/all/rp_filter", "2");
    set("net/ipv4/conf/default/rp_filter", "0");
    set("net/ipv4/conf/eth0/rp_filter", "1");
    let before = settings(&one.node);
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    assert_eq!(get("net/ipv4/conf/all/rp_filter"), "0");
    assert_eq!(get("net/ipv4/conf/eth0/rp_filter"), "2");
    assert_eq!(get("net/ipv4/conf/default/rp_filter"), "2");
    assert_eq!(get("net/ipv4/conf/vrrp.51/rp_filter"), "0");
    // A crash, and a successor that has no virtual MAC: it cleans up.
    daemon.kill();
    let file = one.folder.write("plain.conf", &Instance::default().text());
    let mut successor = vipd(&one.node, &file);
    wait_for("the device goes", SOON, || macvlans(&one.node).is_empty());
    wait_for("the settings are back", SOON, || {
        settings(&one.node) == before
    });
    ends_well(&mut successor);
    assert!(!state_file(&one.folder, &one.node).exists());
}

#[test]
fn what_somebody_else_has_set_meanwhile_stays() {
    let Some(one) = One::new() else { return };
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let key = "net/ipv4/conf/eth0/arp_ignore";
    one.node.namespace().set_sysctl(key, "2").unwrap();
    ends_well(&mut daemon);
    assert_eq!(one.node.namespace().sysctl(key).unwrap(), "2");
    let filter = "net/ipv4/conf/eth0/arp_filter";
    assert_eq!(one.node.namespace().sysctl(filter).unwrap(), "0");
}

#[test]
fn a_device_that_a_crash_left_is_taken_over() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let mut first = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let index = link(&one.node, "vrrp.51").unwrap().index;
    first.kill();
    assert_eq!(link(&one.node, "vrrp.51").unwrap().index, index);
    let mut second = one.start(&text(100, ""));
    wait_for("it starts as a backup", SOON, || !holds(&one.node));
    wait_for("it takes the address", SOON, || holds(&one.node));
    assert_eq!(link(&one.node, "vrrp.51").unwrap().index, index);
    ends_well(&mut second);
    assert_eq!(macvlans(&one.node), [""; 0]);
    // Also after the crash, what is restored is what was there before the first run.
    assert_eq!(settings(&one.node), before);
}

#[test]
fn a_reload_that_takes_the_device_away_hands_over_first() {
    let Some(one) = One::new() else { return };
    let before = settings(&one.node);
    let capture = one.lab.capture(|f| f.advert().is_some()).unwrap();
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let plain = text(100, "").replace("use_vmac", "");
    one.folder.write("node1.conf", &plain);
    daemon.signal(libc::SIGHUP);
    let release = capture.find(SOON, |f| f.advert().unwrap().priority == 0);
    assert_eq!(release.unwrap().bytes[6..12], MAC);
    wait_for("the device goes", SOON, || macvlans(&one.node).is_empty());
    wait_for("the address is on eth0", SOON, || {
        has_on(&one.node, "eth0", VIP)
    });
    wait_for("the settings are back", SOON, || {
        settings(&one.node) == before
    });
    // And back again: the device is there before the instance begins.
    one.folder.write("node1.conf", &text(100, ""));
    daemon.signal(libc::SIGHUP);
    wait_for("the address is on the device", SOON, || holds(&one.node));
    ends_well(&mut daemon);
    let faults = daemon.output().into_iter().filter(|l| l.contains("FAULT"));
    assert_eq!(faults.collect::<Vec<_>>(), [""; 0]);
    assert_eq!(settings(&one.node), before);
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    let Some(one) = One::new() else { return };
    let taken = InterfaceName::new("vrrp.51").unwrap();
    let mut netlink = one.node.netlink().unwrap();
    netlink.create_bridge(&taken).unwrap();
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "vrrp1.51", VIP)
    });
    ends_well(&mut daemon);
    assert!(link(&one.node, "vrrp.51").is_some());
    assert_eq!(macvlans(&one.node), [""; 0]);
}

#[test]
fn an_interface_that_has_the_configured_name_is_not_used() {
    let Some(one) = One::new() else { return };
    let taken = InterfaceName::new("mine").unwrap();
    let mut netlink = one.node.netlink().unwrap();
    netlink.create_bridge(&taken).unwrap();
    let index = netlink.link_by_name(&taken).unwrap().unwrap().index;
    netlink.set_up(index, true).unwrap();
    let mut daemon = one.start(&text(100, "").replace("use_vmac", "use_vmac name mine"));
    daemon
        .wait_for_line("exists and is no private macvlan on eth0", SOON)
        .expect("it says why");
    stays("nothing is there", Duration::from_secs(1), || {
        !has_on(&one.node, "mine", VIP)
    });
    // It goes, and the device takes its place.
    netlink.delete_link(index).unwrap();
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "mine", VIP)
    });
    ends_well(&mut daemon);
}

#[test]
fn own_addresses_names_and_groups_are_obeyed() {
    let Some(one) = One::new() else { return };
    let options = "use_vmac shared0 02:11:22:33:44 group 42";
    let mut daemon = one.start(&text(100, "").replace("use_vmac", options));
    wait_for("the address is on the device", SOON, || {
        has_on(&one.node, "shared0", VIP)
    });
    let device = link(&one.node, "shared0").unwrap();
    assert_eq!(device.mac(), Some([2, 0x11, 0x22, 0x33, 0x44, 51]));
    assert_eq!(device.group, 42);
    ends_well(&mut daemon);
}

#[test]
fn an_address_for_the_base_interface_is_put_on_the_device() {
    let Some(one) = One::new() else { return };
    let vip = format!("{VIP}/24 dev eth0");
    let mut daemon = one.start(&text(100, "").replace(VIP, &vip));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    assert!(!has_on(&one.node, "eth0", VIP));
    ends_well(&mut daemon);
}

/// Two nodes and a client.
struct Pair {
    folder: Folder,
    nodes: [Host; 2],
    daemons: [Process; 2],
    client: Host,
    lab: Lab,
}

impl Pair {
    fn start(texts: [&str; 2]) -> Option<Self> {
        Self::start_with(texts, |_| {})
    }

    /// `before` runs when nothing has been sent yet.
    fn start_with(texts: [&str; 2], before: impl FnOnce(&Lab)) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let nodes = [
            host(&lab, "node1", "192.168.1.1/24"),
            host(&lab, "node2", "192.168.1.2/24"),
        ];
        let client = host(&lab, "client", "192.168.1.50/24");
        before(&lab);
        let daemons = [0, 1].map(|n| {
            let file = folder.write(&format!("node{}.conf", n + 1), texts[n]);
            vipd(&nodes[n], &file)
        });
        let pair = Self {
            folder,
            nodes,
            daemons,
            client,
            lab,
        };
        wait_for("node 1 is active", SOON, || pair.holds(0) && !pair.holds(1));
        Some(pair)
    }

    fn holds(&self, node: usize) -> bool {
        holds(&self.nodes[node])
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

    /// Every frame on the wire.
    fn capture(&self) -> Capture {
        self.lab.capture(|_| true).unwrap()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if thread::panicking() {
            for daemon in &self.daemons {
                println!("{:#?}", daemon.output());
            }
        }
    }
}

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
    let from_backup = |f: &vipd::lab::Captured| &*f.port == "node2" && f.bytes[6..12] == MAC;
    let wrong: Vec<_> = capture.drain().into_iter().filter(from_backup).collect();
    assert_eq!(wrong, []);
    pair.daemons[0].terminate();
    wait_for("the switch knows node 2", SOON, || {
        learned(&pair).as_deref() == Some("node2")
    });
    pair.daemons[0].wait(SOON).expect("vipd ends");
    let _ = capture.drain();
    pair.restart(0);
    wait_for("node 1 takes it back", SOON, || {
        pair.holds(0) && !pair.holds(1)
    });
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
    let Some(mut pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    let _servers = [0, 1].map(|n| EchoServer::start(&pair.nodes[n], PORT).unwrap());
    let prober = pair.prober();
    pair.daemons[0].terminate();
    wait_for("node 2 is active", SOON, || pair.holds(1) && !pair.holds(0));
    pair.daemons[0].wait(SOON).expect("vipd ends");
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(report.lost.len(), 0, "of {} probes at SIGTERM", report.sent);
    assert!(report.answered_by.contains_key("node2"), "{report:?}");
    let prober = pair.prober();
    pair.restart(0);
    wait_for("node 1 is active again", SOON, || {
        pair.holds(0) && !pair.holds(1)
    });
    thread::sleep(Duration::from_millis(300));
    let report = prober.finish();
    assert_eq!(
        report.lost.len(),
        0,
        "of {} probes at preemption",
        report.sent
    );
    pair.daemons.iter().for_each(no_errors);
}

fn delete(host: &Host, name: &str) {
    let index = link(host, name).unwrap().index;
    host.netlink().unwrap().delete_link(index).unwrap();
}

#[test]
fn a_device_that_somebody_deletes_is_made_again_without_a_takeover() {
    let Some(pair) = Pair::start([&text(200, ""), &text(100, "")]) else {
        return;
    };
    let _servers = [0, 1].map(|n| EchoServer::start(&pair.nodes[n], PORT).unwrap());
    let index = |node: usize| link(&pair.nodes[node], "vrrp.51").map(|l| l.index);
    let prober = pair.prober();
    for node in [1, 0] {
        let before = index(node);
        delete(&pair.nodes[node], "vrrp.51");
        wait_for("it is made again", SOON, || {
            index(node).is_some() && index(node) != before
        });
        wait_for("node 1 has the address", SOON, || pair.holds(0));
        let filter = pair.nodes[node]
            .namespace()
            .sysctl("net/ipv4/conf/vrrp.51/rp_filter");
        assert_eq!(filter.unwrap(), "0");
    }
    // The new device is known to the rules, too.
    if installed("nft") {
        for node in &pair.nodes {
            let rules = run(
                node,
                "nft",
                &["list", "map", "ip", "keepalived", "vmac_map"],
            );
            assert!(rules.contains("\"vrrp.51\" : \"eth0\""), "{rules}");
        }
    }
    stays("node 1 is active", Duration::from_secs(1), || {
        pair.holds(0) && !pair.holds(1)
    });
    let report = prober.finish();
    // keepalived: a fault, and a takeover after three adverts.
    let outage = report.longest_outage;
    assert!(outage < Duration::from_millis(200), "{outage:?}");
    for daemon in &pair.daemons {
        let output = daemon.output();
        assert!(!output.iter().any(|l| l.contains("FAULT")), "{output:#?}");
    }
}

#[test]
fn a_device_that_is_switched_off_or_readdressed_is_mended() {
    let Some(one) = One::new() else { return };
    let mut daemon = one.start(&text(100, ""));
    wait_for("the address is on the device", SOON, || holds(&one.node));
    let index = link(&one.node, "vrrp.51").unwrap().index;
    let mut netlink = one.node.netlink().unwrap();
    netlink.set_up(index, false).unwrap();
    wait_for("it is switched on", SOON, || {
        link(&one.node, "vrrp.51").unwrap().up
    });
    netlink.set_mac(index, [2, 0, 0, 0, 0, 9]).unwrap();
    wait_for("it has its address", SOON, || {
        link(&one.node, "vrrp.51").unwrap().mac() == Some(MAC)
    });
    wait_for("the address is on the device", SOON, || holds(&one.node));
    ends_well(&mut daemon);
}

#[test]
fn a_base_that_goes_down_is_a_fault_and_one_that_returns_is_built_on_again() {
    let Some(lab) = lab() else { return };
    let folder = Folder::new();
    let node = lab.host("node1").unwrap();
    let mut netlink = node.netlink().unwrap();
    let (a, b) = (
        InterfaceName::new("base").unwrap(),
        InterfaceName::new("other").unwrap(),
    );
    let mut plug = |n: u8| {
        netlink.create_veth(&a, &b, node.namespace()).unwrap();
        for name in [&a, &b] {
            let index = netlink.link_by_name(name).unwrap().unwrap().index;
            netlink.set_up(index, true).unwrap();
        }
        let index = netlink.link_by_name(&a).unwrap().unwrap().index;
        let address = vipd::types::VirtualAddress::new([10, 7, 0, n].into(), 24);
        netlink.add_addresses(&[(index, address)]).unwrap();
        index
    };
    let index = plug(1);
    let file = folder.write("node1.conf", &text(100, "").replace("eth0", "base"));
    let mut daemon = vipd(&node, &file);
    wait_for("the address is on the device", SOON, || holds(&node));
    let mut other = node.netlink().unwrap();
    other.set_up(index, false).unwrap();
    wait_for("a fault", SOON, || !holds(&node));
    other.set_up(index, true).unwrap();
    wait_for("the address is back", SOON, || holds(&node));
    other.delete_link(index).unwrap();
    wait_for("the device is gone", SOON, || macvlans(&node).is_empty());
    let index = plug(2);
    wait_for("the address is back", SOON, || holds(&node));
    assert_eq!(link(&node, "vrrp.51").unwrap().parent, Some(index));
    assert_eq!(
        node.namespace()
            .sysctl("net/ipv4/conf/base/arp_ignore")
            .unwrap(),
        "1"
    );
    ends_well(&mut daemon);
    assert_eq!(
        node.namespace()
            .sysctl("net/ipv4/conf/base/arp_ignore")
            .unwrap(),
        "0"
    );
}

fn connects(client: &Host, address: &str) -> bool {
    let address: SocketAddr = format!("{address}:8080").parse().unwrap();
    client
        .enter(|| TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_ok())
        .unwrap()
}

/// Whether an echo server at `address` answers a datagram.
fn echoes(client: &Host, address: &str) -> bool {
    let address: SocketAddr = format!("{address}:{PORT}").parse().unwrap();
    let ask = || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let patience = Duration::from_millis(300);
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.send_to(&[0; 8], address).unwrap();
        socket.recv(&mut [0; 64]).is_ok()
    };
    client.enter(ask).unwrap()
}

fn listen(host: &Host) -> std::net::TcpListener {
    host.enter(|| std::net::TcpListener::bind("0.0.0.0:8080").unwrap())
        .unwrap()
}

#[test]
fn without_accept_mode_traffic_to_the_address_is_dropped() {
    if !installed("nft") {
        return;
    }
    for virtual_mac in [true, false] {
        let adjust = |text: String| {
            if virtual_mac {
                text
            } else {
                text.replace("use_vmac", "")
            }
        };
        let Some(one) = One::new() else { return };
        let client = host(&one.lab, "client", "192.168.1.50/24");
        let device = if virtual_mac { "vrrp.51" } else { "eth0" };
        let _servers = (
            listen(&one.node),
            EchoServer::start(&one.node, PORT).unwrap(),
        );
        // Somebody else's rules stay.
        run(&one.node, "nft", &["add", "table", "ip", "other"]);
        let mut daemon = one.start(&adjust(text(100, "no_accept")));
        wait_for("active", SOON, || has_on(&one.node, device, VIP));
        assert!(connects(&client, "192.168.1.1") && echoes(&client, "192.168.1.1"));
        assert!(!connects(&client, VIP) && !echoes(&client, VIP));
        let set = || {
            run(
                &one.node,
                "nft",
                &["list", "set", "ip", "keepalived", "vips"],
            )
        };
        assert!(set().contains(VIP), "{}", set());
        // A reload to accept mode lets it in, and back again keeps it out.
        one.folder.write("node1.conf", &adjust(text(100, "accept")));
        daemon.signal(libc::SIGHUP);
        wait_for("it is let in", SOON, || connects(&client, VIP));
        one.folder
            .write("node1.conf", &adjust(text(100, "no_accept")));
        daemon.signal(libc::SIGHUP);
        wait_for("it is kept out", SOON, || !connects(&client, VIP));
        // A fault takes the address out of the set.
        one.node.unplug().unwrap();
        wait_for("a fault", SOON, || !has_on(&one.node, device, VIP));
        wait_for("the set is empty", SOON, || !set().contains(VIP));
        ends_well(&mut daemon);
        let left = ruleset(&one.node);
        assert!(
            left.contains("other") && !left.contains("keepalived"),
            "{left}"
        );
    }
}

#[test]
fn an_owner_accepts_in_any_case() {
    let Some(one) = One::new() else { return };
    let client = host(&one.lab, "client", "192.168.1.50/24");
    let _server = listen(&one.node);
    let owner = text(255, "no_accept\n    state MASTER").replace("use_vmac", "");
    let mut daemon = one.start(&owner);
    wait_for("active", SOON, || has_on(&one.node, "eth0", VIP));
    assert!(connects(&client, VIP));
    ends_well(&mut daemon);
}

#[test]
fn rules_that_a_crash_left_are_replaced() {
    if !installed("nft") {
        return;
    }
    let Some(one) = One::new() else { return };
    let mut first = one.start(&text(100, "no_accept"));
    wait_for("active", SOON, || holds(&one.node));
    first.kill();
    assert!(ruleset(&one.node).contains(VIP));
    let mut second = one.start(&text(100, ""));
    second
        .wait_for_line("Entering MASTER", SOON)
        .expect("active");
    wait_for("the drop rules go", SOON, || {
        !ruleset(&one.node).contains(VIP)
    });
    ends_well(&mut second);
    assert_eq!(ruleset(&one.node), "");
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
    let of_backup = |f: &vipd::lab::Captured| &*f.port == "node2" && f.bytes[6..12] == MAC;
    let wrong: Vec<_> = capture.drain().into_iter().filter(of_backup).collect();
    assert_eq!(wrong, []);
    ends_well(&mut second);
    assert_eq!(settings(&nodes[1]), before);
}
