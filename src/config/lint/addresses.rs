//! Addresses that cannot be what they are meant to be.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Linter, Networks};
use crate::config::diagnostic::Code;
use crate::config::model::{Authentication, Instance, Transport};
use crate::config::source::Span;
use crate::types::{InterfaceName, VirtualAddress};
use crate::wire::vrrp::{self, most_addresses};

/// One address in two instances.
const SHARED: Code = Code(453);
/// The first or last address of a network.
const NO_HOST: Code = Code(443);
/// A virtual address that is a node's own.
const OWN: Code = Code(444);
/// A source outside of the network of a virtual address.
const OUTSIDE: Code = Code(445);
/// No network of the interface has the address.
const OF_NO_NETWORK: Code = Code(451);
/// No prefix length.
const BARE: Code = Code(446);
/// More addresses than an advert carries.
const TOO_MANY: Code = Code(447);

/// Bytes of a packet on Ethernet.
const USUAL_MTU: u32 = 1500;

impl Linter<'_> {
    pub(super) fn addresses(&mut self, instance: &Instance) {
        for address in instance.all_addresses() {
            self.no_host(instance, address);
            self.own(instance, address);
        }
        self.bare(instance);
        self.too_many(instance);
        if self.notes() {
            self.outside(instance);
        }
    }

    /// Where the line of an address is.
    fn line(&self, instance: &Instance, address: &VirtualAddress) -> Option<Span> {
        let (whole, bare) = (address.to_string(), address.address.to_string());
        let lists = ["virtual_ipaddress", "virtual_ipaddress_excluded"];
        self.at(instance, &[&whole, &bare, lists[0], lists[1]])
    }

    fn no_host(&mut self, instance: &Instance, address: &VirtualAddress) {
        let IpAddr::V4(ip) = address.address else {
            return;
        };
        if address.prefix_len > 30 || address.peer.is_some() {
            return;
        }
        let mask = u32::MAX.checked_shr(address.prefix_len.into()).unwrap_or(0);
        let what = match ip.to_bits() & mask {
            0 => "the network itself",
            bits if bits == mask => "its broadcast address",
            _ => return,
        };
        let place = self.line(instance, address);
        let message = format!("{address} is {what}: no host can answer for it");
        self.warn(NO_HOST, message)
            .at(place, "")
            .mend("write an address between the first and the last of the network");
    }

    /// Nodes have addresses of their own, which never move.
    fn own(&mut self, instance: &Instance, address: &VirtualAddress) {
        let ip = address.address;
        let (peers, source): (&[_], _) = match &instance.transport {
            Transport::Unicast { peers, source, .. } => (peers, source),
            Transport::Multicast { source, .. } => (&[], source),
        };
        let (whose, place) = if *source == Some(ip) {
            let keywords = ["unicast_src_ip", "mcast_src_ip"];
            (
                "this node sends its adverts from",
                self.at(instance, &keywords),
            )
        } else if peers.iter().any(|peer| peer.host == ip.into()) {
            ("a peer has", self.at(instance, &["unicast_peer"]))
        } else {
            return;
        };
        let line = self.line(instance, address);
        self.warn(
            OWN,
            format!("{ip} moves, but it is the address that {whose}"),
        )
        .at(line, "moves between the nodes")
        .at(place, "must stay on one")
        .mend("give every node an address of its own beside the one that moves");
    }

    /// keepalived takes /32 and /128: the address comes without a way to its network.
    fn bare(&mut self, instance: &Instance) {
        let provenance = &self.loaded.provenance;
        let is_bare = |address: &&VirtualAddress| {
            let (bare, whole) = (address.address.to_string(), address.to_string());
            // A peer of the instance may have the same address, and is written without a length.
            address.peer.is_none()
                && address.prefix_len == full(&address.address)
                && provenance.span(&instance.name, &bare).is_some()
                && provenance.span(&instance.name, &whole).is_none()
        };
        let bare: Vec<_> = instance.all_addresses().filter(is_bare).collect();
        let Some(first) = bare.first() else { return };
        let mixed = instance
            .all_addresses()
            .any(|a| a.prefix_len < full(&a.address) && a.interface == first.interface);
        if !mixed && !self.notes() {
            return;
        }
        let longest = full(&first.address);
        let place = self.line(instance, first);
        let message = match bare.len() {
            1 => format!("{} has no prefix length: it is /{longest}", first.address),
            n => format!("{n} addresses have no prefix length: they are /{longest}"),
        };
        self.note(BARE, message)
            .at(place, "")
            .mend("write the length of the network behind it, for example `/24`, unless the interface has an address there anyway");
    }

    fn too_many(&mut self, instance: &Instance) {
        let protocol = &instance.protocol;
        let most = most_addresses(
            USUAL_MTU,
            protocol.version,
            protocol.family,
            &on_wire(&instance.authentication),
        );
        let count = instance.addresses.len();
        if count <= most {
            return;
        }
        let place = self.at(instance, &["virtual_ipaddress"]);
        let message = format!(
            "`{}` has {count} addresses, and an advert in a packet of {USUAL_MTU} bytes carries {most}",
            instance.name
        );
        self.warn(TOO_MANY, message)
            .at(place, "the last ones are moved without being advertised")
            .mend("list what is beyond it in `virtual_ipaddress_excluded`, the same on all nodes");
    }

    /// What the file tells of the interface's networks.
    fn outside(&mut self, instance: &Instance) {
        let (Some(interface), Some(source)) = (&instance.interface, instance.transport.source())
        else {
            return;
        };
        let outside = |a: &&VirtualAddress| {
            a.interface.is_none()
                && a.prefix_len < full(&a.address)
                && a.address.is_ipv4() == source.is_ipv4()
                && !same_network(a, source)
        };
        let Some(address) = instance.all_addresses().find(outside) else {
            return;
        };
        let line = self.line(instance, address);
        let place = self.at(instance, &["unicast_src_ip", "mcast_src_ip"]);
        let message = format!("{address} and {source} on {interface} are not of one network");
        self.note(OUTSIDE, message)
            .at(line, "")
            .at(place, "")
            .mend(format!(
                "if {address} belongs on another interface, write `dev NAME` behind it"
            ));
    }

    /// Neighbours answer only for addresses of their own network.
    pub(super) fn of_no_network(&mut self, instance: &Instance, networks: &Networks) {
        for address in instance.all_addresses() {
            let Some(interface) = instance.interface_of(address) else {
                continue;
            };
            let Some(own) = networks.get(interface) else {
                continue;
            };
            let virtual_address = |a: &IpAddr| instance.all_addresses().any(|v| v.address == *a);
            let own: Vec<_> = own
                .iter()
                .filter(|(a, _)| a.is_ipv4() == address.address.is_ipv4() && !virtual_address(a))
                .collect();
            let inside = own.iter().any(|(a, length)| {
                same_network(&VirtualAddress::new(*a, *length), address.address)
            });
            if own.is_empty() || inside {
                continue;
            }
            let known: Vec<_> = own
                .iter()
                .map(|(a, length)| format!("{a}/{length}"))
                .collect();
            let place = self.line(instance, address);
            let message = format!("{} is of no network of {interface}", address.address);
            self.warn(OF_NO_NETWORK, message)
                .at(place, format!("{interface} has {}", known.join(", ")))
                .mend("correct the address, or write `dev NAME` behind it");
        }
    }

    /// Two instances of one node that move the same address take it away from each other.
    pub(super) fn shared_addresses(&mut self) {
        let mut seen: BTreeMap<(IpAddr, Option<&InterfaceName>), &Instance> = BTreeMap::new();
        let mut twice = Vec::new();
        for instance in &self.loaded.config.instances {
            for address in instance.all_addresses() {
                let interface = instance.interface_of(address);
                match seen.insert((address.address, interface), instance) {
                    Some(other) if other.name != instance.name => {
                        twice.push((other, instance, address));
                    }
                    _ => {}
                }
            }
        }
        for (first, second, address) in twice {
            let (here, there) = (self.line(second, address), self.line(first, address));
            let message = format!(
                "{} is moved by `{}` and by `{}`",
                address.address, first.name, second.name
            );
            self.warn(SHARED, message)
                .at(here, "when this instance steps back, the address is gone")
                .at(there, "also here")
                .mend("leave it in one instance; a `vrrp_sync_group` keeps two instances together");
        }
    }
}

