//! `use_vmac` of instances and of addresses, and the firewall's options.

use std::collections::BTreeMap;

use super::Lowering;
use super::instance;
use crate::config::diagnostic::{Class, Code, Diagnostic, Severity};
use crate::config::lex::Token;
use crate::config::model::VirtualMac;
use crate::config::parse::Statement;
use crate::types::{Family, InterfaceName, Vrid};
use crate::wire::arp::Mac;

/// First five bytes of the addresses that belong to virtual routers. RFC 9568 §7.3.
const RESERVED: [[u8; 5]; 2] = [[0, 0, 0x5e, 0, 1], [0, 0, 0x5e, 0, 2]];
/// Longest name of a table that nft takes.
const TABLE_LEN: usize = 31;

/// `use_vmac` as it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    device: Option<InterfaceName>,
    /// Five or six bytes.
    mac: Option<Vec<u8>>,
    group: Option<String>,
}

impl Lowering {
    /// `[[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]`
    pub(super) fn use_vmac(&mut self, draft: &mut instance::Draft, statement: &Statement) {
        let mut wanted = Draft::default();
        let mut words = statement.arguments.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "name" => {
                    if let Some(name) = words.next() {
                        wanted.device = self.interface_name(Some(name));
                    }
                }
                "group" => wanted.group = words.next().map(|w| w.text.clone()),
                // Links are watched by their own messages, whatever the base's driver says.
                "netlink_notify_msg" => {}
                text if text.contains(':') => wanted.mac = self.own_mac(word),
                _ => wanted.device = self.interface_name(Some(word)),
            }
        }
        draft.virtual_mac = Some(wanted);
    }

    fn own_mac(&mut self, word: &Token) -> Option<Vec<u8>> {
        let byte = |text: &str| u8::from_str_radix(text, 16).ok();
        let bytes: Option<Vec<u8>> = word.text.split(':').map(byte).collect();
        let wrong = match &bytes {
            Some(bytes) if !matches!(bytes.len(), 5 | 6) => "it has 5 or 6 bytes",
            None => "it is written as hexadecimal bytes with colons",
            Some(bytes) if bytes.first().is_some_and(|b| b & 1 == 1) => "it is a multicast address",
            Some(bytes) if RESERVED.iter().any(|r| bytes.starts_with(r)) => {
                "addresses of this block belong to VRIDs"
            }
            Some(_) => return bytes,
        };
        self.push(
            Diagnostic::new(
                Severity::Warning,
                Code(206),
                Class::General,
                format!("`{}` is no MAC address for a virtual router", word.text),
            )
            .label(word.span, wrong)
            .help("leave it out: the address of the VRID is used"),
        );
        None
    }

    /// The finished virtual MAC of an instance, if it has one.
    pub(super) fn virtual_mac(
        &mut self,
        draft: &mut instance::Draft,
        vrid: Vrid,
    ) -> Option<VirtualMac> {
        let Some(wanted) = draft.virtual_mac.take() else {
            if draft.xmit_base {
                let at = self
                    .out
                    .provenance
                    .span(&draft.name, "vmac_xmit_base")
                    .unwrap_or(draft.span);
                let message = format!("`{}`: vmac_xmit_base needs use_vmac", draft.name);
                self.warn(421, Class::General, message, at);
            }
            return None;
        };
        let own = wanted.mac.as_deref().and_then(|bytes| match *bytes {
            [a, b, c, d, e] => Some([a, b, c, d, e, vrid.get()]),
            [a, b, c, d, e, f] => Some([a, b, c, d, e, f]),
            _ => None,
        });
        let family = draft.family.unwrap_or(Family::V4);
        let mac: Mac = own.unwrap_or_else(|| VirtualMac::address(family, vrid));
        Some(VirtualMac {
            mac,
            device: wanted.device,
            group: wanted.group,
            advertise_from_base: draft.xmit_base || draft.unicast,
        })
    }

    /// Which single addresses have a virtual MAC: those that say so and, with `use_vmac_addr`,
    /// those on another interface or of the other family.
    pub(super) fn address_macs(&mut self, draft: &mut instance::Draft) {
        let own = draft.interface.clone();
        let family = draft.family.unwrap_or_default();
        let mut twice = Vec::new();
        for (address, span) in draft.addresses.iter_mut().chain(&mut draft.excluded) {
            let here = (address.interface.is_none() || address.interface == own)
                && Family::of(&address.address) == family;
            let also = match here {
                true => draft.virtual_mac.is_some().then_some("the instance has it"),
                false => draft.address_macs.then_some("`use_vmac_addr` says so"),
            };
            if let Some(why) = also.filter(|_| address.virtual_mac) {
                twice.push((address.address, why, *span));
            }
            address.virtual_mac |= draft.address_macs && !here;
        }
        for (address, why, span) in twice {
            let message = format!("`use_vmac` of {address} changes nothing: {why}");
            self.warn(421, Class::General, message, span);
        }
    }

    /// A virtual MAC address that an address of one instance shares with another instance would be
    /// on two nodes at once as soon as they are not active together. keepalived gives the second
    /// instance up, too; with instances that share one by themselves, it does not.
    pub(super) fn shared_macs(&mut self) {
        let mut seen: BTreeMap<(InterfaceName, Mac), (String, bool)> = BTreeMap::new();
        let mut refused = Vec::new();
        for instance in &self.out.config.instances {
            let mut used = BTreeMap::new();
            for address in instance.all_addresses() {
                let own = instance.virtual_mac.as_ref().map(|own| own.mac);
                let place = instance.mac_of(address).zip(instance.interface_of(address));
                if let Some((mac, base)) = place {
                    let alone = own != Some(mac) || Some(base) != instance.interface.as_ref();
                    used.insert((base.clone(), mac), alone);
                }
            }
            if let (Some(own), Some(base)) = (&instance.virtual_mac, &instance.interface) {
                used.entry((base.clone(), own.mac)).or_insert(false);
            }
            let clash = used.iter().find_map(|(key, alone)| {
                let (other, theirs) = seen.get(key)?;
                (*alone || *theirs).then(|| (other.clone(), key.0.clone()))
            });
            match clash {
                Some((other, base)) => refused.push((instance.name.clone(), other, base)),
                None => {
                    let name = || instance.name.clone();
                    seen.extend(used.into_iter().map(|(key, alone)| (key, (name(), alone))));
                }
            }
        }
        for (name, other, base) in refused {
            let span = self.out.provenance.span(&name, "vrrp_instance");
            let message = format!("`{name}` and `{other}` use the same virtual MAC on {base}");
            let mut diagnostic =
                Diagnostic::new(Severity::Error, Code(416), Class::Silent, message);
            if let Some(span) = span {
                diagnostic = diagnostic.label(span, "left out");
            }
            self.push(diagnostic.help("give one of them another `virtual_router_id`"));
            self.out.config.instances.retain(|i| i.name != name);
        }
    }

    /// Strict mode knows only the RFC's address, and adverts that come from it.
    pub(super) fn strict_virtual_mac(&mut self, draft: &mut instance::Draft) {
        let at = |lowering: &Self, keyword: &str| {
            let span = lowering.out.provenance.span(&draft.name, keyword);
            span.unwrap_or(draft.span)
        };
        if draft.virtual_mac.as_ref().is_some_and(|v| v.mac.is_some()) {
            let message = format!(
                "`{}`: strict mode uses the MAC address of the VRID",
                draft.name
            );
            self.warn(421, Class::General, message, at(self, "use_vmac"));
        }
        if draft.xmit_base {
            let message = format!(
                "`{}`: strict mode sends from the virtual MAC address",
                draft.name
            );
            self.warn(421, Class::General, message, at(self, "vmac_xmit_base"));
        }
        draft.xmit_base = false;
        if let Some(wanted) = &mut draft.virtual_mac {
            wanted.mac = None;
        }
    }

    /// `nftables [TABLE]` and its options.
    pub(super) fn firewall(&mut self, statement: &Statement) {
        match statement.keyword.name {
            "nftables_counters" => self.out.config.globals.firewall.counters = true,
            "nftables_priority" => {
                if let Some(priority) = self.integer(statement).and_then(|p| p.try_into().ok()) {
                    self.out.config.globals.firewall.priority = priority;
                }
            }
            _ => {
                let Some(token) = statement.arguments.first() else {
                    return;
                };
                if is_table_name(&token.text) {
                    self.out
                        .config
                        .globals
                        .firewall
                        .table
                        .clone_from(&token.text);
                } else {
                    let message = format!("`{}` is no name of a table", token.text);
                    self.warn(206, Class::General, message, token.span);
                }
            }
        }
    }

    pub(super) fn device_prefix(&mut self, statement: &Statement) {
        let Some(token) = statement.arguments.first() else {
            return;
        };
        // A number of up to three digits follows, and perhaps another one before the dot.
        if InterfaceName::new(&format!("{}6.255", token.text)).is_some() {
            let globals = &mut self.out.config.globals;
            let prefix = match statement.keyword.name {
                "vmac_addr_prefix" => &mut globals.address_device_prefix,
                _ => &mut globals.device_prefix,
            };
            *prefix = Some(token.text.clone());
        } else {
            let message = format!("`{}` is too long for names of devices", token.text);
            self.warn(206, Class::General, message, token.span);
        }
    }
}

