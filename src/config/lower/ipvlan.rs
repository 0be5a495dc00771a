//! `use_ipvlan` of instances, and what interfaces cannot carry together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Lowering;
use super::instance::Draft;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::lex::Token;
use crate::config::model::{Instance, Ipvlan, IpvlanMode};
use crate::config::parse::Statement;
use crate::types::{Family, InterfaceName};

impl Lowering {
    /// `[[name] IFNAME] [IPADDR[/LENGTH]] [bridge | private | vepa] [group GROUP]`
    pub(super) fn use_ipvlan(&mut self, draft: &mut Draft, statement: &Statement) {
        let mut wanted = Ipvlan::default();
        let mut words = statement.arguments.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "name" => {
                    if let Some(name) = words.next() {
                        wanted.device = self.interface_name(Some(name));
                    }
                }
                "group" => wanted.group = words.next().map(|w| w.text.clone()),
                "bridge" => wanted.mode = IpvlanMode::Bridge,
                "private" => wanted.mode = IpvlanMode::Private,
                "vepa" => wanted.mode = IpvlanMode::Vepa,
                _ if is_address(word) => {
                    let address = self.prefix(word);
                    wanted.address =
                        address.filter(|(ip, _)| self.same_family(draft, ip, word.span));
                }
                _ => wanted.device = self.interface_name(Some(word)),
            }
        }
        draft.ipvlan = Some(wanted);
    }

    /// The finished device of an instance, if it has one.
    pub(super) fn ipvlan(&mut self, draft: &mut Draft) -> Option<Ipvlan> {
        let wanted = draft.ipvlan.take()?;
        if draft.virtual_mac.take().is_some() {
            let what = "an ipvlan device has no MAC address of its own: use_vmac is ignored";
            self.correct(draft, "use_vmac", what);
            draft.xmit_base = false;
        }
        if wanted.address.is_none() && draft.family != Some(Family::V6) {
            let what = "an ipvlan device needs an IPv4 address: the instance stays in FAULT";
            self.push(
                Diagnostic::new(
                    Severity::Warning,
                    Code(413),
                    Class::General,
                    format!("`{}`: {what}", draft.name),
                )
                .label(self.at(draft, "use_ipvlan"), "")
                .help("write `use_ipvlan ADDRESS/LENGTH`, one that is this host's alone"),
            );
        }
        Some(wanted)
    }

    /// A VRF is for instances without interface: an interface is in one by itself, or in none.
    pub(super) fn vrf(&mut self, draft: &mut Draft) {
        if draft.interface.is_some() && draft.vrf.take().is_some() {
            let what = "the interface is in its own VRF: vrf is ignored";
            self.correct(draft, "vrf", what);
        }
    }

    /// What the kernel cannot do: all ipvlan devices on an interface have one mode, and none is
    /// beside a device with a virtual MAC address.
    pub(super) fn shared_bases(&mut self) {
        let mut modes: BTreeMap<InterfaceName, (String, IpvlanMode)> = BTreeMap::new();
        let mut corrections = Vec::new();
        for instance in &mut self.out.config.instances {
            let (Some(ipvlan), Some(base)) = (&mut instance.ipvlan, &instance.interface) else {
                continue;
            };
            let (first, mode) = modes
                .entry(base.clone())
                .or_insert_with(|| (instance.name.clone(), ipvlan.mode));
            if ipvlan.mode != *mode {
                ipvlan.mode = *mode;
                corrections.push((instance.name.clone(), first.clone(), base.clone()));
            }
        }
        for (name, first, base) in corrections {
            let message =
                format!("`{name}`: the ipvlan devices on {base} have the mode of `{first}`");
            if let Some(at) = self.out.provenance.span(&name, "use_ipvlan") {
                self.warn(421, Class::General, message, at);
            }
        }
        self.no_virtual_mac_beside(&modes);
    }

    fn no_virtual_mac_beside(&mut self, modes: &BTreeMap<InterfaceName, (String, IpvlanMode)>) {
        let instances = &self.out.config.instances;
        let clash = |instance: &Instance| {
            let bases = virtual_mac_bases(instance);
            let base = bases.into_iter().find(|base| modes.contains_key(base))?;
            Some((instance.name.clone(), base))
        };
        let found: Vec<_> = instances.iter().filter_map(clash).collect();
        for (name, base) in found {
            let message = format!(
                "`{name}` has a virtual MAC address on {base}, where `use_ipvlan` has a device"
            );
            let mut diagnostic =
                Diagnostic::new(Severity::Error, Code(413), Class::Silent, message);
            if let Some(span) = self.out.provenance.span(&name, "vrrp_instance") {
                diagnostic = diagnostic.label(span, "left out");
            }
            self.push(diagnostic.help("an interface carries devices of one kind only"));
            self.out.config.instances.retain(|i| i.name != name);
        }
    }
}

