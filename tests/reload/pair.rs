//! The files of two nodes, and random changes to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_xorshift::XorShiftRng;

/// What a node's file says of one virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Router {
    pub(crate) name: String,
    priority: u8,
    /// Tenths of a second.
    interval: u8,
    vips: BTreeSet<u8>,
    more: BTreeSet<&'static str>,
    /// The key that adverts are signed with, if the virtual router is signed: 1 or 2.
    key: u8,
}

pub(crate) const ROUTERS: u8 = 5;
pub(crate) const NODES: usize = 2;
/// Options that move no address.
const OPTIONS: [&str; 9] = [
    "garp_master_delay 1",
    "garp_master_repeat 2",
    "preempt_delay 0",
    "notify_master /bin/true",
    "notify_backup /bin/true",
    "higher_prio_send_advert on",
    "track_script {\n        well\n    }",
    "dont_track_primary",
    "virtual_ipaddress_excluded {\n        fd00::VRID/64\n    }",
];
/// Their members keep their priorities, so that a node is to hold all of them or none.
const GROUP: [u8; 2] = [1, 3];
/// It has a virtual MAC address.
const WITH_MAC: u8 = 2;
/// Nodes sign its adverts, with either of two keys that both know.
const SIGNED: [u8; 2] = [3, 4];

pub(crate) fn vip(vrid: u8, number: u8) -> String {
    format!("192.168.1.{}", vrid * 10 + number)
}

pub(crate) type Node = BTreeMap<u8, Router>;

/// What both files say.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) nodes: [Node; NODES],
    renames: u32,
    globals: u32,
    /// Which nodes have a sync group.
    grouped: [bool; NODES],
}

