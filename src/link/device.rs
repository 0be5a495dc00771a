//! Devices with a virtual MAC address: which there are to be, and what they are called.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::model::{Config, Instance, VirtualMac};
use crate::types::{Family, InterfaceName, Vrid};
use crate::wire::arp::Mac;

/// What makes a device the same: no interface can have two with one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Interface that it sits on.
    pub base: InterfaceName,
    /// Its address.
    pub mac: Mac,
}

impl Key {
    /// The device that `instance` runs on, if it has one of its own.
    #[must_use]
    pub fn of(instance: &Instance) -> Option<Self> {
        let virtual_mac = instance.virtual_mac.as_ref()?;
        Some(Self {
            base: instance.interface.clone()?,
            mac: virtual_mac.mac,
        })
    }
}

/// A device that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: InterfaceName,
    /// Family of the virtual routers on it.
    pub family: Family,
    /// It carries IPv6 addresses.
    pub ipv6: bool,
    /// Interface group by number or name; the base interface's when `None`.
    pub group: Option<String>,
}

/// A device that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Its name.
    pub name: InterfaceName,
    /// Its address.
    pub mac: Option<Mac>,
    /// Name of the interface that it sits on, if it is a private macvlan.
    pub private_macvlan_on: Option<InterfaceName>,
}

impl Present {
    /// It is what `key` asks for, whoever made it.
    #[must_use]
    pub fn is(&self, key: &Key) -> bool {
        self.mac == Some(key.mac) && self.private_macvlan_on.as_ref() == Some(&key.base)
    }
}

/// The devices that `config` wants on a host that has `present`.
///
/// A device keeps the name it has in `earlier`, and one that exists already is taken over with its
/// name, whatever that is. Else `use_vmac` names it, or it is `vrrp.VRID` by keepalived's rules
/// (keepalived-behaviour.md §9).
#[must_use]
pub fn wanted(
    config: &Config,
    present: &[Present],
    earlier: &BTreeMap<Key, Device>,
) -> BTreeMap<Key, Device> {
    let mut taken: BTreeSet<InterfaceName> = present.iter().map(|p| p.name.clone()).collect();
    taken.extend(earlier.values().map(|device| device.name.clone()));
    let named = |i: &Instance| i.virtual_mac.as_ref().and_then(|v| v.device.clone());
    taken.extend(config.instances.iter().filter_map(named));
    let mut devices: BTreeMap<Key, Device> = BTreeMap::new();
    for instance in &config.instances {
        let (Some(key), Some(virtual_mac)) = (Key::of(instance), &instance.virtual_mac) else {
            continue;
        };
        let ipv6 = has_ipv6(instance);
        if let Some(shared) = devices.get_mut(&key) {
            shared.ipv6 |= ipv6;
            continue;
        }
        let known = earlier.get(&key).map(|device| device.name.clone());
        let exists = || present.iter().find(|p| p.is(&key)).map(|p| p.name.clone());
        let name = known
            .or_else(exists)
            .or_else(|| virtual_mac.device.clone())
            .or_else(|| generated(config, instance, &taken));
        let Some(name) = name else { continue };
        taken.insert(name.clone());
        let device = device(instance, virtual_mac, name, ipv6);
        devices.insert(key, device);
    }
    devices
}

fn device(instance: &Instance, wanted: &VirtualMac, name: InterfaceName, ipv6: bool) -> Device {
    Device {
        name,
        family: instance.protocol.family,
        ipv6,
        group: wanted.group.clone(),
    }
}

fn has_ipv6(instance: &Instance) -> bool {
    let virtual_router = instance.protocol.family == Family::V6;
    virtual_router || instance.all_addresses().any(|a| a.address.is_ipv6())
}