fn virtual_mac_bases(instance: &Instance) -> BTreeSet<InterfaceName> {
    let own = instance.interface.as_ref();
    let own = own.filter(|_| instance.virtual_mac.is_some());
    let of_addresses = instance.all_addresses().filter_map(|address| {
        instance.mac_of(address)?;
        instance.interface_of(address)
    });
    own.into_iter().chain(of_addresses).cloned().collect()
}

fn is_address(word: &Token) -> bool {
    let address = word.text.split('/').next().unwrap_or_default();
    address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use crate::config::model::IpvlanMode;
    use crate::config::source::Memory;
    use crate::config::{Loaded, Options, load};

    fn read(text: &str) -> Loaded {
        let files = Memory::default().with("main", text);
        load("main", &Options::default(), &files)
    }

    fn instance(name: &str, vrid: u8, more: &str) -> String {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{more}\n\
             virtual_ipaddress {{\n10.0.0.{vrid}\n}}\n}}\n"
        )
    }

    fn codes(loaded: &Loaded) -> Vec<u16> {
        loaded.diagnostics.iter().map(|d| d.code.0).collect()
    }

    #[test]
    fn words_come_in_any_order() {
        let loaded = read(&instance(
            "A",
            51,
            "use_ipvlan vepa 10.0.0.9/24 group 7 name ipv",
        ));
        assert_eq!(codes(&loaded), [] as [u16; 0]);
        let own = loaded.config.instances[0].ipvlan.as_ref().unwrap();
        assert_eq!(own.address, Some(("10.0.0.9".parse().unwrap(), 24)));
        assert_eq!(own.device.as_ref().unwrap().as_str(), "ipv");
        assert_eq!(own.group.as_deref(), Some("7"));
        assert_eq!(own.mode, IpvlanMode::Vepa);
    }

    #[test]
    fn over_ipv4_it_needs_an_address_of_that_family() {
        assert_eq!(codes(&read(&instance("A", 51, "use_ipvlan ipv"))), [413]);
        let six = instance("A", 51, "use_ipvlan ipv").replace("10.0.0.51", "fe80::1");
        assert_eq!(codes(&read(&six)), [] as [u16; 0]);
        let other = read(&instance(
            "A",
            51,
            "virtual_ipaddress { 10.0.0.1 }\nuse_ipvlan fe80::9",
        ));
        assert!(codes(&other).contains(&410));
    }

    #[test]
    fn one_interface_has_devices_of_one_kind_and_mode() {
        let first = instance("A", 51, "use_ipvlan 10.0.0.8 private");
        let second = instance("B", 52, "use_ipvlan 10.0.0.9");
        let loaded = read(&(first.clone() + &second));
        assert_eq!(codes(&loaded), [421]);
        let modes = loaded
            .config
            .instances
            .iter()
            .map(|i| i.ipvlan.as_ref().unwrap().mode);
        assert!(modes.into_iter().all(|mode| mode == IpvlanMode::Private));
        let loaded = read(&(first + &instance("B", 52, "use_vmac")));
        assert_eq!(codes(&loaded), [413]);
        assert_eq!(loaded.config.instances.len(), 1);
    }

    #[test]
    fn a_vrf_is_for_instances_without_interface() {
        let loaded = read(&instance("A", 51, "vrf blue"));
        assert_eq!(codes(&loaded), [421]);
        assert_eq!(loaded.config.instances[0].vrf, None);
        let peers = "vrf blue\nunicast_src_ip 10.0.0.1\nunicast_peer {\n10.0.0.2\n}";
        let alone = instance("A", 51, peers).replace("interface eth0\n", "");
        let alone = alone.replace("10.0.0.51", "10.0.0.51 dev eth0");
        let loaded = read(&alone);
        assert_eq!(codes(&loaded), [] as [u16; 0]);
        assert_eq!(
            loaded.config.instances[0].vrf.as_ref().unwrap().as_str(),
            "blue"
        );
    }
}
