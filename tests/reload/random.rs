//! Random reloads of two nodes under traffic: no probe is lost that a change does not demand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use rand::SeedableRng;
use rand_xorshift::XorShiftRng;
use serde_json::Value;
use vipd::lab::{EchoServer, Host, Prober, Process, realtime_nanos};

use crate::common::{Folder, SOON, host, lab, vipd};
use crate::pair::{Edit, NODES, Pair, ROUTERS, vip};
use crate::reload;

const PORT: u16 = 4000;

/// The daemons and what they are watched with.
struct Rig {
    hosts: Vec<Host>,
    daemons: Vec<Process>,
    folder: Folder,
    _servers: Vec<EchoServer>,
    client: Host,
    _lab: vipd::lab::Lab,
}

impl Rig {
    fn start(pair: &Pair, rng: &mut XorShiftRng) -> Option<Self> {
        let lab = lab()?;
        let folder = Folder::new();
        let hosts: Vec<_> = (0..NODES)
            .map(|n| {
                host(
                    &lab,
                    &format!("node{n}"),
                    &format!("192.168.1.{}/24", n + 1),
                )
            })
            .collect();
        let client = host(&lab, "client", "192.168.1.250/24");
        let servers = hosts
            .iter()
            .map(|h| EchoServer::start(h, PORT).unwrap())
            .collect();
        let daemons = hosts.iter().enumerate().map(|(n, host)| {
            let file = folder.write(&format!("node{n}.conf"), &pair.text(n, rng));
            vipd(host, &file)
        });
        Some(Self {
            daemons: daemons.collect(),
            hosts,
            folder,
            _servers: servers,
            client,
            _lab: lab,
        })
    }

    /// The virtual addresses that the kernel of a node has, on all its devices.
    fn addresses(&self, node: usize) -> BTreeSet<String> {
        let all = self.hosts[node].netlink().unwrap().addresses(None).unwrap();
        let all = all.iter().map(|a| a.address.to_string());
        let own = format!("192.168.1.{}", node + 1);
        let moves = |a: &String| a.starts_with("192.168.") || a.starts_with("fd00:");
        all.filter(|a| moves(a) && *a != own).collect()
    }

    /// Devices that were made for virtual MAC addresses.
    fn devices(&self, node: usize) -> Vec<String> {
        let all = self.hosts[node].netlink().unwrap().links().unwrap();
        let names = all.iter().map(|link| link.name.to_string());
        names.filter(|name| name.starts_with("vrrp.")).collect()
    }

