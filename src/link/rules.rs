//! The firewall's rules, in the language of `nft`.
//!
//! Two things have rules: traffic to addresses without accept mode is dropped, and what a device
//! with a virtual MAC address would say by itself leaves from the interface below, so that a
//! switch learns nothing from a Backup. keepalived-behaviour.md §9.

use std::fmt::Write;

use super::device::Key;
use crate::config::model::{Config, Firewall};
use crate::types::Family;

/// The set of addresses that are dropped.
pub const ADDRESSES: &str = "vips";
/// The set of link-local addresses that are dropped, each with its interface.
pub const LINK_LOCAL_ADDRESSES: &str = "vips_link_local";

/// The map from devices to the interfaces below them.
const MAP: &str = "vmac_map";

/// Which rules there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// IPv4 addresses may be without accept mode.
    pub drop_v4: bool,
    /// IPv6 addresses may be.
    pub drop_v6: bool,
    /// Devices carry virtual routers for IPv4.
    pub devices_v4: bool,
    /// Devices have IPv6 addresses.
    pub devices_v6: bool,
}

impl Shape {
    /// The rules that `config` needs.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut shape = Self::default();
        for instance in &config.instances {
            let ipv6 = instance.all_addresses().any(|a| a.address.is_ipv6());
            if !instance.accept_mode {
                shape.drop_v4 |= instance.all_addresses().any(|a| a.address.is_ipv4());
                shape.drop_v6 |= ipv6;
            }
            // An ipvlan has the MAC address of the interface, and may say what it likes.
            let moving = Key::all(instance).into_iter();
            for (_, family) in moving.filter(|(key, _)| key.mac().is_some()) {
                shape.devices_v4 |= family == Family::V4;
                shape.devices_v6 |= family == Family::V6;
            }
        }
        shape
    }

    /// There is nothing to filter.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// All rules of this and of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            drop_v4: self.drop_v4 || other.drop_v4,
            drop_v6: self.drop_v6 || other.drop_v6,
            devices_v4: self.devices_v4 || other.devices_v4,
            devices_v6: self.devices_v6 || other.devices_v6,
        }
    }

    /// Without the rules for devices, for a kernel that cannot duplicate packets.
    #[must_use]
    pub const fn without_devices(self) -> Self {
        Self {
            devices_v4: false,
            devices_v6: false,
            ..self
        }
    }
}

/// A device and the interface below it, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The device.
    pub device: u32,
    /// The interface below.
    pub base: u32,
    /// It carries virtual routers for IPv4.
    pub ipv4: bool,
    /// It has IPv6 addresses.
    pub ipv6: bool,
}

/// Removes the tables, whether or not they exist.
#[must_use]
pub fn remove(firewall: &Firewall) -> String {
    let table = &firewall.table;
    let mut script = String::new();
    for family in ["ip", "ip6"] {
        line(&mut script, &format!("add table {family} {table}"));
        line(&mut script, &format!("delete table {family} {table}"));
    }
    script
}

/// Makes the tables, or changes their rules; what the sets hold stays.
#[must_use]
pub fn make(firewall: &Firewall, shape: Shape) -> String {
    let mut script = String::new();
    if shape.drop_v4 || shape.devices_v4 {
        ipv4(&mut Table::new(&mut script, "ip", firewall), shape);
    }
    if shape.drop_v6 || shape.devices_v6 {
        ipv6(&mut Table::new(&mut script, "ip6", firewall), shape);
    }
    script
}

/// Tells the rules about the devices that there are now.
#[must_use]
pub fn devices(firewall: &Firewall, shape: Shape, pairs: &[Pair]) -> String {
    let table = &firewall.table;
    let mut script = String::new();
    let mut fill = |family: &str, set: &str, elements: Vec<String>| {
        let kind = if set == MAP { "map" } else { "set" };
        line(&mut script, &format!("flush {kind} {family} {table} {set}"));
        if !elements.is_empty() {
            let list = elements.join(", ");
            let element = format!("add element {family} {table} {set} {{ {list} }}");
            line(&mut script, &element);
        }
    };
    let entry = |pair: &Pair| format!("{} : {}", pair.device, pair.base);
    if shape.devices_v4 {
        let ours = pairs.iter().filter(|pair| pair.ipv4);
        fill("ip", MAP, ours.map(entry).collect());
    }
    if shape.devices_v6 {
        let ours = || pairs.iter().filter(|pair| pair.ipv6);
        fill("ip6", MAP, ours().map(entry).collect());
        let alone = ours().map(|pair| pair.device.to_string());
        fill("ip6", "vmac_set", alone.collect());
    }
    script
}

fn ipv4(table: &mut Table<'_>, shape: Shape) {
    table.base_chain("out", "output");
    if shape.devices_v4 {
        table.map(MAP, "iface_index : iface_index");
        table.duplicate("ip protocol igmp", "ip daddr");
    }
    if shape.drop_v4 {
        table.set(ADDRESSES, "ipv4_addr");
        table.rule("out", "ip saddr @vips", "drop");
        table.base_chain("in", "input");
        table.rule("in", "ip daddr @vips", "drop");
    }
}