/// `vrrp.VRID`, `vrrp6.VRID` for IPv6 if that is taken, then `vrrp1.VRID`, `vrrp2.VRID` …
fn generated(
    config: &Config,
    instance: &Instance,
    taken: &BTreeSet<InterfaceName>,
) -> Option<InterfaceName> {
    let prefix = config.globals.device_prefix.as_deref().unwrap_or("vrrp");
    let vrid: Vrid = instance.protocol.vrid;
    let plain = format!("{prefix}.{vrid}");
    let second = (instance.protocol.family == Family::V6).then(|| format!("{prefix}6.{vrid}"));
    let counted = (1..=u8::MAX).map(|n| format!("{prefix}{n}.{vrid}"));
    std::iter::once(plain)
        .chain(second)
        .chain(counted)
        .filter_map(|name| InterfaceName::new(&name))
        .find(|name| !taken.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Memory;
    use crate::config::{Options, load};

    fn config(text: &str) -> Config {
        let files = Memory::default().with("main", text);
        load("main", &Options::default(), &files).config
    }

    fn instance(name: &str, vrid: u8, more: &str) -> String {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{more}\n\
             virtual_ipaddress {{\n10.0.0.{vrid}\n}}\n}}\n"
        )
    }

    fn name(text: &str) -> InterfaceName {
        InterfaceName::new(text).unwrap()
    }

    fn names(devices: &BTreeMap<Key, Device>) -> Vec<&str> {
        devices.values().map(|d| d.name.as_str()).collect()
    }

    fn present(text: &str, mac: Mac, on: Option<&str>) -> Present {
        Present {
            name: name(text),
            mac: Some(mac),
            private_macvlan_on: on.map(name),
        }
    }

    const MAC_51: Mac = [0, 0, 0x5e, 0, 1, 51];

    #[test]
    fn a_device_is_called_after_its_vrid() {
        let config = config(&(instance("A", 51, "use_vmac") + &instance("B", 52, "")));
        let devices = wanted(&config, &[], &BTreeMap::new());
        assert_eq!(names(&devices), ["vrrp.51"]);
        assert_eq!(devices.keys().next().unwrap().mac, MAC_51);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let config = config(&instance("A", 51, "use_vmac"));
        let veth = present("vrrp.51", [2, 0, 0, 0, 0, 1], None);
        let devices = wanted(&config, &[veth], &BTreeMap::new());
        assert_eq!(names(&devices), ["vrrp1.51"]);
    }

    #[test]
    fn a_device_that_fits_is_taken_over_with_its_name() {
        let config = config(&instance("A", 51, "use_vmac wanted"));
        let left = present("left", MAC_51, Some("eth0"));
        let devices = wanted(&config, &[left], &BTreeMap::new());
        assert_eq!(names(&devices), ["left"]);
        let elsewhere = present("left", MAC_51, Some("eth1"));
        let devices = wanted(&config, &[elsewhere], &BTreeMap::new());
        assert_eq!(names(&devices), ["wanted"]);
    }

    #[test]
    fn a_reload_renames_no_device() {
        let text = instance("A", 51, "use_vmac");
        let veth = present("vrrp.51", [2, 0, 0, 0, 0, 1], None);
        let before = wanted(&config(&text), &[veth], &BTreeMap::new());
        let after = wanted(&config(&text), &[], &before);
        assert_eq!(before, after);
    }

    #[test]
    fn five_bytes_are_completed_by_the_vrid() {
        let config = config(&instance("A", 51, "use_vmac 02:11:22:33:44 group 7"));
        let devices = wanted(&config, &[], &BTreeMap::new());
        let (key, device) = devices.iter().next().unwrap();
        assert_eq!(key.mac, [2, 0x11, 0x22, 0x33, 0x44, 51]);
        assert_eq!(device.group.as_deref(), Some("7"));
    }

    #[test]
    fn an_excluded_ipv6_address_needs_ipv6_on_the_device() {
        let more = "use_vmac\nvirtual_ipaddress_excluded {\nfd00::1/64\n}";
        let config = config(&instance("A", 51, more));
        let devices = wanted(&config, &[], &BTreeMap::new());
        assert!(devices.values().all(|d| d.ipv6));
    }

    #[test]
    fn the_prefix_comes_from_the_file() {
        let globals = "global_defs {\nvmac_prefix shared\n}\n";
        let config = config(&(globals.to_owned() + &instance("A", 51, "use_vmac")));
        let devices = wanted(&config, &[], &BTreeMap::new());
        assert_eq!(names(&devices), ["shared.51"]);
    }
}