    fn settle(&self, pair: &Pair, what: &str) {
        let end = vipd::lab::now() + SOON;
        for node in 0..NODES {
            let mut wanted = pair.addresses(node);
            wanted.extend(pair.excluded(node));
            while self.addresses(node) != wanted {
                let log = self.daemons[node].output();
                let last = log.len().saturating_sub(60);
                assert!(
                    vipd::lab::now() < end,
                    "{what}: node {node} has {:?}, not {wanted:?}\n{}",
                    self.addresses(node),
                    log[last..].join("\n")
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn reload(&self, node: usize) -> (Option<i32>, Value) {
        let pid = self.daemons[node].id().to_string();
        let (status, text) = reload(&self.folder.0, &["--json", "--pid", &pid]);
        let value = serde_json::from_str(&text);
        (status, value.unwrap_or_else(|e| panic!("{e}: {text}")))
    }

    /// Resident memory in KiB.
    fn memory(&self, node: usize) -> u64 {
        let path = format!("/proc/{}/status", self.daemons[node].id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Names of the instances that changed their state since line `from`, and where the log ends.
    fn transitions(&self, node: usize, from: usize) -> (Vec<String>, usize) {
        let log = self.daemons[node].output();
        let entered = log[from..]
            .iter()
            .filter(|line| line.contains(") Entering "));
        let name = |line: &String| {
            let (_, rest) = line.rsplit_once(" (").unwrap();
            rest.split_once(')').unwrap().0.to_owned()
        };
        (entered.map(name).collect(), log.len())
    }
}

/// When an address may go unanswered: nanoseconds since 1970.
type Windows = BTreeMap<String, Vec<(u64, u64)>>;

/// Where an address comes back, clients have to learn of it: nanoseconds.
const AFTERWARDS: u64 = 500_000_000;
/// A node may find out so much later that it is backup: nanoseconds.
const LATER: u64 = 1_000_000_000;

#[test]
fn random_reloads_lose_no_probe_that_they_need_not() {
    let number =
        |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (reloads, seed) = (number("VIPD_RELOADS", 50), number("VIPD_SEED", 5));
    println!("{reloads} reloads with seed {seed} (VIPD_RELOADS, VIPD_SEED)");
    let mut rng = XorShiftRng::seed_from_u64(seed);
    let mut pair = Pair::new();
    let Some(mut rig) = Rig::start(&pair, &mut rng) else {
        return;
    };
    rig.settle(&pair, "the start");
    let all = (1..=ROUTERS).flat_map(|vrid| (0..3).map(move |number| vip(vrid, number)));
    let probers: BTreeMap<String, Prober> = all
        .map(|vip| {
            let target = SocketAddr::new(vip.parse().unwrap(), PORT);
            let prober = Prober::start(&rig.client, target, Duration::from_millis(20));
            (vip, prober.unwrap())
        })
        .collect();
    let began = realtime_nanos();
    let mut windows = Windows::new();
    for vip in probers.keys().filter(|vip| !pair.served().contains(*vip)) {
        windows.entry(vip.clone()).or_default().push((0, u64::MAX));
    }
    for vip in pair.served() {
        windows.entry(vip).or_default().push((0, began));
    }
    let mut lines = [0, 1].map(|node| rig.transitions(node, 0).1);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut edits: Vec<(u64, BTreeSet<String>, String)> = Vec::new();
    let mut memory = Vec::new();
    for step in 0..reloads {
        let before = pair.clone();
        let edit = pair.edit(&mut rng);
        let what = format!("reload {step}, {edit:?}");
        *counts
            .entry(edit.what.split_whitespace().next().unwrap())
            .or_default() += 1;
        let mut text = pair.text(edit.node, &mut rng);
        if edit.breaks {
            text = text.replacen("interface eth0", "interface", 1);
        }
        rig.folder.write(&format!("node{}.conf", edit.node), &text);
        let at = realtime_nanos();
        let (gone, new) = difference(&before.served(), &pair.served());
        for vip in gone {
            windows.entry(vip).or_default().push((at, u64::MAX));
        }
        let (status, reply) = rig.reload(edit.node);
        let expected = if edit.breaks {
            (Some(1), "refused")
        } else {
            (Some(0), "reloaded")
        };
        assert_eq!(
            (status, reply["result"].as_str().unwrap()),
            expected,
            "{what}: {reply}"
        );
        only_that_is_touched(&edit, &reply, &before, &pair);
        rig.settle(&pair, &what);
        let end = realtime_nanos();
        for vip in new {
            if let Some(last) = windows.get_mut(&vip).and_then(|w| w.last_mut()) {
                last.1 = end;
            }
        }
        let names: BTreeSet<String> = [&before, &pair]
            .iter()
            .flat_map(|p| p.nodes.iter().filter_map(|n| n.get(&edit.vrid?)))
            .map(|router| router.name.clone())
            .collect();
        edits.push((at, names, what));
        for (node, from) in lines.iter_mut().enumerate() {
            let (entered, length) = rig.transitions(node, *from);
            *from = length;
            // A backup may find out later that it is one.
            let recent = |name: &String| {
                let edits = edits.iter().rev();
                let mut edits = edits.take_while(|(then, ..)| at - then < LATER);
                edits.any(|(_, names, _)| names.contains(name))
            };
            let other = entered.iter().find(|name| !recent(name));
            if let Some(name) = other {
                let log = rig.daemons[node].output();
                panic!(
                    "{name} changed its state on node {node}\n{:#?}\n{:#?}",
                    &edits[edits.len().saturating_sub(12)..],
                    &log[log.len().saturating_sub(60)..]
                );
            }
        }
        if step % (reloads / 10).max(1) == 0 {
            memory.push([rig.memory(0), rig.memory(1)]);
        }
    }
    memory.push([rig.memory(0), rig.memory(1)]);
    thread::sleep(Duration::from_millis(1500));
    let mut lost = Vec::new();
    let (mut sent, mut absent, mut returning) = (0, 0, 0);
    for (vip, prober) in probers {
        let report = prober.finish();
        sent += report.sent;
        let allowed = windows.get(&vip).map(Vec::as_slice).unwrap_or_default();
        for probe in report.lost {
            let at = probe.sent_at_nanos;
            let within = |more: u64| {
                let until = |to: u64| to.saturating_add(more);
                allowed
                    .iter()
                    .any(|(from, to)| (*from..=until(*to)).contains(&at))
            };
            if within(0) {
                absent += 1;
            } else if within(AFTERWARDS) {
                returning += 1;
            } else {
                lost.push((vip.clone(), (at - began) / 1_000_000));
            }
        }
    }
    println!(
        "{counts:?}\n{sent} probes: {absent} lost to addresses that no file had, {returning} to \
         addresses that had just come back, {} to others",
        lost.len()
    );
    println!("memory in KiB: {memory:?}");
    for (vip, millis) in &lost {
        let near = |(at, ..): &&(u64, _, _)| {
            let at = (at - began) / 1_000_000;
            (at..at + 500).contains(millis)
        };
        let near: Vec<_> = edits
            .iter()
            .filter(near)
            .map(|(at, _, what)| (at - began, what))
            .collect();
        println!("{vip} at {millis} ms: {near:#?}");
    }
    assert_eq!(lost, [], "address and milliseconds since the beginning");
    flat(&memory);
    for daemon in &mut rig.daemons {
        daemon.terminate();
        assert!(daemon.wait(SOON).expect("vipd ends").success());
    }
    for node in 0..NODES {
        assert_eq!(rig.addresses(node), BTreeSet::new(), "node {node} leaks");
        assert_eq!(rig.devices(node), [] as [&str; 0], "node {node} leaks");
    }
}

/// What is only in the first, and what is only in the second.
fn difference(a: &BTreeSet<String>, b: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    (
        a.difference(b).cloned().collect(),
        b.difference(a).cloned().collect(),
    )
}

/// The daemon says itself what it does: to the virtual router that was edited, and to no other.
fn only_that_is_touched(edit: &Edit, reply: &Value, before: &Pair, after: &Pair) {
    let Some(instances) = reply["instances"].as_array() else {
        return;
    };
    let name = |pair: &Pair| Some(pair.nodes[edit.node].get(&edit.vrid?)?.name.clone());
    let edited = [name(before), name(after)];
    for outcome in instances {
        let is_edited = edited
            .iter()
            .flatten()
            .any(|name| outcome["instance"] == **name);
        assert!(
            is_edited || outcome["fate"] == "untouched",
            "{edit:?}: {outcome}"
        );
    }
}

/// In the second half memory does not grow by more than two buffers' worth: until then every kind
/// of object has been made once.
fn flat(memory: &[[u64; NODES]]) {
    let settled = &memory[memory.len() / 2];
    let last = memory.last().unwrap();
    for node in 0..NODES {
        let grown = last[node].saturating_sub(settled[node]);
        assert!(grown < 1024, "node {node} grew by {grown} KiB: {memory:?}");
    }
}
