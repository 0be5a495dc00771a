//! Routes.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::address::VRRP_PROTOCOL;
use super::message::Message;
use super::{Change, Error, Netlink};

/// Where `rtmsg` has the kind of a route.
const KIND_AT: usize = 7;

impl Netlink {
    /// Adds a default route by `gateway` on an interface.
    ///
    /// # Errors
    ///
    /// [`Error::AddRoute`] or [`Error::Transport`].
    pub fn add_default_route(&mut self, ifindex: u32, gateway: IpAddr) -> Result<Change, Error> {
        let mut route = RouteMessage::default();
        route.header.address_family = match gateway {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.protocol = RouteProtocol::Static;
        route.header.scope = RouteScope::Universe;
        route.header.kind = RouteType::Unicast;
        route.attributes = vec![
            RouteAttribute::Gateway(gateway.into()),
            RouteAttribute::Oif(ifindex),
        ];
        let request = RouteNetlinkMessage::NewRoute(route);
        match self.perform(request, NLM_F_CREATE | NLM_F_EXCL)? {
            None => Ok(Change::Done),
            Some(refusal) if refusal.errno == libc::EEXIST => Ok(Change::AlreadySo),
            Some(refusal) => Err(Error::AddRoute {
                ifindex,
                gateway,
                refusal,
            }),
        }
    }

    /// Whether packets to an IPv6 address of an interface are taken in.
    ///
    /// The kernel adds an address, says so, and makes its local route a moment later.
    ///
    /// # Errors
    ///
    /// [`Error::Transport`].
    pub fn is_local(&mut self, ifindex: u32, address: Ipv6Addr) -> Result<bool, Error> {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet6;
        route.header.destination_prefix_length = 128;
        // Named, the interface also says in which VRF to look.
        route.attributes = vec![
            RouteAttribute::Destination(RouteAddress::Inet6(address)),
            RouteAttribute::Oif(ifindex),
        ];
        let kind = |message: Message<'_>| message.payload.get(KIND_AT).copied();
        let found = self.get(RouteNetlinkMessage::GetRoute(route), kind)?;
        Ok(found.is_ok_and(|kind| kind == Some(RouteType::Local.into())))
    }

    /// Adds the route to the link-local IPv6 addresses of an interface, as the kernel makes it for
    /// one that has such an address with its usual prefix.
    ///
    /// # Errors
    ///
    /// [`Error::AddLinkLocalRoute`] or [`Error::Transport`].
    pub fn add_link_local_route(&mut self, ifindex: u32) -> Result<Change, Error> {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet6;
        route.header.destination_prefix_length = 64;
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.protocol = RouteProtocol::from(VRRP_PROTOCOL);
        route.header.scope = RouteScope::Universe;
        route.header.kind = RouteType::Unicast;
        let prefix = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
        route.attributes = vec![
            RouteAttribute::Destination(RouteAddress::Inet6(prefix)),
            RouteAttribute::Oif(ifindex),
        ];
        let request = RouteNetlinkMessage::NewRoute(route);
        // Beside those of other interfaces, which `NLM_F_EXCL` would not allow.
        match self.perform(request, NLM_F_CREATE | NLM_F_APPEND)? {
            None => Ok(Change::Done),
            Some(refusal) if refusal.errno == libc::EEXIST => Ok(Change::AlreadySo),
            Some(refusal) => Err(Error::AddLinkLocalRoute { ifindex, refusal }),
        }
    }
}
