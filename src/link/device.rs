//! Devices of our own on interfaces: which there are to be, and what they are called.
//!
//! Those with a virtual MAC address carry addresses that move; an ipvlan carries adverts alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::config::model::{Config, Instance, IpvlanMode};
use crate::types::{Family, InterfaceName, VirtualAddress, Vrid};
use crate::wire::arp::Mac;

/// What makes a device the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Interface that it sits on.
    pub base: InterfaceName,
    /// What tells it from others there.
    pub kind: Kind,
}

/// What tells devices on one interface apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A macvlan: no interface can have two with one address.
    VirtualMac(Mac),
    /// An ipvlan: whose adverts it carries, and from which address.
    Ipvlan {
        /// Family of the virtual router.
        family: Family,
        /// The virtual router.
        vrid: Vrid,
        /// The device's own address, if it is a configured one.
        address: Option<(IpAddr, u8)>,
    },
}

impl Key {
    /// The device that `instance` runs on, if it has one of its own.
    #[must_use]
    pub fn of(instance: &Instance) -> Option<Self> {
        let protocol = &instance.protocol;
        let kind = match (&instance.virtual_mac, &instance.ipvlan) {
            (Some(own), _) => Kind::VirtualMac(own.mac),
            (None, Some(own)) => Kind::Ipvlan {
                family: protocol.family,
                vrid: protocol.vrid,
                address: own.address,
            },
            (None, None) => return None,
        };
        let base = instance.interface.clone()?;
        Some(Self { base, kind })
    }

    /// The virtual MAC address of the device, unless it is an ipvlan.
    #[must_use]
    pub const fn mac(&self) -> Option<Mac> {
        match self.kind {
            Kind::VirtualMac(mac) => Some(mac),
            Kind::Ipvlan { .. } => None,
        }
    }

    /// The address that the device itself has from us.
    #[must_use]
    pub fn address(&self) -> Option<VirtualAddress> {
        match self.kind {
            Kind::VirtualMac(_) | Kind::Ipvlan { address: None, .. } => None,
            Kind::Ipvlan {
                address: Some((address, prefix_len)),
                ..
            } => Some(VirtualAddress::new(address, prefix_len)),
        }
    }

    /// The device that `address` of `instance` is on, if it is on one.
    #[must_use]
    pub fn of_address(instance: &Instance, address: &VirtualAddress) -> Option<Self> {
        Some(Self {
            kind: Kind::VirtualMac(instance.mac_of(address)?),
            base: instance.interface_of(address)?.clone(),
        })
    }

    /// Every device that `instance` needs, with each family that is on it.
    pub fn all(instance: &Instance) -> BTreeSet<(Self, Family)> {
        let own = Self::of(instance).map(|key| (key, instance.protocol.family));
        let place = |address: &VirtualAddress| {
            let key = Self::of_address(instance, address)?;
            Some((key, Family::of(&address.address)))
        };
        let places = instance.all_addresses().filter_map(place);
        places.chain(own).collect()
    }
}

/// A device that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: InterfaceName,
    /// A virtual router for IPv4 runs on it, or it carries IPv4 addresses.
    pub ipv4: bool,
    /// The same for IPv6.
    pub ipv6: bool,
    /// Interface group by number or name; the base interface's when `None`.
    pub group: Option<String>,
    /// How it sees its siblings, if it is an ipvlan.
    pub mode: Option<IpvlanMode>,
}

impl Device {
    const fn new(name: InterfaceName, group: Option<String>, mode: Option<IpvlanMode>) -> Self {
        Self {
            mode,
            name,
            ipv4: false,
            ipv6: false,
            group,
        }
    }

    const fn serve(&mut self, family: Family) {
        match family {
            Family::V4 => self.ipv4 = true,
            Family::V6 => self.ipv6 = true,
        }
    }
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
    /// Name of the interface that it sits on, if it is an ipvlan of mode L2.
    pub ipvlan_on: Option<InterfaceName>,
    /// An earlier run has made it.
    pub left_over: bool,
}