/// What somebody did to the files.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) node: usize,
    pub(crate) vrid: Option<u8>,
    pub(crate) what: &'static str,
    pub(crate) breaks: bool,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let node = |n: u8| {
            (1..=ROUTERS - 1)
                .map(|vrid| (vrid, Router::new(n, vrid)))
                .collect()
        };
        Self {
            nodes: [node(0), node(1)],
            renames: 0,
            globals: 0,
            grouped: [true; NODES],
        }
    }

    /// The node that has the higher priority of those that know the virtual router.
    fn holder(&self, vrid: u8) -> Option<usize> {
        let priority = |n: &usize| self.nodes[*n].get(&vrid).map(|r| r.priority);
        (0..NODES)
            .filter(|n| priority(n).is_some())
            .max_by_key(priority)
    }

    /// The addresses that a node is to have.
    pub(crate) fn addresses(&self, node: usize) -> BTreeSet<String> {
        let routers = self.nodes[node].iter();
        let held = routers.filter(|(vrid, _)| self.holder(**vrid) == Some(node));
        held.flat_map(|(vrid, r)| r.vips.iter().map(|number| vip(*vrid, *number)))
            .collect()
    }

    /// The IPv6 addresses that a node is to have beside them.
    pub(crate) fn excluded(&self, node: usize) -> BTreeSet<String> {
        let routers = self.nodes[node].iter();
        let held = routers.filter(|(vrid, _)| self.holder(**vrid) == Some(node));
        let listed = held.filter(|(_, r)| r.more.iter().any(|o| o.contains("fd00::VRID")));
        listed.map(|(vrid, _)| format!("fd00::{vrid}")).collect()
    }

    /// Every address that somebody answers for.
    pub(crate) fn served(&self) -> BTreeSet<String> {
        (0..NODES).flat_map(|n| self.addresses(n)).collect()
    }

    /// The file of a node, in an order of its own.
    pub(crate) fn text(&self, node: usize, rng: &mut XorShiftRng) -> String {
        let mut text = format!(
            "# edited\nglobal_defs {{\n    router_id r{}\n}}\n",
            self.globals
        );
        text += "vrrp_script well {\n    script /bin/true\n    interval 1\n}\n";
        let mut routers: Vec<_> = self.nodes[node].iter().collect();
        if rng.random_bool(0.5) {
            routers.reverse();
        }
        for (vrid, router) in routers {
            let vips: Vec<_> = router
                .vips
                .iter()
                .map(|number| vip(*vrid, *number))
                .collect();
            let mut more: Vec<_> = router.more.iter().copied().collect();
            let signed = format!(
                "auth_hmac {{\n        key 1 hex:{0}\n        key 2 hex:{1}\n        \
                 active_key {2}\n    }}",
                "11".repeat(32),
                "22".repeat(32),
                router.key
            );
            if *vrid == WITH_MAC {
                more.push("use_vmac");
            }
            if SIGNED.contains(vrid) {
                more.push(&signed);
            }
            let more = more.join("\n    ").replace("VRID", &vrid.to_string());
            let _ = write!(
                text,
                "vrrp_instance {} {{\n    interface eth0\n    version 3\n    \
                 virtual_router_id {vrid}\n    priority {}\n    advert_int 0.{}\n    {}\n    \
                 virtual_ipaddress {{\n        {}\n    }}\n}}\n",
                router.name,
                router.priority,
                router.interval,
                more,
                vips.join("\n        ")
            );
        }
        if self.grouped[node] {
            let names = GROUP.map(|vrid| self.nodes[node][&vrid].name.clone());
            let _ = write!(
                text,
                "vrrp_sync_group G {{\n    group {{\n        {}\n    }}\n    \
                 notify_master /bin/true\n}}\n",
                names.join("\n        ")
            );
        }
        text
    }

    /// Changes something, or nothing.
    pub(crate) fn edit(&mut self, rng: &mut XorShiftRng) -> Edit {
        let node = rng.random_range(0..NODES);
        let peers: BTreeMap<u8, u8> = self.nodes[1 - node]
            .iter()
            .map(|(vrid, router)| (*vrid, router.interval))
            .collect();
        let mine = &mut self.nodes[node];
        let known: Vec<u8> = mine.keys().copied().collect();
        let missing: Vec<u8> = (1..=ROUTERS).filter(|v| !mine.contains_key(v)).collect();
        let mut edit = Edit {
            node,
            vrid: None,
            what: "nothing",
            breaks: false,
        };
        let choice = rng.random_range(0..12);
        if choice == 0 {
            edit.what = "break";
            edit.breaks = true;
            return edit;
        }
        if choice == 1 {
            self.globals += 1;
            edit.what = "globals";
            return edit;
        }
        if choice == 10 {
            self.grouped[node] = !self.grouped[node];
            edit.what = "group";
            return edit;
        }
        if choice == 2
            && let Some(&vrid) = missing.choose(rng)
        {
            let mut router = Router::new(u8::try_from(node).unwrap(), vrid);
            // One that starts knows its own interval alone, and would overrun a slower peer
            // before it has heard the first advert: RFC 9568 section 6.4.1.
            if let Some(interval) = peers.get(&vrid) {
                router.interval = *interval;
            }
            self.renames += 1;
            router.name += &format!("_{}", self.renames);
            mine.insert(vrid, router);
            return Edit {
                vrid: Some(vrid),
                what: "add",
                ..edit
            };
        }
        let Some(&vrid) = known.choose(rng) else {
            return edit;
        };
        edit.vrid = Some(vrid);
        let router = mine.get_mut(&vrid).unwrap();
        match choice {
            3 if known.len() > 1 && !GROUP.contains(&vrid) => {
                mine.remove(&vrid);
                edit.what = "remove";
            }
            4 => {
                self.renames += 1;
                router.name = format!("VI_{vrid}_{}", self.renames);
                edit.what = "rename";
            }
            // Odd on one node and even on the other: there is no tie.
            5 | 6 if !GROUP.contains(&vrid) => {
                router.priority = rng.random_range(20..=120) * 2 + u8::try_from(node).unwrap();
                edit.what = "priority";
            }
            7 => {
                router.interval = rng.random_range(1..=4);
                edit.what = "interval";
            }
            8 => {
                let number = rng.random_range(0..3);
                if !router.vips.remove(&number) || router.vips.is_empty() {
                    router.vips.insert(number);
                }
                edit.what = "address";
            }
            11 if SIGNED.contains(&vrid) => {
                router.key = 3 - router.key;
                edit.what = "key";
            }
            _ => {
                let option = OPTIONS.choose(rng).unwrap();
                if !router.more.remove(option) {
                    router.more.insert(option);
                }
                edit.what = option;
            }
        }
        edit
    }
}

impl Router {
    fn new(node: u8, vrid: u8) -> Self {
        Self {
            name: format!("VI_{vrid}"),
            priority: if (node + vrid).is_multiple_of(2) {
                200
            } else {
                100
            } + node,
            interval: 1,
            vips: BTreeSet::from([0, 1]),
            more: BTreeSet::new(),
            key: 1,
        }
    }
}
