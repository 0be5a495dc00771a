//! Addresses of interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressHeaderFlags, AddressMessage,
    AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::message::{Message, attributes, read_u32, text_of};
use super::{Change, Error, Listing, Netlink, Refusal};
use crate::types::{Broadcast, Scope, VirtualAddress};

/// Origin that the kernel keeps with our addresses (`IFA_PROTO`, Linux 5.18), so that those of a
/// crashed run can be told from the host's own. keepalived 2.3.2: the same.
pub const VRRP_PROTOCOL: u8 = 18;

const IFA_PROTO: u16 = 11;

/// Life time without end.
const FOREVER: u32 = u32::MAX;

/// An address as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Interface that carries it.
    pub ifindex: u32,
    /// The address of this end.
    pub address: IpAddr,
    /// Prefix length; the peer's on a point-to-point address.
    pub prefix_len: u8,
    /// The other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// Scope.
    pub scope: Scope,
    /// IPv4 label; the interface's name unless it was set.
    pub label: Option<String>,
    /// IPv4 broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Who added it: [`VRRP_PROTOCOL`] is ours, `None` nobody in particular.
    pub protocol: Option<u8>,
    /// Seconds it may still be a source address; `u32::MAX` for ever.
    pub preferred_lifetime: u32,
    /// Seconds it still exists; `u32::MAX` for ever.
    pub valid_lifetime: u32,
    flags: AddressFlags,
}

impl Address {
    /// Another address of its subnet came first. IPv4 only.
    #[must_use]
    pub fn secondary(&self) -> bool {
        self.address.is_ipv4() && self.flags.contains(AddressFlags::Secondary)
    }

    /// Duplicate address detection still runs: it cannot be used yet. IPv6 only.
    #[must_use]
    pub const fn tentative(&self) -> bool {
        self.flags.contains(AddressFlags::Tentative)
    }

    /// Duplicate address detection found another owner: it is not used. IPv6 only.
    #[must_use]
    pub const fn duplicate(&self) -> bool {
        self.flags.contains(AddressFlags::Dadfailed)
    }

    /// It has no end of life.
    #[must_use]
    pub const fn permanent(&self) -> bool {
        self.flags.contains(AddressFlags::Permanent)
    }

    /// New connections do not use it as their source.
    #[must_use]
    pub const fn deprecated(&self) -> bool {
        self.flags.contains(AddressFlags::Deprecated)
    }

    /// It has no prefix route.
    #[must_use]
    pub const fn no_prefix_route(&self) -> bool {
        self.flags.contains(AddressFlags::Noprefixroute)
    }

    /// Duplicate address detection was left out. IPv6 only.
    #[must_use]
    pub const fn undetected(&self) -> bool {
        self.flags.contains(AddressFlags::Nodad)
    }

    /// It is a mobile home address. IPv6 only.
    #[must_use]
    pub const fn home(&self) -> bool {
        self.flags.contains(AddressFlags::Homeaddress)
    }

    /// It is the template of privacy addresses. IPv6 only.
    #[must_use]
    pub const fn manage_temporary(&self) -> bool {
        self.flags.contains(AddressFlags::Managetempaddr)
    }

    /// The kernel joined its multicast group.
    #[must_use]
    pub const fn autojoin(&self) -> bool {
        self.flags.contains(AddressFlags::Mcautojoin)
    }

    /// It is `virtual_address`: the same address, prefix and peer on the same interface.
    #[must_use]
    pub fn is(&self, ifindex: u32, virtual_address: &VirtualAddress) -> bool {
        self.ifindex == ifindex
            && self.address == virtual_address.address
            && self.prefix_len == kernel_prefix_len(virtual_address)
            && self.peer == virtual_address.peer.map(|(peer, _)| peer)
    }

    /// Reads an `RTM_NEWADDR` or `RTM_DELADDR`.
    pub(super) fn read(message: Message<'_>) -> Option<Self> {
        let header = AddressHeader::parse(message.payload).ok()?;
        let mut entry = Self {
            ifindex: header.index,
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            prefix_len: header.prefix_len,
            peer: None,
            scope: scope_of(header.scope.into()),
            label: None,
            broadcast: None,
            protocol: None,
            preferred_lifetime: FOREVER,
            valid_lifetime: FOREVER,
            flags: AddressFlags::from_bits_retain(header.flags.bits().into()),
        };
        let (mut local, mut remote) = (None, None);
        for (kind, value) in attributes(message.payload.get(8..)?) {
            match kind {
                libc::IFA_LOCAL => local = read_ip(value),
                libc::IFA_ADDRESS => remote = read_ip(value),
                libc::IFA_LABEL => entry.label = Some(text_of(value)),
                libc::IFA_BROADCAST => entry.broadcast = read_ipv4(value),
                libc::IFA_FLAGS => {
                    entry.flags = AddressFlags::from_bits_retain(read_u32(value)?);
                }
                IFA_PROTO => entry.protocol = value.first().copied(),
                libc::IFA_CACHEINFO => {
                    entry.preferred_lifetime = read_u32(value)?;
                    entry.valid_lifetime = read_u32(value.get(4..)?)?;
                }
                _ => {}
            }
        }
        entry.address = local.or(remote)?;
        entry.peer = remote.filter(|remote| *remote != entry.address);
        Some(entry)
    }
}

