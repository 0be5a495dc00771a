//! Virtual MAC addresses and accept mode, for both families: devices, settings, what a switch
//! learns, and the wire.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and says why"
)]

#[path = "../common/mod.rs"]
mod common;

mod accept;
mod addresses;
mod interop;
mod ipv6;
mod lifecycle;
mod repair;
mod wire;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Folder, Instance, SOON, VIP, VIP6, host, installed, lab, no_errors, vipd, wait_for};
use vipd::lab::{Capture, Captured, EchoServer, Host, Lab, Prober, Process};
use vipd::sys::netlink::Link;
use vipd::types::InterfaceName;

const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];
const MAC6: [u8; 6] = [0, 0, 0x5e, 0, 2, 51];
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

/// The same over IPv6.
fn text6(priority: u8, more: &str) -> String {
    Instance {
        priority,
        interval: "0.1",
        more: &format!("use_vmac\n    {more}"),
        ..Instance::v6()
    }
    .text()
}

/// A host with an address of each family.
fn node(lab: &Lab, name: &str, number: u8) -> Host {
    let host = host(lab, name, &format!("192.168.1.{number}/24"));
    host.add_address(&format!("fd00::{number}/64")).unwrap();
    host
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
    [VIP, VIP6].iter().any(|vip| has_on(host, "vrrp.51", vip))
}

/// The MAC address of the host itself.
fn physical(host: &Host) -> [u8; 6] {
    link(host, "eth0").unwrap().mac().unwrap()
}

fn source_mac(frame: &Captured) -> [u8; 6] {
    *frame.bytes[6..].first_chunk().unwrap()
}

/// Every IP setting of every interface.
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
        let node = node(&lab, "node1", 1);
        let folder = Folder::new();
        Some(Self { folder, node, lab })
    }

    fn start(&self, text: &str) -> Process {
        vipd(&self.node, &self.folder.write("node1.conf", text))
    }

    /// The host is as it was `before`, when the daemon has ended.
    fn ends_without_trace(&self, daemon: &mut Process, before: &BTreeMap<PathBuf, String>) {
        ends_well(daemon);
        assert_eq!(macvlans(&self.node), [""; 0]);
        assert_eq!(settings(&self.node), *before);
        assert!(!state_file(&self.folder, &self.node).exists());
        if installed("nft") {
            assert_eq!(ruleset(&self.node), "");
        }
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
        let nodes = [node(&lab, "node1", 1), node(&lab, "node2", 2)];
        let client = node(&lab, "client", 50);
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

    /// Node 1 stops, and node 2 takes over.
    fn hand_over(&mut self) {
        self.daemons[0].terminate();
        wait_for("node 2 is active", SOON, || self.holds(1) && !self.holds(0));
        self.daemons[0].wait(SOON).expect("vipd ends");
    }

    /// Node 1 comes back and preempts node 2.
    fn take_back(&mut self) {
        self.restart(0);
        wait_for("node 1 is active", SOON, || self.holds(0) && !self.holds(1));
    }

    /// A client that asks every millisecond is always answered, while node 1 stops and comes back.
    fn loses_no_probe(mut self, vip: &str) {
        let _servers = [0, 1].map(|n| EchoServer::start(&self.nodes[n], PORT).unwrap());
        let prober = self.prober(vip);
        self.hand_over();
        thread::sleep(Duration::from_millis(300));
        let report = prober.finish();
        if self.is_too_slow() {
            return;
        }
        assert_eq!(report.lost.len(), 0, "of {} probes at SIGTERM", report.sent);
        assert!(report.answered_by.contains_key("node2"), "{report:?}");
        let prober = self.prober(vip);
        self.take_back();
        thread::sleep(Duration::from_millis(300));
        let report = prober.finish();
        if self.is_too_slow() {
            return;
        }
        assert_eq!(
            report.lost.len(),
            0,
            "of {} probes at preemption",
            report.sent
        );
        self.daemons.iter().for_each(no_errors);
    }

    /// The kernel itself has left an address without its route for so long that nobody can help it.
    fn is_too_slow(&self) -> bool {
        let late = |line: &String| line.contains("takes no packets for");
        let slow = self.daemons.iter().any(|d| d.output().iter().any(late));
        if slow {
            println!("skipped: the kernel was busy for 50 ms before it took an address in");
        }
        slow
    }

    fn prober(&self, vip: &str) -> Prober {
        let target = (vip.parse::<IpAddr>().unwrap(), PORT).into();
        let prober = Prober::start(&self.client, target, MILLISECOND).unwrap();
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

fn delete(host: &Host, name: &str) {
    let index = link(host, name).unwrap().index;
    host.netlink().unwrap().delete_link(index).unwrap();
}