fn ipv6(table: &mut Table<'_>, shape: Shape) {
    const NEIGHBOURS: &str = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }";
    const REPORTS: &str = "icmpv6 type { mld-listener-report, mld-listener-done, \
                           mld2-listener-report }";
    table.base_chain("out", "output");
    if shape.devices_v6 {
        table.map(MAP, "iface_index : iface_index");
        table.set("vmac_set", "iface_index");
        table.duplicate(REPORTS, "ip6 daddr");
        let solicitation = "icmpv6 type nd-router-solicit meta oifkind \"macvlan\" oif @vmac_set";
        table.rule("out", solicitation, "drop");
    }
    if !shape.drop_v6 {
        return;
    }
    table.set(ADDRESSES, "ipv6_addr");
    table.set(LINK_LOCAL_ADDRESSES, "ipv6_addr . iface_index");
    table.base_chain("in", "input");
    for (chain, end, side) in [("out", "saddr", "oif"), ("in", "daddr", "iif")] {
        let link_local = format!("{chain}_link_local");
        table.chain(&link_local);
        let one = format!("ip6 {end} . {side} @{LINK_LOCAL_ADDRESSES}");
        table.rule(&link_local, &one, "drop");
        table.rule(chain, NEIGHBOURS, "accept");
        let all = format!("ip6 {end} fe80::/10");
        table.rule(chain, &all, &format!("goto {link_local}"));
        table.rule(chain, &format!("ip6 {end} @{ADDRESSES}"), "drop");
    }
}

/// Commands for one table.
struct Table<'a> {
    script: &'a mut String,
    place: String,
    firewall: &'a Firewall,
}

impl<'a> Table<'a> {
    fn new(script: &'a mut String, family: &str, firewall: &'a Firewall) -> Self {
        let place = format!("{family} {}", firewall.table);
        line(script, &format!("add table {place}"));
        Self {
            script,
            place,
            firewall,
        }
    }

    fn set(&mut self, name: &str, kind: &str) {
        let place = &self.place;
        let command = format!("add set {place} {name} {{ type {kind}; }}");
        line(self.script, &command);
    }

    fn map(&mut self, name: &str, kind: &str) {
        let place = &self.place;
        let command = format!("add map {place} {name} {{ type {kind}; }}");
        line(self.script, &command);
    }

    fn base_chain(&mut self, name: &str, hook: &str) {
        let (place, priority) = (&self.place, self.firewall.priority);
        let kind = format!("type filter hook {hook} priority {priority}; policy accept;");
        line(
            self.script,
            &format!("add chain {place} {name} {{ {kind} }}"),
        );
        line(self.script, &format!("flush chain {place} {name}"));
    }

    fn chain(&mut self, name: &str) {
        let place = &self.place;
        line(self.script, &format!("add chain {place} {name}"));
        line(self.script, &format!("flush chain {place} {name}"));
    }

    fn rule(&mut self, chain: &str, matches: &str, verdict: &str) {
        let place = &self.place;
        let counter = if self.firewall.counters {
            "counter "
        } else {
            ""
        };
        let command = format!("add rule {place} {chain} {matches} {counter}{verdict}");
        line(self.script, &command);
    }

    /// What a device says by itself leaves from the interface below.
    fn duplicate(&mut self, what: &str, destination: &str) {
        let matches = format!(
            "{what} meta oifkind \"macvlan\" dup to {destination} device oif map @vmac_map"
        );
        self.rule("out", &matches, "drop");
    }
}

fn line(script: &mut String, command: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(script, "{command}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_where_nothing_is_filtered() {
        assert_eq!(make(&Firewall::default(), Shape::default()), "");
        assert!(Shape::of(&Config::default()).is_empty());
    }

    #[test]
    fn addresses_without_accept_mode_are_dropped_both_ways() {
        let shape = Shape {
            drop_v4: true,
            ..Shape::default()
        };
        let script = make(&Firewall::default(), shape);
        assert!(script.contains("add rule ip keepalived in ip daddr @vips drop\n"));
        assert!(script.contains("add rule ip keepalived out ip saddr @vips drop\n"));
        assert!(!script.contains("igmp"));
    }

    #[test]
    fn counters_come_before_the_verdict() {
        let firewall = Firewall {
            counters: true,
            priority: -5,
            ..Firewall::default()
        };
        let shape = Shape {
            drop_v4: true,
            ..Shape::default()
        };
        let script = make(&firewall, shape);
        assert!(script.contains("@vips counter drop"));
        assert!(script.contains("hook input priority -5;"));
    }

    #[test]
    fn a_device_is_known_with_the_interface_below() {
        let shape = Shape {
            devices_v4: true,
            ..Shape::default()
        };
        let pair = Pair {
            device: 7,
            base: 2,
            ipv4: true,
            ipv6: false,
        };
        let script = devices(&Firewall::default(), shape, &[pair]);
        assert!(script.contains("add element ip keepalived vmac_map { 7 : 2 }"));
        assert!(!script.contains("ip6"));
    }
}