impl Present {
    /// It is what `key` asks for, whoever made it. Of an ipvlan, only the name tells which one.
    #[must_use]
    pub fn is(&self, key: &Key) -> bool {
        let on = match key.kind {
            Kind::VirtualMac(mac) => self
                .private_macvlan_on
                .as_ref()
                .filter(|_| self.mac == Some(mac)),
            Kind::Ipvlan { .. } => self.ipvlan_on.as_ref(),
        };
        on == Some(&key.base)
    }
}

/// The devices that `config` wants on a host that has `present`.
///
/// A device keeps the name it has in `earlier`, and one with the right MAC address that exists
/// already is taken over with its name, whatever that is. Else `use_vmac` or `use_ipvlan` names it,
/// or it is `vrrp.VRID` by keepalived's rules (keepalived-behaviour.md §9).
#[must_use]
pub fn wanted(
    config: &Config,
    present: &[Present],
    earlier: &BTreeMap<Key, Device>,
) -> BTreeMap<Key, Device> {
    // An ipvlan that a crash has left is taken over by its name.
    let others = present
        .iter()
        .filter(|p| !(p.left_over && p.ipvlan_on.is_some()));
    let mut taken: BTreeSet<InterfaceName> = others.map(|p| p.name.clone()).collect();
    taken.extend(earlier.values().map(|device| device.name.clone()));
    taken.extend(config.instances.iter().filter_map(|i| own(i).device));
    let mut plan = Plan {
        present,
        earlier,
        taken,
        devices: BTreeMap::new(),
    };
    let globals = &config.globals;
    let prefix = globals.device_prefix.as_deref().unwrap_or("vrrp");
    let of_addresses = globals.address_device_prefix.as_deref().unwrap_or(prefix);
    for instance in &config.instances {
        let (vrid, family) = (instance.protocol.vrid, instance.protocol.family);
        if let Some(key) = Key::of(instance) {
            let mut wishes = own(instance);
            let configured = wishes.device.take();
            plan.add(key, wishes, family, |taken| {
                configured.or_else(|| generated(prefix, vrid, family, taken))
            });
        }
        for address in instance.all_addresses() {
            let Some(key) = Key::of_address(instance, address) else {
                continue;
            };
            let family = Family::of(&address.address);
            plan.add(key, Wishes::default(), family, |taken| {
                generated(of_addresses, vrid, family, taken)
            });
        }
    }
    plan.devices
}

/// What a file says of a device.
#[derive(Default)]
struct Wishes {
    device: Option<InterfaceName>,
    group: Option<String>,
    mode: Option<IpvlanMode>,
}

/// What the file says of the device that `instance` runs on.
fn own(instance: &Instance) -> Wishes {
    match (&instance.virtual_mac, &instance.ipvlan) {
        (Some(own), _) => Wishes {
            device: own.device.clone(),
            group: own.group.clone(),
            mode: None,
        },
        (None, Some(own)) => Wishes {
            device: own.device.clone(),
            group: own.group.clone(),
            mode: Some(own.mode),
        },
        (None, None) => Wishes::default(),
    }
}

/// Names that are in use, and what has been decided.
struct Plan<'a> {
    present: &'a [Present],
    earlier: &'a BTreeMap<Key, Device>,
    taken: BTreeSet<InterfaceName>,
    devices: BTreeMap<Key, Device>,
}

impl Plan<'_> {
    fn add(
        &mut self,
        key: Key,
        wishes: Wishes,
        family: Family,
        new: impl FnOnce(&BTreeSet<InterfaceName>) -> Option<InterfaceName>,
    ) {
        if let Some(shared) = self.devices.get_mut(&key) {
            return shared.serve(family);
        }
        let known = self.earlier.get(&key).map(|device| device.name.clone());
        let exists = || {
            self.present
                .iter()
                .find(|p| key.mac().is_some() && p.is(&key))
        };
        let found = known.or_else(|| exists().map(|p| p.name.clone()));
        let Some(name) = found.or_else(|| new(&self.taken)) else {
            return;
        };
        self.taken.insert(name.clone());
        let mut device = Device::new(name, wishes.group, wishes.mode);
        device.serve(family);
        self.devices.insert(key, device);
    }
}

