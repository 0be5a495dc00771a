//! Where an instance stands: its interface and devices as they are now, its addresses and faults.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{Footing, Member};
use crate::config::model::Transport;
use crate::link::device::Key;
use crate::runtime::executor::{Placement, Placements};
use crate::runtime::links::{LinkState, Links};
use crate::types::{Family, InterfaceName};
use crate::vrrp::instance::Fault;

impl Member {
    /// The address that adverts are to be sent from.
    pub(super) fn source_on(&self, links: &Links) -> Option<IpAddr> {
        let family = self.config.protocol.family;
        let primary = || match &self.config.ipvlan {
            Some(ipvlan) => {
                let own = ipvlan.address.map(|(address, _)| address);
                own.or_else(|| self.carrier(links)?.primary_address(family))
            }
            None => self.own(links)?.primary_address(family),
        };
        self.config.transport.source().or_else(primary)
    }

    pub(super) fn own<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        links.get(self.config.interface.as_ref()?)
    }

    /// The interfaces that its source address may be on.
    fn sources<'a>(&self, links: &'a Links) -> impl Iterator<Item = &'a LinkState> {
        let anywhere = self.config.interface.is_none();
        let vrf = self.vrf(links).map(|vrf| vrf.index);
        let inside =
            move |link: &&LinkState| vrf.is_none() || vrf == Some(link.index) || vrf == link.master;
        let all = links.values().filter(move |_| anywhere).filter(inside);
        let ipvlan = self.config.ipvlan.as_ref();
        let device = ipvlan.and_then(|_| self.carrier(links));
        self.own(links).into_iter().chain(device).chain(all)
    }

    /// The VRF of an instance without interface.
    pub(super) fn vrf<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        links.get(self.config.vrf.as_ref()?)
    }

    /// Looks at the host's interfaces anew.
    pub(in crate::runtime) fn settle(&mut self, links: &Links) {
        let same = |index| {
            let mut candidates = self.sources(links);
            candidates.any(|link| link.up && link.index == index)
        };
        // Another interface, or the same one anew, may take what this one did not.
        self.refused_on = self.refused_on.filter(|index| same(*index));
        self.footing = self.footing_on(links);
        let source = self.footing.source;
        let carries = |l: &&LinkState| source.is_some_and(|s| l.has(&s));
        let mtu = self
            .own(links)
            .or_else(|| self.sources(links).find(carries))
            .map(|link| link.mtu);
        if mtu.is_some() && self.mtu != mtu {
            self.mtu = mtu;
            self.derive();
        }
        self.own_carrier = match &self.config.ipvlan {
            Some(_) => self.own(links),
            None => self.carrier(links),
        }
        .map(|link| link.index);
        let mut carriers = BTreeMap::new();
        let placements = self.config.all_addresses().filter_map(|address| {
            let key = Key::of_address(&self.config, address);
            let link = match &key {
                Some(key) => self.device_on(key, links)?,
                None => links.get(self.config.interface_of(address)?)?,
            };
            carriers.insert(link.index, key.is_some());
            let dropped = !self.config.accept_mode;
            Some(Placement {
                ifindex: link.index,
                mac: link.mac,
                router: link.forwards_v6,
                address: address.clone(),
                dropped_in: dropped.then(|| Arc::clone(&self.table)),
            })
        });
        let placements: Vec<_> = placements.collect();
        self.carriers = carriers;
        if *placements != *self.placements {
            self.placements = placements.into();
        }
    }

    /// Addresses on interfaces other than the instance's own, those that are to be announced from
    /// time to time. keepalived: `garp_extra_if`.
    pub(in crate::runtime) fn elsewhere(&self) -> Placements {
        let devices_only = self.config.protocol.announcement.elsewhere_devices_only;
        let counts = |p: &&Placement| {
            let is_device = self.carriers.get(&p.ifindex).copied().unwrap_or(false);
            Some(p.ifindex) != self.own_carrier && (is_device || !devices_only)
        };
        self.placements.iter().filter(counts).cloned().collect()
    }

    /// The interface of the instance: the device of its own, if it has one.
    pub(super) fn carrier<'a>(&self, links: &'a Links) -> Option<&'a LinkState> {
        match &self.own_key {
            Some(key) => self.device_on(key, links),
            None => self.own(links),
        }
    }

    /// The device with the virtual MAC address of the instance itself.
    pub(in crate::runtime) fn own_device(&self) -> Option<&InterfaceName> {
        self.devices.get(self.own_key.as_ref()?)
    }

    /// The device for `key`, if it is what it should be.
    fn device_on<'a>(&self, key: &Key, links: &'a Links) -> Option<&'a LinkState> {
        let base = links.get(&key.base)?;
        let device = links.get(self.devices.get(key)?)?;
        // An ipvlan has the address of the interface below.
        let mac = key.mac().or(base.mac);
        let fits = device.mac == mac && device.parent == Some(base.index);
        fits.then_some(device)
    }

    /// Devices that are gone, down or no longer what they should be, while all is well below.
    pub(in crate::runtime) fn missing_devices(
        &self,
        links: &Links,
    ) -> impl Iterator<Item = &InterfaceName> {
        let missing = |(key, device): (&'_ Key, _)| {
            let well = links.get(&key.base).is_some_and(|base| base.up);
            let works = self.device_on(key, links).is_some_and(|link| link.up);
            (well && !works).then_some(device)
        };
        self.devices.iter().filter_map(missing)
    }

    fn footing_on(&self, links: &Links) -> Footing {
        let own = self.own(links);
        let carrier = self.carrier(links);
        let anywhere = self.config.interface.is_none();
        let mut faults: BTreeSet<Fault> = self
            .other_interfaces()
            .filter(|name| links.get(name).is_none_or(|link| !link.up))
            .chain(self.broken_devices(links))
            .map(|name| Fault::AddressInterface(name.clone()))
            .collect();
        let down = |link: &LinkState| !link.up && !self.config.ignore_own_interface;
        if !anywhere && (own.is_none_or(down) || carrier.is_none_or(down)) {
            faults.insert(Fault::Interface);
        }
        if self.config.vrf.is_some() && self.vrf(links).is_none_or(|vrf| !vrf.up) {
            faults.insert(Fault::Interface);
        }
        if self.refused_on.is_some() {
            faults.insert(Fault::Addresses);
        }
        let configured = self.config.transport.source();
        // Without an interface, nothing else says whether packets can come.
        let matters = anywhere || (self.config.track_source && own.is_some());
        let gone = |source: &IpAddr| !self.sources(links).any(|link| link.has(source));
        if matters && configured.as_ref().is_some_and(gone) {
            faults.insert(Fault::NoPrimaryAddress);
        }
        let unready = |address: &IpAddr| self.sources(links).any(|l| l.is_unready(address));
        let source = self.source_on(links).filter(|a| !unready(a));
        if source.is_none() || self.lacks_own_address() {
            faults.insert(Fault::NoPrimaryAddress);
        }
        if let Transport::Unicast { peers, .. } = &self.config.transport {
            if peers.is_empty() {
                faults.insert(Fault::NoPeers);
            } else if self.peers.addresses(source).next().is_none() {
                faults.insert(Fault::PeersUnknown);
            }
        }
        Footing {
            ifindex: match self.speaks_on_device() {
                true => carrier,
                false => own.or_else(|| self.vrf(links)),
            }
            .map(|link| link.index),
            below: own.filter(|_| self.moves_mac()).map(|link| link.index),
            source,
            faults,
        }
    }

    /// keepalived runs no IPv4 instance on an ipvlan without an address, wherever adverts come from.
    fn lacks_own_address(&self) -> bool {
        let v4 = self.config.protocol.family == Family::V4;
        let ipvlan = self.config.ipvlan.as_ref();
        v4 && ipvlan.is_some_and(|ipvlan| ipvlan.address.is_none())
    }

    /// Interfaces of addresses that lie elsewhere: they are tracked like the own one.
    pub(super) fn other_interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        let tracked = |name: &&InterfaceName| Some(*name) != self.config.interface.as_ref();
        self.config
            .all_addresses()
            .filter_map(|a| a.interface.as_ref())
            .filter(tracked)
    }

    /// Devices of single addresses that cannot be used, by name, or by the interface below where
    /// there is no name for one. An interface below that is down has a fault of its own.
    fn broken_devices<'a>(&'a self, links: &'a Links) -> impl Iterator<Item = &'a InterfaceName> {
        let broken = |key: &&Key| {
            let base_is_up = links.get(&key.base).is_some_and(|base| base.up);
            let unusable = |link: &LinkState| !link.up && base_is_up;
            let own = Some(*key) == self.own_key.as_ref();
            !own && self.device_on(key, links).is_none_or(unusable)
        };
        let found = self.keys.iter().filter(broken);
        found.map(|key| self.devices.get(key).unwrap_or(&key.base))
    }
}