/// What takes room beside the addresses.
const fn on_wire(authentication: &Authentication) -> vrrp::Authentication {
    match authentication {
        Authentication::None | Authentication::Password(_) => vrrp::Authentication::None,
        Authentication::Header(_) => vrrp::Authentication::Header,
        Authentication::Hmac(_) => vrrp::Authentication::Trailer,
    }
}

/// The length of the prefix of one host.
const fn full(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn same_network(virtual_address: &VirtualAddress, other: IpAddr) -> bool {
    let length = u32::from(virtual_address.prefix_len);
    match (virtual_address.address, other) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let differs = a.to_bits() ^ b.to_bits();
            differs.checked_shr(32 - length).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let differs = a.to_bits() ^ b.to_bits();
            differs.checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NONE, codes, said};
    use super::super::{Detail, Networks, outside_of_networks};
    use crate::config::source::Memory;
    use crate::config::{Options, load};
    use crate::types::InterfaceName;

    fn list(addresses: &str) -> String {
        format!("virtual_ipaddress {{\n{addresses}\n}}\n")
    }

    fn notes(lines: &str) -> Vec<String> {
        let text =
            format!("vrrp_instance V {{\ninterface eth0\nvirtual_router_id 77\n{lines}\n}}\n");
        let mut all = said(&text, Detail::Notes);
        all.iter_mut().for_each(|line| line.truncate(5));
        all
    }

    #[test]
    fn an_address_that_no_host_can_have_is_found() {
        assert_eq!(codes("", &list("192.0.2.0/24")), [443]);
        assert_eq!(codes("", &list("192.0.2.255/24")), [443]);
        assert_eq!(codes("", &list("192.0.2.255/23")), NONE);
        assert_eq!(codes("", &list("192.0.2.0/31")), NONE);
        assert_eq!(codes("", &list("0.0.0.0/0")), [443]);
        assert_eq!(codes("", &list("2001:db8::/64")), NONE);
    }

    #[test]
    fn an_address_of_a_node_that_is_to_move_is_found() {
        let unicast = |vip| {
            let lines = "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\n";
            codes("", &format!("{lines}{}", list(vip)))
        };
        assert_eq!(unicast("192.0.2.1/24"), [444]);
        assert_eq!(unicast("192.0.2.2/24"), [444]);
        assert_eq!(unicast("192.0.2.3/24"), NONE);
    }

    #[test]
    fn a_missing_prefix_is_a_warning_beside_others_and_a_note_alone() {
        assert_eq!(codes("", &list("192.0.2.1/24\n192.0.2.2")), [446]);
        assert_eq!(codes("", &list("192.0.2.1\n192.0.2.2")), NONE);
        assert_eq!(notes(&list("192.0.2.1\n192.0.2.2")), ["K0446"]);
        assert_eq!(notes(&list("192.0.2.1/32")), [] as [&str; 0]);
    }

    #[test]
    fn a_source_in_another_network_is_a_note() {
        let source = |vip| notes(&format!("mcast_src_ip 10.0.0.1\n{}", list(vip)));
        assert_eq!(source("192.0.2.1/24"), ["K0445"]);
        assert_eq!(source("192.0.2.1/24 dev eth1"), [] as [&str; 0]);
        assert_eq!(source("10.0.0.9/24"), [] as [&str; 0]);
        assert_eq!(source("192.0.2.1/32"), [] as [&str; 0]);
    }

    #[test]
    fn an_address_of_no_network_of_its_interface_is_found() {
        let found = |vip: &str, on: &str| {
            let text = format!(
                "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 77\n{}}}\n",
                list(vip)
            );
            let reader = Memory::default().with("main", text);
            let loaded = load("main", &Options::default(), &reader);
            let eth0 = InterfaceName::new("eth0").unwrap();
            let on = vec![(on.parse().unwrap(), 24)];
            let found = outside_of_networks(&loaded, &Networks::from([(eth0, on)]));
            found.into_iter().map(|d| d.code.0).collect::<Vec<_>>()
        };
        assert_eq!(found("192.0.2.10", "192.0.2.1"), NONE);
        assert_eq!(found("192.0.2.10/24", "198.51.100.1"), [451]);
        assert_eq!(found("192.0.2.10", "198.51.100.1"), [451]);
        assert_eq!(found("192.0.2.10 dev eth1", "198.51.100.1"), NONE);
        assert_eq!(found("192.0.2.10", "192.0.2.10"), NONE, "left by a crash");
        assert_eq!(found("fe80::1", "192.0.2.1"), NONE);
    }

    #[test]
    fn more_addresses_than_an_advert_carries_are_found() {
        let v6 = |count: u32| {
            let all: Vec<_> = (1..=count).map(|n| format!("fe80::{n:x}/64")).collect();
            codes("", &list(&all.join("\n")))
        };
        assert_eq!(v6(89), NONE);
        assert_eq!(v6(100), [447]);
    }

    #[test]
    fn an_address_in_two_instances_is_found() {
        let other = |vip| {
            format!(
                "vrrp_instance OTHER {{\ninterface eth0\nvirtual_router_id 78\n{}}}\n",
                list(vip)
            )
        };
        let own = list("192.0.2.10/24");
        assert_eq!(codes(&other("192.0.2.10/24"), &own), [453]);
        assert_eq!(codes(&other("192.0.2.11/24"), &own), NONE);
        assert_eq!(codes(&other("192.0.2.10/24 dev eth1"), &own), NONE);
    }
}
