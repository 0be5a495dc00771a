//! Kernel settings (sysctl) that a virtual MAC address needs.

use std::collections::{BTreeMap, BTreeSet};

use super::device::Device;
use crate::config::model::Config;
use crate::types::InterfaceName;

/// A setting with the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Path below `/proc/sys`.
    pub key: String,
    /// Its value.
    pub value: i32,
}

/// Filter by reverse path (RFC 3704), of all interfaces together.
pub const REVERSE_PATH_OF_ALL: &str = "net/ipv4/conf/all/rp_filter";

/// Whether reports for link-local IPv4 groups are sent at all. Where they cannot be redirected,
/// no report is better than one from the virtual MAC address: switches flood such groups anyway.
#[must_use]
pub fn no_group_reports() -> Setting {
    Setting {
        key: "net/ipv4/igmp_link_local_mcast_reports".to_owned(),
        value: 0,
    }
}

/// The key of the filter by reverse path of one interface.
#[must_use]
pub fn reverse_path_key(interface: &str) -> String {
    format!("net/ipv4/conf/{interface}/rp_filter")
}

/// What the device itself needs before it is switched on. It vanishes with the device.
///
/// It answers ARP only for addresses of its own, hears adverts of this host's own addresses, and
/// says nothing by itself that would teach a switch its address. keepalived-behaviour.md §9;
/// keepalived leaves `accept_ra` on.
#[must_use]
pub fn of_device(device: &Device) -> Vec<Setting> {
    let v4 = |key: &str, value| setting("ipv4", &device.name, key, value);
    let v6 = |key: &str, value| setting("ipv6", &device.name, key, value);
    if device.mode.is_some() {
        let ipv6 = v6("disable_ipv6", i32::from(!device.ipv6));
        return vec![v6("accept_ra", 0), ipv6];
    }
    let mut settings = vec![v4("arp_ignore", 1)];
    if device.ipv4 {
        settings.extend([
            v4("accept_local", 1),
            v4("rp_filter", 0),
            v4("promote_secondaries", 1),
        ]);
    }
    if device.ipv6 {
        settings.extend([
            v6("addr_gen_mode", 1),
            v6("accept_ra", 0),
            v6("disable_ipv6", 0),
        ]);
    } else {
        settings.push(v6("disable_ipv6", 1));
    }
    settings
}

/// What the interface below needs: it answers ARP for its own addresses alone.
#[must_use]
pub fn of_base(base: &InterfaceName) -> [Setting; 2] {
    ["arp_ignore", "arp_filter"].map(|key| setting("ipv4", base, key, 1))
}

/// Keeps the other addresses of a subnet when the first one leaves. keepalived:
/// `promote_secondaries`.
#[must_use]
pub fn promote_secondaries(interface: &InterfaceName) -> Setting {
    setting("ipv4", interface, "promote_secondaries", 1)
}

/// The interfaces that [`promote_secondaries`] is for: those of the IPv4 addresses of instances
/// that ask for it. A device of ours has it in any case.
#[must_use]
pub fn promoted(config: &Config) -> BTreeSet<InterfaceName> {
    let asking = config.instances.iter().filter(|i| i.promote_secondaries);
    let interfaces = asking.flat_map(|instance| {
        let v4 = instance.all_addresses().filter(|a| a.address.is_ipv4());
        let bare = v4.filter(|a| instance.mac_of(a).is_none());
        bare.filter_map(|a| instance.interface_of(a))
    });
    interfaces.cloned().collect()
}

/// Moves the filter of all interfaces to each of them, so that a device may be without.
///
/// The kernel takes the larger one of both. `filters` are the present values by interface,
/// `default` among them.
#[must_use]
pub fn reverse_path(all: i32, filters: &BTreeMap<String, i32>) -> Vec<Setting> {
    if all == 0 {
        return Vec::new();
    }
    let lower = filters.iter().filter(|(_, value)| **value < all);
    let raised = lower.map(|(interface, _)| Setting {
        key: reverse_path_key(interface),
        value: all,
    });
    // Last, so that no packet is less filtered in between.
    let none = Setting {
        key: REVERSE_PATH_OF_ALL.to_owned(),
        value: 0,
    };
    raised.chain([none]).collect()
}

fn setting(family: &str, interface: &InterfaceName, key: &str, value: i32) -> Setting {
    Setting {
        key: format!("net/{family}/conf/{interface}/{key}"),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_all_interfaces_becomes_that_of_each() {
        let filters = [("default", 0), ("eth0", 1), ("eth1", 2), ("lo", 0)];
        let filters = filters.map(|(name, value)| (name.to_owned(), value)).into();
        let settings = reverse_path(1, &filters);
        let keys: Vec<_> = settings.iter().map(|s| (s.key.as_str(), s.value)).collect();
        assert_eq!(
            keys,
            [
                ("net/ipv4/conf/default/rp_filter", 1),
                ("net/ipv4/conf/lo/rp_filter", 1),
                (REVERSE_PATH_OF_ALL, 0),
            ]
        );
        assert_eq!(reverse_path(0, &filters), []);
    }

    #[test]
    fn a_device_without_ipv6_addresses_has_no_ipv6() {
        let device = Device {
            name: InterfaceName::new("vrrp.51").unwrap(),
            ipv4: true,
            ipv6: false,
            group: None,
            mode: None,
        };
        let settings = of_device(&device);
        let value = |key: &str| settings.iter().find(|s| s.key == key).map(|s| s.value);
        assert_eq!(value("net/ipv6/conf/vrrp.51/disable_ipv6"), Some(1));
        assert_eq!(value("net/ipv4/conf/vrrp.51/rp_filter"), Some(0));
    }
}