/// `PREFIX.VRID`, `PREFIX6.VRID` for IPv6 if that is taken, then `PREFIX1.VRID`, `PREFIX2.VRID` …
fn generated(
    prefix: &str,
    vrid: Vrid,
    family: Family,
    taken: &BTreeSet<InterfaceName>,
) -> Option<InterfaceName> {
    let plain = format!("{prefix}.{vrid}");
    let second = (family == Family::V6).then(|| format!("{prefix}6.{vrid}"));
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
            ipvlan_on: None,
            left_over: false,
        }
    }

    const MAC_51: Mac = [0, 0, 0x5e, 0, 1, 51];

    #[test]
    fn a_device_is_called_after_its_vrid() {
        let config = config(&(instance("A", 51, "use_vmac") + &instance("B", 52, "")));
        let devices = wanted(&config, &[], &BTreeMap::new());
        assert_eq!(names(&devices), ["vrrp.51"]);
        assert_eq!(devices.keys().next().unwrap().mac(), Some(MAC_51));
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
        assert_eq!(key.mac(), Some([2, 0x11, 0x22, 0x33, 0x44, 51]));
        assert_eq!(device.group.as_deref(), Some("7"));
    }

    /// What each device is called and serves, as keepalived 2.2.7 has it.
    fn shown(text: &str) -> Vec<String> {
        let devices = wanted(&config(text), &[], &BTreeMap::new());
        let show = |(key, device): (Key, Device)| {
            let families = [(device.ipv4, " v4"), (device.ipv6, " v6")];
            let families = families.map(|(on, name)| if on { name } else { "" });
            let mac = key.mac().unwrap_or_default();
            let last = mac.map(|byte| format!("{byte:x}")).join(":");
            format!("{} {} {last}{}", device.name, key.base, families.concat())
        };
        devices.into_iter().map(show).collect()
    }

    const MORE: &str = "virtual_ipaddress_excluded {\nfd00::1/64\n10.1.0.1 dev eth1\n\
                        fd01::1/64 dev eth1\n}";

    #[test]
    fn an_address_of_the_other_family_or_elsewhere_has_no_device_unless_asked_for() {
        let text = instance("A", 51, &format!("use_vmac\n{MORE}"));
        assert_eq!(shown(&text), ["vrrp.51 eth0 0:0:5e:0:1:33 v4"]);
        let text = instance("A", 51, &format!("use_vmac\nuse_vmac_addr\n{MORE}"));
        assert_eq!(
            shown(&text),
            [
                "vrrp.51 eth0 0:0:5e:0:1:33 v4",
                "vrrp6.51 eth0 0:0:5e:0:2:33 v6",
                "vrrp1.51 eth1 0:0:5e:0:1:33 v4",
                "vrrp2.51 eth1 0:0:5e:0:2:33 v6",
            ]
        );
    }

    #[test]
    fn addresses_may_have_devices_while_the_instance_has_none() {
        let text = "global_defs {\nvmac_addr_prefix va\n}\n".to_owned()
            + &instance("A", 51, &format!("use_vmac_addr\n{MORE}"));
        assert_eq!(
            shown(&text),
            [
                "va.51 eth0 0:0:5e:0:2:33 v6",
                "va1.51 eth1 0:0:5e:0:1:33 v4",
                "va6.51 eth1 0:0:5e:0:2:33 v6",
            ]
        );
        let one = "virtual_ipaddress_excluded {\n10.0.0.1 use_vmac\n}";
        assert_eq!(
            shown(&instance("A", 51, one)),
            ["vrrp.51 eth0 0:0:5e:0:1:33 v4"]
        );
    }

    #[test]
    fn a_mac_address_that_was_chosen_serves_both_families() {
        let options = format!("use_vmac 02:01:02:03:04\nuse_vmac_addr\n{MORE}");
        assert_eq!(
            shown(&instance("A", 51, &options)),
            [
                "vrrp.51 eth0 2:1:2:3:4:33 v4 v6",
                "vrrp1.51 eth1 2:1:2:3:4:33 v4 v6",
            ]
        );
    }

    #[test]
    fn the_prefix_comes_from_the_file() {
        let globals = "global_defs {\nvmac_prefix shared\n}\n";
        let config = config(&(globals.to_owned() + &instance("A", 51, "use_vmac")));
        let devices = wanted(&config, &[], &BTreeMap::new());
        assert_eq!(names(&devices), ["shared.51"]);
    }
}