impl Netlink {
    /// Adds addresses, each to its interface, and says what became of each, in order.
    ///
    /// An address that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] if the kernel cannot be asked: some may have been added, and the same
    /// call again is safe. Inside, [`Error::AddAddress`] for one that the kernel refused.
    pub fn add_addresses(
        &mut self,
        addresses: &[(u32, VirtualAddress)],
    ) -> Result<Vec<Result<Change, Error>>, Error> {
        let requests = addresses
            .iter()
            .map(|(ifindex, address)| RouteNetlinkMessage::NewAddress(to_add(*ifindex, address)))
            .collect();
        let answers = self.perform_all(requests, NLM_F_CREATE | NLM_F_EXCL)?;
        let results = addresses
            .iter()
            .zip(answers)
            .map(|((ifindex, address), answer)| {
                change(answer, &[libc::EEXIST]).map_err(|refusal| Error::AddAddress {
                    ifindex: *ifindex,
                    address: Box::new(address.clone()),
                    refusal,
                })
            });
        Ok(results.collect())
    }

    /// Removes addresses, each from its interface, and says what became of each, in order.
    ///
    /// An address that is gone already, also with its interface, is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`] if the kernel cannot be asked: some may have been removed, and the
    /// same call again is safe. Inside, [`Error::RemoveAddress`] for one that the kernel refused.
    pub fn remove_addresses(
        &mut self,
        addresses: &[(u32, VirtualAddress)],
    ) -> Result<Vec<Result<Change, Error>>, Error> {
        let requests = addresses
            .iter()
            .map(|(ifindex, address)| RouteNetlinkMessage::DelAddress(base(*ifindex, address)))
            .collect();
        let answers = self.perform_all(requests, 0)?;
        let results = addresses
            .iter()
            .zip(answers)
            .map(|((ifindex, address), answer)| {
                change(answer, &[libc::EADDRNOTAVAIL, libc::ENODEV]).map_err(|refusal| {
                    Error::RemoveAddress {
                        ifindex: *ifindex,
                        address: Box::new(address.clone()),
                        refusal,
                    }
                })
            });
        Ok(results.collect())
    }

    /// Lists the addresses of one interface, or of all when `ifindex` is `None`.
    ///
    /// IPv4 comes first. Within an interface the order is the kernel's: the first IPv4 address
    /// that is not secondary is the primary one.
    ///
    /// # Errors
    ///
    /// [`Error::List`], [`Error::Unsettled`] or [`Error::Transport`].
    pub fn addresses(&mut self, ifindex: Option<u32>) -> Result<Vec<Address>, Error> {
        let mut addresses = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = AddressMessage::default();
            request.header.family = family;
            request.header.index = ifindex.unwrap_or(0);
            let request = RouteNetlinkMessage::GetAddress(request);
            match self.dump(Listing::Addresses, &request, Address::read) {
                Ok(entries) => addresses.extend(entries),
                // The answer to a listing of one interface that does not exist.
                Err(error) if ifindex.is_some() && error.errno() == Some(libc::ENODEV) => {}
                Err(error) => return Err(error),
            }
        }
        addresses.retain(|address| ifindex.is_none_or(|index| index == address.ifindex));
        Ok(addresses)
    }
}

fn change(answer: Option<Refusal>, harmless: &[i32]) -> Result<Change, Refusal> {
    match answer {
        None => Ok(Change::Done),
        Some(refusal) if harmless.contains(&refusal.errno) => Ok(Change::AlreadySo),
        Some(refusal) => Err(refusal),
    }
}

/// What tells one address from another: enough to remove it.
fn base(ifindex: u32, address: &VirtualAddress) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match address.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = kernel_prefix_len(address);
    message.header.index = ifindex;
    let remote = address.peer.map_or(address.address, |(peer, _)| peer);
    message
        .attributes
        .push(AddressAttribute::Local(address.address));
    message.attributes.push(AddressAttribute::Address(remote));
    message
}

