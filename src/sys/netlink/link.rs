//! Network interfaces.

use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::message::{Message, find, read_u32, text_of};
use super::{Error, Listing, Netlink};
use crate::types::InterfaceName;

const HEADER_LEN: usize = 16;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
const MACVLAN_MODE_PRIVATE: u32 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IPVLAN_MODE_L2: u16 = 0;
const IPVLAN_F_PRIVATE: u16 = 1;
const IPVLAN_F_VEPA: u16 = 2;
const AF_INET6: u16 = 10;
const IFLA_INET6_CONF: u16 = 2;

/// How ipvlan devices on one interface see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Siblings {
    /// They reach each other on the host.
    Bridge,
    /// They do not reach each other.
    Private,
    /// They reach each other by a switch that sends packets back.
    Vepa,
}

/// A network interface as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it, in this namespace.
    pub index: u32,
    /// Its name.
    pub name: InterfaceName,
    /// It can carry traffic: switched on, and its carrier is there (`IFF_UP` and `IFF_RUNNING`).
    pub up: bool,
    /// It is switched on (`IFF_UP`).
    pub admin_up: bool,
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// Link-layer address: 6 bytes on Ethernet, 20 on InfiniBand, none on some tunnels.
    pub hardware_address: Vec<u8>,
    /// It resolves no addresses.
    pub noarp: bool,
    /// It is a loopback.
    pub loopback: bool,
    /// It carries multicast.
    pub multicast: bool,
    /// Driver of a virtual interface: `veth`, `bond`, `vlan` …
    pub kind: Option<String>,
    /// Bridge, bond or VRF that it belongs to.
    pub master: Option<u32>,
    /// Interface below a VLAN or macvlan; the other end of a veth, perhaps in another namespace.
    pub parent: Option<u32>,
    /// Interface group; 0 unless it was put into one.
    pub group: u32,
    /// A macvlan that exchanges nothing with its siblings.
    pub private_macvlan: bool,
    /// What it is to its siblings, if it is an ipvlan of mode L2.
    pub ipvlan: Option<Siblings>,
    /// It forwards IPv6 packets: a router to its neighbours.
    pub forwards_v6: bool,
}

impl Link {
    /// Its Ethernet address.
    #[must_use]
    pub fn mac(&self) -> Option<[u8; 6]> {
        self.hardware_address.as_slice().try_into().ok()
    }

    /// Reads an `RTM_NEWLINK` or `RTM_DELLINK`.
    ///
    /// `None` for what a bridge says of its ports: there, a deletion is no deletion.
    pub(super) fn read(message: Message<'_>) -> Option<Self> {
        let header = LinkHeader::parse(message.payload).ok()?;
        if header.interface_family != AddressFamily::Unspec {
            return None;
        }
        let attributes = message.payload.get(HEADER_LEN..)?;
        let value = |kind| find(attributes, kind);
        let info = |kind| value(libc::IFLA_LINKINFO).and_then(|info| find(info, kind));
        let kind = info(IFLA_INFO_KIND).map(text_of);
        let data = |of| info(IFLA_INFO_DATA).filter(|_| kind.as_deref() == Some(of));
        let mode = data("macvlan")
            .and_then(|data| find(data, IFLA_MACVLAN_MODE))
            .and_then(read_u32);
        let ipvlan = data("ipvlan").and_then(siblings);
        Some(Self {
            index: header.index,
            name: InterfaceName::new(&text_of(value(libc::IFLA_IFNAME)?))?,
            up: header.flags.contains(LinkFlags::Up | LinkFlags::Running),
            admin_up: header.flags.contains(LinkFlags::Up),
            mtu: value(libc::IFLA_MTU).and_then(read_u32).unwrap_or(0),
            hardware_address: value(libc::IFLA_ADDRESS).unwrap_or_default().to_vec(),
            noarp: header.flags.contains(LinkFlags::Noarp),
            loopback: header.flags.contains(LinkFlags::Loopback),
            multicast: header.flags.contains(LinkFlags::Multicast),
            private_macvlan: mode == Some(MACVLAN_MODE_PRIVATE),
            ipvlan,
            kind,
            master: value(libc::IFLA_MASTER).and_then(read_u32),
            parent: value(libc::IFLA_LINK)
                .and_then(read_u32)
                .filter(|&index| index != 0),
            group: value(libc::IFLA_GROUP).and_then(read_u32).unwrap_or(0),
            forwards_v6: value(libc::IFLA_AF_SPEC)
                .and_then(|families| find(families, AF_INET6))
                .and_then(|ipv6| find(ipv6, IFLA_INET6_CONF))
                // The first of its settings, `DEVCONF_FORWARDING`.
                .and_then(read_u32)
                .is_some_and(|value| value != 0),
        })
    }
}

fn siblings(data: &[u8]) -> Option<Siblings> {
    let value = |kind| {
        let bytes = find(data, kind)?.try_into().ok()?;
        Some(u16::from_ne_bytes(bytes))
    };
    let flags = value(IFLA_IPVLAN_FLAGS).unwrap_or(0);
    match value(IFLA_IPVLAN_MODE)? {
        IPVLAN_MODE_L2 if flags & IPVLAN_F_PRIVATE != 0 => Some(Siblings::Private),
        IPVLAN_MODE_L2 if flags & IPVLAN_F_VEPA != 0 => Some(Siblings::Vepa),
        IPVLAN_MODE_L2 => Some(Siblings::Bridge),
        _ => None,
    }
}

impl Netlink {
    /// Lists the interfaces, by number.
    ///
    /// # Errors
    ///
    /// [`Error::List`], [`Error::Unsettled`] or [`Error::Transport`].
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = RouteNetlinkMessage::GetLink(without_statistics(LinkMessage::default()));
        self.dump(Listing::Links, &request, Link::read)
    }

    /// The interface called `name`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::List`] or [`Error::Transport`].
    pub fn link_by_name(&mut self, name: &InterfaceName) -> Result<Option<Link>, Error> {
        let mut request = without_statistics(LinkMessage::default());
        request
            .attributes
            .push(LinkAttribute::IfName(name.as_str().to_owned()));
        self.link_by(request)
    }

    /// The interface numbered `index`, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::List`] or [`Error::Transport`].
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>, Error> {
        let mut request = without_statistics(LinkMessage::default());
        request.header.index = index;
        self.link_by(request)
    }

    fn link_by(&mut self, request: LinkMessage) -> Result<Option<Link>, Error> {
        match self.get(RouteNetlinkMessage::GetLink(request), Link::read)? {
            Ok(link) => Ok(link),
            Err(refusal) if refusal.errno == libc::ENODEV => Ok(None),
            Err(refusal) => Err(Error::List {
                what: Listing::Links,
                refusal,
            }),
        }
    }
}

/// Counters of every queue make up most of an answer, and nobody here reads them.
fn without_statistics(mut request: LinkMessage) -> LinkMessage {
    request
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    request
}
