//! Keeps devices and settings of interfaces as the configuration wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use super::executor::Chain;
use super::filter::Filter;
use super::memory::{Made, Memory};
use crate::config::model::{Config, Firewall, IpvlanMode};
use crate::link::device::{self, Device, Key, Present};
use crate::link::rules::{Pair, Shape};
use crate::link::setting::{self, Setting};
use crate::sys::netlink::{self, Link, Netlink, Siblings};
use crate::sys::sysctl;
use crate::types::{InstanceId, InterfaceName, VirtualAddress};

/// Where iproute2 names interface groups.
const GROUPS: [&str; 2] = ["/etc/iproute2/group", "/usr/share/iproute2/group"];

/// What instances may run on.
#[derive(Debug, Clone, Default)]
pub(super) struct Devices {
    /// The name of each device.
    pub(super) names: BTreeMap<Key, InterfaceName>,
    /// Those that are there and switched on.
    pub(super) ready: BTreeSet<InterfaceName>,
    /// The firewall's table.
    pub(super) table: Arc<str>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Keeper {
    netlink: Netlink,
    memory: Memory,
    filter: Filter,
    firewall: Firewall,
    shape: Shape,
    wanted: BTreeMap<Key, Device>,
    /// No longer wanted, but an instance that is leaving still runs on them.
    retired: BTreeMap<Key, Device>,
    /// Interfaces that keep the other addresses of a subnet when the first one leaves.
    promoted: BTreeSet<InterfaceName>,
    /// The same once all that leave have left.
    promoted_next: BTreeSet<InterfaceName>,
    leaving: BTreeSet<InstanceId>,
    /// What nobody needs any more may be there.
    untidy: bool,
    /// The engine has not gone over to the configuration yet.
    held: bool,
    /// Number of each device that has its settings.
    prepared: BTreeMap<Key, u32>,
    complaints: BTreeSet<String>,
    /// Something could not be done and is worth another attempt.
    unsettled: bool,
}

impl Keeper {
    pub(super) fn new(netlink: Netlink, memory: Memory) -> Self {
        Self {
            netlink,
            memory,
            filter: Filter::default(),
            firewall: Firewall::default(),
            shape: Shape::default(),
            wanted: BTreeMap::new(),
            retired: BTreeMap::new(),
            promoted: BTreeSet::new(),
            promoted_next: BTreeSet::new(),
            leaving: BTreeSet::new(),
            // An earlier run may have crashed.
            untidy: true,
            held: false,
            prepared: BTreeMap::new(),
            complaints: BTreeSet::new(),
            unsettled: false,
        }
    }

    /// Something could not be done and is worth another attempt.
    pub(super) const fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Makes what `config` wants. What it no longer wants stays until [`Keeper::depart`].
    pub(super) fn adopt(&mut self, config: &Config) -> Devices {
        self.complaints.clear();
        let links = self.links();
        let left_over = |link: &Link| {
            let mut made = self.memory.devices().iter();
            made.any(|made| made.name == link.name.as_str())
        };
        let present = links.iter().map(|link| Present {
            left_over: left_over(link),
            ..present(link, &links)
        });
        let present: Vec<_> = present.collect();
        let wanted = device::wanted(config, &present, &self.all());
        let before = std::mem::replace(&mut self.wanted, wanted);
        self.retired.extend(before);
        let (wanted, retired) = (&self.wanted, &mut self.retired);
        retired.retain(|key, _| !wanted.contains_key(key));
        let promoted = setting::promoted(config);
        self.untidy |= !self.retired.is_empty() || promoted != self.promoted;
        // Until those that leave have removed their addresses.
        self.promoted.extend(promoted.iter().cloned());
        self.promoted_next = promoted;
        let new = Shape::of(config);
        let shape = if self.retired.is_empty() {
            new
        } else {
            new.with(self.shape)
        };
        self.shape = new;
        self.take_options(&config.globals.firewall);
        self.remove_left_over(&links);
        self.note(shape);
        self.filter.adopt(&self.firewall, shape);
        self.settle();
        let names = self.wanted.iter().map(|(k, d)| (k.clone(), d.name.clone()));
        Devices {
            names: names.collect(),
            ready: self.ready(),
            table: Arc::from(self.firewall.table.as_str()),
        }
    }

    /// The table keeps its name while it is in use. keepalived: it refuses such a reload.
    fn take_options(&mut self, options: &Firewall) {
        let before = self.filter.table().map(str::to_owned);
        self.firewall = options.clone();
        if let Some(table) = before.filter(|table| *table != options.table) {
            tracing::warn!("the firewall table stays {table} until the next start");
            self.firewall.table = table;
        }
    }

    /// These instances are about to leave, and others may be about to move their addresses.
    pub(super) fn expect_departures(&mut self, leaving: Vec<InstanceId>) {
        self.leaving.extend(leaving);
        self.held = true;
    }

