//! The side of an instance that touches the outside: how its adverts are made and judged, and
//! where its addresses go.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::executor::{Placement, Placements};
use super::links::Links;
use super::pool;
use crate::config::model::{Authentication, Instance, Transport};
use crate::control::statistics::Statistics;
use crate::sys::socket::Listen;
use crate::types::{InterfaceName, Priority, VirtualAddress};
use crate::vrrp::instance::Fault;
use crate::wire::ip::{self, Packet};
use crate::wire::vrrp::{self, ChecksumForm, Demands, Outgoing, Received, Rejected};

/// Complaints until the next change of state: forged senders must fill neither memory nor log.
const COMPLAINTS: usize = 64;

/// What the host offers an instance at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Footing {
    /// Number of its own interface.
    pub ifindex: Option<u32>,
    /// Address that adverts are sent from.
    pub source: Option<Ipv4Addr>,
    /// Reasons not to run.
    pub faults: BTreeSet<Fault>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub name: Arc<str>,
    pub config: Instance,
    pub footing: Footing,
    pub placements: Placements,
    pub statistics: Statistics,
    /// Complaints already made since the last change of state, so that each is made once.
    complaints: BTreeSet<Complaint>,
    authentication: vrrp::Authentication,
    advertised: Vec<Ipv4Addr>,
    packet_id: u16,
}

/// Something about a peer that is said once, not with every packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Complaint {
    Rejected(IpAddr, Rejected),
    AddressList(IpAddr),
    Interval(IpAddr),
    SendFailed(IpAddr),
    Late,
}

impl Member {
    pub(super) fn new(config: Instance) -> Self {
        let mut member = Self {
            name: Arc::from(config.name.as_str()),
            authentication: vrrp::Authentication::None,
            advertised: Vec::new(),
            config,
            footing: Footing::default(),
            placements: Arc::from([]),
            statistics: Statistics::default(),
            complaints: BTreeSet::new(),
            packet_id: 0,
        };
        member.derive();
        member
    }

    /// Takes a new configuration and keeps everything that was counted.
    pub(super) fn reconfigure(&mut self, config: Instance) {
        self.name = Arc::from(config.name.as_str());
        self.config = config;
        self.complaints.clear();
        self.derive();
    }

    pub(super) fn forget_complaints(&mut self) {
        self.complaints.clear();
    }

    fn derive(&mut self) {
        self.authentication = match &self.config.authentication {
            Authentication::None => vrrp::Authentication::None,
            Authentication::Password(secret) => vrrp::Authentication::Password(secret.clone()),
        };
        let v4 = |a: &VirtualAddress| match a.address {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        };
        self.advertised = self.config.addresses.iter().filter_map(v4).collect();
    }

    /// Looks at the host's interfaces anew.
    pub(super) fn settle(&mut self, links: &Links) {
        self.footing = self.footing_on(links);
        let place = |address: &VirtualAddress| {
            let interface = address.interface.as_ref().unwrap_or(&self.config.interface);
            let link = links.get(interface)?;
            Some(Placement {
                ifindex: link.index,
                mac: link.mac,
                address: address.clone(),
            })
        };
        let placements: Vec<_> = self.config.all_addresses().filter_map(place).collect();
        if *placements != *self.placements {
            self.placements = placements.into();
        }
    }

    fn footing_on(&self, links: &Links) -> Footing {
        let own = links.get(&self.config.interface);
        let mut faults: BTreeSet<Fault> = self
            .other_interfaces()
            .filter(|name| links.get(name).is_none_or(|link| !link.up))
            .map(|name| Fault::AddressInterface(name.clone()))
            .collect();
        if own.is_none_or(|link| !link.up && !self.config.ignore_own_interface) {
            faults.insert(Fault::Interface);
        }
        let configured = match self.config.transport.source() {
            Some(IpAddr::V4(v4)) => Some(v4),
            Some(IpAddr::V6(_)) | None => None,
        };
        let gone = |source| own.is_some_and(|link| !link.addresses.contains(&source));
        if self.config.track_source && configured.is_some_and(gone) {
            faults.insert(Fault::NoPrimaryAddress);
        }
        let source = configured.or_else(|| own.and_then(|l| l.addresses.first().copied()));
        if source.is_none() {
            faults.insert(Fault::NoPrimaryAddress);
        }
        Footing {
            ifindex: own.map(|link| link.index),
            source,
            faults,
        }
    }

