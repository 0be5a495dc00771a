//! What the host's interfaces are like right now, and a thread that keeps watching.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::sys::netlink::{self, Address, KernelEvent, Link, Monitor, Netlink};
use crate::types::{Family, InterfaceName};
use crate::wire::arp::Mac;

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// The kernel's number for it.
    pub index: u32,
    /// It can carry packets.
    pub up: bool,
    /// Bytes that one packet may have.
    pub mtu: u32,
    /// Its Ethernet address; `None` on links without ARP.
    pub mac: Option<Mac>,
    /// Number of the interface that it sits on.
    pub parent: Option<u32>,
    /// Number of the bridge, bond or VRF that it belongs to.
    pub master: Option<u32>,
    /// Own IPv4 addresses in the kernel's order, without the virtual ones.
    pub addresses: Vec<Ipv4Addr>,
    /// Own IPv6 addresses that can be used, in the kernel's order, without the virtual ones.
    pub addresses_v6: Vec<Ipv6Addr>,
    /// Own IPv6 addresses that cannot be used: duplicates are looked for, or were found.
    pub unready: BTreeSet<Ipv6Addr>,
    /// It forwards IPv6 packets.
    pub forwards_v6: bool,
}

impl LinkState {
    /// Address that adverts are sent from unless another one was configured.
    #[must_use]
    pub fn primary_address(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.addresses.first().copied().map(IpAddr::V4),
            Family::V6 => {
                let mut addresses = self.addresses_v6.iter();
                let link_local = addresses.find(|a| a.is_unicast_link_local());
                link_local.copied().map(IpAddr::V6)
            }
        }
    }

    /// Whether `address` is an own one that can be used.
    #[must_use]
    pub fn has(&self, address: &IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.addresses.contains(v4),
            IpAddr::V6(v6) => self.addresses_v6.contains(v6),
        }
    }

    /// Whether packets may not be sent from `address` yet.
    #[must_use]
    pub fn is_unready(&self, address: &IpAddr) -> bool {
        matches!(address, IpAddr::V6(v6) if self.unready.contains(v6))
    }
}

/// All interfaces by name.
pub type Links = BTreeMap<InterfaceName, LinkState>;

/// Addresses that move: they never count as a host's own. Shared between reload and watcher.
#[derive(Debug, Clone, Default)]
pub struct VirtualAddresses(Arc<Mutex<BTreeSet<IpAddr>>>);

impl VirtualAddresses {
    /// Replaces the set.
    pub fn set(&self, addresses: BTreeSet<IpAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    fn all(&self) -> BTreeSet<IpAddr> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn contains(&self, address: &IpAddr) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(address)
    }
}

/// Follows the kernel's events.
#[derive(Debug)]
pub struct Watcher {
    monitor: Monitor,
    netlink: Netlink,
    virtual_addresses: VirtualAddresses,
    links: BTreeMap<u32, Link>,
    addresses: BTreeMap<u32, Vec<Address>>,
    gone: BTreeSet<IpAddr>,
    /// Every change of an address is logged.
    log_addresses: bool,
}

impl Watcher {
    /// Starts to listen, then lists what is there: nothing falls between. `log_addresses` has
    /// each change of an address logged.
    ///
    /// # Errors
    /// Netlink's.
    pub fn open(
        virtual_addresses: VirtualAddresses,
        log_addresses: bool,
    ) -> Result<Self, netlink::Error> {
        let mut watcher = Self {
            monitor: Monitor::open()?,
            netlink: Netlink::open()?,
            virtual_addresses,
            links: BTreeMap::new(),
            addresses: BTreeMap::new(),
            gone: BTreeSet::new(),
            log_addresses,
        };
        watcher.list()?;
        Ok(watcher)
    }

    /// The interfaces as the events so far have left them.
    #[must_use]
    pub fn links(&self) -> Links {
        self.links
            .values()
            .map(|link| (link.name.clone(), self.state(link)))
            .collect()
    }