    /// The engine runs the configuration that was adopted last.
    pub(super) fn release(&mut self) {
        self.held = false;
        self.remove_retired();
    }

    /// An instance has let go of everything.
    pub(super) fn depart(&mut self, id: InstanceId) {
        self.leaving.remove(&id);
        self.remove_retired();
    }

    /// Removes every device and table and puts every setting back.
    pub(super) fn stop(&mut self) {
        self.leaving.clear();
        self.held = false;
        self.retired.append(&mut self.wanted);
        self.shape = Shape::default();
        self.promoted_next.clear();
        self.untidy = true;
        self.remove_retired();
    }

    /// Makes, mends and switches on what is wanted. Does nothing where all is well.
    pub(super) fn settle(&mut self) {
        self.unsettled = false;
        let all = self.all();
        if all.is_empty() && self.memory.devices().is_empty() && self.promoted.is_empty() {
            return;
        }
        let links = self.links();
        for (key, device) in &all {
            self.make(key, device, &links);
        }
        let links = self.links();
        self.filter.set_devices(pairs(&all, &links));
        self.change_settings(&all, &links);
        for (key, device) in &all {
            self.switch_on(key, device, &links);
        }
    }

    fn all(&self) -> BTreeMap<Key, Device> {
        let both = self.wanted.iter().chain(&self.retired);
        both.map(|(k, d)| (k.clone(), d.clone())).collect()
    }

    fn links(&mut self) -> Vec<Link> {
        match self.netlink.links() {
            Ok(links) => links,
            Err(error) => {
                self.fail(&error);
                Vec::new()
            }
        }
    }

    fn ready(&mut self) -> BTreeSet<InterfaceName> {
        let links = self.links();
        let up = |name: &InterfaceName| links.iter().any(|l| l.name == *name && l.up);
        let names = self.wanted.values().map(|d| d.name.clone());
        names.filter(up).collect()
    }

    /// Each complaint is made once until the next configuration.
    fn fail(&mut self, error: &dyn std::error::Error) {
        self.unsettled = true;
        self.complain(Chain(error).to_string());
    }

    fn complain(&mut self, complaint: String) {
        if !self.complaints.contains(&complaint) {
            tracing::warn!("{complaint}");
            self.complaints.insert(complaint);
        }
    }

    /// Written down first, so that a crash leaves nothing that nobody knows of.
    fn note(&mut self, shape: Shape) {
        let made = |(key, device): (Key, Device)| Made {
            name: device.name.as_str().to_owned(),
            base: key.base.as_str().to_owned(),
            mac: key.mac(),
        };
        let devices = self.all().into_iter().map(made).collect();
        let table = (!shape.is_empty()).then_some(self.firewall.table.as_str());
        self.memory.note(devices, table);
    }

    /// Removes what an earlier run that crashed has left and nobody wants now.
    fn remove_left_over(&mut self, links: &[Link]) {
        if let Some(table) = self.memory.table()
            && self.filter.table().is_none()
        {
            Filter::clear(table);
        }
        let all = self.all();
        for made in self.memory.devices().to_vec() {
            let is_wanted = |(key, device): (&Key, &Device)| {
                let mac = key.mac();
                mac == made.mac
                    && key.base.as_str() == made.base
                    // A macvlan is known by its address, an ipvlan by its name.
                    && (mac.is_some() || device.name.as_str() == made.name)
            };
            if all.iter().any(is_wanted) {
                continue;
            }
            let fits =
                |l: &&Link| l.name.as_str() == made.name && was_made(&present(l, links), &made);
            if let Some(link) = links.iter().find(fits) {
                tracing::info!(device = %link.name, "an earlier run has left it, removed");
                self.delete(link.index);
            }
        }
    }

    fn remove_retired(&mut self) {
        if self.held || !self.leaving.is_empty() || !self.untidy {
            return;
        }
        self.untidy = false;
        self.promoted.clone_from(&self.promoted_next);
        let links = self.links();
        // Devices before rules: what one says at its end must not escape them.
        for (key, device) in std::mem::take(&mut self.retired) {
            self.prepared.remove(&key);
            let ours = |l: &&Link| l.name == device.name && present(l, &links).is(&key);
            if let Some(link) = links.iter().find(ours) {
                self.delete(link.index);
            }
        }
        let shape = self.shape;
        self.filter.adopt(&self.firewall.clone(), shape);
        self.settle();
        let (all, links) = (self.all(), self.links());
        let needed = self.needed(&all, &links);
        let keep = |key: &str| {
            let filter = key.ends_with("/rp_filter") && has_v4(&all);
            filter || needed.iter().any(|s| s.key == key)
        };
        self.memory.restore(keep, &|name| number(&links, name));
        self.note(shape);
    }

