//! Links made, changed and deleted.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth, IpVlanFlags,
    IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};

use super::{Change, Error, Netlink, Siblings};
use crate::types::InterfaceName;

impl Netlink {
    /// Makes a pair of virtual Ethernet interfaces: `name` here and `peer` in the network
    /// namespace that `namespace` is open on.
    ///
    /// # Errors
    ///
    /// [`Error::CreateLink`] or [`Error::Transport`].
    pub fn create_veth(
        &mut self,
        name: &InterfaceName,
        peer: &InterfaceName,
        namespace: impl AsFd,
    ) -> Result<(), Error> {
        let mut other = LinkMessage::default();
        other
            .attributes
            .push(LinkAttribute::IfName(peer.as_str().to_owned()));
        other
            .attributes
            .push(LinkAttribute::NetNsFd(namespace.as_fd().as_raw_fd()));
        self.create(name, InfoKind::Veth, InfoData::Veth(InfoVeth::Peer(other)))
    }

    /// Makes a bridge that forwards at once and everything: no spanning tree, no snooping.
    ///
    /// # Errors
    ///
    /// [`Error::CreateLink`] or [`Error::Transport`].
    pub fn create_bridge(&mut self, name: &InterfaceName) -> Result<(), Error> {
        let data = InfoData::Bridge(vec![
            InfoBridge::StpState(BridgeStpState::Disabled),
            InfoBridge::ForwardDelay(0),
            InfoBridge::MulticastSnooping(false),
        ]);
        self.create(name, InfoKind::Bridge, data)
    }

    /// Makes a bridge that speaks the spanning tree protocol (IEEE 802.1D): a port that comes up
    /// forwards after 4 s, twice the shortest forward delay that there is.
    ///
    /// # Errors
    ///
    /// [`Error::CreateLink`] or [`Error::Transport`].
    pub fn create_spanning_bridge(&mut self, name: &InterfaceName) -> Result<(), Error> {
        let data = InfoData::Bridge(vec![
            InfoBridge::ForwardDelay(200),
            InfoBridge::StpState(BridgeStpState::KernelStp),
            InfoBridge::MulticastSnooping(false),
        ]);
        self.create(name, InfoKind::Bridge, data)
    }