fn is_table_name(text: &str) -> bool {
    let mut characters = text.chars();
    let begins = characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    begins
        && text.len() <= TABLE_LEN
        && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use crate::config::source::Memory;
    use crate::config::{Loaded, Options, load};

    fn read(text: &str) -> Loaded {
        let files = Memory::default().with("main", text);
        load("main", &Options::default(), &files)
    }

    fn instance(name: &str, vrid: u8, address: &str, more: &str) -> String {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\nversion 3\n\
             {more}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
        )
    }

    fn codes(loaded: &Loaded) -> Vec<u16> {
        loaded.diagnostics.iter().map(|d| d.code.0).collect()
    }

    #[test]
    fn what_is_said_twice_of_an_address_is_reported() {
        let whole = read(&instance("A", 51, "10.0.0.1 use_vmac", "use_vmac"));
        assert_eq!(codes(&whole), [421]);
        let twice = read(&instance(
            "A",
            51,
            "10.0.0.1 dev eth1 use_vmac",
            "use_vmac_addr",
        ));
        assert_eq!(codes(&twice), [421]);
        let one = read(&instance("A", 51, "10.0.0.1 use_vmac", "use_vmac_addr"));
        assert_eq!(codes(&one), [] as [u16; 0]);
    }

    #[test]
    fn two_instances_share_no_virtual_mac_of_an_address() {
        let four = instance("A", 51, "10.0.0.1 use_vmac", "");
        let excluded = "virtual_ipaddress_excluded {\n10.0.0.2 use_vmac\n}";
        let six = instance("B", 51, "fd00::1", excluded);
        let loaded = read(&(four.clone() + &six));
        assert_eq!(loaded.config.instances.len(), 1);
        assert!(codes(&loaded).contains(&416));
        let other = six.replace("virtual_router_id 51", "virtual_router_id 52");
        assert_eq!(read(&(four + &other)).config.instances.len(), 2);
    }
}