    fn delete(&mut self, index: u32) {
        if let Err(error) = self.netlink.delete_link(index) {
            self.fail(&error);
        }
    }

    fn make(&mut self, key: &Key, device: &Device, links: &[Link]) {
        let Some(base) = links.iter().find(|l| l.name == key.base) else {
            return;
        };
        let result = match links.iter().find(|l| l.name == device.name) {
            Some(link) if present(link, links).is(key) => self.align(device, link),
            Some(link) => match key.mac() {
                // Somebody has given it another address.
                Some(mac) if self.prepared.get(key) == Some(&link.index) => {
                    self.netlink.set_mac(link.index, mac)
                }
                mac => {
                    let (name, base) = (&device.name, &key.base);
                    self.complain(match mac {
                        Some(_) => format!(
                            "interface {name} exists and is no private macvlan on {base}, so it \
                             cannot carry the virtual MAC address"
                        ),
                        None => format!(
                            "interface {name} exists and is no ipvlan of mode L2 on {base}, so \
                             it cannot carry adverts"
                        ),
                    });
                    return;
                }
            },
            None if base.mac().is_none() || base.loopback => {
                self.complain(format!("{} is not Ethernet: no device for it", key.base));
                return;
            }
            None => self.create(key, device, base),
        };
        if let Err(error) = result {
            self.fail(&error);
        }
    }

    fn create(&mut self, key: &Key, device: &Device, base: &Link) -> Result<(), netlink::Error> {
        let group = device.group.as_deref().map(group_number);
        if let Some(None) = group {
            let name = device.group.as_deref().unwrap_or_default();
            self.complain(format!("interface group {name} is not known"));
        }
        let group = group.flatten().unwrap_or(base.group);
        match key.mac() {
            Some(mac) => {
                self.netlink
                    .create_private_macvlan(&device.name, base.index, mac, group)?;
                tracing::info!(device = %device.name, base = %key.base, "virtual MAC device made");
            }
            None => {
                let siblings = siblings(device.mode.unwrap_or_default());
                self.netlink
                    .create_ipvlan(&device.name, base.index, siblings, group)?;
                tracing::info!(device = %device.name, base = %key.base, "ipvlan device made");
            }
        }
        Ok(())
    }

    /// An ipvlan that is there may see its siblings in another way.
    fn align(&mut self, device: &Device, link: &Link) -> Result<(), netlink::Error> {
        let wanted = device.mode.map(siblings);
        match wanted.filter(|_| link.ipvlan != wanted) {
            Some(wanted) => self.netlink.set_siblings(link.index, wanted),
            None => Ok(()),
        }
    }

    /// A device is in the VRF of the interface below, or in none, as that is.
    fn follow_vrf(&mut self, key: &Key, link: &Link, links: &[Link]) -> Result<(), netlink::Error> {
        let Some(base) = links.iter().find(|l| l.name == key.base) else {
            return Ok(());
        };
        let is_vrf = |index: &u32| {
            let vrf = |l: &Link| l.index == *index && l.kind.as_deref() == Some("vrf");
            links.iter().any(vrf)
        };
        let vrf = base.master.filter(is_vrf);
        if link.master.filter(is_vrf) == vrf {
            return Ok(());
        }
        self.netlink.set_master(link.index, vrf)
    }

    /// The address of an ipvlan, unless it is there.
    fn give_address(&mut self, key: &Key, index: u32) -> Result<(), netlink::Error> {
        let Some(address) = key.address() else {
            return Ok(());
        };
        let added = self.netlink.add_addresses(&[(index, address)])?;
        added.into_iter().try_for_each(|result| result.map(drop))
    }

    /// What the interfaces below and the host as a whole need.
    fn needed(&self, all: &BTreeMap<Key, Device>, links: &[Link]) -> Vec<Setting> {
        let v4 = all
            .iter()
            .filter(|(key, device)| key.mac().is_some() && device.ipv4);
        let bases: BTreeSet<_> = v4.map(|(key, _)| key.base.clone()).collect();
        let there = bases
            .iter()
            .filter(|base| number(links, base.as_str()).is_some());
        let mut settings: Vec<_> = there.flat_map(setting::of_base).collect();
        settings.extend(self.promoted.iter().map(setting::promote_secondaries));
        if has_v4(all) && self.filter.cannot_redirect() {
            settings.push(setting::no_group_reports());
        }
        settings
    }

    fn change_settings(&mut self, all: &BTreeMap<Key, Device>, links: &[Link]) {
        let mut settings = self.needed(all, links);
        if has_v4(all)
            && let Ok(mut filters) = sysctl::of_interfaces("ipv4", "rp_filter")
        {
            let everyone = filters.remove("all").unwrap_or(0);
            // Devices are set by themselves, and vanish.
            filters.retain(|name, _| all.values().all(|d| d.name.as_str() != name));
            settings.extend(setting::reverse_path(everyone, &filters));
        }
        self.memory.change(&settings, &|name| number(links, name));
    }