    /// Interfaces of addresses that lie elsewhere: they are tracked like the own one.
    fn other_interfaces(&self) -> impl Iterator<Item = &InterfaceName> {
        let tracked = |name: &&InterfaceName| **name != self.config.interface;
        self.config
            .all_addresses()
            .filter_map(|a| a.interface.as_ref())
            .filter(tracked)
    }

    /// Which socket it hears its peers on, once it has a source address.
    pub(super) fn listen(&self) -> Option<Listen> {
        match &self.config.transport {
            Transport::Multicast {
                group: IpAddr::V4(group),
                ..
            } => Some(Listen::Group(*group)),
            Transport::Multicast {
                group: IpAddr::V6(_),
                ..
            } => None,
            Transport::Unicast { .. } => self.footing.source.map(Listen::Address),
        }
    }

    /// The key of that socket.
    pub(super) fn socket_key(&self) -> Option<pool::Key> {
        Some((self.config.interface.clone(), self.listen()?))
    }

    /// Whether a packet from `source` to a shared unicast socket is for this instance.
    pub(super) fn hears(&self, source: IpAddr) -> bool {
        match &self.config.transport {
            Transport::Multicast { .. } => true,
            Transport::Unicast { peers, .. } => peers.contains(&source),
        }
    }

    /// Whether a complaint is to be made now: each once, and no more than a flood deserves.
    pub(super) fn complain(&mut self, complaint: Complaint) -> bool {
        self.complaints.len() < COMPLAINTS && self.complaints.insert(complaint)
    }

    pub(super) fn receive(&mut self, packet: &Packet<'_>) -> Result<Received, Rejected> {
        self.statistics.adverts_received += 1;
        let result = self.judge(packet);
        match &result {
            Ok(received) if received.advert.priority == Priority::RELEASE => {
                self.statistics.releases_received += 1;
            }
            Ok(_) => {}
            Err(reason) => *self.statistics.rejected.entry(*reason).or_default() += 1,
        }
        result
    }

    fn judge(&self, packet: &Packet<'_>) -> Result<Received, Rejected> {
        if self
            .footing
            .source
            .is_some_and(|own| packet.source == IpAddr::V4(own))
        {
            return Err(Rejected::OwnPacket);
        }
        let multicast = matches!(self.config.transport, Transport::Multicast { .. });
        if multicast != packet.destination.is_multicast() {
            return Err(Rejected::Destination);
        }
        let demands = Demands {
            version: self.config.protocol.version,
            authentication: &self.authentication,
            interval: self.config.protocol.advertisement_interval,
            check_hop_limit: multicast,
        };
        vrrp::receive(packet, &demands)
    }

    /// Whether an advert lists the addresses that we list.
    pub(super) fn lists_same_addresses(&self, received: &Received) -> bool {
        let ours: BTreeSet<IpAddr> = self.advertised.iter().map(|a| IpAddr::V4(*a)).collect();
        let theirs: BTreeSet<IpAddr> = received.addresses.iter().copied().collect();
        ours == theirs
    }

    /// Packets to be sent for one advert, each with its destination.
    pub(super) fn adverts(&mut self, priority: Priority) -> Vec<(Ipv4Addr, Vec<u8>)> {
        let Some(source) = self.footing.source else {
            return Vec::new();
        };
        let (destinations, ttl) = self.destinations();
        let mut packets = Vec::with_capacity(destinations.len());
        for destination in destinations {
            self.packet_id = self.packet_id.wrapping_add(1).max(1);
            let message = vrrp::emit(&self.outgoing(priority, source, destination));
            let packet = ip::emit_v4(source, destination, ttl, self.packet_id, &message);
            packets.push((destination, packet));
        }
        packets
    }

    fn destinations(&self) -> (Vec<Ipv4Addr>, u8) {
        let v4 = |address: &IpAddr| match address {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        };
        match &self.config.transport {
            Transport::Multicast { group, .. } => (v4(group).into_iter().collect(), ip::HOP_LIMIT),
            Transport::Unicast { peers, ttl, .. } => (peers.iter().filter_map(v4).collect(), *ttl),
        }
    }

    fn outgoing(
        &self,
        priority: Priority,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    ) -> Outgoing<'_> {
        let protocol = &self.config.protocol;
        Outgoing {
            version: protocol.version,
            vrid: protocol.vrid,
            priority,
            interval: protocol.advertisement_interval,
            addresses: &self.advertised,
            authentication: &self.authentication,
            checksum: if self.config.checksum_without_pseudo_header {
                ChecksumForm::Message
            } else {
                ChecksumForm::PseudoHeader
            },
            source,
            destination,
        }
    }
}