/// Everything the kernel is told about an address.
fn to_add(ifindex: u32, address: &VirtualAddress) -> AddressMessage {
    let mut message = base(ifindex, address);
    let flags = flags(address);
    message.header.flags = AddressHeaderFlags::from_bits_retain(flags.bits().to_le_bytes()[0]);
    message.attributes.push(AddressAttribute::Flags(flags));
    message
        .attributes
        .push(AddressAttribute::Protocol(AddressProtocol::Other(
            VRRP_PROTOCOL,
        )));
    if let IpAddr::V4(ipv4) = address.address {
        message.header.scope = AddressScope::from(address.scope.number());
        message
            .attributes
            .extend(address.label.clone().map(AddressAttribute::Label));
        message
            .attributes
            .extend(broadcast(ipv4, address).map(AddressAttribute::Broadcast));
    }
    message
        .attributes
        .extend(preferred_lifetime(address).map(|preferred| {
            let mut lifetimes = CacheInfo::default();
            lifetimes.ifa_preferred = preferred;
            lifetimes.ifa_valid = FOREVER;
            AddressAttribute::CacheInfo(lifetimes)
        }));
    message
}

fn flags(address: &VirtualAddress) -> AddressFlags {
    let ipv6 = address.address.is_ipv6();
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Nodad, ipv6 && !address.duplicate_detection);
    flags.set(AddressFlags::Homeaddress, ipv6 && address.home);
    flags.set(
        AddressFlags::Managetempaddr,
        ipv6 && address.manage_temporary,
    );
    flags.set(AddressFlags::Noprefixroute, address.no_prefix_route);
    flags.set(AddressFlags::Mcautojoin, address.autojoin);
    flags
}

/// The kernel's prefix length is the peer's where there is one.
fn kernel_prefix_len(address: &VirtualAddress) -> u8 {
    address
        .peer
        .map_or(address.prefix_len, |(_, prefix_len)| prefix_len)
}

/// A prefix of 31 or 32 bits has no broadcast address.
fn broadcast(ipv4: Ipv4Addr, address: &VirtualAddress) -> Option<Ipv4Addr> {
    let host_bits = u32::MAX.checked_shr(address.prefix_len.into()).unwrap_or(0);
    match address.broadcast? {
        Broadcast::Address(address) => Some(address),
        Broadcast::HostBitsSet | Broadcast::HostBitsClear if host_bits < 2 => None,
        Broadcast::HostBitsSet => Some((ipv4.to_bits() | host_bits).into()),
        Broadcast::HostBitsClear => Some((ipv4.to_bits() & !host_bits).into()),
    }
}

/// A single IPv6 address is nobody's source address unless told otherwise. keepalived: the same.
fn preferred_lifetime(address: &VirtualAddress) -> Option<u32> {
    let host_route = address.address.is_ipv6() && kernel_prefix_len(address) == 128;
    address.preferred_lifetime.or(host_route.then_some(0))
}

const fn scope_of(number: u8) -> Scope {
    match number {
        0 => Scope::Global,
        200 => Scope::Site,
        253 => Scope::Link,
        254 => Scope::Host,
        255 => Scope::Nowhere,
        other => Scope::Other(other),
    }
}

fn read_ip(value: &[u8]) -> Option<IpAddr> {
    let ipv6 = || {
        <[u8; 16]>::try_from(value)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).into())
    };
    read_ipv4(value).map(IpAddr::V4).or_else(ipv6)
}

fn read_ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn virtual_address(address: &str, prefix_len: u8) -> VirtualAddress {
        VirtualAddress::new(address.parse().unwrap(), prefix_len)
    }

    fn broadcast_of(prefix_len: u8, broadcast: Broadcast) -> Option<Ipv4Addr> {
        let mut address = virtual_address("10.1.2.3", prefix_len);
        address.broadcast = Some(broadcast);
        super::broadcast(Ipv4Addr::new(10, 1, 2, 3), &address)
    }

    #[test]
    fn broadcast_addresses_follow_from_the_prefix() {
        let set = |prefix_len| broadcast_of(prefix_len, Broadcast::HostBitsSet);
        assert_eq!(set(24), Some(Ipv4Addr::new(10, 1, 2, 255)));
        assert_eq!(set(0), Some(Ipv4Addr::BROADCAST));
        assert_eq!(set(31), None);
        assert_eq!(set(32), None);
        let clear = broadcast_of(24, Broadcast::HostBitsClear);
        assert_eq!(clear, Some(Ipv4Addr::new(10, 1, 2, 0)));
    }

    #[test]
    fn a_single_ipv6_address_is_no_source_address_by_default() {
        let mut address = virtual_address("fd00::1", 128);
        assert_eq!(preferred_lifetime(&address), Some(0));
        address.preferred_lifetime = Some(FOREVER);
        assert_eq!(preferred_lifetime(&address), Some(FOREVER));
        assert_eq!(preferred_lifetime(&virtual_address("fd00::1", 64)), None);
        assert_eq!(preferred_lifetime(&virtual_address("10.0.0.1", 32)), None);
    }

    #[test]
    fn only_ipv6_leaves_out_duplicate_address_detection() {
        assert_eq!(flags(&virtual_address("fd00::1", 128)), AddressFlags::Nodad);
        assert_eq!(
            flags(&virtual_address("10.0.0.1", 32)),
            AddressFlags::empty()
        );
    }
}