    fn switch_on(&mut self, key: &Key, device: &Device, links: &[Link]) {
        let ours = |l: &&Link| l.name == device.name && present(l, links).is(key);
        let Some(link) = links.iter().find(ours) else {
            self.prepared.remove(key);
            return;
        };
        if self.prepared.get(key) != Some(&link.index) {
            for Setting { key, value } in setting::of_device(device) {
                match sysctl::write(&key, value) {
                    Err(error) if !error.is_missing() => self.fail(&error),
                    Ok(()) | Err(_) => {}
                }
            }
            if key.mac().is_some()
                && let Err(error) = self.forget_copies(key, link.index, links)
            {
                self.fail(&error);
            }
            self.prepared.insert(key.clone(), link.index);
        }
        if let Err(error) = self.follow_vrf(key, link, links) {
            self.fail(&error);
        }
        if let Err(error) = self.give_address(key, link.index) {
            self.fail(&error);
        }
        let base = links.iter().find(|l| l.name == key.base);
        if base.is_none_or(|base| !base.admin_up) {
            return;
        }
        if !link.admin_up
            && let Err(error) = self.netlink.set_up(link.index, true)
        {
            self.fail(&error);
        }
        // Without it, a link-local virtual address could not answer anybody: its device has no
        // other address of the link.
        if device.ipv6
            && key.mac().is_some()
            && let Err(error) = self.netlink.add_link_local_route(link.index)
        {
            self.fail(&error);
        }
    }

    /// A device that keepalived has left has the link-local address of the interface below. With
    /// it, a Backup would answer from the virtual MAC address.
    fn forget_copies(
        &mut self,
        key: &Key,
        device: u32,
        links: &[Link],
    ) -> Result<(), netlink::Error> {
        let Some(base) = number(links, key.base.as_str()) else {
            return Ok(());
        };
        let below = self.netlink.addresses(Some(base))?;
        let below: BTreeSet<_> = below.into_iter().map(|a| a.address).collect();
        let copies = self.netlink.addresses(Some(device))?.into_iter();
        let copies = copies.filter(|a| below.contains(&a.address));
        let copies = copies.map(|a| (device, VirtualAddress::new(a.address, a.prefix_len)));
        let removed = self.netlink.remove_addresses(&copies.collect::<Vec<_>>())?;
        removed.into_iter().try_for_each(|result| result.map(drop))
    }
}

fn has_v4(all: &BTreeMap<Key, Device>) -> bool {
    all.iter()
        .any(|(key, device)| key.mac().is_some() && device.ipv4)
}

fn number(links: &[Link], name: &str) -> Option<u32> {
    let link = links.iter().find(|l| l.name.as_str() == name);
    link.map(|l| l.index)
}

fn present(link: &Link, links: &[Link]) -> Present {
    let below = |is: bool| {
        let parent = link.parent.filter(|_| is)?;
        let below = links.iter().find(|l| l.index == parent)?;
        Some(below.name.clone())
    };
    Present {
        name: link.name.clone(),
        mac: link.mac(),
        private_macvlan_on: below(link.private_macvlan),
        ipvlan_on: below(link.ipvlan.is_some()),
        left_over: false,
    }
}

/// It still is what an earlier run has made.
fn was_made(present: &Present, made: &Made) -> bool {
    let on = match made.mac {
        Some(_) if present.mac == made.mac => present.private_macvlan_on.as_ref(),
        Some(_) => None,
        None => present.ipvlan_on.as_ref(),
    };
    on.is_some_and(|on| on.as_str() == made.base)
}

const fn siblings(mode: IpvlanMode) -> Siblings {
    match mode {
        IpvlanMode::Bridge => Siblings::Bridge,
        IpvlanMode::Private => Siblings::Private,
        IpvlanMode::Vepa => Siblings::Vepa,
    }
}

fn pairs(all: &BTreeMap<Key, Device>, links: &[Link]) -> Vec<Pair> {
    let pair = |(key, device): (&Key, &Device)| {
        Some(Pair {
            device: number(links, device.name.as_str())?,
            base: number(links, key.base.as_str())?,
            ipv4: device.ipv4,
            ipv6: device.ipv6,
        })
    };
    let moving = all.iter().filter(|(key, _)| key.mac().is_some());
    moving.filter_map(pair).collect()
}

/// A group's number, as iproute2 has it.
fn group_number(group: &str) -> Option<u32> {
    if let Ok(number) = group.parse() {
        return Some(number);
    }
    GROUPS.iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let number = words.next()?.parse().ok()?;
            (words.next()? == group).then_some(number)
        })
    })
}