    /// Makes a macvlan on `base` that exchanges nothing with its siblings, with an Ethernet address
    /// and in an interface group. It is switched off.
    ///
    /// # Errors
    ///
    /// [`Error::CreateLink`] or [`Error::Transport`].
    pub fn create_private_macvlan(
        &mut self,
        name: &InterfaceName,
        base: u32,
        mac: [u8; 6],
        group: u32,
    ) -> Result<(), Error> {
        let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)]);
        let more = vec![
            LinkAttribute::Link(base),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::Group(group),
        ];
        self.create_with(name, InfoKind::MacVlan, data, more)
    }

    /// Makes an ipvlan of mode L2 on `base`, in an interface group. It is switched off.
    ///
    /// # Errors
    ///
    /// [`Error::CreateLink`] or [`Error::Transport`].
    pub fn create_ipvlan(
        &mut self,
        name: &InterfaceName,
        base: u32,
        siblings: Siblings,
        group: u32,
    ) -> Result<(), Error> {
        let more = vec![LinkAttribute::Link(base), LinkAttribute::Group(group)];
        self.create_with(name, InfoKind::IpVlan, ipvlan_data(siblings), more)
    }

    /// Says how an ipvlan, and all others on the same interface, see each other.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn set_siblings(&mut self, index: u32, siblings: Siblings) -> Result<(), Error> {
        let info = vec![
            LinkInfo::Kind(InfoKind::IpVlan),
            LinkInfo::Data(ipvlan_data(siblings)),
        ];
        let mut request = of(index);
        request.attributes.push(LinkAttribute::LinkInfo(info));
        // What a driver knows of a link is changed by a request to make it.
        match self.perform(RouteNetlinkMessage::NewLink(request), 0)? {
            None => Ok(()),
            Some(refusal) => Err(Error::ChangeLink {
                ifindex: index,
                refusal,
            }),
        }
    }

    /// Puts a link under a bridge, bond or VRF, or takes it out with `None`.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn set_master(&mut self, index: u32, master: Option<u32>) -> Result<(), Error> {
        self.set(index, LinkAttribute::Controller(master.unwrap_or(0)))
    }

    /// Switches a link on or off.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn set_up(&mut self, index: u32, up: bool) -> Result<(), Error> {
        let mut request = of(index);
        request.header.flags.set(LinkFlags::Up, up);
        request.header.change_mask = LinkFlags::Up;
        self.change(index, request)
    }

    /// Renames a link.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn rename(&mut self, index: u32, name: &InterfaceName) -> Result<(), Error> {
        self.set(index, LinkAttribute::IfName(name.as_str().to_owned()))
    }

    /// Gives a link another Ethernet address.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn set_mac(&mut self, index: u32, mac: [u8; 6]) -> Result<(), Error> {
        self.set(index, LinkAttribute::Address(mac.to_vec()))
    }

    /// Moves a link to the network namespace that `namespace` is open on.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn move_link(&mut self, index: u32, namespace: impl AsFd) -> Result<(), Error> {
        self.set(index, LinkAttribute::NetNsFd(namespace.as_fd().as_raw_fd()))
    }

    /// Deletes a link.
    ///
    /// # Errors
    ///
    /// [`Error::ChangeLink`] or [`Error::Transport`].
    pub fn delete_link(&mut self, index: u32) -> Result<Change, Error> {
        match self.perform(RouteNetlinkMessage::DelLink(of(index)), 0)? {
            None => Ok(Change::Done),
            Some(refusal) if refusal.errno == libc::ENODEV => Ok(Change::AlreadySo),
            Some(refusal) => Err(Error::ChangeLink {
                ifindex: index,
                refusal,
            }),
        }
    }

    fn create(
        &mut self,
        name: &InterfaceName,
        kind: InfoKind,
        data: InfoData,
    ) -> Result<(), Error> {
        self.create_with(name, kind, data, Vec::new())
    }

    fn create_with(
        &mut self,
        name: &InterfaceName,
        kind: InfoKind,
        data: InfoData,
        more: Vec<LinkAttribute>,
    ) -> Result<(), Error> {
        let mut request = LinkMessage::default();
        request.attributes = vec![
            LinkAttribute::IfName(name.as_str().to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]),
        ];
        request.attributes.extend(more);
        let request = RouteNetlinkMessage::NewLink(request);
        match self.perform(request, NLM_F_CREATE | NLM_F_EXCL)? {
            None => Ok(()),
            Some(refusal) => Err(Error::CreateLink {
                name: name.clone(),
                refusal,
            }),
        }
    }

    fn set(&mut self, index: u32, attribute: LinkAttribute) -> Result<(), Error> {
        let mut request = of(index);
        request.attributes.push(attribute);
        self.change(index, request)
    }

    fn change(&mut self, index: u32, request: LinkMessage) -> Result<(), Error> {
        match self.perform(RouteNetlinkMessage::SetLink(request), 0)? {
            None => Ok(()),
            Some(refusal) => Err(Error::ChangeLink {
                ifindex: index,
                refusal,
            }),
        }
    }
}

fn ipvlan_data(siblings: Siblings) -> InfoData {
    let flags = match siblings {
        Siblings::Bridge => IpVlanFlags::empty(),
        Siblings::Private => IpVlanFlags::Private,
        Siblings::Vepa => IpVlanFlags::Vepa,
    };
    InfoData::IpVlan(vec![
        InfoIpVlan::Mode(IpVlanMode::L2),
        InfoIpVlan::Flags(flags),
    ])
}

fn of(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}