    /// Virtual addresses that the kernel has removed since this was asked last, by whomever.
    pub fn take_gone(&mut self) -> BTreeSet<IpAddr> {
        std::mem::take(&mut self.gone)
    }

    /// Waits for at least one event and takes in all that wait.
    ///
    /// # Errors
    /// Netlink's.
    pub fn wait(&mut self) -> Result<(), netlink::Error> {
        let event = self.monitor.next()?;
        self.apply(event)?;
        while let Some(event) = self.monitor.try_next()? {
            self.apply(event)?;
        }
        Ok(())
    }

    fn state(&self, link: &Link) -> LinkState {
        let addresses = self
            .addresses
            .get(&link.index)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let own = addresses
            .iter()
            .filter(|a| !self.virtual_addresses.contains(&a.address));
        let mut state = LinkState {
            index: link.index,
            up: link.up,
            mtu: link.mtu,
            mac: link.mac().filter(|_| !link.noarp),
            parent: link.parent,
            master: link.master,
            addresses: Vec::new(),
            addresses_v6: Vec::new(),
            unready: BTreeSet::new(),
            forwards_v6: link.forwards_v6,
        };
        for address in own {
            match address.address {
                IpAddr::V4(v4) => state.addresses.push(v4),
                IpAddr::V6(v6) if address.tentative() || address.duplicate() => {
                    state.unready.insert(v6);
                }
                IpAddr::V6(v6) => state.addresses_v6.push(v6),
            }
        }
        state
    }

    fn list(&mut self) -> Result<(), netlink::Error> {
        self.links = self
            .netlink
            .links()?
            .into_iter()
            .map(|l| (l.index, l))
            .collect();
        self.addresses.clear();
        for address in self.netlink.addresses(None)? {
            self.addresses
                .entry(address.ifindex)
                .or_default()
                .push(address);
        }
        Ok(())
    }

    fn apply(&mut self, event: KernelEvent) -> Result<(), netlink::Error> {
        match event {
            KernelEvent::LinkChanged(link) => {
                self.links.insert(link.index, link);
            }
            KernelEvent::LinkGone { index, .. } => {
                self.links.remove(&index);
                self.addresses.remove(&index);
            }
            KernelEvent::AddressAdded(address) => {
                self.log(&address, "added to");
                // Kept out here, so that thousands of moving addresses cost nothing.
                if !self.virtual_addresses.contains(&address.address) {
                    let list = self.addresses.entry(address.ifindex).or_default();
                    match list.iter_mut().find(|a| same(a, &address)) {
                        Some(known) => *known = address,
                        None => list.push(address),
                    }
                }
            }
            KernelEvent::AddressRemoved(address) => {
                self.log(&address, "removed from");
                if self.virtual_addresses.contains(&address.address) {
                    self.gone.insert(address.address);
                }
                if let Some(list) = self.addresses.get_mut(&address.ifindex) {
                    list.retain(|a| !same(a, &address));
                }
            }
            KernelEvent::ForwardingChanged { index, on } => {
                if let Some(link) = self.links.get_mut(&index) {
                    link.forwards_v6 = on;
                }
            }
            KernelEvent::Overrun => {
                tracing::warn!("kernel events were lost, listing interfaces and addresses anew");
                self.gone = self.virtual_addresses.all();
                self.list()?;
            }
        }
        Ok(())
    }
}

impl Watcher {
    fn log(&self, address: &Address, what: &str) {
        if !self.log_addresses {
            return;
        }
        let link = self.links.get(&address.ifindex);
        let (ip, length) = (address.address, address.prefix_len);
        match link {
            Some(link) => tracing::info!("address {ip}/{length} {what} {}", link.name),
            None => tracing::info!("address {ip}/{length} {what} interface {}", address.ifindex),
        }
    }
}

fn same(a: &Address, b: &Address) -> bool {
    (a.address, a.prefix_len) == (b.address, b.prefix_len)
}
